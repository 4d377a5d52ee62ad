import { mount } from "svelte";
import { signIn } from "../sign-in.js";
import Album from "./Album.svelte";

mount(Album, { target: document.querySelector("main"), props: { twin: await signIn() } });

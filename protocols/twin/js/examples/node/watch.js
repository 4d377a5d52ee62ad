#!/usr/bin/env node
// Says a line for each e-mail that arrives, and runs until it is stopped. With a number: until so many have come.
//
//   TWIN_PASSWORD=… node watch.js https://hub.example.org you@example.org [NUMBER]
import { Twin } from "../../dist/client.js";

const [hub, address, number] = process.argv.slice(2);
if (!address) {
  console.error("TWIN_PASSWORD=… node watch.js HUB ADDRESS [NUMBER]");
  process.exit(2);
}

const twin = new Twin(hub, { address, password: process.env.TWIN_PASSWORD ?? "" });
const end = new AbortController();
process.once("SIGINT", () => end.abort());
let left = number ? Number(number) : Infinity;

for await (const event of twin.events(["Email"], end.signal)) {
  if (event.kind === "ready") console.error("Waiting for mail.");
  if (event.kind !== "change") continue;
  for (const { from, subject, receivedAt } of event.created) {
    console.log(`${receivedAt}  ${from?.[0]?.email ?? "-"}  ${subject ?? ""}`);
    if (--left === 0) end.abort();
  }
}

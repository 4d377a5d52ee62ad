// Asks for the hub and who one is, until it is right. Nothing is kept: a page that is loaded again asks again.
// A real experience would send people to the hub for a token (OAuth 2.1), and never see the password.
import { Twin } from "../dist/client.js";

export function signIn() {
  const form = document.createElement("form");
  form.className = "sign-in";
  form.innerHTML = `
    <label>Hub <input name="hub" type="url" required placeholder="https://hub.example.org"></label>
    <label>Address <input name="address" autocomplete="username" required></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button>Open</button><p role="alert"></p>`;
  form.hub.value = new URLSearchParams(location.search).get("hub") ?? "";
  document.body.prepend(form);
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const credentials = { address: form.address.value, password: form.password.value };
      const twin = new Twin(form.hub.value, credentials);
      try {
        await twin.session();
        form.remove();
        resolve(twin);
      } catch (error) {
        form.querySelector("p").textContent = error.message;
      }
    });
  });
}

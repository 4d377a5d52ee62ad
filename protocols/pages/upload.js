// Shows how far an upload is. Without it the form works just as well.
"use strict";
const form = document.getElementById("upload");
if (form) {
  const progress = document.getElementById("progress");
  const state = document.getElementById("state");
  const button = form.querySelector("button");
  const say = (text) => {
    state.hidden = false;
    state.textContent = text;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (sent) => {
      if (!sent.lengthComputable) return;
      const percent = Math.floor((100 * sent.loaded) / sent.total);
      progress.value = percent;
      say(percent < 100 ? `${percent} % sent` : "Sent. The server is storing it.");
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const alert = page.querySelector("[role=alert]");
      const heading = page.querySelector("h1");
      say(heading && alert ? `${heading.textContent}. ${alert.textContent}` : "It did not arrive.");
      button.disabled = false;
    });
    request.addEventListener("error", () => {
      say("The connection broke off. Look which files are there, and send the others again.");
      button.disabled = false;
    });
    button.disabled = true;
    progress.hidden = false;
    say("Sending");
    request.send(new FormData(form));
  });
}

// A small mail reader with live updates, in plain JavaScript: no framework, no build.
import { signIn } from "../sign-in.js";

const twin = await signIn();
const [rows, article] = document.querySelectorAll("main > *");
const emails = new Map();
let inbox;
let open;

/** Lists the inbox, newest first. */
async function load() {
  const mailboxes = await twin.list("Mailbox", { role: "inbox" });
  inbox = mailboxes.list[0].id;
  const properties = ["id", "subject", "from", "preview", "keywords", "mailboxIds", "receivedAt"];
  const { list } = await twin.list("Email", { inMailbox: inbox, sort: ["-receivedAt"], limit: 50, properties });
  emails.clear();
  list.forEach((email) => emails.set(email.id, email));
  show();
}

function show() {
  const newest = [...emails.values()].sort((a, b) => b.receivedAt.localeCompare(a.receivedAt));
  rows.replaceChildren(...newest.map(row));
  const unread = newest.filter((email) => !email.keywords.$seen).length;
  document.title = document.querySelector("h1").textContent = unread ? `Mail (${unread} unread)` : "Mail";
}

/** What others wrote is shown as text, never as HTML. */
function row(email) {
  const [item, button, from, subject, preview] =
    ["li", "button", "span", "b", "span"].map((name) => document.createElement(name));
  from.textContent = email.from?.[0]?.name || email.from?.[0]?.email || "Nobody";
  subject.textContent = email.subject || "(no subject)";
  preview.textContent = email.preview;
  button.append(from, subject, preview);
  button.addEventListener("click", () => read(email));
  if (email.keywords.$seen) item.className = "seen";
  if (email.id === open) button.setAttribute("aria-current", "true");
  item.append(button);
  return item;
}

async function read(email) {
  open = email.id;
  const whole = await twin.get("Email", email.id, {
    properties: ["textBody", "bodyValues"],
    fetchTextBodyValues: true,
  });
  const title = document.createElement("h2");
  title.textContent = email.subject || "(no subject)";
  article.replaceChildren(title, whole.textBody.map((part) => whole.bodyValues[part.partId]?.value ?? "").join("\n"));
  if (email.keywords.$seen) show();
  else await twin.update("Email", email.id, { keywords: { $seen: true } });
}

await load();
document.querySelector("main").hidden = false;
for await (const event of twin.events(["Email"])) {
  // What came between the list and the stream is in neither.
  if (event.kind !== "change") await load();
  if (event.kind !== "change") continue;
  event.destroyed.forEach((id) => emails.delete(id));
  for (const email of [...event.created, ...event.updated]) {
    if (email.mailboxIds[inbox]) emails.set(email.id, email);
    else emails.delete(email.id);
  }
  show();
}

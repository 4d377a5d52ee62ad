// A board of mailboxes whose numbers are always right, in React.
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { signIn } from "../sign-in.js";

/** Mailboxes by their ids, kept up to date for as long as they are shown. */
function useMailboxes(twin) {
  const [mailboxes, setMailboxes] = useState(new Map());
  useEffect(() => {
    const end = new AbortController();
    const load = async () => {
      const { list } = await twin.list("Mailbox");
      setMailboxes(new Map(list.map((mailbox) => [mailbox.id, mailbox])));
    };
    (async () => {
      await load();
      for await (const event of twin.events(["Mailbox"], end.signal)) {
        if (event.kind !== "change") await load();
        if (event.kind !== "change") continue;
        setMailboxes((before) => {
          const now = new Map(before);
          event.destroyed.forEach((id) => now.delete(id));
          [...event.created, ...event.updated].forEach((mailbox) => now.set(mailbox.id, mailbox));
          return now;
        });
      }
    })();
    return () => end.abort();
  }, [twin]);
  const isInbox = ({ role }) => Number(role === "inbox");
  return [...mailboxes.values()].sort((a, b) => isInbox(b) - isInbox(a) || a.name.localeCompare(b.name));
}

function NewMailbox({ twin }) {
  const [problem, setProblem] = useState("");
  const make = async (form) => {
    try {
      await twin.create("Mailbox", { name: form.get("name") });
      setProblem("");
    } catch (error) {
      setProblem(error.message);
    }
  };
  return (
    <form action={make}>
      <label>
        A new mailbox
        <input name="name" required />
      </label>
      <button>Make</button>
      <p role="alert">{problem}</p>
    </form>
  );
}

function Board({ twin }) {
  return (
    <>
      <div className="tiles">
        {useMailboxes(twin).map(({ id, name, unreadEmails, totalEmails }) => (
          <div className="tile" key={id} data-name={name}>
            {name}
            <strong>{unreadEmails}</strong>
            <span className="quiet">unread of {totalEmails}</span>
          </div>
        ))}
      </div>
      <NewMailbox twin={twin} />
    </>
  );
}

createRoot(document.querySelector("main")).render(<Board twin={await signIn()} />);

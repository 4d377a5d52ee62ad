// Writes a note to somebody and watches it go, in Vue, without a build.
import { createApp, onMounted, reactive } from "vue";
import { signIn } from "../sign-in.js";

const twin = await signIn();

/** The mailbox with a role; the hub has made those for everybody. */
async function mailbox(role) {
  return (await twin.list("Mailbox", { role })).list[0].id;
}

const Note = {
  template: `
    <form @submit.prevent="send">
      <label>To <input name="to" type="email" v-model="note.to" required></label>
      <label>Subject <input name="subject" v-model="note.subject"></label>
      <label>Text <textarea name="text" rows="5" v-model="note.text" required></textarea></label>
      <button :disabled="note.isBusy">Send</button>
      <p role="alert">{{ note.problem }}</p>
    </form>
    <h2>Sent</h2>
    <ul class="rows">
      <li v-for="email in note.sent" :key="email.id">
        <button><b>{{ email.subject }}</b><span>to {{ email.to?.[0]?.email }} — {{ email.preview }}</span></button>
      </li>
    </ul>`,

  setup() {
    const note = reactive({ to: "", subject: "", text: "", problem: "", isBusy: false, sent: [] });

    async function send() {
      note.isBusy = true;
      try {
        const [identity] = (await twin.list("Identity")).list;
        const { id } = await twin.create("Email", {
          mailboxIds: { [await mailbox("drafts")]: true },
          keywords: { $draft: true, $seen: true },
          from: [{ name: identity.name || null, email: identity.email }],
          to: [{ name: null, email: note.to }],
          subject: note.subject,
          bodyValues: { text: { value: note.text } },
          textBody: [{ partId: "text", type: "text/plain" }],
        });
        await twin.send(id, identity.id, await mailbox("sent"));
        Object.assign(note, { subject: "", text: "", problem: "" });
      } catch (error) {
        note.problem = error.message;
      }
      note.isBusy = false;
    }

    async function follow() {
      const inMailbox = await mailbox("sent");
      const properties = ["id", "subject", "to", "preview"];
      const load = async () => {
        const { list } = await twin.list("Email", { inMailbox, sort: ["-receivedAt"], limit: 10, properties });
        note.sent = list;
      };
      await load();
      for await (const _ of twin.events(["Email"])) await load();
    }

    onMounted(() => follow().catch((error) => (note.problem = error.message)));
    return { note, send };
  },
};

createApp(Note).mount("main");

// The native API of a twin's hub, for pages and scripts: objects over plain HTTP, batches over JMAP (RFC 8620), and
// events with what has changed. No dependencies; runs in browsers and in Node 20 and later.
import { parse } from "./events.js";
import { CAPABILITIES } from "./table.js";
export * from "./objects.js";
export * from "./table.js";
/** Why the hub did not do what it was asked for (RFC 9457). */
export class TwinError extends Error {
    /** The HTTP status. */
    status;
    /** The error type of JMAP, such as `notFound` or `stateMismatch`. */
    type;
    /** Names of the properties that are wrong. */
    properties;
    constructor(status, type, detail, properties = []) {
        super(detail);
        this.name = "TwinError";
        this.status = status;
        this.type = type;
        this.properties = properties;
    }
}
/** Milliseconds before a stream is opened again: at first, and at most. */
const PAUSE = { first: 500, longest: 30_000 };
/** A twin, seen from a page or a script. */
export class Twin {
    #hub;
    #credentials;
    #session;
    /** `hub` is its address, such as `https://hub.example.org`. */
    constructor(hub, credentials) {
        this.#hub = new URL("/", hub);
        this.#credentials = credentials;
    }
    /** Objects that fulfil the conditions. */
    async list(type, query = {}) {
        return (await this.#ask("GET", `api/v1/${type}${search(query)}`)).json();
    }
    async get(type, id, query = {}) {
        return (await this.#ask("GET", `api/v1/${type}/${encodeURIComponent(id)}${search(query)}`)).json();
    }
    /** Makes an object; returns what the hub has set of it, its id among that. */
    async create(type, object) {
        return (await this.#ask("POST", `api/v1/${type}`, object)).json();
    }
    /** Changes an object by a merge patch (RFC 7396): what is not named stays, `null` removes. */
    async update(type, id, patch, ifState) {
        await this.#ask("PATCH", `api/v1/${type}/${encodeURIComponent(id)}`, patch, ifMatch(ifState));
    }
    async destroy(type, id, ifState) {
        await this.#ask("DELETE", `api/v1/${type}/${encodeURIComponent(id)}`, undefined, ifMatch(ifState));
    }
    /** Ids of what has changed since a state. */
    async changes(type, since) {
        return (await this.#ask("GET", `api/v1/${type}/changes${search({ since })}`)).json();
    }
    /**
     * What changes from now on, with the objects, until `signal` says enough. A stream that breaks off is opened again,
     * and what was missed meanwhile comes first.
     */
    async *events(types, signal) {
        const path = `api/v1/events${search({ types: types.join(",") })}`;
        let [last, pause] = ["", PAUSE.first];
        while (!signal?.aborted) {
            try {
                const fields = last ? { "Last-Event-ID": last } : {};
                const { body } = await this.#ask("GET", path, undefined, fields, signal);
                for await (const { event, data, id } of parse(body)) {
                    if (event !== "ready" && event !== "change" && event !== "reset")
                        continue;
                    pause = PAUSE.first;
                    yield { ...JSON.parse(data), kind: event };
                    last = id;
                }
            }
            catch (error) {
                if (signal?.aborted)
                    return;
                // Asking again does not help who may not ask.
                if (error instanceof TwinError && error.status < 500 && error.status !== 429)
                    throw error;
            }
            await sleep(pause, signal);
            pause = Math.min(2 * pause, PAUSE.longest);
        }
    }
    /** Several calls at once (RFC 8620 §3): `[name, arguments, id]` each. The account is filled in. */
    async call(...calls) {
        const { accountId } = await this.session();
        const methodCalls = calls.map(([name, more, id]) => [name, { accountId, ...more }, id]);
        const answer = await this.#ask("POST", "jmap/api/", { using: Object.values(CAPABILITIES), methodCalls });
        const { methodResponses } = (await answer.json());
        const failed = methodResponses.find(([name]) => name === "error");
        if (failed)
            throw new TwinError(200, failed[1].type, failed[1].description ?? failed[1].type);
        return methodResponses;
    }
    /** Sends an e-mail that is kept as a draft, as whom it says; the draft moves to what was sent. */
    async send(emailId, identityId, sentMailboxId) {
        const answers = await this.call([
            "EmailSubmission/set",
            {
                create: { sent: { emailId, identityId } },
                onSuccessUpdateEmail: { "#sent": { mailboxIds: { [sentMailboxId]: true }, "keywords/$draft": null } },
            },
            "s",
        ]);
        for (const [, answer] of answers) {
            const refused = Object.values({ ...answer.notCreated, ...answer.notUpdated })[0];
            if (refused)
                throw new TwinError(200, refused.type, refused.description ?? refused.type, refused.properties);
        }
    }
    async upload(content) {
        const { accountId } = await this.session();
        const fields = { "Content-Type": content.type || "application/octet-stream" };
        return (await this.#ask("POST", `jmap/upload/${accountId}/`, content, fields)).json();
    }
    /** Content of a message, or of a part of one. */
    async download(blobId, type = "application/octet-stream", name = "content") {
        const { accountId } = await this.session();
        const path = [accountId, blobId, name].map(encodeURIComponent).join("/");
        return (await this.#ask("GET", `jmap/download/${path}${search({ accept: type })}`)).blob();
    }
    /** Who this is; asked once. */
    async session() {
        this.#session ??= this.#ask("GET", "jmap/session").then(async (answer) => {
            const { accounts, username } = await answer.json();
            return { accountId: Object.keys(accounts)[0], username };
        });
        return this.#session.catch((error) => {
            this.#session = undefined;
            throw error;
        });
    }
    async #ask(method, path, body, fields = {}, signal) {
        const headers = { Authorization: await this.#authorization(), ...fields };
        const init = { method, headers, credentials: "omit" };
        if (signal)
            init.signal = signal;
        if (body instanceof Blob)
            init.body = body;
        else if (body) {
            headers["Content-Type"] = "application/json";
            init.body = JSON.stringify(body);
        }
        const answer = await fetch(new URL(path, this.#hub), init);
        if (answer.ok)
            return answer;
        const text = await answer.text();
        if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) {
            throw new TwinError(answer.status, answer.status === 401 ? "unauthorized" : "unknown", text.trim());
        }
        const { type, detail, properties } = JSON.parse(text);
        throw new TwinError(answer.status, type.replace(/^.*:/, ""), detail, properties);
    }
    async #authorization() {
        const given = this.#credentials;
        if ("token" in given) {
            return `Bearer ${typeof given.token === "string" ? given.token : await given.token()}`;
        }
        const bytes = new TextEncoder().encode(`${given.address}:${given.password}`);
        return `Basic ${btoa(String.fromCharCode(...bytes))}`;
    }
}
function search(query) {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
    return text && `?${text}`;
}
function ifMatch(state) {
    return state === undefined ? {} : { "If-Match": `"${state}"` };
}
function sleep(milliseconds, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
}

// The native API of a twin's hub, for pages and scripts: objects over plain HTTP, batches over JMAP (RFC 8620), and
// events with what has changed. No dependencies; runs in browsers and in Node 20 and later.

import { parse } from "./events.js";
import type { Id, ObjectOf } from "./objects.js";
import { CAPABILITIES } from "./table.js";
import type { ChangingType, Method, PushedType, SettableType, TypeName } from "./table.js";

export * from "./objects.js";
export * from "./table.js";

/** Who asks: an address with a password (best an app password for the door `api`), or a token of OAuth. */
export type Credentials =
  | { address: string; password: string }
  | { token: string | (() => string | Promise<string>) };

/** What a list is asked for; whatever else is a condition of the filter. */
export interface Query {
  limit?: number;
  position?: number;
  /** Names; with `-` in front descending. */
  sort?: string[];
  properties?: string[];
  [condition: string]: string | number | boolean | string[] | undefined;
}

export interface List<O> {
  list: O[];
  position: number;
  total: number | null;
  /** For `changes`, and for `ifState`. */
  state: string;
}

export interface Changes {
  oldState: string;
  newState: string;
  hasMoreChanges: boolean;
  created: Id[];
  updated: Id[];
  destroyed: Id[];
}

/** What has changed, with the objects. */
export type Change<T extends PushedType = PushedType> = T extends PushedType
  ? {
      kind: "change";
      type: T;
      oldState: string;
      newState: string;
      created: Partial<ObjectOf<T>>[];
      updated: Partial<ObjectOf<T>>[];
      destroyed: Id[];
    }
  : never;

export type TwinEvent<T extends PushedType = PushedType> =
  /** What was listed at these states is up to date from here on. */
  | { kind: "ready"; states: Record<string, string> }
  | Change<T>
  /** What has happened since is not known any more: list it anew. */
  | { kind: "reset"; type: T; newState: string };

export interface Upload {
  accountId: Id;
  blobId: Id;
  type: string;
  size: number;
}

/** Why the hub did not do what it was asked for (RFC 9457). */
export class TwinError extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** The error type of JMAP, such as `notFound` or `stateMismatch`. */
  readonly type: string;
  /** Names of the properties that are wrong. */
  readonly properties: string[];

  constructor(status: number, type: string, detail: string, properties: string[] = []) {
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
  readonly #hub: URL;
  readonly #credentials: Credentials;
  #session: Promise<Session> | undefined;

  /** `hub` is its address, such as `https://hub.example.org`. */
  constructor(hub: string | URL, credentials: Credentials) {
    this.#hub = new URL("/", hub);
    this.#credentials = credentials;
  }

  /** Objects that fulfil the conditions. */
  async list<T extends TypeName>(type: T, query: Query = {}): Promise<List<ObjectOf<T>>> {
    return (await this.#ask("GET", `api/v1/${type}${search(query)}`)).json();
  }

  async get<T extends TypeName>(type: T, id: Id, query: Query = {}): Promise<ObjectOf<T>> {
    return (await this.#ask("GET", `api/v1/${type}/${encodeURIComponent(id)}${search(query)}`)).json();
  }

  /** Makes an object; returns what the hub has set of it, its id among that. */
  async create<T extends SettableType>(
    type: T,
    object: Partial<ObjectOf<T>>,
  ): Promise<Partial<ObjectOf<T>> & { id: Id }> {
    return (await this.#ask("POST", `api/v1/${type}`, object)).json();
  }

  /** Changes an object by a merge patch (RFC 7396): what is not named stays, `null` removes. */
  async update(type: SettableType, id: Id, patch: object, ifState?: string): Promise<void> {
    await this.#ask("PATCH", `api/v1/${type}/${encodeURIComponent(id)}`, patch, ifMatch(ifState));
  }

  async destroy(type: SettableType, id: Id, ifState?: string): Promise<void> {
    await this.#ask("DELETE", `api/v1/${type}/${encodeURIComponent(id)}`, undefined, ifMatch(ifState));
  }

  /** Ids of what has changed since a state. */
  async changes(type: ChangingType, since: string): Promise<Changes> {
    return (await this.#ask("GET", `api/v1/${type}/changes${search({ since })}`)).json();
  }

  /**
   * What changes from now on, with the objects, until `signal` says enough. A stream that breaks off is opened again,
   * and what was missed meanwhile comes first.
   */
  async *events<T extends PushedType>(types: T[], signal?: AbortSignal): AsyncGenerator<TwinEvent<T>> {
    const path = `api/v1/events${search({ types: types.join(",") })}`;
    let [last, pause] = ["", PAUSE.first];
    while (!signal?.aborted) {
      try {
        const fields: Record<string, string> = last ? { "Last-Event-ID": last } : {};
        const { body } = await this.#ask("GET", path, undefined, fields, signal);
        for await (const { event, data, id } of parse(body!)) {
          if (event !== "ready" && event !== "change" && event !== "reset") continue;
          pause = PAUSE.first;
          yield { ...JSON.parse(data), kind: event };
          last = id;
        }
      } catch (error) {
        if (signal?.aborted) return;
        // Asking again does not help who may not ask.
        if (error instanceof TwinError && error.status < 500 && error.status !== 429) throw error;
      }
      await sleep(pause, signal);
      pause = Math.min(2 * pause, PAUSE.longest);
    }
  }

  /** Several calls at once (RFC 8620 §3): `[name, arguments, id]` each. The account is filled in. */
  async call(...calls: [Method, object, string][]): Promise<[string, any, string][]> {
    const { accountId } = await this.session();
    const methodCalls = calls.map(([name, more, id]) => [name, { accountId, ...more }, id]);
    const answer = await this.#ask("POST", "jmap/api/", { using: Object.values(CAPABILITIES), methodCalls });
    const { methodResponses } = (await answer.json()) as { methodResponses: [string, any, string][] };
    const failed = methodResponses.find(([name]) => name === "error");
    if (failed) throw new TwinError(200, failed[1].type, failed[1].description ?? failed[1].type);
    return methodResponses;
  }

  /** Sends an e-mail that is kept as a draft, as whom it says; the draft moves to what was sent. */
  async send(emailId: Id, identityId: Id, sentMailboxId: Id): Promise<void> {
    const answers = await this.call([
      "EmailSubmission/set",
      {
        create: { sent: { emailId, identityId } },
        onSuccessUpdateEmail: { "#sent": { mailboxIds: { [sentMailboxId]: true }, "keywords/$draft": null } },
      },
      "s",
    ]);
    for (const [, answer] of answers) {
      const refused = Object.values<any>({ ...answer.notCreated, ...answer.notUpdated })[0];
      if (refused) throw new TwinError(200, refused.type, refused.description ?? refused.type, refused.properties);
    }
  }

  async upload(content: Blob): Promise<Upload> {
    const { accountId } = await this.session();
    const fields = { "Content-Type": content.type || "application/octet-stream" };
    return (await this.#ask("POST", `jmap/upload/${accountId}/`, content, fields)).json();
  }

  /** Content of a message, or of a part of one. */
  async download(blobId: Id, type = "application/octet-stream", name = "content"): Promise<Blob> {
    const { accountId } = await this.session();
    const path = [accountId, blobId, name].map(encodeURIComponent).join("/");
    return (await this.#ask("GET", `jmap/download/${path}${search({ accept: type })}`)).blob();
  }

  /** Who this is; asked once. */
  async session(): Promise<Session> {
    this.#session ??= this.#ask("GET", "jmap/session").then(async (answer) => {
      const { accounts, username } = await answer.json();
      return { accountId: Object.keys(accounts)[0]!, username };
    });
    return this.#session.catch((error) => {
      this.#session = undefined;
      throw error;
    });
  }

  async #ask(
    method: string,
    path: string,
    body?: object,
    fields: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const headers: Record<string, string> = { Authorization: await this.#authorization(), ...fields };
    const init: RequestInit = { method, headers, credentials: "omit" };
    if (signal) init.signal = signal;
    if (body instanceof Blob) init.body = body;
    else if (body) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const answer = await fetch(new URL(path, this.#hub), init);
    if (answer.ok) return answer;
    const text = await answer.text();
    if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) {
      throw new TwinError(answer.status, answer.status === 401 ? "unauthorized" : "unknown", text.trim());
    }
    const { type, detail, properties } = JSON.parse(text);
    throw new TwinError(answer.status, type.replace(/^.*:/, ""), detail, properties);
  }

  async #authorization(): Promise<string> {
    const given = this.#credentials;
    if ("token" in given) {
      return `Bearer ${typeof given.token === "string" ? given.token : await given.token()}`;
    }
    const bytes = new TextEncoder().encode(`${given.address}:${given.password}`);
    return `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }
}

export interface Session {
  accountId: Id;
  /** The twin's address. */
  username: string;
}

function search(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

function ifMatch(state?: string): Record<string, string> {
  return state === undefined ? {} : { "If-Match": `"${state}"` };
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

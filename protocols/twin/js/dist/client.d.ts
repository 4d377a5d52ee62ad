import type { Id, ObjectOf } from "./objects.js";
import type { ChangingType, Method, PushedType, SettableType, TypeName } from "./table.js";
export * from "./objects.js";
export * from "./table.js";
/** Who asks: an address with a password (best an app password for the door `api`), or a token of OAuth. */
export type Credentials = {
    address: string;
    password: string;
} | {
    token: string | (() => string | Promise<string>);
};
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
export type Change<T extends PushedType = PushedType> = T extends PushedType ? {
    kind: "change";
    type: T;
    oldState: string;
    newState: string;
    created: Partial<ObjectOf<T>>[];
    updated: Partial<ObjectOf<T>>[];
    destroyed: Id[];
} : never;
export type TwinEvent<T extends PushedType = PushedType> = 
/** What was listed at these states is up to date from here on. */
{
    kind: "ready";
    states: Record<string, string>;
} | Change<T>
/** What has happened since is not known any more: list it anew. */
 | {
    kind: "reset";
    type: T;
    newState: string;
};
export interface Upload {
    accountId: Id;
    blobId: Id;
    type: string;
    size: number;
}
/** Why the hub did not do what it was asked for (RFC 9457). */
export declare class TwinError extends Error {
    /** The HTTP status. */
    readonly status: number;
    /** The error type of JMAP, such as `notFound` or `stateMismatch`. */
    readonly type: string;
    /** Names of the properties that are wrong. */
    readonly properties: string[];
    constructor(status: number, type: string, detail: string, properties?: string[]);
}
/** A twin, seen from a page or a script. */
export declare class Twin {
    #private;
    /** `hub` is its address, such as `https://hub.example.org`. */
    constructor(hub: string | URL, credentials: Credentials);
    /** Objects that fulfil the conditions. */
    list<T extends TypeName>(type: T, query?: Query): Promise<List<ObjectOf<T>>>;
    get<T extends TypeName>(type: T, id: Id, query?: Query): Promise<ObjectOf<T>>;
    /** Makes an object; returns what the hub has set of it, its id among that. */
    create<T extends SettableType>(type: T, object: Partial<ObjectOf<T>>): Promise<Partial<ObjectOf<T>> & {
        id: Id;
    }>;
    /** Changes an object by a merge patch (RFC 7396): what is not named stays, `null` removes. */
    update(type: SettableType, id: Id, patch: object, ifState?: string): Promise<void>;
    destroy(type: SettableType, id: Id, ifState?: string): Promise<void>;
    /** Ids of what has changed since a state. */
    changes(type: ChangingType, since: string): Promise<Changes>;
    /**
     * What changes from now on, with the objects, until `signal` says enough. A stream that breaks off is opened again,
     * and what was missed meanwhile comes first.
     */
    events<T extends PushedType>(types: T[], signal?: AbortSignal): AsyncGenerator<TwinEvent<T>>;
    /** Several calls at once (RFC 8620 §3): `[name, arguments, id]` each. The account is filled in. */
    call(...calls: [Method, object, string][]): Promise<[string, any, string][]>;
    /** Sends an e-mail that is kept as a draft, as whom it says; the draft moves to what was sent. */
    send(emailId: Id, identityId: Id, sentMailboxId: Id): Promise<void>;
    upload(content: Blob): Promise<Upload>;
    /** Content of a message, or of a part of one. */
    download(blobId: Id, type?: string, name?: string): Promise<Blob>;
    /** Who this is; asked once. */
    session(): Promise<Session>;
}
export interface Session {
    accountId: Id;
    /** The twin's address. */
    username: string;
}

export type Id = string;
/** RFC 3339, in UTC. */
export type UTCDate = string;
export interface Address {
    name: string | null;
    email: string;
}
export interface BodyPart {
    partId?: string | null;
    blobId?: Id | null;
    size?: number;
    name?: string | null;
    type?: string;
    charset?: string | null;
    disposition?: string | null;
    cid?: string | null;
    subParts?: BodyPart[] | null;
}
export interface Mailbox {
    readonly id: Id;
    name: string;
    parentId: Id | null;
    role: string | null;
    sortOrder: number;
    isSubscribed: boolean;
    readonly totalEmails: number;
    readonly unreadEmails: number;
    readonly totalThreads: number;
    readonly unreadThreads: number;
}
export interface Email {
    readonly id: Id;
    readonly blobId: Id;
    readonly threadId: Id;
    mailboxIds: Record<Id, true>;
    /** `$seen`, `$flagged`, `$answered`, `$draft`, and one's own. */
    keywords: Record<string, true>;
    readonly size: number;
    receivedAt: UTCDate;
    sentAt: string | null;
    messageId: string[] | null;
    inReplyTo: string[] | null;
    references: string[] | null;
    from: Address[] | null;
    to: Address[] | null;
    cc: Address[] | null;
    bcc: Address[] | null;
    replyTo: Address[] | null;
    subject: string | null;
    readonly hasAttachment: boolean;
    readonly preview: string;
    bodyStructure: BodyPart;
    bodyValues: Record<string, {
        value: string;
        isTruncated?: boolean;
        isEncodingProblem?: boolean;
    }>;
    textBody: BodyPart[];
    htmlBody: BodyPart[];
    attachments: BodyPart[];
}
export interface Thread {
    readonly id: Id;
    readonly emailIds: Id[];
}
export interface Identity {
    readonly id: Id;
    name: string;
    readonly email: string;
    replyTo: Address[] | null;
    bcc: Address[] | null;
    textSignature: string;
    htmlSignature: string;
    readonly mayDelete: boolean;
}
export interface EmailSubmission {
    readonly id: Id;
    identityId: Id;
    emailId: Id;
    readonly threadId: Id;
    envelope: {
        mailFrom: {
            email: string;
        };
        rcptTo: {
            email: string;
        }[];
    } | null;
    readonly sendAt: UTCDate;
    undoStatus: "pending" | "final" | "canceled";
}
export interface VacationResponse {
    readonly id: "singleton";
    isEnabled: boolean;
    fromDate: UTCDate | null;
    toDate: UTCDate | null;
    subject: string | null;
    textBody: string | null;
    htmlBody: string | null;
}
export interface Quota {
    readonly id: Id;
    readonly name: string;
    readonly used: number;
    readonly hardLimit: number;
}
/** A type that this version has no words for yet. */
export interface Unknown {
    readonly id: Id;
    [property: string]: unknown;
}
/** The words that there are, by the names of types. */
export interface Known {
    Mailbox: Mailbox;
    Email: Email;
    Thread: Thread;
    Identity: Identity;
    EmailSubmission: EmailSubmission;
    VacationResponse: VacationResponse;
    Quota: Quota;
}
export type ObjectOf<T extends string> = T extends keyof Known ? Known[T] : Unknown;

// Generated from the table of methods; not to be edited:
// cargo run -p hub-twin --example typescript > protocols/twin/js/src/table.ts

/** What the hub can do, by its URIs. */
export const CAPABILITIES = {
  blob: "urn:ietf:params:jmap:blob",
  contacts: "urn:ietf:params:jmap:contacts",
  core: "urn:ietf:params:jmap:core",
  filenode: "urn:ietf:params:jmap:filenode",
  mail: "urn:ietf:params:jmap:mail",
  quota: "urn:ietf:params:jmap:quota",
  submission: "urn:ietf:params:jmap:submission",
  vacationresponse: "urn:ietf:params:jmap:vacationresponse",
} as const;

/** Types of objects. */
export type TypeName =
  | "Mailbox"
  | "Thread"
  | "Email"
  | "Identity"
  | "EmailSubmission"
  | "VacationResponse"
  | "AddressBook"
  | "ContactCard"
  | "FileNode"
  | "Quota";

/** Those that can be made, changed or removed. */
export type SettableType =
  | "Mailbox"
  | "Email"
  | "Identity"
  | "EmailSubmission"
  | "VacationResponse"
  | "AddressBook"
  | "ContactCard"
  | "FileNode";

/** Those that are told what has changed of. */
export type ChangingType =
  | "Mailbox"
  | "Thread"
  | "Email"
  | "Identity"
  | "EmailSubmission"
  | "AddressBook"
  | "ContactCard"
  | "FileNode"
  | "Quota";

/** Those that there are events of. */
export type PushedType =
  | "Mailbox"
  | "Thread"
  | "Email"
  | "Identity"
  | "EmailSubmission"
  | "VacationResponse"
  | "AddressBook"
  | "ContactCard"
  | "FileNode";

/** Methods of JMAP. */
export type Method =
  | "Core/echo"
  | "Blob/copy"
  | "Blob/upload"
  | "Blob/get"
  | "Blob/lookup"
  | "Mailbox/get"
  | "Mailbox/changes"
  | "Mailbox/query"
  | "Mailbox/queryChanges"
  | "Mailbox/set"
  | "Thread/get"
  | "Thread/changes"
  | "Email/get"
  | "Email/changes"
  | "Email/query"
  | "Email/queryChanges"
  | "Email/set"
  | "Email/copy"
  | "Email/import"
  | "Email/parse"
  | "SearchSnippet/get"
  | "Identity/get"
  | "Identity/changes"
  | "Identity/set"
  | "EmailSubmission/get"
  | "EmailSubmission/changes"
  | "EmailSubmission/query"
  | "EmailSubmission/queryChanges"
  | "EmailSubmission/set"
  | "VacationResponse/get"
  | "VacationResponse/set"
  | "AddressBook/get"
  | "AddressBook/changes"
  | "AddressBook/set"
  | "ContactCard/get"
  | "ContactCard/changes"
  | "ContactCard/query"
  | "ContactCard/queryChanges"
  | "ContactCard/set"
  | "ContactCard/copy"
  | "FileNode/get"
  | "FileNode/changes"
  | "FileNode/query"
  | "FileNode/queryChanges"
  | "FileNode/set"
  | "FileNode/copy"
  | "Quota/get"
  | "Quota/changes"
  | "Quota/query"
  | "Quota/queryChanges";

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
};

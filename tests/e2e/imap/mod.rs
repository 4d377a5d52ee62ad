//! IMAP as RFC 3501 and its extensions say it, on the wire, against the whole server.

mod limits;
mod login;
mod mailboxes;
mod messages;
mod search;
mod sync;

//! The types of mail (RFC 8621).

mod body;
pub(crate) mod compose;
pub(crate) mod dates;
pub(crate) mod email;
pub(crate) mod email_set;
mod header;
pub(crate) mod identity;
mod keywords;
pub(crate) mod mailbox;
mod mailbox_query;
mod mailbox_set;
pub(crate) mod query;
mod render;
pub(crate) mod snippet;
pub(crate) mod submission;
pub(crate) mod thread;
pub(crate) mod vacation;

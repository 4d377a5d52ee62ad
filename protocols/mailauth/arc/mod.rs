//! The chain of those who passed a message on (RFC 8617). The signatures are checked with
//! mail-auth's keys; the chain is read by ourselves, because mail-auth takes seals without an
//! algorithm or with a tag given twice, and refuses signatures that rely on defaults.

mod chain;
mod verify;

pub(crate) use chain::{Set, State, read};
pub(crate) use verify::verify;

//! What moves house: mail from another IMAP server, an mbox file or a Maildir into a twin's mailboxes,
//! calendars and contacts from another server, or files of them, into its calendars and address books, and all of it out again.
//!
//! A transfer has two ends. The [`Courier`] belongs to the command: it reads a foreign server or
//! files. The keeper ([`keep`]) belongs to the hub, and alone knows it. Between them is a stream of
//! frames: the control socket of a running server, or a pipe within the command when none runs. So an
//! import works while the server does, and both cases are one.
//!
//! Every message of a source has a number: its UID with the UIDVALIDITY of its mailbox, or a hash of
//! its bytes. The hub notes the number in the commit that keeps the message, so an import that was
//! cut off at any point goes on exactly there, and one that is complete changes nothing.
//!
//! It must not know how anything is stored, and it never gives up on a broken message: every byte of
//! it is kept. RFCs: 3501 as a client, 2342 (NAMESPACE), 4155 (mbox), 4616 (PLAIN), 6154
//! (SPECIAL-USE), 8314.

mod collect;
mod courier;
mod date;
pub mod dav;
mod error;
mod frames;
pub mod imap;
mod keeper;
pub mod maildir;
pub mod mbox;
mod names;
mod number;
pub mod objects;
mod progress;

pub use courier::{Courier, Exported};
pub use error::Error;
pub use frames::{Collection, Mailbox};
pub use keeper::keep;
pub use progress::Progress;

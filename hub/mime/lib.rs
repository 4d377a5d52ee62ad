//! MIME as the hub's primitives and IMAP need it, and nothing else: no sockets, no storage.
//!
//! A message is scanned once, at delivery, in chunks ([`Scanner`]); what comes out is a
//! [`Summary`]: the ENVELOPE and BODYSTRUCTURE as final wire bytes, the table of parts with
//! their offsets, and decoded header text for search and sorting. The summary is stored beside
//! the message and read back with [`Summary::decode`], so that no FETCH parses anything.

mod stored;
mod summary;

pub use stored::SummaryView;
pub use summary::{Part, PartKind, Summary};

//! MIME as the hub's primitives and IMAP need it, and nothing else: no sockets, no storage.
//!
//! A message is scanned once, at delivery, in chunks ([`Scanner`]); what comes out is a
//! [`Summary`]: the ENVELOPE and BODYSTRUCTURE as final wire bytes, the table of parts with
//! their offsets, and decoded header text for search and sorting. The summary is stored beside
//! the message and read back with [`Summary::decode`], so that no FETCH parses anything.

mod address;
mod charset;
mod content;
mod envelope;
mod header;
mod html;
mod lexer;
mod preview;
mod scanner;
mod stored;
mod structure;
mod summary;
mod text;
mod transfer;
mod wire;
mod words;

pub use scanner::Scanner;
pub use stored::SummaryView;
pub use summary::{Part, PartKind, Summary};
pub use transfer::decode_transfer;

//! MIME as the hub's primitives and IMAP need it, and nothing else: no sockets, no storage.
//!
//! A message is scanned once, at delivery, in chunks ([`Scanner`]); what comes out is a
//! [`Summary`]: the ENVELOPE and BODYSTRUCTURE as final wire bytes, the table of parts with
//! their offsets, and decoded header text for search and sorting. The summary is stored beside
//! the message and read back with [`Summary::decode`], so that no FETCH parses anything.

mod address;
mod brief;
mod charset;
mod content;
mod date;
mod envelope;
mod fields;
mod fold;
mod header;
mod html;
mod lexer;
mod preview;
mod scanner;
mod searchable;
mod section;
mod stored;
mod structure;
mod summary;
mod text;
mod transfer;
mod wire;
mod words;

pub use brief::body_without_extensions;
pub use fields::{header_fields, header_text, header_values};
pub use fold::{contains_folded, fold};
pub use scanner::Scanner;
pub use searchable::searchable_texts;
pub use section::{Section, find_part, section_range};
pub use stored::SummaryView;
pub use summary::{Part, PartKind, Summary};
pub use transfer::decode_transfer;

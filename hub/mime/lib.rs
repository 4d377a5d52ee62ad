//! MIME as the hub's primitives and IMAP need it, and nothing else: no sockets, no storage, no clock.
//!
//! A message is scanned once, at delivery, in pieces of any size ([`Scanner`]); what comes out is a
//! [`Summary`]: the ENVELOPE and BODYSTRUCTURE as final wire bytes, the table of parts with
//! their offsets, and decoded header text for search and sorting. The summary is stored beside
//! the message and looked into with [`SummaryView`], so that no FETCH parses anything.
//!
//! The rest are functions over a message and its table of parts: which bytes a section is
//! ([`section_range`], [`header_fields`], [`body_without_extensions`]), and the text that SEARCH looks
//! into ([`searchable_texts`], [`headers_within`], [`header_text`], [`header_values`], [`contains_folded`]); and
//! the same message in other words, for hosts that cannot have it as it is ([`reencode()`]).
//!
//! No input is an error: a message of any bytes has a summary, whose size is bounded (the limits
//! stand at the top of `scanner.rs`). RFC 2045–2047, 2183, 2231, 5322, 6532, 9051 §6.4.5 and §7.5.2.
//! `DIFFERENCES.md` tells where we do not agree with Dovecot, and why.

#![deny(clippy::disallowed_methods)]

mod address;
mod attachments;
mod brief;
mod charset;
mod collate;
mod content;
mod correspondents;
mod date;
mod envelope;
mod fields;
mod filter;
mod fold;
mod forms;
mod header;
mod html;
mod lexer;
mod listed;
mod part_header;
mod preview;
mod reader;
mod reencode;
mod scanner;
mod searchable;
mod section;
mod stored;
mod structure;
mod subject;
mod summary;
mod text;
mod transfer;
mod wire;
mod words;

pub use attachments::{Chosen, Shape, chosen, has_attachment};
pub use brief::body_without_extensions;
pub use charset::decode as decode_charset;
pub use collate::collation_key;
pub use correspondents::{Correspondents, FirstAddress, correspondents};
pub use fields::{header_fields, header_text, header_values, listed_header_fields};
pub use filter::{PartContent, field_addresses, field_date, field_value};
pub use fold::{contains_folded, fold, fold_cow};
pub use forms::{
    AddressGroup, NamedAddress, addresses_form, all_fields, date_form, grouped_addresses_form,
    message_ids_form, named_fields, raw_form, text_form, urls_form,
};
pub use html::to_text as html_text;
pub use listed::are_listed;
pub use part_header::{PartHeader, PartValue};
pub use reencode::{LongLines, NotConvertible, Unfit, reencode};
pub use scanner::Scanner;
pub use searchable::{PartText, headers_within, searchable_texts};
pub use section::{Section, find_part, section_range};
pub use stored::SummaryView;
pub use subject::{BaseSubject, base_subject};
pub use summary::{Part, PartKind, Summary};
pub use transfer::{TransferDecoder, decode_transfer, part_encoding};

//! IMAP4rev1 (RFC 3501, read with the clarity of RFC 9051) and its extensions.
#![allow(dead_code)]
mod encode;
mod framing;
mod grammar;
mod input;
mod names;
mod status;
mod view;

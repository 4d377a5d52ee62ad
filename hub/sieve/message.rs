//! What a script can see: the message, and what surrounds it.

use std::borrow::Cow;
use std::ops::Range;

use hub_mime::Part;

/// A message as its recipient will see it.
pub trait Message {
    /// The header block, with or without the empty line that ends it.
    fn header(&self) -> &[u8];
    /// Octets of the whole message.
    fn size(&self) -> u64;
    /// The tree of its parts; the first one is the message itself.
    fn parts(&self) -> &[Part];
    /// Octets of the message, counted as the parts count them. `Err` says why they cannot be read.
    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, String>;
}

/// What a script can ask for besides the message.
pub trait Surroundings {
    /// Unix seconds.
    fn now(&self) -> i64;
    /// RFC 5228 §5.4: `Some("")` is the null reverse-path, `None` what this delivery does not have.
    fn envelope(&self, field: EnvelopeField) -> Option<String>;
    /// RFC 5183 §4; `None` is what is not known here.
    fn environment(&self, item: &str) -> Option<String>;
    /// RFC 5490 §3.1: true if the message could be filed there.
    fn mailbox_exists(&self, name: &str) -> bool;
    /// RFC 8579 §4: true if the mailbox, or any, has this special use (`\Junk`).
    fn special_use_exists(&self, mailbox: Option<&str>, special_use: &str) -> bool;
    /// RFC 7352 §3: true if the id was noted by an earlier run and is not too old.
    fn is_duplicate(&self, id: &str) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeField {
    /// Who logged in, if the message was submitted (Pigeonhole's extension, `auth`).
    Auth,
    From,
    To,
}

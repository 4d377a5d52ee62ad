//! What is around a case of the suite: messages, mailboxes, an envelope, other scripts.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use hub_mime::{Part, Scanner};

use crate::compile::{Location, Scripts};
use crate::message::{EnvelopeField, Message, Surroundings};

pub(super) struct Mail {
    pub(super) bytes: Vec<u8>,
    pub(super) header: usize,
    pub(super) parts: Vec<Part>,
}

impl Mail {
    pub(super) fn new(bytes: Vec<u8>) -> &'static Self {
        let mut scanner = Scanner::new();
        scanner.feed(&bytes);
        let summary = scanner.finish();
        Box::leak(Box::new(Self { bytes, header: summary.header_length as usize, parts: summary.parts }))
    }
}

impl Message for Mail {
    fn header(&self) -> &[u8] {
        &self.bytes[..self.header]
    }
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn parts(&self) -> &[Part] {
        &self.parts
    }
    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, String> {
        Ok(Cow::Borrowed(&self.bytes[range.start as usize..(range.end as usize).min(self.bytes.len())]))
    }
}

/// A message in a mailbox, with its flags.
pub(super) type Kept = (Vec<u8>, Vec<String>);

/// A message that leaves, with its envelope.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) message: Vec<u8>,
}

pub(super) struct World {
    pub(super) from: RefCell<String>,
    pub(super) to: RefCell<String>,
    pub(super) auth: RefCell<Option<String>>,
    pub(super) mailboxes: RefCell<BTreeMap<String, Vec<Kept>>>,
    pub(super) sent: RefCell<Vec<Sent>>,
    pub(super) seen: RefCell<Vec<String>>,
}

impl Surroundings for World {
    fn now(&self) -> i64 {
        1_800_000_000
    }
    fn envelope(&self, field: EnvelopeField) -> Option<String> {
        match field {
            EnvelopeField::Auth => self.auth.borrow().clone(),
            EnvelopeField::From => path(&self.from.borrow()),
            EnvelopeField::To => path(&self.to.borrow()),
        }
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
    fn mailbox_exists(&self, name: &str) -> bool {
        self.mailboxes.borrow().contains_key(&mailbox(name))
    }
    fn special_use_exists(&self, _: Option<&str>, _: &str) -> bool {
        false
    }
    fn is_duplicate(&self, id: &str) -> bool {
        self.seen.borrow().iter().any(|seen| seen == id)
    }
}

/// `Path` (RFC 5321 §4.1.2) without its source route, or what stands in the brackets; `None` for what no
/// server would have accepted.
pub(super) fn path(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('<') {
        Some(rest) => rest.strip_suffix('>')?,
        None => text,
    };
    let is_label = |label: &str| !label.is_empty() && !label.contains('@');
    let is_domain = |domain: &str| domain.split('.').all(is_label);
    let mailbox = match inner.split_once(':') {
        Some((route, mailbox)) => {
            let mut hops = route.split(',').map(|hop| hop.strip_prefix('@'));
            hops.all(|hop| hop.is_some_and(is_domain)).then_some(mailbox)?
        }
        None => inner,
    };
    let is_whole = match mailbox.split_once('@') {
        Some((local, domain)) => !local.is_empty() && is_domain(domain),
        None => !mailbox.contains(' '),
    };
    (is_whole && !mailbox.contains(['<', '>'])).then(|| mailbox.to_owned())
}

/// `INBOX` in any case is one mailbox (RFC 9051 §5.1).
pub(super) fn mailbox(name: &str) -> String {
    match name.split_at_checked(5) {
        Some((inbox, rest)) if inbox.eq_ignore_ascii_case("INBOX") => format!("INBOX{rest}"),
        _ => name.to_owned(),
    }
}

pub(super) struct Folder(pub(super) PathBuf);

impl Scripts for Folder {
    fn script(&self, location: Location, name: &str) -> Option<String> {
        let folder = match location {
            Location::Global => "included-global",
            Location::Personal => "included",
        };
        let name = name.strip_suffix(".sieve").unwrap_or(name);
        std::fs::read_to_string(self.0.join(folder).join(format!("{name}.sieve"))).ok()
    }
}

//! What a script sees of a delivery.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use hub_mime::{Part, Summary};
use hub_sieve::{EnvelopeField, Message, Surroundings};
use hub_storage::StagedBlob;

use crate::directory::Directory;
use crate::mailboxes::normal_path;
use crate::{MailboxId, Role};

/// A message that is being delivered. Of a large one only the header is in memory.
pub(super) struct Arriving {
    /// With the fields that the hub puts in front.
    pub(super) header: Vec<u8>,
    pub(super) blob: Arc<StagedBlob>,
    pub(super) summary: Arc<Summary>,
    pub(super) size: u64,
}

impl Message for Arriving {
    fn header(&self) -> &[u8] {
        &self.header
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn parts(&self) -> &[Part] {
        &self.summary.parts
    }

    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, String> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if let Some(bytes) = self.blob.in_memory() {
            let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(bytes.len());
            let end = start.saturating_add(length).min(bytes.len());
            return Ok(Cow::Borrowed(&bytes[start..end]));
        }
        match self.blob.read_at(range.start, length) {
            Ok(bytes) => Ok(Cow::Owned(bytes.to_vec())),
            Err(error) => Err(hub_storage::chain(&error)),
        }
    }
}

/// What is around the message. Ids that the script asks about and that are not known yet are noted, so
/// that they can be looked up and the script be run again.
pub(crate) struct Around {
    pub(crate) now: i64,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Who connected, if the message came from another server: its name and address.
    pub(crate) remote: Option<(String, String)>,
    pub(crate) directory: Arc<Directory>,
    /// Ids that were looked up, and whether they were seen before.
    pub(crate) known: HashMap<String, bool>,
    pub(crate) asked: Mutex<HashSet<String>>,
}

impl Around {
    /// The mailbox with this name that can hold messages.
    pub(super) fn mailbox(&self, name: &str) -> Option<MailboxId> {
        let path = normal_path(name).ok()?;
        self.directory.at(&path).filter(|info| info.selectable).map(|info| info.id)
    }

    /// The mailbox with a special use, as RFC 6154 writes it.
    pub(super) fn with_special_use(&self, special_use: &str) -> Option<MailboxId> {
        let name = special_use.strip_prefix('\\')?;
        let role = Role::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))?;
        self.directory.with_role(role)
    }
}

impl Surroundings for Around {
    fn now(&self) -> i64 {
        self.now
    }

    fn envelope(&self, field: EnvelopeField) -> Option<String> {
        match field {
            EnvelopeField::Auth => None,
            EnvelopeField::From => Some(self.from.clone()),
            EnvelopeField::To => Some(self.to.clone()),
        }
    }

    /// RFC 5183 §4.1.
    fn environment(&self, item: &str) -> Option<String> {
        match item {
            "location" => Some("MDA".into()),
            "name" => Some("Twin Hub".into()),
            "phase" => Some("during".into()),
            "remote-host" => self.remote.as_ref().map(|(name, _)| name.clone()),
            "remote-ip" => self.remote.as_ref().map(|(_, ip)| ip.clone()),
            "version" => Some(env!("CARGO_PKG_VERSION").into()),
            _ => None,
        }
    }

    fn mailbox_exists(&self, name: &str) -> bool {
        self.mailbox(name).is_some()
    }

    fn special_use_exists(&self, mailbox: Option<&str>, special_use: &str) -> bool {
        let found = self.with_special_use(special_use);
        match mailbox {
            None => found.is_some(),
            Some(mailbox) => found.is_some() && found == self.mailbox(mailbox),
        }
    }

    fn is_duplicate(&self, id: &str) -> bool {
        self.known.get(id).copied().unwrap_or_else(|| {
            crate::locked(&self.asked).insert(id.to_owned());
            false
        })
    }
}

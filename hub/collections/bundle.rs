//! Whole files of events or contacts, in and out.

use bytes::Bytes;
use hub_ical::{Joined, Split};
use hub_storage::items::{CollectionId, CollectionKind, ItemId};

use crate::collections::item::hex;
use crate::collections::query::portions_of;
use crate::collections::{Collections, Incoming, Refusal, is_enough};
use crate::{Error, Result};

/// Bytes of a file that is brought in.
pub const MOST_FILE: usize = 256 << 20;

/// What became of the objects of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroughtIn {
    /// New ones, and those that were other before.
    pub stored: u64,
    /// There already, just so.
    pub unchanged: u64,
    /// By their UIDs.
    pub refused: Vec<(String, Refusal)>,
}

impl BroughtIn {
    pub(super) fn add(&mut self, mut other: Self) {
        self.stored += other.stored;
        self.unchanged += other.unchanged;
        self.refused.append(&mut other.refused);
    }
}

impl Collections {
    /// Brings a file of calendars or cards into a collection. An object that is there by its UID is
    /// replaced; the same file twice changes nothing the second time. `Invalid` for what is no such file,
    /// `TooLarge`, `OverQuota`.
    pub async fn bring_in(&self, collection: &str, file: Bytes) -> Result<BroughtIn> {
        if file.len() > MOST_FILE {
            return Err(Error::TooLarge { limit: MOST_FILE as u64 });
        }
        let (kind, storage) = (self.kind, self.storage().clone());
        let bytes = file.clone();
        let split = crate::apart(move || {
            let uid = |data: &[u8]| hex(&storage.fingerprint(data)[..16]);
            match kind {
                CollectionKind::Calendar | CollectionKind::Inbox => Split::calendars(&bytes, uid),
                CollectionKind::AddressBook => Split::cards(&bytes, uid),
            }
        });
        let split = split.await?.map_err(|error| Error::Invalid(error.to_string()))?;
        let ending = match self.kind {
            CollectionKind::Calendar | CollectionKind::Inbox => "ics",
            CollectionKind::AddressBook => "vcf",
        };
        let mut done = BroughtIn::default();
        let mut batch: Vec<Incoming> = Vec::new();
        for part in (0..split.len()).map_while(|index| split.part(index, &file)) {
            // A name that anybody may use in a URL, and the same for the same UID.
            let name = format!("{}.{ending}", hex(&self.storage().fingerprint(part.uid.as_bytes())[..16]));
            batch.push(Incoming { name, uid: part.uid, data: part.data.into(), number: None });
            if is_enough(&batch) {
                done.add(self.keep_all(collection, None, std::mem::take(&mut batch)).await?);
            }
        }
        done.add(self.keep_all(collection, None, batch).await?);
        Ok(done)
    }

    /// Begins with all of a collection as one file.
    pub async fn take_out(&self, collection: &str) -> Result<TakenOut> {
        let found = self.find(collection).await?;
        let name = if found.facts.display_name.is_empty() { &found.name } else { &found.facts.display_name };
        let head = match self.kind {
            CollectionKind::Calendar | CollectionKind::Inbox => Some(Bytes::from(Joined::head(name))),
            CollectionKind::AddressBook => None,
        };
        Ok(TakenOut {
            collections: self.clone(),
            collection: found.id,
            after: String::new(),
            joined: Joined::default(),
            waiting: head,
            is_over: false,
        })
    }
}

/// A collection on its way out.
pub struct TakenOut {
    collections: Collections,
    collection: CollectionId,
    after: String,
    joined: Joined,
    waiting: Option<Bytes>,
    is_over: bool,
}

impl TakenOut {
    /// The next piece of the file; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(head) = self.waiting.take() {
            return Ok(Some(head));
        }
        if self.is_over {
            return Ok(None);
        }
        let items = self.collections.items(self.collection, &self.after).await?;
        // As many as fit in memory, one at least; the others are asked for again.
        let Some(items) = portions_of(&items, |item| item.size).next() else {
            self.is_over = true;
            return Ok((self.collections.kind != CollectionKind::AddressBook).then(|| Joined::TAIL.into()));
        };
        if let Some(last) = items.last() {
            self.after.clone_from(&last.name);
        }
        let ids: Vec<ItemId> = items.iter().map(|item| item.id).collect();
        let mut contents = self.collections.contents(&ids).await?;
        contents.sort_by(|one, other| one.0.name.cmp(&other.0.name));
        let mut piece = Vec::new();
        for (_, data) in contents {
            match self.collections.kind {
                CollectionKind::Calendar | CollectionKind::Inbox => piece.extend(self.joined.add(&data)),
                CollectionKind::AddressBook => {
                    piece.extend_from_slice(&data);
                    if !data.ends_with(b"\n") {
                        piece.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
        // Nothing of it was readable, or it has gone: an empty piece would look like the end.
        Ok(Some(piece.into()))
    }
}

//! Many objects from elsewhere, a hundred to a commit.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use hub_storage::imports;
use hub_storage::items as rows;
use hub_storage::items::{ItemRow, NewItem};

use crate::collections::item::hex;
use crate::collections::settings::check_name;
use crate::collections::{BroughtIn, Collections, MOST_BYTES, Refusal, is_another};
use crate::{Error, IdSet, Result};

/// Objects of one commit, and bytes of them.
const MOST: usize = 100;
const MOST_IN_MEMORY: usize = 8 << 20;

/// An object that comes from elsewhere.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it is called if nothing here has its UID.
    pub name: String,
    /// For whoever is told that it is not taken.
    pub uid: String,
    pub data: Bytes,
    /// What its source knows it by (63 bits); another one for other bytes.
    pub number: Option<u64>,
}

/// Whether so many are a commit.
pub fn is_enough(batch: &[Incoming]) -> bool {
    batch.len() >= MOST || batch.iter().map(|one| one.data.len()).sum::<usize>() >= MOST_IN_MEMORY
}

/// An object that was read, with what the source knows it by.
type Read = (NewItem, String, Option<u64>);
/// One that can be stored, with what is in its place.
type Taken = (Option<ItemRow>, NewItem, Option<u64>);

impl Collections {
    /// The numbers of a source's objects that were kept before.
    pub async fn imported(&self, source: &str) -> Result<IdSet> {
        Ok(self.storage().imported(self.account(), source).await?.unwrap_or_default())
    }

    /// Stores objects in one commit, nobody being told: each in the place of what has its UID, whatever
    /// that is called. With a source, their numbers are noted, and what was noted before stays as it is.
    /// `OverQuota`, `Forbidden` for others than the owner.
    pub async fn keep_all(
        &self,
        collection: &str,
        source: Option<&str>,
        objects: Vec<Incoming>,
    ) -> Result<BroughtIn> {
        self.reach().is_owner()?;
        // If it is one of the usual ones, it is made now.
        self.find(collection).await?;
        let mut done = BroughtIn::default();
        let mut read: Vec<Read> = Vec::with_capacity(objects.len());
        for Incoming { name, uid, data, number } in objects {
            if data.len() > MOST_BYTES {
                done.refused.push((uid, Refusal::TooLarge(MOST_BYTES as u64)));
                continue;
            }
            // What cannot be a name here gets one.
            let name = match check_name(&name) {
                Ok(()) => name,
                Err(_) => hex(&self.storage().fingerprint(name.as_bytes())[..16]),
            };
            match self.read(&name, data).await? {
                Ok(new) => read.push((new, uid, number)),
                Err(refusal) => done.refused.push((uid, refusal)),
            }
        }
        while !read.is_empty() {
            let later = repeated(&mut read);
            self.keep_some(collection, source, std::mem::replace(&mut read, later), &mut done).await?;
        }
        Ok(done)
    }

    /// No two of these are of one name or UID.
    async fn keep_some(
        &self,
        collection: &str,
        source: Option<&str>,
        read: Vec<Read>,
        done: &mut BroughtIn,
    ) -> Result<()> {
        let (account, reach) = (self.account(), self.reach());
        let (collection, source) = (collection.to_owned(), source.map(str::to_owned));
        let keep = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let mut done = BroughtIn::default();
                let into = reach.to_change(tx, &collection).await?;
                let wanted: Vec<(&str, &str)> =
                    read.iter().map(|(new, ..)| (new.name.as_str(), new.uid.as_str())).collect();
                let there = There::of(rows::existing_all(tx, account, into.id, &wanted).await?);
                let mut taken = Vec::with_capacity(read.len());
                let mut places = HashSet::new();
                for (new, uid, number) in read {
                    match there.before(&new) {
                        _ if into.facts.components & new.kind as i64 == 0 => {
                            done.refused.push((uid, Refusal::Kind(new.kind)));
                        }
                        Some(before) if is_another(before, &new) => {
                            done.refused.push((uid, Refusal::UidChanged));
                        }
                        // A card without UID may have the name of what another one replaces by its UID.
                        Some(before) if !places.insert(before.id) => {
                            done.refused.push((uid, Refusal::UidTaken(before.name.clone())));
                        }
                        before => taken.push((before.cloned(), new, number)),
                    }
                }
                // What is refused is not noted: it is told each time.
                let known = match &source {
                    Some(source) => known(tx, account, source, &taken).await?,
                    None => HashSet::new(),
                };
                let mut put = Vec::with_capacity(taken.len());
                for (before, mut new, number) in taken {
                    let is_same = |row: &ItemRow| row.etag == new.etag && row.uid == new.uid;
                    if number.is_some_and(|number| known.contains(&number))
                        || before.as_ref().is_some_and(is_same)
                    {
                        done.unchanged += 1;
                        continue;
                    }
                    if let Some(before) = &before {
                        new.name.clone_from(&before.name);
                    }
                    done.stored += 1;
                    put.push((before, new));
                }
                if !put.is_empty() {
                    rows::put_all(tx, account, into.id, put).await?;
                }
                Ok(done)
            })
        });
        let kept = keep.await.map_err(Error::from)?;
        done.add(kept);
        Ok(())
    }
}

/// Which of these numbers were noted before; the others are, now.
async fn known(
    tx: &mut hub_storage::Tx,
    account: crate::AccountId,
    source: &str,
    taken: &[Taken],
) -> hub_storage::Result<HashSet<u64>> {
    let numbers: Vec<u64> = taken.iter().filter_map(|(.., number)| *number).collect();
    let fresh: HashSet<u64> = imports::note(tx, account, source, &numbers).await?.into_iter().collect();
    Ok(numbers.into_iter().filter(|number| !fresh.contains(number)).collect())
}

/// Takes out what has a name or a UID that one before it has.
fn repeated(read: &mut Vec<Read>) -> Vec<Read> {
    let (mut names, mut uids) = (HashSet::new(), HashSet::new());
    let all = std::mem::take(read);
    let (first, later) = all.into_iter().partition(|(new, ..)| {
        let is_new_name = names.insert(new.name.clone());
        uids.insert(new.uid.clone()) && is_new_name
    });
    *read = first;
    later
}

/// What the collection has already.
struct There {
    by_name: HashMap<String, ItemRow>,
    by_uid: HashMap<String, ItemRow>,
}

impl There {
    fn of(rows: Vec<ItemRow>) -> Self {
        Self {
            by_name: rows.iter().map(|row| (row.name.clone(), row.clone())).collect(),
            by_uid: rows.into_iter().map(|row| (row.uid.clone(), row)).collect(),
        }
    }

    fn before(&self, new: &NewItem) -> Option<&ItemRow> {
        self.by_uid.get(&new.uid).or_else(|| self.by_name.get(&new.name))
    }
}

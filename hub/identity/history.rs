//! All versions of a twin's record, and which one counts.

use crate::{Handle, PublicKey, Record, Refusal, TwinId};

/// What a key has signed may be overruled by one of a higher rank for so long, in seconds.
pub const OVERRULE_WITHIN: i64 = 72 * 3600;

/// Clocks may differ by so much, in seconds.
const SKEW: i64 = 300;
/// Versions of one record. A twin that renews its record yearly never gets there.
const MOST_VERSIONS: usize = 1000;

/// The versions of one twin's record, from the genesis on: each follows on the one before. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    records: Vec<Record>,
}

/// What another history added to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// So many newer versions.
    Extended(usize),
    /// The versions from this one on were overruled by others.
    Overruled(u64),
    Unchanged,
}

impl History {
    /// Verifies versions in their order, from the genesis on.
    pub fn new(records: impl IntoIterator<Item = Record>, now: i64) -> Result<Self, Refusal> {
        let mut records = records.into_iter();
        let genesis = records.next().ok_or(Refusal::Broken)?;
        if genesis.seq() != 1 {
            return Err(Refusal::Broken);
        }
        // The id proves the keys of a genesis; the signature, that its maker had one of them.
        verify_time(&genesis, now)?;
        genesis.rank(&genesis.draft().rotate).ok_or(Refusal::Unsigned)?;
        let mut history = Self { records: vec![genesis] };
        for record in records {
            history.append(record, now)?;
        }
        Ok(history)
    }

    /// Adds the next version.
    pub fn append(&mut self, record: Record, now: i64) -> Result<(), Refusal> {
        if self.records.len() >= MOST_VERSIONS {
            return Err(Refusal::Malformed("seq"));
        }
        rank(self.current(), &record, now)?;
        self.records.push(record);
        Ok(())
    }

    /// Adds one version that somebody who has the keys made: the next, or one that follows on an earlier
    /// version and overrules what came behind that. `seen`: when each version was seen first.
    pub fn accept(&mut self, record: Record, seen: &[i64], now: i64) -> Result<Merged, Refusal> {
        let known = usize::try_from(record.seq() - 1).unwrap_or(usize::MAX);
        let before = self.records.get(..known).ok_or(Refusal::Broken)?;
        let theirs = before.iter().cloned().chain([record]).collect();
        self.merge(&Self { records: theirs }, seen, now)
    }

    /// Brings this history, which was believed so far, up to another one of the same twin. `seen`: when each
    /// version of this one was seen first, by the own clock: what a record says of its time is the word of
    /// who signed it, who may want the time for an overrule to be over.
    pub fn merge(&mut self, theirs: &Self, seen: &[i64], now: i64) -> Result<Merged, Refusal> {
        if theirs.id() != self.id() {
            return Err(Refusal::AnotherTwin);
        }
        let is_same = |(ours, theirs): &(&Record, &Record)| ours.hash() == theirs.hash();
        let common = self.records.iter().zip(&theirs.records).take_while(is_same).count();
        let (ours, new) = (self.records.get(common), theirs.records.get(common));
        let mut next = Self { records: self.records[..common].to_vec() };
        match (ours, new) {
            (None, None) => return Ok(Merged::Unchanged),
            (Some(_), None) => return Err(Refusal::RolledBack(self.current().seq())),
            (None, Some(_)) => {}
            (Some(ours), Some(new)) => {
                let forked = Refusal::Forked(new.seq());
                // Two geneses have two ids.
                let base = next.records.last().ok_or(Refusal::AnotherTwin)?;
                let is_in_time = seen.get(common).is_some_and(|seen| now - seen <= OVERRULE_WITHIN);
                let is_higher = rank(base, new, now)? < rank(base, ours, now)?;
                if !(is_in_time && is_higher) {
                    return Err(forked);
                }
            }
        }
        for record in &theirs.records[common..] {
            next.append(record.clone(), now)?;
        }
        let merged = match ours {
            None => Merged::Extended(next.records.len() - common),
            Some(ours) => Merged::Overruled(ours.seq()),
        };
        *self = next;
        Ok(merged)
    }

    pub fn id(&self) -> TwinId {
        self.current().id()
    }

    /// The version that counts.
    pub fn current(&self) -> &Record {
        self.records.last().expect("a history has a genesis")
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The version with this number.
    pub fn version(&self, seq: u64) -> Option<&Record> {
        self.records.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    pub fn handle(&self) -> &Handle {
        &self.current().draft().handle
    }

    /// Keys that sign what the twin sends now.
    pub fn signing_keys(&self) -> &[PublicKey] {
        &self.current().draft().sign
    }
}

/// The rank, from 0, of the key that signed `record` as the version behind `before`.
fn rank(before: &Record, record: &Record, now: i64) -> Result<usize, Refusal> {
    if record.id() != before.id() {
        return Err(Refusal::AnotherTwin);
    }
    let follows = record.seq() == before.seq() + 1 && record.prev() == Some(before.hash());
    if !follows || record.draft().time < before.draft().time {
        return Err(Refusal::Broken);
    }
    verify_time(record, now)?;
    record.rank(&before.draft().rotate).ok_or(Refusal::Unsigned)
}

fn verify_time(record: &Record, now: i64) -> Result<(), Refusal> {
    if record.draft().time > now.saturating_add(SKEW) { Err(Refusal::FromTheFuture) } else { Ok(()) }
}

//! What this client believes the mailbox contains, and what must be said when the truth moves on:
//! EXPUNGE, EXISTS, FETCH.
//!
//! A message may be gone in truth while the client may not be told yet (RFC 9051 §7.5.1). Until
//! then it keeps its sequence number here as a *ghost*: everything else is reported at once.

use std::sync::Arc;

use hub::{Flags, IdSet, Modseq, Record, Snapshot, Uid, difference};

use crate::encode::{self, Buffer};
use crate::grammar::command::SequenceSet;
use crate::sets::without;

#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The truth when it was last looked at. All of it has been told.
    base: Arc<Snapshot>,
    /// Messages that the client still counts but `base` does not have, ascending.
    ghosts: Vec<Ghost>,
    /// UIDs of messages whose new flags the client will hear of later.
    untold: IdSet,
}

#[derive(Clone, Copy, Debug)]
struct Ghost {
    /// Number of messages of `base` before it. The n-th ghost's index in the view is `before + n`.
    before: u32,
    record: Record,
}

/// Whether messages may be reported as gone right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expunges {
    Keep,
    /// They are the answer to the command: due even if the client wants to hear of nothing else.
    Owe,
    Tell,
}

/// What a client must be told. Indexes count from 0 in the view after the removals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Sequence numbers as EXPUNGE sends them one after the other, with the UIDs.
    pub(crate) expunged: Vec<(u32, Uid)>,
    /// The new number of messages, if some were added.
    pub(crate) exists: Option<u32>,
    /// How many those are; they are the last ones.
    pub(crate) added: u32,
    /// Indexes of messages whose flags changed, ascending.
    pub(crate) changed: Vec<u32>,
}

/// A sequence number beyond the number of messages was used (RFC 9051 §9, `seq-number`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSuchMessage;

impl View {
    /// The view of a client that has just selected the mailbox.
    pub(crate) fn new(base: Arc<Snapshot>) -> Self {
        Self { base, ghosts: Vec::new(), untold: IdSet::new() }
    }

    /// The truth as last looked at: the mailbox without messages that are gone.
    pub(crate) fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// Number of messages that the client counts.
    pub(crate) fn len(&self) -> u32 {
        self.base.len() + self.ghosts.len() as u32
    }

    /// The message at `index`; its sequence number is `index + 1`.
    pub(crate) fn get(&self, index: u32) -> Option<&Record> {
        let rank = self.ghosts_before(index);
        match self.ghosts.get(rank) {
            Some(ghost) if ghost.before + rank as u32 == index => Some(&ghost.record),
            _ => self.base.get(index - rank as u32),
        }
    }

    /// True if the message is gone in truth.
    pub(crate) fn is_ghost(&self, index: u32) -> bool {
        let rank = self.ghosts_before(index);
        self.ghosts.get(rank).is_some_and(|ghost| ghost.before + rank as u32 == index)
    }

    /// Copies the records of `first..=last` (cut to the view's length) to the end of `records`.
    pub(crate) fn copy_records(&self, first: u32, last: u32, records: &mut Vec<Record>) {
        if self.ghosts.is_empty() {
            let count = (u64::from(last) + 1).saturating_sub(u64::from(first)) as usize;
            records.extend(self.base.iter_from(first).take(count));
        } else {
            records.extend((first..=last).map_while(|index| self.get(index)));
        }
    }

    /// The records of `first..=last` (cut to the view's length) with their indexes; with `since`, those
    /// whose modseq is above it.
    pub(crate) fn numbered(
        &self,
        first: u32,
        last: u32,
        since: Option<Modseq>,
        records: &mut Vec<(u32, Record)>,
    ) {
        let wanted = |(index, record): (u32, &Record)| {
            since.is_none_or(|since| record.modseq > since).then_some((index, *record))
        };
        if self.ghosts.is_empty() {
            records.extend((first..=last).zip(self.base.iter_from(first)).filter_map(wanted));
        } else {
            let found = (first..=last).map_while(|index| Some((index, self.get(index)?)));
            records.extend(found.filter_map(wanted));
        }
    }

    /// Index of the first message whose UID is at least `uid`.
    pub(crate) fn lower_bound(&self, uid: Uid) -> u32 {
        self.base.lower_bound(uid) + self.ghosts.partition_point(|ghost| ghost.record.uid < uid) as u32
    }

    /// Index in the view of the message at `index` of the base.
    pub(crate) fn index_of_base(&self, index: u32) -> u32 {
        index + self.ghosts.partition_point(|ghost| ghost.before <= index) as u32
    }

    pub(crate) fn last_uid(&self) -> Option<Uid> {
        let ghost = self.ghosts.last().map(|ghost| ghost.record.uid);
        self.base.last().map(|record| record.uid).max(ghost)
    }

    /// Number of ghosts whose index is below `index`.
    fn ghosts_before(&self, index: u32) -> usize {
        let (mut low, mut high) = (0, self.ghosts.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.ghosts[middle].before + (middle as u32) < index {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The messages of `set` as ranges of indexes, ascending and disjoint. UIDs that do not exist are
    /// passed over (RFC 9051 §6.4.9); sequence numbers must exist, but `1:*` of an empty mailbox and
    /// `n:*` beyond the last message are let through, as clients send them. `*` is the last message,
    /// so that `n:*` always has at least that one.
    pub(crate) fn resolve(
        &self,
        set: &SequenceSet,
        uid: bool,
        saved: &IdSet,
    ) -> Result<Vec<(u32, u32)>, NoSuchMessage> {
        let ranges = match set {
            SequenceSet::Saved => return Ok(self.resolve_uids(saved)),
            SequenceSet::Ranges(ranges) => ranges,
        };
        let last = if uid { self.last_uid() } else { Some(self.len()).filter(|&len| len > 0) };
        let mut indexes = Vec::with_capacity(ranges.len());
        for &(first, second) in ranges {
            let stars = first == SequenceSet::LAST || second == SequenceSet::LAST;
            let Some(last) = last else {
                if uid || stars {
                    continue;
                }
                return Err(NoSuchMessage);
            };
            let value = |number| if number == SequenceSet::LAST { last } else { number };
            let (low, high) = (value(first).min(value(second)), value(first).max(value(second)));
            let (low, high) = if uid {
                (self.lower_bound(low), self.lower_bound(high.saturating_add(1)))
            } else if high > last && !stars {
                return Err(NoSuchMessage);
            } else {
                (low.min(last) - 1, high.min(last))
            };
            if low < high {
                indexes.push((low, high - 1));
            }
        }
        Ok(merged(indexes))
    }

    /// The messages with these UIDs as ranges of indexes.
    pub(crate) fn resolve_uids(&self, uids: &IdSet) -> Vec<(u32, u32)> {
        let bound = |uid: u64| u32::try_from(uid).map_or(self.len(), |uid| self.lower_bound(uid));
        let ranges = uids.ranges().iter().map(|&(first, last)| (bound(first), bound(last.saturating_add(1))));
        merged(ranges.filter(|(low, high)| low < high).map(|(low, high)| (low, high - 1)).collect())
    }

    /// The UIDs of the messages at these indexes. Between the first and the last message of a range
    /// there is no other that the client does not know: new ones have larger UIDs.
    pub(crate) fn uids(&self, indexes: &[(u32, u32)]) -> IdSet {
        let mut uids = IdSet::new();
        for &(first, last) in indexes {
            if let (Some(first), Some(last)) = (self.get(first), self.get(last)) {
                uids.insert_range(first.uid.into(), last.uid.into());
            }
        }
        uids
    }

    /// Moves on to `truth` and returns what the client must be told.
    pub(crate) fn catch_up(&mut self, truth: Arc<Snapshot>, expunges: Expunges) -> News {
        let mut news = News::default();
        if !Arc::ptr_eq(&self.base, &truth) {
            let difference = difference(&self.base, &truth);
            if !difference.removed.is_empty() {
                self.add_ghosts(&difference.removed);
            }
            self.base = truth;
            news.changed = difference.changed;
            news.added = difference.added;
            news.exists = (difference.added > 0).then_some(0);
        }
        if expunges != Expunges::Keep {
            let ghosts = std::mem::take(&mut self.ghosts);
            // The n-th ghost's index is `before + n`; n of them have left by then.
            news.expunged = ghosts.iter().map(|ghost| (ghost.before + 1, ghost.record.uid)).collect();
        }
        if news.exists.is_some() {
            news.exists = Some(self.len());
        }
        for index in &mut news.changed {
            *index = self.index_of_base(*index);
        }
        if !self.untold.is_empty() {
            for uid in std::mem::take(&mut self.untold).iter() {
                let index = self.lower_bound(u32::try_from(uid).unwrap_or(Uid::MAX));
                if self.get(index).is_some_and(|record| u64::from(record.uid) == uid) {
                    news.changed.push(index);
                }
            }
            news.changed.sort_unstable();
            news.changed.dedup();
        }
        news
    }

    /// UIDs of messages whose new flags the client has not heard of, though [`View::base`] has them.
    pub(crate) fn untold(&self) -> &IdSet {
        &self.untold
    }

    /// The client has just been told the flags of the messages at these indexes.
    pub(crate) fn flags_were_told(&mut self, indexes: &[(u32, u32)]) {
        if !self.untold.is_empty() {
            self.untold = without(&self.untold, &self.uids(indexes));
        }
    }

    /// Keeps the flag changes in `news` for the next time.
    pub(crate) fn postpone_flags(&mut self, news: &mut News) {
        for index in news.changed.drain(..) {
            if let Some(record) = self.get(index) {
                let uid = record.uid;
                self.untold.insert(uid.into());
            }
        }
    }

    /// Messages at these indexes of the base are going to leave it.
    fn add_ghosts(&mut self, removed: &[(u32, Uid)]) {
        let mut ghosts: Vec<(u32, Record)> = self
            .ghosts
            .iter()
            .enumerate()
            .map(|(n, ghost)| (ghost.before + n as u32, ghost.record))
            .chain(
                removed
                    .iter()
                    .filter_map(|&(index, _)| Some((self.index_of_base(index), *self.base.get(index)?))),
            )
            .collect();
        ghosts.sort_unstable_by_key(|&(index, _)| index);
        self.ghosts = ghosts
            .into_iter()
            .enumerate()
            .map(|(n, (index, record))| Ghost { before: index - n as u32, record })
            .collect();
    }
}

fn merged(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(tail) if first <= tail.1.saturating_add(1) => tail.1 = tail.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// How FETCH responses that nobody asked for look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    pub(crate) keywords: &'a [String],
    /// With MODSEQ: the client has enabled CONDSTORE (RFC 7162 §3.2).
    pub(crate) modseq: bool,
    /// VANISHED instead of EXPUNGE: the client has enabled QRESYNC (RFC 7162 §3.2.10).
    pub(crate) vanished: bool,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.exists.is_none() && self.changed.is_empty()
    }

    /// All flags of the messages reported, to see whether their keywords have been announced.
    pub(crate) fn flags(&self, view: &View) -> Flags {
        let flags = self.changed.iter().filter_map(|&index| view.get(index)).map(|record| record.flags);
        flags.fold(Flags::NONE, |all, flags| all | flags)
    }

    /// Writes responses until they are all written (then true) or the buffer is full. Removals come
    /// first, because what follows counts without them.
    pub(crate) fn write(&mut self, out: &mut Buffer, view: &View, style: Style<'_>) -> bool {
        if style.vanished && !self.expunged.is_empty() {
            let expunged = std::mem::take(&mut self.expunged);
            out.extend_from_slice(b"* VANISHED ");
            encode::set(out, &expunged.iter().map(|&(_, uid)| u64::from(uid)).collect());
            out.extend_from_slice(b"\r\n");
        }
        let mut lines = 0;
        for (number, _) in self.expunged.iter().take(LINES) {
            line(out, *number, "EXPUNGE");
            lines += 1;
        }
        self.expunged.drain(..lines);
        if !self.expunged.is_empty() {
            return false;
        }
        if let Some(exists) = self.exists.take() {
            line(out, exists, "EXISTS");
        }
        let lines = self.changed.len().min(LINES);
        for index in self.changed.drain(..lines) {
            if let Some(record) = view.get(index) {
                // With UID: a client in the middle of UID commands identifies messages by nothing
                // else (nextcloud/mail#13507).
                write_flags(out, index, record, true, style);
            }
        }
        self.changed.is_empty()
    }
}

/// Responses written at a time before the socket gets a chance: some tens of kilobytes.
const LINES: usize = 1000;

fn line(out: &mut Buffer, number: u32, word: &str) {
    out.extend_from_slice(b"* ");
    encode::number(out, number);
    out.push(b' ');
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `* n FETCH ([UID u] FLAGS (…) [MODSEQ (m)])`
pub(crate) fn write_flags(out: &mut Buffer, index: u32, record: &Record, uid: bool, style: Style<'_>) {
    out.extend_from_slice(b"* ");
    encode::number(out, index + 1);
    out.extend_from_slice(b" FETCH (");
    if uid {
        out.extend_from_slice(b"UID ");
        encode::number(out, record.uid);
        out.push(b' ');
    }
    out.extend_from_slice(b"FLAGS ");
    encode::flags(out, record.flags, style.keywords);
    if style.modseq {
        out.extend_from_slice(b" MODSEQ (");
        encode::number(out, record.modseq);
        out.push(b')');
    }
    out.extend_from_slice(b")\r\n");
}

#[cfg(test)]
mod tests;

//! What a mailbox contains at one modseq: a dense, sorted, immutable array in shared chunks.
//!
//! Every session of a mailbox holds a [`Snapshot`] of what its client has been told. The writer
//! makes a new one per commit; chunks that did not change are shared, so an idle session costs a
//! pointer and the difference between two snapshots is found without looking at equal chunks.

use std::sync::Arc;

use hub_storage::{Edit, FlagEdit, Flags, IdSet, Modseq, Record, Uid, UidValidity};

/// Records per chunk: 512 × 40 bytes are copied when one of them changes, and 100,000 messages
/// are 196 chunk pointers.
const CHUNK: usize = 512;

#[derive(Clone, Debug)]
struct Chunk {
    records: Vec<Record>,
}

/// An immutable view of a mailbox. Cheap to clone (it lives in an `Arc`).
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub uid_validity: UidValidity,
    /// The UID that the next message will have at least.
    pub uid_next: Uid,
    /// Highest modseq of the mailbox (RFC 7162 §3.1.2.1).
    pub modseq: Modseq,
    /// True once the mailbox has been deleted: nothing in it can be changed any more.
    pub deleted: bool,
    chunks: Vec<Arc<Chunk>>,
    /// Position of each chunk's first record.
    starts: Vec<u32>,
    length: u32,
}

impl Snapshot {
    /// A snapshot of `records`, which must ascend by UID.
    pub fn new(uid_validity: UidValidity, uid_next: Uid, modseq: Modseq, records: Vec<Record>) -> Self {
        let chunks =
            records.chunks(CHUNK).map(|records| Arc::new(Chunk { records: records.to_vec() })).collect();
        let mut snapshot =
            Self { uid_validity, uid_next, modseq, deleted: false, chunks, starts: Vec::new(), length: 0 };
        snapshot.count();
        snapshot
    }

    fn count(&mut self) {
        self.chunks.retain(|chunk| !chunk.records.is_empty());
        self.starts.clear();
        let mut length = 0;
        for chunk in &self.chunks {
            self.starts.push(length);
            length += chunk.records.len() as u32;
        }
        self.length = length;
    }

    /// Number of messages (IMAP EXISTS).
    pub fn len(&self) -> u32 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The record at `index`; a message's sequence number is its index + 1.
    pub fn get(&self, index: u32) -> Option<&Record> {
        if index >= self.length {
            return None;
        }
        let chunk = self.starts.partition_point(|&start| start <= index) - 1;
        self.chunks[chunk].records.get((index - self.starts[chunk]) as usize)
    }

    pub fn last(&self) -> Option<&Record> {
        self.chunks.last().and_then(|chunk| chunk.records.last())
    }

    /// Index of the first record whose UID is at least `uid`; `len()` if there is none.
    pub fn lower_bound(&self, uid: Uid) -> u32 {
        let chunk = self.chunks.partition_point(|chunk| chunk.records.last().is_some_and(|r| r.uid < uid));
        match self.chunks.get(chunk) {
            None => self.length,
            Some(found) => self.starts[chunk] + found.records.partition_point(|r| r.uid < uid) as u32,
        }
    }

    /// Index of the message with this UID.
    pub fn find(&self, uid: Uid) -> Option<u32> {
        let index = self.lower_bound(uid);
        self.get(index).filter(|r| r.uid == uid).map(|_| index)
    }

    /// All records from `index` on, in order.
    pub fn iter_from(&self, index: u32) -> impl Iterator<Item = &Record> {
        let chunk = self.starts.partition_point(|&start| start <= index).saturating_sub(1);
        let skip = index.saturating_sub(self.starts.get(chunk).copied().unwrap_or(0)) as usize;
        self.chunks.get(chunk..).unwrap_or_default().iter().flat_map(|chunk| &chunk.records).skip(skip)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.chunks.iter().flat_map(|chunk| &chunk.records)
    }

    /// Index of the first message without `\Seen` (SELECT's UNSEEN code).
    pub fn first_unseen(&self) -> Option<u32> {
        self.iter().position(|r| !r.flags.contains(Flags::SEEN)).map(|index| index as u32)
    }

    /// The snapshot after a commit at `modseq` that made `edits`.
    pub fn apply(&self, modseq: Modseq, edits: &[Edit]) -> Self {
        let mut next = self.clone();
        next.modseq = modseq;
        for edit in edits {
            match edit {
                Edit::Added(records) => next.add(records),
                Edit::Flags { uids, set, clear, unchanged_since } => {
                    next.change_flags(modseq, uids.ranges(), *set, *clear, *unchanged_since);
                }
                Edit::Removed(uids) => next.remove(uids.ranges()),
            }
        }
        next.count();
        next
    }

    fn add(&mut self, records: &[Record]) {
        for record in records {
            self.uid_next = self.uid_next.max(record.uid.saturating_add(1));
            match self.chunks.last_mut().filter(|chunk| chunk.records.len() < CHUNK) {
                Some(chunk) => Arc::make_mut(chunk).records.push(*record),
                None => self.chunks.push(Arc::new(Chunk { records: vec![*record] })),
            }
        }
    }

    /// What [`Snapshot::apply`] of these flags would do: the messages that are newer than they may be,
    /// whether any other changes, and how many more would be without `\Seen`.
    pub(crate) fn foresee(&self, edit: &FlagEdit) -> (IdSet, bool, i64) {
        let (mut failed, mut changes, mut unseen) = (IdSet::new(), false, 0);
        for &(first, last) in edit.uids.ranges() {
            let start = self.lower_bound(u32::try_from(first).unwrap_or(Uid::MAX));
            for record in self.iter_from(start).take_while(|record| u64::from(record.uid) <= last) {
                if edit.unchanged_since.is_some_and(|since| record.modseq > since) {
                    failed.insert(record.uid.into());
                    continue;
                }
                let next = (record.flags & !edit.clear) | edit.set;
                changes |= next != record.flags;
                let is_unseen = |flags: Flags| i64::from(!flags.contains(Flags::SEEN));
                unseen += is_unseen(next) - is_unseen(record.flags);
            }
        }
        (failed, changes, unseen)
    }

    fn change_flags(
        &mut self,
        modseq: Modseq,
        ranges: &[(u64, u64)],
        set: Flags,
        clear: Flags,
        unchanged_since: Option<Modseq>,
    ) {
        // The same rule as the statement in storage/mail/flags: rows that would not change keep
        // their modseq.
        let applies = |r: &Record| {
            (r.flags.0 & clear.0 != 0 || r.flags.0 & set.0 != set.0)
                && unchanged_since.is_none_or(|since| r.modseq <= since)
        };
        for_chunks(&mut self.chunks, ranges, |chunk, span| {
            if chunk.records[span.clone()].iter().any(applies) {
                for record in &mut Arc::make_mut(chunk).records[span] {
                    if applies(record) {
                        record.flags = (record.flags & !clear) | set;
                        record.modseq = modseq;
                    }
                }
            }
        });
    }

    fn remove(&mut self, ranges: &[(u64, u64)]) {
        for_chunks(&mut self.chunks, ranges, |chunk, span| {
            if !span.is_empty() {
                Arc::make_mut(chunk).records.drain(span);
            }
        });
        self.chunks.retain(|chunk| !chunk.records.is_empty());
    }

    /// Bytes that this snapshot holds (shared chunks counted in full).
    pub fn weight(&self) -> u64 {
        200 + u64::from(self.length) * size_of::<Record>() as u64
    }
}

/// Calls `f` with each chunk and the span of its records that lies in one of `ranges`.
fn for_chunks(
    chunks: &mut [Arc<Chunk>],
    ranges: &[(u64, u64)],
    mut f: impl FnMut(&mut Arc<Chunk>, std::ops::Range<usize>),
) {
    let mut from = 0;
    for &(first, last) in ranges {
        from += chunks[from..]
            .partition_point(|chunk| chunk.records.last().is_none_or(|r| u64::from(r.uid) < first));
        for chunk in &mut chunks[from..] {
            if chunk.records.first().is_some_and(|r| u64::from(r.uid) > last) {
                break;
            }
            let start = chunk.records.partition_point(|r| u64::from(r.uid) < first);
            let end = chunk.records.partition_point(|r| u64::from(r.uid) <= last);
            f(chunk, start..end);
        }
    }
}

/// What must be said to a client that knows `old` so that it knows `new`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Messages gone: index in `old` and UID, ascending. (IMAP sends them in descending order, or
    /// subtracts the number already sent.)
    pub removed: Vec<(u32, Uid)>,
    /// Index in `new` of messages whose flags changed, ascending.
    pub changed: Vec<u32>,
    /// Number of messages at the end of `new` that `old` does not have.
    pub added: u32,
}

/// Compares two snapshots of one mailbox by merging on UID; equal chunks are skipped by pointer.
pub fn difference(old: &Snapshot, new: &Snapshot) -> Difference {
    let mut result = Difference::default();
    let (mut was, mut is) = (Cursor::new(old), Cursor::new(new));
    loop {
        if let (Some(a), Some(b)) = (was.whole_chunk(), is.whole_chunk())
            && Arc::ptr_eq(a, b)
        {
            was.skip_chunk();
            is.skip_chunk();
            continue;
        }
        match (was.record(), is.record()) {
            (Some(a), Some(b)) if a.uid == b.uid => {
                if a.flags != b.flags {
                    result.changed.push(is.index);
                }
                was.advance();
                is.advance();
            }
            (Some(a), b) if b.is_none_or(|b| a.uid < b.uid) => {
                result.removed.push((was.index, a.uid));
                was.advance();
            }
            (_, Some(_)) => {
                result.added += 1;
                is.advance();
            }
            (_, None) => return result,
        }
    }
}

struct Cursor<'a> {
    chunks: &'a [Arc<Chunk>],
    offset: usize,
    index: u32,
}

impl<'a> Cursor<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self { chunks: &snapshot.chunks, offset: 0, index: 0 }
    }

    fn record(&self) -> Option<&'a Record> {
        self.chunks.first().and_then(|chunk| chunk.records.get(self.offset))
    }

    /// The current chunk, if nothing of it has been looked at.
    fn whole_chunk(&self) -> Option<&'a Arc<Chunk>> {
        self.chunks.first().filter(|_| self.offset == 0)
    }

    fn skip_chunk(&mut self) {
        self.index += self.chunks[0].records.len() as u32;
        self.chunks = &self.chunks[1..];
    }

    fn advance(&mut self) {
        self.index += 1;
        self.offset += 1;
        if self.offset == self.chunks[0].records.len() {
            self.chunks = &self.chunks[1..];
            self.offset = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_storage::EmailId;
    use proptest::prelude::*;

    fn record(uid: Uid) -> Record {
        Record { uid, size: 1, flags: Flags::NONE, modseq: 1, email: EmailId(i64::from(uid)), received_at: 0 }
    }

    fn filled(n: Uid) -> Snapshot {
        Snapshot::new(1, n + 1, 1, (1..=n).map(record).collect())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u32),
        Flag(u64, u64, u64),
        Unflag(u64, u64, u64),
        Remove(u64, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u32..700).prop_map(Step::Add),
            (1u64..3000, 0u64..900, 1u64..8).prop_map(|(a, n, f)| Step::Flag(a, a + n, f)),
            (1u64..3000, 0u64..900, 1u64..8).prop_map(|(a, n, f)| Step::Unflag(a, a + n, f)),
            (1u64..3000, 0u64..900).prop_map(|(a, n)| Step::Remove(a, a + n)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Against a plain vector: same records after every step, and replaying the difference on
        /// what a client knew gives what is true.
        #[test]
        fn snapshots_behave_like_a_vector(start in 0u32..1500, steps in proptest::collection::vec(step(), 1..12)) {
            let first = filled(start);
            let mut snapshot = first.clone();
            let mut model: Vec<Record> = (1..=start).map(record).collect();
            let mut next = start + 1;
            for (n, step) in steps.into_iter().enumerate() {
                let modseq = n as u64 + 2;
                let edit = match step {
                    Step::Add(count) => {
                        let added: Vec<_> = (next..next + count).map(|uid| Record { modseq, ..record(uid) }).collect();
                        next += count;
                        model.extend(&added);
                        Edit::Added(added)
                    }
                    Step::Flag(a, b, f) => {
                        for r in model.iter_mut().filter(|r| (a..=b).contains(&u64::from(r.uid)) && r.flags.0 & f != f) {
                            r.flags.0 |= f;
                            r.modseq = modseq;
                        }
                        Edit::Flags { uids: IdSet::range(a, b), set: Flags(f), clear: Flags::NONE, unchanged_since: None }
                    }
                    Step::Unflag(a, b, f) => {
                        for r in model.iter_mut().filter(|r| (a..=b).contains(&u64::from(r.uid)) && r.flags.0 & f != 0) {
                            r.flags.0 &= !f;
                            r.modseq = modseq;
                        }
                        Edit::Flags { uids: IdSet::range(a, b), set: Flags::NONE, clear: Flags(f), unchanged_since: None }
                    }
                    Step::Remove(a, b) => {
                        model.retain(|r| !(a..=b).contains(&u64::from(r.uid)));
                        Edit::Removed(IdSet::range(a, b))
                    }
                };
                snapshot = snapshot.apply(modseq, &[edit]);
                prop_assert!(snapshot.iter().eq(model.iter()));
                prop_assert_eq!(snapshot.len() as usize, model.len());
                prop_assert_eq!(snapshot.uid_next, next);
            }
            for (index, record) in model.iter().enumerate() {
                prop_assert_eq!(snapshot.get(index as u32), Some(record));
                prop_assert_eq!(snapshot.find(record.uid), Some(index as u32));
            }
            prop_assert_eq!(snapshot.get(model.len() as u32), None);
            let middle = model.len() as u32 / 2;
            prop_assert!(snapshot.iter_from(middle).eq(model[middle as usize..].iter()));

            let told = difference(&first, &snapshot);
            let mut client: Vec<Record> = first.iter().copied().collect();
            for (index, uid) in told.removed.iter().rev() {
                prop_assert_eq!(client.remove(*index as usize).uid, *uid);
            }
            client.extend(snapshot.iter_from(snapshot.len() - told.added));
            for index in told.changed {
                client[index as usize].flags = snapshot.get(index).expect("in range").flags;
            }
            prop_assert!(client.iter().map(|r| (r.uid, r.flags)).eq(model.iter().map(|r| (r.uid, r.flags))));
        }
    }

    #[test]
    fn unchanged_chunks_are_shared() {
        let old = filled(100_000);
        let new = old.apply(
            2,
            &[Edit::Flags {
                uids: IdSet::range(5, 5),
                set: Flags::SEEN,
                clear: Flags::NONE,
                unchanged_since: None,
            }],
        );
        let shared = old.chunks.iter().zip(&new.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, old.chunks.len() - 1);
        assert_eq!(difference(&old, &new), Difference { removed: vec![], changed: vec![4], added: 0 });
    }
}

//! THREAD of RFC 5256 §3: ORDEREDSUBJECT and REFERENCES, from facts in memory. Nothing recurses,
//! and hostile References cannot make more than linear work.

use std::collections::HashMap;

use hub_mime::collation_key;

use crate::facts::{Key, Table};
use crate::sort::sent_at;
use crate::{Messages, OpenMailbox, Record, Result, Snapshot};

mod references;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
}

/// A forest of messages. Nodes are numbers; [`Threads::ROOT`] is above all threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// The message of each node, as index of the snapshot; `None` for a parent that is not there.
    messages: Vec<Option<u32>>,
    /// Children of node n are `children[starts[n]..starts[n + 1]]`.
    children: Vec<u32>,
    starts: Vec<u32>,
}

impl Threads {
    pub const ROOT: u32 = 0;

    /// The children of a node, in order.
    pub fn children(&self, node: u32) -> &[u32] {
        let node = node as usize;
        match (self.starts.get(node), self.starts.get(node + 1)) {
            (Some(&start), Some(&end)) => &self.children[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Index of the node's message.
    pub fn message(&self, node: u32) -> Option<u32> {
        self.messages.get(node as usize).copied().flatten()
    }

    fn new() -> Self {
        Self { messages: Vec::new(), children: Vec::new(), starts: vec![0] }
    }

    /// Adds the next node; the first one is the root.
    fn push(&mut self, message: Option<u32>, children: impl IntoIterator<Item = u32>) {
        self.messages.push(message);
        self.children.extend(children);
        self.starts.push(self.children.len() as u32);
    }
}

/// What threading knows of a message.
#[derive(Clone, Debug, Default)]
struct Letter {
    /// Index in the snapshot.
    index: u32,
    sent_at: i64,
    /// Messages with equal numbers have the same base subject; `None` if it is empty.
    subject: Option<u32>,
    is_reply: bool,
    message_id: Option<u64>,
    /// Its references in the list of all.
    references: std::ops::Range<usize>,
}

impl Messages<'_> {
    /// The threads of the messages at these indexes of `snapshot`, which ascend.
    pub async fn threads(
        &self,
        mailbox: &OpenMailbox,
        snapshot: &Snapshot,
        found: &[u32],
        algorithm: ThreadAlgorithm,
    ) -> Result<Threads> {
        let records: Vec<(u32, Record)> =
            found.iter().filter_map(|&index| Some((index, *snapshot.get(index)?))).collect();
        let wanted: Vec<Record> = records.iter().map(|(_, record)| *record).collect();
        let facts = self.facts(mailbox.id(), snapshot, &wanted).await?;
        crate::apart(move || {
            let (letters, ids) = letters(&records, &facts);
            match algorithm {
                ThreadAlgorithm::OrderedSubject => by_subject(&letters),
                ThreadAlgorithm::References => references::threads(&letters, &ids),
            }
        })
        .await
    }
}

/// ORDEREDSUBJECT: the messages of one base subject are a thread, all of them replies to the one sent
/// first. Threads stand in the order of their first messages.
fn by_subject(letters: &[Letter]) -> Threads {
    let mut threads: Vec<Vec<u32>> = Vec::new();
    let mut thread_of: HashMap<Option<u32>, usize> = HashMap::new();
    for at in by_date(letters) {
        let thread = *thread_of.entry(letters[at as usize].subject).or_insert(threads.len());
        match threads.get_mut(thread) {
            Some(thread) => thread.push(at),
            None => threads.push(vec![at]),
        }
    }
    let mut replies: Vec<&[u32]> = vec![&[]; letters.len()];
    let mut first = Vec::with_capacity(threads.len());
    for thread in &threads {
        if let Some((&head, rest)) = thread.split_first() {
            replies[head as usize] = rest;
            first.push(head);
        }
    }
    // Letter n is node n + 1, behind the root.
    let nodes = |letters: &[u32]| letters.iter().map(|at| at + 1).collect::<Vec<_>>();
    let mut forest = Threads::new();
    forest.push(None, nodes(&first));
    for (letter, replies) in letters.iter().zip(replies) {
        forest.push(Some(letter.index), nodes(replies));
    }
    forest
}

/// Letters in the order in which they were sent, then of the mailbox (RFC 5256 §2.2).
fn by_date(letters: &[Letter]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..letters.len() as u32).collect();
    order.sort_unstable_by_key(|&at| (letters[at as usize].sent_at, at));
    order
}

/// The letters and, in one list, the references of all.
fn letters(records: &[(u32, Record)], facts: &Table) -> (Vec<Letter>, Vec<u64>) {
    let mut cursor = facts.cursor();
    let mut subjects: HashMap<String, u32> = HashMap::new();
    let mut ids = Vec::new();
    let mut letters = Vec::with_capacity(records.len());
    for (index, record) in records {
        let fact = cursor.find(record.email);
        let mut letter = Letter { index: *index, sent_at: sent_at(fact, record), ..Letter::default() };
        if let Some(fact) = fact {
            let start = ids.len();
            ids.extend_from_slice(fact.references());
            letter.references = start..ids.len();
            letter.message_id = fact.message_id();
            letter.is_reply = fact.is_reply();
            let subject = collation_key(fact.key(Key::BaseSubject));
            if !subject.is_empty() {
                let next = subjects.len() as u32;
                letter.subject = Some(*subjects.entry(subject).or_insert(next));
            }
        }
        letters.push(letter);
    }
    (letters, ids)
}

#[cfg(test)]
mod tests;

//! SORT of RFC 5256 §3 with the keys of RFC 5957, from facts in memory.

use std::cmp::Ordering;

use hub_mime::collation_key;

use crate::facts::{Fact, Key, Table};
use crate::{Messages, OpenMailbox, Record, Result, Snapshot};

/// What messages are sorted by. Texts by their collation keys, the empty text first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortCriterion {
    pub key: SortKey,
    /// Descending.
    pub reverse: bool,
}

/// Values of the messages for one criterion, in the order of the messages.
enum Column {
    Numbers(Vec<i64>),
    Texts(Texts),
}

/// Collation keys in one string, with their first octets beside for the quick comparison.
#[derive(Default)]
struct Texts {
    all: String,
    starts: Vec<u32>,
    heads: Vec<u64>,
}

impl Messages<'_> {
    /// The messages at these indexes of `snapshot`, in the order of `program`; where that does not
    /// tell, in the order of the mailbox. `found` ascends.
    pub async fn sort(
        &self,
        mailbox: &OpenMailbox,
        snapshot: &Snapshot,
        found: &[u32],
        program: &[SortCriterion],
    ) -> Result<Vec<u32>> {
        let records: Vec<Record> = found.iter().filter_map(|&index| snapshot.get(index).copied()).collect();
        let needs_facts =
            program.iter().any(|criterion| !matches!(criterion.key, SortKey::Arrival | SortKey::Size));
        let facts = match needs_facts {
            true => self.facts(mailbox.id(), snapshot, &records).await?,
            false => Default::default(),
        };
        let (program, found) = (program.to_vec(), found.to_vec());
        // Sorting 100,000 messages takes tens of milliseconds: not where others wait for their turn.
        crate::apart(move || sorted(&found, &records, &facts, &program)).await
    }
}

fn sorted(found: &[u32], records: &[Record], facts: &Table, program: &[SortCriterion]) -> Vec<u32> {
    let mut columns: Vec<(bool, Column)> = Vec::with_capacity(program.len());
    for (n, criterion) in program.iter().enumerate() {
        // A key that stands twice says nothing new.
        if program[..n].iter().all(|earlier| earlier.key != criterion.key) {
            columns.push((criterion.reverse, column(criterion.key, records, facts)));
        }
    }
    let mut order: Vec<u32> = (0..records.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| {
        columns
            .iter()
            .map(|(reverse, column)| {
                let ordering = column.compare(a as usize, b as usize);
                if *reverse { ordering.reverse() } else { ordering }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| a.cmp(&b))
    });
    order.into_iter().filter_map(|at| found.get(at as usize).copied()).collect()
}

fn column(key: SortKey, records: &[Record], facts: &Table) -> Column {
    let mut cursor = facts.cursor();
    let mut texts = |key: Key| {
        let mut texts = Texts::default();
        for record in records {
            texts.push(cursor.find(record.email).map_or("", |fact| fact.key(key)));
        }
        Column::Texts(texts)
    };
    match key {
        SortKey::Arrival => Column::Numbers(records.iter().map(|record| record.received_at).collect()),
        SortKey::Cc => texts(Key::Cc),
        SortKey::Date => {
            Column::Numbers(records.iter().map(|record| sent_at(cursor.find(record.email), record)).collect())
        }
        SortKey::DisplayFrom => texts(Key::DisplayFrom),
        SortKey::DisplayTo => texts(Key::DisplayTo),
        SortKey::From => texts(Key::From),
        SortKey::Size => Column::Numbers(records.iter().map(|record| i64::from(record.size)).collect()),
        SortKey::Subject => texts(Key::BaseSubject),
        SortKey::To => texts(Key::To),
    }
}

/// RFC 5256 §2.2: the sent date, else the internal date.
pub(crate) fn sent_at(fact: Option<Fact<'_>>, record: &Record) -> i64 {
    fact.and_then(Fact::sent_at).unwrap_or(record.received_at)
}

impl Column {
    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a].cmp(&numbers[b]),
            Self::Texts(texts) => {
                texts.heads[a].cmp(&texts.heads[b]).then_with(|| texts.get(a).cmp(texts.get(b)))
            }
        }
    }
}

impl Texts {
    fn push(&mut self, text: &str) {
        let key = collation_key(text);
        let mut head = [0; 8];
        let length = key.len().min(8);
        head[..length].copy_from_slice(&key.as_bytes()[..length]);
        self.heads.push(u64::from_be_bytes(head));
        self.starts.push(self.all.len() as u32);
        self.all.push_str(&key);
    }

    fn get(&self, at: usize) -> &[u8] {
        let end = self.starts.get(at + 1).map_or(self.all.len(), |&end| end as usize);
        &self.all.as_bytes()[self.starts[at] as usize..end]
    }
}

//! Search within a mailbox with the substring semantics of RFC 9051 §6.4.4: the text decides. What
//! the index record can tell costs nothing; the index of texts (`textsearch`) tells which messages
//! cannot match; the facts of headers (`facts`) decide what is about addresses, subjects, dates and ids;
//! only what is left reads header blocks or texts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use hub_mime::{SummaryView, contains_folded, fold};

use crate::facts::{Table, asks_facts, fact_leaf, facts_suffice};
use crate::textsearch::{Found, TextQuery};
use crate::{EmailId, Error, Flags, IdSet, Message, Messages, Modseq, OpenMailbox, Record, Result, Snapshot};

/// Messages whose rows are fetched at once.
const PAGE: usize = 256;
/// Messages whose texts are read before the search lets others go on.
const BODIES: usize = 64;
/// Facts of so many messages are read rather than asking the index which of them matter: once they
/// are in memory, they answer sooner than it does.
const FEW: usize = 1024;
/// Messages that are looked at before others get their turn.
const TURN: usize = 4096;
pub(crate) const DAY: i64 = 86_400;

/// A search key. Dates are days since 1970-01-01 (as the client wrote them, zone ignored).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    All,
    And(Vec<Self>),
    /// Substring of the decoded body text (all text parts).
    Body(String),
    /// This very message, in whatever mailbox (RFC 8474 §5.1).
    Email(EmailId),
    /// All these flags are set.
    Flags(Flags),
    /// A header field with this name contains the text (empty: the field exists).
    Header(String, String),
    LargerThan(u64),
    ModseqAtLeast(Modseq),
    Never,
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    ReceivedBefore(i64),
    /// In this second or later: Unix seconds.
    ReceivedFrom(i64),
    ReceivedOn(i64),
    ReceivedSince(i64),
    /// In this second or before: Unix seconds.
    ReceivedUntil(i64),
    /// Put into this mailbox on a day before, on, or not before (RFC 8514 §4.3).
    SavedBefore(i64),
    SavedOn(i64),
    SavedSince(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    SmallerThan(u64),
    /// Substring of header or body.
    Text(String),
    /// In this thread (RFC 8474 §5.2).
    Thread(i64),
    Uids(IdSet),
}

/// How far a search is that reads messages.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU32,
    /// Messages to read; 0 as long as that is not known.
    goal: AtomicU32,
}

impl Progress {
    /// Messages that were read, and how many are to be.
    pub fn read(&self) -> (u32, u32) {
        (self.done.load(Ordering::Relaxed), self.goal.load(Ordering::Relaxed))
    }
}

impl Messages<'_> {
    /// Indexes (ascending) of the messages in `snapshot` that match.
    pub async fn search(
        &self,
        mailbox: &OpenMailbox,
        snapshot: &Snapshot,
        criterion: &Criterion,
        progress: &Progress,
    ) -> Result<Vec<u32>> {
        let criterion = self.with_saved_uids(mailbox, &folded(criterion)).await?;
        let mut query = TextQuery::new(&criterion);
        let mut found = Vec::new();
        let mut undecided = Vec::new();
        for (index, record) in snapshot.iter().enumerate() {
            match by_record(&criterion, record) {
                Some(true) => found.push(index as u32),
                Some(false) => {}
                None => undecided.push((index as u32, *record)),
            }
        }
        let records =
            |undecided: &[(u32, Record)]| undecided.iter().map(|(_, record)| *record).collect::<Vec<_>>();
        let mut facts = None;
        if !undecided.is_empty() && facts_suffice(&criterion) {
            let records = records(&undecided);
            facts = match records.len() <= FEW {
                true => Some(self.facts(mailbox.id(), snapshot, &records).await?),
                false => self.known_facts(mailbox.id(), &records).await,
            };
        }
        if facts.is_none() && !undecided.is_empty() {
            if self.consult_index(&mut query).await? {
                undecided = by_index(&criterion, &undecided, &query, &mut found).await;
            }
            if !undecided.is_empty() && asks_facts(&criterion) {
                facts = Some(self.facts(mailbox.id(), snapshot, &records(&undecided)).await?);
            }
        }
        if let Some(table) = &facts {
            undecided = by_facts(&criterion, &undecided, &query, table, &mut found).await;
        }
        progress.goal.store(undecided.len() as u32, Ordering::Relaxed);
        for page in undecided.chunks(PAGE) {
            self.search_page(mailbox, &criterion, (&query, facts.as_deref()), page, &mut found).await?;
            progress.done.fetch_add(page.len() as u32, Ordering::Relaxed);
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The same criterion with UIDs in the place of days on which messages were saved: these are not
    /// in memory.
    async fn with_saved_uids(&self, mailbox: &OpenMailbox, criterion: &Criterion) -> Result<Criterion> {
        let mut days = Vec::new();
        saved_days(criterion, &mut days);
        let seconds = |day: i64| day.saturating_mul(DAY);
        let bounds = |(from, until): &(i64, i64)| (seconds(*from), seconds(*until));
        let first = days.iter().map(|days| bounds(days).0).min();
        let last = days.iter().map(|days| bounds(days).1).max();
        let (Some(first), Some(last)) = (first, last) else { return Ok(criterion.clone()) };
        let saved = self.storage().saved_between(self.account.id, mailbox.id(), first, last).await?;
        let mut sets: HashMap<(i64, i64), IdSet> = HashMap::with_capacity(days.len());
        for days in days {
            let (from, until) = bounds(&days);
            let within = saved.iter().filter(|(_, at)| (from..until).contains(at));
            sets.insert(days, within.map(|(uid, _)| u64::from(*uid)).collect());
            tokio::task::yield_now().await;
        }
        Ok(replaced(criterion, &|leaf| sets.get(&days_of(leaf)?).cloned().map(Criterion::Uids)))
    }

    async fn search_page(
        &self,
        mailbox: &OpenMailbox,
        criterion: &Criterion,
        (query, facts): (&TextQuery, Option<&Table>),
        page: &[(u32, Record)],
        found: &mut Vec<u32>,
    ) -> Result<()> {
        let emails: Vec<_> = page.iter().map(|(_, record)| record.email).collect();
        let messages = self.fetch(&emails).await?;
        let mut unread = Vec::new();
        for ((index, record), message) in page.iter().zip(messages) {
            // Reclaimed since, and expunged an hour ago at the least: it does not match.
            let Some(message) = message else { continue };
            unread.push((*index, *record, message));
        }
        for bodies in unread.chunks(BODIES) {
            let messages: Vec<&Message> = bodies.iter().map(|(_, _, message)| message).collect();
            let texts = match needs(criterion, is_text) {
                true => self.find_texts(&messages, query).await?,
                false => vec![Found::default(); bodies.len()],
            };
            let headers = match needs(criterion, is_header) {
                true => self.read_headers(&messages).await?,
                false => vec![bytes::Bytes::new(); bodies.len()],
            };
            for (((index, record, _), texts), header) in bodies.iter().zip(&texts).zip(&headers) {
                let read = Read { query, facts, texts, header };
                if by_text(criterion, record, &read) {
                    found.push(*index);
                }
            }
            tracing::trace!(mailbox = mailbox.id().0, bodies = bodies.len(), "searched bodies");
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn read_headers(&self, messages: &[&Message]) -> Result<Vec<bytes::Bytes>> {
        let wanted = messages.iter().map(|message| Ok((*message, header_length(message)?)));
        let wanted: Vec<_> = wanted.collect::<Result<_>>()?;
        self.read_starts(&wanted).await
    }
}

pub(crate) fn view(message: &Message) -> Result<SummaryView<'_>> {
    SummaryView::new(&message.summary).ok_or_else(|| {
        Error::Unavailable(hub_storage::Error::Damaged("a message's summary is damaged".into()))
    })
}

fn header_length(message: &Message) -> Result<u64> {
    Ok(message.prefix.len() as u64 + view(message)?.header_length())
}

/// The same criterion with all text folded once.
fn folded(criterion: &Criterion) -> Criterion {
    replaced(criterion, &|leaf| {
        Some(match leaf {
            Criterion::Body(text) => Criterion::Body(fold(text)),
            Criterion::Header(name, text) => Criterion::Header(name.to_ascii_lowercase(), fold(text)),
            Criterion::Text(text) => Criterion::Text(fold(text)),
            _ => return None,
        })
    })
}

/// The same criterion with other leaves where `leaf` has one.
fn replaced(criterion: &Criterion, leaf: &impl Fn(&Criterion) -> Option<Criterion>) -> Criterion {
    let boxed = |c: &Criterion| Box::new(replaced(c, leaf));
    match criterion {
        Criterion::And(all) => Criterion::And(all.iter().map(|part| replaced(part, leaf)).collect()),
        Criterion::Not(inner) => Criterion::Not(boxed(inner)),
        Criterion::Or(a, b) => Criterion::Or(boxed(a), boxed(b)),
        other => leaf(other).unwrap_or_else(|| other.clone()),
    }
}

/// The days from and until which a message must have been saved.
fn days_of(leaf: &Criterion) -> Option<(i64, i64)> {
    Some(match leaf {
        Criterion::SavedBefore(day) => (i64::MIN, *day),
        Criterion::SavedOn(day) => (*day, day.saturating_add(1)),
        Criterion::SavedSince(day) => (*day, i64::MAX),
        _ => return None,
    })
}

fn saved_days(criterion: &Criterion, days: &mut Vec<(i64, i64)>) {
    match criterion {
        Criterion::And(all) => all.iter().for_each(|part| saved_days(part, days)),
        Criterion::Not(inner) => saved_days(inner, days),
        Criterion::Or(a, b) => {
            saved_days(a, days);
            saved_days(b, days);
        }
        leaf => days.extend(days_of(leaf).filter(|found| !days.contains(found))),
    }
}

/// True if the criterion has a key of this kind.
fn needs(criterion: &Criterion, kind: fn(&Criterion) -> bool) -> bool {
    match criterion {
        Criterion::And(all) => all.iter().any(|part| needs(part, kind)),
        Criterion::Not(inner) => needs(inner, kind),
        Criterion::Or(a, b) => needs(a, kind) || needs(b, kind),
        leaf => kind(leaf),
    }
}

fn is_text(leaf: &Criterion) -> bool {
    matches!(leaf, Criterion::Body(_) | Criterion::Text(_))
}

fn is_header(leaf: &Criterion) -> bool {
    matches!(leaf, Criterion::Header(..))
}

/// Three-valued logic: `leaf` says what it knows, this combines it.
fn decide(criterion: &Criterion, leaf: &mut impl FnMut(&Criterion) -> Option<bool>) -> Option<bool> {
    match criterion {
        Criterion::All => Some(true),
        Criterion::Never => Some(false),
        Criterion::And(all) => {
            let mut result = Some(true);
            for part in all {
                match decide(part, leaf) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => result = None,
                }
            }
            result
        }
        Criterion::Not(inner) => decide(inner, leaf).map(|result| !result),
        Criterion::Or(a, b) => match (decide(a, leaf), decide(b, leaf)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        other => leaf(other),
    }
}

fn by_record(criterion: &Criterion, record: &Record) -> Option<bool> {
    decide(criterion, &mut |leaf| record_leaf(leaf, record))
}

/// Sorts out what the index of texts decides; the rest comes back.
async fn by_index(
    criterion: &Criterion,
    undecided: &[(u32, Record)],
    query: &TextQuery,
    found: &mut Vec<u32>,
) -> Vec<(u32, Record)> {
    let mut rest = Vec::new();
    for turn in undecided.chunks(TURN) {
        for (index, record) in turn {
            let leaf = &mut |leaf: &Criterion| {
                record_leaf(leaf, record).or_else(|| query.by_index(leaf, record.email))
            };
            match decide(criterion, leaf) {
                Some(true) => found.push(*index),
                Some(false) => {}
                None => rest.push((*index, *record)),
            }
        }
        tokio::task::yield_now().await;
    }
    rest
}

fn record_leaf(leaf: &Criterion, record: &Record) -> Option<bool> {
    let received = record.received_at.div_euclid(DAY);
    Some(match leaf {
        Criterion::Email(email) => record.email == *email,
        Criterion::Flags(flags) => record.flags.contains(*flags),
        Criterion::LargerThan(size) => u64::from(record.size) > *size,
        Criterion::ModseqAtLeast(modseq) => record.modseq >= *modseq,
        Criterion::ReceivedBefore(day) => received < *day,
        Criterion::ReceivedFrom(second) => record.received_at >= *second,
        Criterion::ReceivedOn(day) => received == *day,
        Criterion::ReceivedSince(day) => received >= *day,
        Criterion::ReceivedUntil(second) => record.received_at <= *second,
        Criterion::SmallerThan(size) => u64::from(record.size) < *size,
        Criterion::Uids(uids) => uids.contains(u64::from(record.uid)),
        _ => return None,
    })
}

/// Sorts out what facts decide; the rest comes back.
async fn by_facts(
    criterion: &Criterion,
    undecided: &[(u32, Record)],
    query: &TextQuery,
    facts: &Table,
    found: &mut Vec<u32>,
) -> Vec<(u32, Record)> {
    let mut cursor = facts.cursor();
    let mut rest = Vec::new();
    for turn in undecided.chunks(TURN) {
        for (index, record) in turn {
            // Reclaimed since, and expunged an hour ago at the least: it does not match.
            let Some(fact) = cursor.find(record.email) else { continue };
            let decided = decide(criterion, &mut |leaf| {
                record_leaf(leaf, record)
                    .or_else(|| query.by_index(leaf, record.email))
                    .or_else(|| fact_leaf(leaf, record, fact))
            });
            match decided {
                Some(true) => found.push(*index),
                Some(false) => {}
                None => rest.push((*index, *record)),
            }
        }
        tokio::task::yield_now().await;
    }
    rest
}

/// What was read of a message, as far as the criterion asks for it.
struct Read<'a> {
    query: &'a TextQuery,
    facts: Option<&'a Table>,
    texts: &'a Found,
    /// The header block.
    header: &'a [u8],
}

fn by_text(criterion: &Criterion, record: &Record, read: &Read<'_>) -> bool {
    let fact = read.facts.and_then(|table| table.cursor().find(record.email));
    let decided = decide(criterion, &mut |leaf| {
        let in_memory = record_leaf(leaf, record).or_else(|| fact_leaf(leaf, record, fact?));
        if in_memory.is_some() {
            return in_memory;
        }
        match leaf {
            Criterion::Header(name, needle) => {
                Some(hub_mime::header_values(read.header, name).any(|value| contains_folded(&value, needle)))
            }
            leaf => read.query.by_text(leaf, read.texts),
        }
    });
    decided.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_carried_through() {
        let unknown = || Criterion::Text("x".into());
        let decide = |criterion| decide(&criterion, &mut |_| None);
        assert_eq!(decide(Criterion::And(vec![unknown(), Criterion::Never])), Some(false));
        assert_eq!(decide(Criterion::And(vec![unknown(), Criterion::All])), None);
        assert_eq!(decide(Criterion::Or(Box::new(unknown()), Box::new(Criterion::All))), Some(true));
        assert_eq!(decide(Criterion::Or(Box::new(unknown()), Box::new(Criterion::Never))), None);
        assert_eq!(decide(Criterion::Not(Box::new(unknown()))), None);
        assert_eq!(decide(Criterion::And(Vec::new())), Some(true));
    }
}

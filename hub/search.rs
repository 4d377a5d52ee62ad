//! Search within a mailbox with the substring semantics of RFC 9051 §6.4.4: the text decides. What
//! the index record can tell costs nothing; the index of texts (`textsearch`) tells which messages
//! cannot match; what the summary can tell costs one page of rows per 256 messages; only what is left
//! reads header blocks or bodies.

use hub_mime::{SummaryView, contains_folded, fold};

use crate::textsearch::{Found, TextQuery};
use crate::{Error, Flags, IdSet, Message, Messages, Modseq, OpenMailbox, Record, Result, Snapshot};

/// Messages whose summaries are fetched at once.
const SUMMARIES: usize = 256;
/// Messages whose texts are read before the search lets others go on.
const BODIES: usize = 64;
const DAY: i64 = 86_400;

/// A search key. Dates are days since 1970-01-01 (as the client wrote them, zone ignored).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    All,
    And(Vec<Self>),
    /// Substring of the decoded body text (all text parts).
    Body(String),
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
    ReceivedOn(i64),
    ReceivedSince(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    SmallerThan(u64),
    /// Substring of header or body.
    Text(String),
    Uids(IdSet),
}

impl Messages<'_> {
    /// Indexes (ascending) of the messages in `snapshot` that match.
    pub async fn search(
        &self,
        mailbox: &OpenMailbox,
        snapshot: &Snapshot,
        criterion: &Criterion,
    ) -> Result<Vec<u32>> {
        let criterion = folded(criterion);
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
        if !undecided.is_empty() && self.consult_index(&mut query).await? {
            undecided.retain(|(index, record)| match by_index(&criterion, record, &query) {
                Some(true) => {
                    found.push(*index);
                    false
                }
                Some(false) => false,
                None => true,
            });
        }
        for page in undecided.chunks(SUMMARIES) {
            self.search_page(mailbox, &criterion, &query, page, &mut found).await?;
        }
        found.sort_unstable();
        Ok(found)
    }

    async fn search_page(
        &self,
        mailbox: &OpenMailbox,
        criterion: &Criterion,
        query: &TextQuery,
        page: &[(u32, Record)],
        found: &mut Vec<u32>,
    ) -> Result<()> {
        let emails: Vec<_> = page.iter().map(|(_, record)| record.email).collect();
        let messages = self.fetch(&emails).await?;
        let mut unread = Vec::new();
        for ((index, record), message) in page.iter().zip(messages) {
            // Reclaimed since, and expunged an hour ago at the least: it does not match.
            let Some(message) = message else { continue };
            match by_summary(criterion, record, &message, query)? {
                Some(true) => found.push(*index),
                Some(false) => {}
                None => unread.push((*index, *record, message)),
            }
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
            for (((index, record, message), texts), header) in bodies.iter().zip(&texts).zip(&headers) {
                let read = Read { query, texts, header };
                if by_text(criterion, record, message, &read)? {
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
    let boxed = |c: &Criterion| Box::new(folded(c));
    match criterion {
        Criterion::And(all) => Criterion::And(all.iter().map(folded).collect()),
        Criterion::Body(text) => Criterion::Body(fold(text)),
        Criterion::Header(name, text) => Criterion::Header(name.to_ascii_lowercase(), fold(text)),
        Criterion::Not(inner) => Criterion::Not(boxed(inner)),
        Criterion::Or(a, b) => Criterion::Or(boxed(a), boxed(b)),
        Criterion::Text(text) => Criterion::Text(fold(text)),
        other => other.clone(),
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

fn by_index(criterion: &Criterion, record: &Record, query: &TextQuery) -> Option<bool> {
    decide(criterion, &mut |leaf| record_leaf(leaf, record).or_else(|| query.by_index(leaf, record.email)))
}

fn record_leaf(leaf: &Criterion, record: &Record) -> Option<bool> {
    let received = record.received_at.div_euclid(DAY);
    Some(match leaf {
        Criterion::Flags(flags) => record.flags.contains(*flags),
        Criterion::LargerThan(size) => u64::from(record.size) > *size,
        Criterion::ModseqAtLeast(modseq) => record.modseq >= *modseq,
        Criterion::ReceivedBefore(day) => received < *day,
        Criterion::ReceivedOn(day) => received == *day,
        Criterion::ReceivedSince(day) => received >= *day,
        Criterion::SmallerThan(size) => u64::from(record.size) < *size,
        Criterion::Uids(uids) => uids.contains(u64::from(record.uid)),
        _ => return None,
    })
}

fn by_summary(
    criterion: &Criterion,
    record: &Record,
    message: &Message,
    query: &TextQuery,
) -> Result<Option<bool>> {
    let view = view(message)?;
    Ok(decide(criterion, &mut |leaf| {
        record_leaf(leaf, record)
            .or_else(|| query.by_index(leaf, record.email))
            .or_else(|| summary_leaf(leaf, record, &view))
    }))
}

fn summary_leaf(leaf: &Criterion, record: &Record, view: &SummaryView<'_>) -> Option<bool> {
    match leaf {
        Criterion::Header(name, text) if !text.is_empty() => {
            let value = match name.as_str() {
                "bcc" => view.bcc(),
                "cc" => view.cc(),
                "from" => view.from(),
                "subject" => view.subject(),
                "to" => view.to(),
                _ => return None,
            };
            // RFC 9051 §6.4.4: FROM, TO … look at the envelope's fields; comments are not in there.
            Some(contains_folded(value, text))
        }
        Criterion::SentBefore(_) | Criterion::SentOn(_) | Criterion::SentSince(_) => {
            // Without a readable Date the day of arrival counts.
            let day = view.sent_day().unwrap_or(record.received_at.div_euclid(DAY));
            Some(sent_leaf(leaf, day))
        }
        // Found in the decoded header text means found.
        Criterion::Text(text) => {
            let places = [view.subject(), view.from(), view.to(), view.cc()];
            places.iter().any(|place| contains_folded(place, text)).then_some(true)
        }
        _ => None,
    }
}

fn sent_leaf(leaf: &Criterion, sent: i64) -> bool {
    match leaf {
        Criterion::SentBefore(day) => sent < *day,
        Criterion::SentOn(day) => sent == *day,
        Criterion::SentSince(day) => sent >= *day,
        _ => false,
    }
}

/// What was read of a message, as far as the criterion asks for it.
struct Read<'a> {
    query: &'a TextQuery,
    texts: &'a Found,
    /// The header block.
    header: &'a [u8],
}

fn by_text(criterion: &Criterion, record: &Record, message: &Message, read: &Read<'_>) -> Result<bool> {
    let view = view(message)?;
    let decided = decide(criterion, &mut |leaf| {
        if let Some(known) = record_leaf(leaf, record).or_else(|| summary_leaf(leaf, record, &view)) {
            return Some(known);
        }
        match leaf {
            Criterion::Header(name, needle) => {
                Some(hub_mime::header_values(read.header, name).any(|value| contains_folded(&value, needle)))
            }
            leaf => read.query.by_text(leaf, read.texts),
        }
    });
    Ok(decided.unwrap_or(false))
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

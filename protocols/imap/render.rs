//! FETCH responses: from index records alone, or a page of messages with their content.

use std::collections::HashMap;

use hub::{Account, IdSet, MailboxId, Message, Record, Uid};
use hub_mime::{Part, SummaryView, body_without_extensions};

use crate::binary;
use crate::body::{Layout, write_name};
use crate::content::Content;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Item, Portion, SectionName};
use crate::link::{Link, Stop};
use crate::names::Names;

/// Messages whose rows are fetched at once.
pub(crate) const PAGE: usize = 256;
/// A message up to this size is read whole, with its neighbours, in one go.
const SMALL: u64 = 64 << 10;
/// Bytes of small messages read at once.
const BATCH: u64 = 1 << 20;

/// `* n FETCH (…)` of items that the index record tells.
pub(crate) fn simple(out: &mut Buffer, items: &[Item], index: u32, record: &Record, keywords: &[String]) {
    begin(out, index);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        put_simple(out, item, record, keywords);
    }
    out.extend_from_slice(b")\r\n");
}

fn begin(out: &mut Buffer, index: u32) {
    out.extend_from_slice(b"* ");
    encode::number(out, index + 1);
    out.extend_from_slice(b" FETCH (");
}

/// Writes the item and returns true if the record is all it takes.
fn put_simple(out: &mut Buffer, item: &Item, record: &Record, keywords: &[String]) -> bool {
    match item {
        Item::EmailId => {
            out.extend_from_slice(b"EMAILID (E");
            encode::number(out, record.email.0);
            out.push(b')');
        }
        Item::Flags => {
            out.extend_from_slice(b"FLAGS ");
            encode::flags(out, record.flags, keywords);
        }
        Item::InternalDate => {
            out.extend_from_slice(b"INTERNALDATE ");
            encode::date_time(out, record.received_at);
        }
        Item::Modseq => {
            out.extend_from_slice(b"MODSEQ (");
            encode::number(out, record.modseq);
            out.push(b')');
        }
        Item::Size => {
            out.extend_from_slice(b"RFC822.SIZE ");
            encode::number(out, record.size);
        }
        Item::Uid => {
            out.extend_from_slice(b"UID ");
            encode::number(out, record.uid);
        }
        Item::BinarySize(_)
        | Item::Body
        | Item::BodyStructure
        | Item::Envelope
        | Item::Preview
        | Item::SaveDate
        | Item::Section(_)
        | Item::ThreadId => return false,
    }
    true
}

/// Some messages of which more is wanted than the index knows.
pub(crate) struct Page<'a> {
    pub(crate) account: &'a Account,
    pub(crate) mailbox: MailboxId,
    pub(crate) items: &'a [Item],
    pub(crate) keywords: &'a [String],
    /// How the client wants text.
    pub(crate) names: Names,
    /// With their indexes in the view.
    pub(crate) records: &'a [(u32, Record)],
}

/// Messages without a response, by their indexes in the view.
#[derive(Default)]
pub(crate) struct Skipped {
    /// Gone or damaged.
    pub(crate) missing: IdSet,
    /// In an encoding that is not known, when decoded content was asked for.
    pub(crate) undecodable: IdSet,
}

/// What became of a message's response.
enum Written {
    Damaged,
    Undecodable,
    Whole,
}

/// Why a page was not written to its end.
pub(crate) enum Broken {
    /// The storage failed between two responses: the command can be refused.
    Hub(hub::Error),
    Stop(Stop),
}

impl From<hub::Error> for Broken {
    fn from(error: hub::Error) -> Self {
        Self::Hub(error)
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Broken> for crate::commands::Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Hub(error) => error.into(),
            Broken::Stop(stop) => stop.into(),
        }
    }
}

impl Page<'_> {
    /// Writes all responses; returns the messages that have none.
    pub(crate) async fn write(&self, link: &mut Link) -> Result<Skipped, Broken> {
        let mut skipped = Skipped::default();
        let emails: Vec<_> = self.records.iter().map(|(_, record)| record.email).collect();
        let messages = self.account.messages().fetch(&emails).await?;
        let saved_at = self.saved_at().await?;
        let wants_bytes =
            self.items.iter().any(|item| matches!(item, Item::BinarySize(_) | Item::Section(_)));
        let mut rest: &[_] = &messages;
        let mut records = self.records;
        while !rest.is_empty() {
            let count = if wants_bytes { batch(rest) } else { rest.len() };
            let (now, later) = rest.split_at(count);
            let (now_records, later_records) = records.split_at(count);
            (rest, records) = (later, later_records);
            let small: Vec<(&Message, u64)> = now
                .iter()
                .flatten()
                .filter(|message| wants_bytes && message.size() <= SMALL)
                .map(|message| (message, self.needs(message)))
                .collect();
            let bytes = if small.is_empty() {
                Vec::new()
            } else {
                self.account.messages().read_starts(&small).await?
            };
            let mut bytes = bytes.into_iter();
            for ((index, record), message) in now_records.iter().zip(now) {
                let Some(message) = message else {
                    skipped.missing.insert((*index).into());
                    continue;
                };
                let whole = if wants_bytes && message.size() <= SMALL { bytes.next() } else { None };
                let saved_at = saved_at.get(&record.uid).copied();
                let content = Content { account: self.account, message, saved_at, whole };
                match self.write_message(link, *index, record, &content).await? {
                    Written::Whole => {}
                    Written::Damaged => skipped.missing.insert((*index).into()),
                    Written::Undecodable => skipped.undecodable.insert((*index).into()),
                }
                link.relieve().await?;
            }
        }
        Ok(skipped)
    }

    /// Save dates by UID; they are not in the index, because hardly anybody asks.
    async fn saved_at(&self) -> Result<HashMap<Uid, i64>, hub::Error> {
        if !self.items.contains(&Item::SaveDate) {
            return Ok(HashMap::new());
        }
        let uids: Vec<Uid> = self.records.iter().map(|(_, record)| record.uid).collect();
        self.account.messages().saved_at(self.mailbox, &uids).await
    }

    /// How many bytes of a message the sections lie in: a list of headers needs no bodies.
    fn needs(&self, message: &Message) -> u64 {
        let is_header = |item: &Item| match item {
            Item::Section(section) => {
                section.path.is_empty() && matches!(section.portion, Portion::Header | Portion::Fields { .. })
            }
            Item::BinarySize(_) => false,
            _ => true,
        };
        match SummaryView::new(&message.summary) {
            Some(summary) if self.items.iter().all(is_header) => {
                message.prefix.len() as u64 + summary.header_length()
            }
            _ => message.size(),
        }
    }

    /// Writes the response, or nothing.
    async fn write_message(
        &self,
        link: &mut Link,
        index: u32,
        record: &Record,
        content: &Content<'_>,
    ) -> Result<Written, Broken> {
        let Some(summary) = SummaryView::new(&content.message.summary) else {
            // Nothing that a client could do about it; the others must still be readable.
            tracing::error!(email = %record.email, "the summary of a message cannot be read");
            return Ok(Written::Damaged);
        };
        let needs_parts = self.items.iter().any(|item| match item {
            Item::BinarySize(path) => !path.is_empty(),
            Item::Section(section) => !section.path.is_empty(),
            _ => false,
        });
        let parts: Vec<Part> = if needs_parts { summary.parts().collect() } else { Vec::new() };
        let layout = Layout {
            prefix: content.message.prefix.len() as u64,
            header: summary.header_length(),
            size: content.message.size(),
            parts: &parts,
        };
        // RFC 3516 §4.3: a body that cannot be decoded is not sent at all.
        for path in self.items.iter().filter_map(binary::path) {
            if binary::decoder(content, path, &layout).await?.is_none() {
                return Ok(Written::Undecodable);
            }
        }
        begin(&mut link.out, index);
        for (n, item) in self.items.iter().enumerate() {
            if n > 0 {
                link.out.push(b' ');
            }
            let out = &mut link.out;
            match item {
                Item::Body => {
                    out.extend_from_slice(b"BODY ");
                    out.extend_from_slice(&body_without_extensions(summary.body_structure()));
                }
                Item::BodyStructure => {
                    out.extend_from_slice(b"BODYSTRUCTURE ");
                    out.extend_from_slice(summary.body_structure());
                }
                Item::Envelope => {
                    out.extend_from_slice(b"ENVELOPE ");
                    out.extend_from_slice(summary.envelope());
                }
                Item::BinarySize(path) => {
                    binary::write_size_name(out, path);
                    let size = binary::size(content, path, &layout).await?;
                    encode::number(out, size);
                }
                Item::Preview => {
                    out.extend_from_slice(b"PREVIEW ");
                    encode::text(out, summary.preview(), self.names);
                }
                Item::SaveDate => {
                    out.extend_from_slice(b"SAVEDATE ");
                    match content.saved_at {
                        Some(seconds) => encode::date_time(out, seconds),
                        // It has just gone.
                        None => out.extend_from_slice(b"NIL"),
                    }
                }
                Item::ThreadId => {
                    out.extend_from_slice(b"THREADID (T");
                    encode::number(out, content.message.thread);
                    out.push(b')');
                }
                Item::Section(section) => {
                    write_name(out, section);
                    out.push(b' ');
                    match section.name {
                        SectionName::Binary => binary::write(content, link, section, &layout).await?,
                        _ => content.write_section(link, section, &layout).await?,
                    }
                }
                simple => {
                    put_simple(out, simple, record, self.keywords);
                }
            }
        }
        link.out.extend_from_slice(b")\r\n");
        Ok(Written::Whole)
    }
}

/// How many messages from the front are read together: at least one.
fn batch(messages: &[Option<Message>]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Option<Message>| {
        bytes += message.as_ref().map_or(0, Message::size).min(SMALL);
        bytes <= BATCH
    };
    messages.iter().take_while(fits).count().max(1)
}

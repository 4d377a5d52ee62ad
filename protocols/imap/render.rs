//! FETCH responses: from index records alone, or a page of messages with their content.

use hub::{Account, IdSet, Message, Record};
use hub_mime::{Part, SummaryView, body_without_extensions, header_fields};

use crate::body::{Layout, Source, cut, locate, write_name};
use crate::encode::{self, Buffer};
use crate::grammar::command::{Item, Portion, Section};
use crate::link::{Link, Stop};

/// Messages whose rows are fetched at once.
pub(crate) const PAGE: usize = 256;
/// A message up to this size is read whole, with its neighbours, in one go.
const SMALL: u64 = 64 << 10;
/// Bytes of small messages read at once.
const BATCH: u64 = 1 << 20;
/// Bytes of a large message read at a time.
const PIECE: u64 = 128 << 10;
/// A header block is looked at up to this size for HEADER.FIELDS; nobody writes a megabyte of them.
const LONGEST_HEADER: u64 = 1 << 20;

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
        // RFC 8474 §5.2: a server without threads says NIL.
        Item::ThreadId => out.extend_from_slice(b"THREADID NIL"),
        Item::Uid => {
            out.extend_from_slice(b"UID ");
            encode::number(out, record.uid);
        }
        Item::Body | Item::BodyStructure | Item::Envelope | Item::Section(_) => return false,
    }
    true
}

/// Some messages of which more is wanted than the index knows.
pub(crate) struct Page<'a> {
    pub(crate) account: &'a Account,
    pub(crate) items: &'a [Item],
    pub(crate) keywords: &'a [String],
    /// With their indexes in the view.
    pub(crate) records: &'a [(u32, Record)],
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
    /// Writes all responses; returns the indexes of messages that are gone or damaged.
    pub(crate) async fn write(&self, link: &mut Link) -> Result<IdSet, Broken> {
        let mut missing = IdSet::new();
        let emails: Vec<_> = self.records.iter().map(|(_, record)| record.email).collect();
        let messages = self.account.messages().fetch(&emails).await?;
        let wants_bytes = self.items.iter().any(|item| matches!(item, Item::Section(_)));
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
                    missing.insert((*index).into());
                    continue;
                };
                let whole = if wants_bytes && message.size() <= SMALL { bytes.next() } else { None };
                let content = Content { account: self.account, message, whole };
                if !self.write_message(link, *index, record, &content).await? {
                    missing.insert((*index).into());
                }
                link.relieve().await?;
            }
        }
        Ok(missing)
    }

    /// How many bytes of a message the sections lie in: a list of headers needs no bodies.
    fn needs(&self, message: &Message) -> u64 {
        let is_header = |item: &Item| match item {
            Item::Section(section) => {
                section.path.is_empty() && matches!(section.portion, Portion::Header | Portion::Fields { .. })
            }
            _ => true,
        };
        match SummaryView::new(&message.summary) {
            Some(summary) if self.items.iter().all(is_header) => {
                message.prefix.len() as u64 + summary.header_length()
            }
            _ => message.size(),
        }
    }

    /// False if it cannot be read; then nothing was written.
    async fn write_message(
        &self,
        link: &mut Link,
        index: u32,
        record: &Record,
        content: &Content<'_>,
    ) -> Result<bool, Broken> {
        let Some(summary) = SummaryView::new(&content.message.summary) else {
            // Nothing that a client could do about it; the others must still be readable.
            tracing::error!(email = %record.email, "the summary of a message cannot be read");
            return Ok(false);
        };
        let needs_parts =
            self.items.iter().any(|item| matches!(item, Item::Section(section) if !section.path.is_empty()));
        let parts: Vec<Part> = if needs_parts { summary.parts().collect() } else { Vec::new() };
        let layout = Layout {
            prefix: content.message.prefix.len() as u64,
            header: summary.header_length(),
            size: content.message.size(),
            parts: &parts,
        };
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
                Item::Section(section) => {
                    write_name(out, section);
                    out.push(b' ');
                    content.write_section(link, section, &layout).await?;
                }
                simple => {
                    put_simple(out, simple, record, self.keywords);
                }
            }
        }
        link.out.extend_from_slice(b")\r\n");
        Ok(true)
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

struct Content<'a> {
    account: &'a Account,
    message: &'a Message,
    /// The bytes of a small message that its sections lie in, from the first on.
    whole: Option<bytes::Bytes>,
}

impl Content<'_> {
    /// `nstring`. Once its length is said every byte must follow: if one cannot be read then, the
    /// connection is closed, because the client could not tell what comes next.
    async fn write_section(
        &self,
        link: &mut Link,
        section: &Section,
        layout: &Layout<'_>,
    ) -> Result<(), Stop> {
        match locate(section, layout) {
            Source::Nothing => link.out.extend_from_slice(b"NIL"),
            Source::Fields(range) => {
                let end = range.end.min(range.start.saturating_add(LONGEST_HEADER));
                let block = self.read(range.start, end).await?;
                let Portion::Fields { names, not } = &section.portion else { return Ok(()) };
                let fields = header_fields(&block, names, *not);
                let kept = cut(0..fields.len() as u64, section.partial);
                put_bytes(&mut link.out, &fields[kept.start as usize..kept.end as usize]);
            }
            Source::Bytes(range) => {
                let range = cut(range, section.partial);
                if range.end - range.start <= PIECE {
                    let bytes = self.read(range.start, range.end).await?;
                    put_bytes(&mut link.out, &bytes);
                    return Ok(());
                }
                encode::literal_header(&mut link.out, range.end - range.start);
                let mut at = range.start;
                while at < range.end {
                    let bytes = self.read(at, range.end.min(at + PIECE)).await?;
                    at += bytes.len() as u64;
                    link.out.extend_from_slice(&bytes);
                    link.relieve().await?;
                }
            }
        }
        Ok(())
    }

    /// Exactly the bytes `start..end`.
    async fn read(&self, start: u64, end: u64) -> Result<bytes::Bytes, Stop> {
        let length = end - start;
        let bytes = match &self.whole {
            Some(whole) => {
                let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                whole.slice(within(start)..within(end))
            }
            None => self.account.messages().read(self.message, start..end).await.map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "a message cannot be read");
                unreadable()
            })?,
        };
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(unreadable()) }
    }
}

fn unreadable() -> Stop {
    Stop::Lost(std::io::Error::other("a message could not be read to its end"))
}

/// A literal, or `""` for nothing.
fn put_bytes(out: &mut Buffer, bytes: &[u8]) {
    if bytes.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else {
        encode::literal(out, bytes);
    }
}

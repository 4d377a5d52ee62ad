//! FETCH responses: from index records alone, or a page of messages with their content.

use std::collections::HashMap;

use hub::{Account, IdSet, MailboxId, Message, Record, Uid};
use hub_mime::{Part, SummaryView, body_without_extensions};

use crate::binary;
use crate::body::{self, Layout, write_name};
use crate::content::Content;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Item, SectionName};
use crate::link::{Link, Stop};
use crate::names::Names;

/// Messages whose rows are fetched at once.
const PAGE: usize = 256;
/// The same for the first page, so that the answer begins soon.
const FIRST_PAGE: usize = 16;
/// Up to so many bytes of a message are read together with those of its neighbours.
const SMALL: u64 = 128 << 10;
/// Bytes of small messages that are read at once.
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

/// Messages in pages.
pub(crate) fn pages(records: &[(u32, Record)]) -> impl Iterator<Item = &[(u32, Record)]> {
    let (first, rest) = records.split_at(records.len().min(FIRST_PAGE));
    first.chunks(FIRST_PAGE).chain(rest.chunks(PAGE))
}

/// Messages without a response, by their indexes in the view.
#[derive(Default)]
pub(crate) struct Skipped {
    /// Gone or damaged.
    pub(crate) missing: IdSet,
    /// In an encoding that is not known, when decoded content was asked for.
    pub(crate) undecodable: IdSet,
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

/// What was read of a page's messages before anything is written.
pub(crate) struct Loaded {
    messages: Vec<Option<Message>>,
    /// Save dates by UID; they are not in the index, because hardly anybody asks.
    saved_at: HashMap<Uid, i64>,
}

/// A message with what is known of its layout.
struct Prepared<'a> {
    message: &'a Message,
    summary: SummaryView<'a>,
    /// If the items name parts.
    parts: Vec<Part>,
    /// How many bytes from the first on its sections lie in: a list of headers needs no bodies, and
    /// mostly nothing at all.
    needs: u64,
}

impl<'a> Prepared<'a> {
    /// `None` if the summary is damaged.
    fn new(message: &'a Message, items: &[Item]) -> Option<Self> {
        let summary = SummaryView::new(&message.summary)?;
        let needs_parts = items.iter().any(|item| match item {
            Item::BinarySize(path) => !path.is_empty(),
            Item::Section(section) => !section.path.is_empty(),
            _ => false,
        });
        let parts = if needs_parts { summary.parts().collect() } else { Vec::new() };
        let mut prepared = Self { message, summary, parts, needs: 0 };
        prepared.needs = items.iter().map(|item| prepared.end_of(item)).max().unwrap_or(0);
        Some(prepared)
    }

    fn layout(&self) -> Layout<'_> {
        Layout {
            prefix: self.message.prefix.len() as u64,
            header: self.summary.header_length(),
            size: self.message.size(),
            parts: &self.parts,
            listed: self.summary.listed_fields(),
        }
    }

    /// All of them are read at once, together with those of other messages.
    fn is_small(&self) -> bool {
        (1..=SMALL).contains(&self.needs)
    }

    /// Where the bytes end that the item tells of.
    fn end_of(&self, item: &Item) -> u64 {
        match item {
            Item::BinarySize(path) => body::end_of_part(path, &self.layout()),
            Item::Section(section) => body::end(section, &self.layout()),
            _ => 0,
        }
    }
}

impl Page<'_> {
    /// Reads what is kept of the messages.
    pub(crate) async fn load(&self) -> Result<Loaded, hub::Error> {
        let emails: Vec<_> = self.records.iter().map(|(_, record)| record.email).collect();
        let messages = match self.are_read_whole() {
            true => self.account.messages().fetch_whole(&emails).await?,
            false => self.account.messages().fetch(&emails).await?,
        };
        Ok(Loaded { messages, saved_at: self.saved_at().await? })
    }

    /// True if these are small messages and all of each is asked for.
    fn are_read_whole(&self) -> bool {
        let is_whole = |item: &Item| matches!(item, Item::Section(section) if section.is_whole());
        let sizes = || self.records.iter().map(|(_, record)| u64::from(record.size));
        self.items.iter().any(is_whole) && sizes().all(|size| size <= SMALL) && sizes().sum::<u64>() <= BATCH
    }

    async fn saved_at(&self) -> Result<HashMap<Uid, i64>, hub::Error> {
        if !self.items.contains(&Item::SaveDate) {
            return Ok(HashMap::new());
        }
        let uids: Vec<Uid> = self.records.iter().map(|(_, record)| record.uid).collect();
        self.account.messages().saved_at(self.mailbox, &uids).await
    }

    /// Writes all responses; returns the messages that have none.
    pub(crate) async fn write(&self, link: &mut Link, loaded: &Loaded) -> Result<Skipped, Broken> {
        let mut skipped = Skipped::default();
        let mut prepared: Vec<(u32, &Record, Prepared<'_>)> = Vec::with_capacity(self.records.len());
        for ((index, record), message) in self.records.iter().zip(&loaded.messages) {
            match message.as_ref().map(|message| Prepared::new(message, self.items)) {
                Some(Some(message)) => prepared.push((*index, record, message)),
                Some(None) => {
                    // Nothing that a client could do about it; the others must still be readable.
                    tracing::error!(email = %record.email, "the summary of a message cannot be read");
                    skipped.missing.insert((*index).into());
                }
                None => skipped.missing.insert((*index).into()),
            }
        }
        let mut rest = prepared.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(batch(rest.iter().map(|(_, _, message)| message.needs)));
            rest = later;
            let small: Vec<(&Message, u64)> = now
                .iter()
                .filter(|(_, _, message)| message.is_small())
                .map(|(_, _, message)| (message.message, message.needs))
                .collect();
            let mut bytes = match small.is_empty() {
                true => Vec::new(),
                false => self.account.messages().read_starts(&small).await?,
            }
            .into_iter();
            for (index, record, message) in now {
                let whole = if message.is_small() { bytes.next() } else { None };
                let content = Content::new(self.account, message.message, whole);
                let saved_at = loaded.saved_at.get(&record.uid).copied();
                if !self.write_message(link, (*index, record), message, (&content, saved_at)).await? {
                    skipped.undecodable.insert((*index).into());
                }
                link.relieve().await?;
            }
        }
        Ok(skipped)
    }

    /// Writes the response, or nothing if it asks for something that cannot be decoded.
    async fn write_message(
        &self,
        link: &mut Link,
        (index, record): (u32, &Record),
        message: &Prepared<'_>,
        (content, saved_at): (&Content<'_>, Option<i64>),
    ) -> Result<bool, Broken> {
        let (summary, layout) = (&message.summary, message.layout());
        // RFC 3516 §4.3: a body that cannot be decoded is not sent at all.
        for path in self.items.iter().filter_map(binary::path) {
            if binary::decoder(content, path, &layout).await?.is_none() {
                return Ok(false);
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
                    match saved_at {
                        Some(seconds) => encode::date_time(out, seconds),
                        // It has just gone.
                        None => out.extend_from_slice(b"NIL"),
                    }
                }
                Item::ThreadId => {
                    out.extend_from_slice(b"THREADID (T");
                    encode::number(out, message.message.thread);
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
        Ok(true)
    }
}

/// How many messages from the front are read together, of which so many bytes are needed: at least one.
fn batch(needs: impl Iterator<Item = u64>) -> usize {
    let mut bytes = 0;
    let fits = |needs: &u64| {
        bytes += (*needs).min(SMALL);
        bytes <= BATCH
    };
    needs.take_while(fits).count().max(1)
}

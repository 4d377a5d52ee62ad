//! The bytes of one message: read in ranges, written as sections.

use std::ops::Range;

use bytes::Bytes;
use hub::{Account, Message, OpenMessage};
use hub_mime::{header_fields, listed_header_fields};
use tokio::sync::OnceCell;

use crate::body::{Layout, Source, cut, fields_within, locate};
use crate::encode::{self, Buffer};
use crate::grammar::command::{Portion, Section};
use crate::link::{FULL, Link, Stop};

/// Bytes of a large message read at a time.
pub(crate) const PIECE: u64 = 128 << 10;

pub(crate) struct Content<'a> {
    account: &'a Account,
    message: &'a Message,
    /// The bytes that the sections lie in, from the first on, if they are few.
    whole: Option<Bytes>,
    /// Looked up when the first piece is read.
    opened: OnceCell<OpenMessage>,
}

impl<'a> Content<'a> {
    pub(crate) fn new(account: &'a Account, message: &'a Message, whole: Option<Bytes>) -> Self {
        Self { account, message, whole, opened: OnceCell::const_new() }
    }

    /// `nstring`. Once its length is said every byte must follow: if one cannot be read then, the
    /// connection is closed, because the client could not tell what comes next.
    pub(crate) async fn write_section(
        &self,
        link: &mut Link,
        section: &Section,
        layout: &Layout<'_>,
    ) -> Result<(), Stop> {
        match locate(section, layout) {
            Source::Nothing => link.out.extend_from_slice(b"NIL"),
            Source::Fields(range) => {
                let range = fields_within(range);
                let block = self.read(range.start, range.end).await?;
                let Portion::Fields { names, not } = &section.portion else { return Ok(()) };
                put_fields(&mut link.out, &header_fields(&block, names, *not), section);
            }
            Source::Listed => {
                let Portion::Fields { names, .. } = &section.portion else { return Ok(()) };
                let listed = layout.listed.unwrap_or_default();
                let fields = listed_header_fields(&self.message.prefix, listed, names);
                put_fields(&mut link.out, &fields, section);
            }
            Source::Bytes(range) => {
                let range = cut(range, section.partial);
                if range.end - range.start <= FULL as u64 {
                    let bytes = self.read(range.start, range.end).await?;
                    put_bytes(&mut link.out, &bytes);
                    return Ok(());
                }
                encode::literal_header(&mut link.out, range.end - range.start);
                let mut at = range.start;
                while at < range.end {
                    let bytes = self.read(at, range.end.min(at + PIECE)).await?;
                    at += bytes.len() as u64;
                    if bytes.contains(&0) {
                        link.out.extend_from_slice(&bytes);
                        link.relieve().await?;
                    } else {
                        link.pass(&bytes).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Exactly the bytes `start..end`.
    pub(crate) async fn read(&self, start: u64, end: u64) -> Result<Bytes, Stop> {
        let length = end - start;
        let bytes = match &self.whole {
            Some(whole) => {
                let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                whole.slice(within(start)..within(end))
            }
            None if length == 0 => Bytes::new(),
            None => self.read_piece(start..end).await.map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "a message cannot be read");
                unreadable()
            })?,
        };
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(unreadable()) }
    }

    async fn read_piece(&self, range: Range<u64>) -> hub::Result<Bytes> {
        let messages = self.account.messages();
        self.opened.get_or_try_init(|| messages.open_message(self.message)).await?.read(range).await
    }
}

pub(crate) fn unreadable() -> Stop {
    Stop::Lost(std::io::Error::other("a message could not be read to its end"))
}

fn put_fields(out: &mut Buffer, fields: &[u8], section: &Section) {
    let kept = cut(0..fields.len() as u64, section.partial);
    put_bytes(out, &fields[kept.start as usize..kept.end as usize]);
}

/// A literal, or `""` for nothing.
fn put_bytes(out: &mut Buffer, bytes: &[u8]) {
    if bytes.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else {
        encode::literal_header(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

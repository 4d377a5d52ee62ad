//! The bytes of one message: read in ranges, written as sections.

use bytes::Bytes;
use hub::{Account, Message};
use hub_mime::header_fields;

use crate::body::{Layout, Source, cut, locate};
use crate::encode::{self, Buffer};
use crate::grammar::command::{Portion, Section};
use crate::link::{Link, Stop};

/// Bytes of a large message read at a time.
pub(crate) const PIECE: u64 = 128 << 10;
/// A header block is looked at up to this size for HEADER.FIELDS; nobody writes a megabyte of them.
pub(crate) const LONGEST_HEADER: u64 = 1 << 20;

pub(crate) struct Content<'a> {
    pub(crate) account: &'a Account,
    pub(crate) message: &'a Message,
    pub(crate) saved_at: Option<i64>,
    /// The bytes of a small message that its sections lie in, from the first on.
    pub(crate) whole: Option<Bytes>,
}

impl Content<'_> {
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
    pub(crate) async fn read(&self, start: u64, end: u64) -> Result<Bytes, Stop> {
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

//! BINARY: content without its transfer encoding (RFC 3516, RFC 9051 §6.4.5).
//!
//! How long a decoded body is and whether it has NULs must be said before it. A small one is decoded
//! into memory; a large one is decoded while it is read, twice, so that no attachment is ever whole in
//! memory.

use std::ops::Range;

use hub_mime::{PartKind, TransferDecoder, find_part, part_encoding};

use crate::body::{Layout, cut, fields_within, write_path};
use crate::content::{Content, PIECE, unreadable};
use crate::encode::{self, Buffer};
use crate::grammar::command::{Item, Section, SectionName};
use crate::link::{Link, Stop};

/// The part that the item wants decoded.
pub(crate) fn path(item: &Item) -> Option<&[u32]> {
    match item {
        Item::BinarySize(path) => Some(path),
        Item::Section(section) if section.name == SectionName::Binary => Some(&section.path),
        _ => None,
    }
}

/// A part's body and how to decode it.
pub(crate) struct Encoded {
    /// `None` if there is no such part.
    body: Option<Range<u64>>,
    decoder: TransferDecoder,
}

/// Finds a part. `None` if its encoding is unknown (`UNKNOWN-CTE`).
pub(crate) async fn decoder(
    content: &Content<'_>,
    path: &[u32],
    layout: &Layout<'_>,
) -> Result<Option<Encoded>, Stop> {
    let as_it_is = |body| TransferDecoder::new("binary").map(|decoder| Encoded { body, decoder });
    if path.is_empty() {
        return Ok(as_it_is(Some(0..layout.size)));
    }
    let Some(part) = find_part(layout.parts, path).map(|index| &layout.parts[index]) else {
        return Ok(as_it_is(None));
    };
    let within = |at: u64| (at + layout.prefix).min(layout.size);
    let body = within(part.body_start)..within(part.body_end).max(within(part.body_start));
    if part.kind != PartKind::Leaf {
        // RFC 2045 §6.4: what has parts is not encoded itself.
        return Ok(as_it_is(Some(body)));
    }
    let header = fields_within(within(part.header_start)..body.start);
    let encoding = part_encoding(&content.read(header.start, header.end).await?);
    Ok(TransferDecoder::new(&encoding).map(|decoder| Encoded { body: Some(body), decoder }))
}

/// The length of a part's decoded body; 0 if there is no such part.
pub(crate) async fn size(content: &Content<'_>, path: &[u32], layout: &Layout<'_>) -> Result<u64, Stop> {
    match decoder(content, path, layout).await? {
        Some(encoded) => Ok(measure(content, encoded).await?.map_or(0, |measure| measure.size)),
        None => Ok(0),
    }
}

/// Decoded bodies up to this size are kept rather than decoded again.
const SMALL: usize = 256 << 10;

#[derive(Default)]
struct Measure {
    size: u64,
    has_nul: bool,
    /// All of it, if it is small.
    plain: Option<Vec<u8>>,
}

impl Measure {
    fn take(&mut self, plain: &[u8]) {
        self.size += plain.len() as u64;
        self.has_nul |= plain.contains(&0);
        self.plain = self.plain.take().filter(|all| all.len() + plain.len() <= SMALL);
        if let Some(all) = &mut self.plain {
            all.extend_from_slice(plain);
        }
    }
}

/// `None` if there is no such part.
async fn measure(content: &Content<'_>, encoded: Encoded) -> Result<Option<Measure>, Stop> {
    let mut reader = Reader::new(content, encoded);
    let mut measure = reader.is_there().then(|| Measure { plain: Some(Vec::new()), ..Measure::default() });
    while let Some(plain) = reader.next().await? {
        if let Some(measure) = &mut measure {
            measure.take(plain);
        }
    }
    Ok(measure)
}

/// `nstring / literal8`. As with all sections: once the length is said, every byte must follow.
pub(crate) async fn write(
    content: &Content<'_>,
    link: &mut Link,
    section: &Section,
    layout: &Layout<'_>,
) -> Result<(), Stop> {
    let measure = match decoder(content, &section.path, layout).await? {
        Some(encoded) => measure(content, encoded).await?,
        None => None,
    };
    let Some(Measure { size, has_nul, plain }) = measure else {
        link.out.extend_from_slice(b"NIL");
        return Ok(());
    };
    let wanted = cut(0..size, section.partial);
    if wanted.is_empty() {
        link.out.extend_from_slice(b"\"\"");
        return Ok(());
    }
    if has_nul {
        // literal8 (RFC 3516 §4.4)
        link.out.push(b'~');
    }
    encode::literal_header(&mut link.out, wanted.end - wanted.start);
    if let Some(plain) = plain {
        link.out.extend_from_slice(&plain[wanted.start as usize..wanted.end as usize]);
        return Ok(());
    }
    let Some(again) = decoder(content, &section.path, layout).await? else { return Err(unreadable()) };
    let mut reader = Reader::new(content, again);
    let mut at = 0;
    while at < wanted.end
        && let Some(plain) = reader.next().await?
    {
        let here = at..at + plain.len() as u64;
        let (start, end) = (wanted.start.clamp(here.start, here.end), wanted.end.clamp(here.start, here.end));
        link.out.extend_from_slice(&plain[(start - at) as usize..(end - at) as usize]);
        link.relieve().await?;
        at = here.end;
    }
    Ok(())
}

/// Reads and decodes a body piece by piece.
struct Reader<'a, 'c> {
    content: &'a Content<'c>,
    /// What has not been read of the body; `None` at its end.
    rest: Option<Range<u64>>,
    decoder: TransferDecoder,
    plain: Vec<u8>,
}

impl<'a, 'c> Reader<'a, 'c> {
    fn new(content: &'a Content<'c>, encoded: Encoded) -> Self {
        Self { content, rest: encoded.body, decoder: encoded.decoder, plain: Vec::new() }
    }

    fn is_there(&self) -> bool {
        self.rest.is_some()
    }

    /// The next decoded bytes, perhaps none; `None` at the end.
    async fn next(&mut self) -> Result<Option<&[u8]>, Stop> {
        let Some(rest) = self.rest.take() else { return Ok(None) };
        self.plain.clear();
        if rest.is_empty() {
            self.decoder.finish(&mut self.plain);
        } else {
            let end = rest.end.min(rest.start + PIECE);
            let bytes = self.content.read(rest.start, end).await?;
            self.decoder.feed(&bytes, &mut self.plain);
            self.rest = Some(end..rest.end);
        }
        Ok(Some(&self.plain))
    }
}

/// `BINARY.SIZE[1.2] `
pub(crate) fn write_size_name(out: &mut Buffer, path: &[u32]) {
    out.extend_from_slice(b"BINARY.SIZE[");
    write_path(out, path);
    out.extend_from_slice(b"] ");
}

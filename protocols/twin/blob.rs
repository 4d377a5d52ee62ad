//! Bytes that clients can ask for: messages, uploads, the parts of both, files, and pictures of cards.

use std::ops::Range;

use bytes::Bytes;
use hub::files::OpenFile;
use hub::{Account, Error, Incoming, Message, OpenMessage, OpenUpload, Result, Scopes, StagedBlob};
use hub_mime::{Part, Scanner, SummaryView, TransferDecoder, has_attachment, part_encoding};

use crate::contacts::photo;
use crate::files;
use crate::ids::{BlobId, BlobOf};

/// Read at once.
const PIECE: u64 = 256 << 10;
/// Of the header of a part so much is looked at.
const MAX_HEADER: u64 = 1 << 20;
/// A message up to this size is held while it is looked at; of a larger one only pieces are.
pub(crate) const HELD: u64 = 4 << 20;

/// A blob that was looked up.
pub(crate) enum Blob {
    File(Box<OpenFile>),
    Held(Bytes),
    Message(OpenMessage, u64),
    Slice(Box<Self>, Range<u64>),
    Staged(StagedBlob),
    Upload(OpenUpload),
}

/// A message with the table of its parts, whose offsets count within the blob.
pub(crate) struct Parts {
    pub(crate) blob: Blob,
    pub(crate) parts: Vec<Part>,
    pub(crate) has_attachment: bool,
    pub(crate) preview: String,
}

impl Blob {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(file) => file.node.size,
            Self::Held(bytes) => bytes.len() as u64,
            Self::Message(_, size) => *size,
            Self::Slice(_, range) => range.end - range.start,
            Self::Staged(blob) => blob.size(),
            Self::Upload(upload) => upload.size(),
        }
    }

    /// Bytes of it; the range is cut to its length.
    pub(crate) async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let end = range.end.min(self.size());
        let start = range.start.min(end);
        match self {
            Self::File(file) => file.read(start, (end - start) as usize).await,
            Self::Held(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Self::Message(message, _) => message.read(start..end).await,
            Self::Slice(inner, slice) => Box::pin(inner.read(slice.start + start..slice.start + end)).await,
            Self::Staged(blob) => Ok(blob.read_at(start, (end - start) as usize)?),
            Self::Upload(upload) => upload.read(start..end).await,
        }
    }

    /// The first piece of a range, which begins behind it afterwards; `None` at its end.
    pub(crate) async fn next(&self, range: &mut Range<u64>) -> Result<Option<Bytes>> {
        let piece = self.read(range.start..range.end.min(range.start.saturating_add(PIECE))).await?;
        range.start += piece.len() as u64;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// The same bytes, in memory if they are few enough.
    pub(crate) async fn held(self) -> Result<Self> {
        match self.size() <= HELD {
            true => Ok(Self::Held(self.read(0..u64::MAX).await?)),
            false => Ok(self),
        }
    }

    /// Looks at the blob as a message.
    pub(crate) async fn scanned(self) -> Result<Parts> {
        let blob = self.held().await?;
        let mut scanner = Scanner::new();
        let mut rest = 0..blob.size();
        while let Some(piece) = blob.next(&mut rest).await? {
            scanner.feed(&piece);
        }
        let summary = scanner.finish();
        let has_attachment = has_attachment(&summary.body_structure);
        Ok(Parts { blob, parts: summary.parts, has_attachment, preview: summary.preview })
    }
}

impl Parts {
    /// A kept message, looked at when it came; what the hub has put in front belongs to the header of the
    /// first part.
    pub(crate) fn of_kept(blob: Blob, message: &Message) -> Self {
        let shift = message.prefix.len() as u64;
        let Some(view) = SummaryView::new(&message.summary) else {
            return Self { blob, parts: Vec::new(), has_attachment: false, preview: String::new() };
        };
        let shifted = |part: Part| Part {
            header_start: part.header_start + shift,
            body_start: part.body_start + shift,
            body_end: part.body_end + shift,
            ..part
        };
        let mut parts: Vec<Part> = view.parts().map(shifted).collect();
        if let Some(top) = parts.first_mut() {
            top.header_start = 0;
        }
        let has_attachment = has_attachment(view.body_structure());
        Self { blob, parts, has_attachment, preview: view.preview().to_owned() }
    }

    /// The header of a part with the line that ends it.
    pub(crate) async fn header(&self, part: &Part) -> Result<Bytes> {
        let end = part.body_start.min(part.header_start + MAX_HEADER);
        self.blob.read(part.header_start..end).await
    }

    /// A part as what it was before it was encoded for transport.
    pub(crate) async fn part(self, account: &Account, number: u32) -> Result<Blob> {
        let part = self.parts.get(number as usize).cloned().ok_or(Error::NotFound("part"))?;
        let encoding = part_encoding(&self.header(&part).await?);
        let body = part.body_start..part.body_end;
        let decoder = TransferDecoder::new(&encoding);
        let is_plain = ["7bit", "8bit", "binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain));
        let Some(mut decoder) = decoder.filter(|_| !is_plain) else {
            return Ok(Blob::Slice(Box::new(self.blob), body));
        };
        let mut spool = account.hub().spool();
        let mut out = Vec::new();
        let mut rest = body;
        while let Some(piece) = self.blob.next(&mut rest).await? {
            out.clear();
            decoder.feed(&piece, &mut out);
            spool.write(&out).await?;
        }
        out.clear();
        decoder.finish(&mut out);
        spool.write(&out).await?;
        Ok(Blob::Staged(spool.finish().await?))
    }
}

/// Opens a blob. `NotFound` for what the account does not have.
pub(crate) async fn open(account: &Account, id: &BlobId) -> Result<Blob> {
    check_scope(account, id.of)?;
    match id.of {
        BlobOf::Card(card) => return photo::open(account, card, &id.parts).await.map(Blob::Held),
        BlobOf::File(node) => {
            return files::content(account, node, &id.parts).await.map(|file| Blob::File(Box::new(file)));
        }
        BlobOf::Email(_) | BlobOf::Upload(_) => {}
    }
    let Some((last, above)) = id.parts.split_last() else { return whole(account, id.of).await };
    let mut message = message(account, id.of).await?;
    for part in above {
        message = message.part(account, *part).await?.scanned().await?;
    }
    message.part(account, *last).await
}

/// Opens a blob as a message with its parts.
pub(crate) async fn open_message(account: &Account, id: &BlobId) -> Result<Parts> {
    match id.parts.is_empty() {
        true => message(account, id.of).await,
        false => open(account, id).await?.scanned().await,
    }
}

/// A blob as a message to keep or send.
pub(crate) async fn incoming(account: &Account, id: &BlobId) -> Result<Incoming> {
    let blob = open(account, id).await?;
    let mut spool = account.hub().spool();
    let mut rest = 0..blob.size();
    while let Some(piece) = blob.next(&mut rest).await? {
        spool.write(&piece).await?;
    }
    account.hub().examine(spool).await
}

async fn whole(account: &Account, of: BlobOf) -> Result<Blob> {
    check_scope(account, of)?;
    match of {
        BlobOf::Card(_) | BlobOf::File(_) => Err(Error::NotFound("blob")),
        BlobOf::Upload(id) => Ok(Blob::Upload(account.upload(id).await?)),
        BlobOf::Email(id) => {
            if !account.emails().find(&[id]).await?.contains_key(&id) {
                return Err(Error::NotFound("e-mail"));
            }
            let message = account.emails().messages(&[id]).await?.pop().flatten();
            let message = message.ok_or(Error::NotFound("e-mail"))?;
            let open = account.messages().open_message(&message).await?;
            Ok(Blob::Message(open, message.size()))
        }
    }
}

/// A token reads what it covers, not whatever has an id.
fn check_scope(account: &Account, of: BlobOf) -> Result<()> {
    account.require(match of {
        BlobOf::Card(_) => Scopes::CONTACTS_READ,
        BlobOf::Email(_) => Scopes::MAIL_READ,
        BlobOf::File(_) => Scopes::FILES_READ,
        BlobOf::Upload(_) => Scopes::NONE,
    })
}

async fn message(account: &Account, of: BlobOf) -> Result<Parts> {
    let blob = whole(account, of).await?;
    let BlobOf::Email(id) = of else { return blob.scanned().await };
    let message = account.emails().messages(&[id]).await?.pop().flatten();
    let message = message.ok_or(Error::NotFound("e-mail"))?;
    Ok(Parts::of_kept(blob.held().await?, &message))
}

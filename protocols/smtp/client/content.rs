//! A message on its way out: what it needs of the other side, and its bytes, piece by piece. A
//! message is in memory as a whole only if it is small, or must be converted.

use bytes::Bytes;
use hub::{Hub, QueuedMessage};
use hub_mime::{NotConvertible, Unfit, reencode};

use super::Offers;
use super::envelope::Declared;
use crate::outbound::next_hop::{Broken, Verdict};

/// Bytes read and sent at a time.
pub(crate) const PIECE: u64 = 64 * 1024;
/// Largest message that is converted for a host without 8BITMIME; nobody but museums has those.
const MAX_CONVERTED: u64 = 16 << 20;

pub(crate) struct Content<'a> {
    hub: &'a Hub,
    message: &'a QueuedMessage,
    /// All of it, if it is small or converted.
    whole: Option<Bytes>,
    pub(crate) declared: Declared,
}

impl<'a> Content<'a> {
    /// Prepares a message for a host with these offers, or says why that host cannot have it.
    pub(crate) async fn prepare(
        hub: &'a Hub,
        message: &'a QueuedMessage,
        offers: &Offers,
    ) -> Result<Result<Self, Verdict>, Broken> {
        let size = message.message.size();
        let declared = Declared { size, eight_bit: true, utf8: false };
        let mut content = Self { hub, message, whole: None, declared };
        if let Some(limit) = offers.size.filter(|&limit| limit != 0 && size > limit) {
            let why = format!("552 5.3.4 larger than the host's limit of {limit}");
            return Ok(Err(Verdict::Failed(why)));
        }
        if size <= PIECE {
            content.whole = Some(content.read(0).await?);
        }
        content.declared.utf8 = message.smtputf8 && content.needs_utf8().await?;
        if content.declared.utf8 && !offers.smtp_utf8 {
            let why = "550 5.6.7 the host does not take internationalised mail";
            return Ok(Err(Verdict::Failed(why.into())));
        }
        // Of a large message it is not worth reading twice; RFC 6152 allows 7-bit text in 8BITMIME.
        if let Some(whole) = &content.whole {
            content.declared.eight_bit = !whole.is_ascii();
        }
        if !offers.eight_bit && content.has_eight_bit().await? {
            return content.convert().await;
        }
        Ok(Ok(content))
    }

    /// The bytes from here on, as many as are sent at a time; empty at the end.
    pub(crate) async fn piece(&self, at: u64) -> Result<Bytes, Broken> {
        if at >= self.declared.size {
            return Ok(Bytes::new());
        }
        let piece = match &self.whole {
            Some(whole) => {
                let end = self.declared.size.min(at + PIECE);
                whole.get(at as usize..end as usize).map(|range| whole.slice_ref(range)).unwrap_or_default()
            }
            None => self.read(at).await?,
        };
        if piece.is_empty() {
            return Err(Broken("reading the message: it ends too early".into()));
        }
        Ok(piece)
    }

    async fn read(&self, at: u64) -> Result<Bytes, Broken> {
        let end = self.message.message.size().min(at + PIECE);
        let piece = self.hub.read_queued(self.message, at..end).await;
        piece.map_err(|error| Broken::at("reading the message", error))
    }

    /// SMTPUTF8 is asked for by clients that do not need it: only what really has UTF-8 in its
    /// envelope or header is held back by a host without the extension.
    async fn needs_utf8(&self) -> Result<bool, Broken> {
        let addresses =
            self.message.reverse_path.iter().chain(self.message.recipients.iter().map(|r| &r.address));
        if addresses.into_iter().any(hub::Address::needs_utf8) {
            return Ok(true);
        }
        let mut at = 0;
        // The end of the header may lie across two pieces: the last three bytes are looked at again.
        let mut tail = Vec::new();
        loop {
            let piece = self.piece(at).await?;
            at += piece.len() as u64;
            tail.extend_from_slice(&piece);
            let end = memchr::memmem::find(&tail, b"\r\n\r\n");
            if !tail[..end.unwrap_or(tail.len())].is_ascii() {
                return Ok(true);
            }
            if end.is_some() || piece.is_empty() {
                return Ok(false);
            }
            tail.drain(..tail.len().saturating_sub(3));
        }
    }

    async fn has_eight_bit(&self) -> Result<bool, Broken> {
        if self.whole.is_some() {
            return Ok(self.declared.eight_bit);
        }
        let mut at = 0;
        loop {
            let piece = self.piece(at).await?;
            at += piece.len() as u64;
            match piece.is_ascii() {
                false => return Ok(true),
                true if piece.is_empty() => return Ok(false),
                true => {}
            }
        }
    }

    /// RFC 6152 §3: for a host without 8BITMIME a message is converted, or it fails. Our signature was of
    /// what it was before.
    async fn convert(mut self) -> Result<Result<Self, Verdict>, Broken> {
        let size = self.declared.size;
        let converted = if size > MAX_CONVERTED {
            Err(NotConvertible::TooLarge)
        } else {
            let mut message = Vec::with_capacity(size as usize);
            while (message.len() as u64) < size {
                message.extend_from_slice(&self.piece(message.len() as u64).await?);
            }
            reencode(&message, Unfit::EightBit)
        };
        Ok(match converted {
            Ok(converted) => {
                let signed = self.hub.sign_anew(self.message, converted).await;
                let converted = signed.map_err(|error| Broken::at("signing the message", error))?;
                self.declared.size = converted.len() as u64;
                self.declared.eight_bit = false;
                self.whole = Some(converted.into());
                Ok(self)
            }
            Err(why) => {
                Err(Verdict::Failed(format!("554 5.6.3 the host does not take 8-bit text, and {why}")))
            }
        })
    }
}

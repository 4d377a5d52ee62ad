//! Messages of twins in other words, where they cannot leave as they are, so that they are signed as
//! they leave (RFC 6376 §5.3).

use bytes::Bytes;
use hub_mime::{LongLines, Unfit, reencode};

use crate::keys::unreadable;
use crate::{Hub, Incoming, QueuedMessage, Result, apart};

/// Largest message that is converted.
const MOST: u64 = 16 << 20;
const SIGNATURE: &[u8] = b"DKIM-Signature";

impl Hub {
    /// The message without lines that some host would fold, or refuse (RFC 5321 §4.5.3.1.6): either is the
    /// end of a signature. What the twin's own program has signed or encrypted stays as it is.
    pub(crate) async fn with_short_lines(&self, incoming: Incoming) -> Result<Incoming> {
        if incoming.summary.size > MOST {
            return Ok(incoming);
        }
        let looked_at = incoming.clone();
        let look = move || shortened(&looked_at);
        let shortened = match incoming.blob.in_memory() {
            Some(_) => look()?,
            None => apart(look).await??,
        };
        let Some(message) = shortened else { return Ok(incoming) };
        let mut spool = self.spool();
        spool.write(&message).await?;
        self.examine(spool).await
    }

    /// Signs a queued message again that had to be converted for the next host: the signatures that it was
    /// queued with are no more true.
    pub async fn sign_anew(&self, queued: &QueuedMessage, converted: Vec<u8>) -> Result<Vec<u8>> {
        let length = queued.message.prefix.len();
        let (Some(prefix), Some(message)) = (converted.get(..length), converted.get(length..)) else {
            return Ok(converted);
        };
        let (trace, signed_by) = without_signatures(prefix);
        let Some(domain) = signed_by else { return Ok(converted) };
        let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let (header, body) = message.split_at(end);
        let (header, body) = (Bytes::copy_from_slice(header), Bytes::copy_from_slice(body));
        let (signers, now) = (self.signers(&domain).await?, crate::unix_now());
        let signed = apart(move || {
            let pieces = std::iter::once(Ok(body.clone()));
            let signatures = hub_dkim::sign(&signers, &header, pieces, now).map_err(unreadable)?;
            Ok([signatures.as_bytes(), &trace, &header, &body].concat())
        });
        signed.await?
    }
}

/// `None` if no line is too long, or nothing can be done about it.
fn shortened(incoming: &Incoming) -> Result<Option<Vec<u8>>> {
    let header = incoming.header()?;
    let mut lines = LongLines::default();
    let mut is_long = lines.feed(&header);
    for piece in incoming.body() {
        is_long |= lines.feed(&piece.map_err(unreadable)?);
        if is_long {
            break;
        }
    }
    if !is_long && !lines.end() {
        return Ok(None);
    }
    let mut message = header.to_vec();
    for piece in incoming.body() {
        message.extend_from_slice(&piece.map_err(unreadable)?);
    }
    Ok(reencode(&message, Unfit::LongLines).ok())
}

/// The fields in front of a message without our signatures, and the domain that these are of.
fn without_signatures(prefix: &[u8]) -> (Vec<u8>, Option<String>) {
    let (mut kept, mut domain) = (Vec::with_capacity(prefix.len()), None);
    for (name, value) in hub_dkim::fields(prefix) {
        if name.eq_ignore_ascii_case(SIGNATURE) {
            domain = domain.or_else(|| hub_dkim::Tags::parse(value)?.text("d").map(str::to_owned));
        } else {
            kept.extend_from_slice(&[name, b":", value].concat());
        }
    }
    (kept, domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_taken_out_of_the_fields_in_front() {
        let prefix = b"Received: x\r\n\ty\r\nDKIM-Signature: v=1; d=a.test;\r\n\ts=x; b=\r\nX: z\r\n";
        let (kept, domain) = without_signatures(prefix);
        assert_eq!(String::from_utf8_lossy(&kept), "Received: x\r\n\ty\r\nX: z\r\n");
        assert_eq!(domain.as_deref(), Some("a.test"));
        assert_eq!(without_signatures(b"Received: x\r\n").1, None);
    }
}

//! Messages in other words, where they cannot leave as they are, so that they are signed as they leave
//! (RFC 6376 §5.3).

use std::sync::Arc;

use bytes::Bytes;
use hub_mime::{LongLines, Unfit, reencode};

use crate::keys::unreadable;
use crate::{Hub, Incoming, QueuedMessage, Result, apart};

/// Largest message that is converted.
const MOST: u64 = 16 << 20;

/// What was put in front of a message when it was queued.
#[derive(Debug, Default, PartialEq, Eq)]
struct Front {
    /// Without what is true of the bytes of that time only.
    trace: Vec<u8>,
    /// The domain that signed.
    signed_by: Option<String>,
    sealed: Option<Seal>,
}

/// What a seal of ours (RFC 8617) says.
#[derive(Debug, PartialEq, Eq)]
struct Seal {
    domain: String,
    results: String,
    passes: bool,
}

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

    /// Signs and seals a queued message again that had to be converted for the next host: the signatures
    /// and the seal that it was queued with are no more true.
    pub async fn sign_anew(&self, queued: &QueuedMessage, converted: Vec<u8>) -> Result<Vec<u8>> {
        let length = queued.message.prefix.len();
        let (Some(prefix), Some(message)) = (converted.get(..length), converted.get(length..)) else {
            return Ok(converted);
        };
        let Front { trace, signed_by, sealed } = Front::read(prefix);
        if signed_by.is_none() && sealed.is_none() {
            return Ok(converted);
        }
        let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let (header, body) = message.split_at(end);
        let (header, body) = (Bytes::copy_from_slice(header), Bytes::copy_from_slice(body));
        let now = crate::unix_now();
        let signers = match &signed_by {
            Some(domain) => self.signers(domain).await?,
            None => Arc::default(),
        };
        let sealers = match &sealed {
            Some(seal) => self.signers(&seal.domain).await?,
            None => Arc::default(),
        };
        let signed = apart(move || {
            let pieces = || std::iter::once(Ok(body.clone()));
            let signatures = hub_dkim::sign(&signers, &header, pieces(), now).map_err(unreadable)?;
            let seal = match (&sealed, sealers.first()) {
                (Some(Seal { results, passes, .. }), Some(sealer)) => {
                    hub_dkim::seal(sealer, results, *passes, &header, pieces(), now).map_err(unreadable)?
                }
                _ => String::new(),
            };
            Ok([signatures.as_bytes(), seal.as_bytes(), &trace, &header, &body].concat())
        });
        signed.await?
    }
}

impl Front {
    fn read(prefix: &[u8]) -> Self {
        let mut front = Self { trace: Vec::with_capacity(prefix.len()), ..Self::default() };
        let (mut seal, mut results) = (None, None);
        for (name, value) in hub_dkim::fields(prefix) {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            if is("DKIM-Signature") {
                let domain = || hub_dkim::Tags::parse(value)?.text("d").map(str::to_owned);
                front.signed_by = front.signed_by.take().or_else(domain);
            } else if is("ARC-Seal") {
                let tags = hub_dkim::Tags::parse(value);
                seal =
                    tags.and_then(|tags| Some((tags.text("d")?.to_owned(), tags.text("cv") == Some("pass"))));
            } else if is("ARC-Authentication-Results") {
                // `instance ";" results`
                let value = String::from_utf8_lossy(value);
                results = value.split_once(';').map(|(_, results)| results.trim().to_owned());
            } else if !is("ARC-Message-Signature") {
                front.trace.extend_from_slice(&[name, b":", value].concat());
            }
        }
        front.sealed = seal.zip(results).map(|((domain, passes), results)| Seal { domain, results, passes });
        front
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_taken_out_of_the_fields_in_front() {
        let prefix = b"Received: x\r\n\ty\r\nDKIM-Signature: v=1; d=a.test;\r\n\ts=x; b=\r\nX: z\r\n";
        let front = Front::read(prefix);
        assert_eq!(String::from_utf8_lossy(&front.trace), "Received: x\r\n\ty\r\nX: z\r\n");
        assert_eq!((front.signed_by.as_deref(), front.sealed), (Some("a.test"), None));
        assert_eq!(Front::read(b"Received: x\r\n").signed_by, None);
    }

    #[test]
    fn a_seal_says_what_the_next_one_must_say() {
        let prefix = b"ARC-Seal: i=2; t=1; a=rsa-sha256; d=a.test; s=x;\r\n\tcv=pass;\r\n\tb=AA==\r\n\
            ARC-Message-Signature: i=2; b=AA==\r\n\
            ARC-Authentication-Results: i=2; mx.a.test;\r\n\tspf=pass\r\nReceived: x\r\n";
        let front = Front::read(prefix);
        assert_eq!(front.trace, b"Received: x\r\n");
        let results = "mx.a.test;\r\n\tspf=pass".to_owned();
        assert_eq!(front.sealed, Some(Seal { domain: "a.test".into(), results, passes: true }));
        let first = String::from_utf8_lossy(prefix).replace("i=2", "i=1").replace("cv=pass", "cv=none");
        assert!(Front::read(first.as_bytes()).sealed.is_some_and(|seal| !seal.passes));
    }
}

//! What is heard from a filter.

use crate::{Error, Refusal};

/// Longest packet that is read; a reply or a header field is far below.
const MAX_PACKET: usize = 256 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    /// SMFIR_ADDHEADER and SMFIR_INSHEADER: with all fields in front, the place is one.
    AddHeader {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// SMFIR_CHGHEADER: the value of a field that is there; of one that is not, it is added.
    ChangeHeader {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Continue,
    Discard,
    /// The steps and answers that the filter does without.
    Negotiated {
        steps: u32,
    },
    /// It works on it.
    Progress,
    Quarantine(String),
    Refuse(Refusal),
    Skip,
    /// Something that was not offered.
    Unheard(u8),
}

/// Takes a packet from the front of `input`, if it is there completely.
pub(crate) fn take(input: &mut Vec<u8>) -> Result<Option<Answer>, Error> {
    let Some((length, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > MAX_PACKET {
        return Err(Error::Protocol("a packet of impossible length"));
    }
    if rest.len() < length {
        return Ok(None);
    }
    let answer = read(&rest[..length])?;
    input.drain(..4 + length);
    Ok(Some(answer))
}

fn read(packet: &[u8]) -> Result<Answer, Error> {
    let (&command, data) = packet.split_first().ok_or(Error::Protocol("an empty packet"))?;
    Ok(match command {
        b'O' => negotiated(data)?,
        b'a' => Answer::Accept,
        b'c' => Answer::Continue,
        b'd' => Answer::Discard,
        b'h' => add_header(data)?,
        b'i' => add_header(data.get(4..).ok_or(MALFORMED)?)?,
        b'm' => {
            let (name, value) = field(data.get(4..).ok_or(MALFORMED)?)?;
            Answer::ChangeHeader { name, value }
        }
        b'p' => Answer::Progress,
        b'q' => Answer::Quarantine(printable(texts(data)?.first().copied().unwrap_or_default())),
        b'r' => Answer::Refuse(Refusal { code: 550, text: "5.7.1 Refused by the content filter".into() }),
        b's' => Answer::Skip,
        b't' => temporary(),
        b'y' => Answer::Refuse(reply(texts(data)?.first().copied().unwrap_or_default())),
        // SMFIR_SHUTDOWN: close the connection with 421. The message is what it is about here.
        b'4' => temporary(),
        other => Answer::Unheard(other),
    })
}

const MALFORMED: Error = Error::Protocol("a malformed packet");

fn temporary() -> Answer {
    Answer::Refuse(Refusal { code: 451, text: "4.7.1 The content filter asks to try again later".into() })
}

/// `version(4) actions(4) steps(4)`. What actions the filter means to ask for does not matter: those
/// that were not offered are not done.
fn negotiated(data: &[u8]) -> Result<Answer, Error> {
    let number = |at: usize| {
        let octets = data.get(at..at + 4).and_then(|octets| octets.first_chunk::<4>());
        octets.map(|octets| u32::from_be_bytes(*octets)).ok_or(MALFORMED)
    };
    let (version, steps) = (number(0)?, number(8)?);
    if version < 2 {
        return Err(Error::Protocol("a version before 2"));
    }
    Ok(Answer::Negotiated { steps })
}

fn add_header(data: &[u8]) -> Result<Answer, Error> {
    let (name, value) = field(data)?;
    Ok(Answer::AddHeader { name, value })
}

/// `name NUL value NUL`
fn field(data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    match texts(data)?[..] {
        [name, value] => Ok((name.to_vec(), value.to_vec())),
        _ => Err(MALFORMED),
    }
}

/// `*(text NUL)`
fn texts(data: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let data = data.strip_suffix(b"\0").ok_or(MALFORMED)?;
    Ok(data.split(|&byte| byte == 0).collect())
}

/// SMFIR_REPLYCODE: `code SP text`, with the enhanced code in the text; of several lines the first. A
/// code that refuses nothing is taken for a refusal, which is what the packet is for.
fn reply(text: &[u8]) -> Refusal {
    let line = printable(text.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default());
    let code = line.get(..3).and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
    let text = line.get(3..).unwrap_or_default().trim_start_matches([' ', '-']).to_owned();
    Refusal { code: code.unwrap_or(550), text }
}

fn printable(text: &[u8]) -> String {
    text.iter()
        .take(400)
        .map(|&byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(packet: &[u8]) -> Result<Option<Answer>, Error> {
        let mut input = u32::try_from(packet.len()).expect("short").to_be_bytes().to_vec();
        input.extend_from_slice(packet);
        take(&mut input)
    }

    #[test]
    fn packets() {
        let refusal = |code, text: &str| Answer::Refuse(Refusal { code, text: text.into() });
        let field = |name: &str, value: &str| Answer::AddHeader { name: name.into(), value: value.into() };
        for (packet, expected) in [
            (&b"c"[..], Answer::Continue),
            (b"a", Answer::Accept),
            (b"s", Answer::Skip),
            (b"O\0\0\0\x06\0\0\x01\xff\0\0\x10\0", Answer::Negotiated { steps: 0x1000 }),
            (b"hX-Spam\0Yes\0", field("X-Spam", "Yes")),
            (b"i\0\0\0\x01X-Spam\0a\n\tb\0", field("X-Spam", "a\n\tb")),
            (b"y554 5.7.1 Spam\0", refusal(554, "5.7.1 Spam")),
            (b"y451-4.7.1 one\r\n451 4.7.1 two\0", refusal(451, "4.7.1 one")),
            (b"y250 fine\0", refusal(550, "fine")),
            (b"y\xff\0", refusal(550, "")),
            (b"qa\x07b\0", Answer::Quarantine("a?b".into())),
            (b"m\0\0\0\x01X\0\0", Answer::ChangeHeader { name: b"X".to_vec(), value: Vec::new() }),
            (b"bbody", Answer::Unheard(b'b')),
        ] {
            assert_eq!(one(packet).expect("understood"), Some(expected), "{}", packet.escape_ascii());
        }
        assert!(matches!(one(b"t"), Ok(Some(Answer::Refuse(Refusal { code: 451, .. })))));
        assert!(matches!(one(b"r"), Ok(Some(Answer::Refuse(Refusal { code: 550, .. })))));
    }

    #[test]
    fn what_no_filter_says() {
        for packet in
            [&b"O\0\0\0\x06"[..], b"O\0\0\0\x01\0\0\0\0\0\0\0\0", b"hname\0", b"hname", b"h", b"i\0", b"y"]
        {
            assert!(one(packet).is_err(), "{}", packet.escape_ascii());
        }
        assert!(take(&mut vec![0, 0, 0, 0, b'c']).is_err());
        assert!(take(&mut vec![0xff; 4]).is_err(), "no such length is waited for");
        assert!(matches!(take(&mut vec![0, 0, 0, 2, b'h']), Ok(None)));
    }

    proptest::proptest! {
        /// Any bytes are packets or an error, and taking them ends.
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let mut input = bytes;
            while let Ok(Some(_)) = take(&mut input) {}
        }
    }
}

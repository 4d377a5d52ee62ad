//! Replies of the other side (RFC 5321 §4.2), in bounds.

use std::fmt;

use smtp_proto::Error;
use smtp_proto::response::parser::ResponseReceiver;

use crate::outbound::next_hop::{Verdict, printable};

/// Octets of one reply. The longest that are sent on purpose, to EHLO, have some hundred.
const MAX_REPLY: usize = 16 * 1024;

/// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// RFC 2034; all zero without one.
    enhanced: [u8; 3],
    /// Without codes, lines ended by LF.
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    pub(crate) fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Of a greeting: the name of the host.
    pub(crate) fn first_word(&self) -> &str {
        self.text.split_ascii_whitespace().next().unwrap_or_default()
    }

    pub(crate) fn delivered(&self) -> Verdict {
        Verdict::Delivered(printable(&self.to_string()))
    }

    /// RFC 5321 §4.2.1: what is no success is temporary, but for the codes that begin with 5.
    pub(crate) fn refusal(&self) -> Verdict {
        if self.is_permanent() {
            Verdict::Failed(printable(&self.to_string()))
        } else {
            Verdict::Deferred(printable(&self.to_string()))
        }
    }
}

/// `550 5.1.1 no such user`
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        let [class, subject, detail] = self.enhanced;
        if class != 0 {
            write!(f, "{class}.{subject}.{detail} ")?;
        }
        f.write_str(&self.text)
    }
}

/// Finds replies in what comes in, in whatever pieces. smtp-proto 0.2.5 does the work; the bounds,
/// and that a code must be one, are ours.
#[derive(Default)]
pub(crate) struct ReplyParser {
    receiver: ResponseReceiver,
    octets: usize,
}

impl ReplyParser {
    /// Takes the next reply from `input`, or all of it if none is complete. After an error the
    /// stream makes no sense any more.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, &'static str> {
        let mut bytes = input.iter();
        let parsed = self.receiver.parse(&mut bytes);
        let rest = bytes.as_slice();
        self.octets += input.len() - rest.len();
        *input = rest;
        if self.octets > MAX_REPLY {
            return Err("the reply is too long");
        }
        match parsed {
            Ok(response) => {
                self.receiver.reset();
                self.octets = 0;
                if !(200..600).contains(&response.code) {
                    return Err("a reply that makes no sense");
                }
                Ok(Some(Reply { code: response.code, enhanced: response.esc, text: response.message }))
            }
            Err(Error::NeedsMoreData { .. }) => {
                // Whatever it says it has left, all of it is in the receiver now.
                *input = &[];
                Ok(None)
            }
            Err(Error::ResponseTooLong) => Err("the reply is too long"),
            Err(_) => Err("a reply that makes no sense"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8], size: usize) -> Result<Vec<String>, &'static str> {
        let mut parser = ReplyParser::default();
        let mut replies = Vec::new();
        for chunk in text.chunks(size.max(1)) {
            let mut chunk = chunk;
            while let Some(reply) = parser.feed(&mut chunk)? {
                replies.push(printable(&reply.to_string()));
            }
        }
        Ok(replies)
    }

    #[test]
    fn rfc5321_4_2_replies() {
        for (text, expected) in [
            ("220 mx.test ESMTP\r\n", Ok(vec!["220 mx.test ESMTP"])),
            ("250\r\n", Ok(vec!["250"])),
            ("250-a\r\n250-b\r\n250 c\r\n", Ok(vec!["250 a b c"])),
            ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", Ok(vec!["550 5.1.1 no such user"])),
            (
                "250 2.1.0 ok\r\n550 5.1.1 no\r\n354 go\r\n",
                Ok(vec!["250 2.1.0 ok", "550 5.1.1 no", "354 go"]),
            ),
            ("250 ok\n", Ok(vec!["250 ok"])),
            ("250 ok", Ok(vec![])),
            ("HTTP/1.1 400 Bad Request\r\n", Err("a reply that makes no sense")),
            ("099 x\r\n", Err("a reply that makes no sense")),
            ("999 x\r\n", Err("a reply that makes no sense")),
            ("25x ok\r\n", Err("a reply that makes no sense")),
        ] {
            let expected = expected.map(|list: Vec<&str>| list.into_iter().map(str::to_owned).collect());
            assert_eq!(parse(text.as_bytes(), text.len()), expected, "{text:?}");
            assert_eq!(parse(text.as_bytes(), 1), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn endless_replies_end() {
        assert!(parse(&b"220-x\r\n".repeat(10_000), 4096).is_err());
        assert!(
            parse(&b"220 ".iter().chain([b'x'; 100_000].iter()).copied().collect::<Vec<_>>(), 4096).is_err()
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "([2-5][0-9]{2}[ -][a-z0-9. ]{0,12}\r\n){0,5}", size in 1..20usize) {
            prop_assert_eq!(parse(text.as_bytes(), size), parse(text.as_bytes(), 1000));
        }
    }
}

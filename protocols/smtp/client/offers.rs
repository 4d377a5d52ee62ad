//! What the other side can do, from its answer to EHLO (RFC 5321 §4.1.1.1).

use smtp_proto::{
    EXT_8BIT_MIME, EXT_CHUNKING, EXT_DSN, EXT_PIPELINING, EXT_REQUIRE_TLS, EXT_SMTP_UTF8, EXT_START_TLS,
    EhloResponse,
};

/// Extensions that make a difference to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) chunking: bool,
    pub(crate) dsn: bool,
    pub(crate) eight_bit: bool,
    pub(crate) pipelining: bool,
    /// RFC 9422: recipients of one transaction.
    pub(crate) recipients: Option<usize>,
    /// RFC 8689.
    pub(crate) require_tls: bool,
    /// Announced, perhaps with a limit (RFC 1870 §4: 0 is none).
    pub(crate) size: Option<u64>,
    pub(crate) smtp_utf8: bool,
    pub(crate) start_tls: bool,
}

impl Offers {
    /// `ehlo-line = ehlo-keyword *( SP ehlo-param )`, after the first line, which has the host's name.
    pub(crate) fn read(text: &str) -> Self {
        let mut offers = Self::default();
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "8BITMIME" => offers.eight_bit = true,
                "CHUNKING" => offers.chunking = true,
                "DSN" => offers.dsn = true,
                "LIMITS" => offers.recipients = limit(words),
                "PIPELINING" => offers.pipelining = true,
                "REQUIRETLS" => offers.require_tls = true,
                "SIZE" => offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "STARTTLS" => offers.start_tls = true,
                _ => {}
            }
        }
        offers
    }
}

/// `RCPTMAX=1*6DIGIT` among the limits.
fn limit<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<usize> {
    let number = words.find_map(|word| word.strip_prefix("RCPTMAX="))?;
    number.parse().ok().filter(|&limit| limit > 0)
}

/// As mail-send has read it.
impl From<&EhloResponse<String>> for Offers {
    fn from(ehlo: &EhloResponse<String>) -> Self {
        let has = |extension| ehlo.has_capability(extension);
        Self {
            chunking: has(EXT_CHUNKING),
            dsn: has(EXT_DSN),
            eight_bit: has(EXT_8BIT_MIME),
            pipelining: has(EXT_PIPELINING),
            recipients: None,
            require_tls: has(EXT_REQUIRE_TLS),
            size: has(smtp_proto::EXT_SIZE).then_some(ehlo.size as u64),
            smtp_utf8: has(EXT_SMTP_UTF8),
            start_tls: has(EXT_START_TLS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5321_4_1_1_1_keywords() {
        let text =
            "mx.test SIZE 8BITMIME\nsize 1000\nPIPELINING\nX-NEW a b\nLIMITS MAILMAX=5 RCPTMAX=20\nstarttls";
        let expected = Offers {
            pipelining: true,
            recipients: Some(20),
            size: Some(1000),
            start_tls: true,
            ..Offers::default()
        };
        assert_eq!(Offers::read(text), expected, "the first line is a name and a greeting");
        assert_eq!(Offers::read("mx.test"), Offers::default());
        assert_eq!(Offers::read("mx.test\nSIZE").size, Some(0));
        assert_eq!(
            Offers::read("mx.test\nSIZE x\nLIMITS RCPTMAX=0"),
            Offers { size: Some(0), ..Offers::default() }
        );
    }
}

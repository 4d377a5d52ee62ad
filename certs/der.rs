//! What a certificate says of itself: names and validity (RFC 5280 §4.1), read from its DER.
//!
//! Only for choosing and showing our own certificates; whether one is valid is decided by rustls at
//! the other end.

use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// dNSName entries of subjectAltName, in lower case.
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Unix seconds.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// SubjectPublicKeyInfo, with its own tag and length.
    pub(crate) public_key: Vec<u8>,
    /// The octets of serialNumber.
    pub(crate) serial: Vec<u8>,
    /// keyIdentifier of authorityKeyIdentifier (RFC 5280 §4.2.1.1).
    pub(crate) authority_key: Option<Vec<u8>>,
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const KEY_IDENTIFIER: u8 = 0x80;

/// id-ce-subjectAltName, 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// id-ce-authorityKeyIdentifier, 2.5.29.35
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];

/// `None` if it is not a certificate.
pub(crate) fn facts(certificate: &[u8]) -> Option<Facts> {
    let mut tbs = Der(Der(Der(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    tbs.optional(VERSION);
    let serial = tbs.expect(INTEGER)?.to_vec();
    tbs.expect(SEQUENCE)?; // signature
    tbs.expect(SEQUENCE)?; // issuer
    let mut validity = Der(tbs.expect(SEQUENCE)?);
    let not_before = time(validity.next()?)?;
    let not_after = time(validity.next()?)?;
    tbs.expect(SEQUENCE)?; // subject
    let before = tbs.0;
    tbs.expect(SEQUENCE)?;
    let public_key = before[..before.len() - tbs.0.len()].to_vec();
    let mut facts = Facts {
        names: Vec::new(),
        addresses: Vec::new(),
        not_before,
        not_after,
        public_key,
        serial,
        authority_key: None,
    };
    while let Some((tag, content)) = tbs.next() {
        if tag == EXTENSIONS {
            let mut extensions = Der(Der(content).expect(SEQUENCE)?);
            while !extensions.0.is_empty() {
                let mut extension = Der(extensions.expect(SEQUENCE)?);
                let id = extension.expect(OID)?;
                extension.optional(BOOLEAN); // critical
                let value = extension.expect(OCTET_STRING)?;
                if id == SUBJECT_ALT_NAME {
                    alternative_names(value, &mut facts)?;
                } else if id == AUTHORITY_KEY_IDENTIFIER {
                    let key = Der(Der(value).expect(SEQUENCE)?).expect(KEY_IDENTIFIER);
                    facts.authority_key = key.map(<[u8]>::to_vec);
                }
            }
        }
    }
    Some(facts)
}

fn alternative_names(value: &[u8], facts: &mut Facts) -> Option<()> {
    let mut names = Der(Der(value).expect(SEQUENCE)?);
    while !names.0.is_empty() {
        match names.next()? {
            (DNS_NAME, name) => facts.names.push(std::str::from_utf8(name).ok()?.to_ascii_lowercase()),
            (IP_ADDRESS, octets) => {
                let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from).ok();
                facts.addresses.extend(v4.or_else(|| <[u8; 16]>::try_from(octets).map(IpAddr::from).ok()));
            }
            _ => {}
        }
    }
    Some(())
}

/// RFC 5280 §4.1.2.5: UTCTime `YYMMDDHHMMSSZ` (years 1950 to 2049), GeneralizedTime
/// `YYYYMMDDHHMMSSZ`.
fn time((tag, content): (u8, &[u8])) -> Option<i64> {
    let digits = content.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        std::str::from_utf8(digits.get(range)?).ok()?.parse().ok()
    };
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(0..2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(0..4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at..at + 2)?, number(at + 2..at + 4)?);
    let seconds = number(at + 4..at + 6)? * 3600 + number(at + 6..at + 8)? * 60 + number(at + 8..at + 10)?;
    Some(hub_civil::days(year, month, day)? * hub_civil::SECONDS_A_DAY + seconds)
}

/// The rest of a run of tag-length-value elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // At most three octets of length: no certificate has 16 MiB.
            let octets = usize::from(first & 0x7f);
            if !(1..=3).contains(&octets) || rest.len() < octets {
                return None;
            }
            length = rest[..octets].iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet));
            rest = &rest[octets..];
        }
        if rest.len() < length {
            return None;
        }
        let (content, rest) = rest.split_at(length);
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|&(found, _)| found == tag).map(|(_, content)| content)
    }

    fn optional(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate() -> Vec<u8> {
        let mut params =
            rcgen::CertificateParams::new(vec!["Example.org".into(), "127.0.0.1".into(), "::1".into()])
                .expect("names");
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2060, 12, 31);
        let key = rcgen::KeyPair::generate().expect("key");
        params.self_signed(&key).expect("certificate").der().to_vec()
    }

    #[test]
    fn names_and_validity_are_read() {
        let facts = facts(&certificate()).expect("a certificate");
        assert_eq!(facts.names, ["example.org"]);
        assert_eq!(facts.addresses, ["127.0.0.1".parse::<IpAddr>().expect("ip"), "::1".parse().expect("ip")]);
        assert_eq!(facts.not_before, 1_709_164_800, "UTCTime");
        assert_eq!(facts.not_after, 2_871_676_800, "GeneralizedTime");
    }

    proptest! {
        /// A damaged certificate is refused or read, never a panic.
        #[test]
        fn damage_is_survived(at in 0usize..600, byte in any::<u8>(), cut in 0usize..600) {
            let mut bytes = certificate();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length - cut % length);
            let _ = facts(&bytes);
        }
    }
}

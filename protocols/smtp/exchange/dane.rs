//! TLSA records, as SMTP uses them (RFC 7672 §3.1, pure).

use hub_dns::Tlsa;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256, Sha512};

// RFC 6698 §2.1.1.
pub(crate) const AUTHORITY: u8 = 2;
pub(crate) const END_ENTITY: u8 = 3;

/// Those that can be used. PKIX-TA(0) and PKIX-EE(1) are none for SMTP (RFC 7672 §3.1.3); a digest of
/// the wrong length was never made from a certificate.
pub(crate) fn usable(records: Vec<Tlsa>) -> Vec<Tlsa> {
    let fits = |record: &Tlsa| {
        let length = match record.matching {
            0 => !record.data.is_empty(),
            1 => record.data.len() == 32,
            2 => record.data.len() == 64,
            _ => false,
        };
        matches!(record.usage, AUTHORITY | END_ENTITY) && record.selector <= 1 && length
    };
    records.into_iter().filter(fits).collect()
}

/// Whether a record names this certificate (RFC 6698 §2.1.2 and §2.1.3).
pub(crate) fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let selected: &[u8] = match record.selector {
        0 => certificate,
        1 => match ParsedCertificate::try_from(certificate) {
            Ok(parsed) => {
                key = parsed.subject_public_key_info();
                &key
            }
            Err(_) => return false,
        },
        _ => return false,
    };
    match record.matching {
        0 => record.data == selected,
        1 => record.data == Sha256::digest(selected).as_slice(),
        2 => record.data == Sha512::digest(selected).as_slice(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
        Tlsa { usage, selector, matching, data: data.to_vec() }
    }

    #[test]
    fn rfc7672_3_1_what_can_be_used() {
        for (usage, selector, matching, length, fits) in [
            (3, 1, 1, 32, true),
            (2, 0, 2, 64, true),
            (3, 0, 0, 500, true),
            (0, 1, 1, 32, false),
            (1, 1, 1, 32, false),
            (4, 1, 1, 32, false),
            (3, 2, 1, 32, false),
            (3, 1, 3, 32, false),
            (3, 1, 1, 31, false),
            (3, 1, 2, 32, false),
            (3, 1, 0, 0, false),
        ] {
            let given = vec![record(usage, selector, matching, &vec![7; length])];
            assert_eq!(!usable(given).is_empty(), fits, "{usage} {selector} {matching} of {length}");
        }
    }

    #[test]
    fn rfc6698_2_1_certificates_and_keys() {
        let made = rcgen::generate_simple_self_signed(vec!["mx.test".to_owned()]).expect("made");
        let other = rcgen::generate_simple_self_signed(vec!["mx.test".to_owned()]).expect("made");
        let certificate = made.cert.der();
        let parsed = ParsedCertificate::try_from(certificate).expect("a certificate");
        let key = parsed.subject_public_key_info();
        for (selector, bytes) in [(0, certificate.as_ref()), (1, key.as_ref())] {
            for (matching, data) in [
                (0, bytes.to_vec()),
                (1, Sha256::digest(bytes).to_vec()),
                (2, Sha512::digest(bytes).to_vec()),
            ] {
                let record = record(3, selector, matching, &data);
                assert!(matches(&record, certificate), "{selector} {matching}");
                assert!(!matches(&record, other.cert.der()), "{selector} {matching}");
            }
        }
        assert!(!matches(&record(3, 1, 1, &[0; 32]), &CertificateDer::from(vec![1, 2, 3])));
    }
}

//! The domain in From and those who stand behind it (RFC 9989).

use hub::{Address, AuthResult, DmarcPolicy, Verdict};
use hub_mailauth::Envelope;

use crate::zone::Zone;

/// A message from `path` through 192.0.2.1, with these From fields and no signature.
async fn evaluate(zone: Zone, path: &str, from: &str) -> Verdict {
    let served = zone.serve();
    let authenticator = served.authenticator();
    let envelope = Envelope {
        peer: "192.0.2.1".parse().expect("an address"),
        helo: "peer.example".to_owned(),
        reverse_path: Address::parse(path).ok(),
    };
    let sender = authenticator.sender(envelope).await;
    let header = format!("From: {from}\r\nSubject: x\r\n\r\n");
    let message = authenticator.message(sender, 0, header.as_bytes(), std::iter::empty());
    message.await.expect("evaluated")
}

fn zone(dmarc: &str) -> Zone {
    let mut zone = Zone::default();
    for name in ["example.com", "bounce.example.com", "other.example"] {
        zone.txt(name, "v=spf1 ip4:192.0.2.0/24 -all");
    }
    zone.txt("_dmarc.example.com", dmarc);
    zone
}

#[tokio::test]
async fn rfc9989_alignment_and_policy() {
    use AuthResult::{Fail, None as Nothing, Pass};
    use DmarcPolicy::{None as Leave, Quarantine, Reject};
    for (dmarc, path, from, result, policy) in [
        ("v=DMARC1; p=reject", "a@example.com", "a@example.com", Pass, Reject),
        ("v=DMARC1; p=reject", "a@bounce.example.com", "a@example.com", Pass, Reject),
        ("v=DMARC1; p=reject; aspf=s", "a@bounce.example.com", "a@example.com", Fail, Reject),
        ("v=DMARC1; p=reject", "a@other.example", "a@example.com", Fail, Reject),
        ("v=DMARC1; p=reject; sp=none", "a@other.example", "a@bounce.example.com", Fail, Leave),
        ("v=DMARC1; p=none; np=reject", "a@other.example", "a@nowhere.example.com", Fail, Reject),
        ("v=DMARC1; p=reject; t=y", "a@other.example", "a@example.com", Fail, Quarantine),
        ("v=DMARC1; p=quarantine", "a@other.example", "\"a@example.com\" <b@example.com>", Fail, Quarantine),
        ("v=DMARC1; p=reject", "a@example.com", "a@other.example", Nothing, Leave),
        ("v=DMARC1; p=reject", "a@example.com", "a@example.com, b@other.example", Nothing, Leave),
    ] {
        let verdict = evaluate(zone(dmarc), path, from).await;
        let found = (verdict.dmarc.result, verdict.dmarc.policy);
        assert_eq!(found, (result, policy), "{dmarc}, {path}, {from}: {verdict:?}");
        assert_eq!(verdict.is_authentic(), result == Pass, "{dmarc}, {path}, {from}");
    }
}

#[tokio::test]
async fn without_a_record_a_domain_answers_for_itself() {
    let verdict = evaluate(zone("v=DMARC1; p=reject"), "a@other.example", "a@other.example").await;
    assert_eq!(verdict.dmarc.result, AuthResult::None);
    assert!(verdict.is_authentic());
    assert_eq!(verdict.authenticated_domains(), ["other.example"]);
}

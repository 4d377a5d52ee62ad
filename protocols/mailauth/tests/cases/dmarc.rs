//! The domain in From and those who stand behind it (RFC 9989).

use hub::{Address, AuthResult, DmarcPolicy, Verdict};
use hub_mailauth::Envelope;

use crate::zone::{Entry, Zone};

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

/// From with several domains must not be a way around the policy of one of them.
#[tokio::test]
async fn rfc7489_6_6_1_of_several_authors_the_strictest_counts() {
    use AuthResult::{Fail, None as Nothing, Pass, PermError};
    use DmarcPolicy::{None as Leave, Quarantine, Reject};
    let several = || {
        let mut zone = zone("v=DMARC1; p=reject");
        zone.txt("_dmarc.wary.example", "v=DMARC1; p=quarantine");
        zone
    };
    for (path, from, result, policy, domain, is_authentic) in [
        ("a@other.example", "a@other.example, b@example.com", Fail, Reject, "example.com", false),
        ("a@other.example", "b@example.com, a@other.example", Fail, Reject, "example.com", false),
        ("a@wary.example", "x@wary.example, g: b@example.com;", Fail, Reject, "example.com", false),
        ("a@other.example", "a@other.example, b@wary.example", Fail, Quarantine, "wary.example", false),
        ("a@other.example", "a@example.com\r\nFrom: a@other.example", Fail, Reject, "example.com", false),
        // One stands behind it, the other one has no say.
        ("a@example.com", "a@example.com, b@other.example", Nothing, Leave, "other.example", false),
        ("a@example.com", "a@example.com, b@EXAMPLE.com", Pass, Reject, "example.com", true),
        ("a@example.com", "a@example.com, b@bounce.example.com", Pass, Reject, "bounce.example.com", true),
        // Nobody asks them all.
        (
            "a@a.example",
            "a@a.example, b@b.example, c@c.example, d@d.example, e@e.example",
            PermError,
            Reject,
            "",
            false,
        ),
    ] {
        let verdict = evaluate(several(), path, from).await;
        let found = (verdict.dmarc.result, verdict.dmarc.policy, verdict.dmarc.domain.as_str());
        assert_eq!(found, (result, policy, domain), "{path}, {from}: {verdict:?}");
        assert_eq!(verdict.is_authentic(), is_authentic, "{path}, {from}: {verdict:?}");
    }
}

#[tokio::test]
async fn rfc5322_3_6_2_a_message_from_nobody_is_suspicious() {
    for from in ["", "MAILER-DAEMON", "nobody:;"] {
        let verdict = evaluate(zone("v=DMARC1; p=reject"), "a@example.com", from).await;
        let found = (verdict.dmarc.result, verdict.dmarc.policy);
        assert_eq!(found, (AuthResult::PermError, DmarcPolicy::Quarantine), "{from:?}: {verdict:?}");
        let bounce = evaluate(zone("v=DMARC1; p=reject"), "", from).await;
        assert_eq!(bounce.dmarc.policy, DmarcPolicy::None, "{from:?}: a bounce");
    }
}

/// RFC 2308 §2: a router that says no to everything publishes no policy.
#[tokio::test]
async fn a_no_without_authority_leaves_it_open() {
    let mut zone = Zone::default();
    zone.txt("other.example", "v=spf1 ip4:192.0.2.0/24 -all");
    zone.add("_dmarc.other.example", Entry::Unfounded);
    zone.add("unfounded.example", Entry::Unfounded);
    let verdict = evaluate(zone.clone(), "a@other.example", "a@other.example").await;
    assert_eq!(verdict.dmarc.result, AuthResult::TempError);
    let verdict = evaluate(zone, "a@unfounded.example", "a@third.example").await;
    assert_eq!(verdict.spf.result, AuthResult::TempError);
}

/// The same for np=, which is for names that are known not to exist.
#[tokio::test]
async fn rfc9989_4_7_a_name_that_may_exist_is_not_nonexistent() {
    for (entry, policy) in [(None, DmarcPolicy::Reject), (Some(Entry::Unfounded), DmarcPolicy::None)] {
        let mut zone = zone("v=DMARC1; p=none; np=reject");
        if let Some(entry) = entry {
            zone.add("nowhere.example.com", entry);
        }
        let verdict = evaluate(zone, "a@other.example", "a@nowhere.example.com").await;
        assert_eq!(verdict.dmarc.policy, policy);
    }
}

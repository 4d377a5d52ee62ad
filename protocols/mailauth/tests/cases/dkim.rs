//! Signed messages.

use hub::{AuthResult, Verdict};
use hub_mailauth::{Authenticator, Envelope};

use crate::zone::Zone;

/// When all messages here were fresh.
pub(crate) const NOW: i64 = 1_667_843_664;

/// Evaluates a message with LF line ends, from nobody in particular.
pub(crate) async fn evaluate(authenticator: &Authenticator, message: &str) -> Verdict {
    let message = message.replace("\r\n", "\n").replace('\n', "\r\n");
    let end = message.find("\r\n\r\n").map_or(message.len(), |at| at + 4);
    let (header, body) = message.split_at(end);
    let envelope = Envelope {
        peer: "192.0.2.1".parse().expect("an address"),
        helo: "peer.example".to_owned(),
        reverse_path: None,
    };
    let sender = authenticator.sender(envelope).await;
    let pieces: Vec<_> = body.as_bytes().chunks(7).map(|piece| Ok(piece.to_vec().into())).collect();
    authenticator.message(sender, NOW, header.as_bytes(), pieces.into_iter()).await.expect("evaluated")
}

/// Lines `name record`, an empty line, the message.
pub(crate) fn split(text: &str) -> (Zone, &str) {
    let (records, message) = text.split_once("\n\n").expect("records and a message");
    let mut zone = Zone::default();
    for line in records.lines() {
        let (name, record) = line.split_once(' ').expect("a name and a record");
        zone.txt(name, record.trim());
    }
    (zone, message)
}

#[tokio::test]
async fn signed_messages() {
    for (name, text, expected) in [
        ("001", include_str!("../data/dkim/001.txt"), "pass pass"),
        ("002", include_str!("../data/dkim/002.txt"), "pass"),
        ("003", include_str!("../data/dkim/003.txt"), "pass pass"),
        ("004", include_str!("../data/dkim/004.txt"), "pass"),
        ("005", include_str!("../data/dkim/005.txt"), "pass"),
        ("006", include_str!("../data/dkim/006.txt"), "pass"),
    ] {
        let (zone, message) = split(text);
        let served = zone.serve();
        let verdict = evaluate(&served.authenticator(), message).await;
        let results: Vec<String> = verdict.dkim.iter().map(|dkim| dkim.result.to_string()).collect();
        assert_eq!(results.join(" "), expected, "{name}: {:?}", verdict.dkim);
        let changed = evaluate(&served.authenticator(), &format!("{message}\nMore.\n")).await;
        assert!(
            changed.dkim.iter().all(|dkim| dkim.result == AuthResult::Fail),
            "{name}: {:?}",
            changed.dkim
        );
    }
}

/// The tests of dkimpy, with its answers.
#[tokio::test]
async fn good_and_bad_keys() {
    const FOOTBALL: &str = "test._domainkey.football.example.com";
    let both = include_str!("../data/dkim/dkimpy/rfc6376.signed.msg");
    let rsa = include_str!("../data/dkim/dkimpy/rfc6376.signed.rsa.msg");
    let ed25519 = include_str!("../data/dkim/dkimpy/ed25519test2.msg");
    let good = include_str!("../data/dkim/dkimpy/test.txt");
    let exim = include_str!("../data/dkim/dkimpy/eximtest.dns");
    for (name, message, at, key, passes) in [
        ("both", both, FOOTBALL, good, "yes yes"),
        ("rsa", rsa, FOOTBALL, good, "yes"),
        ("without k=", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/test2.txt"), "yes"),
        ("k= is no key type", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/badk.txt"), "no"),
        ("malformed", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/badversion.txt"), "no"),
        ("damaged", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/test_bad.txt"), "no"),
        ("another", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/2048_testkey_wo_markers.pub.txt"), "no"),
        ("of another service", rsa, FOOTBALL, include_str!("../data/dkim/dkimpy/test_tlsrpt.txt"), "no"),
        ("changed", include_str!("../data/dkim/dkimpy/rfc6376.signed.no_t.msg"), FOOTBALL, good, "no"),
        (
            "no domain",
            include_str!("../data/dkim/dkimpy/test.message.baddomain"),
            "test._domainkey.legitimate.com(.attacker.com",
            good,
            "no",
        ),
        ("exim", ed25519, "sed._domainkey.test.ex", exim, "yes"),
        (
            "not exim's",
            ed25519,
            "sed._domainkey.test.ex",
            include_str!("../data/dkim/dkimpy/ed25519test.dns"),
            "no",
        ),
    ] {
        let mut zone = Zone::default();
        zone.txt(at, key.trim());
        zone.txt(
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        );
        let verdict = evaluate(&zone.serve().authenticator(), message).await;
        let found: Vec<_> =
            verdict.dkim.iter().map(|dkim| if dkim.result.is_pass() { "yes" } else { "no" }).collect();
        assert_eq!(found.join(" "), passes, "{name}: {:?}", verdict.dkim);
    }
}

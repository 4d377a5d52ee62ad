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

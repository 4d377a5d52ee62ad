//! Lists of senders known for junk (RFC 5782).

use std::time::Duration;

use hub::{Address, Verdict};
use hub_mailauth::{Authenticator, Envelope, List, ListState, Listed};

use crate::zone::{Entry, Zone};

fn lists() -> Vec<List> {
    let list = |zone: &str, lists, refuses| List { zone: zone.into(), lists, refuses };
    vec![
        list("zen.example", Listed::Addresses, true),
        list("soft.example", Listed::Addresses, false),
        list("names.example", Listed::Domains, true),
    ]
}

async fn evaluate(authenticator: &Authenticator, peer: &str, helo: &str, path: &str, from: &str) -> Verdict {
    let envelope = Envelope {
        peer: peer.parse().expect("an address"),
        helo: helo.to_owned(),
        reverse_path: Address::parse(path).ok(),
    };
    let sender = authenticator.sender(envelope).await;
    let header = format!("From: {from}\r\n\r\n");
    authenticator.message(sender, 0, header.as_bytes(), std::iter::empty()).await.expect("evaluated")
}

fn found(verdict: &Verdict) -> Vec<(&str, &str)> {
    verdict.listed.iter().map(|listing| (listing.list.as_str(), listing.subject.as_str())).collect()
}

#[tokio::test]
async fn rfc5782_2_1_only_127_8_is_an_entry() {
    let mut zone = Zone::default();
    for (name, answer) in [
        ("1.2.0.192.zen.example", "127.0.0.2"),
        ("1.2.0.192.soft.example", "127.0.0.10"),
        ("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example", "127.0.0.4"),
        // The resolver may not ask; the zone was sold to somebody with a web server.
        ("2.2.0.192.zen.example", "127.255.255.254"),
        ("3.2.0.192.zen.example", "203.0.113.9"),
    ] {
        zone.address(name, answer);
    }
    zone.txt("1.2.0.192.zen.example", "https://zen.example/192.0.2.1\r\n250 ok");
    zone.add("4.2.0.192.zen.example", Entry::Trouble);
    zone.add("5.2.0.192.zen.example", Entry::Unfounded);
    let served = zone.serve();
    let authenticator = served.authenticator().with_lists(lists());
    for (peer, expected) in [
        ("192.0.2.1", vec![("zen.example", "192.0.2.1"), ("soft.example", "192.0.2.1")]),
        ("::ffff:192.0.2.1", vec![("zen.example", "192.0.2.1"), ("soft.example", "192.0.2.1")]),
        ("2001:db8::7", vec![("zen.example", "2001:db8::7")]),
        ("192.0.2.2", vec![]),
        ("192.0.2.3", vec![]),
        ("192.0.2.4", vec![]),
        ("192.0.2.5", vec![]),
        ("192.0.2.6", vec![]),
    ] {
        let verdict = evaluate(&authenticator, peer, "mx.test", "a@b.test", "a@b.test").await;
        assert_eq!(found(&verdict), expected, "{peer}");
        if peer == "192.0.2.1" {
            let reasons: Vec<_> = verdict.listed.iter().map(|listing| listing.reason.as_deref()).collect();
            assert_eq!(reasons, [Some("https://zen.example/192.0.2.1250 ok"), None], "one line at most");
            assert_eq!(
                verdict.listed.iter().map(|listing| listing.refuses).collect::<Vec<_>>(),
                [true, false]
            );
        }
    }
}

#[tokio::test]
async fn rfc5782_5_who_lists_everybody_is_not_believed() {
    let mut zone = Zone::default();
    for name in
        ["1.2.0.192.zen.example", "1.0.0.127.zen.example", "b.test.names.example", "invalid.names.example"]
    {
        zone.address(name, "127.0.0.2");
    }
    let served = zone.serve();
    let authenticator = served.authenticator().with_lists(lists());
    let verdict = evaluate(&authenticator, "192.0.2.1", "mx.test", "a@b.test", "a@b.test").await;
    assert_eq!(found(&verdict), []);
}

#[tokio::test]
async fn rfc5782_3_domains_of_helo_envelope_and_author() {
    let mut zone = Zone::default();
    for name in ["helo.test", "path.test", "from.test", "192.0.2.9"] {
        zone.address(&format!("{name}.names.example"), "127.0.1.2");
    }
    let served = zone.serve();
    let authenticator = served.authenticator().with_lists(lists());
    for (helo, path, from, subjects) in [
        ("HELO.test", "a@b.test", "a@b.test", vec!["helo.test"]),
        ("mx.test", "a@path.test", "a@path.test", vec!["path.test"]),
        ("mx.test", "a@b.test", "a@from.test, x@b.test", vec!["from.test"]),
        ("helo.test", "a@path.test", "a@from.test", vec!["helo.test", "path.test", "from.test"]),
        ("192.0.2.9", "", "nobody", vec![]),
    ] {
        let verdict = evaluate(&authenticator, "192.0.2.1", helo, path, from).await;
        let found: Vec<_> = verdict.listed.iter().map(|listing| listing.subject.as_str()).collect();
        assert_eq!(found, subjects, "{helo}, {path}, {from}");
    }
}

#[tokio::test]
async fn nobody_asks_about_private_peers_and_nobody_twice() {
    let mut zone = Zone::default();
    for name in ["1.0.0.10.zen.example", "1.2.0.192.zen.example", "b.test.names.example"] {
        zone.address(name, "127.0.0.2");
    }
    let served = zone.serve();
    let authenticator = served.authenticator().with_lists(lists());
    for peer in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1"] {
        let verdict = evaluate(&authenticator, peer, "mx.test", "a@b.test", "a@b.test").await;
        assert_eq!(found(&verdict), [], "{peer}");
    }
    evaluate(&authenticator, "192.0.2.1", "mx.test", "a@b.test", "a@b.test").await;
    let asked = served.asked();
    let again = evaluate(&authenticator, "192.0.2.1", "mx.test", "a@b.test", "a@b.test").await;
    assert_eq!(again.listed.len(), 2);
    assert_eq!(served.asked(), asked, "what was asked is remembered");
}

#[tokio::test]
async fn a_silent_list_says_nothing() {
    let mut zone = Zone::default();
    zone.add("1.2.0.192.zen.example", Entry::Silence);
    zone.address("1.2.0.192.soft.example", "127.0.0.2");
    let served = zone.serve();
    let authenticator = served.authenticator().with_lists(lists()).with_time(Duration::from_secs(2));
    let verdict = evaluate(&authenticator, "192.0.2.1", "mx.test", "a@b.test", "a@b.test").await;
    assert_eq!(found(&verdict), [("soft.example", "192.0.2.1")]);
}

#[tokio::test]
async fn rfc5782_5_lists_have_entries_to_try_them_with() {
    let mut zone = Zone::default();
    for name in
        ["2.0.0.127.zen.example", "test.names.example", "2.0.0.127.soft.example", "1.0.0.127.soft.example"]
    {
        zone.address(name, "127.0.0.2");
    }
    zone.address("2.0.0.127.shy.example", "127.255.255.254");
    let served = zone.serve();
    let authenticator = served.authenticator();
    let shy = List { zone: "shy.example".into(), lists: Listed::Addresses, refuses: true };
    let mut states = Vec::new();
    for list in lists().iter().chain([&shy]) {
        states.push(authenticator.try_list(list).await);
    }
    assert_eq!(states, [ListState::Works, ListState::Everybody, ListState::Works, ListState::Silent]);
}

//! Senders who want work done for nothing.

use std::time::Duration;

use hub::AuthResult;
use hub_mailauth::{Envelope, Query};

use crate::dkim::evaluate;
use crate::zone::{Entry, Zone, address_entry, alias, mail_host, pointer, txt};

async fn spf(zone: Zone, domain: &str) -> (AuthResult, usize) {
    let served = zone.serve();
    let ip = "192.0.2.1".parse().expect("an address");
    let query = Query { ip, domain, sender: domain, helo: "h.example", receiver: "r.example" };
    let answer = served.authenticator().spf(query).await;
    (answer.result, served.asked())
}

#[tokio::test]
async fn rfc7208_4_6_4_an_endless_chain_of_includes_ends() {
    let mut zone = Zone::default();
    for n in 0..100 {
        zone.txt(&format!("n{n}.example.com"), &format!("v=spf1 include:n{}.example.com -all", n + 1));
    }
    let (result, asked) = spf(zone, "n0.example.com").await;
    assert_eq!(result, AuthResult::PermError);
    assert!(asked <= 11, "{asked} questions");
}

#[tokio::test]
async fn rfc7208_4_6_4_a_record_that_branches_ends() {
    let mut zone = Zone::default();
    let includes = "include:self.example.com ".repeat(12);
    zone.txt("self.example.com", &format!("v=spf1 {includes}-all"));
    let (result, asked) = spf(zone, "self.example.com").await;
    assert_eq!(result, AuthResult::PermError);
    assert!(asked <= 11, "{asked} questions");
}

#[tokio::test]
async fn rfc7208_4_6_4_names_without_records_are_few() {
    let mut zone = Zone::default();
    zone.txt(
        "void.example.com",
        "v=spf1 a:a.example.net a:b.example.net a:c.example.net a:d.example.net ?all",
    );
    let (result, asked) = spf(zone, "void.example.com").await;
    assert_eq!(result, AuthResult::PermError);
    assert!(asked <= 4, "{asked} questions");
}

#[tokio::test]
async fn rfc7208_4_6_4_many_mail_hosts() {
    let mut zone = Zone::default();
    zone.txt("mx.example.com", "v=spf1 mx -all");
    for n in 0..40 {
        zone.add("mx.example.com", mail_host(n, &format!("h{n}.example.com")));
        zone.address(&format!("h{n}.example.com"), "192.0.2.99");
    }
    let (result, asked) = spf(zone, "mx.example.com").await;
    assert_eq!(result, AuthResult::PermError);
    assert!(asked <= 3, "{asked} questions");
}

#[tokio::test]
async fn records_of_the_wrong_type_are_none() {
    let mut zone = Zone::default();
    zone.add("wrong.example.com", address_entry("192.0.2.1"));
    assert_eq!(spf(zone, "wrong.example.com").await.0, AuthResult::None);
    let mut zone = Zone::default();
    zone.add("bytes.example.com", txt(&[b"v=spf1 \xff\xfe a:\0 -all".to_vec()]));
    assert_eq!(spf(zone, "bytes.example.com").await.0, AuthResult::PermError);
}

#[tokio::test]
async fn of_many_signatures_a_few_are_looked_at() {
    let signature = |n: u32| {
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.example.com; s=s; h=from;\n \
             bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n"
        )
    };
    let signatures: String = (0..100).map(signature).collect();
    let served = Zone::default().serve();
    let message = format!("{signatures}From: a@example.com\n\n");
    let verdict = evaluate(&served.authenticator(), &message).await;
    assert_eq!(verdict.dkim.len(), 10);
    // With those for iprev, SPF and DMARC.
    assert!(served.asked() <= 20, "{} questions", served.asked());
}

#[tokio::test]
async fn a_name_server_in_trouble_is_no_reason_to_refuse() {
    let mut zone = Zone::default();
    zone.add("example.com", Entry::Trouble);
    zone.add("_dmarc.example.com", Entry::Trouble);
    let served = zone.serve();
    let authenticator = served.authenticator();
    let envelope = Envelope {
        peer: "192.0.2.1".parse().expect("an address"),
        helo: "peer.example".to_owned(),
        reverse_path: hub::Address::parse("a@example.com").ok(),
    };
    let sender = authenticator.sender(envelope).await;
    let header = b"From: a@example.com\r\n\r\n";
    let verdict = authenticator.message(sender, 0, header, std::iter::empty()).await.expect("evaluated");
    assert_eq!(verdict.spf.result, AuthResult::TempError);
    assert_eq!(verdict.dmarc.result, AuthResult::TempError);
    assert!(!verdict.is_authentic());
}

#[tokio::test]
async fn a_signature_of_endless_names_is_not_looked_at() {
    let names = "x:".repeat(100_000);
    let fields = "y: z\n".repeat(20_000);
    let tags =
        format!("d=example.com; s=s; h={names}from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA");
    let message = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; {tags}\nARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.com; s=s; b=AAAA\n\
         ARC-Message-Signature: i=1; a=rsa-sha256; {tags}\nARC-Authentication-Results: i=1; x\n\
         {fields}From: a@example.com\n\n"
    );
    let served = Zone::default().serve();
    let verdict = evaluate(&served.authenticator(), &message).await;
    assert!(verdict.dkim.is_empty(), "{:?}", verdict.dkim);
    assert_eq!(verdict.arc, AuthResult::Fail);
}

#[tokio::test]
async fn macros_that_swell_are_cut() {
    let mut zone = Zone::default();
    zone.txt("swell.example.com", &format!("v=spf1 exists:{}.example.com -all", "%{i}.".repeat(150)));
    assert_eq!(spf(zone, "swell.example.com").await.0, AuthResult::Fail);
}

/// A signer whose name server says nothing has no say in how the author's domain is asked, nor about the
/// signatures of others.
#[tokio::test]
async fn a_silent_signer_does_not_use_up_the_authors_time() {
    let (mut zone, message) = crate::dkim::split(include_str!("../data/dkim/002.txt"));
    zone.add("s._domainkey.silent.example", Entry::Silence);
    zone.txt("_dmarc.silent.example", "v=DMARC1; p=reject");
    zone.txt("_dmarc.strict.example", "v=DMARC1; p=reject");
    let served = zone.serve();
    let authenticator = served.authenticator().with_time(Duration::from_secs(2));
    let signature = "DKIM-Signature: v=1; a=rsa-sha256; d=silent.example; s=s; h=from; bh=";
    let hash = message.split_once("bh=").and_then(|(_, rest)| rest.split_once(';')).expect("a hash").0;
    let hash: String = hash.split_whitespace().collect();
    let signed = format!("{signature}{hash}; c=relaxed/relaxed; b=AAAA\n{message}");
    let verdict = evaluate(&authenticator, &signed).await;
    let results: Vec<_> = verdict.dkim.iter().map(|dkim| dkim.result).collect();
    assert_eq!(results, [AuthResult::TempError, AuthResult::Pass]);
    assert_ne!(verdict.dmarc.result, AuthResult::TempError, "{verdict:?}");

    // It may have been the right one only for its own domain.
    for (author, result) in [("silent.example", AuthResult::TempError), ("strict.example", AuthResult::Fail)]
    {
        let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let message = format!("{signature}{hash}; c=relaxed/relaxed; b=AAAA\nFrom: a@{author}\n\n");
        let verdict = evaluate(&authenticator, &message).await;
        assert_eq!(verdict.dmarc.result, result, "{author}: {verdict:?}");
        assert_eq!(verdict.is_open(), result == AuthResult::TempError);
    }
}

/// RFC 8617 §4.2.1 allows 50 sets: more are no chain, and nobody is asked about it. Of one that is whole,
/// what does not fit ends the work.
#[tokio::test]
async fn a_chain_of_a_hundred_seals_is_none() {
    let set = |i: usize| {
        let tags = format!("i={i}; a=rsa-sha256; d=d{i}.example.com; s=s; b=AAAA");
        format!(
            "ARC-Seal: {tags}; cv={}\nARC-Message-Signature: {tags}; h=from;\n \
             bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nARC-Authentication-Results: i={i}; x\n",
            if i == 1 { "none" } else { "pass" }
        )
    };
    let asked = async |sets: usize| {
        let chain: String = (1..=sets).rev().map(set).collect();
        let served = Zone::default().serve();
        let message = format!("{chain}From: a@example.com\n\n");
        let verdict = evaluate(&served.authenticator(), &message).await;
        (verdict.arc, served.asked())
    };
    let (without, usual) = asked(0).await;
    assert_eq!(without, AuthResult::None);
    assert_eq!(asked(100).await, (AuthResult::Fail, usual));
    let (whole, asked) = asked(50).await;
    assert_eq!(whole, AuthResult::Fail);
    assert!(asked <= usual + 1, "{asked} questions, {usual} without a chain");
}

/// RFC 9989 §4.10: at most eight names are asked, however long the author's domain is.
#[tokio::test]
async fn authors_with_endless_domains_cost_eight_questions() {
    let served = Zone::default().serve();
    let message = format!("From: a@{}example.com\n\n", "x.".repeat(100));
    let verdict = evaluate(&served.authenticator(), &message).await;
    assert_eq!(verdict.dmarc.result, AuthResult::None);
    // With those for iprev and SPF.
    assert!(served.asked() <= 12, "{} questions", served.asked());
}

#[tokio::test]
async fn authors_by_the_hundred_are_refused_unasked() {
    let served = Zone::default().serve();
    let authors: Vec<_> = (0..100).map(|n| format!("a@d{n}.example.com")).collect();
    let message = format!("From: {}\n\n", authors.join(",\n "));
    let verdict = evaluate(&served.authenticator(), &message).await;
    assert_eq!(verdict.dmarc.policy, hub::DmarcPolicy::Reject);
    assert!(served.asked() <= 4, "{} questions", served.asked());
}

#[tokio::test]
async fn an_address_of_many_names_is_asked_about_a_few() {
    let mut zone = Zone::default();
    for n in 0..40 {
        zone.add("1.2.0.192.in-addr.arpa", pointer(&format!("h{n}.example.net")));
        zone.address(&format!("h{n}.example.net"), "192.0.2.99");
    }
    let served = zone.serve();
    let verdict = evaluate(&served.authenticator(), "From: a@example.com\n\n").await;
    assert_eq!(verdict.iprev, AuthResult::Fail);
    assert!(served.asked() <= 12, "{} questions", served.asked());
}

/// Every record that is looked for may be an alias of an alias, and so on for ever.
#[tokio::test]
async fn rings_of_aliases_end() {
    let mut zone = Zone::default();
    for at in ["example.com", "_dmarc.example.com", "s._domainkey.example.com", "1.2.0.192.in-addr.arpa"] {
        zone.add(at, alias(&format!("0.ring.{at}")));
        for n in 0..100 {
            zone.add(&format!("{n}.ring.{at}"), alias(&format!("{}.ring.{at}", (n + 1) % 100)));
        }
    }
    let served = zone.serve();
    let authenticator = served.authenticator();
    let envelope = Envelope {
        peer: "192.0.2.1".parse().expect("an address"),
        helo: "peer.example".to_owned(),
        reverse_path: hub::Address::parse("a@example.com").ok(),
    };
    let sender = authenticator.sender(envelope).await;
    let header = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from; b=AAAA;\r\n \
        bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\nFrom: a@example.com\r\n\r\n";
    let verdict = authenticator.message(sender, 0, header, std::iter::empty()).await.expect("evaluated");
    assert_eq!(verdict.dkim.len(), 1);
    assert!(served.asked() <= 48, "{} questions", served.asked());
    assert!(!verdict.is_authentic());
}

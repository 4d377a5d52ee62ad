//! Conversations with a hub that asks a name server on loopback about its peers.

#[path = "../../mailauth/tests/cases/zone.rs"]
#[expect(dead_code, reason = "shared with the cases of hub-mailauth, which need more of it")]
mod zone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Role, Verdict};
use hub_mailauth::{List, Listed};

use crate::session::{Link, Session, Step};
use crate::transcripts::{TestHub, certificate, test_hub};
use crate::work::Worker;
use crate::{Kind, RateSettings, Rates, Service, Settings};
use zone::{Entry, Zone};

/// Mail from 192.0.2.7 is good for these domains; each wants something else done with other mail.
fn world() -> Zone {
    let mut zone = Zone::default();
    for (domain, policy) in
        [("strict.example", "reject"), ("wary.example", "quarantine"), ("lax.example", "none")]
    {
        zone.txt(domain, "v=spf1 ip4:192.0.2.7 -all");
        zone.txt(&format!("_dmarc.{domain}"), &format!("v=DMARC1; p={policy}; rua=mailto:d@{domain}"));
    }
    zone.txt("_dmarc.shaky.example", "v=DMARC1; p=reject");
    zone.add("shaky.example", Entry::Trouble);
    zone
}

struct World {
    test: TestHub,
    service: Arc<Service>,
    _served: zone::Served,
}

async fn start() -> World {
    start_with(world(), Duration::ZERO).await
}

async fn start_with(zone: Zone, greylisting: Duration) -> World {
    let test = test_hub().await;
    let served = zone.serve();
    let spared = hub_wire::Network::parse("198.51.100.0/24").into_iter().collect();
    let rates = RateSettings { spared: hub_wire::Networks(spared), ..RateSettings::default() };
    let settings =
        Settings { greylisting, rates: Arc::new(Rates::new(&rates)), ..Settings::new("mail.example.org") };
    let list = |zone: &str, refuses| List { zone: zone.into(), lists: Listed::Addresses, refuses };
    let lists = vec![list("zen.example", true), list("soft.example", false)];
    let service = Service {
        hub: test.hub.clone(),
        tls: certificate().1,
        login_delay: Arc::default(),
        settings: Arc::new(settings),
        authenticator: Some(served.authenticator().with_lists(lists)),
        dns: Arc::new(hub_dns::Dns::new(&hub_dns::Settings::default()).expect("no trust anchor to read")),
    };
    World { test, service: Arc::new(service), _served: served }
}

impl World {
    /// Sends a message to alice; the last reply.
    async fn send(&self, peer: &str, sender: &str, message: &str) -> String {
        self.send_to(peer, sender, "alice@example.org", message).await.pop().unwrap_or_default()
    }

    /// All replies.
    async fn send_to(&self, peer: &str, sender: &str, recipient: &str, message: &str) -> Vec<String> {
        self.bring(Kind::Mx, peer, sender, recipient, message).await
    }

    async fn bring(
        &self,
        kind: Kind,
        peer: &str,
        sender: &str,
        recipient: &str,
        message: &str,
    ) -> Vec<String> {
        let now = Instant::now();
        let peer = peer.parse().expect("an address");
        let link = Link {
            conn: 1,
            peer,
            tls: None,
            can_start_tls: false,
            may_authenticate: false,
            binding: None,
            unix_millis: 0,
        };
        let settings = Arc::clone(&self.service.settings);
        let mut session = Session::new(kind, settings, link, now);
        let mut worker = Worker::new(Arc::clone(&self.service), kind, 1, peer);
        let hello = if kind == Kind::Lmtp { "LHLO" } else { "EHLO" };
        let commands =
            format!("{hello} peer.example\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        let input = commands + message + "\r\n.\r\n";
        let mut input = input.as_bytes();
        loop {
            match session.feed(&mut input, now) {
                Step::Ask(request) => worker.perform(request, &mut session).await,
                Step::Discard => worker.discard(),
                Step::Write(bytes) => worker.write(bytes).await.expect("written"),
                Step::Read | Step::Close | Step::StartTls => break,
            }
        }
        let output = String::from_utf8_lossy(session.output()).into_owned();
        output.lines().map(str::to_owned).collect()
    }

    /// The last message that alice has, from INBOX and Junk.
    async fn last(&self, role: Role) -> String {
        let mailboxes = self.test.alice.messages().mailboxes().await.expect("read");
        let junk = mailboxes.iter().find(|mailbox| mailbox.role == Some(role)).expect("there is one");
        let mut messages = self.test.messages_of(&self.test.alice, junk.id).await;
        String::from_utf8(messages.pop().expect("a message")).expect("ASCII")
    }
}

#[tokio::test]
async fn the_authors_domain_decides() {
    let world = start().await;
    let from = |domain: &str| format!("From: x@{domain}\r\nSubject: {domain}\r\n\r\nhi");
    for (peer, domain, reply, place) in [
        ("192.0.2.7", "strict.example", "250 2.0.0", Some(Role::Inbox)),
        ("192.0.2.8", "strict.example", "550 5.7.1", None),
        ("192.0.2.7", "wary.example", "250 2.0.0", Some(Role::Inbox)),
        ("192.0.2.8", "wary.example", "250 2.0.0", Some(Role::Junk)),
        ("192.0.2.8", "lax.example", "250 2.0.0", Some(Role::Inbox)),
        ("192.0.2.8", "unknown.example", "250 2.0.0", Some(Role::Inbox)),
        ("192.0.2.8", "shaky.example", "451 4.7.1", None),
        // A domain of ours, without any record.
        ("192.0.2.8", "example.org", "250 2.0.0", Some(Role::Junk)),
        // This machine is not asked.
        ("127.0.0.1", "strict.example", "250 2.0.0", Some(Role::Inbox)),
    ] {
        let said = world.send(peer, &format!("x@{domain}"), &from(domain)).await;
        assert!(said.starts_with(reply), "{domain} from {peer}: {said}");
        if let Some(place) = place {
            let last = world.last(place).await;
            assert!(last.contains(&format!("Subject: {domain}\r\n")), "{domain} from {peer}: {last}");
            assert_eq!(last.contains("Authentication-Results: mail.example.org;"), peer != "127.0.0.1");
        }
    }
}

#[tokio::test]
async fn rfc7505_4_2_who_takes_no_mail_sends_none() {
    let mut zone = world();
    zone.add("silent.example", zone::mail_host(0, "."));
    zone.add("odd.example", zone::mail_host(0, "."));
    zone.add("odd.example", zone::mail_host(10, "mx.odd.example"));
    let world = start_with(zone, Duration::ZERO).await;
    let message = "From: x@lax.example\r\nSubject: s\r\n\r\nhi";
    for (sender, reply) in [
        ("x@silent.example", "550 5.7.27"),
        // Beside others the null MX is a mistake (RFC 7505 §3).
        ("x@odd.example", "250 2.0.0"),
        ("", "250 2.0.0"),
    ] {
        let said = world.send("192.0.2.8", sender, message).await;
        assert!(said.starts_with(reply), "{sender}: {said}");
    }
}

#[tokio::test]
async fn no_trick_with_from_escapes() {
    let world = start().await;
    let crowd = (0..11).map(|n| format!("x@d{n}.example")).collect::<Vec<_>>().join(", ");
    for (from, reply, junk) in [
        ("From: x@lax.example, y@strict.example\r\n", "550 5.7.1 strict.example wants", false),
        ("From: x@lax.example\r\nFrom: y@strict.example\r\n", "550 5.7.1 strict.example wants", false),
        (&format!("From: {crowd}\r\n"), "550 5.7.1 From names more domains", false),
        ("From: x@lax.example, alice@example.org\r\n", "250 2.0.0", true),
        ("", "250 2.0.0", true),
        ("From: nobody\r\n", "250 2.0.0", true),
    ] {
        let message = format!("{from}Subject: tricky {}\r\n\r\nhi", from.len());
        let said = world.send("192.0.2.8", "x@lax.example", &message).await;
        assert!(said.starts_with(reply), "{from}: {said}");
        if junk {
            let last = world.last(Role::Junk).await;
            assert!(last.contains(&format!("Subject: tricky {}\r\n", from.len())), "{last}");
        }
    }
}

#[tokio::test]
async fn rfc9989_7_4_lists_may_change_messages() {
    let world = start().await;
    let message = "From: x@strict.example\r\nList-Id: <l.lax.example>\r\nSubject: list\r\n\r\nhi";
    let said = world.send("192.0.2.7", "l@lax.example", message).await;
    assert!(said.starts_with("250 2.0.0"), "{said}");
    assert!(world.last(Role::Junk).await.contains("Subject: list\r\n"));
}

#[tokio::test]
async fn rfc8601_5_forged_results_are_removed() {
    let world = start().await;
    let message = "Authentication-Results: mail.example.org; dmarc=pass header.from=bank.example\r\n\
                   Authentication-Results: other.example; spf=pass\r\n\
                   From: x@lax.example\r\nSubject: forged\r\n\r\nhi";
    world.send("192.0.2.8", "x@lax.example", message).await;
    let last = world.last(Role::Inbox).await;
    assert!(!last.contains("bank.example"), "{last}");
    assert!(last.contains("Authentication-Results: other.example; spf=pass\r\n"), "{last}");
    let results =
        "Authentication-Results: mail.example.org;\r\n\tdmarc=fail (p=none) header.from=lax.example;\r\n";
    assert!(last.contains(results), "{last}");
}

#[tokio::test]
async fn bounces_to_rewritten_addresses_go_home() {
    let world = start().await;
    let hub = &world.test.hub;
    let (home, now) = (crate::transcripts::address("friend@far.example"), crate::work::unix_now());
    let rewritten = hub.srs("example.org").forward(&home, now).expect("rewritten");
    let bounce = "From: mailer-daemon@far.example\r\nSubject: bounce\r\n\r\nhi";
    let forged = rewritten.to_string().replace("friend", "victim");
    for (sender, recipient, reply) in [
        ("x@lax.example", rewritten.to_string(), "550 5.1.1"),
        ("", forged, "550 5.1.1"),
        ("", rewritten.to_string(), "250 2.0.0"),
    ] {
        let said = world.send_to("192.0.2.7", sender, &recipient, bounce).await;
        assert!(said.iter().any(|line| line.starts_with(reply)), "{sender} to {recipient}: {said:?}");
    }
    // The same through a server in front.
    let said = world.bring(Kind::Lmtp, "127.0.0.1", "", &rewritten.to_string(), bounce).await;
    assert!(said.iter().any(|line| line.starts_with("250 2.0.0")), "{said:?}");
    let queue = hub.queue(&hub::QueueFilter::default()).await.expect("read");
    let queued: Vec<_> =
        queue.iter().map(|entry| (entry.reverse_path.as_str(), entry.address.as_str())).collect();
    assert_eq!(queued, [("", "friend@far.example"); 2]);
}

/// What the server in front has found out reaches the junk filter, if its name is the one that is
/// believed; the message is taken in any case.
#[tokio::test]
async fn rfc8601_a_server_in_front_is_believed() {
    let mut world = start().await;
    let message = "Authentication-Results: front.example; dmarc=pass header.from=lax.example\r\n\
                   From: x@lax.example\r\nSubject: hi\r\n\r\nhi";
    for (believed, reason) in [(None, ""), (Some("other.example"), ""), (Some("front.example"), "authentic")]
    {
        let mut settings = Settings::new("mail.example.org");
        settings.lmtp_authserv_id = believed.map(str::to_owned);
        let service = Arc::get_mut(&mut world.service).expect("nobody else has it");
        service.settings = Arc::new(settings);
        world.bring(Kind::Lmtp, "127.0.0.1", "x@lax.example", "alice@example.org", message).await;
        let last = world.last(Role::Inbox).await;
        let verdict = last.split_once("X-Junk-Verdict: ").map(|(_, rest)| rest.split("\r\nReceived").next());
        let verdict = verdict.flatten().expect("a verdict");
        assert!(
            verdict.starts_with("unsure") && verdict.contains("authentic") != reason.is_empty(),
            "{last}"
        );
    }
}

#[tokio::test]
async fn rfc9990_what_was_refused_is_reported_too() {
    let world = start().await;
    let message = "From: x@strict.example\r\n\r\nhi";
    for peer in ["192.0.2.7", "192.0.2.8", "192.0.2.8"] {
        world.send(peer, "x@strict.example", message).await;
    }
    // Today's messages are reported tomorrow.
    assert!(world.test.hub.due_reports(hub::ReportKind::Dmarc).await.expect("read").is_empty());
    let today = crate::work::unix_now() / 86_400;
    let facts = world.test.hub.report_facts(today, "strict.example").await.expect("read");
    let found: Vec<_> =
        facts.iter().map(|(facts, count)| (facts.source.to_string(), facts.action, *count)).collect();
    let refused = ("192.0.2.8".to_owned(), hub::DmarcPolicy::Reject, 2);
    let delivered = ("192.0.2.7".to_owned(), hub::DmarcPolicy::None, 1);
    assert_eq!(found, [refused, delivered]);
}

#[tokio::test]
async fn rfc5782_whom_a_list_has_is_refused_or_suspicious() {
    let mut zone = world();
    for listed in ["9.2.0.192", "1.100.51.198"] {
        zone.address(&format!("{listed}.zen.example"), "127.0.0.4");
    }
    zone.txt("9.2.0.192.zen.example", "Look at https://zen.example/");
    zone.address("10.2.0.192.soft.example", "127.0.0.2");
    zone.add("11.2.0.192.zen.example", Entry::Trouble);
    let world = start_with(zone, Duration::ZERO).await;
    for (peer, recipient, reply) in [
        ("192.0.2.9", "alice", "550 5.7.1 192.0.2.9 is listed by zen.example: Look at https://zen.example/"),
        ("192.0.2.9", "postmaster", "250 2.0.0"),
        ("192.0.2.10", "alice", "250 2.0.0"),
        // A list that does not answer refuses nobody.
        ("192.0.2.11", "alice", "250 2.0.0"),
        // The owner's own network is not asked about.
        ("198.51.100.1", "alice", "250 2.0.0"),
    ] {
        let message = format!("From: x@unknown.example\r\nSubject: {peer}\r\n\r\nhi");
        let recipient = format!("{recipient}@example.org");
        let said = world.send_to(peer, "x@unknown.example", &recipient, &message).await;
        let last = said.last().expect("a reply");
        assert!(last.starts_with(reply), "{peer}: {last}");
        match peer {
            "192.0.2.10" => {
                let junk = world.last(Role::Junk).await;
                assert!(
                    junk.contains("Subject: 192.0.2.10\r\n") && junk.contains("\tlisted=soft.example\r\n")
                );
            }
            "192.0.2.11" | "198.51.100.1" => {
                assert!(world.last(Role::Inbox).await.contains(&format!("Subject: {peer}\r\n")));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn first_contacts_that_nobody_answers_for_come_again() {
    let delay = Duration::from_secs(300);
    let world = start_with(world(), delay).await;
    let message = "From: x@unknown.example\r\nSubject: hello\r\n\r\nhi";
    for _ in 0..2 {
        let said = world.send("192.0.2.8", "x@unknown.example", message).await;
        assert!(said.starts_with("451 4.7.1 Nobody answers for this message"), "{said}");
        assert!(said.ends_with("try again in 5 min"), "{said}");
    }
    assert!(world.test.inbox("alice").await.is_empty(), "mox#396: not here yet, so it cannot be here twice");
    for (peer, domain) in
        [("192.0.2.7", "lax.example"), ("127.0.0.1", "unknown.example"), ("198.51.100.9", "unknown.example")]
    {
        let message = format!("From: x@{domain}\r\n\r\nhi");
        let said = world.send(peer, &format!("x@{domain}"), &message).await;
        assert!(said.starts_with("250"), "{domain} from {peer}: {said}");
    }
    // What a domain wants refused does not wait.
    let said = world.send("192.0.2.8", "x@strict.example", "From: x@strict.example\r\n\r\nhi").await;
    assert!(said.starts_with("550"), "{said}");

    let hub = &world.test.hub;
    let verdict = Verdict::new("192.0.2.8".parse().expect("an address"), "peer.example");
    let sender = crate::transcripts::address("x@unknown.example");
    let later = crate::work::unix_now() + 300;
    let wait = hub.put_off(&verdict, Some(&sender), &[world.test.alice.id()], delay, later).await;
    assert_eq!(wait.expect("known"), None, "five minutes later");
    for recipient in ["alice@example.org", "team@example.org", "bob@example.org"] {
        let said = world.send_to("192.0.2.8", "x@unknown.example", recipient, message).await;
        assert!(said.last().is_some_and(|reply| reply.starts_with("250")), "{recipient}: {said:?}");
    }
    let said = world.send("192.0.2.8", "y@unknown.example", message).await;
    assert!(said.starts_with("451"), "another sender: {said}");
}

/// Nothing that strangers do can shut out this machine, a proxy or another server of the owner's.
#[tokio::test]
async fn this_machine_and_the_owners_networks_are_never_shut_out() {
    let world = start_with(world(), Duration::from_secs(300)).await;
    for peer in ["127.0.0.1", "::1", "198.51.100.9"] {
        for n in 0..5 {
            let message = format!("From: x@strict.example\r\nSubject: {n}\r\n\r\nhi");
            let said = world.send(peer, "x@strict.example", &message).await;
            assert!(said.starts_with("250"), "{peer}: {said}");
            let said = world.send_to(peer, "x@strict.example", "nobody@example.org", &message).await;
            assert!(said.iter().any(|line| line.starts_with("550 5.1.1")), "{peer}: {said:?}");
        }
    }
}

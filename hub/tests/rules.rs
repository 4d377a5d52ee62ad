//! Rules of twins, run at delivery, on a fresh SQLite storage each.

use hub::*;
use hub_storage::{Database, Options};

struct Fixture {
    hub: Hub,
    alice: Account,
    bob: Account,
    _directory: tempfile::TempDir,
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    let settings = Settings::default();
    let hub = Hub::open(storage, settings).await.expect("opens");
    hub.add_domain("example.org").await.expect("added");
    for name in ["alice", "bob"] {
        hub.add_twin(&address(&format!("{name}@example.org")), &Secret::new(name)).await.expect("added");
    }
    let alice = hub.login("alice@example.org", &Secret::new("alice"), Door::Imap).await.expect("right");
    let bob = hub.login("bob@example.org", &Secret::new("bob"), Door::Imap).await.expect("right");
    Fixture { hub, alice, bob, _directory: directory }
}

impl Fixture {
    async fn rules(&self, account: &Account, script: &str) {
        account.put_script("main", script).await.expect("compiles");
        account.activate_script(Some("main")).await.expect("active");
    }

    async fn delivery(&self, to: &[&Account], message: &str) -> Delivery {
        let mut spool = self.hub.spool();
        spool.write(message.as_bytes()).await.expect("written");
        let recipient = |account: &&Account| Recipient {
            address: account.handle().clone(),
            members: [account.id()].into(),
        };
        Delivery {
            require_tls: false,
            incoming: self.hub.examine(spool).await.expect("examined"),
            reverse_path: Some(address("carol@example.net")),
            recipients: to.iter().map(recipient).collect(),
            trace: b"Received: by us\r\n".to_vec(),
            origin: Origin::Outside(None),
        }
    }

    async fn deliver(&self, to: &[&Account], message: &str) -> Result<()> {
        let delivery = self.delivery(to, message).await;
        self.hub.deliver(delivery).await.map(drop)
    }

    async fn queued(&self) -> Vec<(String, String)> {
        let queue = self.hub.queue(&QueueFilter::default()).await.expect("read");
        queue.into_iter().map(|entry| (entry.reverse_path, entry.address)).collect()
    }
}

/// Flags and texts of all messages in a mailbox.
async fn mailbox(account: &Account, path: &str) -> Vec<(Flags, String)> {
    let Ok(info) = account.messages().mailbox(path).await else { return Vec::new() };
    let open = account.messages().open(info.id).await.expect("opens");
    let mut all = Vec::new();
    for record in open.snapshot().iter_from(0) {
        let message =
            account.messages().fetch(&[record.email]).await.expect("read").remove(0).expect("there");
        let bytes = account.messages().read_starts(&[(&message, u64::MAX)]).await.expect("read").remove(0);
        all.push((record.flags, String::from_utf8(bytes.to_vec()).expect("text")));
    }
    all
}

const MESSAGE: &str =
    "From: carol@example.net\r\nTo: alice@example.org\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n";

#[tokio::test]
async fn rfc5228_4_1_fileinto() {
    let fixture = fixture().await;
    let Fixture { alice, bob, .. } = &fixture;
    let script = r#"require ["fileinto", "mailbox", "imap4flags", "special-use"];
        if header :is "subject" "junk" { fileinto :specialuse "\\Junk" "Nowhere"; stop; }
        if header :is "subject" "none" { discard; stop; }
        if header :is "subject" "lost" { fileinto "Missing"; stop; }
        fileinto :create :flags ["\\Seen", "$work"] "Lists/Work";"#;
    fixture.rules(alice, script).await;
    fixture.deliver(&[alice, bob], MESSAGE).await.expect("delivered");
    let filed = mailbox(alice, "Lists/Work").await;
    let work = alice.messages().keyword_flags(&["$work"], false).await.expect("known");
    assert_eq!(filed.len(), 1);
    assert_eq!(filed[0].0, Flags::SEEN | work);
    assert!(
        filed[0].1.starts_with("Return-Path: <carol@example.net>\r\nDelivered-To: alice@example.org\r\n")
    );
    assert!(mailbox(alice, "INBOX").await.is_empty());
    assert_eq!(mailbox(bob, "INBOX").await.len(), 1, "bob has no rules");

    for subject in ["junk", "none", "lost"] {
        fixture.deliver(&[alice], &MESSAGE.replace("Hi", subject)).await.expect("delivered");
    }
    assert_eq!(mailbox(alice, "Junk").await.len(), 1);
    assert_eq!(mailbox(alice, "INBOX").await.len(), 1, "what has no mailbox is not lost");

    alice.activate_script(None).await.expect("none");
    fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    assert_eq!(mailbox(alice, "INBOX").await.len(), 2);
}

#[tokio::test]
async fn rfc5293_a_changed_header() {
    let fixture = fixture().await;
    let alice = &fixture.alice;
    let script = r#"require "editheader"; deleteheader "Subject"; addheader "Subject" "New"; addheader :last "X" "y";"#;
    fixture.rules(alice, script).await;
    // Large enough to be in a file.
    let body = "0123456789abcdef\r\n".repeat(20_000);
    fixture.deliver(&[alice], &MESSAGE.replace("body\r\n", &body)).await.expect("delivered");
    let expected = format!(
        "Subject: New\r\nReturn-Path: <carol@example.net>\r\nDelivered-To: alice@example.org\r\n\
         Received: by us\r\nFrom: carol@example.net\r\nTo: alice@example.org\r\nMessage-ID: <1@x>\r\n\
         X: y\r\n\r\n{body}"
    );
    assert!(mailbox(alice, "INBOX").await[0].1 == expected);
}

#[tokio::test]
async fn redirects_leave_go_round_and_end() {
    let fixture = fixture().await;
    let Fixture { alice, bob, .. } = &fixture;
    fixture.rules(alice, r#"redirect "dave@elsewhere.test"; redirect "bob@example.org";"#).await;
    fixture.rules(bob, r#"redirect "alice@example.org";"#).await;
    fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    let queued = fixture.queued().await;
    assert_eq!((queued.len(), queued[0].1.as_str()), (1, "dave@elsewhere.test"));
    assert!(queued[0].0.starts_with("SRS0=") && queued[0].0.ends_with("=carol@example.org"), "{queued:?}");
    let kept = mailbox(bob, "INBOX").await;
    assert_eq!(kept.len(), 1, "a circle ends, and nothing is lost in it");
    assert!(kept[0].1.starts_with(
        "Return-Path: <carol@example.net>\r\nDelivered-To: bob@example.org\r\nDelivered-To: alice@example.org\r\n"
    ));
    assert!(mailbox(alice, "INBOX").await.is_empty());
}

/// Each of them has the message from the sender, so neither is the end of a circle.
#[tokio::test]
async fn who_pass_on_to_each_other_do_not_lose_what_both_got() {
    let fixture = fixture().await;
    let Fixture { alice, bob, .. } = &fixture;
    fixture.rules(alice, r#"redirect "bob@example.org";"#).await;
    fixture.rules(bob, r#"redirect "alice@example.org";"#).await;
    fixture.deliver(&[alice, bob], MESSAGE).await.expect("delivered");
    let kept = mailbox(alice, "INBOX").await.len() + mailbox(bob, "INBOX").await.len();
    assert_eq!(kept, 1);

    // One end is enough, whoever is asked first.
    fixture.rules(bob, r#"redirect "dave@elsewhere.test";"#).await;
    fixture.deliver(&[alice, bob], MESSAGE).await.expect("delivered");
    let kept = mailbox(alice, "INBOX").await.len() + mailbox(bob, "INBOX").await.len();
    assert_eq!((kept, fixture.queued().await.len()), (1, 1));
}

/// RFC 8689 §5, §6: what follows from a message is protected like it; an answer, which may be lost, as
/// far as that goes.
#[tokio::test]
async fn rfc8689_6_require_tls_is_passed_on() {
    let fixture = fixture().await;
    let Fixture { alice, bob, .. } = &fixture;
    let script = r#"require ["vacation", "copy"]; vacation "Away."; redirect :copy "bob@example.org";"#;
    fixture.rules(alice, script).await;
    fixture.rules(bob, r#"redirect "dave@elsewhere.test";"#).await;
    for (require_tls, message, passed, answer) in [
        (true, MESSAGE.to_owned(), TlsDemand::Required, Some(TlsDemand::Preferred)),
        (false, format!("TLS-Required: No\r\n{MESSAGE}"), TlsDemand::NotRequired, None),
        (false, MESSAGE.to_owned(), TlsDemand::ByPolicy, None),
    ] {
        let delivery = fixture.delivery(&[alice], &message).await;
        fixture.hub.deliver(Delivery { require_tls, ..delivery }).await.expect("delivered");
        let queue = fixture.hub.queue(&QueueFilter::default()).await.expect("read");
        let demand = |to: &str| {
            let entry = queue.iter().rfind(|entry| entry.address == to)?;
            entry.next_hop.as_ref().map(NextHop::tls)
        };
        assert_eq!(demand("dave@elsewhere.test"), Some(passed), "{message}");
        if answer.is_some() {
            assert_eq!(demand("carol@example.net"), answer, "{message}");
        }
    }
}

#[tokio::test]
async fn rfc5230_one_answer() {
    let fixture = fixture().await;
    let alice = &fixture.alice;
    fixture.rules(alice, r#"require "vacation"; vacation :days 3 "I am away.";"#).await;
    for _ in 0..2 {
        fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    }
    fixture
        .deliver(&[alice], &MESSAGE.replace("Subject", "List-Id: <a.b>\r\nSubject"))
        .await
        .expect("delivered");
    assert_eq!(fixture.queued().await, [(String::new(), "carol@example.net".to_owned())]);
    assert_eq!(mailbox(alice, "INBOX").await.len(), 3, "it is kept all the same");

    // Somebody here is answered at once, and that answer is not answered.
    fixture.rules(&fixture.bob, r#"require "vacation"; vacation "So am I.";"#).await;
    let mut delivery = fixture.delivery(&[alice], MESSAGE).await;
    delivery.reverse_path = Some(address("bob@example.org"));
    fixture.hub.deliver(delivery).await.expect("delivered");
    let answers = mailbox(&fixture.bob, "INBOX").await;
    assert!(answers.len() == 1 && answers[0].1.contains("\r\n\r\nI am away.\r\n"), "{answers:?}");
}

#[tokio::test]
async fn rfc5429_refusals() {
    let fixture = fixture().await;
    let Fixture { alice, bob, .. } = &fixture;
    fixture.rules(alice, r#"require "reject"; reject "No, thank you.";"#).await;
    let refused = fixture.deliver(&[alice], MESSAGE).await;
    assert!(matches!(refused, Err(Error::Refused(reason)) if reason == "No, thank you."));
    // With others who take it there is nobody to whom the refusal could be said.
    fixture.deliver(&[alice, bob], MESSAGE).await.expect("delivered");
    assert_eq!((mailbox(alice, "Junk").await.len(), mailbox(bob, "INBOX").await.len()), (1, 1));
    assert!(fixture.queued().await.is_empty());
}

/// RFC 5429 §2.1.2: a report, if it surely reaches who sent the message.
#[tokio::test]
async fn rfc5429_2_1_2_a_known_sender_is_told() {
    let fixture = fixture().await;
    let Fixture { hub, alice, bob, .. } = &fixture;
    fixture.rules(alice, "require \"reject\"; reject \"No,\r\nthank you.\";").await;
    let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
    verdict.spf = SpfVerdict {
        result: AuthResult::Pass,
        domain: "example.net".into(),
        aligned: true,
        ..SpfVerdict::default()
    };
    let deliver = async |reverse_path: Option<&str>| {
        let mut delivery = fixture.delivery(&[alice, bob], MESSAGE).await;
        delivery.origin = Origin::Outside(Some(verdict.clone()));
        delivery.reverse_path = reverse_path.map(address);
        hub.deliver(delivery).await.expect("delivered");
    };
    deliver(Some("carol@example.net")).await;
    assert_eq!(fixture.queued().await, [(String::new(), "carol@example.net".to_owned())]);
    assert!(mailbox(alice, "Junk").await.is_empty() && mailbox(alice, "INBOX").await.is_empty());
    // Of another domain than the one that answers, or of nobody.
    deliver(Some("eve@example.com")).await;
    deliver(None).await;
    assert_eq!((fixture.queued().await.len(), mailbox(alice, "Junk").await.len()), (1, 2));

    // A twin of this hub finds the report in its inbox.
    let mut delivery = fixture.delivery(&[alice, bob], MESSAGE).await;
    (delivery.origin, delivery.reverse_path) = (Origin::Twin, Some(bob.handle().clone()));
    hub.deliver(delivery).await.expect("delivered");
    let inbox = mailbox(bob, "INBOX").await;
    let report = &inbox.iter().find(|(_, text)| text.contains("MAILER-DAEMON")).expect("a report").1;
    for part in [
        "Content-Type: multipart/report; report-type=delivery-status;",
        "by the mail rules of alice@example.org:\r\n\r\nNo,\r\nthank you.\r\n",
        "Final-Recipient: rfc822; alice@example.org\r\nAction: failed\r\nStatus: 5.7.1\r\n",
        "\r\n\r\nFrom: carol@example.net\r\n",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("body"), "the header is enough");
}

#[tokio::test]
async fn rfc7352_duplicates_and_errors() {
    let fixture = fixture().await;
    let alice = &fixture.alice;
    fixture.rules(alice, r#"require ["duplicate"]; if duplicate { discard; }"#).await;
    for _ in 0..3 {
        fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    }
    fixture.deliver(&[alice], &MESSAGE.replace("<1@x>", "<2@x>")).await.expect("delivered");
    assert_eq!(mailbox(alice, "INBOX").await.len(), 2);

    // An error keeps the message; the twin hears of it once.
    fixture.rules(alice, r#"require "include"; include "later"; discard;"#).await;
    for _ in 0..2 {
        fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    }
    let inbox = mailbox(alice, "INBOX").await;
    assert_eq!(inbox.len(), 5);
    assert!(inbox.iter().filter(|(_, text)| text.contains("there is no script \"later\"")).count() == 1);
    alice.put_script("later", "stop;").await.expect("compiles");
    fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    assert_eq!(mailbox(alice, "INBOX").await.len(), 6, "what was missing is found at once");
}

#[tokio::test]
async fn one_alias_takes_what_nobody_else_has() {
    let Fixture { hub, alice, bob, _directory } = &fixture().await;
    let route = async |to: &str| hub.route(&address(to)).await.expect("routed");
    assert_eq!(route("anything@example.org").await, Route::Unknown);
    hub.add_alias(&address("*@example.org"), bob.handle()).await.expect("added");
    assert_eq!(route("anything@example.org").await, Route::Local([bob.id()].into()));
    assert_eq!(route("alice+x@example.org").await, Route::Local([alice.id()].into()));
    assert_eq!(route("anything@elsewhere.test").await, Route::Elsewhere);
    let forged = address("anything@example.org");
    assert!(!bob.may_send_as(&forged).await.expect("read"), "who takes all is not all");
    hub.remove_alias(&address("*@example.org"), bob.handle()).await.expect("removed");
    assert_eq!(route("anything@example.org").await, Route::Unknown);
}

#[tokio::test]
async fn an_alias_leads_elsewhere() {
    let fixture = fixture().await;
    let Fixture { hub, alice, bob, .. } = &fixture;
    let sales = address("sales@example.org");
    let add = async |alias: &str, target: &str| hub.add_alias(&address(alias), &address(target)).await;
    add("sales@example.org", "Dave@elsewhere.test").await.expect("added");
    add("sales@example.org", "alice@example.org").await.expect("added");
    add("all@example.org", "sales@example.org").await.expect("an alias of an alias");
    add("all@example.org", "erin@far.test").await.expect("added");
    for (alias, target, why) in [
        ("sales@example.org", "dave@elsewhere.test", Error::Exists("alias")),
        ("sales@example.org", "nobody@example.org", Error::NotFound("twin")),
        ("x@elsewhere.test", "dave@elsewhere.test", Error::NotFound("domain")),
        ("sales@example.org", "all@example.org", Error::Invalid(String::new())),
        ("loop@example.org", "loop@example.org", Error::Invalid(String::new())),
    ] {
        let refused = add(alias, target).await.expect_err(target);
        assert_eq!(std::mem::discriminant(&refused), std::mem::discriminant(&why), "{target}: {refused}");
    }
    let deliver = async |to: &[&str]| {
        let mut delivery = fixture.delivery(&[bob], MESSAGE).await;
        delivery.recipients.clear();
        for to in to {
            let Route::Local(members) = hub.route(&address(to)).await.expect("routed") else {
                panic!("{to}")
            };
            delivery.recipients.push(Recipient { address: address(to), members });
        }
        hub.deliver(delivery).await
    };
    deliver(&["all+news@example.org", "sales@example.org"]).await.expect("delivered");
    let queued = fixture.queued().await;
    assert_eq!(queued.len(), 2, "each target gets it once: {queued:?}");
    for (path, to) in &queued {
        assert!(path.starts_with("SRS0=") && path.ends_with("=carol@example.org"), "{path}");
        assert!(["Dave@elsewhere.test", "erin@far.test"].contains(&to.as_str()), "{to}");
    }
    assert_eq!(mailbox(alice, "INBOX").await.len(), 1);
    assert!(!alice.may_send_as(&address("all@example.org")).await.expect("read"));

    let listed: Vec<_> =
        hub.aliases().await.expect("listed").into_iter().map(|a| (a.alias, a.target)).collect();
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[0], (sales.clone(), alice.handle().clone()));
    hub.remove_alias(&sales, &address("dave@ELSEWHERE.test")).await.expect("removed");
    hub.remove_alias(&sales, alice.handle()).await.expect("removed");
    assert!(matches!(hub.remove_alias(&sales, &address("x@far.test")).await, Err(Error::NotFound(_))));
    assert_eq!(hub.route(&sales).await.expect("routed"), Route::Unknown);
}

/// What does not seem to be from whom it says is refused if nobody here has the address, and is the
/// postmaster's if others take it.
#[tokio::test]
async fn an_alias_does_not_pass_on_what_is_suspicious() {
    let fixture = fixture().await;
    let Fixture { hub, alice, bob, .. } = &fixture;
    let sales = address("sales@example.org");
    hub.add_alias(&sales, &address("dave@elsewhere.test")).await.expect("added");
    let deliver = async |to: &[&Account]| {
        let mut delivery = fixture.delivery(to, MESSAGE).await;
        let Route::Local(members) = hub.route(&sales).await.expect("routed") else { panic!("no alias") };
        delivery.recipients.push(Recipient { address: sales.clone(), members });
        let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
        verdict.action = DmarcPolicy::Quarantine;
        delivery.origin = Origin::Outside(Some(verdict));
        hub.deliver(delivery).await
    };
    assert!(matches!(deliver(&[]).await, Err(Error::Refused(_))));
    deliver(&[bob]).await.expect("delivered");
    assert!(fixture.queued().await.is_empty());
    assert_eq!((mailbox(alice, "Junk").await.len(), mailbox(bob, "Junk").await.len()), (1, 1));
}

#[tokio::test]
async fn suspicious_mail_is_not_passed_on() {
    let fixture = fixture().await;
    let alice = &fixture.alice;
    let script = r#"require ["vacation", "copy"]; vacation "Away."; redirect :copy "dave@elsewhere.test";"#;
    fixture.rules(alice, script).await;
    let mut delivery = fixture.delivery(&[alice], MESSAGE).await;
    let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
    verdict.action = DmarcPolicy::Quarantine;
    delivery.origin = Origin::Outside(Some(verdict));
    fixture.hub.deliver(delivery).await.expect("delivered");
    assert!(fixture.queued().await.is_empty());
    assert_eq!((mailbox(alice, "Junk").await.len(), mailbox(alice, "INBOX").await.len()), (1, 0));
}

#[tokio::test]
async fn rfc6609_3_2_scripts_of_the_site() {
    let fixture = fixture().await;
    let Fixture { hub, alice, .. } = &fixture;
    let set = async |text: &str| hub.set_site_scripts(vec![("spam".into(), text.into())]).await;
    let file = r#"require "fileinto"; if header :contains "Subject" "offer" { fileinto "Junk"; }"#;
    assert!(set(file).await.expect("set").is_empty());
    // What is the twin's own under the same name is another script.
    alice.put_script("spam", "discard;").await.expect("kept");
    fixture.rules(alice, r#"require "include"; include :global "spam";"#).await;
    let offer = MESSAGE.replace("Hi", "An offer");
    fixture.deliver(&[alice], &offer).await.expect("delivered");
    fixture.deliver(&[alice], MESSAGE).await.expect("delivered");
    assert_eq!((mailbox(alice, "Junk").await.len(), mailbox(alice, "INBOX").await.len()), (1, 1));

    assert!(set("stop;").await.expect("set").is_empty());
    fixture.deliver(&[alice], &offer).await.expect("delivered");
    assert_eq!(mailbox(alice, "INBOX").await.len(), 2, "changed at once");
    let mistakes = set("keep").await.expect("set");
    assert!(mistakes.len() == 1 && mistakes[0].starts_with("spam: line 1, column 5: "), "{mistakes:?}");
    let many = (0..33).map(|n| (n.to_string(), "keep;".to_owned())).collect();
    assert!(matches!(hub.set_site_scripts(many).await, Err(Error::Limit(_))));
}

#[tokio::test]
async fn rfc5804_scripts_are_managed() {
    let fixture = fixture().await;
    let alice = &fixture.alice;
    let refused = alice.put_script("a", "keep").await;
    assert!(matches!(refused, Err(Error::Invalid(why)) if why.starts_with("line 1, column 5: ")));
    assert!(matches!(alice.put_script("a/b", "keep;").await, Err(Error::Invalid(_))));
    assert!(matches!(alice.put_script("a", &"#".repeat(70_000)).await, Err(Error::TooLarge { .. })));
    for name in ["a", "b"] {
        alice.put_script(name, "keep;").await.expect("kept");
    }
    alice.activate_script(Some("a")).await.expect("active");
    assert!(matches!(alice.remove_script("a").await, Err(Error::Forbidden(_))));
    assert!(matches!(alice.rename_script("a", "b").await, Err(Error::Exists(_))));
    alice.rename_script("a", "c").await.expect("renamed");
    alice.remove_script("b").await.expect("removed");
    let info = ScriptInfo { name: "c".into(), is_active: true, size: 5 };
    assert_eq!(alice.scripts().await.expect("listed"), [info]);
    assert!(matches!(alice.script("b").await, Err(Error::NotFound(_))));
    for number in 0..31 {
        alice.put_script(&format!("s{number}"), "keep;").await.expect("kept");
    }
    assert!(matches!(alice.put_script("more", "keep;").await, Err(Error::Limit(_))));
}

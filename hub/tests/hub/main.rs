//! The hub's rules, on a fresh SQLite storage each.

mod oauth;
mod outgoing;

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

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    let hub = Hub::open(storage, Settings::default()).await.expect("opens");
    hub.add_domain("Example.ORG").await.expect("added");
    for name in ["alice", "bob"] {
        hub.add_twin(&address(&format!("{name}@example.org")), &secret(name)).await.expect("added");
    }
    let alice = hub.login("alice@example.org", &secret("alice"), Door::Imap).await.expect("right");
    let bob = hub.login("bob", &secret("bob"), Door::Imap).await.expect("one domain is enough");
    Fixture { hub, alice, bob, _directory: directory }
}

async fn incoming(hub: &Hub, text: &str) -> Incoming {
    let mut spool = hub.spool();
    spool.write(text.as_bytes()).await.expect("written");
    hub.examine(spool).await.expect("examined")
}

async fn append(account: &Account, hub: &Hub, mailbox: MailboxId, text: &str) -> Uid {
    let message = NewMessage { incoming: incoming(hub, text).await, flags: Flags::NONE, received_at: 86_400 };
    account.messages().append(mailbox, vec![message]).await.expect("appended").uids[0]
}

async fn whole(account: &Account, mailbox: MailboxId, index: u32) -> String {
    let record =
        *account.messages().open(mailbox).await.expect("opens").snapshot().get(index).expect("there");
    let message = account.messages().fetch(&[record.email]).await.expect("read").remove(0).expect("there");
    assert_eq!(message.size(), u64::from(record.size));
    let all = account.messages().read_starts(&[(&message, u64::MAX)]).await.expect("read").remove(0);
    // Reading in pieces gives the same, across the seam between prefix and body.
    let opened = account.messages().open_message(&message).await.expect("opened");
    let mut pieces = Vec::new();
    while pieces.len() < all.len() {
        let at = pieces.len() as u64;
        pieces.extend(opened.read(at..at + 7).await.expect("read"));
    }
    assert_eq!(pieces, all);
    for until in 0..all.len() {
        let start =
            account.messages().read_starts(&[(&message, until as u64)]).await.expect("read").remove(0);
        assert_eq!(start, all[..until]);
    }
    String::from_utf8(all.to_vec()).expect("text")
}

#[tokio::test]
async fn logging_in() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    assert_eq!(alice.handle(), &address("alice@example.org"));
    for (name, password) in [
        ("alice@example.org", "wrong"),
        ("nobody@example.org", "alice"),
        ("alice@elsewhere", "alice"),
        ("", ""),
    ] {
        let refused = hub.login(name, &secret(password), Door::Imap).await;
        assert!(matches!(refused, Err(Error::BadCredentials)), "{name}");
    }
    hub.login("ALICE@example.org", &secret("alice"), Door::Imap).await.expect("in any case");

    // A new password counts at once, although log-ins are remembered.
    hub.set_password(alice.handle(), &secret("new")).await.expect("set");
    assert!(hub.login("alice@example.org", &secret("alice"), Door::Imap).await.is_err());
    hub.login("alice@example.org", &secret("new"), Door::Imap).await.expect("right");
    assert!(matches!(hub.set_password(alice.handle(), &secret("")).await, Err(Error::Invalid(_))));

    let nobody = hub.scram_credentials("nobody@example.org").await.expect("made up");
    assert!(nobody == hub.scram_credentials("nobody@example.org").await.expect("made up"), "the same again");
    assert!(nobody != hub.scram_credentials("alice@example.org").await.expect("real"));
}

#[tokio::test]
async fn app_passwords_open_their_doors() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let (id, phone) = hub.add_app_password(alice.handle(), "phone", &[Door::Imap]).await.expect("made");
    hub.login("alice@example.org", &phone, Door::Imap).await.expect("right");
    assert!(hub.login("alice@example.org", &phone, Door::Submission).await.is_err(), "another door");
    assert!(hub.login("bob@example.org", &phone, Door::Imap).await.is_err(), "another twin");
    let listed = hub.app_passwords(alice.handle()).await.expect("listed");
    assert_eq!((listed[0].name.as_str(), &listed[0].doors[..]), ("phone", &[Door::Imap][..]));
    hub.revoke_app_password(alice.handle(), id).await.expect("revoked");
    assert!(hub.login("alice@example.org", &phone, Door::Imap).await.is_err(), "revoked");
}

#[tokio::test]
async fn mail_finds_its_way() {
    let Fixture { hub, alice, bob, _directory, .. } = fixture().await;
    hub.add_alias(&address("sales@example.org"), alice.handle()).await.expect("added");
    hub.add_alias(&address("sales@example.org"), bob.handle()).await.expect("added");
    assert!(matches!(
        hub.add_alias(&address("sales@example.org"), bob.handle()).await,
        Err(Error::Exists(_))
    ));
    let both = Route::Local([alice.id(), bob.id()].into());
    for (to, route) in [
        ("alice@example.org", Route::Local([alice.id()].into())),
        ("Alice+news@EXAMPLE.org", Route::Local([alice.id()].into())),
        ("sales@example.org", both.clone()),
        ("sales+x@example.org", both),
        ("postmaster@example.org", Route::Local([alice.id()].into())),
        ("PostMaster@example.org", Route::Local([alice.id()].into())),
        ("nobody@example.org", Route::Unknown),
        ("alice@example.net", Route::Elsewhere),
    ] {
        assert_eq!(hub.route(&address(to)).await.expect("routed"), route, "{to}");
    }

    let recipient =
        |to: &str, accounts: Vec<AccountId>| Recipient { address: address(to), members: accounts.into() };
    let delivery = Delivery {
        require_tls: false,
        incoming: incoming(&hub, "Subject: hi\r\n\r\nbody\r\n").await,
        reverse_path: Some(address("carol@example.net")),
        recipients: vec![
            recipient("sales@example.org", vec![alice.id(), bob.id()]),
            recipient("alice+x@example.org", vec![alice.id()]),
        ],
        trace: b"Received: by us\r\n".to_vec(),
        origin: Origin::Outside(None),
    };
    assert_eq!(hub.deliver(delivery).await.expect("delivered").len(), 2, "once per account");
    assert_eq!(
        whole(&bob, MailboxId::INBOX, 0).await,
        "Return-Path: <carol@example.net>\r\nDelivered-To: sales@example.org\r\nReceived: by us\r\n\
         Subject: hi\r\n\r\nbody\r\n"
    );
}

#[tokio::test]
async fn a_twin_sends_only_as_itself() {
    let Fixture { hub, alice, bob, _directory, .. } = fixture().await;
    hub.add_alias(&address("sales@example.org"), alice.handle()).await.expect("added");
    let submit = async |from: &str, header: &str, to: &[&str]| {
        let submission = Submission {
            incoming: incoming(&hub, &format!("{header}Subject: x\r\n\r\nx\r\n")).await,
            reverse_path: Some(address(from)),
            recipients: to
                .iter()
                .map(|to| SubmissionRecipient {
                    address: address(to),
                    notify: Notify::default(),
                    original: None,
                })
                .collect(),
            trace: Vec::new(),
            ret: Return::Headers,
            envelope_id: None,
            smtputf8: false,
            eight_bit: false,
            require_tls: false,
        };
        alice.submit(submission).await
    };
    let (me, bob_to) = ("alice@example.org", ["bob@example.org"]);
    for header in [
        "From: bob@example.org\r\n",
        "From: alice@example.org\r\nSender: bob@example.org\r\n",
        "From: alice@example.org, bob@example.org\r\n",
        "From: alice@example.org\r\nFrom: bob@example.org\r\n",
    ] {
        assert!(matches!(submit(me, header, &bob_to).await, Err(Error::Forbidden(_))), "{header}");
    }
    let forged = submit("bob@example.org", "From: alice@example.org\r\n", &bob_to).await;
    assert!(matches!(forged, Err(Error::Forbidden(_))));
    assert!(matches!(submit(me, "", &bob_to).await, Err(Error::Invalid(_))));
    let unknown = submit(me, "From: alice@example.org\r\n", &["bob@example.org", "nobody@example.org"]).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))));
    assert!(bob.messages().open(MailboxId::INBOX).await.expect("opens").snapshot().is_empty());

    for header in ["From: Alice <alice@example.org>\r\n", "From: sales+a@Example.org\r\n"] {
        let sent = submit(me, header, &["bob@example.org", "carol@example.net", "dave@example.com"]).await;
        let sent = sent.expect(header);
        assert_eq!(sent.delivered, 1);
        assert!(sent.queued.is_some());
    }
    assert_eq!(bob.messages().open(MailboxId::INBOX).await.expect("opens").snapshot().len(), 2);
    let queue = hub.queue(&QueueFilter::default()).await.expect("listed");
    assert_eq!(queue.len(), 4);
    // The two may have come in different seconds.
    let now = queue.iter().map(|entry| entry.created_at).max().expect("not empty");
    let flows = hub.queue_timetable().await.expect("read");
    let claims: Vec<Claim> = flows
        .iter()
        .map(|(hop, account, _)| Claim { hop: hop.clone(), account: *account, limit: 10 })
        .collect();
    let hops = ["example.com", "example.net"].map(|domain| NextHop::Mx(domain.into(), TlsDemand::ByPolicy));
    assert_eq!(claims.iter().map(|claim| claim.hop.clone()).collect::<Vec<_>>(), hops);
    let found = hub.claim(now, &claims).await.expect("claimed");
    assert_eq!(
        found.iter().map(|(messages, count)| (messages.len(), *count)).collect::<Vec<_>>(),
        [(2, 2), (2, 2)]
    );
    let due: Vec<_> = found.into_iter().flat_map(|(messages, _)| messages).collect();
    let text = hub.read_queued(&due[0], 0..u64::MAX).await.expect("read");
    assert!(text.starts_with(b"From: Alice"));
    let settlements: Vec<_> = due.iter().map(|message| settlement(message, "250")).collect();
    hub.settle(now, &settlements).await.expect("settled");
    assert!(hub.queue(&QueueFilter::default()).await.expect("listed").is_empty());
}

/// All recipients of a message were delivered to.
fn settlement(message: &QueuedMessage, status: &str) -> Settlement {
    let outcome = |recipient: &QueuedRecipient| RecipientOutcome {
        recipient: recipient.id,
        attempt: recipient.attempts + 1,
        outcome: Outcome::Delivered { status: status.into() },
        is_told: false,
    };
    Settlement {
        message: message.id,
        expires_at: message.expires_at,
        outcomes: message.recipients.iter().map(outcome).collect(),
        remote: String::new(),
        tls: String::new(),
    }
}

#[tokio::test]
async fn open_mailboxes_follow_every_commit() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let mailbox = alice.messages().open(MailboxId::INBOX).await.expect("opens");
    let mut watch = mailbox.watch();
    let before = mailbox.snapshot();
    for _ in 0..5 {
        append(&alice, &hub, MailboxId::INBOX, "x").await;
    }
    watch.changed().await.expect("told");
    let all = IdSet::range(1, 5);
    let messages = alice.messages();
    messages
        .change_flags(MailboxId::INBOX, &IdSet::range(2, 3), FlagChange::Add(Flags::DELETED), None)
        .await
        .expect("changed");
    assert_eq!(
        messages.expunge(MailboxId::INBOX, Some(&IdSet::range(1, 2))).await.expect("expunged"),
        IdSet::range(2, 2)
    );
    // It came after that modseq as well, but somebody may have seen it meanwhile.
    assert_eq!(
        messages.vanished_since(MailboxId::INBOX, before.modseq).await.expect("kept"),
        Some(IdSet::range(2, 2))
    );
    let now = mailbox.snapshot();
    assert_eq!(now.iter().map(|r| r.uid).collect::<Vec<_>>(), [1, 3, 4, 5]);
    let told = difference(&before, &now);
    assert_eq!((told.removed.len(), told.added), (0, 4));

    let archive = messages.mailbox("Archive").await.expect("there").id;
    let moved = messages.move_to(MailboxId::INBOX, &all, archive).await.expect("moved");
    assert_eq!(moved.from, [1, 3, 4, 5].into_iter().collect());
    assert_eq!(moved.to, IdSet::range(1, 4));
    assert!(mailbox.snapshot().is_empty());
    let nothing = messages.move_to(MailboxId::INBOX, &all, archive).await.expect("no error");
    assert!(nothing.from.is_empty() && nothing.uid_validity == moved.uid_validity);

    let archived = messages.open(archive).await.expect("opens");
    messages.delete("Archive").await.expect("deleted");
    assert!(archived.snapshot().deleted);
    assert!(matches!(messages.open(archive).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn moving_many_goes_in_slices() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let messages = alice.messages();
    let small = incoming(&hub, "x").await;
    let new = || NewMessage { incoming: small.clone(), flags: Flags::DELETED, received_at: 0 };
    messages.append(MailboxId::INBOX, (0..4_500).map(|_| new()).collect()).await.expect("appended");
    let trash = messages.mailbox("Trash").await.expect("there").id;
    let moved = messages.move_to(MailboxId::INBOX, &IdSet::range(1, 9_999), trash).await.expect("moved");
    assert_eq!((moved.from, moved.to), (IdSet::range(1, 4_500), IdSet::range(1, 4_500)));
    assert_eq!(messages.expunge(trash, None).await.expect("expunged"), IdSet::range(1, 4_500));
    assert_eq!(alice.quota().await.expect("read").0, 0);
}

#[tokio::test]
async fn mailboxes_have_paths() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let messages = alice.messages();
    let paths = async || -> Vec<String> {
        messages.mailboxes().await.expect("listed").into_iter().map(|info| info.path).collect()
    };
    assert_eq!(paths().await, ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]);
    messages.create("a/b/c", None).await.expect("created");
    assert!(matches!(messages.create("a/b", None).await, Err(Error::Exists(_))));
    assert!(matches!(messages.create("inbox", None).await, Err(Error::Exists(_))));
    assert!(matches!(messages.create("a//b", None).await, Err(Error::Invalid(_))));
    assert!(matches!(messages.create("More sent", Some(Role::Sent)).await, Err(Error::Exists(_))));
    let validity = messages.mailbox("a/b/c").await.expect("there").uid_validity;
    append(&alice, &hub, messages.mailbox("a/b/c").await.expect("there").id, "x").await;
    messages.rename("a/b", "new/place").await.expect("renamed");
    let moved = messages.mailbox("new/place/c").await.expect("children follow");
    assert_eq!((moved.uid_validity, moved.total), (validity, 1));
    assert!(matches!(messages.rename("new", "new/place/below").await, Err(Error::Invalid(_))));
    assert!(matches!(messages.rename("new", "Sent").await, Err(Error::Exists(_))));
    assert!(matches!(messages.rename("gone", "x").await, Err(Error::NotFound(_))));

    messages.delete("new/place").await.expect("deleted");
    let bare = messages.mailbox("new/place").await.expect("a name is left");
    assert!(!bare.selectable && bare.has_children);
    assert!(matches!(messages.delete("new/place").await, Err(Error::Invalid(_))));
    assert!(messages.create("new/place", None).await.expect("made anew").selectable);
    assert!(matches!(messages.delete("INBOX").await, Err(Error::Forbidden(_))));

    append(&alice, &hub, MailboxId::INBOX, "x").await;
    messages.rename("Inbox", "Old").await.expect("RFC 9051 §6.3.6");
    assert_eq!(messages.mailbox("INBOX").await.expect("there").total, 0);
    assert_eq!(messages.mailbox("Old").await.expect("there").total, 1);

    messages.delete("Sent").await.expect("deleted");
    assert_eq!(messages.create("sent", None).await.expect("made again").role, Some(Role::Sent));
    assert_eq!(messages.create("x/Sent", None).await.expect("made").role, None);

    messages.subscribe("never/made", true).await.expect("RFC 3501 §6.3.6");
    assert!(messages.subscriptions().await.expect("listed").contains(&"never/made".to_owned()));
}

#[tokio::test]
async fn keywords_are_case_insensitive_and_limited() {
    let Fixture { alice, _directory, .. } = fixture().await;
    let messages = alice.messages();
    let first = messages.keyword_flags(&["Work", "$junk"], true).await.expect("made");
    assert_eq!(messages.keyword_flags(&["WORK", "$Junk", "unknown"], false).await.expect("found"), first);
    assert_eq!(messages.keywords().await.expect("read").0.last().map(String::as_str), Some("Work"));
    let many: Vec<String> = (0..60).map(|n| format!("k{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(messages.keyword_flags(&many, true).await, Err(Error::Limit(_))));
    assert_eq!(messages.keywords().await.expect("read").0.len(), 6);
}

#[tokio::test]
async fn quotas_hold() {
    let Fixture { hub, alice, bob, _directory, .. } = fixture().await;
    hub.set_quota(alice.handle(), Some(20)).await.expect("set");
    append(&alice, &hub, MailboxId::INBOX, "0123456789").await;
    let too_much =
        NewMessage { incoming: incoming(&hub, "0123456789x").await, flags: Flags::NONE, received_at: 0 };
    let refused = alice.messages().append(MailboxId::INBOX, vec![too_much]).await;
    assert!(matches!(refused, Err(Error::OverQuota { used: 10, limit: 20 })));
    assert_eq!(alice.quota().await.expect("read"), (10, Some(20)));
    assert!(matches!(hub.room_for(&[bob.id(), alice.id()], 11).await, Err(Error::OverQuota { .. })));
    hub.room_for(&[bob.id(), alice.id()], 10).await.expect("just fits");
    hub.set_quota(bob.handle(), Some(5)).await.expect("set");
    assert!(matches!(hub.room_for(&[bob.id()], 6).await, Err(Error::OverQuota { .. })), "a new quota counts");
}

#[tokio::test]
async fn search_looks_at_decoded_text() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    for text in [
        "Subject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: Ann <ann@example.net>\r\nX-Thing: a =?utf-8?q?b=C3=A4r?=\r\n\
         Date: Thu, 1 Jan 1970 23:30:00 -0800\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZSBhdXMgS8O2bG4=\r\n",
        "Subject: other\r\nDate: Mon, 5 Jan 1970 12:00:00 +0000\r\nContent-Type: text/html\r\n\r\n\
         <p>Hello <b>wor</b>ld</p>\r\n",
        "no header at all",
    ] {
        append(&alice, &hub, MailboxId::INBOX, text).await;
    }
    let mailbox = alice.messages().open(MailboxId::INBOX).await.expect("opens");
    let snapshot = mailbox.snapshot();
    let header = |name: &str, text: &str| Criterion::Header(name.into(), text.into());
    for (criterion, expected) in [
        (Criterion::All, vec![0, 1, 2]),
        (header("Subject", "CAFÉ"), vec![0]),
        (header("from", "ANN@example"), vec![0]),
        (header("from", "zebra"), vec![]),
        (header("X-THING", "BÄR"), vec![0]),
        (header("X-Thing", ""), vec![0]),
        (header("Subject", ""), vec![0, 1]),
        (Criterion::Body("grüße AUS".into()), vec![0]),
        (Criterion::Body("hello world".into()), vec![1]),
        (Criterion::Body("café".into()), vec![]),
        (Criterion::Text("café".into()), vec![0]),
        (Criterion::Text("bär".into()), vec![0]),
        (Criterion::SentOn(0), vec![0]),
        (Criterion::SentOn(4), vec![1]),
        // Without a Date the day of arrival counts.
        (Criterion::SentOn(1), vec![2]),
        (Criterion::SentBefore(4), vec![0, 2]),
        (Criterion::ReceivedOn(1), vec![0, 1, 2]),
        (Criterion::Not(Box::new(Criterion::Text("hello".into()))), vec![0, 2]),
        (Criterion::And(vec![Criterion::Uids(IdSet::range(2, 3)), Criterion::SmallerThan(50)]), vec![2]),
        (
            Criterion::Or(Box::new(header("subject", "other")), Box::new(Criterion::Body("köln".into()))),
            vec![0, 1],
        ),
    ] {
        let found = alice
            .messages()
            .search(&mailbox, &snapshot, &criterion, &Progress::default())
            .await
            .expect("searched");
        assert_eq!(found, expected, "{criterion:?}");
    }
}

#[tokio::test]
async fn a_removed_twin_is_gone() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let mailbox = alice.messages().open(MailboxId::INBOX).await.expect("opens");
    hub.remove_twin(alice.handle()).await.expect("removed");
    assert!(mailbox.snapshot().deleted);
    assert!(matches!(alice.messages().open(MailboxId::INBOX).await, Err(Error::NotFound(_))));
    assert!(hub.login("alice@example.org", &secret("alice"), Door::Imap).await.is_err());
    assert!(matches!(hub.remove_twin(alice.handle()).await, Err(Error::NotFound(_))));
    assert_eq!(hub.twins().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn large_mailboxes_open_the_same_after_a_restart() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let small = incoming(&hub, "x").await;
    let new = || NewMessage { incoming: small.clone(), flags: Flags::NONE, received_at: 7 };
    alice.messages().append(MailboxId::INBOX, (0..6_000).map(|_| new()).collect()).await.expect("appended");
    // Nobody opens it: the copy is made at the end all the same.
    hub.close().await;
    drop((hub, alice, small));

    let options = Options { data_dir: _directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens again");
    let hub = Hub::open(
        storage,
        Settings { index_cache: 0, header_cache: 0, message_cache: 0, ..Settings::default() },
    )
    .await
    .expect("opens");
    let alice = hub.login("alice", &secret("alice"), Door::Imap).await.expect("right");
    let messages = alice.messages();
    let flagged = FlagChange::Add(Flags::FLAGGED | Flags::DELETED);
    messages.change_flags(MailboxId::INBOX, &IdSet::range(11, 20), flagged, None).await.expect("changed");
    messages.expunge(MailboxId::INBOX, Some(&IdSet::range(11, 15))).await.expect("expunged");
    append(&alice, &hub, MailboxId::INBOX, "new").await;
    let snapshot = messages.open(MailboxId::INBOX).await.expect("opens").snapshot();
    let uids: Vec<Uid> = snapshot.iter().map(|r| r.uid).collect();
    assert!(uids.into_iter().eq((1..=10).chain(16..=6_001)));
    assert_eq!(snapshot.iter().filter(|r| r.flags.contains(Flags::FLAGGED)).count(), 5);
    assert_eq!(snapshot.get(0).expect("there").received_at, 7);
    assert_eq!((snapshot.uid_next, snapshot.last().expect("there").size), (6_002, 3));
}

/// What the hub says of its mailboxes from memory is what the rows of the database say.
#[tokio::test]
async fn counters_in_memory_follow_every_commit() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let messages = alice.messages();
    messages.create("A/B", None).await.expect("created");
    let target = messages.mailbox("A/B").await.expect("found").id;
    let check = async |step: &str| {
        let told = messages.mailboxes().await.expect("listed");
        for info in &told {
            let snapshot = match messages.open(info.id).await {
                Ok(open) => open.snapshot(),
                Err(_) if !info.selectable => continue,
                Err(error) => panic!("{step}: {}: {error}", info.path),
            };
            let unseen = snapshot.iter().filter(|record| !record.flags.contains(Flags::SEEN)).count();
            let bytes: u64 = snapshot.iter().map(|record| u64::from(record.size)).sum();
            assert_eq!(
                (info.total, info.unseen as usize, info.bytes, info.uid_next, info.modseq),
                (snapshot.len(), unseen, bytes, snapshot.uid_next, snapshot.modseq.max(info.modseq)),
                "{step}: {}",
                info.path
            );
            let found = messages.mailbox(&info.path).await.expect("found");
            assert_eq!((found.id, found.total), (info.id, info.total), "{step}");
        }
        told.len()
    };
    let before = check("new").await;
    for n in 0..5 {
        append(&alice, &hub, MailboxId::INBOX, &format!("Subject: {n}\r\n\r\ntext\r\n")).await;
        check("appended").await;
    }
    let some = IdSet::range(1, 3);
    let seen = FlagChange::Add(Flags::SEEN);
    messages.change_flags(MailboxId::INBOX, &some, seen, None).await.expect("changed");
    check("seen").await;
    messages.copy(MailboxId::INBOX, &some, target).await.expect("copied");
    check("copied").await;
    messages.move_to(MailboxId::INBOX, &IdSet::range(4, 5), target).await.expect("moved");
    check("moved").await;
    messages.change_flags(target, &some, FlagChange::Add(Flags::DELETED), None).await.expect("changed");
    messages.expunge(target, None).await.expect("expunged");
    check("expunged").await;
    messages.rename("A/B", "C").await.expect("renamed");
    check("renamed").await;
    assert!(messages.mailbox("A/B").await.is_err());
    messages.subscribe("C", false).await.expect("unsubscribed");
    assert!(!messages.mailbox("C").await.expect("found").subscribed);
    messages.delete("C").await.expect("deleted");
    assert_eq!(check("deleted").await, before - 1);
}

/// What was read lately comes from memory, and is what the database would say.
#[tokio::test]
async fn messages_read_again_are_the_same() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let texts: Vec<String> =
        (0..6).map(|n| format!("Subject: {n}\r\n\r\n{}\r\n", "some text ".repeat(n * 40))).collect();
    for text in &texts {
        append(&alice, &hub, MailboxId::INBOX, text).await;
    }
    let messages = alice.messages();
    let snapshot = messages.open(MailboxId::INBOX).await.expect("opens").snapshot();
    let emails: Vec<EmailId> = snapshot.iter().map(|record| record.email).collect();
    // Twice the same e-mail, one that does not exist, any order.
    let wanted = [emails[3], emails[0], EmailId(9_999), emails[3], emails[5]];
    for round in ["read", "from memory"] {
        let found = messages.fetch(&wanted).await.expect(round);
        let sizes: Vec<Option<u64>> = found.iter().map(|m| m.as_ref().map(Message::size)).collect();
        let size = |n: usize| Some(texts[n].len() as u64);
        assert_eq!(sizes, [size(3), size(0), None, size(3), size(5)], "{round}");
        // Short starts first: what is kept of them must not be taken for the whole.
        for until in [0, 5, 100, u64::MAX, 20] {
            let all: Vec<(&Message, u64)> = found.iter().flatten().map(|message| (message, until)).collect();
            let starts = messages.read_starts(&all).await.expect(round);
            for (start, n) in starts.iter().zip([3, 0, 3, 5]) {
                let end = texts[n].len().min(usize::try_from(until).unwrap_or(usize::MAX));
                assert_eq!(start, &texts[n].as_bytes()[..end], "{round}, {n} until {until}");
            }
        }
    }
}

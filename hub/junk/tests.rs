//! Filters on a hub: what people do is learned, whenever and however it happened.

use std::sync::Arc;

use super::judge::Evidence;
use super::score::score;
use super::tokens::Tokens;
use super::training::train_due;
use super::words::{Class, Lesson, Words};
use crate::{
    Account, Address, AuthResult, Delivery, Door, FlagChange, Flags, Hub, IdSet, Incoming, JunkStatistics,
    MailboxId, NewMessage, Recipient, Record, Role, Secret, Settings, SpfVerdict, Uid, Verdict,
};

struct Fixture {
    hub: Hub,
    alice: Account,
    directory: Arc<tempfile::TempDir>,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        let hub = Self::open(&directory).await;
        hub.add_domain("example.org").await.expect("added");
        hub.add_twin(&address("alice@example.org"), &Secret::new("a")).await.expect("added");
        Self::of(hub, directory).await
    }

    async fn open(directory: &tempfile::TempDir) -> Hub {
        let data_dir = directory.path().to_owned();
        let options = hub_storage::Options { data_dir, database: hub_storage::Database::Sqlite };
        let storage = crate::Storage::open(options).await.expect("opens");
        let cache = 1 << 20;
        let settings =
            Settings { index_cache: cache, header_cache: cache, message_cache: cache, ..Settings::default() };
        Hub::open(storage, settings).await.expect("opens")
    }

    async fn of(hub: Hub, directory: Arc<tempfile::TempDir>) -> Self {
        let alice = hub.login("alice@example.org", &Secret::new("a"), Door::Imap).await.expect("right");
        Self { hub, alice, directory }
    }

    async fn reopened(self) -> Self {
        self.hub.close().await;
        let Self { hub, alice, directory } = self;
        drop((hub, alice));
        Self::of(Self::open(&directory).await, directory).await
    }

    async fn mailbox(&self, role: Role) -> MailboxId {
        let all = self.alice.messages().mailboxes().await.expect("listed");
        all.iter().find(|mailbox| mailbox.role == Some(role)).expect("there").id
    }

    async fn incoming(&self, text: &str) -> Incoming {
        let mut spool = self.hub.spool();
        spool.write(text.as_bytes()).await.expect("written");
        self.hub.examine(spool).await.expect("examined")
    }

    async fn append(&self, mailbox: MailboxId, text: &str, flags: Flags) -> Uid {
        let message = NewMessage { incoming: self.incoming(text).await, flags, received_at: 0 };
        self.alice.messages().append(mailbox, vec![message]).await.expect("appended").uids[0]
    }

    async fn learned(&self) -> (u32, u32) {
        train_due(&self.hub).await;
        let JunkStatistics { good_messages, junk_messages, .. } = self.statistics().await;
        (good_messages, junk_messages)
    }

    async fn statistics(&self) -> JunkStatistics {
        self.hub.junk_statistics(self.alice.handle()).await.expect("told")
    }

    /// What a new message would be, and why.
    async fn judged(&self, text: &str) -> String {
        let incoming = self.incoming(text).await;
        let origin = crate::Origin::Outside(Some(verdict()));
        let judgement = Evidence::new(&incoming, &origin).judge(&self.hub, self.alice.id()).await;
        judgement.expect("judged").expect("from outside").header()
    }

    /// Delivers a message from outside; returns where it lies.
    async fn delivered(&self, text: &str) -> MailboxId {
        self.brought(text, crate::Origin::Outside(Some(verdict()))).await
    }

    async fn brought(&self, text: &str, origin: crate::Origin) -> MailboxId {
        let delivery = Delivery {
            require_tls: false,
            incoming: self.incoming(text).await,
            reverse_path: None,
            recipients: vec![Recipient {
                address: self.alice.handle().clone(),
                members: [self.alice.id()].into(),
            }],
            trace: b"Received: by us\r\n".to_vec(),
            origin,
        };
        self.hub.deliver(delivery).await.expect("delivered")[0].1
    }

    /// The newest message of a mailbox, with its flags.
    async fn newest(&self, mailbox: MailboxId) -> (String, Record) {
        let snapshot = self.alice.messages().open(mailbox).await.expect("opens").snapshot();
        let record = *snapshot.last().expect("there");
        let message =
            self.alice.messages().fetch(&[record.email]).await.expect("read").remove(0).expect("kept");
        let wanted = [(&message, u64::MAX)];
        let bytes = self.alice.messages().read_starts(&wanted).await.expect("read").remove(0);
        (String::from_utf8_lossy(&bytes).into_owned(), record)
    }

    /// Six good messages, read, in the inbox, and six that are junk, unread.
    async fn mail(&self) {
        for n in 0..6 {
            self.append(MailboxId::INBOX, &good(n), Flags::SEEN).await;
            self.append(MailboxId::INBOX, &junk(n), Flags::NONE).await;
        }
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn verdict() -> Verdict {
    let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
    let (result, domain) = (AuthResult::Pass, "mailer.example".into());
    verdict.spf = SpfVerdict { result, domain, ..SpfVerdict::default() };
    verdict
}

fn good(n: u32) -> String {
    format!(
        "From: Ann <ann@friends.example>\r\nSubject: Our garden in week {n}\r\n\r\nThe tomatoes grow, and the \
         neighbours ask about supper on Friday. Bring the ladder and some bread. Yours, Ann\r\n"
    )
}

fn junk(n: u32) -> String {
    format!(
        "From: Win <win@lottery.example>\r\nSubject: Winner number {n}\r\n\r\nCongratulations! Claim your \
         million dollars prize today, send your account details to our lottery office immediately.\r\n"
    )
}

/// UIDs of the messages of `mail` that are junk.
fn junk_uids() -> IdSet {
    [2, 4, 6, 8, 10, 12].into_iter().collect()
}

#[tokio::test]
async fn moving_mail_to_junk_and_back_teaches() {
    let test = Fixture::new().await;
    let junk_mailbox = test.mailbox(Role::Junk).await;
    test.mail().await;
    assert_eq!(test.learned().await, (0, 0), "mail alone teaches nothing");
    assert!(test.judged(&junk(7)).await.starts_with("X-Junk-Verdict: unsure;"));

    let messages = test.alice.messages();
    let moved = messages.move_to(MailboxId::INBOX, &junk_uids(), junk_mailbox).await.expect("moved");
    assert_eq!(test.learned().await, (6, 6), "read mail is what it is compared with");
    let header = test.judged(&junk(7)).await;
    assert!(header.starts_with("X-Junk-Verdict: junk; score="), "{header}");
    assert!(header.contains("words=1.00") && header.contains("domains=mailer.example"), "{header}");
    assert!(test.judged(&good(7)).await.starts_with("X-Junk-Verdict: good;"));

    messages.move_to(junk_mailbox, &moved.to, MailboxId::INBOX).await.expect("moved");
    assert_eq!(test.learned().await, (12, 0), "what was learned is taken back, and learned as it is");
    assert!(!test.judged(&junk(7)).await.contains("words="), "nothing is known of junk any more");
}

#[tokio::test]
async fn keywords_teach_and_are_taken_back() {
    let test = Fixture::new().await;
    test.mail().await;
    let messages = test.alice.messages();
    let junk = messages.keyword_flags(&["$Junk"], true).await.expect("a keyword");
    let not_junk = messages.keyword_flags(&["$NotJunk"], true).await.expect("a keyword");
    let change = async |uids: &IdSet, change| {
        messages.change_flags(MailboxId::INBOX, uids, change, None).await.expect("changed");
    };
    change(&junk_uids(), FlagChange::Add(junk)).await;
    assert_eq!(test.learned().await, (6, 6));
    change(&IdSet::range(1, 1), FlagChange::Add(not_junk)).await;
    assert_eq!(test.learned().await, (6, 6), "learned as good before");
    change(&IdSet::range(2, 2), FlagChange::Remove(junk)).await;
    assert_eq!(test.learned().await, (6, 5), "the mark was taken away");
    change(&IdSet::range(4, 4), FlagChange::Replace(not_junk)).await;
    assert_eq!(test.learned().await, (7, 4));
    change(&IdSet::range(6, 6), FlagChange::Add(not_junk)).await;
    assert_eq!(test.learned().await, (7, 3), "both say nothing");
}

#[tokio::test]
async fn copies_and_uploads_teach_but_the_trash_does_not() {
    let test = Fixture::new().await;
    let (junk_mailbox, trash) = (test.mailbox(Role::Junk).await, test.mailbox(Role::Trash).await);
    test.mail().await;
    let messages = test.alice.messages();
    messages.copy(MailboxId::INBOX, &IdSet::range(2, 2), junk_mailbox).await.expect("copied");
    let uid = test.append(junk_mailbox, &junk(99), Flags::NONE).await;
    assert_eq!(test.learned().await, (4, 2));
    let one = IdSet::range(uid.into(), uid.into());
    messages.move_to(junk_mailbox, &one, trash).await.expect("moved");
    assert_eq!(test.learned().await, (4, 2), "who empties the junk does not say that it was good");
}

#[tokio::test]
async fn a_message_rescued_from_junk_loses_the_mark() {
    let test = Fixture::new().await;
    let junk_mailbox = test.mailbox(Role::Junk).await;
    let mark = test.alice.messages().keyword_flags(&["$Junk"], true).await.expect("a keyword");
    let uid = test.append(junk_mailbox, &junk(1), mark).await;
    assert_eq!(test.learned().await, (0, 1));
    let one = IdSet::range(uid.into(), uid.into());
    test.alice.messages().move_to(junk_mailbox, &one, MailboxId::INBOX).await.expect("moved");
    for _ in 0..2 {
        assert_eq!(test.learned().await, (1, 0));
        let inbox = test.alice.messages().open(MailboxId::INBOX).await.expect("opens").snapshot();
        assert_eq!(inbox.get(0).expect("there").flags, Flags::NONE);
    }
}

#[tokio::test]
async fn what_happened_before_a_restart_is_learned_after_it() {
    let test = Fixture::new().await;
    let junk_mailbox = test.mailbox(Role::Junk).await;
    test.mail().await;
    test.alice.messages().move_to(MailboxId::INBOX, &junk_uids(), junk_mailbox).await.expect("moved");
    let test = test.reopened().await;
    assert_eq!(test.learned().await, (6, 6));
    assert!(test.judged(&junk(7)).await.starts_with("X-Junk-Verdict: junk;"));
    // And what was learned is not learned twice.
    let test = test.reopened().await;
    assert_eq!(test.learned().await, (6, 6));
    let sizes = test.statistics().await;
    assert!(sizes.bytes > 100 && sizes.bytes < 4_000, "{sizes:?}");
}

#[tokio::test]
async fn what_is_like_junk_is_delivered_there_and_says_why() {
    let test = Fixture::new().await;
    let junk_mailbox = test.mailbox(Role::Junk).await;
    test.mail().await;
    assert_eq!(test.delivered(&junk(20)).await, MailboxId::INBOX);
    let (text, _) = test.newest(MailboxId::INBOX).await;
    assert!(text.contains("\r\nX-Junk-Verdict: unsure; score=0.50"), "{text}");

    let messages = test.alice.messages();
    messages.move_to(MailboxId::INBOX, &junk_uids(), junk_mailbox).await.expect("moved");
    assert_eq!(test.learned().await, (6, 6));
    // A message cannot speak for itself: what it says stands further down and counts for nothing.
    let forged = format!("X-Junk-Verdict: good; score=0.00\r\n{}", junk(21));
    assert_eq!(test.delivered(&forged).await, junk_mailbox);
    let (text, record) = test.newest(junk_mailbox).await;
    let fields: Vec<&str> = text.lines().filter(|line| line.starts_with("X-Junk-Verdict:")).collect();
    assert!(fields[0].starts_with("X-Junk-Verdict: junk; score=") && fields.len() == 2, "{text}");
    let mark = messages.keyword_flags(&["$Junk"], false).await.expect("a keyword");
    assert_eq!(record.flags, mark);
    assert_eq!(test.delivered(&good(21)).await, MailboxId::INBOX);

    // What the site's own server brings is looked at, what its programs bring is not.
    assert_eq!(test.brought(&junk(22), crate::Origin::Front(None)).await, junk_mailbox);
    assert_eq!(test.brought(&junk(23), crate::Origin::Front(Some(verdict()))).await, junk_mailbox);
    assert_eq!(test.brought(&junk(24), crate::Origin::Outside(None)).await, MailboxId::INBOX);

    assert_eq!(test.learned().await, (6, 6), "its own judgement teaches it nothing");
    let one = IdSet::range(record.uid.into(), record.uid.into());
    messages.move_to(junk_mailbox, &one, MailboxId::INBOX).await.expect("moved");
    assert_eq!(test.learned().await, (7, 6), "a wrong one does, when it is moved back");
}

#[tokio::test]
async fn those_whom_a_twin_writes_to_are_noted() {
    let test = Fixture::new().await;
    let friends = [address("ann@friends.example"), address("ben@friends.example")];
    test.hub.0.junk.wrote_to(test.alice.id(), friends.iter());
    train_due(&test.hub).await;
    let statistics = test.statistics().await;
    assert_eq!((statistics.senders, statistics.correspondents), (2, 2));
    let test = test.reopened().await;
    assert_eq!(test.statistics().await, statistics);
}

/// Mail of two kinds that share three words in four, made by a formula: what is found, and what is taken
/// for junk wrongly.
#[test]
fn accuracy_on_generated_mail() {
    let mut state = 7u64;
    let mut number = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut message = |class: Class| {
        let own = if class == Class::Junk { "pay" } else { "chat" };
        let mut text = String::from("Subject: note\r\n\r\n");
        for n in 0..80 {
            // Frequent words are drawn far more often than rare ones.
            let rank = number(3_000) * number(3_000) / 3_000;
            let word = if n % 4 == 0 { format!("{own}{}", rank % 100) } else { format!("word{rank}") };
            text.push_str(&word);
            text.push(' ');
        }
        tokens_of(&text)
    };
    let mut words = Words::default();
    for _ in 0..100 {
        let lesson = |tokens, now| Lesson { tokens, before: None, now: Some(now) };
        words.learn(&[lesson(message(Class::Junk), Class::Junk), lesson(message(Class::Good), Class::Good)]);
    }
    let mut found = |class: Class| (0..500).filter(|_| score(&words, &message(class)) >= 0.95).count();
    let (right, wrong) = (found(Class::Junk), found(Class::Good));
    assert!(right >= 490 && wrong == 0, "{right} of 500 found, {wrong} of 500 wrong");
}

fn tokens_of(text: &str) -> Tokens {
    let mut scanner = hub_mime::Scanner::new();
    scanner.feed(text.as_bytes());
    let summary = scanner.finish();
    Tokens::of(text.as_bytes(), summary.header_length, &summary.parts)
}

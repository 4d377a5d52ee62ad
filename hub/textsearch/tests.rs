//! Searching with the index finds what searching every text finds, whatever has happened before.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use hub_storage::{Database, Options, Storage, accounts, mailboxes};
use proptest::prelude::*;

use super::index::index_all;
use super::read::read_account;
use crate::*;

async fn open(directory: &std::path::Path) -> Storage {
    let options = Options { data_dir: directory.to_owned(), database: Database::Sqlite };
    Storage::open(options).await.expect("opens")
}

/// Alone, without the cost of a password.
async fn account() -> (tempfile::TempDir, Account) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let storage = open(directory.path()).await;
    let id = storage
        .transact([], |tx| {
            Box::pin(async move {
                let name = "alice@example.org";
                let id = accounts::add_account(tx, name, name, "", b"", 0).await?;
                let root = hub_storage::MailboxRow::ROOT;
                mailboxes::create(tx, id, root, "INBOX", Some(Role::Inbox), true).await?;
                Ok(id)
            })
        })
        .await
        .expect("made");
    let hub = Hub::open(storage, Settings::default()).await.expect("opens");
    let handle = Address::parse("alice@example.org").expect("an address");
    (directory, Account { hub, id, handle, hidden_capabilities: Arc::default(), scopes: Scopes::ALL })
}

async fn new_message(account: &Account, message: &str) -> NewMessage {
    let mut spool = account.hub.spool();
    spool.write(message.as_bytes()).await.expect("written");
    let incoming = account.hub.examine(spool).await.expect("examined");
    NewMessage { incoming, flags: Flags::NONE, received_at: 0 }
}

async fn append(account: &Account, message: &str) -> Uid {
    let message = new_message(account, message).await;
    account.messages().append(MailboxId::INBOX, vec![message]).await.expect("appended").uids[0]
}

async fn search(account: &Account, criterion: &Criterion) -> Vec<Uid> {
    let open = account.messages().open(MailboxId::INBOX).await.expect("opens");
    let snapshot = open.snapshot();
    let found =
        account.messages().search(&open, &snapshot, criterion, &Progress::default()).await.expect("searched");
    found.into_iter().map(|index| snapshot.get(index).expect("there").uid).collect()
}

async fn expunge(account: &Account, uids: &IdSet) {
    let messages = account.messages();
    let delete = FlagChange::Add(Flags::DELETED);
    messages.change_flags(MailboxId::INBOX, uids, delete, None).await.expect("flagged");
    messages.expunge(MailboxId::INBOX, None).await.expect("expunged");
}

/// Lets work go on for some steps, then drops it, as a crash would.
async fn interrupted(work: impl Future, steps: usize) {
    let mut work = pin!(work);
    for _ in 0..steps {
        tokio::select! {
            biased;
            _ = &mut work => return,
            () = tokio::task::yield_now() => {}
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(String, String),
    Expunge(Uid, Uid),
    Index,
    IndexUntil(usize),
    Reclaim,
    Search(String),
}

fn step() -> impl Strategy<Value = Step> {
    let text = "([a-cA-CüÜß世 ]{0,8}|needle|Needle){1,4}";
    prop_oneof![
        4 => (text, text).prop_map(|(subject, body)| Step::Deliver(subject, body)),
        1 => (1u32..20, 0u32..6).prop_map(|(first, more)| Step::Expunge(first, first + more)),
        3 => Just(Step::Index),
        2 => (0usize..200).prop_map(Step::IndexUntil),
        1 => Just(Step::Reclaim),
        3 => "[a-cüß世]{1,5}|needle|dle[ abc]{1,3}".prop_map(Step::Search),
    ]
}

/// A message with this text, each time in another encoding, and its texts.
fn message(uid: usize, subject: &str, body: &str) -> String {
    let subject: String = subject.bytes().map(|byte| format!("={byte:02X}")).collect();
    let (encoding, body) = match uid % 3 {
        0 => ("8bit", body.to_owned()),
        1 => ("quoted-printable", body.bytes().map(|byte| format!("={byte:02X}")).collect()),
        _ => ("base64", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, body)),
    };
    format!(
        "X-Words: =?utf-8?q?{subject}?=\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\r\n{body}"
    )
}

async fn check(account: &Account, kept: &[(Uid, String, String)], needle: &str) {
    let folded = hub_mime::fold(needle);
    let has = |text: &str| hub_mime::fold(text).contains(&folded);
    let expected = |matches: &dyn Fn(&(Uid, String, String)) -> bool| -> Vec<Uid> {
        kept.iter().filter(|message| matches(message)).map(|message| message.0).collect()
    };
    let body = || Box::new(Criterion::Body(needle.to_owned()));
    let text = || Box::new(Criterion::Text(needle.to_owned()));
    assert_eq!(search(account, &body()).await, expected(&|m| has(&m.2)), "BODY {needle}");
    let in_text = search(account, &text()).await;
    assert!(expected(&|m| has(&m.1) || has(&m.2)).iter().all(|uid| in_text.contains(uid)), "TEXT {needle}");
    let header = Criterion::Header("x-words".into(), needle.to_owned());
    assert_eq!(search(account, &header).await, expected(&|m| has(&m.1)), "HEADER {needle}");
    let not = Criterion::Not(body());
    assert_eq!(search(account, &not).await, expected(&|m| !has(&m.2)), "NOT BODY {needle}");
    let either = Criterion::Or(body(), Box::new(Criterion::Body("needle".into())));
    assert_eq!(
        search(account, &either).await,
        expected(&|m| has(&m.2) || m.2.to_lowercase().contains("needle"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_changes_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (_directory, account) = account().await;
            let storage = account.hub.0.storage.clone();
            let mut kept: Vec<(Uid, String, String)> = Vec::new();
            for step in steps.into_iter().chain(["needle", "abc", "世"].map(|n| Step::Search(n.into()))) {
                match step {
                    Step::Deliver(subject, body) => {
                        let uid = append(&account, &message(kept.len(), &subject, &body)).await;
                        kept.push((uid, subject, body));
                    }
                    Step::Expunge(first, last) => {
                        expunge(&account, &IdSet::range(first.into(), last.into())).await;
                        kept.retain(|message| !(first..=last).contains(&message.0));
                    }
                    Step::Index => index_all(&storage, account.id()).await.expect("indexed"),
                    Step::IndexUntil(steps) => interrupted(index_all(&storage, account.id()), steps).await,
                    Step::Reclaim => while storage.reclaim(unix_now() + 7_200).await.expect("reclaimed") {},
                    Step::Search(needle) => check(&account, &kept, &needle).await,
                }
            }
            account.hub.close().await;
        });
    }
}

/// A text of several pieces, with attachments between, is found to its last word.
#[tokio::test]
async fn large_messages_are_searched_to_their_end() {
    let (_directory, account) = account().await;
    let line = "Wörter in einer Zeile, die sich oft wiederholt.\r\n";
    let base64 = |text: &str| {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        encoded
            .as_bytes()
            .chunks(76)
            .flat_map(|line| [line, b"\r\n"].concat())
            .map(char::from)
            .collect::<String>()
    };
    let long = line.repeat(60_000);
    let message = format!(
        "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{long}Ende\r\ndes Ersten\r\n\
         --b\r\nContent-Type: application/x-unknown\r\n\r\nverborgen{}\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\
         --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?=C3=BCber?=\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<p>HTML &uuml;ber alles</p>\r\n--b--\r\n",
        "x".repeat(2_000_000),
        base64(&format!("{long}Ende des Zweiten")),
    );
    append(&account, &message).await;
    append(&account, "Subject: small\r\n\r\nDES ERSTEN kleinen\r\n").await;
    let cases = [
        ("des ersten", vec![1, 2]),
        ("ende\r\ndes ersten", vec![1]),
        ("ende des zweiten", vec![1]),
        ("HTML ÜBER ALLES", vec![1]),
        ("subject: über", vec![]),
        ("verborgen", vec![]),
        ("nirgends", vec![]),
    ];
    for indexed in [false, true] {
        if indexed {
            index_all(&account.hub.0.storage, account.id()).await.expect("indexed");
        }
        for (needle, uids) in &cases {
            assert_eq!(&search(&account, &Criterion::Body((*needle).into())).await, uids, "{needle}");
        }
        for header in ["subject: large", "subject: über", "x-unknown"] {
            assert_eq!(search(&account, &Criterion::Text(header.into())).await, [1], "{header}");
        }
    }
}

async fn wait_until_indexed(storage: &Storage, account: AccountId) {
    while !storage.unindexed(account, hub_storage::Corpus::Mail, 1).await.expect("read").is_empty() {
        tokio::task::yield_now().await;
    }
    let known =
        storage.candidates(account, hub_storage::Corpus::Mail, &[Vec::new()]).await.expect("read").indexed;
    assert_eq!(known.len(), 40);
}

/// The background task does it by itself, also for mail that was there before it started.
#[tokio::test]
async fn enough_mail_is_indexed_by_itself() {
    let (directory, account) = account().await;
    let mut messages = Vec::new();
    for n in 0..40 {
        messages.push(new_message(&account, &format!("Subject: {n}\r\n\r\nnumber {n}\r\n")).await);
    }
    // In one commit: what a second one brought might be too little to be indexed.
    account.messages().append(MailboxId::INBOX, messages).await.expect("appended");
    let storage = account.hub.0.storage.clone();
    wait_until_indexed(&storage, account.id()).await;
    assert_eq!(search(&account, &Criterion::Body("number 39".into())).await, [40]);

    storage.forget_terms(account.id(), hub_storage::Corpus::Mail).await.expect("forgotten");
    account.hub.close().await;
    let id = account.id();
    drop((account, storage));
    let storage = open(directory.path()).await;
    assert_eq!(storage.unindexed(id, hub_storage::Corpus::Mail, 100).await.expect("read").len(), 40);
    let settings = Settings::default();
    let _hub = Hub::open(storage.clone(), settings).await.expect("opens");
    wait_until_indexed(&storage, id).await;
}

#[tokio::test]
async fn of_many_keys_the_last_are_left_to_the_text() {
    let (_directory, account) = account().await;
    let uid = append(&account, &message(0, "", "word 099 and more")).await;
    append(&account, &message(1, "", "word and more")).await;
    index_all(&account.hub.0.storage, account.id).await.expect("indexed");
    let without = |n: usize| Criterion::Not(Box::new(Criterion::Body(format!("word {n:03}"))));
    let any = Criterion::Not(Box::new(Criterion::And((0..100).map(without).collect())));
    assert_eq!(super::TextQuery::new(&any).asked.len(), super::MOST_ASKED);
    assert_eq!(search(&account, &any).await, [uid]);
}

async fn put(account: &Account, name: &str, text: &str) {
    let path = files::FilePath::parse(name).expect("a path");
    let files = account.files();
    let mut upload = files.begin(&path, None, files::Conditions::default()).await.expect("begun");
    upload.write(text.as_bytes()).await.expect("written");
    upload.finish(files::FileMetadata::default()).await.expect("written");
}

async fn found(account: &Account, text: &str) -> Vec<String> {
    let all = files::FilePath::parse("").expect("a path");
    let found = account.files().search(&all, text, 1_000).await.expect("searched");
    found.files.into_iter().map(|file| file.path).collect()
}

/// Whether contents were not read, read, or indexed makes no difference to what is found.
#[tokio::test]
async fn files_are_found_before_and_after_they_are_indexed() {
    let (_directory, account) = account().await;
    let storage = account.hub.0.storage.clone();
    for n in 0..40 {
        put(&account, &format!("{n:02}.txt"), &format!("Number {n:02} of forty")).await;
    }
    put(&account, "copy", "Number 07 of forty").await;
    put(&account, "binary", "number 07\0").await;
    for _ in ["not read", "indexed"] {
        assert_eq!(found(&account, "NUMBER 07").await, ["07.txt", "copy"]);
        assert_eq!(found(&account, "of forty").await.len(), 41);
        assert!(found(&account, "number 40").await.is_empty());
        read_account(&account.hub.0, account.id).await.expect("read");
    }
    let known = storage.candidates(account.id, hub_storage::Corpus::Files, &[]).await.expect("read").indexed;
    assert_eq!(known.len(), 40, "each content once");
    // What comes next is too little for a segment.
    put(&account, "07.txt", "Another text").await;
    for _ in ["not read", "read"] {
        assert_eq!(found(&account, "number 07").await, ["copy"]);
        assert_eq!(found(&account, "another").await, ["07.txt"]);
        read_account(&account.hub.0, account.id).await.expect("read");
    }
    storage.forget_terms(account.id, hub_storage::Corpus::Files).await.expect("forgotten");
    assert_eq!(found(&account, "number 08").await, ["08.txt"]);
}

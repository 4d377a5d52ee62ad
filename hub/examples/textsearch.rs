//! What the search index costs and gives: `cargo run --release -p hub --example textsearch FILE.mbox
//! [postgres://…]`. Appends the messages, waits until they are indexed, searches. Prints JSON lines.

use std::time::{Duration, Instant};

use hub::{
    Account, Address, Criterion, Door, Flags, Hub, MailboxId, NewMessage, Progress, Secret, Settings, Storage,
};
use hub_storage::{Corpus, Database, Options};

#[tokio::main]
#[expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports by printing and stops at errors"
)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap();
    let database = arguments.next().map_or(Database::Sqlite, Database::Postgres);
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::open(Options { data_dir: directory.path().into(), database }).await.unwrap();
    let hub = Hub::open(
        storage.clone(),
        Settings {
            index_cache: 1 << 28,
            header_cache: 1 << 28,
            message_cache: 1 << 28,
            ..Settings::default()
        },
    )
    .await
    .unwrap();
    let name = format!("alice{}", std::process::id());
    let alice = Address::parse(&format!("{name}@example.org")).unwrap();
    let _ = hub.add_domain("example.org").await;
    hub.add_twin(&alice, &Secret::new("alice")).await.unwrap();
    let account = hub.login(&alice.to_string(), &Secret::new("alice"), Door::Imap).await.unwrap();

    let started = Instant::now();
    let mbox = std::fs::read(file).unwrap();
    let (count, bytes) = append(&hub, &account, &mbox, usize::MAX).await;
    println!(
        "{{\"phase\":\"append\",\"messages\":{count},\"bytes\":{bytes},\"ms\":{}}}",
        started.elapsed().as_millis()
    );
    search(&account, "before the index").await;

    indexed(&storage, &account).await;
    // Once more with nothing else going on: a few new messages wake the index.
    storage.forget_terms(account.id(), Corpus::Mail).await.unwrap();
    append(&hub, &account, &mbox, 40).await;
    let (started, cpu) = (Instant::now(), cpu_ms());
    indexed(&storage, &account).await;
    println!(
        "{{\"phase\":\"index\",\"ms\":{},\"cpu_ms\":{}}}",
        started.elapsed().as_millis(),
        cpu_ms() - cpu
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    for round in ["first", "warm", "warm"] {
        search(&account, round).await;
    }
    read(&account).await;
    hub.close().await;
    println!(
        "{{\"phase\":\"done\",\"database_bytes\":{}}}",
        std::fs::metadata(directory.path().join("hub.db")).map_or(0, |m| m.len())
    );
    if std::env::var_os("KEEP").is_some() {
        println!("{}", directory.keep().display());
    }
}

/// Reads all messages as a FETCH of their bodies does.
#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
async fn read(account: &Account) {
    let snapshot = account.messages().open(MailboxId::INBOX).await.unwrap().snapshot();
    let emails: Vec<_> = snapshot.iter().filter(|r| r.size < 65_536).map(|record| record.email).collect();
    for _ in 0..3 {
        let (started, cpu) = (Instant::now(), cpu_ms());
        let mut rows = Duration::ZERO;
        let mut bytes = 0;
        for page in emails.chunks(256) {
            let at = Instant::now();
            let messages: Vec<_> =
                account.messages().fetch(page).await.unwrap().into_iter().flatten().collect();
            rows += at.elapsed();
            let wanted: Vec<_> = messages.iter().map(|message| (message, u64::MAX)).collect();
            bytes +=
                account.messages().read_starts(&wanted).await.unwrap().iter().map(|b| b.len()).sum::<usize>();
        }
        println!(
            "{{\"phase\":\"read\",\"messages\":{},\"bytes\":{bytes},\"ms\":{},\"rows_ms\":{},\"cpu_ms\":{}}}",
            emails.len(),
            started.elapsed().as_millis(),
            rows.as_millis(),
            cpu_ms() - cpu
        );
    }
}

/// Waits until too little is left to be worth a segment.
#[expect(clippy::unwrap_used, reason = "a benchmark")]
async fn indexed(storage: &Storage, account: &Account) {
    while storage.unindexed(account.id(), Corpus::Mail, 32).await.unwrap().len() >= 32 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Processor time of this process so far.
#[expect(clippy::unwrap_used, reason = "a benchmark")]
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
    (fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()) * 10
}

#[expect(clippy::unwrap_used, reason = "a benchmark")]
async fn append(hub: &Hub, account: &Account, mbox: &[u8], most: usize) -> (usize, usize) {
    let text = mbox.strip_prefix(b"From ").unwrap();
    let mut count = 0;
    let mut bytes = 0;
    let mut group = Vec::new();
    let mut starts = vec![0];
    starts.extend(memchr::memmem::find_iter(text, "\nFrom ").map(|at| at + 6));
    starts.push(text.len());
    for ends in starts.windows(2).take(most) {
        let message = &text[ends[0]..ends[1]];
        let line = memchr::memchr(b'\n', message).unwrap();
        let mut crlf = Vec::with_capacity(message.len() * 21 / 20);
        for line in message[line + 1..].split(|byte| *byte == b'\n') {
            crlf.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            crlf.extend_from_slice(b"\r\n");
        }
        let mut spool = hub.spool();
        spool.write(&crlf).await.unwrap();
        let incoming = hub.examine(spool).await.unwrap();
        group.push(NewMessage { incoming, flags: Flags::NONE, received_at: 1 });
        count += 1;
        bytes += crlf.len();
        if group.len() == 200 {
            account.messages().append(MailboxId::INBOX, std::mem::take(&mut group)).await.unwrap();
        }
    }
    account.messages().append(MailboxId::INBOX, group).await.unwrap();
    (count, bytes)
}

#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
async fn search(account: &Account, round: &str) {
    let mailbox = account.messages().open(MailboxId::INBOX).await.unwrap();
    let snapshot = mailbox.snapshot();
    let cases = [
        ("body, one message has it", Criterion::Body("needle-4321".into())),
        ("body, none", Criterion::Body("nirgendwo zu finden".into())),
        ("text, none", Criterion::Text("nirgendwo zu finden".into())),
        ("body, all", Criterion::Body("needle".into())),
        ("text, two letters", Criterion::Text("zq".into())),
        ("header text only", Criterion::Text("x-gen-index: 4321".into())),
    ];
    for (name, criterion) in cases {
        let (started, cpu) = (Instant::now(), cpu_ms());
        let found = account
            .messages()
            .search(&mailbox, &snapshot, &criterion, &Progress::default())
            .await
            .unwrap()
            .len();
        let elapsed = started.elapsed().as_micros();
        println!(
            "{{\"phase\":\"search\",\"round\":\"{round}\",\"what\":\"{name}\",\"found\":{found},\"us\":{elapsed},\"cpu_ms\":{}}}",
            cpu_ms() - cpu
        );
    }
}

//! Durable deliveries per second at the storage's own door, without protocols:
//! `cargo run --release -p hub-storage --example deliveries [postgres://…]`.
//! Prints one JSON line per number of concurrent producers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_storage::{
    AccountId, Database, Flags, IdSet, MailboxId, NewEmail, Options, Role, Storage, accounts, mailboxes,
    messages,
};

const SECONDS: u64 = 3;

#[tokio::main]
#[expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports by printing and stops at errors"
)]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let database = std::env::args().nth(1).map_or(Database::Sqlite, Database::Postgres);
    let storage = Storage::open(Options { data_dir: directory.path().into(), database }).await.unwrap();
    let run = std::process::id();
    let mut ids = Vec::new();
    for n in 0..20 {
        let name = format!("u{n}-{run}@example.org");
        let id = storage.transact([], move |tx| {
            Box::pin(async move {
                let id = accounts::add_account(tx, &name, &name, "", b"", 0).await?;
                mailboxes::create(tx, id, hub_storage::MailboxRow::ROOT, "INBOX", Some(Role::Inbox), true)
                    .await?;
                Ok(id)
            })
        });
        ids.push(id.await.unwrap());
    }
    for producers in [1, 10, 100, 1000] {
        let end = Instant::now() + Duration::from_secs(SECONDS);
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..producers {
            let (storage, id) = (storage.clone(), ids[n % ids.len()]);
            tasks.spawn(async move {
                let mut count = 0u64;
                while Instant::now() < end {
                    let body = format!("{n} {count} ").repeat(400);
                    deliver(&storage, id, body.as_bytes()).await;
                    count += 1;
                }
                count
            });
        }
        let total: u64 = tasks.join_all().await.into_iter().sum();
        let rate = total as f64 / started.elapsed().as_secs_f64();
        println!("{{\"phase\":\"deliver\",\"producers\":{producers},\"per_second\":{rate:.0}}}");
    }
    large_mailbox(&storage, ids[0]).await;
    storage.close().await;
}

#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
async fn large_mailbox(storage: &Storage, id: AccountId) {
    let other = storage
        .transact([id], move |tx| {
            Box::pin(mailboxes::create(tx, id, hub_storage::MailboxRow::ROOT, "large", None, true))
        })
        .await
        .unwrap();
    let message = NewEmail { mailbox: other, ..email(storage, id, b"x").await };
    let started = Instant::now();
    for _ in 0..100 {
        storage.append(vec![message.clone(); 1000]).await.unwrap();
    }
    println!("{{\"phase\":\"append 100000\",\"ms\":{}}}", started.elapsed().as_millis());
    for _ in 0..3 {
        let started = Instant::now();
        let index = storage.mailbox_index(id, other).await.unwrap();
        println!(
            "{{\"phase\":\"index of {}\",\"ms\":{}}}",
            index.records.len(),
            started.elapsed().as_millis()
        );
    }
    for (set, clear) in [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)] {
        let started = Instant::now();
        let all = IdSet::range(1, u64::from(u32::MAX));
        storage
            .transact([id], move |tx| {
                Box::pin(async move { messages::change_flags(tx, id, other, &all, set, clear, None).await })
            })
            .await
            .unwrap();
        println!("{{\"phase\":\"flags of 100000\",\"ms\":{}}}", started.elapsed().as_millis());
    }
    let emails: Vec<_> =
        storage.mailbox_index(id, other).await.unwrap().records.iter().map(|r| r.email).collect();
    let started = Instant::now();
    for page in emails.chunks(256) {
        assert_eq!(storage.emails(id, page).await.unwrap().len(), page.len());
    }
    println!("{{\"phase\":\"summaries of 100000\",\"ms\":{}}}", started.elapsed().as_millis());
}

#[expect(clippy::unwrap_used, reason = "a benchmark")]
async fn deliver(storage: &Storage, account: AccountId, body: &[u8]) {
    let email = email(storage, account, body).await;
    storage.append(vec![email]).await.unwrap();
}

#[expect(clippy::unwrap_used, reason = "a benchmark")]
async fn email(storage: &Storage, account: AccountId, body: &[u8]) -> NewEmail {
    let mut spool = storage.spool();
    spool.write(body).await.unwrap();
    NewEmail {
        account,
        mailbox: MailboxId::INBOX,
        blob: Arc::new(spool.finish().await.unwrap()),
        prefix: vec![b'p'; 200],
        summary: Arc::from(vec![b's'; 900]),
        sent_at: 1,
        thread_keys: vec![i64::from_be_bytes(body.first_chunk::<8>().copied().unwrap_or_default())],
        flags: Flags::NONE,
        received_at: 1,
    }
}

//! Jobs that share a transaction do not harm each other, and readers nobody.

use tokio::sync::oneshot;

use super::cases::assert_counters;
use super::{Place, account, email};
use crate::db::values;
use crate::{Error, Kind, MailboxRow, NewEmail, Result, Role, Storage, accounts, append_within, mailboxes};

/// Keeps the writer in a job until told to go on; what is sent meanwhile is one group.
async fn hold(storage: &Storage) -> oneshot::Sender<()> {
    let (started, begun) = oneshot::channel();
    let (gate, opened) = oneshot::channel();
    let storage = storage.clone();
    tokio::spawn(async move {
        let work = storage.transact([], move |_| {
            Box::pin(async move {
                let _ = started.send(());
                opened.await.map_err(|_| Error::Busy)
            })
        });
        work.await
    });
    begun.await.expect("the writer runs");
    gate
}

pub(super) async fn a_refused_append_leaves_nothing_to_the_next_job(place: Place) {
    let storage = place.open().await;
    let (full, _) = account(&storage, "alice", 10).await;
    let (id, _) = account(&storage, "bob", 0).await;
    let message = NewEmail { thread_keys: vec![7], ..email(&storage, id, b"first").await };
    storage.append(vec![message.clone()]).await.expect("appended");
    let large = NewEmail { thread_keys: vec![9], ..email(&storage, full, b"more than the quota").await };

    let gate = hold(&storage).await;
    let refused = storage.append(vec![large]);
    let reply = storage.transact([id], move |tx| {
        Box::pin(async move { append_within(tx, &[message]).await.map(|appended| appended.len()) })
    });
    let (refused, reply, _) = tokio::join!(refused, reply, async { gate.send(()) });
    assert!(matches!(refused, Err(Error::OverQuota { .. })));
    assert_eq!(reply.expect("its thread is known"), 1);
    assert_counters(&storage, id).await;
}

pub(super) async fn what_an_undone_job_has_locked_is_locked_anew(place: Place) {
    let storage = place.open().await;
    let add = |fails: bool| {
        storage.transact([], move |tx| {
            Box::pin(async move {
                let id = accounts::add_account(tx, "carol@x", "carol@x", "", b"", 0).await?;
                mailboxes::create(tx, id, MailboxRow::ROOT, "INBOX", Some(Role::Inbox), true).await?;
                if fails { Err(Error::Busy) } else { Ok(id) }
            })
        })
    };
    let gate = hold(&storage).await;
    let (failed, made, _) = tokio::join!(add(true), add(false), async { gate.send(()) });
    assert!(failed.is_err());
    let id = made.expect("made");
    let (rows, _) = storage.mailboxes(id).await.expect("read");
    let changes = storage.changes_since(id, Kind::Mailbox, 0, 0).await.expect("read").expect("kept");
    // The next commit must not get the modseq of this one.
    assert_eq!(changes.modseq, rows[0].modseq);
}

pub(super) async fn an_aborted_reader_leaves_no_transaction(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let ask = async || -> Result<Option<i64>> {
        let mut reader = storage.reader().await?;
        reader.begin_read();
        // Not ended, as when the task of a search is aborted.
        reader.first("SELECT id FROM account WHERE id = $1", values![id], |row| row.int(0)).await
    };
    // More than there are connections.
    for _ in 0..20 {
        assert_eq!(ask().await.expect("a new transaction"), Some(id.0));
    }
}

//! Annotations.

use super::{Place, account};
use crate::metadata::{self, OF_ACCOUNT};
use crate::{AccountId, MailboxId, Storage, accounts, mailboxes};

async fn set(storage: &Storage, id: AccountId, mailbox: MailboxId, entries: &[(&str, Option<&str>)]) {
    let entries: Vec<_> = entries
        .iter()
        .map(|(entry, value)| ((*entry).to_owned(), value.map(|value| value.as_bytes().to_vec())))
        .collect();
    storage.transact([id], move |tx| Box::pin(metadata::set(tx, id, mailbox, entries))).await.expect("set");
}

async fn all(storage: &Storage, id: AccountId) -> Vec<String> {
    let annotations = storage.metadata(id, None).await.expect("read");
    annotations
        .into_iter()
        .map(|(mailbox, entry, value)| format!("{mailbox} {entry} {}", String::from_utf8_lossy(&value)))
        .collect()
}

pub(super) async fn annotations_follow_their_mailbox(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let (bob, _) = account(&storage, "bob", 0).await;
    let comment = "/private/comment";
    set(&storage, id, other, &[(comment, Some("one")), ("/shared/comment", Some("two"))]).await;
    set(&storage, id, OF_ACCOUNT, &[(comment, Some("of alice"))]).await;
    set(&storage, bob, OF_ACCOUNT, &[(comment, Some("of bob"))]).await;
    set(&storage, id, other, &[(comment, Some("changed")), ("/shared/comment", None)]).await;
    assert_eq!(all(&storage, id).await, ["0 /private/comment of alice", "16 /private/comment changed"]);
    assert_eq!(storage.metadata(id, Some(other)).await.expect("read").len(), 1);
    let usage =
        storage.transact([id], move |tx| Box::pin(metadata::usage(tx, id, other))).await.expect("read");
    assert_eq!(usage, (1, 2 * comment.len() as u64 + 15));

    let inbox = MailboxId::INBOX;
    storage.transact([id], move |tx| Box::pin(metadata::copy(tx, id, other, inbox))).await.expect("copied");
    let (rows, _) = storage.mailboxes(id).await.expect("read");
    let row = rows.into_iter().find(|row| row.id == other).expect("there");
    storage
        .transact([id], move |tx| Box::pin(async move { mailboxes::delete(tx, id, &row, false).await }))
        .await
        .expect("deleted");
    assert_eq!(all(&storage, id).await, ["0 /private/comment of alice", "1 /private/comment changed"]);
    storage.transact([id], move |tx| Box::pin(accounts::remove_account(tx, id))).await.expect("removed");
    assert!(all(&storage, id).await.is_empty());
    assert_eq!(all(&storage, bob).await, ["0 /private/comment of bob"]);
}

//! What junk filters have learned.

use std::collections::HashMap;

use super::{Place, account, email};
use crate::junk::{self, Kept, Part};
use crate::{AccountId, MailboxId, MailboxRow, Result, Role, Storage, accounts, mailboxes};

async fn keep(storage: &Storage, id: AccountId, kept: Kept) -> Result<()> {
    storage.transact([id], move |tx| Box::pin(junk::keep(tx, vec![(id, kept)]))).await
}

pub(super) async fn what_a_filter_learned_is_kept_and_goes_with_its_account(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (bob, _) = account(&storage, "bob", 0).await;
    assert!(storage.junk_accounts().await.expect("read").is_empty());
    assert_eq!(storage.junk_progress(id).await.expect("read"), None);

    let junk_mailbox = storage
        .transact([id], move |tx| {
            Box::pin(mailboxes::create(tx, id, MailboxRow::ROOT, "Junk", Some(Role::Junk), true))
        })
        .await
        .expect("made");
    assert!(storage.junk_unlearned().await.expect("read").is_empty(), "nothing in it");
    let mut message = email(&storage, id, b"pills").await;
    message.mailbox = junk_mailbox;
    let mut copy = message.clone();
    copy.mailbox = MailboxId::INBOX;
    let placed = storage.append(vec![message, copy]).await.expect("appended");
    assert_eq!(storage.junk_unlearned().await.expect("read"), [id]);
    let places = storage.places(id, &[placed[0].email, crate::EmailId(999)]).await.expect("read");
    assert_eq!(places, [(placed[0].email, junk_mailbox, placed[0].uid)]);

    let large = vec![7; 300_000];
    let parts = vec![(Part::Words, large.clone()), (Part::Senders, vec![2])];
    keep(&storage, id, Kept { progress: Some((1_000_000, vec![1])), parts }).await.expect("kept");
    keep(&storage, id, Kept { progress: None, parts: vec![(Part::Senders, vec![3])] }).await.expect("kept");
    assert!(storage.junk_unlearned().await.expect("read").is_empty());
    assert_eq!(storage.junk_accounts().await.expect("read"), [id]);
    assert_eq!(storage.junk_progress(id).await.expect("read"), Some((1_000_000, vec![1])));
    let expected = HashMap::from([(Part::Words, large), (Part::Senders, vec![3])]);
    assert_eq!(storage.junk_parts(id).await.expect("read"), expected);
    assert!(storage.junk_parts(bob).await.expect("read").is_empty());

    storage.transact([id], move |tx| Box::pin(accounts::remove_account(tx, id))).await.expect("removed");
    assert!(storage.junk_accounts().await.expect("read").is_empty());
    assert_eq!(storage.junk_progress(id).await.expect("read"), None);
    let late = Kept { progress: Some((1, vec![])), parts: vec![(Part::Words, vec![1])] };
    keep(&storage, id, late).await.expect("left out");
    assert_eq!(storage.junk_progress(id).await.expect("read"), None);
    assert!(storage.junk_accounts().await.expect("read").is_empty());
}

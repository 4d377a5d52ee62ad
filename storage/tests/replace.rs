//! A message in the place of another (RFC 8508).

use super::{Place, account, email};
use crate::messages::replace;
use crate::{AccountId, Appended, Error, MailboxId, NewEmail, Result, Storage, Uid};

const INBOX: MailboxId = MailboxId::INBOX;

async fn replaced(storage: &Storage, id: AccountId, uid: Uid, email: NewEmail) -> Result<Appended> {
    let job =
        storage.transact([id], move |tx| Box::pin(async move { replace(tx, id, (INBOX, uid), email).await }));
    job.await
}

pub(super) async fn a_replacement_is_one_commit(place: Place) {
    let storage = place.open().await;
    // Room for one message of this size, not for two.
    let (id, _) = account(&storage, "alice", 150).await;
    storage.append(vec![email(&storage, id, &[b'a'; 100]).await]).await.expect("appended");
    let uids = async || {
        let index = storage.mailbox_index(id, INBOX).await.expect("index");
        index.records.iter().map(|record| record.uid).collect::<Vec<_>>()
    };

    let appended =
        replaced(&storage, id, 1, email(&storage, id, &[b'b'; 110]).await).await.expect("replaced");
    assert_eq!((appended.uid, uids().await), (2, vec![2]));

    // What cannot be kept does not take the other away.
    let refused = replaced(&storage, id, 2, email(&storage, id, &[b'c'; 400]).await).await;
    assert!(matches!(refused, Err(Error::OverQuota { .. })), "{refused:?}");
    assert_eq!(uids().await, [2]);

    let gone = replaced(&storage, id, 1, email(&storage, id, b"d").await).await;
    assert!(matches!(gone, Err(Error::NotFound("message"))), "{gone:?}");
    assert_eq!(uids().await, [2]);
}

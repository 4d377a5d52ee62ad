//! What was imported is remembered with what was appended, or neither.

use super::{Place, account, email};
use crate::{IdSet, append_within, imports};

pub(super) async fn an_import_is_noted_once(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 1_000).await;
    assert!(storage.imported(id, "imap://a/INBOX").await.expect("read").is_none());
    let note = |messages: Vec<u64>, body: Vec<u8>| {
        let storage = storage.clone();
        async move {
            let email = email(&storage, id, &body).await;
            storage
                .transact([id], move |tx| {
                    Box::pin(async move {
                        let fresh = imports::note(tx, id, "imap://a/INBOX", &messages).await?;
                        append_within(tx, &[email]).await?;
                        Ok(fresh)
                    })
                })
                .await
        }
    };
    let mut fresh = note(vec![7, 1, u64::MAX >> 1], b"small".to_vec()).await.expect("noted");
    fresh.sort_unstable();
    assert_eq!(fresh, [1, 7, u64::MAX >> 1]);
    assert_eq!(note(vec![1, 8, 7], b"small".to_vec()).await.expect("noted"), [8]);
    // What is refused is not noted either.
    assert!(note(vec![9], vec![b'x'; 2_000]).await.is_err());
    let mut known = IdSet::range(7, 8);
    known.insert(1);
    known.insert(u64::MAX >> 1);
    assert_eq!(storage.imported(id, "imap://a/INBOX").await.expect("read"), Some(known));

    // Another account, another source: nothing of it.
    let (other, _) = account(&storage, "bob", 0).await;
    assert!(storage.imported(other, "imap://a/INBOX").await.expect("read").is_none());
    assert!(storage.imported(id, "imap://a/Sent").await.expect("read").is_none());
}

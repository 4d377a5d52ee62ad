//! Summaries of many messages at once.

use super::{Place, account, email};
use crate::messages::move_to;
use crate::{EmailId, IdSet, MailboxId};

pub(crate) async fn summaries_are_read_in_one_scan(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let mut emails = Vec::new();
    for body in ["1", "2", "3", "4"] {
        emails.push(email(&storage, id, body.as_bytes()).await);
    }
    let appended = storage.append(emails).await.expect("appended");
    storage
        .transact([id], move |tx| {
            Box::pin(async move { move_to(tx, id, MailboxId::INBOX, &IdSet::range(2, 2), other).await })
        })
        .await
        .expect("moved");

    let mut found = Vec::new();
    let range = (1, 3);
    storage
        .mailbox_summaries(id, MailboxId::INBOX, range, |row| {
            assert_eq!(row.summary, b"summary");
            assert!(row.thread > 0);
            found.push(row.email);
        })
        .await
        .expect("read");
    found.sort_unstable();
    assert_eq!(found, [appended[0].email, appended[2].email]);

    found.clear();
    let wanted = [appended[3].email, EmailId(999_999), appended[1].email];
    storage.summaries(id, &wanted, |row| found.push(row.email)).await.expect("read");
    found.sort_unstable();
    assert_eq!(found, [appended[1].email, appended[3].email]);

    let saved = async |from, until| -> Vec<u32> {
        let saved = storage.saved_between(id, MailboxId::INBOX, from, until).await.expect("read");
        assert!(saved.iter().all(|(_, at)| (from..until).contains(at)));
        saved.into_iter().map(|(uid, _)| uid).collect()
    };
    assert_eq!(saved(0, i64::MAX).await, [1, 3, 4]);
    assert!(saved(0, 1).await.is_empty());
    assert!(saved(i64::MAX, i64::MAX).await.is_empty());
}

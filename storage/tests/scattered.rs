//! Sets of UIDs in many small ranges, as clients send them after a search.

use super::cases::{assert_counters, records, uids};
use super::{Place, account, email};
use crate::messages::{change_flags, copy, expunge, move_to};
use crate::{Flags, IdSet, MailboxId};

const INBOX: MailboxId = MailboxId::INBOX;

pub(super) async fn scattered_sets_are_exact(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"12345").await;
    storage.append(vec![message; 300]).await.expect("appended");
    // Every third of 300, and two that do not exist.
    let third: IdSet = (1..=306u64).filter(|uid| uid % 3 == 0).collect();
    let (set, clear) = (Flags::SEEN | Flags::DELETED, Flags::NONE);
    let before = records(&storage, id, INBOX).await[0].modseq;

    let wanted = third.clone();
    let failed = storage
        .transact_in(id, [INBOX], move |tx| {
            Box::pin(async move { change_flags(tx, id, INBOX, &wanted, set, clear, None).await })
        })
        .await
        .expect("changed");
    assert!(failed.is_empty());
    assert_counters(&storage, id).await;
    let changed: Vec<u32> =
        records(&storage, id, INBOX).await.iter().filter(|r| r.flags == set).map(|r| r.uid).collect();
    assert_eq!(changed, (1..=300).filter(|uid| uid % 3 == 0).collect::<Vec<u32>>());

    // Those just changed are newer than `before`, the others are not (RFC 7162 §3.1.3).
    let all: IdSet = (1..=300u64).filter(|uid| uid % 2 == 0).collect();
    let failed = storage
        .transact_in(id, [INBOX], move |tx| {
            Box::pin(async move {
                change_flags(tx, id, INBOX, &all, Flags::FLAGGED, Flags::NONE, Some(before)).await
            })
        })
        .await
        .expect("changed");
    assert_eq!(failed, (1..=300u64).filter(|uid| uid % 6 == 0).collect());
    assert_counters(&storage, id).await;

    let wanted = third.clone();
    let copied = storage
        .transact_in(id, [INBOX, other], move |tx| {
            Box::pin(async move { copy(tx, id, INBOX, &wanted, other).await })
        })
        .await
        .expect("copied");
    assert_eq!((copied.from.len(), copied.to), (100, IdSet::range(1, 100)));
    let half: IdSet = (1..=300u64).filter(|uid| uid % 2 == 1).collect();
    storage
        .transact_in(id, [INBOX, other], move |tx| {
            Box::pin(async move { move_to(tx, id, INBOX, &half, other).await })
        })
        .await
        .expect("moved");
    assert_counters(&storage, id).await;
    let removed = storage
        .transact_in(id, [INBOX], move |tx| {
            Box::pin(async move { expunge(tx, id, INBOX, &third, Flags::DELETED).await })
        })
        .await
        .expect("expunged");
    assert_eq!(removed.len(), 50);
    let left: Vec<u32> = (1..=300).filter(|uid| uid % 2 == 0 && uid % 3 != 0).collect();
    assert_eq!(uids(&storage, id, INBOX).await, left);
    assert_eq!(uids(&storage, id, other).await.len(), 250);
    assert_counters(&storage, id).await;
}

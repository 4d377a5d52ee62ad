//! The outbound queue.

use super::{Place, account, email};
use crate::queue::{self, NewQueued, NewRecipient, Settled};

pub(super) async fn the_queue_leases_and_settles(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let blob = email(&storage, id, b"outbound").await.blob;
    let recipients = ["bob@example.net", "carol@example.com"].map(|address| NewRecipient {
        address: address.into(),
        domain: address.split('@').nth(1).unwrap_or_default().into(),
        notify: 3,
        original: String::new(),
    });
    let message = NewQueued {
        account: id,
        reverse_path: "alice@example.org".into(),
        blob,
        prefix: b"Received: x\r\n".to_vec(),
        ret: "HDRS".into(),
        envelope_id: "QQ+20".into(),
        smtputf8: false,
        eight_bit: true,
        recipients: recipients.into(),
    };
    let number = storage
        .transact([], move |tx| Box::pin(async move { queue::push(tx, &message).await }))
        .await
        .expect("queued");
    let now = crate::unix_now() + 5;
    let take = |now: i64| {
        let storage = storage.clone();
        async move {
            storage.transact([], move |tx| Box::pin(queue::take_due(tx, now, 10, 60))).await.expect("taken")
        }
    };
    let due = take(now).await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].id, due[0].recipients.len(), due[0].eight_bit), (number, 2, true));
    assert_eq!(storage.read_blob(due[0].blob, 0, 99).await.expect("read"), "outbound");
    assert!(take(now + 59).await.is_empty(), "under lease");
    storage.transact([], |tx| Box::pin(queue::release_leases(tx))).await.expect("released");
    assert_eq!(take(now).await.len(), 1, "the holder died");
    assert_eq!(take(now + 61).await.len(), 1, "the lease ended");
    let settle = |outcomes: Vec<(i64, Settled)>| {
        let storage = storage.clone();
        async move {
            storage
                .transact([], move |tx| Box::pin(async move { queue::settle(tx, number, &outcomes).await }))
                .await
                .expect("settled")
        }
    };
    let later = Settled::Deferred { status: "451 4.7.1 later".into(), next_attempt_at: now + 500 };
    settle(vec![(1, Settled::Done), (2, later)]).await;
    let rows = storage.queue().await.expect("listed");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].attempts, rows[0].last_status.as_str()), (1, "451 4.7.1 later"));
    assert!(take(now + 400).await.is_empty());
    assert_eq!(take(now + 500).await[0].recipients[0].attempts, 1);
    settle(vec![(2, Settled::Done)]).await;
    assert!(storage.queue().await.expect("listed").is_empty());
}

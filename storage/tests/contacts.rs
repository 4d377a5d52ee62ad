//! Who has brought mail before.

use super::Place;
use crate::Storage;
use crate::contacts::{self, ContactRow};

async fn keep(storage: &Storage, rows: Vec<ContactRow>, most: i64) {
    let keep = storage.transact([], move |tx| Box::pin(async move { contacts::keep(tx, &rows, most).await }));
    keep.await.expect("kept");
}

pub(super) async fn contacts_are_known_until_they_expire(place: Place) {
    let storage = place.open().await;
    let later = crate::unix_now() + 1_000;
    let row = |id, passed| ContactRow { id, since: 5, passed, expires_at: later + id.signum() };
    let known = async |storage: &Storage, now| {
        let mut rows = storage.contacts(&[-7, 1, 2, 3], now).await.expect("read");
        rows.sort_by_key(|row| row.id);
        rows
    };
    assert!(known(&storage, 0).await.is_empty());
    keep(&storage, vec![row(1, false), row(-7, false), row(9, false)], 100).await;
    keep(&storage, vec![row(1, true), row(2, false)], 100).await;
    assert_eq!(known(&storage, later).await, [row(1, true), row(2, false)]);
    assert_eq!(known(&storage, later - 1).await, [row(-7, false), row(1, true), row(2, false)]);

    storage.close().await;
    drop(storage);
    let storage = place.open().await;
    assert_eq!(known(&storage, 0).await.len(), 3, "a restart delays nobody again");

    // What has expired goes, and the oldest of too many.
    keep(&storage, vec![ContactRow { expires_at: 1, ..row(3, true) }], 100).await;
    keep(&storage, Vec::new(), 100).await;
    assert_eq!(known(&storage, 0).await, [row(-7, false), row(1, true), row(2, false)]);
    keep(&storage, Vec::new(), 2).await;
    assert_eq!(known(&storage, 0).await, [row(1, true), row(2, false)]);
}

//! Keys that sign.

use super::Place;
use crate::dkim::{self, KeyRow};

pub(super) async fn keys_are_kept_until_removed(place: Place) {
    let storage = place.open().await;
    let key = |selector: &str, created_at| KeyRow {
        domain: "example.org".into(),
        selector: selector.into(),
        algorithm: "rsa".into(),
        secret: vec![1, 2],
        public: "AA".into(),
        created_at,
        seen_at: 0,
        active_at: 0,
        retired_at: 0,
    };
    let add = async |key: KeyRow| {
        storage.transact([], move |tx| Box::pin(async move { dkim::add(tx, &key).await })).await
    };
    add(key("b", 1)).await.expect("added");
    add(key("a", 2)).await.expect("added");
    assert!(add(key("a", 3)).await.is_err(), "twice");
    let mut changed = key("a", 2);
    (changed.secret, changed.active_at) = (Vec::new(), 5);
    let row = changed.clone();
    storage
        .transact([], move |tx| Box::pin(async move { dkim::change(tx, &row).await }))
        .await
        .expect("changed");
    let keys = storage.dkim_keys("example.org").await.expect("read");
    assert!(keys == [key("b", 1), changed]);
    storage.transact([], |tx| Box::pin(dkim::remove(tx, "example.org", "b"))).await.expect("removed");
    assert_eq!(storage.dkim_keys("example.org").await.expect("read").len(), 1);
    assert!(storage.dkim_keys("example.net").await.expect("read").is_empty());
}

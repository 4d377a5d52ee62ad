//! Policies of other domains.

use super::Place;
use crate::transport::{StsPolicyRow, keep_sts_policy};

pub(super) async fn policies_are_kept_until_they_expire(place: Place) {
    let storage = place.open().await;
    assert_eq!(storage.sts_policy("a.test").await.expect("read"), None);
    let row = |domain: &str, id: &str, expires_at| StsPolicyRow {
        domain: domain.to_owned(),
        id: id.to_owned(),
        policy: format!("version: STSv1 of {id}"),
        expires_at,
    };
    let far = i64::MAX;
    for row in
        [row("old.test", "1", 1), row("a.test", "1", far), row("a.test", "2", far), row("b.test", "3", far)]
    {
        storage
            .transact([], move |tx| Box::pin(async move { keep_sts_policy(tx, &row).await }))
            .await
            .expect("kept");
    }
    assert_eq!(storage.sts_policy("a.test").await.expect("read"), Some(row("a.test", "2", far)));
    assert_eq!(storage.sts_policy("b.test").await.expect("read"), Some(row("b.test", "3", far)));
    assert_eq!(storage.sts_policy("old.test").await.expect("read"), None, "expired, and cleared away");
}

//! Policies of other domains, and how connections to them went.

use super::Place;
use crate::transport::{StsPolicyRow, TlsResultRow, count_tls_results, forget_tls_results, keep_sts_policy};

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

pub(super) async fn tls_results_add_up(place: Place) {
    let storage = place.open().await;
    let row = |day, domain: &str, result: &str, sessions| TlsResultRow {
        day,
        domain: domain.to_owned(),
        policy: "sts".to_owned(),
        host: "mx.test".to_owned(),
        result: result.to_owned(),
        sessions,
    };
    for rows in [
        vec![row(10, "a.test", "", 3), row(10, "a.test", "tlsa-invalid", 1), row(11, "a.test", "", 1)],
        vec![row(10, "a.test", "", 2), row(10, "b.test", "", 1)],
    ] {
        storage
            .transact([], move |tx| Box::pin(async move { count_tls_results(tx, &rows).await }))
            .await
            .expect("counted");
    }
    let expected = [row(10, "a.test", "", 5), row(10, "a.test", "tlsa-invalid", 1), row(10, "b.test", "", 1)];
    assert_eq!(storage.tls_results_before(11).await.expect("read"), expected, "of the days that are over");
    storage
        .transact([], |tx| Box::pin(async move { forget_tls_results(tx, 10, "a.test").await }))
        .await
        .expect("forgotten");
    assert_eq!(storage.tls_results_before(11).await.expect("read"), expected[2..]);
    assert_eq!(storage.tls_results_before(12).await.expect("read").len(), 2, "another day is untouched");
}

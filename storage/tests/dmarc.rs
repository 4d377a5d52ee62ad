//! Counts and reports.

use super::Place;
use crate::dmarc::{self, CountRow, ReportRow};

pub(super) async fn messages_are_counted_until_reported(place: Place) {
    let storage = place.open().await;
    let row = |day, facts: &str, messages| CountRow {
        day,
        domain: "a.example".into(),
        facts: facts.into(),
        messages,
    };
    let count = async |rows: Vec<CountRow>| {
        storage
            .transact([], move |tx| Box::pin(async move { dmarc::count(tx, &rows).await }))
            .await
            .expect("counted");
    };
    count(vec![row(1, "x", 1), row(1, "y", 5), row(2, "x", 1)]).await;
    count(vec![row(1, "x", 2)]).await;
    assert_eq!(storage.dmarc_due(2).await.expect("read"), [(1, "a.example".to_owned())]);
    let counts = storage.dmarc_counts(1, "a.example", 10).await.expect("read");
    assert_eq!(counts, [row(1, "y", 5), row(1, "x", 3)]);
    assert_eq!(storage.dmarc_counts(1, "a.example", 1).await.expect("read").len(), 1);
    storage.transact([], |tx| Box::pin(dmarc::forget(tx, 1, "a.example"))).await.expect("forgotten");
    assert_eq!(storage.dmarc_due(9).await.expect("read"), [(2, "a.example".to_owned())]);

    let report = |received_at, id: &str| ReportRow {
        received_at,
        domain: "a.example".into(),
        organisation: "mx.example".into(),
        report: id.into(),
        begins_at: 0,
        ends_at: 9,
        passed: 3,
        failed: 1,
    };
    let keep = async |report: ReportRow, since| {
        storage
            .transact([], move |tx| Box::pin(async move { dmarc::keep(tx, &report, since).await }))
            .await
            .expect("kept");
    };
    keep(report(10, "one"), 0).await;
    keep(report(11, "one"), 0).await;
    keep(report(12, "two"), 0).await;
    assert_eq!(storage.dmarc_reports().await.expect("read"), [report(12, "two"), report(10, "one")]);
    keep(report(13, "three"), 11).await;
    assert_eq!(storage.dmarc_reports().await.expect("read"), [report(13, "three"), report(12, "two")]);
}

//! Counts and reports.

use super::Place;
use crate::reports::{self, CountRow, ReportRow};

pub(super) async fn what_happens_is_counted_until_reported(place: Place) {
    let storage = place.open().await;
    let row = |kind: &str, day, facts: &str, number| CountRow {
        kind: kind.into(),
        day,
        domain: "a.example".into(),
        facts: facts.into(),
        number,
    };
    let count = async |rows: Vec<CountRow>, since| {
        storage
            .transact([], move |tx| Box::pin(async move { reports::count(tx, &rows, since).await }))
            .await
            .expect("counted");
    };
    count(
        vec![row("tls", 1, "x", 1), row("tls", 1, "y", 5), row("tls", 2, "x", 1), row("dmarc", 1, "x", 9)],
        0,
    )
    .await;
    count(vec![row("tls", 1, "x", 2)], 1).await;
    assert_eq!(storage.reports_due("tls", 2).await.expect("read"), [(1, "a.example".to_owned())]);
    let counts = storage.report_counts("tls", 1, "a.example", 10).await.expect("read");
    assert_eq!(counts, [row("tls", 1, "y", 5), row("tls", 1, "x", 3)]);
    assert_eq!(storage.report_counts("tls", 1, "a.example", 1).await.expect("read").len(), 1);
    storage.transact([], |tx| Box::pin(reports::forget(tx, "tls", 1, "a.example"))).await.expect("forgotten");
    assert_eq!(storage.reports_due("tls", 9).await.expect("read"), [(2, "a.example".to_owned())]);
    assert_eq!(storage.reports_due("dmarc", 9).await.expect("read"), [(1, "a.example".to_owned())]);
    count(vec![row("tls", 9, "x", 1)], 8).await;
    assert_eq!(storage.reports_due("tls", 99).await.expect("read"), [(9, "a.example".to_owned())], "too old");
}

pub(super) async fn a_report_is_kept_once(place: Place) {
    let storage = place.open().await;
    let report = |kind: &str, received_at, id: &str| ReportRow {
        kind: kind.into(),
        received_at,
        domain: "a.example".into(),
        organisation: "mx.example".into(),
        report: id.into(),
        begins_at: 0,
        ends_at: 9,
        passed: 3,
        failed: 1,
        details: "certificate-expired 1".into(),
    };
    let keep = async |report: ReportRow, since| {
        storage
            .transact([], move |tx| Box::pin(async move { reports::keep(tx, &report, since).await }))
            .await
            .expect("kept");
    };
    keep(report("tls", 10, "one"), 0).await;
    keep(report("tls", 11, "one"), 0).await;
    keep(report("dmarc", 11, "one"), 0).await;
    keep(report("tls", 12, "two"), 0).await;
    assert_eq!(
        storage.reports("tls").await.expect("read"),
        [report("tls", 12, "two"), report("tls", 10, "one")]
    );
    keep(report("tls", 13, "three"), 11).await;
    assert_eq!(
        storage.reports("tls").await.expect("read"),
        [report("tls", 13, "three"), report("tls", 12, "two")]
    );
    assert_eq!(storage.reports("dmarc").await.expect("read"), [report("dmarc", 11, "one")]);
}

//! Counts for reports to others, and reports that others have sent.

use std::collections::BTreeSet;

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{Result, Storage};

/// Equal facts of one day, which are the hub's to write and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// `dmarc` or `tls`.
    pub kind: String,
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    pub domain: String,
    pub facts: String,
    pub number: u64,
}

/// A report that was received. Times in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    pub kind: String,
    pub received_at: i64,
    pub domain: String,
    pub organisation: String,
    /// Its id, which its maker chose.
    pub report: String,
    pub begins_at: i64,
    pub ends_at: i64,
    pub passed: u64,
    pub failed: u64,
    /// What went wrong, in a few words.
    pub details: String,
}

fn report_row(row: Row<'_>) -> Result<ReportRow> {
    Ok(ReportRow {
        kind: row.text(0)?,
        received_at: row.int(1)?,
        domain: row.text(2)?,
        organisation: row.text(3)?,
        report: row.text(4)?,
        begins_at: row.int(5)?,
        ends_at: row.int(6)?,
        passed: row.int(7)?.unsigned_abs(),
        failed: row.int(8)?.unsigned_abs(),
        details: row.text(9)?,
    })
}

impl Storage {
    /// Days before `today` and domains that have counts.
    pub async fn reports_due(&self, kind: &str, today: i64) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT day, domain FROM report_count WHERE kind = $1 AND day < $2
            GROUP BY day, domain ORDER BY day, domain";
        self.reader().await?.query(sql, values![kind, today], |row| Ok((row.int(0)?, row.text(1)?))).await
    }

    /// The counts of one day and domain, the most frequent first.
    pub async fn report_counts(
        &self,
        kind: &str,
        day: i64,
        domain: &str,
        most: i64,
    ) -> Result<Vec<CountRow>> {
        let sql = "SELECT facts, number FROM report_count WHERE kind = $1 AND day = $2 AND domain = $3
            ORDER BY number DESC, facts LIMIT $4";
        let row = |row: Row<'_>| {
            let (facts, number) = (row.text(0)?, row.int(1)?.unsigned_abs());
            Ok(CountRow { kind: kind.to_owned(), day, domain: domain.to_owned(), facts, number })
        };
        self.reader().await?.query(sql, values![kind, day, domain, most], row).await
    }

    /// Reports received, the latest first.
    pub async fn reports(&self, kind: &str) -> Result<Vec<ReportRow>> {
        let sql =
            "SELECT kind, received_at, domain, organisation, report, begins_at, ends_at, passed, failed,
              details
            FROM report WHERE kind = $1 ORDER BY received_at DESC, domain, organisation, report";
        self.reader().await?.query(sql, values![kind], report_row).await
    }
}

/// Adds to the counts, and forgets those of days before `since`.
pub async fn count(tx: &mut Tx, rows: &[CountRow], since: i64) -> Result<()> {
    let template = "INSERT INTO report_count (kind, day, domain, facts, number) VALUES {values}
        ON CONFLICT (kind, day, domain, facts) DO UPDATE SET number = report_count.number + excluded.number";
    let row = |row: &CountRow| {
        values![row.kind.as_str(), row.day, row.domain.as_str(), row.facts.as_str(), row.number]
    };
    tx.connection.execute_many(template, rows.iter().map(row).collect()).await?;
    for kind in rows.iter().map(|row| row.kind.as_str()).collect::<BTreeSet<_>>() {
        let sql = "DELETE FROM report_count WHERE kind = $1 AND day < $2";
        tx.connection.execute(sql, values![kind, since]).await?;
    }
    Ok(())
}

pub async fn forget(tx: &mut Tx, kind: &str, day: i64, domain: &str) -> Result<()> {
    let sql = "DELETE FROM report_count WHERE kind = $1 AND day = $2 AND domain = $3";
    tx.connection.execute(sql, values![kind, day, domain]).await?;
    Ok(())
}

/// Keeps a report, once, and forgets those received before `since`.
pub async fn keep(tx: &mut Tx, report: &ReportRow, since: i64) -> Result<()> {
    let sql = "INSERT INTO report
            (kind, received_at, domain, organisation, report, begins_at, ends_at, passed, failed, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    let row = values![
        report.kind.as_str(),
        report.received_at,
        report.domain.as_str(),
        report.organisation.as_str(),
        report.report.as_str(),
        report.begins_at,
        report.ends_at,
        report.passed,
        report.failed,
        report.details.as_str()
    ];
    tx.connection.execute(sql, row).await?;
    tx.connection.execute("DELETE FROM report WHERE received_at < $1", values![since]).await?;
    Ok(())
}

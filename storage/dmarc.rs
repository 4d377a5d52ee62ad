//! Counts for reports to others, and reports that others have sent.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{Result, Storage};

/// Messages of one day with the same facts, which are the hub's to write and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    pub domain: String,
    pub facts: String,
    pub messages: u64,
}

/// A report that was received. Times in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    pub received_at: i64,
    pub domain: String,
    pub organisation: String,
    /// Its id, which its maker chose.
    pub report: String,
    pub begins_at: i64,
    pub ends_at: i64,
    pub passed: u64,
    pub failed: u64,
}

fn report_row(row: Row<'_>) -> Result<ReportRow> {
    Ok(ReportRow {
        received_at: row.int(0)?,
        domain: row.text(1)?,
        organisation: row.text(2)?,
        report: row.text(3)?,
        begins_at: row.int(4)?,
        ends_at: row.int(5)?,
        passed: row.int(6)?.unsigned_abs(),
        failed: row.int(7)?.unsigned_abs(),
    })
}

impl Storage {
    /// Days before `today` and domains that have counts.
    pub async fn dmarc_due(&self, today: i64) -> Result<Vec<(i64, String)>> {
        let sql =
            "SELECT day, domain FROM dmarc_count WHERE day < $1 GROUP BY day, domain ORDER BY day, domain";
        self.reader().await?.query(sql, values![today], |row| Ok((row.int(0)?, row.text(1)?))).await
    }

    /// The counts of one day and domain, the most frequent first.
    pub async fn dmarc_counts(&self, day: i64, domain: &str, most: i64) -> Result<Vec<CountRow>> {
        let sql = "SELECT facts, messages FROM dmarc_count WHERE day = $1 AND domain = $2
            ORDER BY messages DESC, facts LIMIT $3";
        let row = |row: Row<'_>| {
            let (facts, messages) = (row.text(0)?, row.int(1)?.unsigned_abs());
            Ok(CountRow { day, domain: domain.to_owned(), facts, messages })
        };
        self.reader().await?.query(sql, values![day, domain, most], row).await
    }

    /// Reports received, the latest first.
    pub async fn dmarc_reports(&self) -> Result<Vec<ReportRow>> {
        let sql = "SELECT received_at, domain, organisation, report, begins_at, ends_at, passed, failed
            FROM dmarc_report ORDER BY received_at DESC, domain, organisation";
        self.reader().await?.query(sql, values![], report_row).await
    }
}

/// Adds to the counts.
pub async fn count(tx: &mut Tx, rows: &[CountRow]) -> Result<()> {
    let template = "INSERT INTO dmarc_count (day, domain, facts, messages) VALUES {values}
        ON CONFLICT (day, domain, facts) DO UPDATE SET messages = dmarc_count.messages + excluded.messages";
    let row = |row: &CountRow| values![row.day, row.domain.as_str(), row.facts.as_str(), row.messages];
    tx.connection.execute_many(template, rows.iter().map(row).collect()).await?;
    Ok(())
}

pub async fn forget(tx: &mut Tx, day: i64, domain: &str) -> Result<()> {
    let sql = "DELETE FROM dmarc_count WHERE day = $1 AND domain = $2";
    tx.connection.execute(sql, values![day, domain]).await?;
    Ok(())
}

/// Keeps a report, once, and forgets those received before `since`.
pub async fn keep(tx: &mut Tx, report: &ReportRow, since: i64) -> Result<()> {
    let sql = "INSERT INTO dmarc_report
            (received_at, domain, organisation, report, begins_at, ends_at, passed, failed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let ReportRow { domain, organisation, report: id, .. } = report;
    let row = values![
        report.received_at,
        domain.as_str(),
        organisation.as_str(),
        id.as_str(),
        report.begins_at,
        report.ends_at,
        report.passed,
        report.failed
    ];
    tx.connection.execute(sql, row).await?;
    tx.connection.execute("DELETE FROM dmarc_report WHERE received_at < $1", values![since]).await?;
    Ok(())
}

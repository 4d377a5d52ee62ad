//! Reports to the owners of domains, about mail that claims them (`dmarc`) and about TLS on the way to
//! them (`tls`): what this hub tells others, and what others tell it about its own.
//!
//! What happens is counted in memory and written once a minute: a count that a crash loses is no loss to
//! anybody.

mod dmarc;
mod tls;

use std::collections::HashMap;
use std::sync::Mutex;

use hub_storage::reports::{self, CountRow, ReportRow};

pub use dmarc::DmarcFacts;
pub use tls::{TlsFailure, TlsPolicy, TlsPolicyKind, TlsSession, Unsecured};

use crate::{Hub, Result, locked, unix_now};

/// Different rows that wait to be written; beyond that nothing new is counted.
const MOST_WAITING: usize = 2_000;
/// Rows of one report, the most frequent: sources of forged mail have no end.
const MOST_ROWS: i64 = 5_000;
/// Received reports are kept for a year.
const KEPT: i64 = 365 * DAY;
/// Days after which nobody will send what was counted.
const COUNTED: i64 = 7;
const DAY: i64 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// RFC 9990.
    Dmarc,
    /// RFC 8460.
    Tls,
}

/// A report that others have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReport {
    pub kind: ReportKind,
    pub domain: String,
    /// Who made it, and the id that they gave it.
    pub organisation: String,
    pub report: String,
    /// Unix seconds.
    pub begins_at: i64,
    pub ends_at: i64,
    /// Messages that passed DMARC, or sessions with TLS; and the others.
    pub passed: u64,
    pub failed: u64,
    /// What went wrong, in a few words.
    pub details: String,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<(ReportKind, i64, String, String), u64>>);

impl ReportKind {
    fn name(self) -> &'static str {
        match self {
            Self::Dmarc => "dmarc",
            Self::Tls => "tls",
        }
    }
}

impl Hub {
    fn count(&self, kind: ReportKind, domain: &str, facts: String) {
        let key = (kind, unix_now().div_euclid(DAY), domain.to_owned(), facts);
        let mut counts = locked(&self.0.reports.0);
        if counts.len() < MOST_WAITING || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }

    async fn counts(&self, kind: ReportKind, day: i64, domain: &str) -> Result<Vec<(String, u64)>> {
        let rows = self.0.storage.report_counts(kind.name(), day, domain, MOST_ROWS).await?;
        Ok(rows.into_iter().map(|row| (row.facts, row.number)).collect())
    }

    /// Days that are over, and the domains about which there is something to report.
    pub async fn due_reports(&self, kind: ReportKind) -> Result<Vec<(i64, String)>> {
        self.0.write_counts().await?;
        Ok(self.0.storage.reports_due(kind.name(), unix_now().div_euclid(DAY)).await?)
    }

    /// The report was sent, or nobody wants it any more.
    pub async fn forget_report(&self, kind: ReportKind, day: i64, domain: &str) -> Result<()> {
        let domain = domain.to_owned();
        let forget = self.0.storage.transact([], move |tx| {
            Box::pin(async move { reports::forget(tx, kind.name(), day, &domain).await })
        });
        Ok(forget.await?)
    }

    /// Keeps what others report about a domain of ours; about other domains it is nobody's business.
    pub async fn keep_report(&self, report: ReceivedReport) -> Result<()> {
        if !self.hosts_domain(&report.domain).await? {
            return Ok(());
        }
        let now = unix_now();
        let row = report.into_row(now);
        let keep = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { reports::keep(tx, &row, now - KEPT).await }));
        Ok(keep.await?)
    }

    /// Reports received within a year, the latest first.
    pub async fn received_reports(&self, kind: ReportKind) -> Result<Vec<ReceivedReport>> {
        let rows = self.0.storage.reports(kind.name()).await?;
        Ok(rows.into_iter().map(|row| ReceivedReport::from_row(kind, row)).collect())
    }
}

impl ReceivedReport {
    fn from_row(kind: ReportKind, row: ReportRow) -> Self {
        Self {
            kind,
            domain: row.domain,
            organisation: row.organisation,
            report: row.report,
            begins_at: row.begins_at,
            ends_at: row.ends_at,
            passed: row.passed,
            failed: row.failed,
            details: row.details,
        }
    }

    fn into_row(self, received_at: i64) -> ReportRow {
        ReportRow {
            kind: self.kind.name().to_owned(),
            received_at,
            domain: self.domain,
            organisation: self.organisation,
            report: self.report,
            begins_at: self.begins_at,
            ends_at: self.ends_at,
            passed: self.passed,
            failed: self.failed,
            details: self.details,
        }
    }
}

impl crate::Inner {
    /// Writes what was counted since the last time.
    pub(crate) async fn write_counts(&self) -> Result<()> {
        let counts = std::mem::take(&mut *locked(&self.reports.0));
        if counts.is_empty() {
            return Ok(());
        }
        let row = |((kind, day, domain, facts), number): ((ReportKind, _, _, _), _)| CountRow {
            kind: kind.name().to_owned(),
            day,
            domain,
            facts,
            number,
        };
        let rows: Vec<CountRow> = counts.into_iter().map(row).collect();
        let since = unix_now().div_euclid(DAY) - COUNTED;
        let write = self
            .storage
            .transact([], move |tx| Box::pin(async move { reports::count(tx, &rows, since).await }));
        Ok(write.await?)
    }
}

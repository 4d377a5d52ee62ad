//! Reports about mail that claims a domain (DMARC aggregate reports, RFC 9990): what this hub tells
//! the owners of domains, and what others tell it about its own.
//!
//! Messages are counted in memory and written once a minute: a count that a crash loses is no loss to
//! anybody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use hub_storage::dmarc::{self, CountRow, ReportRow};

use crate::{AuthResult, DmarcPolicy, Hub, Result, Verdict, locked, unix_now};

/// Different rows that wait to be written; beyond that messages are not counted.
const MOST_WAITING: usize = 2_000;
/// Rows of one report, the most frequent: sources of forged mail have no end.
const MOST_ROWS: i64 = 5_000;
/// Received reports are kept for a year.
const KEPT: i64 = 365 * 86_400;
const DAY: i64 = 86_400;

/// What is reported of a message; equal ones are counted together (RFC 9990 §3.1.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcFacts {
    pub source: IpAddr,
    pub header_from: String,
    pub envelope_from: String,
    pub of_helo: bool,
    pub spf: AuthResult,
    pub spf_aligned: bool,
    /// Domain, selector and result of each signature.
    pub dkim: Vec<(String, String, AuthResult)>,
    pub dkim_aligned: bool,
    pub action: DmarcPolicy,
}

/// A report that others have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReport {
    pub domain: String,
    /// Who made it, and the id that they gave it.
    pub organisation: String,
    pub report: String,
    /// Unix seconds.
    pub begins_at: i64,
    pub ends_at: i64,
    /// Messages that passed DMARC, and that did not.
    pub passed: u64,
    pub failed: u64,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<(i64, String, String), u64>>);

impl DmarcFacts {
    fn of(verdict: &Verdict) -> Self {
        let signatures = verdict.dkim.iter().filter(|signature| !signature.domain.is_empty());
        Self {
            source: verdict.peer,
            header_from: verdict.dmarc.domain.clone(),
            envelope_from: verdict.spf.domain.clone(),
            of_helo: verdict.spf.of_helo,
            spf: verdict.spf.result,
            spf_aligned: verdict.spf.aligned,
            dkim: signatures.map(|s| (s.domain.clone(), s.selector.clone(), s.result)).collect(),
            dkim_aligned: verdict.dkim.iter().any(|s| s.result.is_pass() && s.aligned),
            action: verdict.action,
        }
    }

    /// Fields separated by spaces, which no domain and no selector has.
    fn write(&self) -> String {
        let word = |text: &str| -> String {
            let text: String = text.chars().filter(|c| c.is_ascii_graphic()).take(255).collect();
            if text.is_empty() { "-".to_owned() } else { text }
        };
        let mut out = format!(
            "{} {} {} {} {} {} {} {}",
            self.source,
            word(&self.header_from),
            word(&self.envelope_from),
            if self.of_helo { "helo" } else { "mfrom" },
            self.spf,
            self.spf_aligned,
            self.dkim_aligned,
            self.action
        );
        for (domain, selector, result) in &self.dkim {
            out.push_str(&format!(" {} {} {result}", word(domain), word(selector)));
        }
        out
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let mut facts = Self {
            source: next()?.parse().ok()?,
            header_from: next()?.to_owned(),
            envelope_from: Some(next()?).filter(|word| *word != "-").unwrap_or_default().to_owned(),
            of_helo: false,
            spf: AuthResult::None,
            spf_aligned: false,
            dkim: Vec::new(),
            dkim_aligned: false,
            action: DmarcPolicy::None,
        };
        facts.of_helo = next()? == "helo";
        facts.spf = result(next()?)?;
        facts.spf_aligned = next()? == "true";
        facts.dkim_aligned = next()? == "true";
        facts.action = policy(next()?)?;
        while let Some(domain) = next() {
            facts.dkim.push((domain.to_owned(), next()?.to_owned(), result(next()?)?));
        }
        Some(facts)
    }
}

fn result(name: &str) -> Option<AuthResult> {
    use AuthResult::{Fail, Neutral, Pass, PermError, Policy, SoftFail, TempError};
    [Fail, Neutral, AuthResult::None, Pass, PermError, Policy, SoftFail, TempError]
        .into_iter()
        .find(|result| result.to_string() == name)
}

fn policy(name: &str) -> Option<DmarcPolicy> {
    [DmarcPolicy::None, DmarcPolicy::Quarantine, DmarcPolicy::Reject]
        .into_iter()
        .find(|policy| policy.to_string() == name)
}

impl Hub {
    /// Counts a message for the report to the domain that its author claims, if that wants reports.
    pub fn count_for_report(&self, verdict: &Verdict) {
        if !verdict.dmarc.wants_reports {
            return;
        }
        let day = unix_now().div_euclid(DAY);
        let key = (day, verdict.dmarc.domain.clone(), DmarcFacts::of(verdict).write());
        let mut counts = locked(&self.0.reports.0);
        if counts.len() < MOST_WAITING || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// Days that are over, and the domains that want a report of them.
    pub async fn due_reports(&self) -> Result<Vec<(i64, String)>> {
        self.0.write_counts().await?;
        Ok(self.0.storage.dmarc_due(unix_now().div_euclid(DAY)).await?)
    }

    /// What there is to report of a day (counted since 1970-01-01) to a domain, with counts.
    pub async fn report_facts(&self, day: i64, domain: &str) -> Result<Vec<(DmarcFacts, u64)>> {
        let rows = self.0.storage.dmarc_counts(day, domain, MOST_ROWS).await?;
        Ok(rows.iter().filter_map(|row| Some((DmarcFacts::read(&row.facts)?, row.messages))).collect())
    }

    /// The report was sent, or nobody wants it any more.
    pub async fn forget_report(&self, day: i64, domain: &str) -> Result<()> {
        let domain = domain.to_owned();
        let forget = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { dmarc::forget(tx, day, &domain).await }));
        Ok(forget.await?)
    }

    /// Keeps what others report about a domain of ours; about other domains it is nobody's business.
    pub async fn keep_report(&self, report: ReceivedReport) -> Result<()> {
        if !self.hosts_domain(&report.domain).await? {
            return Ok(());
        }
        let now = unix_now();
        let ReceivedReport { domain, organisation, report, begins_at, ends_at, passed, failed } = report;
        let row =
            ReportRow { received_at: now, domain, organisation, report, begins_at, ends_at, passed, failed };
        let keep = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { dmarc::keep(tx, &row, now - KEPT).await }));
        Ok(keep.await?)
    }

    /// Reports received within a year, the latest first.
    pub async fn received_reports(&self) -> Result<Vec<ReceivedReport>> {
        let rows = self.0.storage.dmarc_reports().await?;
        let shown = |row: ReportRow| ReceivedReport {
            domain: row.domain,
            organisation: row.organisation,
            report: row.report,
            begins_at: row.begins_at,
            ends_at: row.ends_at,
            passed: row.passed,
            failed: row.failed,
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}

impl crate::Inner {
    /// Writes what was counted since the last time.
    pub(crate) async fn write_counts(&self) -> Result<()> {
        let counts = std::mem::take(&mut *locked(&self.reports.0));
        if counts.is_empty() {
            return Ok(());
        }
        let row = |((day, domain, facts), messages)| CountRow { day, domain, facts, messages };
        let rows: Vec<CountRow> = counts.into_iter().map(row).collect();
        let write =
            self.storage.transact([], move |tx| Box::pin(async move { dmarc::count(tx, &rows).await }));
        Ok(write.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = DmarcFacts {
            source: "2001:db8::1".parse().expect("an address"),
            header_from: "a.example".into(),
            envelope_from: "bounce.a-b.example".into(),
            of_helo: true,
            spf: AuthResult::SoftFail,
            spf_aligned: true,
            dkim: vec![
                ("a.example".into(), "s1".into(), AuthResult::Pass),
                ("b.example".into(), "s2".into(), AuthResult::PermError),
            ],
            dkim_aligned: true,
            action: DmarcPolicy::Quarantine,
        };
        assert_eq!(DmarcFacts::read(&facts.write()), Some(facts.clone()));
        let plain = DmarcFacts { envelope_from: String::new(), dkim: Vec::new(), ..facts };
        assert_eq!(DmarcFacts::read(&plain.write()), Some(plain));
        for text in ["", "x", "192.0.2.1 a b", "192.0.2.1 a b helo pass true true none c"] {
            assert_eq!(DmarcFacts::read(text), None, "{text}");
        }
    }
}

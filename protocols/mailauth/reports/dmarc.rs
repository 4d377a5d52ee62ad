//! DMARC aggregate reports (RFC 9990).

use hub::{AuthResult, DmarcFacts, DmarcPolicy, ReceivedReport, ReportKind};
use mail_auth::common::to_a_label;
use mail_auth::dmarc::{Dmarc, URI};
use mail_auth::report::{
    ActionDisposition, DKIMAuthResult, DkimResult, DmarcResult, PolicyPublished, Record, Report,
    SPFAuthResult, SPFDomainScope, SpfResult,
};
use tokio::time::timeout;

use super::{DAY, MOST_TIME, MOST_UNPACKED, MadeReport, Reporting, plain};
use crate::answers::Texts;
use crate::check::Authenticator;
use crate::dns::Missing;

/// Addresses that a report goes to (RFC 9990 §3.5: limits are up to the reporter).
const MOST_ADDRESSES: usize = 3;
/// Names that are asked for a record, from the domain up.
const MOST_LABELS: usize = 8;

impl Authenticator {
    /// Makes the report of a day (counted since 1970-01-01) to the owner of a domain, from `sender`.
    pub async fn report(
        &self,
        day: i64,
        domain: &str,
        facts: &[(DmarcFacts, u64)],
        sender: &str,
    ) -> Reporting {
        let recipients = match timeout(MOST_TIME, self.report_addresses(domain)).await {
            Ok(Ok(found)) => found,
            Ok(Err(Missing::Answer)) | Err(_) => return Reporting::Later,
            Ok(Err(Missing::Record)) => return Reporting::Unwanted,
        };
        let (policy_domain, record, addresses) = recipients;
        if addresses.is_empty() || facts.is_empty() {
            return Reporting::Unwanted;
        }
        let begin = day * DAY;
        let mut report = Report::new()
            .with_version(1.0)
            .with_org_name(self.host_name())
            .with_email(sender)
            .with_report_id(format!("{begin}.{domain}"))
            .with_date_range_begin(begin.unsigned_abs())
            .with_date_range_end((begin + DAY - 1).unsigned_abs())
            .with_policy_published(PolicyPublished::from_record(policy_domain, &record));
        for (facts, count) in facts {
            report.add_record(row(facts, *count));
        }
        let mut message = Vec::new();
        let to = addresses.iter().map(String::as_str);
        match report.write_rfc5322(self.host_name(), sender, to, &mut message) {
            Ok(()) => {
                let (urls, document) = (Vec::new(), Vec::new());
                Reporting::Made(MadeReport { recipients: addresses, message, urls, document })
            }
            Err(_) => Reporting::Later,
        }
    }

    /// The domain whose record counts, the record, and who of those it names may have a report: others
    /// than itself must have agreed (RFC 9990 §4), or anybody could have reports sent to anybody.
    async fn report_addresses(&self, domain: &str) -> Result<(String, Dmarc, Vec<String>), Missing> {
        let dns = self.dns();
        let mut name = domain;
        let mut found = Err(Missing::Record);
        for _ in 0..MOST_LABELS {
            found = dns.parsed::<Dmarc>(&format!("_dmarc.{name}")).await;
            match (&found, name.split_once('.')) {
                (Err(Missing::Record), Some((_, parent))) => name = parent,
                _ => break,
            }
        }
        let record = found?;
        let mailbox = |uri: &URI| uri.uri().strip_prefix("mailto:").unwrap_or(uri.uri()).to_owned();
        let wanted: Vec<String> = record.rua().iter().map(mailbox).take(MOST_ADDRESSES).collect();
        let hosts = wanted.iter().filter_map(|address| address.rsplit_once('@'));
        let mut agreements = Texts::default();
        // In the form in which they will be looked for.
        let asked = hosts.map(|(_, host)| format!("{name}._report._dmarc.{}.", to_a_label(host)));
        agreements.ask::<Dmarc>(dns, asked).await;
        let agreed = dns.checks().verify_dmarc_report_address(name, &wanted, Some(&agreements)).await;
        let agreed = agreed.ok_or(Missing::Answer)?.into_iter().cloned().collect();
        Ok((name.to_owned(), record, agreed))
    }
}

fn row(facts: &DmarcFacts, count: u64) -> Record {
    let aligned = |is: bool| if is { DmarcResult::Pass } else { DmarcResult::Fail };
    let action = match facts.action {
        DmarcPolicy::None if facts.spf_aligned || facts.dkim_aligned => ActionDisposition::Pass,
        DmarcPolicy::None => ActionDisposition::None,
        DmarcPolicy::Quarantine => ActionDisposition::Quarantine,
        DmarcPolicy::Reject => ActionDisposition::Reject,
    };
    let scope = if facts.of_helo { SPFDomainScope::Helo } else { SPFDomainScope::MailFrom };
    let spf = SPFAuthResult::new()
        .with_domain(&facts.envelope_from)
        .with_scope(scope)
        .with_result(spf_result(facts.spf));
    let mut record = Record::new()
        .with_source_ip(facts.source)
        .with_count(u32::try_from(count).unwrap_or(u32::MAX))
        .with_action_disposition(action)
        .with_dmarc_dkim_result(aligned(facts.dkim_aligned))
        .with_dmarc_spf_result(aligned(facts.spf_aligned))
        .with_envelope_from(&facts.envelope_from)
        .with_header_from(&facts.header_from)
        .with_spf_auth_result(spf);
    for (domain, selector, result) in &facts.dkim {
        let signature = DKIMAuthResult::new().with_domain(domain).with_selector(selector);
        record = record.with_dkim_auth_result(signature.with_result(dkim_result(*result)));
    }
    record
}

fn spf_result(result: AuthResult) -> SpfResult {
    match result {
        AuthResult::Pass => SpfResult::Pass,
        AuthResult::Fail => SpfResult::Fail,
        AuthResult::SoftFail => SpfResult::SoftFail,
        AuthResult::Neutral => SpfResult::Neutral,
        AuthResult::TempError => SpfResult::TempError,
        AuthResult::PermError => SpfResult::PermError,
        AuthResult::None | AuthResult::Policy => SpfResult::None,
    }
}

fn dkim_result(result: AuthResult) -> DkimResult {
    match result {
        AuthResult::Pass => DkimResult::Pass,
        AuthResult::Fail | AuthResult::SoftFail => DkimResult::Fail,
        AuthResult::Neutral => DkimResult::Neutral,
        AuthResult::Policy => DkimResult::Policy,
        AuthResult::TempError => DkimResult::TempError,
        AuthResult::PermError => DkimResult::PermError,
        AuthResult::None => DkimResult::None,
    }
}

/// `None` if it is none, or unpacks to too much.
pub(super) fn read(message: &[u8]) -> Option<ReceivedReport> {
    let report = Report::parse_rfc5322(message, MOST_UNPACKED).ok()?;
    let (mut passed, mut failed) = (0u64, 0u64);
    for record in report.records() {
        let results = [record.dmarc_dkim_result(), record.dmarc_spf_result()];
        let sum = if results.contains(&DmarcResult::Pass) { &mut passed } else { &mut failed };
        *sum = sum.saturating_add(u64::from(record.count()));
    }
    let time = |unix: u64| i64::try_from(unix).unwrap_or(i64::MAX);
    Some(ReceivedReport {
        kind: ReportKind::Dmarc,
        domain: plain(report.domain()).to_ascii_lowercase(),
        organisation: plain(report.org_name()),
        report: plain(report.report_id()),
        begins_at: time(report.date_range_begin()),
        ends_at: time(report.date_range_end()),
        passed,
        failed,
        details: String::new(),
    })
}

//! Reports about TLS on the way to a domain (SMTP TLS reporting, RFC 8460).

use std::collections::BTreeMap;
use std::io::Write as _;

use hub::{ReceivedReport, ReportKind, TlsFailure, TlsPolicyKind, TlsSession, Unsecured};
use mail_auth::flate2::{Compression, write::GzEncoder};
use mail_auth::report::tlsrpt::{
    DateRange, FailureDetails, Policy, PolicyDetails, PolicyType, ResultType, Summary, TlsReport,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{DAY, MOST_TIME, MOST_UNPACKED, MadeReport, Reporting, plain};
use crate::check::Authenticator;
use crate::dns::Missing;

/// Addresses that a report goes to.
const MOST_ADDRESSES: usize = 3;

impl Authenticator {
    /// Makes the report of a day (counted since 1970-01-01) about TLS on the way to a domain, from
    /// `sender`.
    pub async fn tls_report(
        &self,
        day: i64,
        domain: &str,
        sessions: &[(TlsSession, u64)],
        sender: &str,
    ) -> Reporting {
        let name = format!("_smtp._tls.{domain}");
        let records = match timeout(MOST_TIME, self.dns().txt(&name)).await {
            Ok(Ok(records)) => records,
            Ok(Err(Missing::Record)) => return Reporting::Unwanted,
            Ok(Err(Missing::Answer)) | Err(_) => return Reporting::Later,
        };
        let (recipients, urls) = addresses(&records);
        if (recipients.is_empty() && urls.is_empty()) || sessions.is_empty() {
            return Reporting::Unwanted;
        }
        let begin = day * DAY;
        let report = TlsReport {
            organization_name: Some(self.host_name().to_owned()),
            date_range: DateRange::from_timestamps(begin, begin + DAY - 1),
            contact_info: Some(sender.to_owned()),
            report_id: format!("{begin}.{domain}"),
            policies: policies(sessions),
        };
        let Some(document) = packed(&report) else { return Reporting::Later };
        match compose(&report, domain, sender, &recipients, &document) {
            Some(message) => Reporting::Made(MadeReport { recipients, message, urls, document }),
            None => Reporting::Later,
        }
    }
}

/// `"v=TLSRPTv1" 1*(field-delim tlsrpt-field)`, `"rua=" tlsrpt-uri *("," tlsrpt-uri)` (RFC 8460 §3): the
/// mailboxes and the URLs. More than one such record is as good as none.
fn addresses(records: &[Vec<u8>]) -> (Vec<String>, Vec<String>) {
    let (mut mailboxes, mut urls) = (Vec::new(), Vec::new());
    let mut ours = records.iter().filter_map(|record| {
        let (version, fields) = std::str::from_utf8(record).ok()?.split_once(';')?;
        (version.trim() == "v=TLSRPTv1").then_some(fields)
    });
    let fields = ours.next().filter(|_| ours.next().is_none()).unwrap_or_default();
    let uris = fields.split(';').find_map(|field| field.trim().strip_prefix("rua=")).unwrap_or_default();
    for uri in uris.split(',').map(str::trim).take(MOST_ADDRESSES) {
        match uri.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto") => {
                let address = rest.split('?').next().unwrap_or_default();
                mailboxes.extend(address.contains('@').then(|| address.to_owned()));
            }
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => urls.push(uri.to_owned()),
            _ => {}
        }
    }
    (mailboxes, urls)
}

/// One entry for each policy that was met, with all that went wrong under it.
fn policies(sessions: &[(TlsSession, u64)]) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for (session, number) in sessions {
        let number = u32::try_from(*number).unwrap_or(u32::MAX);
        let details = details(session);
        let at = policies.iter().position(|policy| policy.policy == details).unwrap_or_else(|| {
            let summary = Summary { total_success: 0, total_failure: 0 };
            policies.push(Policy { policy: details, summary, failure_details: Vec::new() });
            policies.len() - 1
        });
        let policy = &mut policies[at];
        let sum = match &session.failure {
            None => &mut policy.summary.total_success,
            Some(unsecured) => {
                policy.failure_details.push(failure(unsecured, number));
                &mut policy.summary.total_failure
            }
        };
        *sum = sum.saturating_add(number);
    }
    policies
}

fn details(session: &TlsSession) -> PolicyDetails {
    let policy = &session.policy;
    let kind = match policy.kind {
        TlsPolicyKind::NoPolicyFound => PolicyType::NoPolicyFound,
        TlsPolicyKind::Sts => PolicyType::Sts,
        TlsPolicyKind::Tlsa => PolicyType::Tlsa,
    };
    let mut details = PolicyDetails::new(kind, policy.domain.as_str());
    if policy.kind == TlsPolicyKind::Sts {
        details.mx_host =
            policy.text.iter().filter_map(|line| line.strip_prefix("mx: ")).map(str::to_owned).collect();
    }
    details.policy_string.clone_from(&policy.text);
    details
}

fn failure(unsecured: &Unsecured, number: u32) -> FailureDetails {
    let Unsecured { failure, from, to, host, reason } = unsecured;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    FailureDetails {
        result_type: result_type(*failure),
        sending_mta_ip: *from,
        receiving_mx_hostname: text(host),
        receiving_mx_helo: None,
        receiving_ip: *to,
        failed_session_count: number,
        additional_information: None,
        failure_reason_code: text(reason),
    }
}

fn result_type(failure: TlsFailure) -> ResultType {
    match failure {
        TlsFailure::CertificateExpired => ResultType::CertificateExpired,
        TlsFailure::CertificateHostMismatch => ResultType::CertificateHostMismatch,
        TlsFailure::CertificateNotTrusted => ResultType::CertificateNotTrusted,
        TlsFailure::DnssecInvalid => ResultType::DnssecInvalid,
        TlsFailure::StarttlsNotSupported => ResultType::StartTlsNotSupported,
        TlsFailure::StsPolicyFetchError => ResultType::StsPolicyFetchError,
        TlsFailure::StsPolicyInvalid => ResultType::StsPolicyInvalid,
        TlsFailure::StsWebpkiInvalid => ResultType::StsWebpkiInvalid,
        TlsFailure::TlsaInvalid => ResultType::TlsaInvalid,
        TlsFailure::ValidationFailure => ResultType::ValidationFailure,
    }
}

/// The message (RFC 8460 §5.3). It goes from a domain of ours to whoever is told that his TLS fails, so
/// it must not itself depend on that (§3; RFC 8689 has the words for it).
fn compose(
    report: &TlsReport,
    domain: &str,
    sender: &str,
    recipients: &[String],
    packed: &[u8],
) -> Option<Vec<u8>> {
    let (_, submitter) = sender.rsplit_once('@')?;
    let mut message = b"TLS-Required: No\r\n".to_vec();
    let to = recipients.iter().map(String::as_str);
    report.write_rfc5322_from_bytes(domain, submitter, sender, to, packed, &mut message).ok()?;
    Some(message)
}

/// The JSON, by gzip (RFC 8460 §4.1).
fn packed(report: &TlsReport) -> Option<Vec<u8>> {
    let json = without_nothings(serde_json::to_value(report).ok()?).to_string();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(json.as_bytes()).ok()?;
    packed.finish().ok()
}

/// What is not known is left out (RFC 8460 §4.4: such members are optional, but not null).
fn without_nothings(value: Value) -> Value {
    let is_something =
        |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| is_something(value))
                .map(|(name, value)| (name, without_nothings(value)))
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.into_iter().map(without_nothings).collect()),
        other => other,
    }
}

/// `None` if it is none, or unpacks to too much.
pub(super) fn read(message: &[u8]) -> Option<ReceivedReport> {
    let header = hub_dkim::fields(message);
    let (_, domain) = header.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"TLS-Report-Domain"))?;
    let domain = String::from_utf8_lossy(domain).trim().to_ascii_lowercase();
    let report = TlsReport::parse_rfc5322(message, MOST_UNPACKED).ok()?;
    let (mut passed, mut failed) = (0u64, 0u64);
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for policy in &report.policies {
        passed = passed.saturating_add(policy.summary.total_success.into());
        failed = failed.saturating_add(policy.summary.total_failure.into());
        for failure in &policy.failure_details {
            let sum = failures.entry(name(failure.result_type)).or_default();
            *sum = sum.saturating_add(failure.failed_session_count.into());
        }
    }
    let details: Vec<String> = failures.iter().map(|(name, number)| format!("{name} {number}")).collect();
    Some(ReceivedReport {
        kind: ReportKind::Tls,
        domain: plain(&domain),
        organisation: plain(&report.organization_name.unwrap_or_default()),
        report: plain(&report.report_id),
        begins_at: report.date_range.start_datetime.to_timestamp(),
        ends_at: report.date_range.end_datetime.to_timestamp(),
        passed,
        failed,
        details: details.join(", "),
    })
}

/// As in the report.
fn name(result: ResultType) -> String {
    match serde_json::to_value(result) {
        Ok(Value::String(name)) => name.to_ascii_lowercase(),
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8460_3_where_reports_go() {
        for (records, mailboxes, urls) in [
            (&["v=TLSRPTv1;rua=mailto:reports@example.com"][..], &["reports@example.com"][..], &[][..]),
            (
                &["v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"],
                &[],
                &["https://reporting.example.com/v1/tlsrpt"],
            ),
            (
                &["v=TLSRPTv1; x=y; rua=HTTPS://a.test/x , MAILTO:a@b.test?subject=x,mailto:c@d.test ;"],
                &["a@b.test", "c@d.test"],
                &["HTTPS://a.test/x"],
            ),
            (&["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.test"], &["a@b.test"], &[]),
            (&["v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:a@b.test"], &[], &[]),
            (&["v=TLSRPTv2; rua=mailto:a@b.test"], &[], &[]),
            (&["v=TLSRPTv1"], &[], &[]),
            (&["v=TLSRPTv1; rua=mailto:nobody,http://a.test/,x"], &[], &[]),
            (&["v=TLSRPTv1; rua=mailto:a@x,mailto:b@x,mailto:c@x,mailto:d@x"], &["a@x", "b@x", "c@x"], &[]),
            (&[], &[], &[]),
        ] {
            let records: Vec<Vec<u8>> = records.iter().map(|record| record.as_bytes().to_vec()).collect();
            let (found, handed) = addresses(&records);
            assert_eq!((&found[..], &handed[..]), (&owned(mailboxes)[..], &owned(urls)[..]), "{records:?}");
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}

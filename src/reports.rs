//! Sends reports of the days that are over: about mail that claims a domain (DMARC, RFC 9990), and about
//! TLS on the way to it (RFC 8460).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub::{Address, Hub, Outgoing, ReportKind};
use hub_https::Https;
use hub_mailauth::{Authenticator, MadeReport, Reporting};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin;

/// How often it is looked whether something is due.
const PAUSE: Duration = Duration::from_secs(3600);
/// Days for which DNS is asked again, when it does not tell where a report goes.
const PATIENCE: i64 = 3;

/// Until the shutdown.
pub(crate) async fn run(reporter: Reporter, kinds: Vec<ReportKind>, shutdown: CancellationToken) {
    loop {
        for kind in &kinds {
            if let Err(error) = reporter.send_due(*kind).await {
                warn!(?kind, error = admin::explain(error), "reports were not sent");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// What it takes to make reports, and to send them.
pub(crate) struct Reporter {
    pub(crate) hub: Hub,
    pub(crate) authenticator: Authenticator,
    pub(crate) https: Https,
}

impl Reporter {
    async fn send_due(&self, kind: ReportKind) -> hub::Result<()> {
        let Self { hub, authenticator, .. } = self;
        let domains = hub.domains().await?;
        let Some(ours) = domains.first() else { return Ok(()) };
        let sender = format!("postmaster@{ours}");
        for (day, domain) in hub.due_reports(kind).await? {
            let made = match kind {
                ReportKind::Dmarc => {
                    let facts = hub.report_facts(day, &domain).await?;
                    authenticator.report(day, &domain, &facts, &sender).await
                }
                ReportKind::Tls => {
                    let sessions = hub.tls_sessions(day, &domain).await?;
                    authenticator.tls_report(day, &domain, &sessions, &sender).await
                }
            };
            let is_done = match made {
                Reporting::Made(report) => self.send(&domain, report).await?,
                Reporting::Later => false,
                Reporting::Unwanted => true,
            };
            if is_done || today() - day > PATIENCE {
                info!(?kind, domain, day, sent = is_done, "nothing more to report");
                hub.forget_report(kind, day, &domain).await?;
            }
        }
        Ok(())
    }

    /// True if somebody has it, or surely will.
    async fn send(&self, domain: &str, report: MadeReport) -> hub::Result<bool> {
        let MadeReport { recipients, message, urls, document } = report;
        let mut is_taken = !recipients.is_empty();
        for url in &urls {
            match self.https.post(url, "application/tlsrpt+gzip", document.clone()).await {
                Ok(()) => is_taken = true,
                Err(why) => warn!(domain, why, "a report was not taken"),
            }
        }
        if !recipients.is_empty() {
            self.mail(&recipients, &message).await?;
        }
        Ok(is_taken)
    }

    /// From nobody: whom a report does not reach need not be told us.
    async fn mail(&self, recipients: &[String], message: &[u8]) -> hub::Result<()> {
        let recipients = recipients.iter().filter_map(|address| Address::parse(address).ok()).collect();
        let mut spool = self.hub.spool();
        spool.write(message).await.map_err(hub::Error::from)?;
        let incoming = self.hub.examine(spool).await?;
        let (reverse_path, trace, require_tls) = (None, Vec::new(), false);
        let report = Outgoing { incoming, reverse_path, recipients, trace, require_tls };
        self.hub.send_own(report).await.map(drop)
    }
}

fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / 86_400) as i64)
}

#[cfg(test)]
mod tests {
    use hub::{NextHop, TlsDemand};
    use hub_storage::reports::{self, CountRow};
    use test_dns::Names;

    use super::*;

    /// A hub that has counted something about each of these domains on 2 January 1970.
    async fn hub(folder: &std::path::Path, kind: &str, facts: &str, domains: &[&str]) -> Hub {
        let options =
            hub_storage::Options { data_dir: folder.to_owned(), database: hub_storage::Database::Sqlite };
        let storage = hub_storage::Storage::open(options).await.expect("opens");
        let row = |domain: &&str| CountRow {
            kind: kind.into(),
            day: 1,
            domain: (*domain).into(),
            facts: facts.into(),
            number: 3,
        };
        let rows: Vec<CountRow> = domains.iter().map(row).collect();
        let count =
            storage.transact([], move |tx| Box::pin(async move { reports::count(tx, &rows, 0).await }));
        count.await.expect("counted");
        let config = hub_config::Config::default();
        let setup = crate::setup::Setup { config, config_file: None, data_dir: folder.to_owned() };
        let hub = Hub::open(storage, setup.hub_settings()).await.expect("opens");
        hub.add_domain("us.test").await.expect("added");
        hub
    }

    /// And reports about TLS go out whatever has become of it (RFC 8460 §3).
    #[tokio::test]
    async fn yesterdays_reports_are_queued_once() {
        let records = "_dmarc.a.test. IN TXT \"v=DMARC1; p=none; rua=mailto:d@a.test\"\n\
            _smtp._tls.a.test. IN TXT \"v=TLSRPTv1; rua=mailto:t@a.test\"\n";
        let dns = Names::default().unsigned("test.", records).serve().await;
        let settings = hub_dns::Settings { server: Some(dns.address), ..hub_dns::Settings::default() };
        let resolver = hub_dns::Dns::new(&settings).expect("no trust anchor to read");
        let resolver = std::sync::Arc::new(resolver);
        let authenticator = Authenticator::new("mx.us.test", std::sync::Arc::clone(&resolver));
        let https = Https::new(resolver, b"", 443).expect("nothing to read");
        let dmarc = "192.0.2.1 a.test a.test mfrom pass true false none";
        for (kind, stored, facts, to, tls) in [
            (ReportKind::Dmarc, "dmarc", dmarc, "d@a.test", TlsDemand::ByPolicy),
            (ReportKind::Tls, "tls", "no-policy-found a.test\n", "t@a.test", TlsDemand::NotRequired),
        ] {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let hub = hub(folder.path(), stored, facts, &["a.test", "silent.test"]).await;
            let (authenticator, https) = (authenticator.clone(), https.clone());
            let reporter = Reporter { hub: hub.clone(), authenticator, https };
            for _ in 0..2 {
                reporter.send_due(kind).await.expect("sent");
                let queue = hub.queue(&hub::QueueFilter::default()).await.expect("read");
                let queued: Vec<_> = queue
                    .iter()
                    .map(|entry| (entry.address.as_str(), entry.next_hop.as_ref().map(NextHop::tls)))
                    .collect();
                assert_eq!(queued, [(to, Some(tls))]);
                assert!(hub.due_reports(kind).await.expect("read").is_empty());
            }
        }
    }
}

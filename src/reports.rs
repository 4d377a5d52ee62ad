//! Sends reports of the days that are over: about mail that claims a domain (DMARC, RFC 9990), and about
//! TLS on the way to it (RFC 8460).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub::{Address, Hub, Outgoing, ReportKind};
use hub_mailauth::{Authenticator, MadeReport, Reporting};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin;

/// How often it is looked whether something is due.
const PAUSE: Duration = Duration::from_secs(3600);
/// Days for which DNS is asked again, when it does not tell where a report goes.
const PATIENCE: i64 = 3;

/// Until the shutdown.
pub(crate) async fn run(
    hub: Hub,
    authenticator: Authenticator,
    kinds: Vec<ReportKind>,
    shutdown: CancellationToken,
) {
    loop {
        for kind in &kinds {
            if let Err(error) = send_due(&hub, &authenticator, *kind).await {
                warn!(?kind, error = admin::explain(error), "reports were not sent");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn send_due(hub: &Hub, authenticator: &Authenticator, kind: ReportKind) -> hub::Result<()> {
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
        match made {
            Reporting::Made(report) => {
                send(hub, report).await?;
                info!(?kind, domain, day, "report queued");
            }
            Reporting::Later if today() - day <= PATIENCE => continue,
            Reporting::Later | Reporting::Unwanted => {}
        }
        hub.forget_report(kind, day, &domain).await?;
    }
    Ok(())
}

/// From nobody: whom a report does not reach need not be told us.
async fn send(hub: &Hub, report: MadeReport) -> hub::Result<()> {
    let recipients = report.recipients.iter().filter_map(|address| Address::parse(address).ok()).collect();
    let mut spool = hub.spool();
    spool.write(&report.message).await.map_err(hub::Error::from)?;
    let incoming = hub.examine(spool).await?;
    hub.send_own(Outgoing {
        incoming,
        reverse_path: None,
        recipients,
        trace: Vec::new(),
        require_tls: false,
    })
    .await?;
    Ok(())
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
        let authenticator = Authenticator::new("mx.us.test", std::sync::Arc::new(resolver));
        let dmarc = "192.0.2.1 a.test a.test mfrom pass true false none";
        for (kind, stored, facts, to, tls) in [
            (ReportKind::Dmarc, "dmarc", dmarc, "d@a.test", TlsDemand::ByPolicy),
            (ReportKind::Tls, "tls", "no-policy-found a.test\n", "t@a.test", TlsDemand::NotRequired),
        ] {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let hub = hub(folder.path(), stored, facts, &["a.test", "silent.test"]).await;
            for _ in 0..2 {
                send_due(&hub, &authenticator, kind).await.expect("sent");
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

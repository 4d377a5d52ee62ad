//! Sends DMARC aggregate reports (RFC 9990) of the days that are over.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub::{Address, Hub, Outgoing};
use hub_mailauth::{Authenticator, MadeReport, Reporting};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin;

/// How often it is looked whether something is due.
const PAUSE: Duration = Duration::from_secs(3600);
/// Days for which DNS is asked again, when it does not tell where a report goes.
const PATIENCE: i64 = 3;

/// Until the shutdown.
pub(crate) async fn run(hub: Hub, authenticator: Authenticator, shutdown: CancellationToken) {
    loop {
        if let Err(error) = send_due(&hub, &authenticator).await {
            warn!(error = admin::explain(error), "DMARC reports were not sent");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn send_due(hub: &Hub, authenticator: &Authenticator) -> hub::Result<()> {
    let domains = hub.domains().await?;
    let Some(ours) = domains.first() else { return Ok(()) };
    let sender = format!("postmaster@{ours}");
    for (day, domain) in hub.due_reports().await? {
        let facts = hub.report_facts(day, &domain).await?;
        match authenticator.report(day, &domain, &facts, &sender).await {
            Reporting::Made(report) => {
                send(hub, report).await?;
                info!(domain, day, rows = facts.len(), "DMARC report queued");
            }
            Reporting::Later if today() - day <= PATIENCE => continue,
            Reporting::Later | Reporting::Unwanted => {}
        }
        hub.forget_report(day, &domain).await?;
    }
    Ok(())
}

/// From nobody: whom a report does not reach need not be told us.
async fn send(hub: &Hub, report: MadeReport) -> hub::Result<()> {
    let recipients = report.recipients.iter().filter_map(|address| Address::parse(address).ok()).collect();
    let mut spool = hub.spool();
    spool.write(&report.message).await.map_err(hub::Error::from)?;
    let incoming = hub.examine(spool).await?;
    hub.send_own(Outgoing { incoming, reverse_path: None, recipients, trace: Vec::new(), require_tls: false }).await?;
    Ok(())
}

fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / 86_400) as i64)
}

#[cfg(test)]
mod tests {
    use hub_storage::dmarc::{self, CountRow};
    use test_dns::Names;

    use super::*;

    /// A hub that has counted a message of each of these domains on 2 January 1970.
    async fn hub(folder: &std::path::Path, domains: &[&str]) -> Hub {
        let options =
            hub_storage::Options { data_dir: folder.to_owned(), database: hub_storage::Database::Sqlite };
        let storage = hub_storage::Storage::open(options).await.expect("opens");
        let facts = "192.0.2.1 a.test a.test mfrom pass true false none".to_owned();
        let row =
            |domain: &&str| CountRow { day: 1, domain: (*domain).into(), facts: facts.clone(), messages: 3 };
        let rows: Vec<CountRow> = domains.iter().map(row).collect();
        let count = storage.transact([], move |tx| Box::pin(async move { dmarc::count(tx, &rows).await }));
        count.await.expect("counted");
        let config = hub_config::Config::default();
        let setup = crate::setup::Setup { config, config_file: None, data_dir: folder.to_owned() };
        let hub = Hub::open(storage, setup.hub_settings()).await.expect("opens");
        hub.add_domain("us.test").await.expect("added");
        hub
    }

    #[tokio::test]
    async fn yesterdays_reports_are_queued_once() {
        let records = "_dmarc.a.test. IN TXT \"v=DMARC1; p=none; rua=mailto:d@a.test\"\n";
        let dns = Names::default().unsigned("test.", records).serve().await;
        let settings = hub_dns::Settings { server: Some(dns.address), ..hub_dns::Settings::default() };
        let resolver = hub_dns::Dns::new(&settings).expect("no trust anchor to read");
        let authenticator = Authenticator::new("mx.us.test", std::sync::Arc::new(resolver));
        let folder = tempfile::tempdir().expect("a temporary directory");
        let hub = hub(folder.path(), &["a.test", "silent.test"]).await;
        for _ in 0..2 {
            send_due(&hub, &authenticator).await.expect("sent");
            let queue = hub.queue(&hub::QueueFilter::default()).await.expect("read");
            let queued: Vec<_> = queue.iter().map(|entry| entry.address.as_str()).collect();
            assert_eq!(queued, ["d@a.test"]);
            assert!(hub.due_reports().await.expect("read").is_empty());
        }
    }
}

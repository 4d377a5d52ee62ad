//! Reports about our own domains that come to a postmaster, or to a twin or alias dmarc-reports
//! (RFC 9990 §3.5) or tls-reports (RFC 8460): they are delivered like all mail, and read for
//! `twinhub reports`.

use hub::{Hub, Incoming, Recipient, Verdict};
use hub_mailauth::{MOST_REPORT, read_report};
use tokio::sync::{Mutex, Semaphore};

/// The message, if it looks like a report that is to be read once it is delivered.
pub(crate) fn wanted(
    incoming: &Incoming,
    recipients: &[Recipient],
    verdict: Option<&Verdict>,
) -> Option<Incoming> {
    let is_for_reports = recipients.iter().any(|recipient| {
        let local = recipient.address.local();
        ["dmarc-reports", "postmaster", "tls-reports"].iter().any(|name| local.eq_ignore_ascii_case(name))
    });
    // RFC 9990 §3.5.2.2, RFC 8460 §5.3: the subject of every report.
    let is_report = incoming.summary.subject.to_ascii_lowercase().contains("report domain:");
    let is_genuine = verdict.is_none_or(Verdict::is_authentic);
    let is_wanted = is_for_reports && is_report && is_genuine && incoming.summary.size <= MOST_REPORT;
    is_wanted.then(|| incoming.clone())
}

/// One is read at a time, as unpacking is work, and a few wait.
static READING: Mutex<()> = Mutex::const_new(());
static WAITING: Semaphore = Semaphore::const_new(16);

/// Reads a report that was delivered, while nobody waits for it. In a flood of them some are left out;
/// the mail itself is there.
pub(crate) fn read(hub: &Hub, incoming: Incoming) {
    let Ok(place) = WAITING.try_acquire() else {
        tracing::warn!("too many reports at a time; one was not read");
        return;
    };
    let hub = hub.clone();
    tokio::spawn(async move {
        let _place = place;
        keep(&hub, incoming).await;
    });
}

async fn keep(hub: &Hub, incoming: Incoming) {
    let _one = READING.lock().await;
    let read = tokio::task::spawn_blocking(move || {
        let mut message = incoming.header().ok()?.to_vec();
        for piece in incoming.body() {
            message.extend_from_slice(&piece.ok()?);
        }
        read_report(&message)
    });
    if let Ok(Some(report)) = read.await
        && let Err(error) = hub.keep_report(report).await
    {
        tracing::warn!(%error, "a report was not kept");
    }
}

//! Reports about our own domains that come to a postmaster, or to a twin or alias dmarc-reports
//! (RFC 9990 §3.5): they are delivered like all mail, and read for `twinhub reports dmarc`.

use hub::{Hub, Incoming, Recipient, Verdict};
use hub_mailauth::{MOST_REPORT, read_report};
use tokio::sync::Mutex;

/// Reads a message that was delivered, if it looks like a report, while nobody waits for it.
pub(crate) fn look(hub: &Hub, incoming: Incoming, recipients: &[Recipient], verdict: Option<&Verdict>) {
    let is_for_reports = recipients.iter().any(|recipient| {
        let local = recipient.address.local();
        ["dmarc-reports", "postmaster"].iter().any(|name| local.eq_ignore_ascii_case(name))
    });
    // RFC 9990 §3.5.2.2: the subject of every report.
    let is_report = incoming.summary.subject.to_ascii_lowercase().contains("report domain:");
    let is_genuine = verdict.is_none_or(Verdict::is_authentic);
    if is_for_reports && is_report && is_genuine && incoming.summary.size <= MOST_REPORT {
        let hub = hub.clone();
        tokio::spawn(async move { keep(&hub, incoming).await });
    }
}

/// One is read at a time: unpacking is work.
static READING: Mutex<()> = Mutex::const_new(());

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
        tracing::warn!(%error, "a DMARC report was not kept");
    }
}

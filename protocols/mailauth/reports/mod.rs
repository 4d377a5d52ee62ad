//! Reports to the owners of domains: made from what was counted, and read from what others send.

mod dmarc;
mod tls;

use std::time::Duration;

use hub::ReceivedReport;

const DAY: i64 = 86_400;
/// Octets of an unpacked report: larger ones are bombs (RFC 9990 §8).
const MOST_UNPACKED: usize = 10 << 20;
/// Octets of the message that brings one. Packed well, a thousand times as many could be in it.
pub const MOST_REPORT: u64 = 1 << 20;
/// For all look-ups of one report.
const MOST_TIME: Duration = Duration::from_secs(60);

/// A report, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct MadeReport {
    /// Mailboxes; perhaps none.
    pub recipients: Vec<String>,
    /// The whole message, with CR LF.
    pub message: Vec<u8>,
    /// Where the document is handed over by HTTPS (RFC 8460 §5.4); perhaps nowhere.
    pub urls: Vec<String>,
    pub document: Vec<u8>,
}

/// What became of making a report.
#[derive(Debug, PartialEq, Eq)]
pub enum Reporting {
    /// Nobody wants it, or nobody who may have it.
    Unwanted,
    /// DNS has not told.
    Later,
    Made(MadeReport),
}

/// Reads a report that somebody has sent; `None` if it is none, or unpacks to too much.
pub fn read_report(message: &[u8]) -> Option<ReceivedReport> {
    tls::read(message).or_else(|| dmarc::read(message))
}

/// Text of strangers, as far as it is fit to be shown.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

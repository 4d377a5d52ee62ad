//! Where log lines go.

use std::io::IsTerminal as _;

use hub_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Writes logs to standard error. `RUST_LOG`, if set, decides what is logged; else `level` for our
/// own crates and warnings for the rest.
pub(crate) fn start(log: &Log, level: &str) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,twinhub={level},hub={level}")));
    // To complain on stderr that nothing can be written there (a full disk) would panic.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}

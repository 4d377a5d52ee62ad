//! Results as JSON lines: each measurement, then medians and ratios.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

/// Whether a larger or a smaller value is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    High,
    Low,
}

impl Better {
    fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }
}

#[derive(Default)]
pub(crate) struct Report {
    server: String,
    phase: String,
    round: usize,
    /// Metric → server → values of all rounds.
    values: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    units: BTreeMap<String, (&'static str, Better)>,
}

impl Report {
    /// What follows belongs to this server, phase and round.
    pub(crate) fn turn(&mut self, server: &str, phase: &str, round: usize) {
        (self.server, self.phase, self.round) = (server.to_owned(), phase.to_owned(), round);
    }

    pub(crate) fn result(&mut self, metric: &str, value: f64, unit: &'static str, better: Better) {
        let name = format!("{}: {metric}", self.phase);
        print(&json!({
            "kind": "result", "server": self.server, "phase": self.phase, "metric": metric,
            "value": rounded(value), "unit": unit, "better": better.word(), "round": self.round,
        }));
        self.units.insert(name.clone(), (unit, better));
        self.values.entry(name).or_default().entry(self.server.clone()).or_default().push(value);
    }

    /// Median and 95th percentile of latencies in seconds, printed in milliseconds.
    pub(crate) fn latencies(&mut self, metric: &str, mut seconds: Vec<f64>) {
        seconds.sort_by(f64::total_cmp);
        for (name, part) in [("p50", 0.5), ("p95", 0.95)] {
            let index = ((seconds.len() as f64 * part) as usize).min(seconds.len().saturating_sub(1));
            if let Some(value) = seconds.get(index) {
                self.result(&format!("{metric} {name}"), value * 1000.0, "ms", Better::Low);
            }
        }
    }

    pub(crate) fn error(&self, error: &anyhow::Error) {
        print(&json!({
            "kind": "error", "server": self.server, "phase": self.phase, "round": self.round,
            "error": format!("{error:#}"),
        }));
    }

    /// Medians, and for each other server the ratio by which `first` is better (above 1) or worse.
    pub(crate) fn finish(&self, first: &str) {
        for (metric, servers) in &self.values {
            let (unit, better) = self.units[metric];
            for (server, values) in servers {
                print(&json!({
                    "kind": "median", "server": server, "metric": metric, "value": rounded(median(values)),
                    "unit": unit, "better": better.word(), "rounds": values.len(),
                }));
            }
            let Some(ours) = servers.get(first).map(|values| median(values)) else { continue };
            for (server, values) in servers.iter().filter(|(server, _)| *server != first) {
                let theirs = median(values);
                let ratio = if better == Better::High { ours / theirs } else { theirs / ours };
                print(&json!({
                    "kind": "ratio", "metric": metric, "of": first, "to": server, "times_better": rounded(ratio),
                }));
            }
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Four significant digits are more than a run can promise.
fn rounded(value: f64) -> Value {
    if value == 0.0 || !value.is_finite() {
        return json!(value);
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    json!((value * scale).round() / scale)
}

fn print(line: &Value) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell if standard output is gone.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

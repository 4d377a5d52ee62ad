//! Mail that users send: to each other, and through the queue to a host elsewhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::{Door, Load};
use crate::report::{Better, Report};
use crate::server::Server;
use crate::sink::Sink;

const CONNECTIONS: usize = 10;

/// 4 KB messages to users of the same server, TLS and log-in for each of them, and for twenty.
pub(crate) fn submit(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    for door in [Door::Submissions, Door::Submission] {
        Load::submissions(server, door, 20, None).over(CONNECTIONS, 1).run(server)?; // warm
        for (per_connection, count) in [(1, 300.0), (20, 1000.0)] {
            let count = ((count * scale) as usize).max(CONNECTIONS);
            let load = Load::submissions(server, door, count, None).over(CONNECTIONS, per_connection);
            let (elapsed, _) = load.run(server)?;
            let how = if door == Door::Submission { "STARTTLS" } else { "implicit TLS" };
            let metric = format!("{how} x{CONNECTIONS}, {per_connection} per connection");
            report.result(&metric, count as f64 / elapsed.as_secs_f64(), "msg/s", Better::High);
        }
    }
    Ok(())
}

/// From the first submission until the last message has reached a host that answers at once, and one
/// that takes 100 ms for each.
pub(crate) fn relay(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    let port = server.sink.context("the specification has no sinkport=")?;
    // A domain that nobody here hosts.
    let elsewhere = format!("run{}.sink.test", std::process::id());
    for (latency, count) in [(0, 1000.0), (100, 400.0)] {
        let count = ((count * scale) as usize).max(CONNECTIONS);
        let load =
            Load::submissions(server, Door::Submissions, count, Some(&elsewhere)).over(CONNECTIONS, 20);
        let sink = Sink::open(port, &elsewhere, Duration::from_millis(latency))?;
        let started = Instant::now();
        load.run(server)?;
        while sink.look(|seen| seen.recipients.len()) < count {
            ensure!(started.elapsed() < Duration::from_secs(120), "messages are missing after 2 minutes");
            std::thread::sleep(Duration::from_millis(5));
        }
        let (elapsed, messages, connections) =
            sink.look(|seen| (seen.last.unwrap_or(started) - started, seen.messages, seen.connections));
        ensure!(messages == count, "{messages} messages came instead of {count}");
        let metric = format!("4 KB, end to end, a host that takes {latency} ms");
        report.result(&metric, count as f64 / elapsed.as_secs_f64(), "msg/s", Better::High);
        let each = count as f64 / connections as f64;
        report.result(&format!("{metric}: messages per connection"), each, "1", Better::High);
    }
    Ok(())
}

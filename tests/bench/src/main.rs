//! Benchmarks on the wire: the same work on this hub and, if given, on other servers, so that what
//! counts is the ratio in one run on one machine. One JSON object per line on standard output.
//!
//! ```text
//! cargo build --release && cargo run --release -p hub-bench
//! cargo run --release -p hub-bench -- --server 'peer=127.0.0.1,mx=16025,imap=16143,…'
//! ```
//!
//! `tests/bench/README.md` describes the phases and the server specification.

mod checks;
mod deliver;
mod idle;
mod imap;
mod load;
mod mailbox;
mod report;
mod server;
mod sink;
mod smtp;
mod submit;
mod syncs;
mod tls;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use report::Report;
use server::Server;

#[derive(Parser)]
#[command(about = "Benchmarks of Twin Hub on the wire, beside other servers.")]
struct Arguments {
    /// The hub's binary; it is started in a fresh directory.
    #[arg(long, default_value = "target/release/twinhub")]
    hub: PathBuf,
    /// Do not start the hub; only measure the servers given.
    #[arg(long)]
    no_hub: bool,
    /// `postgres://…` for the hub instead of SQLite.
    #[arg(long)]
    database: Option<String>,
    /// A further server, as NAME=HOST,key=value,… (see README.md). Can be given several times.
    #[arg(long = "server")]
    servers: Vec<String>,
    /// Phases to run, in this order.
    #[arg(long, value_delimiter = ',', default_values_t = PHASES.map(str::to_owned))]
    phases: Vec<String>,
    /// Rounds; servers take turns in each, medians are compared.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Factor for the numbers of messages.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Messages in the large mailbox.
    #[arg(long, default_value_t = 100_000)]
    mailbox: usize,
    /// Idle connections for the memory figure.
    #[arg(long, default_value_t = 5000)]
    connections: usize,
}

const PHASES: [&str; 11] =
    ["deliver", "submit", "tls", "relay", "append", "select", "fetch", "notify", "memory", "syncs", "checks"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(unknown) = arguments.phases.iter().find(|phase| !PHASES.contains(&phase.as_str())) {
        bail!("there is no phase {unknown:?}; there are {}", PHASES.join(", "));
    }
    server::raise_file_limit(arguments.connections)?;
    let mut servers = Vec::new();
    if !arguments.no_hub {
        let hub = Server::start_hub(&arguments.hub, arguments.database.as_deref());
        servers.push(hub.with_context(|| format!("start of {}", arguments.hub.display()))?);
    }
    for spec in &arguments.servers {
        servers.push(Server::parse(spec).with_context(|| format!("--server {spec}"))?);
    }
    if servers.is_empty() {
        bail!("no server to measure");
    }
    let mut report = Report::default();
    for phase in &arguments.phases {
        if phase == "checks" {
            // Of hubs of its own: what they are told is no other server's business.
            report.turn("twinhub", phase, 0);
            let done = checks::checks(&arguments.hub, &mut report, arguments.rounds, arguments.scale);
            done.unwrap_or_else(|error| report.error(&error));
            continue;
        }
        // Memory and syncs are counts, not times: once is enough.
        let rounds = if ["memory", "syncs"].contains(&phase.as_str()) { 1 } else { arguments.rounds };
        for round in 0..rounds {
            for server in &mut servers {
                report.turn(&server.name, phase, round);
                let done = match phase.as_str() {
                    "deliver" => deliver::deliver(server, &mut report, arguments.scale),
                    "submit" => submit::submit(server, &mut report, arguments.scale),
                    "tls" => tls::handshakes(server, &mut report, arguments.scale),
                    "relay" => submit::relay(server, &mut report, arguments.scale),
                    "append" => mailbox::append(server, &mut report, arguments.scale),
                    "select" => mailbox::select(server, &mut report, arguments.mailbox),
                    "fetch" => mailbox::fetch(server, &mut report, arguments.mailbox),
                    "notify" => idle::notify(server, &mut report, arguments.scale),
                    "memory" => idle::memory(server, &mut report, arguments.connections),
                    _ => syncs::count(server, &mut report),
                };
                if let Err(error) = done {
                    report.error(&error);
                }
            }
        }
    }
    report.finish(&servers[0].name);
    Ok(())
}

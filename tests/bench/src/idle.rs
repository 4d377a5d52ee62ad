//! Connections in IDLE: how soon they are told, and what they cost.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::imap::Imap;
use crate::load::{STRANGER, message};
use crate::report::{Better, Report};
use crate::server::Server;
use crate::smtp::Smtp;

/// Users that the other phases do not use.
const FIRST_USER: usize = 10;

fn idle(server: &Server, user: usize) -> Result<Imap> {
    let mut imap = Imap::login(server, user)?;
    imap.command("SELECT INBOX")?;
    imap.send(b"i IDLE\r\n")?;
    let answer = imap.line()?;
    ensure!(answer.starts_with(b"+"), "{}", String::from_utf8_lossy(&answer));
    Ok(imap)
}

/// From the 250 of a delivery to the EXISTS, which may also come first.
pub(crate) fn notify(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    report.latencies("250 to EXISTS", notified(server, ((40.0 * scale) as usize).max(5))?);
    Ok(())
}

/// The seconds that each of `count` deliveries took from the 250 to the EXISTS.
fn notified(server: &Server, count: usize) -> Result<Vec<f64>> {
    let mut imap = idle(server, FIRST_USER)?;
    let (told, telling) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(line) = imap.line() {
            if line.ends_with(b"EXISTS") && told.send(Instant::now()).is_err() {
                break;
            }
        }
    });
    let mut smtp = Smtp::connect(server)?;
    let to = server.address(FIRST_USER);
    let mut after = Vec::new();
    for number in 0..count {
        smtp.send(STRANGER, &to, &message(number + 5_000_000, STRANGER, &to))?;
        let acknowledged = Instant::now();
        let exists = telling.recv_timeout(Duration::from_secs(40)).context("no EXISTS within 40 s")?;
        // A microsecond at least, so that ratios stay finite.
        after.push(exists.saturating_duration_since(acknowledged).as_secs_f64().max(1e-6));
    }
    smtp.quit()?;
    Ok(after)
}

/// Memory per connection that is logged in, has INBOX selected and waits in IDLE.
pub(crate) fn memory(server: &mut Server, report: &mut Report, connections: usize) -> Result<()> {
    ensure!(!server.processes().is_empty(), "the specification has no pidfile=");
    // What earlier phases left in memory would hide what connections take.
    server.restart()?;
    let users = server.users - FIRST_USER;
    // What logging in and opening mailboxes costs once is not a cost of the connection.
    for user in 0..users {
        drop(idle(server, FIRST_USER + user)?);
    }
    let settle = || std::thread::sleep(Duration::from_secs(3));
    settle();
    let before = server.memory();
    let mut open = Vec::with_capacity(connections);
    for number in 0..connections {
        let user = FIRST_USER + number % users;
        let connection = idle(server, user).with_context(|| format!("connection {number}"));
        open.push(connection?);
    }
    settle();
    let after = server.memory();
    let each = after.saturating_sub(before) as f64 / connections as f64 / 1024.0;
    report.result(&format!("per connection in IDLE, of {connections}"), each, "KiB", Better::Low);
    report.latencies(&format!("250 to EXISTS, beside {connections} in IDLE"), notified(server, 20)?);
    report.result("all processes before", before as f64 / 1_048_576.0, "MiB", Better::Low);
    Ok(())
}

//! Deliveries to the MX port: how many messages per second are acknowledged, and how many are in
//! their mailboxes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::imap::Imap;
use crate::load::{Load, USERS};
use crate::report::{Better, Report};
use crate::server::Server;

/// The mailboxes that messages go to: a server may acknowledge long before they are there.
struct Inboxes(Vec<Imap>);

impl Inboxes {
    fn open(server: &Server) -> Result<Self> {
        Ok(Self(USERS.map(|user| Imap::login(server, user)).collect::<Result<_>>()?))
    }

    fn count(&mut self) -> Result<usize> {
        let mut sum = 0;
        for inbox in &mut self.0 {
            let (_, text) = inbox.collect("STATUS INBOX (MESSAGES)")?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let number = text.split("MESSAGES ").nth(1).and_then(|rest| rest.split(')').next());
            sum += number.and_then(|number| number.parse::<usize>().ok()).with_context(|| text.clone())?;
        }
        Ok(sum)
    }

    /// The number of messages once nothing more arrives.
    fn settled(&mut self) -> Result<usize> {
        let mut last = self.count()?;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.count()?;
            if now == last {
                return Ok(now);
            }
            last = now;
        }
    }

    fn wait_for(&mut self, number: usize) -> Result<()> {
        let started = Instant::now();
        while self.count()? < number {
            ensure!(started.elapsed() < Duration::from_secs(300), "messages are missing after 5 minutes");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// 4 KB messages over 1, 10 and 100 connections, kept open and opened anew for each message.
pub(crate) fn deliver(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    Load::deliveries(server, 50, USERS).over(5, 10).run(server)?; // warm
    let mut inboxes = Inboxes::open(server)?;
    for (connections, count) in [(1, 400), (10, 2000), (100, 4000)] {
        let count = ((f64::from(count) * scale) as usize).max(connections);
        for (how, per_connection) in [("kept", usize::MAX), ("one message each", 1)] {
            let before = inboxes.settled()?;
            let load = Load::deliveries(server, count, USERS).over(connections, per_connection);
            let started = Instant::now();
            let (elapsed, latencies) = load.run(server)?;
            inboxes.wait_for(before + count)?;
            let kept = started.elapsed();
            let metric = format!("4 KB x{connections} {how}");
            report.result(
                &format!("{metric}, acknowledged"),
                count as f64 / elapsed.as_secs_f64(),
                "msg/s",
                Better::High,
            );
            report.result(
                &format!("{metric}, in the mailbox"),
                count as f64 / kept.as_secs_f64(),
                "msg/s",
                Better::High,
            );
            report.latencies(&format!("{metric}, dot to 250"), latencies);
        }
    }
    Ok(())
}

//! APPEND, and SELECT and FETCH of a large mailbox.

use anyhow::{Result, ensure};

use crate::imap::Imap;
use crate::load;
use crate::report::{Better, Report};
use crate::server::Server;

/// 4 KB messages: one APPEND after the other, then a hundred in each.
pub(crate) fn append(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    let mut imap = Imap::login(server, 1)?;
    let messages = |from: usize, count: usize| -> Vec<Vec<u8>> {
        (from..from + count)
            .map(|number| {
                let mut message = load::message(number + 1_000_000, load::STRANGER, "u1@peer.test");
                message.truncate(message.len() - 3); // the final dot
                message
            })
            .collect()
    };
    let count = ((500.0 * scale) as usize).max(1);
    fresh(&mut imap, "single");
    let single = messages(0, count);
    let started = std::time::Instant::now();
    for message in &single {
        imap.append("single", std::slice::from_ref(message))?;
    }
    report.result(
        "APPEND, one at a time",
        count as f64 / started.elapsed().as_secs_f64(),
        "msg/s",
        Better::High,
    );
    if imap.capabilities.contains("MULTIAPPEND") {
        let count = ((4000.0 * scale) as usize).div_ceil(100) * 100;
        fresh(&mut imap, "multi");
        let many = messages(100_000, count);
        let started = std::time::Instant::now();
        for group in many.chunks(100) {
            imap.append("multi", group)?;
        }
        let rate = count as f64 / started.elapsed().as_secs_f64();
        report.result("MULTIAPPEND of 100", rate, "msg/s", Better::High);
    }
    for mailbox in ["single", "multi"] {
        let _ = imap.command(&format!("DELETE {mailbox}"));
    }
    Ok(())
}

fn fresh(imap: &mut Imap, mailbox: &str) {
    // It need not exist.
    let _ = imap.command(&format!("DELETE {mailbox}"));
    let _ = imap.command(&format!("CREATE {mailbox}"));
}

/// Makes the large mailbox unless it is there from an earlier phase or run.
fn large(server: &Server, count: usize) -> Result<String> {
    let mailbox = format!("large{count}");
    let mut imap = Imap::login(server, 0)?;
    if let Ok((_, status)) = imap.collect(&format!("STATUS {mailbox} (MESSAGES)"))
        && String::from_utf8_lossy(&status).contains(&format!("MESSAGES {count})"))
    {
        return Ok(mailbox);
    }
    fresh(&mut imap, &mailbox);
    let group = if imap.capabilities.contains("MULTIAPPEND") { 200 } else { 1 };
    let mut made = 0;
    while made < count {
        let messages: Vec<Vec<u8>> = (made..(made + group).min(count)).map(small_message).collect();
        imap.append(&mailbox, &messages)?;
        made += messages.len();
    }
    let (_, status) = imap.collect(&format!("STATUS {mailbox} (MESSAGES)"))?;
    ensure!(
        String::from_utf8_lossy(&status).contains(&format!("MESSAGES {count}")),
        "{}",
        String::from_utf8_lossy(&status)
    );
    Ok(mailbox)
}

/// About 1 KB with the header fields that ordinary mail has.
fn small_message(number: usize) -> Vec<u8> {
    let word = |n: usize| load::WORDS[(number / (n + 1) + n) % 32];
    format!(
        "Return-Path: <{a}@example.net>\r\nReceived: from mx.example.net (mx.example.net [192.0.2.{octet}])\r\n\
         \tby mail.example.org with ESMTPS id {number:08x}\r\n\tfor <me@example.org>; Mon, 2 Feb 2026 10:11:12 +0000\r\n\
         From: {a} Example <{a}{octet}@example.net>\r\nTo: Me <me@example.org>, {b} <{b}@example.com>\r\n\
         Subject: {c} {d} {number}\r\nDate: Mon, 2 Feb 2026 10:{minute:02}:{second:02} +0000\r\n\
         Message-ID: <{number}.bench@example.net>\r\nIn-Reply-To: <{before}.bench@example.net>\r\n\
         References: <{before}.bench@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\r\nMessage number {number} of the run.\r\n{body}\r\n",
        a = word(1),
        b = word(2),
        c = word(3),
        d = word(4),
        octet = number % 250,
        minute = number / 60 % 60,
        second = number % 60,
        before = number.saturating_sub(1),
        body = format!("{} {} {}\r\n", word(5), word(6), word(7)).repeat(10),
    )
    .into_bytes()
}

/// SELECT after a restart (its index is not in memory), in the same session, and in a new one.
pub(crate) fn select(server: &mut Server, report: &mut Report, count: usize) -> Result<()> {
    let mailbox = large(server, count)?;
    let select = format!("SELECT {mailbox}");
    // The first time a server may have to build what it keeps from then on.
    for (change, metric) in
        [(false, "cold, after a restart"), (true, "cold, after 1,000 changes and a restart")]
    {
        if change {
            let mut imap = Imap::login(server, 0)?;
            imap.command(&select)?;
            imap.command("STORE 1:1000 -FLAGS.SILENT (\\Seen)")?;
            imap.command("STORE 1:1000 +FLAGS.SILENT (\\Seen)")?;
        }
        if server.restart()? {
            let mut imap = Imap::login(server, 0)?;
            report.result(metric, imap.command(&select)?.as_secs_f64() * 1000.0, "ms", Better::Low);
        }
    }
    let mut imap = Imap::login(server, 0)?;
    let mut warm = Vec::new();
    for _ in 0..30 {
        imap.command("EXAMINE INBOX")?;
        warm.push(imap.command(&select)?.as_secs_f64());
    }
    report.latencies("warm", warm);
    let mut anew = Vec::new();
    for _ in 0..10 {
        let mut imap = Imap::login(server, 0)?;
        anew.push(imap.command(&select)?.as_secs_f64());
    }
    report.latencies("warm, new session", anew);
    Ok(())
}

/// Everything of one kind, of all messages.
pub(crate) fn fetch(server: &mut Server, report: &mut Report, count: usize) -> Result<()> {
    let mailbox = large(server, count)?;
    let mut imap = Imap::login(server, 0)?;
    imap.command(&format!("SELECT {mailbox}"))?;
    for items in ["(FLAGS)", "(UID FLAGS INTERNALDATE RFC822.SIZE)", "(ENVELOPE)", "(ENVELOPE BODYSTRUCTURE)"]
    {
        let elapsed = imap.listing(&format!("FETCH 1:* {items}"), count)?;
        report.result(&format!("1:* {items}"), count as f64 / elapsed.as_secs_f64(), "msg/s", Better::High);
    }
    Ok(())
}

//! Delivery status notifications: multipart/report (RFC 3462) with message/delivery-status
//! (RFC 3464), internationalised (RFC 6533) where an address needs it. They go to twins of this hub
//! only, straight into the mailbox, with the null reverse-path; never in answer to one.

use std::fmt::Write;

use hub::{Address, Delivery, Hub, Origin, QueuedMessage, Recipient, Return, Route};

use crate::path::decode_xtext;
use hub_civil::rfc5322_date;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Delayed,
    Delivered,
    Failed,
    /// Handed over to a host that will not report further (RFC 3461 §5.2.2).
    Relayed,
}

#[derive(Clone, Debug)]
pub(crate) struct ReportedRecipient<'a> {
    pub(crate) address: &'a Address,
    /// ORCPT as given.
    pub(crate) original: Option<&'a str>,
    pub(crate) action: Action,
    /// The other side's answer or our reason, like `550 5.1.1 no such user`.
    pub(crate) status: &'a str,
    /// The host that gave the answer, if it was not us.
    pub(crate) remote: Option<&'a str>,
    /// When it was tried last, or this was decided.
    pub(crate) at: i64,
}

/// All that is to be told about one message at one time.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) host_name: &'a str,
    /// Whom it is for.
    pub(crate) sender: &'a Address,
    /// ENVID as given, xtext.
    pub(crate) envelope_id: Option<&'a str>,
    /// Names this report; makes its boundary and Message-ID.
    pub(crate) id: &'a str,
    /// When the message came, and now, in Unix seconds.
    pub(crate) arrived_at: i64,
    pub(crate) at: i64,
    /// Until when what is delayed is tried.
    pub(crate) retry_until: Option<i64>,
    pub(crate) recipients: Vec<ReportedRecipient<'a>>,
}

/// Bytes of the original that are returned when only its header is.
const MAX_HEADER: u64 = 256 * 1024;
const PIECE: u64 = 256 * 1024;

/// Whom a report is for. `None`: nobody of ours. Others get no reports from here: whoever they are, their
/// own server accepted nothing from us.
pub(crate) async fn receiver(hub: &Hub, reverse_path: &Address) -> hub::Result<Option<Recipient>> {
    // An alias of another domain of ours has rewritten the path of one of our twins.
    let address = hub.returns_to(reverse_path).await?.unwrap_or_else(|| reverse_path.clone());
    Ok(match hub.route(&address).await? {
        Route::Local(members) => Some(Recipient { address, members }),
        Route::Elsewhere | Route::Unknown => None,
    })
}

/// The report as mail for its receiver, with the message that it is about: what was passed on in vain
/// comes back whole.
pub(crate) async fn delivery(
    hub: &Hub,
    report: &Report<'_>,
    receiver: Recipient,
    original: Option<&QueuedMessage>,
) -> hub::Result<Delivery> {
    let mut spool = hub.spool();
    spool.write(compose(report).as_bytes()).await?;
    if let Some(original) = original {
        let failed = report.recipients.iter().any(|recipient| recipient.action == Action::Failed);
        // RFC 3461 §4.3: RET is about failures; otherwise the header is enough.
        let full = failed && (original.passed_on || original.ret == Return::Full);
        let header = returned_part(full, original.smtputf8);
        spool.write(format!("--{}\r\n{header}\r\n", boundary(report)).as_bytes()).await?;
        return_original(hub, original, full, &mut spool).await?;
        spool.write(b"\r\n").await?;
    }
    spool.write(format!("--{}--\r\n", boundary(report)).as_bytes()).await?;
    let incoming = hub.examine(spool).await?;
    let is_passed_on = original.is_some_and(|original| original.passed_on);
    let origin = if is_passed_on { Origin::Returned } else { Origin::Hub };
    Ok(Delivery {
        incoming,
        reverse_path: None,
        recipients: vec![receiver],
        trace: Vec::new(),
        origin,
        // RFC 8689 §5: protected like the message itself, if it goes on from here.
        require_tls: original.is_some_and(|original| original.next_hop.tls().is_required()),
    })
}

/// Everything before the returned message.
fn compose(report: &Report<'_>) -> String {
    let boundary = boundary(report);
    let utf8 = needs_utf8(report);
    let mut out = String::new();
    let _ = write!(
        out,
        "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\n\
         To: <{sender}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}.report@{host}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind};\r\n\
         \tboundary=\"{boundary}\"\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         --{boundary}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         {text}\r\n\
         --{boundary}\r\n\
         Content-Type: message/{kind}\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         {fields}\r\n",
        host = report.host_name,
        sender = report.sender,
        subject = subject(report),
        date = rfc5322_date(report.at, 0),
        id = report.id,
        kind = if utf8 { "global-delivery-status" } else { "delivery-status" },
        text = text(report),
        fields = fields(report, utf8),
    );
    out
}

fn subject(report: &Report<'_>) -> &'static str {
    let has = |action| report.recipients.iter().any(|recipient| recipient.action == action);
    if has(Action::Failed) {
        "Your message could not be delivered"
    } else if has(Action::Delayed) {
        "Your message is delayed"
    } else if has(Action::Relayed) {
        "Your message was passed on"
    } else {
        "Your message was delivered"
    }
}

fn text(report: &Report<'_>) -> String {
    let mut out = format!("This is the mail server {}.\r\n", report.host_name);
    for (action, sentence) in [
        (
            Action::Failed,
            "Your message could not be delivered to the following addresses. It will not be tried again.",
        ),
        (
            Action::Delayed,
            "Your message could not be delivered to the following addresses yet. It is tried again; there is \
             no need to send it once more.",
        ),
        (
            Action::Relayed,
            "Your message was passed on to a server that does not report whether it delivers it:",
        ),
        (Action::Delivered, "Your message was delivered to the mailbox of:"),
    ] {
        let recipients: Vec<_> = report.recipients.iter().filter(|r| r.action == action).collect();
        if recipients.is_empty() {
            continue;
        }
        let _ = write!(out, "\r\n{sentence}\r\n\r\n");
        for recipient in recipients {
            let _ = write!(out, "  {}\r\n", recipient.address);
            if matches!(action, Action::Delayed | Action::Failed) && !recipient.status.is_empty() {
                let _ = write!(out, "    {}\r\n", recipient.status);
            }
        }
    }
    out
}

/// `per-message-fields` and a block of `per-recipient-fields` each (RFC 3464 §2.1).
fn fields(report: &Report<'_>, utf8: bool) -> String {
    let mut out = String::new();
    if let Some(id) = report.envelope_id {
        let _ = write!(out, "Original-Envelope-Id: {}\r\n", one_line(&decode_xtext(id)));
    }
    let _ = write!(out, "Reporting-MTA: dns; {}\r\n", report.host_name);
    let _ = write!(out, "Arrival-Date: {}\r\n", rfc5322_date(report.arrived_at, 0));
    for recipient in &report.recipients {
        out.push_str("\r\n");
        if let Some((kind, address)) = recipient.original.and_then(|original| original.split_once(';')) {
            let _ = write!(out, "Original-Recipient: {kind};{}\r\n", one_line(&decode_xtext(address)));
        }
        let kind = if utf8 && recipient.address.needs_utf8() { "utf-8" } else { "rfc822" };
        let _ = write!(out, "Final-Recipient: {kind};{}\r\n", recipient.address);
        let (action, class) = match recipient.action {
            Action::Delayed => ("delayed", '4'),
            Action::Delivered => ("delivered", '2'),
            Action::Failed => ("failed", '5'),
            Action::Relayed => ("relayed", '2'),
        };
        let _ = write!(out, "Action: {action}\r\n");
        let _ = write!(out, "Status: {}\r\n", enhanced_code(recipient.status, class));
        if recipient.action != Action::Delivered {
            if let Some(remote) = recipient.remote {
                let _ = write!(out, "Remote-MTA: dns; {remote}\r\n");
            }
            if let Some(diagnostic) = diagnostic(recipient.status) {
                let _ = write!(out, "Diagnostic-Code: {diagnostic}\r\n");
            }
        }
        let _ = write!(out, "Last-Attempt-Date: {}\r\n", rfc5322_date(recipient.at, 0));
        if let (Action::Delayed, Some(until)) = (recipient.action, report.retry_until) {
            let _ = write!(out, "Will-Retry-Until: {}\r\n", rfc5322_date(until, 0));
        }
    }
    out
}

/// RFC 3464 §2.3.6: `smtp` is for replies; our own reasons are of another type.
fn diagnostic(status: &str) -> Option<String> {
    let is_reply = status.len() > 3 && status.bytes().take(3).all(|b| b.is_ascii_digit());
    let kind = if is_reply { "smtp" } else { "x-twinhub" };
    (!status.is_empty()).then(|| format!("{kind}; {}", one_line(status)))
}

/// The enhanced code (RFC 3463) within a status text, if it is of the class; else `class.0.0`.
fn enhanced_code(status: &str, class: char) -> String {
    let is_code = |word: &&str| {
        let mut numbers = word.split('.');
        let fits = |n: Option<&str>| {
            n.is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
        };
        word.starts_with(class)
            && fits(numbers.next())
            && fits(numbers.next())
            && fits(numbers.next())
            && numbers.next().is_none()
    };
    status.split(' ').take(2).find(is_code).map_or_else(|| format!("{class}.0.0"), str::to_owned)
}

/// Header of the part that returns the message.
fn returned_part(full: bool, utf8: bool) -> String {
    let kind = match (full, utf8) {
        (false, false) => "text/rfc822-headers",
        (false, true) => "message/global-headers",
        (true, false) => "message/rfc822",
        (true, true) => "message/global",
    };
    format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n")
}

async fn return_original(
    hub: &Hub,
    original: &QueuedMessage,
    full: bool,
    spool: &mut hub::Spool,
) -> hub::Result<()> {
    let size = original.message.size();
    if !full {
        let start = hub.read_queued(original, 0..size.min(MAX_HEADER)).await?;
        let end = memchr::memmem::find(&start, b"\r\n\r\n").map_or(start.len(), |at| at + 2);
        spool.write(&start[..end]).await?;
        return Ok(());
    }
    let mut at = 0;
    while at < size {
        let piece = hub.read_queued(original, at..size.min(at + PIECE)).await?;
        if piece.is_empty() {
            break;
        }
        spool.write(&piece).await?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// Contains what no line of a message that we return begins with, unless its sender guessed the
/// number of the report.
fn boundary(report: &Report<'_>) -> String {
    format!("report_{}_{:x}", report.id, report.at)
}

fn needs_utf8(report: &Report<'_>) -> bool {
    let utf8_original = |r: &ReportedRecipient<'_>| r.original.is_some_and(|original| !original.is_ascii());
    report.recipients.iter().any(|r| r.address.needs_utf8() || utf8_original(r))
}

/// What others wrote must not make lines of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    fn report<'a>(sender: &'a Address, recipients: Vec<ReportedRecipient<'a>>) -> Report<'a> {
        Report {
            host_name: "mail.example.org",
            sender,
            envelope_id: Some("QQ+2B314"),
            id: "q7",
            arrived_at: 0,
            at: 86_400,
            retry_until: Some(432_000),
            recipients,
        }
    }

    #[test]
    fn rfc3464_failed_and_relayed() {
        let (sender, bob, eve) = (address("alice@example.org"), address("bob@x.test"), address("eve@x.test"));
        let recipient = |address, action, status| ReportedRecipient {
            address,
            original: Some("rfc822;Bob+2B@X.test"),
            action,
            status,
            remote: Some("relay.test"),
            at: 86_400,
        };
        let text = compose(&report(
            &sender,
            vec![
                recipient(&bob, Action::Failed, "550 5.1.1 no such user"),
                recipient(&eve, Action::Relayed, "250 ok"),
            ],
        ));
        for line in [
            "To: <alice@example.org>",
            "Auto-Submitted: auto-replied",
            "Content-Type: multipart/report; report-type=delivery-status;",
            "Content-Type: message/delivery-status",
            "Original-Envelope-Id: QQ+314",
            "Reporting-MTA: dns; mail.example.org",
            "Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Original-Recipient: rfc822;Bob+@X.test",
            "Final-Recipient: rfc822;bob@x.test",
            "Action: failed",
            "Status: 5.1.1",
            "Remote-MTA: dns; relay.test",
            "Diagnostic-Code: smtp; 550 5.1.1 no such user",
            "Final-Recipient: rfc822;eve@x.test",
            "Action: relayed",
            "Status: 2.0.0",
            "Last-Attempt-Date: Fri, 02 Jan 1970 00:00:00 +0000",
        ] {
            assert!(text.split("\r\n").any(|l| l == line), "missing {line:?} in\n{text}");
        }
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    /// RFC 3464 §2.3.9: only what is delayed is tried until some time.
    #[test]
    fn rfc3464_delayed() {
        let (sender, bob) = (address("alice@example.org"), address("bob@x.test"));
        let mut about = report(
            &sender,
            vec![ReportedRecipient {
                address: &bob,
                original: None,
                action: Action::Delayed,
                status: "connection to 192.0.2.1:25: timed out",
                remote: None,
                at: 86_400,
            }],
        );
        let text = compose(&about);
        for line in [
            "Subject: Your message is delayed",
            "Action: delayed",
            "Status: 4.0.0",
            "Diagnostic-Code: x-twinhub; connection to 192.0.2.1:25: timed out",
            "Will-Retry-Until: Tue, 06 Jan 1970 00:00:00 +0000",
            "    connection to 192.0.2.1:25: timed out",
        ] {
            assert!(text.split("\r\n").any(|l| l == line), "missing {line:?} in\n{text}");
        }
        assert!(!text.contains("Remote-MTA") && !text.contains("Original-Recipient"), "{text}");
        about.recipients[0].status = "";
        assert!(!compose(&about).contains("Diagnostic-Code"), "it was never tried");
        about.recipients[0].action = Action::Failed;
        assert!(!compose(&about).contains("Will-Retry-Until"));
    }

    #[test]
    fn rfc6533_addresses_in_utf8() {
        let (sender, user) = (address("alice@example.org"), address("用户@例子.测试"));
        let recipient = ReportedRecipient {
            address: &user,
            original: None,
            action: Action::Failed,
            status: "no",
            remote: None,
            at: 0,
        };
        let text = compose(&report(&sender, vec![recipient]));
        assert!(text.contains("report-type=global-delivery-status"));
        assert!(text.contains("Final-Recipient: utf-8;用户@例子.测试\r\n"));
    }

    #[test]
    fn enhanced_codes_are_found() {
        for (status, class, code) in [
            ("550 5.1.1 no", '5', "5.1.1"),
            ("5.4.7 expired", '5', "5.4.7"),
            ("550 no such user", '5', "5.0.0"),
            ("451 4.3.0 later", '5', "5.0.0"),
            ("250 2.1.10 ok", '2', "2.1.10"),
            ("550 5.1 x", '5', "5.0.0"),
            ("", '5', "5.0.0"),
        ] {
            assert_eq!(enhanced_code(status, class), code, "{status}");
        }
    }
}

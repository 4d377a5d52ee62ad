//! Answers while somebody is away (RFC 5230): who gets one, and what it looks like.

use std::fmt::Write;

use hub_mime::field_value;

use crate::header::{Header, encoded_words, write_field};
use crate::outcome::Vacation;

/// What is known of the message besides itself, and of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The reverse-path; empty is the null one.
    pub sender: &'a str,
    /// The address that the message came to: the answer is from there, unless the script says otherwise.
    pub recipient: &'a str,
    /// All addresses of the user.
    pub own: &'a [String],
    /// Unix seconds.
    pub now: i64,
    /// Without angle brackets; names the answer.
    pub message_id: &'a str,
}

/// RFC 5230 §4.5, RFC 3834 §2: fields of mail that goes to many, or comes from programs.
const LIST_FIELDS: [&str; 8] = [
    "List-Id",
    "List-Archive",
    "List-Help",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "Feedback-ID",
];
/// Fields that name recipients.
const RECIPIENT_FIELDS: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];
/// Octets that cannot be folded: a line has 998 at most (RFC 5322 §2.1.1).
const WORD: usize = 900;
/// Octets of References that are passed on.
const REFERENCES: usize = 4_096;

/// The answer as a whole message; `None` if there must be none. Whether the sender was answered before
/// is for the caller to know.
pub fn answer(vacation: &Vacation, header: &[u8], context: &Context<'_>) -> Option<Vec<u8>> {
    let header = Header::read(header);
    if is_program(context.sender) || is_automatic(&header) || is_own(context.sender, vacation, context) {
        return None;
    }
    let addressed = addressed(&header, vacation, context)?;
    Some(compose(vacation, &header, &addressed, context))
}

/// RFC 5230 §4.5: senders that are no people.
fn is_program(sender: &str) -> bool {
    let local = sender.rsplit_once('@').map_or(sender, |(local, _)| local).to_ascii_lowercase();
    let names = ["mailer-daemon", "listserv", "majordomo", "postmaster", "noreply", "no-reply", "donotreply"];
    local.is_empty()
        || names.contains(&local.as_str())
        || local.starts_with("owner-")
        || ["-request", "-owner", "-relay", "-bounces"].iter().any(|end| local.ends_with(end))
        // Variable envelope paths of lists.
        || local.contains("-bounces+")
}

fn is_automatic(header: &Header) -> bool {
    let value = |name| header.fields(name).next().map(|field| field.value().trim().to_ascii_lowercase());
    let submitted = value("Auto-Submitted").is_some_and(|value| value.split([';', ' ']).next() != Some("no"));
    let precedence = value("Precedence").is_some_and(|v| ["bulk", "junk", "list"].contains(&v.as_str()));
    let suppressed = value("X-Auto-Response-Suppress")
        .is_some_and(|value| value.split(',').any(|kind| ["all", "oof", "autoreply"].contains(&kind.trim())));
    let is_list = LIST_FIELDS.iter().any(|name| header.fields(name).next().is_some());
    submitted || precedence || suppressed || is_list
}

fn is_own(address: &str, vacation: &Vacation, context: &Context<'_>) -> bool {
    let own = context.own.iter().chain(&vacation.addresses).map(String::as_str);
    own.chain([context.recipient]).any(|own| own.eq_ignore_ascii_case(address))
}

/// RFC 5230 §4.5: the user must be named in the header, so that blind copies and lists get no answer. This
/// is the address by which they are.
fn addressed(header: &Header, vacation: &Vacation, context: &Context<'_>) -> Option<String> {
    let fields = RECIPIENT_FIELDS.iter().flat_map(|name| header.fields(name));
    let addresses = fields.flat_map(|field| field.addresses());
    let mut addresses = addresses.map(|(local, domain)| format!("{local}@{domain}"));
    addresses.find(|address| is_own(address, vacation, context))
}

/// RFC 5230 §5.
fn compose(vacation: &Vacation, header: &Header, addressed: &str, context: &Context<'_>) -> Vec<u8> {
    // From whom the sender has written to, as long as that is surely the user.
    let own = context.own.iter().find(|own| own.eq_ignore_ascii_case(addressed));
    let own = own.map_or(context.recipient, String::as_str);
    let from = vacation.from.as_deref().map_or_else(|| format!("<{own}>"), one_line);
    let date = hub_civil::rfc5322_date(context.now, 0);
    let mut out = String::new();
    let _ = write!(out, "From: {}\r\nTo: <{}>\r\n", encoded_name(&from), context.sender);
    out.push_str(&String::from_utf8_lossy(&write_field("Subject", &subject(vacation, header))));
    let _ = write!(out, "Date: {date}\r\nMessage-ID: <{}>\r\n", context.message_id);
    let ids = |name| header.fields(name).next().map(|field| field.value());
    if let Some(id) = ids("Message-ID").filter(|id| id.len() <= WORD && id.is_ascii()) {
        out.push_str(&String::from_utf8_lossy(&write_field("In-Reply-To", &id)));
        let references = ids("References").filter(|ids| {
            ids.len() <= REFERENCES && ids.is_ascii() && ids.split(' ').all(|id| id.len() <= WORD)
        });
        let references = references.into_iter().chain([id]).collect::<Vec<_>>().join(" ");
        let folded: Vec<&str> = references.split_ascii_whitespace().collect();
        let _ = write!(out, "References: {}\r\n", folded.join("\r\n "));
    }
    out.push_str("Auto-Submitted: auto-replied (vacation)\r\nMIME-Version: 1.0\r\n");
    match vacation.mime {
        true => push_entity(&mut out, &vacation.reason),
        false => {
            out.push_str(
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            );
            push_lines(&mut out, &vacation.reason);
        }
    }
    out.into_bytes()
}

/// RFC 5230 §4.4.
fn subject(vacation: &Vacation, header: &Header) -> String {
    match &vacation.subject {
        Some(subject) => {
            // Some editors of scripts have encoded it already.
            let subject = one_line(&field_value(subject.as_bytes()));
            subject[..subject.floor_char_boundary(WORD)].to_owned()
        }
        None => match header.fields("Subject").next().map(|field| field.value()) {
            Some(subject) => {
                let subject = one_line(&subject);
                format!("Auto: {}", &subject[..subject.floor_char_boundary(WORD)])
            }
            None => "Automated reply".into(),
        },
    }
}

/// A MIME entity that the script gives: of its header, what describes it. A script must not write
/// other fields of a message in the hub's name.
fn push_entity(out: &mut String, entity: &str) {
    let entity = entity.replace("\r\n", "\n");
    let (head, body) = match entity.strip_prefix('\n') {
        Some(body) => ("", body),
        None => entity.split_once("\n\n").unwrap_or((&entity, "")),
    };
    let mut is_taken = false;
    for line in head.split('\n').filter(|line| !line.is_empty()) {
        if !line.starts_with([' ', '\t']) {
            is_taken = line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-"));
        }
        if is_taken {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out.push_str("\r\n");
    push_lines(out, body);
}

fn push_lines(out: &mut String, text: &str) {
    for line in text.lines() {
        out.push_str(&line.replace('\r', ""));
        out.push_str("\r\n");
    }
}

fn encoded(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { encoded_words(text).join("\r\n ") }
}

/// `Name <address>` with the name in encoded-words if it needs them.
fn encoded_name(from: &str) -> String {
    match from.rsplit_once('<') {
        Some((name, address)) if !name.is_ascii() => {
            format!("{}\r\n <{address}", encoded(name.trim().trim_matches('"')))
        }
        _ => from.to_owned(),
    }
}

/// What others wrote must not make fields of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 2] = ["alice@example.org", "sales@example.org"];

    fn reply(header: &str, sender: &str, vacation: &Vacation) -> Option<String> {
        let own = OWN.map(str::to_owned);
        let context = Context {
            sender,
            recipient: "alice@example.org",
            own: &own,
            now: 0,
            message_id: "id@example.org",
        };
        let answer = answer(vacation, header.as_bytes(), &context)?;
        Some(String::from_utf8(answer).expect("text"))
    }

    fn vacation(reason: &str) -> Vacation {
        Vacation {
            seconds: 0,
            subject: None,
            from: None,
            addresses: vec!["al@example.net".into()],
            mime: false,
            handle: String::new(),
            reason: reason.into(),
        }
    }

    #[test]
    fn rfc5230_4_5_who_is_answered() {
        for (header, sender, answered) in [
            ("To: alice@example.org\r\n", "bob@x.test", true),
            ("To: A <ALICE@example.org>, c@d\r\n", "bob@x.test", true),
            ("Cc: sales@example.org\r\n", "bob@x.test", true),
            ("Resent-To: al@example.net\r\n", "bob@x.test", true),
            ("To: someone@else.test\r\n", "bob@x.test", false),
            ("", "bob@x.test", false),
            ("To: alice@example.org\r\n", "", false),
            ("To: alice@example.org\r\n", "MAILER-DAEMON@x.test", false),
            ("To: alice@example.org\r\n", "owner-list@x.test", false),
            ("To: alice@example.org\r\n", "list-request@x.test", false),
            ("To: alice@example.org\r\n", "list-bounces+a=b@x.test", false),
            ("To: alice@example.org\r\n", "alice@example.org", false),
            ("To: alice@example.org\r\nAuto-Submitted: auto-generated\r\n", "bob@x.test", false),
            ("To: alice@example.org\r\nAuto-Submitted: no (really)\r\n", "bob@x.test", true),
            ("To: alice@example.org\r\nList-Id: <a.b>\r\n", "bob@x.test", false),
            ("To: alice@example.org\r\nPrecedence: Bulk\r\n", "bob@x.test", false),
            ("To: alice@example.org\r\nX-Auto-Response-Suppress: DR, OOF\r\n", "bob@x.test", false),
        ] {
            assert_eq!(reply(header, sender, &vacation("x")).is_some(), answered, "{header} {sender}");
        }
    }

    #[test]
    fn rfc5230_5_the_answer() {
        let header = "To: alice@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n\
            References: <0@x>\r\n\r\n";
        let text = reply(header, "bob@x.test", &vacation("Gone.\nBye."));
        assert_eq!(
            text.as_deref(),
            Some(
                "From: <alice@example.org>\r\nTo: <bob@x.test>\r\n\
                 Subject: =?utf-8?q?Auto:_Gr=C3=BC=C3=9Fe?=\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\
                 Message-ID: <id@example.org>\r\nIn-Reply-To: <1@x>\r\nReferences: <0@x>\r\n <1@x>\r\n\
                 Auto-Submitted: auto-replied (vacation)\r\nMIME-Version: 1.0\r\n\
                 Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
                 Gone.\r\nBye.\r\n"
            )
        );
    }

    #[test]
    fn the_answer_comes_from_whom_the_message_was_for() {
        for (to, from) in [
            ("sales@example.org", "From: <sales@example.org>\r\n"),
            ("al@example.net", "From: <alice@example.org>\r\n"),
        ] {
            let text = reply(&format!("To: {to}\r\n"), "bob@x.test", &vacation("x")).expect("answered");
            assert!(text.starts_with(from), "{to}: {text}");
        }
        let encoded = Vacation { subject: Some("=?utf-8?b?w4TDlg==?= x".into()), ..vacation("x") };
        let text = reply("To: alice@example.org\r\n", "bob@x.test", &encoded).expect("answered");
        assert!(text.contains("\r\nSubject: =?utf-8?q?=C3=84=C3=96_x?=\r\n"), "{text}");
    }

    #[test]
    fn rfc5230_4_7_mime() {
        let entity =
            "Content-Type: text/html;\r\n charset=utf-8\r\nBcc: evil@x\r\n more\r\n\r\n<b>Gone</b>\r\n";
        let vacation = Vacation {
            mime: true,
            subject: Some("Away\r\nX: y".into()),
            from: Some("Älice <alice@example.org>".into()),
            ..vacation(entity)
        };
        let text = reply("To: alice@example.org\r\n", "bob@x.test", &vacation).expect("answered");
        assert!(text.contains("Subject: AwayX: y\r\n"), "{text}");
        assert!(text.contains("From: =?utf-8?q?=C3=84lice?=\r\n <alice@example.org>\r\n"), "{text}");
        assert!(text.ends_with(
            "MIME-Version: 1.0\r\nContent-Type: text/html;\r\n charset=utf-8\r\n\r\n<b>Gone</b>\r\n"
        ));
    }
}

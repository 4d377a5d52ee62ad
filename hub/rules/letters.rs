//! What the hub itself writes to a twin about its rules.

use crate::Address;

/// A note that rules could not be followed. It names the message, so that it can be found.
pub(crate) fn trouble(handle: &Address, what: &str, now: i64) -> String {
    let domain = handle.domain();
    let what: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!(
        "From: Mail rules <MAILER-DAEMON@{domain}>\r\n\
         To: <{handle}>\r\n\
         Subject: Your mail rules could not be followed\r\n\
         Date: {date}\r\n\
         Message-ID: <{now:x}.rules@{domain}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         Your script of mail rules stopped with an error, and the message that it was\r\n\
         looking at was kept as if there were no rules:\r\n\
         \r\n\
         \x20 {what}\r\n\
         \r\n\
         You will not be told of the same error again for a week.\r\n",
        date = hub_civil::rfc5322_date(now, 0),
    )
}

/// Octets of the header of a refused message that are returned.
const HEADER: usize = 64 * 1024;

/// A report that rules have refused a message (RFC 5429 §2.1.2, RFC 3464).
pub(crate) fn refusal(address: &Address, sender: &Address, reason: &str, header: &[u8], now: i64) -> String {
    let domain = address.domain();
    let header = &header[..header.len().min(HEADER)];
    let unique = blake3::hash(&[header, address.key().as_bytes(), &now.to_le_bytes()].concat()).to_hex();
    let id = &unique[..24];
    // RFC 6533 §4.
    let (kind, address_type) = match address.needs_utf8() {
        true => ("global-delivery-status", "utf-8"),
        false => ("delivery-status", "rfc822"),
    };
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@{domain}>\r\n\
         To: <{sender}>\r\n\
         Subject: Your message was refused\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}.refusal@{domain}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind};\r\n\
         \tboundary=\"{id}\"\r\n\
         \r\n\
         --{id}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         Your message was refused by the mail rules of {address}:\r\n\
         \r\n\
         {reason}\
         --{id}\r\n\
         Content-Type: message/{kind}\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         Reporting-MTA: dns; {domain}\r\n\
         \r\n\
         Final-Recipient: {address_type}; {address}\r\n\
         Action: failed\r\n\
         Status: 5.7.1\r\n\
         \r\n\
         --{id}\r\n\
         Content-Type: text/rfc822-headers\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         {header}\r\n\
         --{id}--\r\n",
        date = hub_civil::rfc5322_date(now, 0),
        reason = lines(reason),
        header = String::from_utf8_lossy(header).trim_end(),
    )
}

/// Text of others as lines that a message can have (RFC 5322 §2.1.1).
fn lines(text: &str) -> String {
    const LONGEST: usize = 900;
    let mut out = String::new();
    for line in text.lines() {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut rest = line.as_str();
        while rest.len() > LONGEST {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(LONGEST));
            out.push_str(piece);
            out.push_str("\r\n");
            rest = after;
        }
        out.push_str(rest);
        out.push_str("\r\n");
    }
    out
}

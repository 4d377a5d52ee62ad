//! What the hub itself writes to a twin about its rules.

use crate::Address;

/// A note that rules could not be followed. It names the message, so that it can be found.
pub(super) fn trouble(handle: &Address, what: &str, now: i64) -> String {
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

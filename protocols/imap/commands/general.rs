//! CAPABILITY, ID, ENABLE, NAMESPACE, LOGOUT.

use tracing::debug;

use super::Outcome;
use crate::conversation::Conversation;
use crate::encode;
use crate::link::Stop;
use crate::mask;
use crate::names::Names;
use crate::session::State;
use crate::status::Reply;

/// RFC 9051 §6.1.1.
pub(super) fn capability(c: &mut Conversation) -> Outcome {
    let capabilities = c.capabilities();
    c.link.say(&format!("* CAPABILITY {capabilities}"));
    Ok(Reply::ok("That is all"))
}

/// RFC 2971. What a client says of itself goes to the log and changes nothing (RFC 2971 §2).
pub(super) fn id(c: &mut Conversation, parameters: &[(String, String)]) -> Reply {
    let said = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    };
    debug!(conn = c.connection(), client = ?said("name"), version = ?said("version"), "client names itself");
    // No version for strangers: it would only tell them which holes to try.
    c.link.say("* ID (\"name\" \"Twin Hub\")");
    Reply::ok("Pleased to meet you")
}

/// RFC 5161. Names that are not known are passed over in silence.
pub(super) fn enable(c: &mut Conversation, names: &[String]) -> Outcome {
    let mut enabled = String::new();
    let user = c.session.user()?;
    for name in names {
        if mask::hides(user.account.hidden_capabilities(), name) {
            continue;
        }
        match name.as_str() {
            "CONDSTORE" => user.condstore = true,
            // RFC 5464 §4.1
            "METADATA" => user.watch().metadata = true,
            // RFC 7162 §3.2.3: QRESYNC brings CONDSTORE.
            "QRESYNC" => {
                user.condstore = true;
                user.qresync = true;
            }
            "IMAP4REV2" => {
                user.rev2 = true;
                user.names = Names::Utf8;
                c.link.input.names_are_utf8();
                enabled.push_str(" IMAP4rev2");
                continue;
            }
            // RFC 6855 §3: from here on quoted strings are UTF-8 in both directions.
            "UTF8=ACCEPT" => {
                user.utf8_accept = true;
                user.names = Names::Utf8;
                c.link.input.names_are_utf8();
            }
            _ => continue,
        }
        enabled.push(' ');
        enabled.push_str(name);
    }
    c.link.say(&format!("* ENABLED{enabled}"));
    Ok(Reply::ok("Enabled"))
}

/// RFC 2342: everything lies below the root, and there is nothing of others yet.
pub(super) fn namespace(c: &mut Conversation) -> Reply {
    c.link.say("* NAMESPACE ((\"\" \"/\")) NIL NIL");
    Reply::ok("That is all")
}

/// RFC 9051 §6.1.3.
pub(super) fn logout(c: &mut Conversation, tag: &str) -> Outcome {
    c.link.say("* BYE Goodbye");
    Reply::ok("Logged out").write(&mut c.link.out, tag);
    // Nothing of the mailbox is said any more.
    if let State::Selected(..) = c.session.state {
        c.session.unselect();
    }
    Err(Stop::Closed.into())
}

/// `* OK [code] text` with a number in the code.
pub(super) fn ok_with_number(out: &mut encode::Buffer, code: &str, value: u64, text: &str) {
    out.extend_from_slice(b"* OK [");
    out.extend_from_slice(code.as_bytes());
    out.push(b' ');
    encode::number(out, value);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

//! SELECT, EXAMINE, UNSELECT.

use std::sync::Arc;

use hub::{IdSet, Snapshot};

use super::general::ok_with_number;
use super::listing::{Extended, Listing};
use super::{Outcome, fetch, flags};
use crate::conversation::Conversation;
use crate::encode;
use crate::grammar::command::{Resync, Select};
use crate::session::Selected;
use crate::status::{Kind, Reply};
use crate::view::View;

/// RFC 9051 §6.3.2, §6.3.3; RFC 7162 §3.1.8, §3.2.5. State: Authenticated, Selected.
pub(super) async fn select(c: &mut Conversation, select: Select) -> Outcome {
    // Whether or not the new one can be opened, the old one is left (RFC 9051 §6.3.2).
    if c.session.unselect().is_some() {
        // RFC 7162 §3.2.11: from here on responses are about the new mailbox.
        c.link.say("* OK [CLOSED] The previous mailbox is closed");
    }
    let user = c.session.user()?;
    if select.qresync.is_some() && !user.qresync {
        // RFC 7162 §3.2.5
        return Err(Reply::bad("ENABLE QRESYNC first").into());
    }
    let messages = user.account.messages();
    let info = messages.mailbox(select.mailbox.as_str()).await?;
    if !info.selectable {
        return Err(Reply::no("CANNOT", "This name only has mailboxes below it").into());
    }
    let open = messages.open(info.id).await?;
    let keywords = messages.keywords().await?;
    user.keywords = Arc::clone(&keywords);
    user.condstore |= select.condstore;
    let base = open.snapshot();

    let out = &mut c.link.out;
    flags::write_flags(out, &keywords, select.read_only);
    out.extend_from_slice(b"* ");
    encode::number(out, base.len());
    out.extend_from_slice(b" EXISTS\r\n");
    if user.rev2 {
        let listing = Listing {
            path: &info.path,
            info: Some(&info),
            missing: "",
            subscribed: false,
            extended: select.mailbox.written().map_or(Extended::Nothing, Extended::OldName),
        };
        listing.write(out, "LIST", user.names);
    } else {
        // Nothing is ever \Recent: two sessions must not both be told so of one message, and no client
        // needs it (RFC 9051 has dropped it, and UNSEEN too).
        out.extend_from_slice(b"* 0 RECENT\r\n");
        if let Some(index) = base.first_unseen() {
            ok_with_number(out, "UNSEEN", u64::from(index) + 1, "The first message that is not seen");
        }
    }
    ok_with_number(out, "UIDVALIDITY", base.uid_validity.into(), "The UIDs are valid");
    ok_with_number(out, "UIDNEXT", base.uid_next.into(), "The next UID at least");
    ok_with_number(out, "HIGHESTMODSEQ", base.modseq.max(1), "The highest modseq");
    out.extend_from_slice(format!("* OK [MAILBOXID (M{})] The mailbox's own name\r\n", info.id).as_bytes());

    let selected = Selected {
        mailbox: info.id,
        open,
        view: View::new(Arc::clone(&base)),
        read_only: select.read_only,
        announced_keywords: keywords.0.len(),
        saved: IdSet::new(),
        contexts: Vec::new(),
    };
    c.session.select(selected);
    if let Some(resync) = select.qresync
        && resync.uid_validity == base.uid_validity
    {
        resynchronise(c, &resync, &base).await?;
    }
    let code = if select.read_only { "READ-ONLY" } else { "READ-WRITE" };
    Ok(Reply { kind: Kind::Ok, code: Some(code.into()), text: "Selected".into() })
}

/// What has happened since the client was last here (RFC 7162 §3.2.5): VANISHED, then FETCH.
async fn resynchronise(
    c: &mut Conversation,
    resync: &Resync,
    base: &Arc<Snapshot>,
) -> Result<(), super::Failure> {
    let known = match &resync.known {
        Some(set) => fetch::uids_of(set, u64::from(base.uid_next)),
        None => IdSet::range(1, u64::from(base.uid_next).saturating_sub(1)),
    };
    fetch::say_vanished(c, resync.modseq, &known).await?;
    let (_, selected) = c.session.selected()?;
    let ranges = selected.view.resolve_uids(&known);
    fetch::say_changed(c, &ranges, resync.modseq).await?;
    Ok(())
}

/// RFC 3691: leaves the mailbox without expunging.
pub(super) fn unselect(c: &mut Conversation) -> Outcome {
    c.session.unselect();
    Ok(Reply::ok("Left"))
}

//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 6851; COPYUID of RFC 4315 §3).

use hub::Copied;

use super::{Outcome, target};
use crate::conversation::Conversation;
use crate::encode;
use crate::grammar::command::SequenceSet;
use crate::names::MailboxName;
use crate::status::Reply;

pub(super) async fn copy(c: &mut Conversation, set: &SequenceSet, uid: bool, name: &MailboxName) -> Outcome {
    c.catch_up_for(uid).await?;
    let (user, selected) = c.session.selected()?;
    let uids = selected.view.uids(&selected.view.resolve(set, uid, &selected.saved)?);
    let info = target(&user.account, name).await?;
    let copied = user.account.messages().copy(selected.mailbox, &uids, info.id).await?;
    // Messages that are gone are no failure: an iPhone that hears NO keeps ghosts of them for weeks
    // (stalwartlabs/stalwart#1201).
    let reply = Reply::ok("Copied");
    Ok(match copy_uid(&copied) {
        Some(code) => reply.with_code(code),
        None => reply,
    })
}

pub(super) async fn move_to(
    c: &mut Conversation,
    set: &SequenceSet,
    uid: bool,
    name: &MailboxName,
) -> Outcome {
    c.catch_up_for(uid).await?;
    let (user, selected) = c.session.selected()?;
    if selected.read_only {
        return Err(Reply::no("READ-ONLY", "The mailbox was opened with EXAMINE").into());
    }
    let uids = selected.view.uids(&selected.view.resolve(set, uid, &selected.saved)?);
    let info = target(&user.account, name).await?;
    let moved = user.account.messages().move_to(selected.mailbox, &uids, info.id).await?;
    // RFC 6851 §4.3: COPYUID before the EXPUNGEs, which come with the news before the reply.
    if let Some(code) = copy_uid(&moved) {
        c.link.say(&format!("* OK [{code}] Moved"));
    }
    let reply = Reply::ok("Moved");
    if user.condstore && !moved.from.is_empty() {
        // RFC 6851 §4.4; to a client that has never asked for a modseq it would mean nothing.
        return Ok(reply.with_code(format!("HIGHESTMODSEQ {}", selected.open.snapshot().modseq)));
    }
    Ok(reply)
}

/// `"COPYUID" SP nz-number SP uid-set SP uid-set`; nothing if no message was left.
fn copy_uid(copied: &Copied) -> Option<String> {
    if copied.from.is_empty() {
        return None;
    }
    let mut code = format!("COPYUID {} ", copied.uid_validity).into_bytes();
    encode::set(&mut code, &copied.from);
    code.push(b' ');
    encode::set(&mut code, &copied.to);
    String::from_utf8(code).ok()
}

//! EXPUNGE, UID EXPUNGE, CLOSE.

use super::Outcome;
use crate::conversation::Conversation;
use crate::grammar::command::SequenceSet;
use crate::status::Reply;

/// RFC 9051 §6.4.3, RFC 4315 §2.1. The EXPUNGE responses come with the news before the reply.
pub(super) async fn expunge(c: &mut Conversation, uids: Option<&SequenceSet>) -> Outcome {
    c.catch_up_for(uids.is_some()).await?;
    let (user, selected) = c.session.selected()?;
    if selected.read_only {
        return Err(Reply::no("READ-ONLY", "The mailbox was opened with EXAMINE").into());
    }
    let uids = match uids {
        Some(set) => Some(selected.view.uids(&selected.view.resolve(set, true, &selected.saved)?)),
        None => None,
    };
    user.account.messages().expunge(selected.mailbox, uids.as_ref()).await?;
    let reply = Reply::ok("Expunged");
    if user.qresync {
        // RFC 7162 §3.2.7: the client can move its bookmark past what has just vanished.
        let modseq = selected.open.snapshot().modseq;
        return Ok(reply.with_code(format!("HIGHESTMODSEQ {modseq}")));
    }
    Ok(reply)
}

/// RFC 9051 §6.4.1: expunges without saying so, and leaves.
pub(super) async fn close(c: &mut Conversation) -> Outcome {
    let (user, selected) = c.session.selected()?;
    if !selected.read_only {
        user.account.messages().expunge(selected.mailbox, None).await?;
    }
    c.session.unselect();
    Ok(Reply::ok("Closed"))
}

//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.

use hub::{Account, Flags, MailboxInfo, Role};

use super::Outcome;
use super::listing::say_normalised;
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::StatusItem;
use crate::names::{MailboxName, Names};
use crate::status::Reply;

/// RFC 9051 §6.3.4, RFC 6154 §3.
pub(super) async fn create(c: &mut Conversation, mailbox: &MailboxName, uses: &[String]) -> Outcome {
    let messages = c.session.user()?.account.messages();
    let role = match uses {
        [] => None,
        [one] => Some(role(one).ok_or_else(|| Reply::no("USEATTR", "This use is not offered"))?),
        _ => return Err(Reply::no("USEATTR", "A mailbox has one use at most").into()),
    };
    if role.is_some() && messages.mailboxes().await?.iter().any(|info| info.role == role) {
        return Err(Reply::no("USEATTR", "Another mailbox has this use").into());
    }
    let info = messages.create(mailbox.without_trailing_separator(), role).await?;
    c.session.user()?.changes_names(&[&info.path]);
    say_normalised(c, mailbox, &info.path).await?;
    Ok(Reply::ok("Created").with_code(format!("MAILBOXID (M{})", info.id)))
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "ARCHIVE" => Role::Archive,
        "DRAFTS" => Role::Drafts,
        "JUNK" => Role::Junk,
        "SENT" => Role::Sent,
        "TRASH" => Role::Trash,
        _ => return None,
    })
}

/// RFC 9051 §6.3.5.
pub(super) async fn delete(c: &mut Conversation, mailbox: &MailboxName) -> Outcome {
    let user = c.session.user()?;
    user.account.messages().delete(mailbox.as_str()).await?;
    user.changes_names(&[mailbox.as_str()]);
    say_normalised(c, mailbox, mailbox.as_str()).await?;
    Ok(Reply::ok("Deleted"))
}

/// RFC 9051 §6.3.6.
pub(super) async fn rename(c: &mut Conversation, from: &MailboxName, to: &MailboxName) -> Outcome {
    let messages = c.session.user()?.account.messages();
    let new = to.without_trailing_separator();
    messages.rename(from.without_trailing_separator(), new).await?;
    c.session.user()?.changes_names(&[from.without_trailing_separator(), new]);
    if from.written().is_some() {
        say_normalised(c, from, new).await?;
    } else {
        say_normalised(c, to, new).await?;
    }
    Ok(Reply::ok("Renamed"))
}

/// RFC 9051 §6.3.7, §6.3.8: any name, whether it exists or not.
pub(super) async fn subscribe(c: &mut Conversation, mailbox: &MailboxName, subscribed: bool) -> Outcome {
    let messages = c.session.user()?.account.messages();
    messages.subscribe(mailbox.without_trailing_separator(), subscribed).await?;
    c.session.user()?.changes_names(&[mailbox.without_trailing_separator()]);
    Ok(Reply::ok(if subscribed { "Subscribed" } else { "Unsubscribed" }))
}

/// RFC 9051 §6.3.11.
pub(super) async fn status(c: &mut Conversation, mailbox: &MailboxName, items: &[StatusItem]) -> Outcome {
    let limit = c.service.settings.message_size;
    let user = c.session.user()?;
    let info = user.account.messages().mailbox(mailbox.as_str()).await?;
    if !info.selectable {
        return Err(Reply::no("CANNOT", "This name only has mailboxes below it").into());
    }
    // RFC 7162 §3.1: asking for it means to know it.
    user.condstore |= items.contains(&StatusItem::HighestModseq);
    let line = status_line(&user.account, &info, items, limit, user.names).await?;
    c.link.out.extend_from_slice(&line);
    Ok(Reply::ok("That is all"))
}

/// `* STATUS mailbox (…)`; counters only, but for the items about \Deleted.
pub(super) async fn status_line(
    account: &Account,
    info: &MailboxInfo,
    items: &[StatusItem],
    append_limit: u64,
    names: Names,
) -> hub::Result<Buffer> {
    let mut deleted = (0u64, 0u64);
    if items.iter().any(|item| matches!(item, StatusItem::Deleted | StatusItem::DeletedStorage)) {
        let snapshot = account.messages().open(info.id).await?.snapshot();
        for record in snapshot.iter().filter(|record| record.flags.contains(Flags::DELETED)) {
            deleted.0 += 1;
            deleted.1 += u64::from(record.size);
        }
    }
    let mut out = b"* STATUS ".to_vec();
    encode::mailbox(&mut out, &info.path, names);
    out.extend_from_slice(b" (");
    for (n, item) in items.iter().enumerate() {
        let (name, value) = match item {
            StatusItem::AppendLimit => ("APPENDLIMIT", append_limit),
            StatusItem::Deleted => ("DELETED", deleted.0),
            StatusItem::DeletedStorage => ("DELETED-STORAGE", deleted.1),
            StatusItem::HighestModseq => ("HIGHESTMODSEQ", info.modseq.max(1)),
            StatusItem::MailboxId => ("MAILBOXID", 0),
            StatusItem::Messages => ("MESSAGES", info.total.into()),
            StatusItem::Recent => ("RECENT", 0),
            StatusItem::Size => ("SIZE", info.bytes),
            StatusItem::UidNext => ("UIDNEXT", info.uid_next.into()),
            StatusItem::UidValidity => ("UIDVALIDITY", info.uid_validity.into()),
            StatusItem::Unseen => ("UNSEEN", info.unseen.into()),
        };
        if n > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        if *item == StatusItem::MailboxId {
            out.extend_from_slice(format!("(M{})", info.id).as_bytes());
        } else {
            encode::number(&mut out, value);
        }
    }
    out.extend_from_slice(b")\r\n");
    Ok(out)
}

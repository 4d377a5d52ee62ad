//! GETQUOTA, GETQUOTAROOT (RFC 9208): one root `""` per account, and only where a limit is set.

use super::Outcome;
use crate::conversation::Conversation;
use crate::encode;
use crate::names::MailboxName;
use crate::status::Reply;

/// RFC 9208 §4.1.1.
pub(super) async fn get_quota(c: &mut Conversation, root: &[u8]) -> Outcome {
    if !root.is_empty() || !say_quota(c).await? {
        return Err(Reply::no("NONEXISTENT", "There is no such quota root").into());
    }
    Ok(Reply::ok("That is all"))
}

/// RFC 9208 §4.1.2. The mailbox need not exist: a client asks before it creates one.
pub(super) async fn get_quota_root(c: &mut Conversation, mailbox: &MailboxName) -> Outcome {
    let user = c.session.user()?;
    let (limited, names) = (user.account.quota().await?.1.is_some(), user.names);
    let out = &mut c.link.out;
    out.extend_from_slice(b"* QUOTAROOT ");
    encode::mailbox(out, mailbox.as_str(), names);
    out.extend_from_slice(if limited { b" \"\"\r\n" } else { b"\r\n" });
    say_quota(c).await?;
    Ok(Reply::ok("That is all"))
}

/// `* QUOTA "" (STORAGE used limit)` in units of 1,024 octets; false if there is no limit.
async fn say_quota(c: &mut Conversation) -> Result<bool, super::Failure> {
    let (used, limit) = c.session.user()?.account.quota().await?;
    let Some(limit) = limit else { return Ok(false) };
    // Rounded so that "full" never looks like "room left".
    c.link.say(&format!("* QUOTA \"\" (STORAGE {} {})", used.div_ceil(1024), limit / 1024));
    Ok(true)
}

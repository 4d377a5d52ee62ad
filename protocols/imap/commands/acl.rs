//! MYRIGHTS, GETACL and LISTRIGHTS of one's own mailboxes (RFC 4314). There is no sharing yet: SETACL
//! and DELETEACL are refused, and the capability ACL is not announced, because a client that sees it
//! offers its user a dialogue that could only fail.

use hub::{MailboxId, MailboxInfo};

use super::Outcome;
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::names::{MailboxName, Names};
use crate::status::Reply;

/// The rights that the owner has on a mailbox, with the virtual `c` and `d` of RFC 4314 §2.1.1. INBOX
/// cannot be deleted; a bare name only has others below it.
fn rights(info: &MailboxInfo) -> &'static str {
    match info {
        _ if info.id == MailboxId::INBOX => "lrswipktecda",
        _ if info.selectable => "lrswipkxtecda",
        _ => "lkxca",
    }
}

/// RFC 4314 §3.5.
pub(super) async fn my_rights(c: &mut Conversation, mailbox: &MailboxName) -> Outcome {
    let user = c.session.user()?;
    let info = user.account.messages().mailbox(mailbox.as_str()).await?;
    write_my_rights(&mut c.link.out, &info, user.names);
    Ok(Reply::ok("That is all"))
}

/// `* MYRIGHTS mailbox rights`
pub(super) fn write_my_rights(out: &mut Buffer, info: &MailboxInfo, names: Names) {
    out.extend_from_slice(b"* MYRIGHTS ");
    encode::mailbox(out, &info.path, names);
    out.push(b' ');
    out.extend_from_slice(rights(info).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// RFC 4314 §3.3: the owner, and nobody else.
pub(super) async fn get_acl(c: &mut Conversation, mailbox: &MailboxName) -> Outcome {
    let user = c.session.user()?;
    let info = user.account.messages().mailbox(mailbox.as_str()).await?;
    let out = &mut c.link.out;
    out.extend_from_slice(b"* ACL ");
    encode::mailbox(out, &info.path, user.names);
    out.push(b' ');
    encode::string(out, user.account.handle().to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(rights(&info).as_bytes());
    out.extend_from_slice(b"\r\n");
    Ok(Reply::ok("That is all"))
}

/// RFC 4314 §3.4: the owner always has all rights; nobody else can be given any.
pub(super) async fn list_rights(c: &mut Conversation, mailbox: &MailboxName, identifier: &str) -> Outcome {
    let user = c.session.user()?;
    let info = user.account.messages().mailbox(mailbox.as_str()).await?;
    let is_owner = identifier.eq_ignore_ascii_case(&user.account.handle().to_string());
    let out = &mut c.link.out;
    out.extend_from_slice(b"* LISTRIGHTS ");
    encode::mailbox(out, &info.path, user.names);
    out.push(b' ');
    encode::string(out, identifier.as_bytes());
    out.push(b' ');
    out.extend_from_slice(if is_owner { rights(&info).as_bytes() } else { b"\"\"" });
    out.extend_from_slice(b"\r\n");
    Ok(Reply::ok("That is all"))
}

/// SETACL and DELETEACL (RFC 4314 §3.1, §3.2).
pub(super) fn refuse_change() -> Outcome {
    Err(Reply::no("NOPERM", "Mailboxes cannot be shared yet").into())
}

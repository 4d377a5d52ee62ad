//! The LIST response (RFC 9051 §7.3.1), which more than LIST says.

use hub::{MailboxInfo, Role};

use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::names::{MailboxName, Names};

/// `* LIST (attributes) "/" name [(extended items)]`
pub(crate) struct Listing<'a> {
    pub(crate) path: &'a str,
    /// `None` for names that are only subscribed to, only have children, or are gone.
    pub(crate) info: Option<&'a MailboxInfo>,
    /// What a name without mailbox is called: `\Noselect`, or `\NonExistent` for clients that know it.
    pub(crate) missing: &'static str,
    /// Say that it is subscribed to.
    pub(crate) subscribed: bool,
    pub(crate) extended: Extended<'a>,
}

/// `mbox-list-extended` (RFC 9051 §9).
pub(crate) enum Extended<'a> {
    Nothing,
    /// Selection options that names below fulfil (RFC 5258 §3.5).
    ChildInfo(Vec<&'static str>),
    /// RFC 9051 §6.3.9.7.
    OldName(&'a str),
}

impl Listing<'_> {
    /// Writes it as a LIST or LSUB response.
    pub(crate) fn write(&self, out: &mut Buffer, response: &str, names: Names) {
        out.extend_from_slice(b"* ");
        out.extend_from_slice(response.as_bytes());
        out.extend_from_slice(b" (");
        for (n, attribute) in self.attributes().enumerate() {
            if n > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(attribute.as_bytes());
        }
        out.extend_from_slice(b") \"/\" ");
        encode::mailbox(out, self.path, names);
        match &self.extended {
            Extended::Nothing => {}
            Extended::ChildInfo(options) => {
                out.extend_from_slice(b" (\"CHILDINFO\" (");
                for (n, option) in options.iter().enumerate() {
                    if n > 0 {
                        out.push(b' ');
                    }
                    encode::string(out, option.as_bytes());
                }
                out.extend_from_slice(b"))");
            }
            Extended::OldName(old) => {
                out.extend_from_slice(b" (\"OLDNAME\" (");
                encode::mailbox(out, old, names);
                out.extend_from_slice(b"))");
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn attributes(&self) -> impl Iterator<Item = &'static str> {
        let of_mailbox = self.info.map(|info| {
            [
                (!info.selectable).then_some("\\Noselect"),
                Some(if info.has_children { "\\HasChildren" } else { "\\HasNoChildren" }),
                // In every LIST, asked for or not: macOS Mail never asks but uses them (mjl-/mox#66).
                attribute(info.role),
            ]
        });
        let missing = self.info.is_none().then_some(self.missing);
        let subscribed = self.subscribed.then_some("\\Subscribed");
        of_mailbox.into_iter().flatten().chain([missing, subscribed]).flatten()
    }
}

/// RFC 6154 §2. `\Drafts` has an s, the flag has none (mjl-/mox 8c2814d).
pub(super) fn attribute(role: Option<Role>) -> Option<&'static str> {
    match role? {
        Role::Archive => Some("\\Archive"),
        Role::Drafts => Some("\\Drafts"),
        Role::Inbox => None,
        Role::Junk => Some("\\Junk"),
        Role::Sent => Some("\\Sent"),
        Role::Trash => Some("\\Trash"),
    }
}

/// Tells a client of IMAP4rev2 under which name the hub knows what it has just called `old`, if that
/// is another (RFC 9051 §6.3.9.7). Others must not hear of it (mjl-/mox 41e3d1a).
pub(super) async fn say_normalised(c: &mut Conversation, old: &MailboxName, path: &str) -> hub::Result<()> {
    let Ok(user) = c.session.user() else { return Ok(()) };
    let Some(written) = old.written().filter(|_| user.rev2) else { return Ok(()) };
    let names = user.names;
    let info = match user.account.messages().mailbox(path).await {
        Ok(info) => Some(info),
        Err(hub::Error::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let listing = Listing {
        path,
        info: info.as_ref(),
        missing: "\\NonExistent",
        subscribed: info.as_ref().is_some_and(|info| info.subscribed),
        extended: Extended::OldName(written),
    };
    listing.write(&mut c.link.out, "LIST", names);
    Ok(())
}

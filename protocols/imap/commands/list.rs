//! LIST and LSUB.

use std::collections::{BTreeMap, BTreeSet};

use hub::{MailboxInfo, Role};

use super::Outcome;
use super::mailboxes::status_line;
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::List;
use crate::names::Pattern;
use crate::status::Reply;

/// A name and what is known of it.
struct Name<'a> {
    /// `None` for names that are only subscribed to, or only have children.
    info: Option<&'a MailboxInfo>,
    subscribed: bool,
}

/// RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154.
pub(super) async fn list(c: &mut Conversation, list: List) -> Outcome {
    // Asks for the hierarchy separator (RFC 9051 §6.3.9); iOS begins with it.
    if !list.extended && list.patterns == [""] {
        c.link.say("* LIST (\\Noselect) \"/\" \"\"");
        return Ok(Reply::ok("That is all"));
    }
    let append_limit = c.service.settings.message_size;
    let account = c.session.user()?.account.clone();
    let infos = account.messages().mailboxes().await?;
    let mut names: BTreeMap<&str, Name<'_>> = infos
        .iter()
        .map(|info| (info.path.as_str(), Name { info: Some(info), subscribed: info.subscribed }))
        .collect();
    let subscriptions =
        if list.select_subscribed { account.messages().subscriptions().await? } else { Vec::new() };
    for path in &subscriptions {
        names.entry(path).or_insert(Name { info: None, subscribed: true }).subscribed = true;
    }
    if list.recursive_match {
        for path in &subscriptions {
            for parent in parents(path) {
                names.entry(parent).or_insert(Name { info: None, subscribed: false });
            }
        }
    }
    let patterns: Vec<Pattern> =
        list.patterns.iter().map(|pattern| Pattern::new(&list.reference, pattern)).collect();
    let matches = |path: &str| patterns.iter().any(|pattern| pattern.matches(path));
    let chosen = |name: &Name<'_>| {
        (!list.select_subscribed || name.subscribed)
            && (!list.select_special_use || attribute(name.info.and_then(|info| info.role)).is_some())
    };
    // Parents of chosen names, and those of them that have a chosen child which no pattern shows.
    let mut above: BTreeSet<&str> = BTreeSet::new();
    let mut above_hidden: BTreeSet<&str> = BTreeSet::new();
    if list.recursive_match {
        for (path, _) in names.iter().filter(|(_, name)| chosen(name)) {
            above.extend(parents(path));
            if !matches(path) {
                above_hidden.extend(parents(path));
            }
        }
    }
    // INBOX comes first, as the hub gives it; then by name.
    let inbox_first = |path: &&str| *path != "INBOX";
    let mut paths: Vec<&str> = names.keys().copied().filter(|path| matches(path)).collect();
    paths.sort_by_key(inbox_first);
    for path in paths {
        let name = &names[path];
        let is_chosen = chosen(name);
        if !is_chosen && !above_hidden.contains(path) {
            continue;
        }
        let childinfo = above.contains(path);
        write_list(&mut c.link.out, "LIST", path, name, &list, childinfo);
        // RFC 5819 §2: right behind its LIST line (stalwartlabs/stalwart#1129).
        if let (Some(items), Some(info)) = (&list.status, name.info)
            && info.selectable
        {
            let line = status_line(&account, info, items, append_limit).await?;
            c.link.out.extend_from_slice(&line);
        }
        c.link.relieve().await?;
    }
    if list
        .status
        .as_ref()
        .is_some_and(|items| items.contains(&crate::grammar::command::StatusItem::HighestModseq))
    {
        c.session.user()?.condstore = true;
    }
    Ok(Reply::ok("That is all"))
}

/// RFC 3501 §6.3.9: what is subscribed to, whether it exists or not; with `%`, also parents of it.
pub(super) async fn lsub(c: &mut Conversation, reference: &str, pattern: &str) -> Outcome {
    if pattern.is_empty() {
        c.link.say("* LSUB (\\Noselect) \"/\" \"\"");
        return Ok(Reply::ok("That is all"));
    }
    let messages = c.session.user()?.account.messages();
    let infos = messages.mailboxes().await?;
    let subscriptions = messages.subscriptions().await?;
    let infos: BTreeMap<&str, &MailboxInfo> = infos.iter().map(|info| (info.path.as_str(), info)).collect();
    let mut names: BTreeMap<&str, bool> = subscriptions.iter().map(|path| (path.as_str(), true)).collect();
    if pattern.contains('%') {
        for parent in subscriptions.iter().flat_map(|path| parents(path)) {
            names.entry(parent).or_insert(false);
        }
    }
    let pattern = Pattern::new(reference, pattern);
    let options = List::default();
    for (path, subscribed) in names {
        if !pattern.matches(path) {
            continue;
        }
        // The parent of a subscribed name that is not subscribed itself shows as \Noselect.
        let info = infos.get(path).copied().filter(|_| subscribed);
        write_list(&mut c.link.out, "LSUB", path, &Name { info, subscribed }, &options, false);
        c.link.relieve().await?;
    }
    Ok(Reply::ok("That is all"))
}

/// `a` and `a/b` of `a/b/c`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// `* LIST (attributes) "/" name [("CHILDINFO" (…))]`
fn write_list(out: &mut Buffer, response: &str, path: &str, name: &Name<'_>, list: &List, childinfo: bool) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(response.as_bytes());
    out.extend_from_slice(b" (");
    let start = out.len();
    let mut attribute = |text: &str| {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(text.as_bytes());
    };
    match name.info {
        // RFC 5258 §3: \NonExistent is for clients that asked in its words; others know \Noselect.
        None if list.extended => attribute("\\NonExistent"),
        None => attribute("\\Noselect"),
        Some(info) => {
            if !info.selectable {
                attribute("\\Noselect");
            }
            attribute(if info.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
            // In every LIST, asked for or not: macOS Mail never asks but uses them (mjl-/mox#66).
            if let Some(role) = self::attribute(info.role) {
                attribute(role);
            }
        }
    }
    if name.subscribed && (list.return_subscribed || list.select_subscribed) {
        attribute("\\Subscribed");
    }
    out.extend_from_slice(b") \"/\" ");
    encode::mailbox(out, path);
    if childinfo {
        out.extend_from_slice(b" (\"CHILDINFO\" (");
        let start = out.len();
        for (chosen, word) in
            [(list.select_subscribed, "SUBSCRIBED"), (list.select_special_use, "SPECIAL-USE")]
        {
            if chosen {
                if out.len() > start {
                    out.push(b' ');
                }
                encode::string(out, word.as_bytes());
            }
        }
        out.extend_from_slice(b"))");
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 6154 §2. `\Drafts` has an s, the flag has none (mjl-/mox 8c2814d).
fn attribute(role: Option<Role>) -> Option<&'static str> {
    match role? {
        Role::Archive => Some("\\Archive"),
        Role::Drafts => Some("\\Drafts"),
        Role::Inbox => None,
        Role::Junk => Some("\\Junk"),
        Role::Sent => Some("\\Sent"),
        Role::Trash => Some("\\Trash"),
    }
}

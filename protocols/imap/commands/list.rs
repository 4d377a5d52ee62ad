//! LIST and LSUB.

use std::collections::{BTreeMap, HashMap, HashSet};

use hub::MailboxInfo;

use super::listing::{Extended, Listing, attribute};
use super::mailboxes::status_line;
use super::{Outcome, acl, metadata};
use crate::conversation::Conversation;
use crate::grammar::command::{Depth, List, StatusItem};
use crate::names::Pattern;
use crate::status::Reply;

/// A name and what is known of it.
struct Name<'a> {
    /// `None` for names that are only subscribed to, or only have children.
    info: Option<&'a MailboxInfo>,
    subscribed: bool,
}

/// RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590.
pub(super) async fn list(c: &mut Conversation, list: List) -> Outcome {
    // Asks for the hierarchy separator (RFC 9051 §6.3.9); iOS begins with it.
    if !list.extended && list.patterns == [""] {
        c.link.say("* LIST (\\Noselect) \"/\" \"\"");
        return Ok(Reply::ok("That is all"));
    }
    let append_limit = c.service.settings.message_size;
    let user = c.session.user()?;
    let (account, wire_names) = (user.account.clone(), user.names);
    // RFC 5258 §3: \NonExistent is for clients that asked in its words; others know \Noselect.
    let missing = if list.extended || user.rev2 { "\\NonExistent" } else { "\\Noselect" };
    let infos = account.messages().mailboxes().await?;
    let subscriptions =
        if list.select_subscribed { account.messages().subscriptions().await? } else { Vec::new() };
    let annotations =
        if list.metadata.is_some() { account.messages().all_metadata().await? } else { HashMap::new() };
    let names = names(&infos, &subscriptions, list.recursive_match);
    let matching = matching(&names, &list).await;
    for (path, childinfo) in chosen(&names, &matching, &list) {
        let name = &names[path];
        let listing = Listing {
            path,
            info: name.info,
            missing,
            subscribed: name.subscribed && (list.return_subscribed || list.select_subscribed),
            extended: if childinfo { Extended::ChildInfo(selected_by(&list)) } else { Extended::Nothing },
        };
        listing.write(&mut c.link.out, "LIST", wire_names);
        // RFC 5819 §2: right behind its LIST line (stalwartlabs/stalwart#1129).
        if let (Some(items), Some(info)) = (&list.status, name.info)
            && info.selectable
        {
            let line = status_line(&account, info, items, append_limit, wire_names).await?;
            c.link.out.extend_from_slice(&line);
        }
        if let Some(info) = name.info {
            if list.my_rights {
                acl::write_my_rights(&mut c.link.out, info, wire_names);
            }
            if let Some(asked) = &list.metadata {
                let of_mailbox = annotations.get(&info.id).map_or(&[][..], Vec::as_slice);
                let found = metadata::choose(of_mailbox, asked, Depth::Itself);
                metadata::write(&mut c.link.out, path, &found, wire_names);
            }
        }
        c.link.relieve().await?;
    }
    if list.status.is_some_and(|items| items.contains(&StatusItem::HighestModseq)) {
        c.session.user()?.condstore = true;
    }
    Ok(Reply::ok("That is all"))
}

/// The selection options that names below one may fulfil, as CHILDINFO repeats them.
fn selected_by(list: &List) -> Vec<&'static str> {
    let options = [(list.select_subscribed, "SUBSCRIBED"), (list.select_special_use, "SPECIAL-USE")];
    options.into_iter().filter_map(|(selected, option)| selected.then_some(option)).collect()
}

/// All mailboxes and subscriptions by name; if `with_parents`, also the names above subscriptions.
fn names<'a>(
    infos: &'a [MailboxInfo],
    subscriptions: &'a [String],
    with_parents: bool,
) -> BTreeMap<&'a str, Name<'a>> {
    let mut names: BTreeMap<&str, Name<'_>> = infos
        .iter()
        .map(|info| (info.path.as_str(), Name { info: Some(info), subscribed: info.subscribed }))
        .collect();
    for path in subscriptions {
        names.entry(path).or_insert(Name { info: None, subscribed: true }).subscribed = true;
        for parent in parents(path).filter(|_| with_parents) {
            names.entry(parent).or_insert(Name { info: None, subscribed: false });
        }
    }
    names
}

/// The names that fit one of the patterns.
async fn matching<'a>(names: &BTreeMap<&'a str, Name<'a>>, list: &List) -> HashSet<&'a str> {
    let patterns: Vec<Pattern> =
        list.patterns.iter().map(|pattern| Pattern::new(&list.reference, pattern)).collect();
    let mut matching = HashSet::new();
    for (n, &path) in names.keys().enumerate() {
        if patterns.iter().any(|pattern| pattern.matches(path)) {
            matching.insert(path);
        }
        // Ten thousand names and twenty patterns are no reason to keep other sessions waiting.
        if n % 64 == 63 {
            tokio::task::yield_now().await;
        }
    }
    matching
}

/// What the selection options choose among the matching names, INBOX first; true with those that have
/// CHILDINFO (RFC 5258 §3.5): names above a chosen one. Such a name shows, even if it is not chosen
/// itself, where no pattern shows the chosen one.
fn chosen<'a>(
    names: &BTreeMap<&'a str, Name<'a>>,
    matching: &HashSet<&'a str>,
    list: &List,
) -> Vec<(&'a str, bool)> {
    let is_chosen = |name: &Name<'_>| {
        (!list.select_subscribed || name.subscribed)
            && (!list.select_special_use || attribute(name.info.and_then(|info| info.role)).is_some())
    };
    let mut above: HashSet<&str> = HashSet::new();
    let mut above_hidden: HashSet<&str> = HashSet::new();
    if list.recursive_match {
        for (path, _) in names.iter().filter(|(_, name)| is_chosen(name)) {
            above.extend(parents(path));
            if !matching.contains(path) {
                above_hidden.extend(parents(path));
            }
        }
    }
    let shows = |path: &str, name: &Name<'_>| {
        matching.contains(path) && (is_chosen(name) || above_hidden.contains(path))
    };
    let mut chosen: Vec<(&str, bool)> = names
        .iter()
        .filter(|(path, name)| shows(path, name))
        .map(|(path, _)| (*path, above.contains(path)))
        .collect();
    chosen.sort_by_key(|(path, _)| *path != "INBOX");
    chosen
}

/// RFC 3501 §6.3.9: what is subscribed to, whether it exists or not; with `%`, also parents of it.
pub(super) async fn lsub(c: &mut Conversation, reference: &str, pattern: &str) -> Outcome {
    if pattern.is_empty() {
        c.link.say("* LSUB (\\Noselect) \"/\" \"\"");
        return Ok(Reply::ok("That is all"));
    }
    let user = c.session.user()?;
    let wire_names = user.names;
    let messages = user.account.messages();
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
    for (path, subscribed) in names {
        if !pattern.matches(path) {
            continue;
        }
        // The parent of a subscribed name that is not subscribed itself shows as \Noselect.
        let info = infos.get(path).copied().filter(|_| subscribed);
        let listing =
            Listing { path, info, missing: "\\Noselect", subscribed: false, extended: Extended::Nothing };
        listing.write(&mut c.link.out, "LSUB", wire_names);
        c.link.relieve().await?;
    }
    Ok(Reply::ok("That is all"))
}

/// `a` and `a/b` of `a/b/c`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

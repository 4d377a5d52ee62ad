//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use std::sync::Arc;

use hub::{FlagChange, Flags, IdSet, Record, Snapshot};

use super::flags::{announce, bits};
use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Change, Store};
use crate::status::{Kind, Reply};
use crate::view::{self, Expunges};

pub(super) async fn store(c: &mut Conversation, store: Store) -> Outcome {
    c.catch_up_for(store.uid).await?;
    let (user, selected) = c.session.selected()?;
    if selected.read_only {
        return Err(Reply::no("READ-ONLY", "The mailbox was opened with EXAMINE").into());
    }
    let ranges = selected.view.resolve(&store.set, store.uid, &selected.saved)?;
    // RFC 7162 §3.1: whoever uses UNCHANGEDSINCE knows MODSEQ.
    user.condstore |= store.unchanged_since.is_some();
    // Taking away a keyword that nobody has made up does nothing.
    let flags = bits(user, &store.flags, store.change != Change::Remove).await?;
    let change = match store.change {
        Change::Add => FlagChange::Add(flags),
        Change::Remove => FlagChange::Remove(flags),
        Change::Replace => FlagChange::Replace(flags),
    };
    let uids = selected.view.uids(&ranges);
    // Gone messages are passed over without a word (RFC 9051 §6.4.9; stalwartlabs/stalwart#670).
    let messages = user.account.messages();
    let failed = if uids.is_empty() {
        IdSet::new()
    } else {
        messages.change_flags(selected.mailbox, &uids, change, store.unchanged_since).await?
    };
    report(c, &store, &ranges, &uids, &failed, change).await?;

    let reply = Reply::ok("Stored");
    if failed.is_empty() {
        return Ok(reply);
    }
    let (_, selected) = c.session.selected()?;
    let mut code = b"MODIFIED ".to_vec();
    if store.uid {
        encode::set(&mut code, &failed);
    } else {
        let numbers = selected.view.resolve_uids(&failed);
        let numbers = numbers.iter().flat_map(|&(first, last)| u64::from(first) + 1..=u64::from(last) + 1);
        encode::set(&mut code, &numbers.collect());
    }
    Ok(Reply {
        kind: Kind::Ok,
        code: String::from_utf8(code).ok().map(Into::into),
        text: "Stored but for some".into(),
    })
}

/// What STORE answers: the new flags of each message, or with .SILENT nothing but what the client
/// cannot know: changes by others, and MODSEQ if it has enabled CONDSTORE.
async fn report(
    c: &mut Conversation,
    store: &Store,
    ranges: &[(u32, u32)],
    uids: &IdSet,
    failed: &IdSet,
    change: FlagChange,
) -> Result<(), Failure> {
    let (_, selected) = c.session.selected()?;
    let before = Arc::clone(selected.view.base());
    let truth = selected.truth();
    let untold = selected.view.untold().clone();
    let mut news = selected.view.catch_up(truth, Expunges::Keep);
    let view = &selected.view;
    news.changed.retain(|&index| {
        let Some(record) = view.get(index) else { return false };
        let ours = uids.contains(record.uid.into()) && !failed.contains(record.uid.into());
        if !ours || !store.silent {
            return !ours;
        }
        // The client knows what it did; not that somebody else has changed the message as well.
        untold.contains(record.uid.into())
            || old(&before, record).is_none_or(|old| changed(old.flags, change) != record.flags)
    });
    c.say_news(news).await?;
    let wants_modseq = c.session.user()?.condstore;
    if store.silent && !wants_modseq {
        return Ok(());
    }
    for page in ranges.iter().flat_map(|&(first, last)| pages(first, last)) {
        say_page(c, store, page, failed, &before).await?;
    }
    Ok(())
}

/// FETCH responses for one page of the messages: FLAGS, or with .SILENT the MODSEQ of those that
/// were changed.
async fn say_page(
    c: &mut Conversation,
    store: &Store,
    (first, last): (u32, u32),
    failed: &IdSet,
    before: &Snapshot,
) -> Result<(), Failure> {
    let (user, selected) = c.session.selected()?;
    let mut records: Vec<Record> = Vec::new();
    selected.view.copy_records(first, last, &mut records);
    let flags = records.iter().fold(Flags::NONE, |all, record| all | record.flags);
    announce(user, selected, flags, &mut c.link.out).await;
    for (index, record) in (first..).zip(&records) {
        if selected.view.is_ghost(index) || failed.contains(record.uid.into()) {
            continue;
        }
        if !store.silent {
            view::write_flags(&mut c.link.out, index, record, store.uid, user.style());
        } else if old(before, record).is_none_or(|old| old.modseq != record.modseq) {
            write_modseq(&mut c.link.out, index, record);
        }
    }
    c.link.relieve().await?;
    Ok(())
}

/// The message as it was in `before`.
fn old<'a>(before: &'a Snapshot, record: &Record) -> Option<&'a Record> {
    before.find(record.uid).and_then(|index| before.get(index))
}

/// Ranges of at most 1,000 messages.
pub(super) fn pages(first: u32, last: u32) -> impl Iterator<Item = (u32, u32)> {
    (first..=last).step_by(1000).map(move |start| (start, last.min(start.saturating_add(999))))
}

fn changed(flags: Flags, change: FlagChange) -> Flags {
    match change {
        FlagChange::Add(added) => flags | added,
        FlagChange::Remove(removed) => flags & !removed,
        FlagChange::Replace(flags) => flags,
    }
}

/// RFC 7162 §3.1.3: with .SILENT the MODSEQ is due all the same.
fn write_modseq(out: &mut Buffer, index: u32, record: &Record) {
    out.extend_from_slice(b"* ");
    encode::number(out, index + 1);
    out.extend_from_slice(b" FETCH (UID ");
    encode::number(out, record.uid);
    out.extend_from_slice(b" MODSEQ (");
    encode::number(out, record.modseq);
    out.extend_from_slice(b"))\r\n");
}

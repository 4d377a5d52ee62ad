//! FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, §3.2.6): plan, pages, \Seen.
//!
//! What the index record tells (FLAGS, UID, INTERNALDATE, RFC822.SIZE, MODSEQ, EMAILID) is written
//! without asking the storage for anything. The rest is fetched in pages, and between pages the
//! socket gets what has been written: nothing is held while a slow client reads.

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use hub::{Account, FlagChange, Flags, IdSet, Record};

use super::flags::announce;
use super::store::pages;
use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode;
use crate::grammar::command::{Fetch, Item, SequenceSet};
use crate::link::Link;
use crate::render::{self, Page, Skipped};
use crate::sets::{self, both, without};
use crate::status::Reply;

/// Pages that are read while another one is written. The database takes longer than the writing, and
/// reads as many at once.
const AHEAD: usize = 2;

/// What a FETCH command asks for.
pub(crate) struct Plan {
    /// In the order of the command, each once; UID is among them for UID FETCH.
    pub(crate) items: Vec<Item>,
    pub(crate) changed_since: Option<u64>,
}

/// What came of it.
#[derive(Default)]
struct Done {
    /// UIDs of messages that were read without `\Seen`.
    unseen: IdSet,
    /// Some messages are gone for good, or cannot be read.
    missing: bool,
    /// Some bodies cannot be decoded.
    undecodable: bool,
}

impl Plan {
    fn new(fetch: &Fetch) -> Self {
        let mut items: Vec<Item> = Vec::with_capacity(fetch.items.len() + 2);
        // RFC 9051 §6.4.9: UID in every response to UID FETCH; first, where it is found soonest.
        let implied = [(fetch.uid, Item::Uid), (fetch.changed_since.is_some(), Item::Modseq)];
        let before = implied[..1].iter().filter(|(due, _)| *due).map(|(_, item)| item.clone());
        let after = implied[1..].iter().filter(|(due, _)| *due).map(|(_, item)| item.clone());
        for item in before.chain(fetch.items.iter().cloned()).chain(after) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        Self { items, changed_since: fetch.changed_since }
    }

    fn has_flags(&self) -> bool {
        self.items.contains(&Item::Flags)
    }

    /// Needs more than the index record.
    fn needs_message(&self) -> bool {
        self.items.iter().any(|item| {
            matches!(
                item,
                Item::BinarySize(_)
                    | Item::Body
                    | Item::BodyStructure
                    | Item::Envelope
                    | Item::Preview
                    | Item::SaveDate
                    | Item::Section(_)
                    | Item::ThreadId
            )
        })
    }

    fn sets_seen(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Section(section) if !section.peek))
    }
}

pub(super) async fn fetch(c: &mut Conversation, fetch: Fetch) -> Outcome {
    // What another session has just moved in belongs to `n:*`, so the client hears of it first.
    c.tell_of_arrivals().await?;
    let (user, selected) = c.session.selected()?;
    if fetch.vanished && !(fetch.uid && user.qresync && fetch.changed_since.is_some()) {
        // RFC 7162 §3.2.6
        return Err(Reply::bad("VANISHED is for UID FETCH with CHANGEDSINCE after ENABLE QRESYNC").into());
    }
    let plan = Plan::new(&fetch);
    user.condstore |= plan.items.contains(&Item::Modseq);
    let mut ranges = selected.view.resolve(&fetch.set, fetch.uid, &selected.saved)?;
    if let Some(partial) = fetch.partial {
        let count = ranges.iter().map(|&(first, last)| (last - first) as usize + 1).sum();
        ranges = sets::window(&ranges, partial.window(count));
    }
    let (mailbox, read_only) = (selected.mailbox, selected.read_only);
    if let (true, Some(since)) = (fetch.vanished, fetch.changed_since) {
        let next = u64::from(selected.view.base().uid_next);
        let set = match &fetch.set {
            SequenceSet::Saved => selected.saved.clone(),
            set => uids_of(set, next),
        };
        say_vanished(c, since, &set).await?;
    }
    let done = run(c, &plan, &ranges).await?;
    // A message that was left out may have flags that the client has not heard of.
    if plan.has_flags() && plan.changed_since.is_none() && !done.undecodable {
        let (_, selected) = c.session.selected()?;
        selected.view.flags_were_told(&ranges);
    }
    if plan.sets_seen() && !read_only && !done.unseen.is_empty() {
        // Once, when everything has been sent: no lock is held through a fetch (mjl-/mox b822533).
        // The FETCH responses for it come with the news.
        let messages = c.session.user()?.account.clone();
        let change = FlagChange::Add(Flags::SEEN);
        messages.messages().change_flags(mailbox, &done.unseen, change, None).await?;
    }
    if done.undecodable {
        return Err(Reply::no("UNKNOWN-CTE", "Some parts are in an encoding that is not known here").into());
    }
    if done.missing && !fetch.uid {
        return Err(Reply::no("EXPUNGEISSUED", "Some of the messages are gone").into());
    }
    Ok(Reply::ok("Fetched"))
}

/// Writes the FETCH responses for these indexes.
async fn run(c: &mut Conversation, plan: &Plan, ranges: &[(u32, u32)]) -> Result<Done, Failure> {
    let mut done = Done::default();
    let Conversation { session, link, .. } = c;
    let (user, selected) = session.selected()?;
    let account: Account = user.account.clone();
    let mut records: Vec<(u32, Record)> = Vec::new();
    for (first, last) in ranges.iter().flat_map(|&(first, last)| pages(first, last)) {
        records.clear();
        selected.view.numbered(first, last, plan.changed_since, &mut records);
        if plan.has_flags() {
            let flags = records.iter().fold(Flags::NONE, |all, (_, record)| all | record.flags);
            announce(user, selected, flags, &mut link.out).await;
        }
        if !plan.needs_message() {
            for (index, record) in &records {
                render::simple(&mut link.out, &plan.items, *index, record, &user.keywords.0);
            }
            link.relieve().await?;
            continue;
        }
        let pages: Vec<Page<'_>> = render::pages(&records)
            .map(|records| Page {
                account: &account,
                mailbox: selected.mailbox,
                items: &plan.items,
                keywords: &user.keywords.0,
                names: user.names,
                records,
            })
            .collect();
        write_pages(link, &pages, &mut done).await?;
    }
    Ok(done)
}

/// Writes one page after the other; the next ones are read meanwhile.
async fn write_pages(link: &mut Link, pages: &[Page<'_>], done: &mut Done) -> Result<(), Failure> {
    let Some((first, rest)) = pages.split_first() else { return Ok(()) };
    let loaded = first.load().await?;
    done.count(first, &first.write(link, &loaded).await?);
    if rest.is_empty() {
        return Ok(());
    }
    // The client has something to do while the rest is read and made; and before anything else is
    // begun, so that a processor is free for it.
    link.flush().await?;
    let mut unread = rest.iter();
    let mut loads = FuturesOrdered::new();
    loads.extend(unread.by_ref().take(AHEAD).map(Page::load));
    let mut loaded = loads.next().await;
    for page in rest {
        let Some(now) = loaded.take().transpose()? else { break };
        loads.extend(unread.next().map(Page::load));
        // First the asking, then the writing, which does not wait for the answer.
        let (next, skipped) = tokio::join!(biased; loads.next(), page.write(link, &now));
        done.count(page, &skipped?);
        loaded = next;
    }
    Ok(())
}

impl Done {
    fn count(&mut self, page: &Page<'_>, Skipped { missing, undecodable }: &Skipped) {
        self.missing |= !missing.is_empty();
        self.undecodable |= !undecodable.is_empty();
        for (index, record) in page.records {
            let index = u64::from(*index);
            let is_written = !missing.contains(index) && !undecodable.contains(index);
            if is_written && !record.flags.contains(Flags::SEEN) {
                self.unseen.insert(record.uid.into());
            }
        }
    }
}

/// `* VANISHED (EARLIER) set`: those of `known` that were removed after `since` (RFC 7162 §3.2.10.1).
/// If the journal does not reach back so far: all of `known` that is not there.
pub(super) async fn say_vanished(c: &mut Conversation, since: u64, known: &IdSet) -> Result<(), Failure> {
    let (user, selected) = c.session.selected()?;
    let vanished = match user.account.messages().vanished_since(selected.mailbox, since).await? {
        Some(vanished) => both(&vanished, known),
        None => {
            let present = selected.view.base().iter().map(|record| u64::from(record.uid)).collect();
            without(known, &present)
        }
    };
    if !vanished.is_empty() {
        c.link.out.extend_from_slice(b"* VANISHED (EARLIER) ");
        encode::set(&mut c.link.out, &vanished);
        c.link.out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

/// FETCH (UID FLAGS MODSEQ) of what changed after `since` (RFC 7162 §3.2.5.1).
pub(super) async fn say_changed(
    c: &mut Conversation,
    ranges: &[(u32, u32)],
    since: u64,
) -> Result<(), Failure> {
    let plan = Plan { items: vec![Item::Uid, Item::Flags, Item::Modseq], changed_since: Some(since) };
    run(c, &plan, ranges).await?;
    Ok(())
}

/// FETCH of these items for messages that have just come (RFC 5465 §5.2).
pub(super) async fn say_items(
    c: &mut Conversation,
    items: Vec<Item>,
    ranges: &[(u32, u32)],
) -> Result<(), Failure> {
    run(c, &Plan { items, changed_since: None }, ranges).await?;
    Ok(())
}

/// The UIDs that a set names, whether they exist or not; `next` is the mailbox's UIDNEXT.
pub(super) fn uids_of(set: &SequenceSet, next: u64) -> IdSet {
    let mut uids = IdSet::new();
    if let SequenceSet::Ranges(ranges) = set {
        let last = next.saturating_sub(1).max(1);
        let value = |number: u32| if number == SequenceSet::LAST { last } else { u64::from(number) };
        let mut ranges: Vec<_> =
            ranges.iter().map(|&(a, b)| (value(a).min(value(b)), value(a).max(value(b)).min(last))).collect();
        ranges.sort_unstable();
        for (first, last) in ranges {
            uids.insert_range(first, last);
        }
    }
    uids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_name_uids_up_to_the_next() {
        let set = SequenceSet::Ranges(vec![(5, SequenceSet::LAST), (1, 2), (200, 100)]);
        assert_eq!(uids_of(&set, 11).ranges(), [(1, 2), (5, 10)]);
        assert_eq!(uids_of(&SequenceSet::Ranges(vec![(1, u32::MAX)]), 1).ranges(), [(1, 1)]);
    }
}

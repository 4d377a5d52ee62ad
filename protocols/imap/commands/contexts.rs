//! Searches whose results are kept up to date: CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4.3), CANCELUPDATE.
//!
//! A context remembers what the client knows of it: the results, and the mailbox in which they were
//! found. Only messages that have come or have other flags since then are looked at again.

use std::collections::HashMap;
use std::sync::Arc;

use hub::{Criterion, IdSet, Progress, Record, Snapshot, SortCriterion, Uid, difference};

use super::criteria::compile;
use super::orders::{self, Order, Run, write_runs};
use super::results::{Found, write_head};
use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Key, Returns, Search, SequenceSet};
use crate::session::{Selected, User};
use crate::sets::{both, without};
use crate::status::Reply;
use crate::view::News;

/// Contexts of one session at a time.
const CONTEXT_LIMIT: usize = 5;
/// Most ranges of UIDs of one context, 16 bytes each.
const RANGE_LIMIT: usize = 10_000;
/// Bytes of a key that is kept, about.
const KEY_LIMIT: usize = 4096;

/// A search that the client wants to hear more of.
pub(crate) struct Context {
    tag: String,
    /// It was UID SEARCH, so updates are of UIDs.
    uid: bool,
    key: Key,
    /// UIDs of the results that the client knows.
    members: IdSet,
    /// The same in the order that the client asked for, if it was SORT.
    order: Option<Order>,
    /// The mailbox in which they were found.
    seen: Arc<Snapshot>,
}

/// RFC 5267 §4.3: a tag names one context.
pub(super) fn refuse_reuse(c: &mut Conversation, tag: &str, returns: Option<Returns>) -> Result<(), Failure> {
    let (_, selected) = c.session.selected()?;
    let updates = returns.is_some_and(|returns| returns.update);
    if updates && selected.contexts.iter().any(|context| context.tag == tag) {
        return Err(Reply::bad("A search with this tag is kept up to date already").into());
    }
    Ok(())
}

/// Begins to keep these results up to date, for SORT in this order, or says why not.
pub(super) fn begin(
    selected: &mut Selected,
    tag: &str,
    (search, criteria): (&Search, Option<&[SortCriterion]>),
    found: &[Found],
    out: &mut Buffer,
) {
    if selected.contexts.len() >= CONTEXT_LIMIT {
        return refuse(out, tag, "Too many contexts");
    }
    let mut uids: Vec<u64> = found.iter().map(|one| one.uid).collect();
    let order = criteria.map(|criteria| Order {
        criteria: criteria.to_vec(),
        uids: uids.iter().map(|&uid| Uid::try_from(uid).unwrap_or(Uid::MAX)).collect(),
    });
    uids.sort_unstable();
    let members: IdSet = uids.into_iter().collect();
    let is_long = order.is_some() && found.len() > orders::RESULT_LIMIT;
    if is_long || members.ranges().len() > RANGE_LIMIT {
        return refuse(out, tag, "Too many results");
    }
    let Some(key) = fixed(selected, &search.key).filter(|key| weight(key) <= KEY_LIMIT) else {
        return refuse(out, tag, "Such a search cannot be followed");
    };
    let seen = Arc::clone(selected.view.base());
    selected.contexts.push(Context { tag: tag.to_owned(), uid: search.uid, key, members, order, seen });
}

/// `resp-text-code =/ "NOUPDATE" SP quoted` (RFC 5267 §4.3.1)
pub(super) fn refuse(out: &mut Buffer, tag: &str, why: &str) {
    out.extend_from_slice(b"* NO [NOUPDATE ");
    encode::string(out, tag.as_bytes());
    out.extend_from_slice(b"] ");
    out.extend_from_slice(why.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Tags that name no context are passed over: it may have been refused.
pub(super) fn cancel(c: &mut Conversation, tags: &[String]) -> Outcome {
    let (_, selected) = c.session.selected()?;
    selected.contexts.retain(|context| !tags.contains(&context.tag));
    Ok(Reply::ok("No further updates"))
}

/// The key with sequence numbers, `$` and `*` as what they stand for now: they are not looked at
/// again (RFC 5267 §4.3). `None` if results could change though no message does, or if to look at a
/// message means to read it.
fn fixed(selected: &Selected, key: &Key) -> Option<Key> {
    let boxed = |key: &Key| Some(Box::new(fixed(selected, key)?));
    Some(match key {
        Key::Body(_) | Key::Text(_) => return None,
        Key::Modseq(_) | Key::Older(_) | Key::ThreadId(_) | Key::Younger(_) => return None,
        Key::And(keys) => Key::And(keys.iter().map(|key| fixed(selected, key)).collect::<Option<_>>()?),
        Key::Not(key) => Key::Not(boxed(key)?),
        Key::Or(a, b) => Key::Or(boxed(a)?, boxed(b)?),
        Key::Sequence(set) => messages(selected, set),
        Key::Uid(set @ SequenceSet::Saved) => messages(selected, set),
        Key::Uid(SequenceSet::Ranges(ranges)) => {
            let last = selected.view.last_uid().unwrap_or(1);
            Key::Uid(SequenceSet::Ranges(ranges.iter().map(|&range| open_ended(range, last)).collect()))
        }
        other => other.clone(),
    })
}

/// A range of UIDs without `*`, which is `last` now; what comes later is in `n:*` as well.
fn open_ended((first, second): (u32, u32), last: u32) -> (u32, u32) {
    match (first, second) {
        (SequenceSet::LAST, SequenceSet::LAST) => (last, last),
        (SequenceSet::LAST, uid) | (uid, SequenceSet::LAST) => (uid.min(last), u32::MAX),
        range => range,
    }
}

/// The messages that sequence numbers or `$` stand for now.
fn messages(selected: &Selected, set: &SequenceSet) -> Key {
    let view = &selected.view;
    let uids = view.resolve(set, false, &selected.saved).map(|indexes| view.uids(&indexes));
    let uids = uids.unwrap_or_default();
    let narrow = |uid: u64| u32::try_from(uid).unwrap_or(u32::MAX);
    let ranges = uids.ranges().iter().map(|&(first, last)| (narrow(first), narrow(last)));
    Key::Uid(SequenceSet::Ranges(ranges.collect()))
}

/// Bytes that a key takes, about.
fn weight(key: &Key) -> usize {
    let own = match key {
        Key::And(keys) => keys.iter().map(weight).sum(),
        Key::Header(name, text) => name.len() + text.len(),
        Key::Keyword(name) => name.len(),
        Key::Not(key) => weight(key),
        Key::Or(a, b) => weight(a) + weight(b),
        Key::Uid(SequenceSet::Ranges(ranges)) => size_of_val(ranges.as_slice()),
        _ => 0,
    };
    size_of::<Key>() + own
}

/// Says which results are about to be expunged; before EXPUNGE, so that their numbers still hold
/// (RFC 5267 §4.3.4).
pub(crate) fn say_expunged(selected: &mut Selected, news: &News, out: &mut Buffer) {
    for context in &mut selected.contexts {
        let (mut numbers, mut uids) = (HashMap::new(), IdSet::new());
        // The n-th EXPUNGE counts without the n messages before it.
        for (n, &(number, uid)) in (0u32..).zip(&news.expunged) {
            if context.members.contains(uid.into()) {
                uids.insert(uid.into());
                numbers.insert(uid, u64::from(number + n));
            }
        }
        context.members = without(&context.members, &uids);
        let part = match &mut context.order {
            Some(order) => Part::Runs(order.remove(&uids)),
            None => Part::Set(uids),
        };
        let by_uid = context.uid;
        let number = |uid: Uid| match numbers.get(&uid) {
            Some(number) if !by_uid => *number,
            _ => uid.into(),
        };
        if !part.is_empty() {
            write_head(out, &context.tag, by_uid);
            part.write("REMOVEFROM", number, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Says which messages have become results, or are none any more; after EXISTS, so that their
/// numbers hold (RFC 5267 §4.3.3).
pub(crate) async fn say_updates(user: &User, selected: &mut Selected, out: &mut Buffer) {
    let mut contexts = std::mem::take(&mut selected.contexts);
    for context in &mut contexts {
        match context.catch_up(user, selected).await {
            Ok(update) => context.write(selected, &update, out),
            // These changes are looked at again with the next ones.
            Err(_) => tracing::warn!("the results of a search could not be kept up to date"),
        }
    }
    contexts.retain(|context| {
        let length = context.order.as_ref().map_or(0, |order| order.uids.len());
        let fits = context.members.ranges().len() <= RANGE_LIMIT && length <= orders::RESULT_LIMIT;
        if !fits {
            refuse(out, &context.tag, "Too many results by now");
        }
        fits
    });
    selected.contexts = contexts;
}

impl Context {
    /// Finds out what are results no more, and what has become results.
    async fn catch_up(&mut self, user: &User, selected: &Selected) -> Result<Update, Failure> {
        let base = selected.view.base();
        if Arc::ptr_eq(&self.seen, base) {
            return Ok(Update { removed: Part::Set(IdSet::new()), added: Part::Set(IdSet::new()) });
        }
        let touched = touched(&self.seen, base);
        let mut matching = IdSet::new();
        if !touched.is_empty() {
            let criterion = compile(user, selected, &self.key).await?;
            let criterion = Criterion::And(vec![Criterion::Uids(touched.clone()), criterion]);
            let messages = user.account.messages();
            let found = messages.search(&selected.open, base, &criterion, &Progress::default()).await?;
            let records = found.into_iter().filter_map(|index| base.get(index));
            matching = records.map(|record| u64::from(record.uid)).collect();
        }
        let removed = without(&both(&self.members, &touched), &matching);
        let added = without(&matching, &self.members);
        let mut members = without(&self.members, &removed);
        members.extend(&added);
        let sorted = match &self.order {
            Some(order) if !added.is_empty() => Some(sorted(user, selected, order, &members).await?),
            _ => None,
        };
        self.seen = Arc::clone(base);
        self.members = members;
        let Some(order) = &mut self.order else {
            return Ok(Update { removed: Part::Set(removed), added: Part::Set(added) });
        };
        let removed = order.remove(&removed);
        let added = sorted.map_or_else(Vec::new, |sorted| order.insert(sorted, &added));
        Ok(Update { removed: Part::Runs(removed), added: Part::Runs(added) })
    }

    fn write(&self, selected: &Selected, update: &Update, out: &mut Buffer) {
        if update.removed.is_empty() && update.added.is_empty() {
            return;
        }
        let number = |uid: Uid| match self.uid {
            true => uid.into(),
            false => u64::from(selected.view.lower_bound(uid)) + 1,
        };
        write_head(out, &self.tag, self.uid);
        update.removed.write("REMOVEFROM", number, out);
        update.added.write("ADDTO", number, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// What a client is to change in the results that it knows, by UIDs.
struct Update {
    removed: Part,
    added: Part,
}

enum Part {
    /// In an order that the client asked for.
    Runs(Vec<Run>),
    /// In the order of the mailbox.
    Set(IdSet),
}

impl Part {
    fn is_empty(&self) -> bool {
        match self {
            Self::Runs(runs) => runs.is_empty(),
            Self::Set(uids) => uids.is_empty(),
        }
    }

    fn write(&self, word: &str, number: impl Fn(Uid) -> u64, out: &mut Buffer) {
        match self {
            Self::Runs(runs) => write_runs(out, word, runs, number),
            Self::Set(uids) => {
                let uids = uids.iter().map(|uid| Uid::try_from(uid).unwrap_or(Uid::MAX));
                write_update(out, word, &uids.map(number).collect());
            }
        }
    }
}

/// UIDs of all results in the order of the context.
async fn sorted(
    user: &User,
    selected: &Selected,
    order: &Order,
    members: &IdSet,
) -> Result<Vec<Uid>, Failure> {
    let base = selected.view.base();
    let numbered = (0u32..).zip(base.iter_from(0));
    let is_member = |(_, record): &(u32, &Record)| members.contains(record.uid.into());
    let found: Vec<u32> = numbered.filter(is_member).map(|(index, _)| index).collect();
    let indexes = user.account.messages().sort(&selected.open, base, &found, &order.criteria).await?;
    Ok(indexes.into_iter().filter_map(|index| base.get(index)).map(|record| record.uid).collect())
}

/// UIDs of the messages that have come, or have other flags than before.
fn touched(old: &Snapshot, new: &Snapshot) -> IdSet {
    let difference = difference(old, new);
    let changed = difference.changed.iter().filter_map(|&index| new.get(index));
    let added = new.iter_from(new.len() - difference.added);
    changed.chain(added).map(|record| u64::from(record.uid)).collect()
}

/// `SP ("ADDTO" / "REMOVEFROM") SP "(" context-position SP sequence-set ")"`. Position 0 is mailbox
/// order.
fn write_update(out: &mut Buffer, word: &str, numbers: &IdSet) {
    if !numbers.is_empty() {
        out.extend_from_slice(format!(" {word} (0 ").as_bytes());
        encode::set(out, numbers);
        out.push(b')');
    }
}

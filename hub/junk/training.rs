//! Learning from what a twin does with its mail.
//!
//! Where messages lie now is compared with what was learned of them, so it does not matter by which
//! protocol, how long ago or before which crash something was moved: what is not learned yet is
//! learned, what is otherwise now is taken back. A message is junk if it came into a mailbox for
//! junk, but not if the hub itself put it there; and good if it has left such a mailbox, but not for
//! the trash. Keywords say it outright.
//!
//! People say what is junk and seldom what is good. So that junk has something to be unlike, messages
//! that were read and kept are learned as good, about two for each one that is junk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use hub_storage::junk::{self, Kept, Part};

use super::judge::{Told, told_at_delivery};
use super::learned::Learned;
use super::senders::SenderKey;
use super::tokens::{LOOKED_AT, Tokens};
use super::words::{Class, Lesson};
use super::{Filter, Junk, Watched};
use crate::{
    Account, AccountId, EmailId, FlagChange, Flags, Hub, IdSet, Inner, MailboxId, MailboxInfo, Message,
    Messages, Modseq, Result, Role, apart, locked, unix_now,
};

/// People mark several messages in a row.
const SETTLE: Duration = Duration::from_secs(1);
/// How often it is noted whom twins wrote to.
const NOTE: Duration = Duration::from_secs(30);
/// Messages learned at a time; of more, the newest.
const MOST_LESSONS: usize = 500;
/// Messages of a mailbox for junk that are looked at, the newest.
const MOST_IN_JUNK: usize = 20_000;
/// Mailboxes whose keywords are looked at, those that changed last.
const MOST_MAILBOXES: usize = 100;
/// Good messages that are learned without being asked to: in all, and at a time.
const MOST_READ: u32 = 400;
const READ_AT_ONCE: usize = 200;
/// Messages that are read at once.
const PAGE: usize = 16;
/// Accounts that are written at once.
const ACCOUNTS: usize = 100;

/// Runs as long as the hub.
pub(crate) async fn keep_trained(hub: Weak<Inner>, junk: Arc<Junk>) {
    loop {
        match hub.upgrade() {
            Some(inner) => train_due(&Hub(inner)).await,
            None => return,
        }
        if tokio::time::timeout(NOTE, junk.happened.notified()).await.is_ok() {
            tokio::time::sleep(SETTLE).await;
        }
    }
}

pub(super) async fn train_due(hub: &Hub) {
    let _turn = hub.0.junk.turn.lock().await;
    let due = std::mem::take(&mut *locked(&hub.0.junk.due));
    for account in due {
        if let Err(error) = train(hub, account).await {
            // At shutdown nothing can be written any more: this task ends here then.
            tokio::task::yield_now().await;
            tracing::warn!(account = account.0, %error, "the junk filter was not trained; it is tried again");
            locked(&hub.0.junk.due).insert(account);
        }
    }
    if let Err(error) = note_written_to(hub).await {
        tokio::task::yield_now().await;
        tracing::warn!(%error, "it was not noted whom twins wrote to");
    }
}

/// What was seen of an account.
struct Seen {
    modseq: Modseq,
    /// Messages in mailboxes for junk, with their flags.
    in_junk: BTreeMap<EmailId, Flags>,
    /// What keywords say of messages elsewhere that have changed; `None` is that they say nothing.
    marked: BTreeMap<EmailId, Option<Class>>,
    trash: Vec<MailboxId>,
}

/// Learns what there is to learn in an account.
async fn train(hub: &Hub, id: AccountId) -> Result<()> {
    let storage = &hub.0.storage;
    let Some(row) = storage.account(id).await? else { return Ok(()) };
    let account = hub.open_account(&row, None)?;
    let progress = storage.junk_progress(id).await?;
    let is_new = progress.is_none();
    let mut learned =
        progress.and_then(|(modseq, bytes)| Learned::decode(modseq, &bytes)).unwrap_or_default();
    let mailboxes = account.messages().mailboxes().await?;
    let watched = watch(hub, &account, &mailboxes).await?;
    let seen = look(&account, &mailboxes, &watched, &learned, is_new).await?;

    let departures = departures(&account, &watched, &seen, &mut learned).await?;
    let mut wanted = arrivals(&account, &watched, &seen, &learned).await?;
    wanted.extend(departures.keys().map(|email| (*email, Some(Class::Good))));
    let marked = seen.marked.iter().filter(|(email, _)| !departures.contains_key(*email));
    wanted.extend(marked.map(|(email, class)| (*email, *class)));
    wanted.retain(|email, class| learned.class(*email) != *class);
    while wanted.len() > MOST_LESSONS {
        wanted.pop_first();
    }
    let filter = hub.0.junk.filter(storage, id).await?.unwrap_or_default();
    add_read_messages(&account, &mailboxes, &watched, &filter, &learned, &mut wanted).await?;

    let came_or_went = !seen.in_junk.keys().eq(&learned.in_junk);
    if !wanted.is_empty() || came_or_went {
        learned.modseq = seen.modseq;
        learned.in_junk = seen.in_junk.keys().copied().collect();
        learn(hub, &account, Filter::clone(&filter), learned, wanted).await?;
    }
    clear_left_over(&account, &watched, departures).await
}

/// What to look at, from memory if it has not changed.
async fn watch(hub: &Hub, account: &Account, mailboxes: &[MailboxInfo]) -> Result<Watched> {
    let cache = &hub.0.junk.watched;
    let ticket = match cache.get(&account.id) {
        Ok(watched) => return Ok(watched),
        Err(ticket) => ticket,
    };
    let keywords = account.messages().keywords().await?;
    let of_junk = mailboxes.iter().filter(|mailbox| mailbox.role == Some(Role::Junk) && mailbox.selectable);
    let watched = Watched {
        mailboxes: of_junk.map(|mailbox| mailbox.id).collect(),
        junk: keywords.flag("$Junk").unwrap_or(Flags::NONE),
        not_junk: keywords.flag("$NotJunk").unwrap_or(Flags::NONE),
    };
    cache.put(ticket, account.id, watched.clone());
    Ok(watched)
}

async fn look(
    account: &Account,
    mailboxes: &[MailboxInfo],
    watched: &Watched,
    learned: &Learned,
    is_new: bool,
) -> Result<Seen> {
    let trash = mailboxes.iter().filter(|mailbox| mailbox.role == Some(Role::Trash));
    let mut seen = Seen {
        modseq: mailboxes.iter().map(|mailbox| mailbox.modseq).max().unwrap_or(0),
        in_junk: BTreeMap::new(),
        marked: BTreeMap::new(),
        trash: trash.map(|mailbox| mailbox.id).collect(),
    };
    for mailbox in watched.mailboxes.iter() {
        let snapshot = account.messages().open(*mailbox).await?.snapshot();
        let first = snapshot.len().saturating_sub(MOST_IN_JUNK as u32);
        seen.in_junk.extend(snapshot.iter_from(first).map(|record| (record.email, record.flags)));
    }
    let may_differ = |mailbox: &&MailboxInfo| {
        mailbox.selectable
            && mailbox.modseq > learned.modseq
            && !watched.mailboxes.contains(&mailbox.id)
            // In an account that was never looked at, keywords are old and may be anybody's.
            && (!is_new || mailbox.id == MailboxId::INBOX)
    };
    let mut changed: Vec<&MailboxInfo> = mailboxes.iter().filter(may_differ).collect();
    changed.sort_unstable_by_key(|mailbox| std::cmp::Reverse(mailbox.modseq));
    for mailbox in changed.into_iter().take(MOST_MAILBOXES) {
        let snapshot = account.messages().open(mailbox.id).await?.snapshot();
        for record in snapshot.iter().filter(|record| record.modseq > learned.modseq) {
            let says = watched.class(record.flags);
            // A mark that was taken away; what was learned for another reason stays.
            let was_marked =
                learned.class(record.email).is_some() && !learned.in_junk.contains(&record.email);
            if says.is_some() || (was_marked && learned.class(record.email) == Some(Class::Junk)) {
                seen.marked.insert(record.email, says);
            }
        }
    }
    Ok(seen)
}

impl Watched {
    /// What the keywords say; with both of them nothing (RFC 9051 §2.3.2).
    fn class(&self, flags: Flags) -> Option<Class> {
        let has = |flag: Flags| !flag.is_empty() && flags.contains(flag);
        match (has(self.junk), has(self.not_junk)) {
            (true, false) => Some(Class::Junk),
            (false, true) => Some(Class::Good),
            _ => None,
        }
    }
}

/// Messages that have come into a mailbox for junk, or were marked as good in there.
async fn arrivals(
    account: &Account,
    watched: &Watched,
    seen: &Seen,
    learned: &Learned,
) -> Result<BTreeMap<EmailId, Option<Class>>> {
    let mut wanted = BTreeMap::new();
    let mut unknown = Vec::new();
    for (email, flags) in &seen.in_junk {
        if watched.class(*flags) == Some(Class::Good) {
            wanted.insert(*email, Some(Class::Good));
        } else if !learned.in_junk.contains(email) {
            wanted.insert(*email, Some(Class::Junk));
            unknown.push(*email);
        }
    }
    // Far more than is learned at a time need not be read.
    let newest = unknown.len().saturating_sub(2 * MOST_LESSONS);
    for email in unknown.drain(..newest) {
        wanted.remove(&email);
    }
    unknown.retain(|email| learned.class(*email).is_none());
    for page in unknown.chunks(PAGE * 4) {
        for row in account.hub.0.storage.emails(account.id, page).await? {
            // Its own judgement teaches the hub nothing.
            if told_at_delivery(&row.prefix).is_some_and(|told| told.junk) {
                wanted.remove(&row.id);
            }
        }
    }
    Ok(wanted)
}

/// Where messages lie that have left the mailboxes for junk, but for the trash. Those that are gone
/// are forgotten: what was learned of them stays.
async fn departures(
    account: &Account,
    watched: &Watched,
    seen: &Seen,
    learned: &mut Learned,
) -> Result<BTreeMap<EmailId, Vec<(MailboxId, u32)>>> {
    let left = learned.in_junk.iter().filter(|email| !seen.in_junk.contains_key(*email));
    let left: Vec<EmailId> = left.copied().collect();
    let mut departures: BTreeMap<EmailId, Vec<(MailboxId, u32)>> = BTreeMap::new();
    let mut exist = BTreeSet::new();
    for (email, mailbox, uid) in account.hub.0.storage.places(account.id, &left).await? {
        exist.insert(email);
        if !seen.trash.contains(&mailbox) && !watched.mailboxes.contains(&mailbox) {
            departures.entry(email).or_default().push((mailbox, uid));
        }
    }
    for email in left.iter().filter(|email| !exist.contains(*email)) {
        learned.note(*email, None);
    }
    Ok(departures)
}

/// Adds good messages if there are too few: the newest that were read and kept.
async fn add_read_messages(
    account: &Account,
    mailboxes: &[MailboxInfo],
    watched: &Watched,
    filter: &Filter,
    learned: &Learned,
    wanted: &mut BTreeMap<EmailId, Option<Class>>,
) -> Result<()> {
    let count = |class| wanted.values().filter(|wanted| **wanted == Some(class)).count() as u32;
    let junk = filter.words.junk() + count(Class::Junk);
    let good = filter.words.good() + count(Class::Good);
    let mut missing = (junk.saturating_mul(2).min(MOST_READ).saturating_sub(good) as usize).min(READ_AT_ONCE);
    let keeps = |mailbox: &&MailboxInfo| matches!(mailbox.role, Some(Role::Inbox | Role::Archive));
    for mailbox in mailboxes.iter().filter(keeps) {
        if missing == 0 {
            break;
        }
        let snapshot = account.messages().open(mailbox.id).await?.snapshot();
        for record in (0..snapshot.len()).rev().filter_map(|index| snapshot.get(index)) {
            let unwanted = Flags::DELETED | Flags::DRAFT | watched.junk;
            let is_kept = record.flags.contains(Flags::SEEN) && (record.flags & unwanted).is_empty();
            if is_kept && learned.class(record.email).is_none() && !wanted.contains_key(&record.email) {
                wanted.insert(record.email, Some(Class::Good));
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Learns the messages and keeps what is known now.
async fn learn(
    hub: &Hub,
    account: &Account,
    mut filter: Filter,
    mut learned: Learned,
    wanted: BTreeMap<EmailId, Option<Class>>,
) -> Result<()> {
    let today = today();
    let emails: Vec<EmailId> = wanted.keys().copied().collect();
    let mut lessons = Vec::with_capacity(emails.len());
    for page in emails.chunks(PAGE) {
        for (email, read) in read(&account.messages(), page).await? {
            let (before, now) = (learned.class(email), wanted.get(&email).copied().flatten());
            for sender in read.senders {
                filter.senders.learn(sender, before, now, today);
            }
            lessons.push(Lesson { tokens: read.tokens, before, now });
            learned.note(email, now);
        }
    }
    let count = lessons.len();
    let work = move || {
        let is_old = filter.words.learn(&lessons);
        (filter, is_old)
    };
    let (mut filter, is_old) = apart(work).await?;
    if is_old {
        learned.forget_classes();
    }
    filter.senders.tidy();
    let parts = vec![(Part::Words, filter.words.encode()), (Part::Senders, filter.senders.encode())];
    let progress = Some((learned.modseq, learned.encode()));
    keep(hub, vec![(account.id, Kept { progress, parts })]).await?;
    if count > 0 {
        let (good, junk) = (filter.words.good(), filter.words.junk());
        tracing::info!(twin = %account.handle(), messages = count, good, junk, "the junk filter has learned");
    }
    Ok(())
}

/// What is learned of a message.
struct Read {
    tokens: Tokens,
    senders: Vec<SenderKey>,
}

/// Reads messages; those that are gone meanwhile are left out.
async fn read(messages: &Messages<'_>, emails: &[EmailId]) -> Result<Vec<(EmailId, Read)>> {
    let rows = messages.storage().emails(messages.account.id, emails).await?;
    let blobs: Vec<_> = rows.iter().map(|row| (row.blob, LOOKED_AT)).collect();
    let starts = messages.storage().read_starts(&blobs).await?;
    let work: Vec<(EmailId, Message, Bytes)> =
        rows.into_iter().zip(starts).map(|(row, start)| (row.id, Message::from(row), start)).collect();
    apart(move || {
        let one = |(email, message, start): &(EmailId, Message, Bytes)| -> Result<(EmailId, Read)> {
            let view = crate::search::view(message)?;
            let parts: Vec<_> = view.parts().collect();
            let tokens = Tokens::of(start, view.header_length(), &parts);
            let told = told_at_delivery(&message.prefix).unwrap_or_default();
            Ok((*email, Read { tokens, senders: senders(&told, view.author_addresses()) }))
        };
        work.iter().map(one).collect()
    })
    .await?
}

/// Who was found to answer for a message when it came.
fn senders<'a>(told: &Told, mut authors: impl Iterator<Item = &'a str>) -> Vec<SenderKey> {
    let mut keys: Vec<SenderKey> = told.domains.iter().map(|domain| SenderKey::domain(domain)).collect();
    if let (true, Some(author), None) = (told.authentic, authors.next(), authors.next()) {
        keys.push(SenderKey::address(author));
    }
    keys
}

/// Takes `$Junk` from messages that have left the junk: whoever only moves them means that too.
async fn clear_left_over(
    account: &Account,
    watched: &Watched,
    departures: BTreeMap<EmailId, Vec<(MailboxId, u32)>>,
) -> Result<()> {
    let mut places: BTreeMap<MailboxId, IdSet> = BTreeMap::new();
    for (mailbox, uid) in departures.into_values().flatten() {
        places.entry(mailbox).or_default().insert(uid.into());
    }
    if watched.junk.is_empty() {
        return Ok(());
    }
    for (mailbox, uids) in places {
        account.messages().change_flags(mailbox, &uids, FlagChange::Remove(watched.junk), None).await?;
    }
    Ok(())
}

/// Notes whom twins wrote to.
async fn note_written_to(hub: &Hub) -> Result<()> {
    let waiting: Vec<_> = std::mem::take(&mut *locked(&hub.0.junk.written_to)).into_iter().collect();
    let today = today();
    for accounts in waiting.chunks(ACCOUNTS) {
        let mut kept = Vec::with_capacity(accounts.len());
        for (account, keys) in accounts {
            let filter = hub.0.junk.filter(&hub.0.storage, *account).await?.unwrap_or_default();
            let mut senders = filter.senders.clone();
            keys.iter().for_each(|key| senders.wrote_to(*key, today));
            senders.tidy();
            let parts = vec![(Part::Senders, senders.encode())];
            kept.push((*account, Kept { progress: None, parts }));
        }
        keep(hub, kept).await?;
    }
    Ok(())
}

async fn keep(hub: &Hub, kept: Vec<(AccountId, Kept)>) -> Result<()> {
    let accounts: Vec<AccountId> = kept.iter().map(|(account, _)| *account).collect();
    let locked_accounts = accounts.clone();
    hub.0.storage.transact(locked_accounts, move |tx| Box::pin(junk::keep(tx, kept))).await?;
    for account in accounts {
        locked(&hub.0.junk.known).insert(account);
        hub.0.junk.filters.remove(&account);
    }
    Ok(())
}

fn today() -> u32 {
    u32::try_from(unix_now() / 86_400).unwrap_or(0)
}

//! What has changed of mailboxes, e-mails and threads since a modseq: the journal, and the records in
//! memory, whose modseqs tell of flags.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hub_storage::{Journal, Kind};

use crate::emails::Emails;
use crate::{Account, EmailId, MailboxInfo, Modseq, Result};

/// Ids that are new, other than before, or gone. An object that came and went is in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub created: Vec<i64>,
    pub updated: Vec<i64>,
    pub destroyed: Vec<i64>,
    /// What this leads to; later changes are asked for with it.
    pub state: Modseq,
    /// This is not all.
    pub more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Created,
    Updated,
    Destroyed,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    modseq: Modseq,
    id: i64,
    what: What,
}

impl Emails<'_> {
    /// The state of mailboxes, e-mails and threads: the modseq of their last change.
    pub async fn state(&self) -> Result<Modseq> {
        let account = self.account;
        let heads = account.hub.0.storage.heads(account.id).await?;
        let infos = account.messages().mailboxes().await?;
        // A mailbox that was deleted took its modseq along: that it was is later than that.
        let last = infos.iter().map(|info| info.modseq).max().unwrap_or(0);
        Ok(last.max(heads.email).max(heads.mailbox))
    }

    /// E-mails, `most` of them at most. `None` if that cannot be told: too long ago, or too much at once.
    pub async fn changes(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.state().await?;
        let Some(events) = self.email_events(since).await? else { return Ok(None) };
        let Some(mut changes) = fold(events, state, most) else { return Ok(None) };
        self.leave_out_deleted(&mut changes).await?;
        Ok(Some(changes))
    }

    /// Mailboxes, and whether only their counters are other than before.
    pub async fn mailbox_changes(&self, since: Modseq, most: usize) -> Result<Option<(Changes, bool)>> {
        let state = self.state().await?;
        let Some(journal) = self.journal(Kind::Mailbox, since).await? else { return Ok(None) };
        let mut events = events(&journal);
        let named: BTreeSet<i64> = events.iter().map(|event| event.id).collect();
        let counted = |info: MailboxInfo| Event { modseq: info.modseq, id: info.id.0, what: What::Updated };
        let infos = self.account.messages().mailboxes().await?.into_iter().filter(|info| info.modseq > since);
        events.extend(infos.map(counted));
        let changes = fold(events, state, most);
        Ok(changes.map(|changes| {
            let only_counted = changes.updated.iter().all(|id| !named.contains(id));
            (changes, only_counted)
        }))
    }

    /// Threads: those that e-mails have come to or gone from.
    pub async fn thread_changes(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.state().await?;
        let (emails, threads) =
            (self.journal(Kind::Email, since).await?, self.journal(Kind::Thread, since).await?);
        let (Some(emails), Some(threads)) = (emails, threads) else { return Ok(None) };
        let conversations = self.conversations().await?;
        // A thread is named after its first e-mail.
        let mut touched: BTreeMap<i64, (Modseq, bool)> = BTreeMap::new();
        for row in &emails.rows {
            for email in row.created.iter().map(|id| EmailId(id as i64)) {
                let Some(thread) = conversations.thread(email) else { continue };
                let (modseq, is_new) = touched.entry(thread).or_default();
                *modseq = (*modseq).max(row.modseq);
                *is_new |= thread == email.0;
            }
        }
        for row in &threads.rows {
            for thread in row.updated.iter() {
                let (modseq, _) = touched.entry(thread as i64).or_default();
                *modseq = (*modseq).max(row.modseq);
            }
        }
        let emails: Vec<EmailId> = touched.keys().flat_map(|thread| conversations.emails(*thread)).collect();
        let alive: BTreeSet<i64> =
            self.find(&emails).await?.into_values().map(|email| email.thread).collect();
        let event = |(id, (modseq, is_new)): (i64, (Modseq, bool))| {
            let what = match (alive.contains(&id), is_new) {
                (true, true) => What::Created,
                (true, false) => What::Updated,
                (false, true) => return None,
                (false, false) => What::Destroyed,
            };
            Some(Event { modseq, id, what })
        };
        Ok(fold(touched.into_iter().filter_map(event).collect(), state, most))
    }

    async fn journal(&self, kind: Kind, since: Modseq) -> Result<Option<Journal>> {
        Ok(self.account.hub.0.storage.journal_since(self.account.id, kind, 0, since).await?)
    }

    /// RFC 8621 §4.1.1: what has got `\Deleted` in all of its mailboxes has gone.
    async fn leave_out_deleted(&self, changes: &mut Changes) -> Result<()> {
        let ids: Vec<EmailId> =
            changes.created.iter().chain(&changes.updated).map(|id| EmailId(*id)).collect();
        let visible = self.find(&ids).await?;
        let is_visible = |id: &i64| visible.contains_key(&EmailId(*id));
        changes.created.retain(is_visible);
        let (updated, gone) = changes.updated.iter().copied().partition(is_visible);
        changes.updated = updated;
        changes.destroyed.extend::<Vec<i64>>(gone);
        changes.destroyed.sort_unstable();
        Ok(())
    }

    async fn email_events(&self, since: Modseq) -> Result<Option<Vec<Event>>> {
        let Some(journal) = self.journal(Kind::Email, since).await? else { return Ok(None) };
        let mut events = events(&journal);
        let messages = self.account.messages();
        for info in
            messages.mailboxes().await?.into_iter().filter(|info| info.selectable && info.modseq > since)
        {
            let Ok(open) = messages.open(info.id).await else { continue };
            let snapshot = open.snapshot();
            let newer = snapshot.iter().filter(|record| record.modseq > since);
            events.extend(newer.map(|record| Event {
                modseq: record.modseq,
                id: record.email.0,
                what: What::Updated,
            }));
        }
        Ok(Some(events))
    }
}

/// Changes of a kind that only the journal tells about: those after `since`, up to `state`.
pub(crate) async fn journal_changes(
    account: &Account,
    kind: Kind,
    (since, state): (Modseq, Modseq),
    most: usize,
) -> Result<Option<Changes>> {
    let journal = account.hub.0.storage.journal_since(account.id, kind, 0, since).await?;
    Ok(journal.and_then(|journal| folded(&journal, state, most)))
}

/// What a journal comes to, up to `state`; as [`fold`].
pub(crate) fn folded(journal: &Journal, state: Modseq, most: usize) -> Option<Changes> {
    fold(events(journal), state, most)
}

fn events(journal: &Journal) -> Vec<Event> {
    let mut events = Vec::new();
    for row in &journal.rows {
        let sets =
            [(&row.created, What::Created), (&row.updated, What::Updated), (&row.destroyed, What::Destroyed)];
        for (ids, what) in sets {
            events.extend(ids.iter().map(|id| Event { modseq: row.modseq, id: id as i64, what }));
        }
    }
    events
}

/// What the events come to, up to the last modseq with which they are not more than `most`; `None` if the
/// first is too much already.
fn fold(mut events: Vec<Event>, state: Modseq, most: usize) -> Option<Changes> {
    // Stable: within a modseq the journal, which knows what was made, comes first.
    events.sort_by_key(|event| event.modseq);
    let mut until = state;
    let mut sum = Sum::default();
    for commit in events.chunk_by(|a, b| a.modseq == b.modseq) {
        let before = commit.first().map_or(0, |event| event.modseq.saturating_sub(1));
        commit.iter().for_each(|event| sum.add(*event));
        if sum.0.len() > most {
            until = before;
            break;
        }
    }
    if until < state {
        let last = events.iter().rev().map(|event| event.modseq).find(|modseq| *modseq <= until)?;
        until = last;
        sum = Sum::default();
        events.iter().filter(|event| event.modseq <= last).for_each(|event| sum.add(*event));
        return Some(sum.changes(until, true));
    }
    Some(sum.changes(state, false))
}

#[derive(Default)]
struct Sum(HashMap<i64, What>);

impl Sum {
    fn add(&mut self, event: Event) {
        let before = self.0.get(&event.id).copied();
        match (before, event.what) {
            (Some(What::Created), What::Destroyed) => drop(self.0.remove(&event.id)),
            (Some(What::Created), _) | (Some(What::Destroyed), What::Updated) => {}
            (_, what) => drop(self.0.insert(event.id, what)),
        }
    }

    fn changes(self, state: Modseq, more: bool) -> Changes {
        let mut changes = Changes { state, more, ..Changes::default() };
        for (id, what) in self.0 {
            match what {
                What::Created => changes.created.push(id),
                What::Updated => changes.updated.push(id),
                What::Destroyed => changes.destroyed.push(id),
            }
        }
        for ids in [&mut changes.created, &mut changes.updated, &mut changes.destroyed] {
            ids.sort_unstable();
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(events: &[(Modseq, i64, What)], most: usize) -> Option<Changes> {
        let events = events.iter().map(|&(modseq, id, what)| Event { modseq, id, what }).collect();
        fold(events, 10, most)
    }

    #[test]
    fn changes_are_folded_and_cut() {
        use What::{Created, Destroyed, Updated};
        let events = [
            (1, 1, Created),
            (1, 1, Updated),
            (2, 2, Updated),
            (3, 1, Destroyed),
            (4, 3, Created),
            (5, 2, Destroyed),
        ];
        let all = Changes { created: vec![3], destroyed: vec![2], state: 10, ..Changes::default() };
        assert_eq!(cut(&events, 100), Some(all.clone()));
        // The first that does not fit is at 2: one id only up to there.
        let first = Changes { created: vec![1], state: 1, more: true, ..Changes::default() };
        assert_eq!(cut(&events, 1), Some(first));
        assert_eq!(cut(&events, 2), Some(all));
        assert_eq!(cut(&[(1, 1, Created), (1, 2, Created)], 1), None);
        assert_eq!(cut(&[], 0), Some(Changes { state: 10, ..Changes::default() }));
    }

    /// Whoever goes on from where the pages end knows the same as whoever asks for all.
    #[test]
    fn pages_are_the_whole() {
        use What::{Created, Destroyed, Updated};
        let events: Vec<_> = (1..40)
            .map(|n: u64| (n, (n * 7 % 11) as i64, [Created, Updated, Destroyed][(n % 3) as usize]))
            .collect();
        let mut known: BTreeMap<i64, bool> = BTreeMap::new();
        let mut since = 0;
        loop {
            let rest = events.iter().filter(|(modseq, ..)| *modseq > since);
            let rest = rest.map(|&(modseq, id, what)| Event { modseq, id, what }).collect();
            let page = fold(rest, 39, 3).expect("one a commit");
            page.created.iter().chain(&page.updated).for_each(|id| {
                known.insert(*id, true);
            });
            page.destroyed.iter().for_each(|id| {
                known.remove(id);
            });
            assert!(page.state > since || !page.more);
            since = page.state;
            if !page.more {
                break;
            }
        }
        let mut truth: BTreeMap<i64, bool> = BTreeMap::new();
        for (_, id, what) in events {
            match what {
                Created | Updated => {
                    truth.insert(id, true);
                }
                Destroyed => {
                    truth.remove(&id);
                }
            }
        }
        assert_eq!(known, truth);
    }
}

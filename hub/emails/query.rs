//! Email/query: candidates from the mailboxes in memory, filtered, sorted, one per thread if wanted.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hub_mime::collation_key;

use crate::emails::filter::{EmailFilter, KeywordScope, select, thread_flags};
use crate::emails::{Emails, Threads, combined, is_visible};
use crate::facts::{Fact, Key};
use crate::{EmailId, Flags, MailboxId, Modseq, OpenMailbox, Record, Result, Snapshot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailSortKey {
    From,
    Keyword(Flags, KeywordScope),
    ReceivedAt,
    SentAt,
    Size,
    Subject,
    To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailSort {
    pub key: EmailSortKey,
    pub descending: bool,
}

/// What a mailbox has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxCounts {
    pub emails: u32,
    pub unread_emails: u32,
    pub threads: u32,
    pub unread_threads: u32,
}

/// An e-mail of a [`Universe`], by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Candidate(u32);

/// An e-mail in one of the mailboxes of a [`Universe`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) place: u32,
    pub(crate) record: Record,
}

pub(crate) struct Open {
    pub(crate) mailbox: Arc<OpenMailbox>,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// All e-mails of some mailboxes at one moment.
pub(crate) struct Universe<'a> {
    pub(crate) emails: Emails<'a>,
    pub(crate) open: Vec<Open>,
    /// By e-mail.
    entries: Vec<Entry>,
    /// Where each e-mail's entries begin, and the end of all.
    starts: Vec<u32>,
    threads: Arc<Threads>,
}

impl Emails<'_> {
    /// The e-mails that match, in order, and the state that this is true of. Without anything to sort by the
    /// newest come first.
    pub async fn query(
        &self,
        filter: Option<&EmailFilter>,
        sort: &[EmailSort],
        collapse_threads: bool,
    ) -> Result<(Vec<EmailId>, Modseq)> {
        let state = self.state().await?;
        let by_keyword = sort.iter().any(|sort| matches!(sort.key, EmailSortKey::Keyword(..)));
        let only = filter.and_then(EmailFilter::only_mailbox).filter(|_| !by_keyword);
        let universe = self.universe(only).await?;
        let mut candidates: Vec<Candidate> = universe.all().collect();
        if let Some(filter) = filter {
            candidates = select(&universe, filter, candidates).await?;
        }
        let newest = [EmailSort { key: EmailSortKey::ReceivedAt, descending: true }];
        let mut sorted = universe.sorted(candidates, if sort.is_empty() { &newest } else { sort }).await?;
        if collapse_threads {
            let mut seen = HashSet::new();
            sorted.retain(|candidate| seen.insert(universe.thread(*candidate)));
        }
        Ok((sorted.into_iter().map(|candidate| universe.email(candidate)).collect(), state))
    }

    /// What is in each mailbox that has something (RFC 8621 §2). A thread is unread where it has an unread
    /// e-mail in whatever mailbox; drafts do not count, and what is in the trash only there.
    pub async fn count(&self, trash: Option<MailboxId>) -> Result<HashMap<MailboxId, MailboxCounts>> {
        let universe = self.universe(None).await?;
        let mut unread: HashMap<i64, (bool, bool)> = HashMap::new();
        for candidate in universe.all() {
            let entries = universe.entries(candidate);
            let flags = combined(entries.iter().map(|entry| entry.record.flags));
            if flags.contains(Flags::SEEN) || flags.contains(Flags::DRAFT) {
                continue;
            }
            let in_trash = |entry: &Entry| Some(universe.mailbox(entry)) == trash;
            let (inside, outside) = unread.entry(universe.thread(candidate)).or_default();
            *inside |= entries.iter().any(in_trash);
            *outside |= !entries.iter().all(in_trash);
        }
        let mut threads: HashSet<(u32, i64)> = HashSet::new();
        let mut counts: HashMap<MailboxId, MailboxCounts> = HashMap::new();
        for candidate in universe.all() {
            let thread = universe.thread(candidate);
            let flags = combined(universe.entries(candidate).iter().map(|entry| entry.record.flags));
            let is_unread = (flags & (Flags::SEEN | Flags::DRAFT)).is_empty();
            for entry in universe.entries(candidate) {
                let mailbox = universe.mailbox(entry);
                let counts = counts.entry(mailbox).or_default();
                counts.emails += 1;
                counts.unread_emails += u32::from(is_unread);
                if threads.insert((entry.place, thread)) {
                    let (inside, outside) = unread.get(&thread).copied().unwrap_or_default();
                    counts.threads += 1;
                    counts.unread_threads += u32::from(if Some(mailbox) == trash { inside } else { outside });
                }
            }
        }
        Ok(counts)
    }

    async fn universe(&self, only: Option<MailboxId>) -> Result<Universe<'_>> {
        let messages = self.account.messages();
        let infos = match only {
            Some(mailbox) => messages.mailboxes_with(&[mailbox]).await?,
            None => messages.mailboxes().await?,
        };
        let mut open = Vec::new();
        let mut entries = Vec::new();
        for info in infos.into_iter().filter(|info| info.selectable && info.total > 0) {
            // Deleted since.
            let Ok(mailbox) = messages.open(info.id).await else { continue };
            let snapshot = mailbox.snapshot();
            let place = open.len() as u32;
            let visible = snapshot.iter().filter(|record| is_visible(record));
            entries.extend(visible.map(|record| Entry { place, record: *record }));
            open.push(Open { mailbox, snapshot });
        }
        // Mostly in runs that ascend.
        entries.sort_by_key(|entry| entry.record.email);
        let mut starts: Vec<u32> = Vec::with_capacity(entries.len() + 1);
        for (at, entry) in entries.iter().enumerate() {
            if at == 0 || entries[at - 1].record.email != entry.record.email {
                starts.push(at as u32);
            }
        }
        starts.push(entries.len() as u32);
        Ok(Universe { emails: *self, open, entries, starts, threads: self.conversations().await? })
    }
}

/// What is mostly sorted by: each comparison is one of two numbers that lie beside each other. What is
/// equal stays in order.
fn by_number(candidates: &[Candidate], values: &[i64], descending: bool) -> Vec<Candidate> {
    let key = |value: i64| if descending { !value } else { value };
    let keys = values.iter().zip(0u32..).map(|(value, at)| (key(*value), at));
    let mut keys: Vec<(i64, u32)> = keys.collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, at)| candidates[at as usize]).collect()
}

impl Universe<'_> {
    pub(crate) fn all(&self) -> impl Iterator<Item = Candidate> + use<> {
        (0..self.starts.len().saturating_sub(1) as u32).map(Candidate)
    }

    pub(crate) fn entries(&self, candidate: Candidate) -> &[Entry] {
        let at = candidate.0 as usize;
        &self.entries[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    pub(crate) fn email(&self, candidate: Candidate) -> EmailId {
        self.entries(candidate).first().map_or(EmailId(0), |entry| entry.record.email)
    }

    pub(crate) fn mailbox(&self, entry: &Entry) -> MailboxId {
        self.open[entry.place as usize].mailbox.id()
    }

    pub(crate) fn thread(&self, candidate: Candidate) -> i64 {
        let email = self.email(candidate);
        self.threads.thread(email).unwrap_or(email.0)
    }

    async fn sorted(&self, candidates: Vec<Candidate>, sort: &[EmailSort]) -> Result<Vec<Candidate>> {
        let mut columns = Vec::with_capacity(sort.len());
        for criterion in sort {
            columns.push((criterion.descending, self.column(criterion.key, &candidates).await?));
        }
        if let [(descending, Column::Numbers(values))] = columns.as_slice() {
            return Ok(by_number(&candidates, values, *descending));
        }
        let mut order: Vec<u32> = (0..candidates.len() as u32).collect();
        // Stable, and quick for what is nearly sorted: mailboxes are in the order of arrival.
        order.sort_by(|&a, &b| {
            let orderings = columns.iter().map(|(descending, column)| {
                let ordering = column.compare(a as usize, b as usize);
                if *descending { ordering.reverse() } else { ordering }
            });
            orderings.fold(Ordering::Equal, Ordering::then)
        });
        Ok(order.into_iter().map(|at| candidates[at as usize]).collect())
    }

    async fn column(&self, key: EmailSortKey, candidates: &[Candidate]) -> Result<Column> {
        let first = |candidate: &Candidate| self.entries(*candidate).first().map(|entry| entry.record);
        let number = |of: fn(&Record) -> i64| {
            Column::Numbers(candidates.iter().map(|one| first(one).map_or(0, |record| of(&record))).collect())
        };
        match key {
            EmailSortKey::ReceivedAt => Ok(number(|record| record.received_at)),
            EmailSortKey::Size => Ok(number(|record| i64::from(record.size))),
            EmailSortKey::Keyword(flags, scope) => {
                let threads = match scope {
                    KeywordScope::Email => HashMap::new(),
                    _ => thread_flags(self, scope),
                };
                let has = |candidate: &Candidate| {
                    let known = match scope {
                        KeywordScope::Email => {
                            combined(self.entries(*candidate).iter().map(|entry| entry.record.flags))
                        }
                        _ => threads.get(&self.thread(*candidate)).copied().unwrap_or_default(),
                    };
                    i64::from(!flags.is_empty() && known.contains(flags))
                };
                Ok(Column::Numbers(candidates.iter().map(has).collect()))
            }
            EmailSortKey::From => self.texts(Key::DisplayFrom, candidates).await,
            EmailSortKey::Subject => self.texts(Key::BaseSubject, candidates).await,
            EmailSortKey::To => self.texts(Key::DisplayTo, candidates).await,
            EmailSortKey::SentAt => {
                let sent = |fact: Option<Fact<'_>>, record: &Record| crate::sort::sent_at(fact, record);
                let values = self.facts(candidates, &sent).await?;
                Ok(Column::Numbers(values.into_iter().map(Option::unwrap_or_default).collect()))
            }
        }
    }

    async fn texts(&self, key: Key, candidates: &[Candidate]) -> Result<Column> {
        let text = |fact: Option<Fact<'_>>, _: &Record| {
            fact.map_or_else(String::new, |fact| collation_key(fact.key(key)))
        };
        let values = self.facts(candidates, &text).await?;
        Ok(Column::Texts(values.into_iter().map(Option::unwrap_or_default).collect()))
    }

    /// What `value` makes of the header facts of each candidate.
    async fn facts<T>(
        &self,
        candidates: &[Candidate],
        value: &(dyn Fn(Option<Fact<'_>>, &Record) -> T + Sync),
    ) -> Result<Vec<Option<T>>> {
        let mut values: Vec<Option<T>> = candidates.iter().map(|_| None).collect();
        let mut wanted: HashMap<u32, Vec<(usize, Record)>> = HashMap::new();
        for (at, candidate) in candidates.iter().enumerate() {
            if let Some(entry) = self.entries(*candidate).first() {
                wanted.entry(entry.place).or_default().push((at, entry.record));
            }
        }
        let messages = self.emails.account.messages();
        for (place, places) in wanted {
            let open = &self.open[place as usize];
            let records: Vec<Record> = places.iter().map(|(_, record)| *record).collect();
            let table = messages.facts(open.mailbox.id(), &open.snapshot, &records).await?;
            let mut cursor = table.cursor();
            for (at, record) in places {
                values[at] = Some(value(cursor.find(record.email), &record));
            }
        }
        Ok(values)
    }
}

enum Column {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

impl Column {
    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a].cmp(&numbers[b]),
            Self::Texts(texts) => texts[a].cmp(&texts[b]),
        }
    }
}

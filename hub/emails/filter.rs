//! Filters of e-mails (RFC 8621 §4.4.1), and which candidates they leave.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use hub_storage::EmailId;

use crate::emails::combined;
use crate::emails::query::{Candidate, Universe};
use crate::{Criterion, Flags, IdSet, MailboxId, Progress, Result};

/// Whose flags a keyword is sought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeywordScope {
    AllInThread,
    Email,
    SomeInThread,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailFilter {
    /// Received at this second or later.
    After(i64),
    And(Vec<Self>),
    Before(i64),
    HasAttachment,
    InMailbox(MailboxId),
    /// In a mailbox that is none of these.
    InMailboxOtherThan(Vec<MailboxId>),
    /// Empty flags are those of a keyword that the account does not have.
    Keyword(Flags, KeywordScope),
    /// Larger than or as large as so many bytes.
    MinSize(u64),
    Not(Box<Self>),
    Or(Vec<Self>),
    Smaller(u64),
    Text(Criterion),
}

impl EmailFilter {
    /// The mailbox that everything lies in, if the filter can be decided by what lies there alone.
    pub(crate) fn only_mailbox(&self) -> Option<MailboxId> {
        match self {
            Self::InMailbox(mailbox) => Some(*mailbox),
            Self::And(all) => {
                let mailbox = all.iter().find_map(|part| match part {
                    Self::InMailbox(mailbox) => Some(*mailbox),
                    _ => None,
                })?;
                all.iter().all(|part| part.suffices(mailbox)).then_some(mailbox)
            }
            _ => None,
        }
    }

    fn suffices(&self, mailbox: MailboxId) -> bool {
        match self {
            Self::InMailbox(other) => *other == mailbox,
            Self::InMailboxOtherThan(_) | Self::Keyword(..) => false,
            Self::And(all) | Self::Or(all) => all.iter().all(|part| part.suffices(mailbox)),
            Self::Not(inner) => inner.suffices(mailbox),
            _ => true,
        }
    }

    /// Messages must be read, or much be looked up.
    fn is_dear(&self) -> bool {
        match self {
            Self::HasAttachment | Self::Text(_) => true,
            Self::And(all) | Self::Or(all) => all.iter().any(Self::is_dear),
            Self::Not(inner) => inner.is_dear(),
            _ => false,
        }
    }
}

/// Those of the candidates that match, in their order.
pub(crate) fn select<'a>(
    universe: &'a Universe<'_>,
    filter: &'a EmailFilter,
    candidates: Vec<Candidate>,
) -> Pin<Box<dyn Future<Output = Result<Vec<Candidate>>> + Send + 'a>> {
    Box::pin(async move {
        match filter {
            EmailFilter::And(all) => {
                let mut left = candidates;
                let (dear, cheap): (Vec<_>, Vec<_>) = all.iter().partition(|part| part.is_dear());
                for part in cheap.into_iter().chain(dear) {
                    left = select(universe, part, left).await?;
                }
                Ok(left)
            }
            EmailFilter::Or(any) => {
                let mut found = HashSet::new();
                let mut left = candidates.clone();
                for part in any {
                    found.extend(select(universe, part, left.clone()).await?);
                    left.retain(|candidate| !found.contains(candidate));
                }
                Ok(candidates.into_iter().filter(|candidate| found.contains(candidate)).collect())
            }
            EmailFilter::Not(inner) => {
                let found: HashSet<Candidate> =
                    select(universe, inner, candidates.clone()).await?.into_iter().collect();
                Ok(candidates.into_iter().filter(|candidate| !found.contains(candidate)).collect())
            }
            EmailFilter::HasAttachment => with_attachment(universe, candidates).await,
            EmailFilter::Text(criterion) => with_text(universe, criterion, candidates).await,
            EmailFilter::Keyword(flags, scope) if *scope != KeywordScope::Email => {
                Ok(by_thread(universe, *flags, *scope, candidates))
            }
            leaf => {
                Ok(candidates.into_iter().filter(|candidate| matches(universe, leaf, *candidate)).collect())
            }
        }
    })
}

fn matches(universe: &Universe<'_>, leaf: &EmailFilter, candidate: Candidate) -> bool {
    let entries = universe.entries(candidate);
    let Some(first) = entries.first() else { return false };
    match leaf {
        EmailFilter::After(second) => first.record.received_at >= *second,
        EmailFilter::Before(second) => first.record.received_at < *second,
        EmailFilter::InMailbox(mailbox) => entries.iter().any(|entry| universe.mailbox(entry) == *mailbox),
        EmailFilter::InMailboxOtherThan(mailboxes) => {
            entries.iter().any(|entry| !mailboxes.contains(&universe.mailbox(entry)))
        }
        EmailFilter::Keyword(flags, _) => {
            !flags.is_empty() && combined(entries.iter().map(|entry| entry.record.flags)).contains(*flags)
        }
        EmailFilter::MinSize(size) => u64::from(first.record.size) >= *size,
        EmailFilter::Smaller(size) => u64::from(first.record.size) < *size,
        EmailFilter::And(_)
        | EmailFilter::HasAttachment
        | EmailFilter::Not(_)
        | EmailFilter::Or(_)
        | EmailFilter::Text(_) => false,
    }
}

/// The flags that all e-mails of each thread have, or some.
pub(crate) fn thread_flags(universe: &Universe<'_>, scope: KeywordScope) -> HashMap<i64, Flags> {
    let mut threads: HashMap<i64, Flags> = HashMap::new();
    for candidate in universe.all() {
        let flags = combined(universe.entries(candidate).iter().map(|entry| entry.record.flags));
        let thread = universe.thread(candidate);
        threads
            .entry(thread)
            .and_modify(|known| {
                *known = match scope {
                    KeywordScope::AllInThread => *known & flags,
                    KeywordScope::Email | KeywordScope::SomeInThread => *known | flags,
                }
            })
            .or_insert(flags);
    }
    threads
}

fn by_thread(
    universe: &Universe<'_>,
    flags: Flags,
    scope: KeywordScope,
    candidates: Vec<Candidate>,
) -> Vec<Candidate> {
    if flags.is_empty() {
        return Vec::new();
    }
    let threads = thread_flags(universe, scope);
    let has = |candidate: &Candidate| {
        threads.get(&universe.thread(*candidate)).is_some_and(|known| known.contains(flags))
    };
    candidates.into_iter().filter(has).collect()
}

async fn with_attachment(universe: &Universe<'_>, candidates: Vec<Candidate>) -> Result<Vec<Candidate>> {
    /// Summaries that are read at once.
    const PAGE: usize = 4096;
    let mut found: HashSet<EmailId> = HashSet::new();
    let account = universe.emails.account;
    for page in candidates.chunks(PAGE) {
        let ids: Vec<EmailId> = page.iter().map(|candidate| universe.email(*candidate)).collect();
        let take = |row: hub_storage::SummaryRow<'_>| {
            let structure = hub_mime::SummaryView::new(row.summary).map(|view| view.body_structure());
            if structure.is_some_and(hub_mime::has_attachment) {
                found.insert(row.email);
            }
        };
        account.hub.0.storage.summaries(account.id, &ids, take).await?;
        tokio::task::yield_now().await;
    }
    Ok(candidates.into_iter().filter(|candidate| found.contains(&universe.email(*candidate))).collect())
}

/// By the search of IMAP, in one of the mailboxes of each candidate.
async fn with_text(
    universe: &Universe<'_>,
    criterion: &Criterion,
    candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>> {
    let mut places: HashMap<u32, IdSet> = HashMap::new();
    for candidate in &candidates {
        if let Some(entry) = universe.entries(*candidate).first() {
            places.entry(entry.place).or_default().insert(entry.record.uid.into());
        }
    }
    let mut found: HashSet<EmailId> = HashSet::new();
    let messages = universe.emails.account.messages();
    for (place, uids) in places {
        let Some(open) = universe.open.get(place as usize) else { continue };
        let criterion = Criterion::And(vec![Criterion::Uids(uids), criterion.clone()]);
        let indexes =
            messages.search(&open.mailbox, &open.snapshot, &criterion, &Progress::default()).await?;
        found.extend(indexes.iter().filter_map(|index| open.snapshot.get(*index)).map(|record| record.email));
    }
    Ok(candidates.into_iter().filter(|candidate| found.contains(&universe.email(*candidate))).collect())
}

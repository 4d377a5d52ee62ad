//! Changing e-mails as wholes: many in one transaction, each with all of its change or none.

use std::collections::{BTreeMap, BTreeSet};

use hub_storage::{MailboxRow, Placed, Tx, append_within, emails as rows, mailboxes, messages};

use crate::emails::{Emails, is_visible};
use crate::{AccountId, EmailId, Error, Flags, IdSet, MailboxId, NewMessage, Result};

/// What is to become of an e-mail. Flags change in all mailboxes that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailChange {
    pub email: EmailId,
    pub into: Vec<MailboxId>,
    pub out_of: Vec<MailboxId>,
    pub set: Flags,
    pub clear: Flags,
}

/// A message for one or more mailboxes.
pub struct NewEmailIn {
    pub mailboxes: Vec<MailboxId>,
    pub message: NewMessage,
}

/// UIDs by what is done with them, so that many messages are few statements.
#[derive(Default)]
struct Plan {
    flags: BTreeMap<(MailboxId, u64, u64), IdSet>,
    moves: BTreeMap<(MailboxId, MailboxId), IdSet>,
    copies: BTreeMap<(MailboxId, MailboxId), IdSet>,
    removals: BTreeMap<MailboxId, IdSet>,
}

impl Emails<'_> {
    /// Carries out changes; says of each whether it was. `NotFound` for an e-mail or mailbox that is not
    /// there, `Invalid` for an e-mail that would lie nowhere, `OverQuota`.
    pub async fn change(&self, changes: Vec<EmailChange>) -> Vec<Result<()>> {
        match self.change_together(changes.clone()).await {
            Ok(results) => results,
            // What one of them cannot have the others can.
            Err(Error::OverQuota { .. } | Error::Limit(_)) if changes.len() > 1 => {
                let mut results = Vec::with_capacity(changes.len());
                for change in changes {
                    let alone = self.change_together(vec![change]).await;
                    results.push(alone.and_then(|mut results| results.pop().unwrap_or(Ok(()))));
                }
                results
            }
            Err(error) => {
                let text = error.to_string();
                let mut first = Some(error);
                changes
                    .iter()
                    .map(|_| Err(first.take().unwrap_or_else(|| Error::Invalid(text.clone()))))
                    .collect()
            }
        }
    }

    async fn change_together(&self, changes: Vec<EmailChange>) -> Result<Vec<Result<()>>> {
        let account = self.account.id;
        let storage = &self.account.hub.0.storage;
        Ok(storage
            .transact([account], move |tx| {
                Box::pin(async move { change_within(tx, account, &changes).await })
            })
            .await?)
    }

    /// Removes e-mails from all mailboxes; returns those that there were.
    pub async fn destroy(&self, emails: Vec<EmailId>) -> Result<BTreeSet<EmailId>> {
        let account = self.account.id;
        let storage = &self.account.hub.0.storage;
        Ok(storage
            .transact([account], move |tx| {
                Box::pin(async move {
                    let alive = selectable(tx, account).await?;
                    let mut found = BTreeSet::new();
                    let mut plan = Plan::default();
                    let places = rows::places(tx, account, &emails).await?;
                    for placed in places.iter().filter(|placed| alive.contains(&placed.mailbox)) {
                        found.insert(placed.record.email);
                        plan.removals.entry(placed.mailbox).or_default().insert(placed.record.uid.into());
                    }
                    carry_out(tx, account, plan).await?;
                    Ok(found)
                })
            })
            .await?)
    }

    /// Puts a message into mailboxes, as one e-mail. `NotFound`, `OverQuota`, `Invalid` without a mailbox.
    pub async fn create(&self, new: NewEmailIn) -> Result<EmailId> {
        let account = self.account.id;
        let NewEmailIn { mailboxes, message } = new;
        let mut others = mailboxes.into_iter().collect::<BTreeSet<MailboxId>>();
        let first = others.pop_first().ok_or_else(|| Error::Invalid("an e-mail lies in a mailbox".into()))?;
        let NewMessage { incoming, flags, received_at } = message;
        let email = incoming.into_email((account, first), Vec::new(), flags, received_at);
        let storage = &self.account.hub.0.storage;
        if others.is_empty() {
            // Neighbours share statements.
            let appended = storage.append(vec![email]).await?.pop();
            return appended.map(|appended| appended.email).ok_or(Error::NotFound("message"));
        }
        Ok(storage
            .transact([account], move |tx| {
                Box::pin(async move {
                    let appended = append_within(tx, &[email]).await?.pop();
                    let appended = appended.ok_or(hub_storage::Error::NotFound("message"))?;
                    let uid = IdSet::range(appended.uid.into(), appended.uid.into());
                    for other in others {
                        messages::copy(tx, account, first, &uid, other).await?;
                    }
                    Ok(appended.email)
                })
            })
            .await?)
    }
}

/// Mailboxes that can hold messages.
async fn selectable(tx: &mut Tx, account: AccountId) -> hub_storage::Result<BTreeSet<MailboxId>> {
    let rows = mailboxes::list(tx, account).await?;
    Ok(rows.iter().filter(|row| row.selectable).map(|row: &MailboxRow| row.id).collect())
}

async fn change_within(
    tx: &mut Tx,
    account: AccountId,
    changes: &[EmailChange],
) -> hub_storage::Result<Vec<Result<()>>> {
    let alive = selectable(tx, account).await?;
    let emails: Vec<EmailId> = changes.iter().map(|change| change.email).collect();
    let mut places: BTreeMap<EmailId, Vec<Placed>> = BTreeMap::new();
    for placed in rows::places(tx, account, &emails).await? {
        if is_visible(&placed.record) && alive.contains(&placed.mailbox) {
            places.entry(placed.record.email).or_default().push(placed);
        }
    }
    let mut plan = Plan::default();
    let none = Vec::new();
    let results = changes
        .iter()
        .map(|change| plan.add(change, places.get(&change.email).unwrap_or(&none), &alive))
        .collect();
    carry_out(tx, account, plan).await?;
    Ok(results)
}

impl Plan {
    fn add(&mut self, change: &EmailChange, places: &[Placed], alive: &BTreeSet<MailboxId>) -> Result<()> {
        let Some(first) = places.first() else { return Err(Error::NotFound("e-mail")) };
        let lies_in = |mailbox: &MailboxId| places.iter().any(|placed| placed.mailbox == *mailbox);
        let into: Vec<MailboxId> = change.into.iter().copied().filter(|mailbox| !lies_in(mailbox)).collect();
        if into.iter().any(|mailbox| !alive.contains(mailbox)) {
            return Err(Error::NotFound("mailbox"));
        }
        let leaving = |placed: &&Placed| change.out_of.contains(&placed.mailbox);
        let gone: Vec<&Placed> = places.iter().filter(leaving).collect();
        if gone.len() == places.len() && into.is_empty() {
            return Err(Error::Invalid("an e-mail lies in a mailbox".into()));
        }
        if !(change.set | change.clear).is_empty() {
            for placed in places {
                let key = (placed.mailbox, change.set.0, change.clear.0);
                self.flags.entry(key).or_default().insert(placed.record.uid.into());
            }
        }
        match (gone.as_slice(), into.as_slice()) {
            ([from], [to]) => {
                self.moves.entry((from.mailbox, *to)).or_default().insert(from.record.uid.into());
            }
            _ => {
                for to in into {
                    self.copies.entry((first.mailbox, to)).or_default().insert(first.record.uid.into());
                }
                for placed in gone {
                    self.removals.entry(placed.mailbox).or_default().insert(placed.record.uid.into());
                }
            }
        }
        Ok(())
    }
}

/// Flags first, so that copies have them; removals last, so that no e-mail lies nowhere in between.
async fn carry_out(tx: &mut Tx, account: AccountId, plan: Plan) -> hub_storage::Result<()> {
    for ((mailbox, set, clear), uids) in plan.flags {
        messages::change_flags(tx, account, mailbox, &uids, Flags(set), Flags(clear), None).await?;
    }
    for ((from, to), uids) in plan.copies {
        messages::copy(tx, account, from, &uids, to).await?;
    }
    for ((from, to), uids) in plan.moves {
        messages::move_to(tx, account, from, &uids, to).await?;
    }
    for (mailbox, uids) in plan.removals {
        messages::expunge(tx, account, mailbox, &uids, Flags::NONE).await?;
    }
    Ok(())
}

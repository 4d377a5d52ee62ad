//! What goes on from an account or an alias: to others here, or into the queue.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Course, Decided, Keep, Leg, Refusal};
use crate::outgoing::NOBODY;
use crate::queue::Leaving;
use crate::{
    AccountId, Address, Delivery, Hub, Incoming, Notify, Origin, Recipient, Result, Return, Route,
    SubmissionRecipient, Verdict,
};

/// Accounts that pass a message on to each other at most.
const LEGS: usize = 10;
/// Nobody hears what becomes of it.
const NEVER: Notify = Notify { delay: false, failure: false, success: false };

/// Where a message went that was passed on.
pub(super) enum Onward {
    /// To these accounts, which may have it by another way already.
    Here(Vec<AccountId>),
    /// It cannot be passed on, or would go round in a circle: whoever wanted that keeps it.
    Nowhere,
    Queued,
}

/// An account that does not keep a message, as others on this hub get it.
pub(super) struct Relying {
    pub(super) account: AccountId,
    pub(super) on: Vec<AccountId>,
    pub(super) keep: Keep,
}

impl Decided {
    /// Accounts that pass a message on to each other and to nobody else, each of which had it from the
    /// sender as well: one of them keeps it, or nobody would.
    pub(super) fn end_circles(&mut self) {
        let mut relying = std::mem::take(&mut self.relying);
        loop {
            let open: HashSet<_> = relying.iter().map(|relying| relying.account).collect();
            let before = relying.len();
            relying.retain(|relying| relying.on.iter().all(|account| open.contains(account)));
            if relying.len() == before {
                let Some(Relying { account, keep, .. }) = relying.pop() else { return };
                self.emails.push(keep.into_email(account));
            }
        }
    }
}

impl Hub {
    /// Passes a message on from an account, to an address that its rules name. `domain` is the account's.
    pub(super) async fn hand_on(
        &self,
        course: &mut Course<'_>,
        address: &str,
        domain: &str,
        passed: Leg,
    ) -> Result<Onward> {
        let Ok(address) = Address::parse(address) else { return Ok(Onward::Nowhere) };
        match self.route(&address).await? {
            Route::Unknown => Ok(Onward::Nowhere),
            Route::Local(members) => {
                let is_circle = members.accounts.iter().any(|account| passed.through.contains(account));
                if is_circle || passed.through.len() > LEGS {
                    return Ok(Onward::Nowhere);
                }
                for account in members.accounts.iter().filter(|account| course.reached.insert(**account)) {
                    course.legs.push_back(passed.to(*account, address.clone()));
                }
                if members.elsewhere.is_empty() {
                    return Ok(Onward::Here(members.accounts));
                }
                self.queue_on(course, passed, domain, members.elsewhere).await
            }
            Route::Elsewhere => self.queue_on(course, passed, domain, vec![address]).await,
        }
    }

    async fn queue_on(
        &self,
        course: &mut Course<'_>,
        passed: Leg,
        domain: &str,
        to: Vec<Address>,
    ) -> Result<Onward> {
        let account = passed.through.last().copied().unwrap_or(passed.account);
        let Leg { incoming, reverse_path, trace, .. } = passed;
        let named = self.named(course, domain, reverse_path.as_ref(), &trace, &incoming).await?;
        let leaving = Leaving { passed_on: true, ..leaving(course.delivery, account, named, incoming, &to) };
        course.decided.queued.push(self.new_queued(leaving)?);
        Ok(Onward::Queued)
    }

    /// Passes a message on to those whom aliases name elsewhere, each once.
    pub(super) async fn pass_to_members(&self, course: &mut Course<'_>) -> Result<()> {
        let delivery = course.delivery;
        let mut reached = HashSet::new();
        for recipient in &delivery.recipients {
            let new = recipient.members.elsewhere.iter().filter(|target| reached.insert(target.key()));
            let to: Vec<Address> = new.cloned().collect();
            if to.is_empty() || self.is_withheld(course, recipient).await? {
                continue;
            }
            let Recipient { address, .. } = recipient;
            // It ends loops.
            let trace = [format!("Delivered-To: {address}\r\n").as_bytes(), &delivery.trace].concat();
            let (path, incoming) = (delivery.reverse_path.as_ref(), delivery.incoming.clone());
            let named = self.named(course, address.domain(), path, &trace, &incoming).await?;
            // A twin hears of its own message as of any other; what comes back a second time is given up.
            let passed_on = matches!(delivery.origin, Origin::Front(_) | Origin::Hub | Origin::Outside(_));
            let leaving = Leaving { passed_on, ..leaving(delivery, NOBODY, named, incoming, &to) };
            course.decided.queued.push(self.new_queued(leaving)?);
        }
        Ok(())
    }

    /// What does not seem to be from whom it says is not passed on. Of an alias without an account here
    /// it is refused or, if others take it, put into the postmaster's Junk.
    async fn is_withheld(&self, course: &mut Course<'_>, recipient: &Recipient) -> Result<bool> {
        let delivery = course.delivery;
        if !delivery.origin.verdict().is_some_and(Verdict::is_suspicious) {
            return Ok(false);
        }
        if recipient.members.accounts.is_empty() {
            let Some(account) = self.postmaster().await?.members.accounts.first().copied() else {
                return Ok(false);
            };
            let prefix = Leg::first(delivery, &recipient.address, account).prefix(None);
            let keep = self.usual(account, &delivery.incoming, &prefix, true).await?;
            course.decided.asked += 1;
            course.decided.refused.push(Refusal {
                account,
                address: recipient.address.clone(),
                keep,
                is_junk: true,
                reason: "The message does not seem to be from whom it says".into(),
            });
        }
        Ok(true)
    }

    /// The reverse-path and the fields in front of a message that leaves in the name of a domain of ours.
    async fn named(
        &self,
        course: &Course<'_>,
        domain: &str,
        reverse_path: Option<&Address>,
        trace: &[u8],
        incoming: &Incoming,
    ) -> Result<(Option<Address>, Vec<u8>)> {
        let Course { delivery, .. } = course;
        let verdict = delivery.origin.verdict();
        let (path, mut prefix) = self.in_our_name(domain, reverse_path, verdict, trace, incoming).await?;
        // What a twin wrote is signed as if it left directly, unless somebody's rules have changed it.
        let is_as_written = Arc::ptr_eq(&incoming.blob, &delivery.incoming.blob);
        if matches!(delivery.origin, Origin::Twin) && is_as_written {
            prefix = [self.signatures(incoming).await?.into_bytes(), prefix].concat();
        }
        Ok((path, prefix))
    }

    /// RFC 5230 §5.1: from the null reverse-path, and nobody hears what becomes of it.
    pub(super) async fn send_answer(
        &self,
        course: &mut Course<'_>,
        account: AccountId,
        sender: &Address,
        answer: Incoming,
    ) -> Result<()> {
        let to = match self.route(sender).await? {
            Route::Unknown => return Ok(()),
            Route::Local(members) => {
                for account in members.accounts {
                    course.legs.push_back(Leg {
                        account,
                        address: sender.clone(),
                        incoming: answer.clone(),
                        reverse_path: None,
                        trace: Vec::new(),
                        is_answer: true,
                        through: Vec::new(),
                    });
                }
                members.elsewhere
            }
            Route::Elsewhere => vec![sender.clone()],
        };
        if !to.is_empty() {
            course.decided.queued.push(self.own(course.delivery, account, answer, &to).await?);
        }
        Ok(())
    }

    /// A message that the hub has written for a twin: signed, from the null reverse-path.
    pub(super) async fn own(
        &self,
        delivery: &Delivery,
        account: AccountId,
        incoming: Incoming,
        to: &[Address],
    ) -> Result<hub_storage::queue::NewQueued> {
        let prefix = self.signatures(&incoming).await?.into_bytes();
        let mut leaving = leaving(delivery, account, (None, prefix), incoming, to);
        leaving.recipients.iter_mut().for_each(|recipient| recipient.notify = NEVER);
        self.new_queued(leaving)
    }
}

/// A message for addresses elsewhere that follows from a delivery, and is protected like it (RFC 8689 §5,
/// §6).
fn leaving(
    delivery: &Delivery,
    account: AccountId,
    (reverse_path, prefix): (Option<Address>, Vec<u8>),
    incoming: Incoming,
    to: &[Address],
) -> Leaving {
    let recipient = |address: &Address| SubmissionRecipient {
        address: address.clone(),
        notify: Notify::default(),
        original: None,
    };
    Leaving {
        account,
        reverse_path,
        incoming,
        prefix,
        ret: Return::Headers,
        envelope_id: None,
        smtputf8: to.iter().any(Address::needs_utf8),
        eight_bit: true,
        passed_on: false,
        require_tls: delivery.require_tls,
        recipients: to.iter().map(recipient).collect(),
    }
}

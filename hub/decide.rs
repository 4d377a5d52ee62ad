//! What each account does with a message that comes for it: one function, [`Hub::decide`], for whatever
//! way the message came.

mod onward;
mod refusals;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use hub_storage::NewEmail;
use hub_storage::itip::NewItip;
use hub_storage::queue::NewQueued;

use crate::deliver::{Delivery, Origin};
use crate::directory::Directory;
use crate::junk::{Evidence, without_verdicts};
use crate::rules::{Around, Notes, Ruled};
use crate::schedule;
use crate::{AccountId, Address, Flags, Hub, Incoming, Judgement, MailboxId, Result, Role, Verdict};
use onward::{Onward, Relying};
use refusals::Refusal;

/// What is to be done, in one commit.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) emails: Vec<NewEmail>,
    /// Passed on to addresses elsewhere, and answers.
    pub(crate) queued: Vec<NewQueued>,
    /// What rules want noted.
    pub(crate) seen: Vec<(AccountId, Notes)>,
    /// What it says about calendars, for those who keep it.
    pub(crate) itip: Vec<(AccountId, NewItip)>,
    /// Accounts that take it for junk.
    junk: HashSet<AccountId>,
    refused: Vec<Refusal>,
    /// Accounts that were asked.
    asked: usize,
    relying: Vec<Relying>,
}

/// How an account keeps a message.
#[derive(Clone)]
pub(crate) struct Keep {
    pub(crate) mailbox: MailboxId,
    pub(crate) flags: Flags,
    pub(crate) incoming: Incoming,
    /// Header fields in front of it.
    pub(crate) prefix: Vec<u8>,
}

/// A message as it comes to one account.
pub(crate) struct Arrival<'a> {
    pub(crate) account: AccountId,
    pub(crate) address: &'a Address,
    pub(crate) reverse_path: Option<&'a Address>,
    pub(crate) incoming: &'a Incoming,
    pub(crate) prefix: &'a [u8],
    verdict: Option<&'a Verdict>,
    /// The twin's filter takes it for junk.
    pub(crate) is_junk: bool,
}

/// A message on its ways to everybody who gets it.
struct Course<'a> {
    delivery: &'a Delivery,
    evidence: Evidence<'a>,
    decided: Decided,
    /// Accounts that were or will be asked.
    reached: HashSet<AccountId>,
    legs: VecDeque<Leg>,
}

/// A way to one account: as the sender addressed it, or through others that pass it on.
struct Leg {
    account: AccountId,
    address: Address,
    incoming: Incoming,
    reverse_path: Option<Address>,
    trace: Vec<u8>,
    /// The message is an answer of ours, or brings back another: no rules are run.
    is_answer: bool,
    through: Vec<AccountId>,
}

impl Arrival<'_> {
    /// True if it does not seem to be from whom it says.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.verdict.is_some_and(Verdict::is_suspicious)
    }

    pub(crate) fn around(&self, directory: Arc<Directory>, known: HashMap<String, bool>) -> Around {
        let remote = |verdict: &Verdict| {
            (verdict.ptr.clone().unwrap_or_else(|| verdict.helo.clone()), verdict.peer.to_string())
        };
        Around {
            now: crate::unix_now(),
            from: self.reverse_path.map(ToString::to_string).unwrap_or_default(),
            to: self.address.to_string(),
            remote: self.verdict.map(remote),
            directory,
            known,
            asked: std::sync::Mutex::default(),
        }
    }
}

impl Keep {
    fn into_email(self, account: AccountId) -> NewEmail {
        self.incoming.into_email((account, self.mailbox), self.prefix, self.flags, crate::unix_now())
    }
}

impl Decided {
    /// Whoever the message was sent to, and who keeps it, has it looked at.
    fn note_itip(&mut self, delivery: &Delivery) {
        let Some(message) = schedule::message(delivery) else { return };
        let named = delivery.recipients.iter().flat_map(|recipient| &recipient.members.accounts);
        let named: HashSet<AccountId> =
            named.copied().filter(|account| !self.junk.contains(account)).collect();
        let keep = self.emails.iter().map(|email| email.account).filter(|account| named.contains(account));
        let keep: HashSet<AccountId> = keep.collect();
        self.itip.extend(keep.into_iter().map(|account| (account, message.clone())));
    }
}

impl Hub {
    /// Asks every account once, however many of its addresses were named, and whoever they pass the
    /// message on to. `Refused` if all of them refuse it.
    pub(crate) async fn decide(&self, delivery: &Delivery) -> Result<Decided> {
        let mut course = Course {
            delivery,
            evidence: Evidence::new(&delivery.incoming, &delivery.origin),
            decided: Decided::default(),
            reached: HashSet::new(),
            legs: VecDeque::new(),
        };
        for recipient in &delivery.recipients {
            for account in &recipient.members.accounts {
                if course.reached.insert(*account) {
                    course.legs.push_back(Leg::first(delivery, &recipient.address, *account));
                }
            }
        }
        self.pass_to_members(&mut course).await?;
        while let Some(leg) = course.legs.pop_front() {
            self.decide_one(&mut course, &leg).await?;
        }
        course.decided.end_circles();
        course.decided.note_itip(delivery);
        self.settle_refusals(delivery, course.decided).await
    }

    async fn decide_one(&self, course: &mut Course<'_>, leg: &Leg) -> Result<()> {
        let (account, verdict) = (leg.account, course.delivery.origin.verdict());
        let judgement = match (leg.is_answer, leg.through.is_empty()) {
            (true, _) => None,
            (false, true) => course.evidence.judge(self, account).await?,
            // Rules may have changed it on the way.
            (false, false) => {
                Evidence::new(&leg.incoming, &course.delivery.origin).judge(self, account).await?
            }
        };
        let prefix = leg.prefix(judgement.as_ref());
        let is_junk = judgement.is_some_and(|judgement| judgement.is_junk());
        let arrival = Arrival {
            account,
            address: &leg.address,
            reverse_path: leg.reverse_path.as_ref(),
            incoming: &leg.incoming,
            prefix: &prefix,
            verdict,
            is_junk,
        };
        course.decided.asked += 1;
        if is_junk {
            course.decided.junk.insert(account);
        }
        let keep = self.usual(account, &leg.incoming, &prefix, is_junk).await?;
        let rules = if leg.is_answer { None } else { self.rules(account).await? };
        let Some(rules) = rules else {
            course.decided.emails.push(keep.into_email(account));
            return Ok(());
        };
        let ruled = self.follow(&rules, &arrival, keep.clone()).await?;
        let Ruled { keep: kept, redirect, refused, answer, note, seen } = ruled;
        let mut is_kept = !kept.is_empty();
        course.decided.emails.extend(kept.into_iter().map(|keep| keep.into_email(account)));
        let (mut is_gone, mut on) = (false, Vec::new());
        for (address, incoming, prefix) in redirect {
            let passed = leg.passed(incoming, prefix);
            match self.hand_on(course, &address, rules.handle().domain(), passed).await? {
                Onward::Here(accounts) => on.extend(accounts),
                Onward::Nowhere if is_kept => {}
                Onward::Nowhere => {
                    course.decided.emails.push(keep.clone().into_email(account));
                    is_kept = true;
                }
                Onward::Queued => is_gone = true,
            }
        }
        if !is_kept && !is_gone && !on.is_empty() {
            course.decided.relying.push(Relying { account, on, keep: keep.clone() });
        }
        if let (Some(answer), Some(sender)) = (answer, &leg.reverse_path) {
            self.send_answer(course, account, sender, answer).await?;
        }
        if let Some(note) = note {
            let note =
                Keep { mailbox: MailboxId::INBOX, flags: Flags::NONE, incoming: note, prefix: Vec::new() };
            course.decided.emails.push(note.into_email(account));
        }
        if !seen.is_empty() {
            course.decided.seen.push((account, seen));
        }
        let address = leg.address.clone();
        course.decided.refused.extend(refused.map(|reason| Refusal {
            account,
            address,
            keep,
            is_junk,
            reason,
        }));
        Ok(())
    }

    /// What becomes of a message without rules.
    async fn usual(
        &self,
        account: AccountId,
        incoming: &Incoming,
        prefix: &[u8],
        is_junk: bool,
    ) -> Result<Keep> {
        let (mut mailbox, mut flags) = (MailboxId::INBOX, Flags::NONE);
        if is_junk {
            mailbox = self.junk(account).await?;
            flags = self.keywords_of(account).await?.flag("$Junk").unwrap_or(Flags::NONE);
        }
        Ok(Keep { mailbox, flags, incoming: incoming.clone(), prefix: prefix.to_vec() })
    }

    async fn junk(&self, account: AccountId) -> Result<MailboxId> {
        let directory = self.0.directories.get(&self.0.storage, account).await?;
        Ok(directory.with_role(Role::Junk).unwrap_or(MailboxId::INBOX))
    }
}

impl Leg {
    fn first(delivery: &Delivery, address: &Address, account: AccountId) -> Self {
        Self {
            account,
            address: address.clone(),
            incoming: delivery.incoming.clone(),
            reverse_path: delivery.reverse_path.clone(),
            trace: delivery.trace.clone(),
            is_answer: matches!(delivery.origin, Origin::Returned),
            through: Vec::new(),
        }
    }

    /// What lies in front of the message in a mailbox.
    fn prefix(&self, judgement: Option<&Judgement>) -> Vec<u8> {
        let reverse_path = self.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let address = &self.address;
        let mut prefix = format!("Return-Path: <{reverse_path}>\r\nDelivered-To: {address}\r\n").into_bytes();
        prefix.extend_from_slice(judgement.map(Judgement::header).unwrap_or_default().as_bytes());
        prefix.extend_from_slice(&self.trace);
        prefix
    }

    /// The same message, on from here. Return-Path is for the last delivery alone (RFC 5321 §4.4);
    /// Delivered-To stays, and ends loops. What the message is to one twin is nobody else's business.
    fn passed(&self, incoming: Incoming, prefix: Vec<u8>) -> Self {
        let is_return_path = prefix.starts_with(b"Return-Path:");
        let end = memchr::memchr(b'\n', &prefix).filter(|_| is_return_path).map_or(0, |at| at + 1);
        let mut through = self.through.clone();
        through.push(self.account);
        Self {
            account: self.account,
            address: self.address.clone(),
            incoming,
            reverse_path: self.reverse_path.clone(),
            trace: without_verdicts(&prefix[end..]),
            is_answer: false,
            through,
        }
    }

    fn to(&self, account: AccountId, address: Address) -> Self {
        Self {
            account,
            address,
            incoming: self.incoming.clone(),
            reverse_path: self.reverse_path.clone(),
            trace: self.trace.clone(),
            is_answer: false,
            through: self.through.clone(),
        }
    }
}

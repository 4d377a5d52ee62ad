//! What each account does with a message that comes for it: one function, [`Hub::decide`], for whatever
//! way the message came.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use hub_storage::NewEmail;
use hub_storage::queue::NewQueued;

use crate::deliver::Delivery;
use crate::directory::Directory;
use crate::junk::{Evidence, without_verdicts};
use crate::queue::Leaving;
use crate::rules::{Around, Notes, Ruled};
use crate::verdict::DmarcPolicy;
use crate::{
    AccountId, Address, Error, Flags, Hub, Incoming, Judgement, MailboxId, Notify, Result, Return, Role,
    Route, SubmissionRecipient, Verdict,
};

/// Accounts that pass a message on to each other at most.
const LEGS: usize = 10;

/// What is to be done, in one commit.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) emails: Vec<NewEmail>,
    /// Passed on to addresses elsewhere, and answers.
    pub(crate) queued: Vec<NewQueued>,
    /// What rules want noted.
    pub(crate) seen: Vec<(AccountId, Notes)>,
    /// Accounts whose rules refuse the message, with what becomes of it where that cannot be said.
    refused: Vec<(AccountId, Keep, String)>,
    /// Accounts that were asked.
    asked: usize,
    relying: Vec<Relying>,
}

/// An account that does not keep a message, as others on this hub get it.
struct Relying {
    account: AccountId,
    on: Vec<AccountId>,
    keep: Keep,
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
        self.verdict.is_some_and(|verdict| verdict.action == DmarcPolicy::Quarantine)
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

/// Where a message went that was passed on.
enum Onward {
    /// To these accounts, which may have it by another way already.
    Here(Vec<AccountId>),
    /// It cannot be passed on, or would go round in a circle: whoever wanted that keeps it.
    Nowhere,
    Queued,
}

impl Decided {
    /// Accounts that pass a message on to each other and to nobody else, each of which had it from the
    /// sender as well: one of them keeps it, or nobody would.
    fn end_circles(&mut self) {
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

impl Keep {
    fn into_email(self, account: AccountId) -> NewEmail {
        self.incoming.into_email((account, self.mailbox), self.prefix, self.flags, crate::unix_now())
    }
}

impl Hub {
    /// Asks every account once, however many of its addresses were named, and whoever they pass the
    /// message on to. `Refused` if all of them refuse it.
    pub(crate) async fn decide(&self, delivery: &Delivery) -> Result<Decided> {
        let mut decided = Decided::default();
        let mut reached = HashSet::new();
        let mut legs = VecDeque::new();
        let evidence = Evidence::new(&delivery.incoming, delivery.verdict.as_ref());
        for recipient in &delivery.recipients {
            for account in &recipient.accounts {
                if reached.insert(*account) {
                    legs.push_back(Leg {
                        account: *account,
                        address: recipient.address.clone(),
                        incoming: delivery.incoming.clone(),
                        reverse_path: delivery.reverse_path.clone(),
                        trace: delivery.trace.clone(),
                        is_answer: delivery.is_returned,
                        through: Vec::new(),
                    });
                }
            }
        }
        while let Some(leg) = legs.pop_front() {
            self.decide_one(&leg, &evidence, &mut decided, &mut reached, &mut legs).await?;
        }
        decided.end_circles();
        self.settle_refusals(decided).await
    }

    async fn decide_one(
        &self,
        leg: &Leg,
        evidence: &Evidence<'_>,
        decided: &mut Decided,
        reached: &mut HashSet<AccountId>,
        legs: &mut VecDeque<Leg>,
    ) -> Result<()> {
        let (account, verdict) = (leg.account, evidence.verdict());
        let judgement = match (leg.is_answer, leg.through.is_empty()) {
            (true, _) => None,
            (false, true) => evidence.judge(self, account).await?,
            // Rules may have changed it on the way.
            (false, false) => Evidence::new(&leg.incoming, verdict).judge(self, account).await?,
        };
        let prefix = leg.prefix(judgement.as_ref());
        let arrival = Arrival {
            account,
            address: &leg.address,
            reverse_path: leg.reverse_path.as_ref(),
            incoming: &leg.incoming,
            prefix: &prefix,
            verdict,
        };
        decided.asked += 1;
        let keep = self.usual(&arrival, judgement.is_some_and(|judgement| judgement.is_junk())).await?;
        let rules = if leg.is_answer { None } else { self.rules(account).await? };
        let Some(rules) = rules else {
            decided.emails.push(keep.into_email(account));
            return Ok(());
        };
        let ruled = self.follow(&rules, &arrival, keep.clone()).await?;
        let Ruled { keep: kept, redirect, refused, answer, note, seen } = ruled;
        let mut is_kept = !kept.is_empty();
        decided.emails.extend(kept.into_iter().map(|keep| keep.into_email(account)));
        let (mut is_gone, mut on) = (false, Vec::new());
        for (address, incoming, prefix) in redirect {
            let passed = leg.passed(incoming, prefix);
            let way = (&mut *decided, &mut *reached, &mut *legs);
            match self.hand_on(&address, rules.handle().domain(), passed, verdict, way).await? {
                Onward::Here(accounts) => on.extend(accounts),
                Onward::Nowhere if is_kept => {}
                Onward::Nowhere => {
                    decided.emails.push(keep.clone().into_email(account));
                    is_kept = true;
                }
                Onward::Queued => is_gone = true,
            }
        }
        if !is_kept && !is_gone && !on.is_empty() {
            decided.relying.push(Relying { account, on, keep: keep.clone() });
        }
        if let (Some(answer), Some(sender)) = (answer, &leg.reverse_path) {
            self.send_answer(account, sender, answer, decided, legs).await?;
        }
        if let Some(note) = note {
            let note =
                Keep { mailbox: MailboxId::INBOX, flags: Flags::NONE, incoming: note, prefix: Vec::new() };
            decided.emails.push(note.into_email(account));
        }
        if !seen.is_empty() {
            decided.seen.push((account, seen));
        }
        decided.refused.extend(refused.map(|reason| (account, keep, reason)));
        Ok(())
    }

    /// What becomes of a message without rules.
    async fn usual(&self, arrival: &Arrival<'_>, is_junk: bool) -> Result<Keep> {
        let (mut mailbox, mut flags) = (MailboxId::INBOX, Flags::NONE);
        if is_junk {
            mailbox = self.junk(arrival.account).await?;
            flags = self.keywords_of(arrival.account).await?.flag("$Junk").unwrap_or(Flags::NONE);
        }
        let (incoming, prefix) = (arrival.incoming.clone(), arrival.prefix.to_vec());
        Ok(Keep { mailbox, flags, incoming, prefix })
    }

    async fn junk(&self, account: AccountId) -> Result<MailboxId> {
        let directory = self.0.directories.get(&self.0.storage, account).await?;
        Ok(directory.with_role(Role::Junk).unwrap_or(MailboxId::INBOX))
    }

    /// Passes a message on, to twins here or into the queue.
    async fn hand_on(
        &self,
        address: &str,
        domain: &str,
        passed: Leg,
        verdict: Option<&Verdict>,
        (decided, reached, legs): (&mut Decided, &mut HashSet<AccountId>, &mut VecDeque<Leg>),
    ) -> Result<Onward> {
        let Ok(address) = Address::parse(address) else { return Ok(Onward::Nowhere) };
        match self.route(&address).await? {
            Route::Unknown => Ok(Onward::Nowhere),
            Route::Local(accounts) => {
                let is_circle = accounts.iter().any(|account| passed.through.contains(account));
                if is_circle || passed.through.len() > LEGS {
                    return Ok(Onward::Nowhere);
                }
                for account in accounts.iter().filter(|account| reached.insert(**account)) {
                    legs.push_back(passed.to(*account, address.clone()));
                }
                Ok(Onward::Here(accounts))
            }
            Route::Elsewhere => {
                let account = passed.through.last().copied().unwrap_or(passed.account);
                let Leg { incoming, reverse_path, trace, .. } = passed;
                let named = self.in_our_name(domain, reverse_path.as_ref(), verdict, &trace, &incoming);
                let (reverse_path, prefix) = named.await?;
                let (path, message) = (reverse_path.as_ref(), (incoming, prefix));
                let leaving = leaving(account, path, &address, message, Notify::default());
                decided.queued.push(self.new_queued(leaving));
                Ok(Onward::Queued)
            }
        }
    }

    /// RFC 5230 §5.1: from the null reverse-path, and nobody hears what becomes of it.
    async fn send_answer(
        &self,
        account: AccountId,
        sender: &Address,
        answer: Incoming,
        decided: &mut Decided,
        legs: &mut VecDeque<Leg>,
    ) -> Result<()> {
        match self.route(sender).await? {
            Route::Unknown => {}
            Route::Local(accounts) => {
                for account in accounts {
                    legs.push_back(Leg {
                        account,
                        address: sender.clone(),
                        incoming: answer.clone(),
                        reverse_path: None,
                        trace: Vec::new(),
                        is_answer: true,
                        through: Vec::new(),
                    });
                }
            }
            Route::Elsewhere => {
                let prefix = self.signatures(&answer).await?.into_bytes();
                let never = Notify { delay: false, failure: false, success: false };
                let leaving = leaving(account, None, sender, (answer, prefix), never);
                decided.queued.push(self.new_queued(leaving));
            }
        }
        Ok(())
    }

    /// A refusal can be said to the sender only if all accounts refuse. Else the message is kept in
    /// Junk: a bounce would go to whoever was made to look like the sender.
    async fn settle_refusals(&self, mut decided: Decided) -> Result<Decided> {
        let refused = std::mem::take(&mut decided.refused);
        if refused.len() == decided.asked
            && let Some((_, _, reason)) = refused.first()
        {
            return Err(Error::Refused(reason.clone()));
        }
        for (account, keep, _) in refused {
            let keep = Keep { mailbox: self.junk(account).await?, ..keep };
            decided.emails.push(keep.into_email(account));
        }
        Ok(decided)
    }
}

/// A message for one address elsewhere.
fn leaving(
    account: AccountId,
    reverse_path: Option<&Address>,
    address: &Address,
    (incoming, prefix): (Incoming, Vec<u8>),
    notify: Notify,
) -> Leaving {
    Leaving {
        account,
        reverse_path: reverse_path.cloned(),
        incoming,
        prefix,
        ret: Return::Headers,
        envelope_id: None,
        smtputf8: address.needs_utf8(),
        eight_bit: true,
        recipients: vec![SubmissionRecipient { address: address.clone(), notify, original: None }],
    }
}

impl Leg {
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

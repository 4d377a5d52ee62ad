//! Refusals by rules (RFC 5429): said in the session if everybody refuses, else by a report to a sender
//! who is known to be who they say; else the message lies in Junk, as a report would hit an innocent.

use super::{Decided, Keep};
use crate::deliver::{Delivery, Origin};
use crate::rules::letters;
use crate::{AccountId, Address, Error, Flags, Hub, Incoming, MailboxId, Result, Route, unix_now};

/// Rules of an account refuse the message.
pub(super) struct Refusal {
    pub(super) account: AccountId,
    /// As the sender addressed it.
    pub(super) address: Address,
    /// What becomes of it where the refusal cannot be said.
    pub(super) keep: Keep,
    pub(super) is_junk: bool,
    pub(super) reason: String,
}

impl Hub {
    /// `Refused` if all accounts refuse.
    pub(super) async fn settle_refusals(&self, delivery: &Delivery, mut decided: Decided) -> Result<Decided> {
        let refused = std::mem::take(&mut decided.refused);
        if refused.len() == decided.asked
            && decided.queued.is_empty()
            && let Some(Refusal { reason, .. }) = refused.first()
        {
            return Err(Error::Refused(reason.clone()));
        }
        for refusal in refused {
            if let Some(sender) = believed_sender(delivery).filter(|_| !refusal.is_junk)
                && self.report_refusal(&mut decided, delivery, sender, &refusal).await?
            {
                continue;
            }
            let Refusal { account, keep, .. } = refusal;
            let keep = Keep { mailbox: self.junk(account).await?, ..keep };
            decided.emails.push(keep.into_email(account));
        }
        Ok(decided)
    }

    /// RFC 5429 §2.1.2: a delivery status notification, in the commit that delivers to the others.
    /// `Ok(false)` if it would reach nobody.
    async fn report_refusal(
        &self,
        decided: &mut Decided,
        delivery: &Delivery,
        sender: &Address,
        refusal: &Refusal,
    ) -> Result<bool> {
        let Refusal { account, address, reason, .. } = refusal;
        let mut spool = self.spool();
        let header = delivery.incoming.header()?;
        spool.write(letters::refusal(address, sender, reason, &header, unix_now()).as_bytes()).await?;
        let report = self.examine(spool).await?;
        let to = match self.route(sender).await? {
            Route::Unknown => return Ok(false),
            Route::Local(members) => {
                let keep = |account| told(report.clone()).into_email(account);
                decided.emails.extend(members.accounts.into_iter().map(keep));
                members.elsewhere
            }
            Route::Elsewhere => vec![sender.clone()],
        };
        if !to.is_empty() {
            decided.queued.push(self.own(delivery, *account, report, &to).await?);
        }
        Ok(true)
    }
}

/// The sender, if a report will surely reach who sent the message (RFC 3834 §2, RFC 5429 §5).
fn believed_sender(delivery: &Delivery) -> Option<&Address> {
    let sender = delivery.reverse_path.as_ref()?;
    let is_believed = match &delivery.origin {
        Origin::Twin => true,
        Origin::Front(Some(verdict)) | Origin::Outside(Some(verdict)) => verdict.answers_for(sender.domain()),
        Origin::Front(None) | Origin::Hub | Origin::Outside(None) | Origin::Returned => false,
    };
    is_believed.then_some(sender)
}

fn told(report: Incoming) -> Keep {
    let prefix = b"Return-Path: <>\r\n".to_vec();
    Keep { mailbox: MailboxId::INBOX, flags: Flags::NONE, incoming: report, prefix }
}

//! Scheduling: what a twin's change of a calendar says to others, and what others say, put into the
//! twin's calendars. What is said, and what it changes, is `hub_itip`'s; here it is carried.
//!
//! A change and the messages about it are one commit. Each message is then brought to each recipient in
//! one more commit with what it does there, so that a crash at any point neither loses nor doubles it:
//! into the calendar of a twin of this hub, or into the queue as mail to anybody else (iMIP). At last the
//! sender's copy is told what became of them.
//!
//! For doors: [`Collections::put_scheduled`], [`Collections::add_scheduled`], [`Collections::copy_scheduled`],
//! [`Collections::move_scheduled`], [`Collections::remove_scheduled`], [`Account::schedule_inbox`],
//! [`Account::post_to_outbox`] and [`Account::calendar_user_addresses`]. `Item::schedule_tag` is the value of `Schedule-Tag` (RFC 6638
//! §3.2.10). An outbox holds nothing: it is only where a client asks when others are busy, or proposes
//! another time.
//!
//! RFCs: 5546, 6047, 6638.
//!
//! [`Collections::put_scheduled`]: crate::collections::Collections::put_scheduled
//! [`Collections::add_scheduled`]: crate::collections::Collections::add_scheduled
//! [`Collections::copy_scheduled`]: crate::collections::Collections::copy_scheduled
//! [`Collections::move_scheduled`]: crate::collections::Collections::move_scheduled
//! [`Collections::remove_scheduled`]: crate::collections::Collections::remove_scheduled

mod access;
mod carry;
mod free_busy;
mod imip;
mod mail;
mod pace;
mod post;
mod receive;
mod reserve;
mod rsvp;
mod store;
mod tell;
mod transfer;

use std::collections::BTreeSet;

use hub_itip::{CalendarUser, Owner, with_detail};

pub use access::FreeBusyAccess;
pub(crate) use carry::keep_carried;
pub use free_busy::{FreeBusyOutcome, RecipientBusy};
pub(crate) use imip::message;
pub(crate) use mail::{base64_lines, encoded_words};
pub(crate) use pace::Pace;
pub use rsvp::RSVP;
pub use store::{NotAllowed, ScheduleOutcome, ScheduleRequest};

use crate::collections::{CollectionKind, Collections};
use crate::{Account, AccountId, Address, Hub, Result};

const _: () = assert!(hub_itip::MOST_OBJECT == crate::collections::MOST_BYTES);

/// Times that a change is computed anew because somebody else was quicker.
const ATTEMPTS: usize = 8;
/// Messages in an inbox; the oldest go.
const MOST_IN_INBOX: usize = 1_000;
/// Where messages are.
pub(crate) const INBOX: &str = "inbox";
/// Beside it, for programs that look for one.
pub(crate) const OUTBOX: &str = "outbox";

impl Account {
    /// Messages that others sent about calendar objects, one item each in the order of their names, for
    /// programs that show them (RFC 6638 §2.2). They have been dealt with already. Nothing can be put
    /// there; the collection is named `inbox`. Beside it lies `outbox`, which is always empty.
    pub fn schedule_inbox(&self) -> Collections {
        self.collections(CollectionKind::Inbox)
    }

    /// `calendar-user-address-set` (RFC 6638 §2.4.1): the twin's addresses as URIs, its own name first.
    pub async fn calendar_user_addresses(&self) -> Result<Vec<String>> {
        let own = self.hub.addresses_of(self.id).await?;
        let handle = self.handle.to_string();
        let others = own.into_iter().filter(|address| *address != handle);
        Ok(std::iter::once(handle.clone()).chain(others).map(|address| format!("mailto:{address}")).collect())
    }

    /// `schedule-default-calendar-URL` (RFC 6638 §9.2): the name of the calendar into which invitations
    /// to events come, if there is one.
    pub async fn default_calendar(&self) -> Result<Option<String>> {
        let calendars = self.calendars().list().await?;
        let kind = crate::collections::ItemKind::Event;
        Ok(receive::default_calendar(&calendars, kind).map(|calendar| calendar.name.clone()))
    }
}

impl Hub {
    async fn addresses_of(&self, account: AccountId) -> Result<Vec<String>> {
        let rows = self.0.storage.addresses(Some(account)).await?;
        Ok(rows.into_iter().map(|row| row.written).filter(|address| !address.starts_with("*@")).collect())
    }

    /// Calendar user addresses as `hub_ical` compares them: in lower case.
    async fn uris_of(&self, account: AccountId) -> Result<Vec<String>> {
        let own = self.addresses_of(account).await?;
        Ok(own.iter().map(|own| format!("mailto:{own}").to_lowercase()).collect())
    }

    /// Who an account is in some texts: an address with a `+detail` may be somebody else's.
    async fn owner(&self, account: AccountId, texts: &[&[u8]]) -> Result<Owner> {
        let own: Owner = self.addresses_of(account).await?.into_iter().collect();
        let named: BTreeSet<String> = texts.iter().flat_map(|text| with_detail(text)).collect();
        let mut others = Vec::new();
        for address in named.into_iter().take(hub_itip::MOST_ATTENDEES) {
            if own.has(&CalendarUser::new(&address)) && !self.members(address.clone()).await?.is_empty() {
                others.push(address);
            }
        }
        Ok(own.except(others))
    }

    fn calendars_of(&self, account: AccountId) -> Collections {
        Collections::of(self.clone(), account, CollectionKind::Calendar)
    }

    /// The account as if it had logged in: for what is sent in its name because it wanted so.
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let Some(row) = self.0.storage.account(id).await? else { return Ok(None) };
        let handle = Address::parse(&row.handle)?;
        Ok(Some(Account {
            hub: self.clone(),
            id,
            handle,
            hidden_capabilities: [].into(),
            scopes: crate::Scopes::ALL,
        }))
    }
}

//! Answers of guests who have no calendar program: on a page of the hub, whose address is in the mail that
//! invites them. The address says which guest of which meeting it is for, and nobody but the hub can make
//! one: it ends in a keyed hash. It is good for as long as the meeting is to come and invites the guest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub_itip::{Answer, CalendarUser, Invitation, reply_of};
use hub_storage::items::ItemId;
use hub_storage::itip::{self, ItipRow, NewItip};

use super::store::GRACE;
use crate::{AccountId, Address, Error, Hub, Result, unix_now};

/// What the key is for.
const PURPOSE: &str = "twinhub 2026-11-25 addresses of pages where guests answer";
/// Where such pages are.
pub const RSVP: &str = "/rsvp/";

/// A meeting of one twin and one of its guests.
struct Ticket {
    account: AccountId,
    item: ItemId,
    seal: blake3::Hash,
}

impl Ticket {
    /// `8OCTET 8OCTET 32OCTET`, in base64url: account, object, seal.
    fn parse(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (account, rest) = bytes.split_first_chunk::<8>()?;
        let (item, seal) = rest.split_first_chunk::<8>()?;
        Some(Self {
            account: AccountId(i64::from_be_bytes(*account)),
            item: ItemId(i64::from_be_bytes(*item)),
            seal: blake3::Hash::from_bytes(seal.try_into().ok()?),
        })
    }

    fn text(&self) -> String {
        let (account, item) = (self.account.0.to_be_bytes(), self.item.0.to_be_bytes());
        URL_SAFE_NO_PAD.encode([&account[..], &item, self.seal.as_bytes()].concat())
    }
}

impl Hub {
    fn rsvp_seal(&self, account: AccountId, item: ItemId, guest: &CalendarUser) -> blake3::Hash {
        let (account, item) = (account.0.to_be_bytes(), item.0.to_be_bytes());
        let content = [&account[..], &item, guest.as_str().as_bytes()].concat();
        blake3::keyed_hash(&self.0.storage.secret_for(PURPOSE), &content)
    }

    /// The address of the page on which somebody can answer an invitation; `None` if the hub has no pages,
    /// or the meeting is gone.
    pub(super) async fn rsvp_url(
        &self,
        message: &ItipRow,
        from: &Address,
        guest: &str,
    ) -> Result<Option<String>> {
        let Some(pages) = &self.0.settings.pages else { return Ok(None) };
        let found = self.0.storage.items_with_uid(message.account, &message.uid).await?;
        let Some((row, _)) = found.into_iter().find(|(row, _)| row.schedule_tag > 0) else { return Ok(None) };
        let (account, item) = (message.account, row.id);
        let seal = self.rsvp_seal(account, item, &CalendarUser::new(guest));
        let origin = pages.replace('*', from.domain());
        Ok(Some(format!("{origin}{RSVP}{}", Ticket { account, item, seal }.text())))
    }

    /// What is answered on a page. `NotFound` if the address is none, or good for nothing any more.
    pub async fn rsvp(&self, token: &str) -> Result<Invitation> {
        Ok(self.invited_by(token).await?.2)
    }

    /// Takes a guest's answer. What was answered last stays if it is the same.
    pub async fn answer_rsvp(&self, token: &str, answer: Answer) -> Result<()> {
        let (ticket, data, invitation) = self.invited_by(token).await?;
        if invitation.status == answer.name() {
            return Ok(());
        }
        let guest = invitation.guest;
        let (uid, sender) = (data.uid, guest.as_str().to_owned());
        let reply = crate::apart(move || reply_of(&data.bytes, &guest, answer, unix_now())).await?;
        let data = reply.map_err(|_| Error::NotFound("invitation"))?;
        let message = NewItip { uid, sender, recipients: vec![String::new()], data };
        let account = ticket.account;
        let push = self.0.storage.transact([account], move |tx| {
            Box::pin(async move { itip::push(tx, account, &[message], unix_now() + GRACE).await })
        });
        self.carry(&push.await?).await;
        Ok(())
    }

    async fn invited_by(&self, token: &str) -> Result<(Ticket, Kept, Invitation)> {
        let nothing = || Error::NotFound("invitation");
        let ticket = Ticket::parse(token).ok_or_else(nothing)?;
        let found = self.0.storage.items_with_data(ticket.account, &[ticket.item]).await?.pop();
        let (row, bytes) = found.ok_or_else(nothing)?;
        let read = self.calendars_of(ticket.account).read("", bytes.clone().into()).await?;
        let is_over = read.is_ok_and(|read| read.index.last_at < unix_now());
        let (hub, account, item, seal) = (self.clone(), ticket.account, ticket.item, ticket.seal);
        let (invitation, bytes) = crate::apart(move || {
            let is_guest = |who: &CalendarUser| hub.rsvp_seal(account, item, who) == seal;
            (Invitation::of(&bytes, is_guest), bytes)
        })
        .await?;
        let invitation = invitation.filter(|_| !is_over).ok_or_else(nothing)?;
        Ok((ticket, Kept { uid: row.uid, bytes }, invitation))
    }
}

/// The organizer's copy.
struct Kept {
    uid: String,
    bytes: Vec<u8>,
}

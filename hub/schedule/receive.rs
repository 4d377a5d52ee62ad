//! A message for a twin of this hub: what it changes in the twin's calendars, and a copy in the inbox, in
//! one commit.

use bytes::Bytes;
use hub_itip::{Ignored, Method, Outcome, Received, apply};
use hub_storage::items as rows;
use hub_storage::items::{CollectionId, ItemRow, NewItem, ScheduleTag};
use hub_storage::itip::{self, ItipKey, ItipRow, NewItip};

use super::carry::status;
use super::store::{notes, takes};
use super::{ATTEMPTS, INBOX, MOST_IN_INBOX};
use crate::collections::{Collection, CollectionKind, Collections, ItemKind, hex, message_index};
use crate::decide::Decided;
use crate::{AccountId, Address, Error, Hub, Result, Route, SyncState, unix_now};

/// What a message comes to.
struct Effect {
    status: &'static str,
    put: Option<Put>,
    shown: Option<NewItem>,
    /// For a person to read, besides.
    mail: Option<Decided>,
    answers: Vec<NewItip>,
}

/// An object, and where it goes.
pub(super) struct Put {
    calendar: String,
    into: CollectionId,
    before: Option<ItemRow>,
    new: NewItem,
    /// Nothing else in the calendar may have changed since.
    state: Option<SyncState>,
}

impl Effect {
    fn nothing(status: &'static str) -> Self {
        Self { status, put: None, shown: None, mail: None, answers: Vec::new() }
    }
}

impl Hub {
    /// Takes a message for a twin in.
    pub(super) async fn receive_itip(
        &self,
        key: &ItipKey,
        message: &ItipRow,
        account: AccountId,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let effect = self.effect(key, message, account).await?;
            if self.take_in(key, account, effect).await? {
                return Ok(());
            }
        }
        Err(Error::Stale)
    }

    async fn effect(&self, key: &ItipKey, message: &ItipRow, account: AccountId) -> Result<Effect> {
        let calendars = self.calendars_of(account);
        let Ok(received) = Received::parse(&message.data) else {
            return Ok(Effect::nothing(status::REJECTED));
        };
        let mut found = self.0.storage.items_with_uid(account, received.uid()).await?;
        found.sort_by_key(|(row, _)| row.schedule_tag == 0);
        let before = found.into_iter().next();
        let stored = match &before {
            Some((row, _)) => self.0.storage.item_data(account, &[row.id]).await?.pop().map(|(_, data)| data),
            None => None,
        };
        let texts = [stored.as_deref().unwrap_or_default(), &message.data];
        let owner = self.owner(account, &texts).await?;
        let is_answer = received.method.is_of_attendee();
        let (outcome, received) =
            crate::apart(move || (apply(stored.as_deref(), &received, &owner, unix_now()), received)).await?;
        let mut effect = Effect::nothing(status::DELIVERED);
        match outcome {
            Err(_) => return Ok(Effect::nothing(status::REJECTED)),
            Ok(Outcome::Ignored(Ignored::Stale | Ignored::Method)) => return Ok(effect),
            Ok(Outcome::Ignored(_)) => return Ok(Effect::nothing(status::REJECTED)),
            // By mail, it is there already.
            Ok(Outcome::Show) if key.recipient.is_empty() => {}
            Ok(Outcome::Show) => effect.mail = self.note_to(message, &received, account).await?,
            Ok(Outcome::Answer(answer)) => effect.answers = notes(vec![answer]),
            // Whoever is not known may write, but not take the twin's time: that is left to the twin.
            Ok(Outcome::Put(_)) if before.is_none() && !self.may_invite(key, message, account).await? => {}
            Ok(Outcome::Put(object)) => {
                let (object, state, answer) = match received.method {
                    Method::Add | Method::Request => self.reserved(account, received.uid(), object).await?,
                    _ => (object, None, None),
                };
                effect.answers = notes(answer.into_iter().collect());
                let tag = if is_answer { ScheduleTag::Same } else { ScheduleTag::Fresh };
                match self.place(&calendars, before, received.uid(), object.into()).await? {
                    Some(put) => effect.put = Some(Put { new: NewItem { tag, ..put.new }, state, ..put }),
                    None => return Ok(Effect::nothing(status::REJECTED)),
                }
            }
        }
        // It must be there: it is made when somebody looks for it.
        Collections::of(self.clone(), account, CollectionKind::Inbox).find(INBOX).await?;
        effect.shown = Some(self.shown(message, &received));
        Ok(effect)
    }

    /// Whether an invitation may go into the calendar at once: from a twin of this hub, and by mail from
    /// those whom the twin has written to.
    async fn may_invite(&self, key: &ItipKey, message: &ItipRow, account: AccountId) -> Result<bool> {
        if !key.recipient.is_empty() {
            return Ok(true);
        }
        let Ok(sender) = Address::parse(&message.sender) else { return Ok(false) };
        match self.route(&sender).await? {
            Route::Local(_) => Ok(true),
            _ => self.0.junk.writes_to(&self.0.storage, account, &sender.key()).await,
        }
    }

    /// Where an object goes; `None` if no calendar takes it.
    async fn place(
        &self,
        calendars: &Collections,
        before: Option<(ItemRow, String)>,
        uid: &str,
        object: Bytes,
    ) -> Result<Option<Put>> {
        let name = match &before {
            Some((row, _)) => row.name.clone(),
            None => format!("{}.ics", hex(&self.0.storage.fingerprint(uid.as_bytes())[..16])),
        };
        let Ok(new) = calendars.read(&name, object).await? else { return Ok(None) };
        let all = calendars.list().await?;
        let into = match &before {
            Some((row, _)) => all.iter().find(|calendar| calendar.id == row.collection),
            None => default_calendar(&all, new.kind),
        };
        Ok(into.filter(|calendar| calendar.takes(new.kind)).map(|calendar| Put {
            calendar: calendar.name.clone(),
            into: calendar.id,
            before: before.map(|(row, _)| row),
            new,
            state: None,
        }))
    }

    /// The message as it lies in the inbox. In there, what is unique is the name: several messages are
    /// about the same object.
    fn shown(&self, message: &ItipRow, received: &Received) -> NewItem {
        let unique =
            [&message.data[..], &message.id.to_be_bytes(), &message.account.0.to_be_bytes()].concat();
        let name = format!("{}.ics", hex(&self.0.storage.fingerprint(&unique)[..16]));
        let kind = match received.component() {
            "VTODO" => ItemKind::Todo,
            "VJOURNAL" => ItemKind::Journal,
            "VFREEBUSY" => ItemKind::FreeBusy,
            _ => ItemKind::Event,
        };
        NewItem {
            uid: name.clone(),
            name,
            kind,
            etag: self.0.storage.fingerprint(&message.data)[..16].to_vec(),
            data: message.data.clone(),
            index: message_index(),
            tag: ScheduleTag::Absent,
        }
    }

    /// False if something has changed since the effect was found out.
    async fn take_in(&self, key: &ItipKey, account: AccountId, effect: Effect) -> Result<bool> {
        let key = key.clone();
        let has_answers = !effect.answers.is_empty();
        let mut accounts = effect.mail.as_ref().map(Decided::accounts).unwrap_or_default();
        accounts.push(account);
        let reach = self.calendars_of(account).reach();
        let take_in = self.0.storage.transact(accounts, move |tx| {
            Box::pin(async move {
                if let Some(Put { calendar, into, before, new, state }) = &effect.put {
                    if !takes(tx, reach, calendar, *into, new.kind).await? {
                        return Ok(false);
                    }
                    if let Some(state) = state {
                        let there = rows::collection(tx, account, CollectionKind::Calendar, calendar).await?;
                        if SyncState::all(there.modseq) != *state {
                            return Ok(false);
                        }
                    }
                    let existing = rows::existing(tx, account, *into, &new.name, &new.uid).await?;
                    if existing.named != *before || existing.same_uid.is_some() {
                        return Ok(false);
                    }
                }
                if !itip::settle(tx, &key, effect.status).await? {
                    return Ok(true);
                }
                if let Some(Put { into, before, new, .. }) = effect.put {
                    rows::put(tx, account, into, before.as_ref(), new).await?;
                }
                if let Some(shown) = effect.shown {
                    show(tx, account, shown).await?;
                }
                itip::push(tx, account, &effect.answers, unix_now()).await?;
                if let Some(mail) = effect.mail {
                    mail.perform(tx).await?;
                }
                Ok(true)
            })
        });
        let done = take_in.await?;
        if has_answers {
            self.0.itip_news.notify_one();
        }
        Ok(done)
    }
}

/// Puts a message into the inbox, and the oldest out if there are too many.
async fn show(tx: &mut hub_storage::Tx, account: AccountId, shown: NewItem) -> hub_storage::Result<()> {
    const KIND: CollectionKind = CollectionKind::Inbox;
    let inbox = rows::collection(tx, account, KIND, INBOX).await?.id;
    if rows::existing(tx, account, inbox, &shown.name, "").await?.named.is_none() {
        rows::put(tx, account, inbox, None, shown).await?;
    }
    let oldest = rows::beyond(tx, account, inbox, MOST_IN_INBOX).await?;
    if !oldest.is_empty() {
        rows::remove(tx, account, inbox, &oldest).await?;
    }
    Ok(())
}

/// The calendar that takes what nobody has put anywhere: the usual one, else the first.
pub(super) fn default_calendar(calendars: &[Collection], kind: ItemKind) -> Option<&Collection> {
    let fits = || calendars.iter().filter(|calendar| calendar.takes(kind));
    fits().find(|calendar| calendar.name == "calendar").or_else(|| fits().next())
}

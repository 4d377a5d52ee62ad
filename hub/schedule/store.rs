//! A client's change of a calendar object, with the messages about it in the same commit.

use bytes::Bytes;
use hub_itip::{Change, Error as Itip, Message, Plan, Role, plan};
use hub_storage::Tx;
use hub_storage::items as rows;
use hub_storage::items::{CollectionId, ItemKind, ItemRow, NewItem, ScheduleTag};
use hub_storage::itip::{self, NewItip};

use super::ATTEMPTS;
use crate::collections::{
    By, Collection, CollectionKind, Collections, MOST_BYTES, Placed, PutOutcome, Reach, Refusal,
    check_preconditions, hex, is_another,
};
use crate::{AccountId, Error, Precondition, Result, unix_now};

/// Seconds after which a message is looked after by somebody else than who wrote it.
pub(super) const GRACE: i64 = 60;

/// What a client says about a change besides the object.
#[derive(Clone, Debug, Default)]
pub struct ScheduleRequest {
    pub preconditions: Vec<Precondition>,
    /// `If-Schedule-Tag-Match` (RFC 6638 §8.3), without quotation marks.
    pub tag: Option<String>,
    /// `Schedule-Reply: F` (RFC 6638 §8.1): an attendee's removal is not told.
    pub is_silent: bool,
}

/// Why scheduling does not allow a change (RFC 6638 §3.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAllowed {
    Itip(Itip),
    /// `unique-scheduling-object-resource`: the object is in this calendar, under this name.
    Taken(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleOutcome {
    NotAllowed(NotAllowed),
    Refused(Refusal),
    Stored {
        placed: Placed,
        /// If not, its bytes are others than the client's: the answer to it has no `ETag`.
        is_as_sent: bool,
    },
}

/// What is there before a change.
struct Before {
    row: Option<ItemRow>,
    data: Option<Bytes>,
}

/// Why an attempt came to nothing.
enum Attempt<T> {
    Again,
    Done(T),
}

impl Collections {
    /// Stores an object as [`Collections::put`] does, and tells whom it concerns. Objects that nobody is
    /// invited by, and cards, are stored and nothing else. `Stale` also for another schedule tag.
    pub async fn put_scheduled(
        &self,
        collection: &str,
        name: &str,
        data: Bytes,
        request: ScheduleRequest,
    ) -> Result<ScheduleOutcome> {
        if self.kind() != CollectionKind::Calendar || data.len() > MOST_BYTES {
            let put = self.put(collection, name, data, request.preconditions).await?;
            return Ok(match put {
                PutOutcome::Refused(refusal) => ScheduleOutcome::Refused(refusal),
                PutOutcome::Stored(placed) => ScheduleOutcome::Stored { placed, is_as_sent: true },
            });
        }
        crate::collections::check_name(name)?;
        for _ in 0..ATTEMPTS {
            let into = self.find(collection).await?;
            if let Attempt::Done(outcome) = self.try_put(&into, name, &data, &request).await? {
                return Ok(outcome);
            }
        }
        Err(Error::Stale)
    }

    /// Stores an object under a name that nothing has, with this ending; tells the name.
    pub async fn add_scheduled(
        &self,
        collection: &str,
        ending: &str,
        data: Bytes,
    ) -> Result<(String, ScheduleOutcome)> {
        let mut random = [0; 16];
        crate::password::random(&mut random)?;
        let name = format!("{}.{ending}", hex(&random));
        let request =
            ScheduleRequest { preconditions: vec![Precondition::NotExists], ..ScheduleRequest::default() };
        let outcome = self.put_scheduled(collection, &name, data, request).await?;
        Ok((name, outcome))
    }

    async fn try_put(
        &self,
        into: &Collection,
        name: &str,
        data: &Bytes,
        request: &ScheduleRequest,
    ) -> Result<Attempt<ScheduleOutcome>> {
        let refused = |refusal| Ok(Attempt::Done(ScheduleOutcome::Refused(refusal)));
        let not_allowed = |why| Ok(Attempt::Done(ScheduleOutcome::NotAllowed(why)));
        let new = match self.read(name, data.clone()).await? {
            Ok(new) => new,
            Err(refusal) => return refused(refusal),
        };
        if !into.takes(new.kind) {
            return refused(Refusal::Kind(new.kind));
        }
        let before = self.before(into, name, request).await?;
        let plan = match self.plan(&before, Some(data.clone()), request).await? {
            Ok(plan) => plan,
            Err(why) => return not_allowed(NotAllowed::Itip(why)),
        };
        let has_own_bytes = plan.object.is_some();
        let new = match plan.object {
            None => new,
            Some(object) => match self.read(name, object.into()).await? {
                Ok(new) => new,
                Err(refusal) => return refused(refusal),
            },
        };
        if plan.role != Role::Nobody
            && let Some((calendar, name)) = self.elsewhere(into, name, &new.uid).await?
        {
            return not_allowed(NotAllowed::Taken(calendar, name));
        }
        // caldav-sharing §5.5.5: whom a calendar was granted to invites in its owner's name only.
        let is_strange =
            before.row.is_none() && new.tag != ScheduleTag::Absent && plan.role != Role::Organizer;
        if is_strange && self.reach().by != By::Owner {
            return not_allowed(NotAllowed::Itip(Itip::OrganizerChange));
        }
        let now = unix_now();
        // RFC 6638 §3.2.1.2: that something ends earlier is told, unless all of it was over before.
        let is_over = new.index.last_at < now && self.last_at(&before).await?.is_none_or(|last| last < now);
        let messages = if is_over { Vec::new() } else { notes(plan.messages) };
        let tag = if plan.role == Role::Nobody { ScheduleTag::Absent } else { ScheduleTag::Fresh };
        let is_quiet = messages.is_empty();
        let written = self.write(into, before.row, NewItem { tag, ..new }, messages, request).await?;
        let Attempt::Done(written) = written else { return Ok(Attempt::Again) };
        let (placed, ids) = match written {
            Ok(written) => written,
            Err(refusal) => return refused(refusal),
        };
        self.hub().carry(&ids).await;
        // What became of the messages is in the object by now.
        let placed = match is_quiet {
            true => placed,
            false => Placed { item: self.item(into.id, name).await.unwrap_or(placed.item), ..placed },
        };
        Ok(Attempt::Done(ScheduleOutcome::Stored { placed, is_as_sent: is_quiet && !has_own_bytes }))
    }

    /// Removes an item as [`Collections::remove_item`] does, and tells whom it concerns.
    pub async fn remove_scheduled(
        &self,
        collection: &str,
        name: &str,
        request: ScheduleRequest,
    ) -> Result<()> {
        if self.kind() != CollectionKind::Calendar {
            return self.remove_item(collection, name, request.preconditions).await;
        }
        let from = self.find(collection).await?;
        for _ in 0..ATTEMPTS {
            let before = self.before(&from, name, &request).await?;
            let Some(row) = before.row.clone() else { return Err(Error::NotFound("item")) };
            let last_at = self.last_at(&before).await?;
            let messages = match self.plan(&before, None, &request).await? {
                Ok(plan) if last_at.is_none_or(|last| last >= unix_now()) => notes(plan.messages),
                // What cannot be understood any more can still be removed.
                _ => Vec::new(),
            };
            if let Attempt::Done(ids) = self.erase(&from, row, messages).await? {
                self.hub().carry(&ids).await;
                return Ok(());
            }
        }
        Err(Error::Stale)
    }

    /// Removes a calendar, and tells whom what was in it concerned (RFC 6638 §3.2.3.2).
    pub async fn remove_calendar_scheduled(&self, name: &str) -> Result<()> {
        if self.reach().by != By::Owner {
            return self.remove(name).await;
        }
        let (from, mut after) = (self.find(name).await?, String::new());
        loop {
            let page = self.items(from.id, &after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            for item in page.iter().filter(|item| item.schedule_tag.is_some()) {
                match self.remove_scheduled(name, &item.name, ScheduleRequest::default()).await {
                    Ok(()) | Err(Error::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.remove(name).await
    }

    /// `Stale` if it is not what the client asks for.
    async fn before(&self, within: &Collection, name: &str, request: &ScheduleRequest) -> Result<Before> {
        let storage = self.storage();
        let row = storage.items_named(self.account(), within.id, &[name]).await?.pop();
        check_preconditions(&request.preconditions, row.as_ref())?;
        if let Some(tag) = &request.tag
            && row.as_ref().is_none_or(|row| row.schedule_tag.to_string() != *tag)
        {
            return Err(Error::Stale);
        }
        let data = match &row {
            Some(row) => {
                storage.item_data(self.account(), &[row.id]).await?.pop().map(|(_, data)| data.into())
            }
            None => None,
        };
        Ok(Before { row, data })
    }

    /// When what is there ends, if anything is.
    async fn last_at(&self, before: &Before) -> Result<Option<i64>> {
        let Some(data) = &before.data else { return Ok(None) };
        let read = self.read("", data.clone()).await?;
        Ok(Some(read.map_or(i64::MAX, |old| old.index.last_at)))
    }

    async fn plan(
        &self,
        before: &Before,
        new: Option<Bytes>,
        request: &ScheduleRequest,
    ) -> Result<std::result::Result<Plan, Itip>> {
        let texts = [before.data.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default()];
        let owner = self.hub().owner(self.account(), &texts).await?;
        let (old, reply) = (before.data.clone(), !request.is_silent);
        crate::apart(move || {
            let (old, new) = (old.as_deref(), new.as_deref());
            plan(&Change { old, new, owner: &owner, reply, now: unix_now() })
        })
        .await
    }

    /// Where else a scheduling object of this UID is.
    async fn elsewhere(&self, into: &Collection, name: &str, uid: &str) -> Result<Option<(String, String)>> {
        let found = self.storage().items_with_uid(self.account(), uid).await?;
        let is_other =
            |row: &ItemRow| row.schedule_tag > 0 && (row.collection != into.id || row.name != name);
        Ok(found.into_iter().find(|(row, _)| is_other(row)).map(|(row, calendar)| (calendar, row.name)))
    }

    async fn write(
        &self,
        into: &Collection,
        before: Option<ItemRow>,
        new: NewItem,
        messages: Vec<NewItip>,
        request: &ScheduleRequest,
    ) -> Result<Attempt<std::result::Result<(Placed, Ids), Refusal>>> {
        let (account, reach) = (self.account(), self.reach());
        let preconditions = request.preconditions.clone();
        let (into, collection) = (into.id, into.name.clone());
        let write = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                if !takes(tx, reach, &collection, into, new.kind).await? {
                    return Ok(Attempt::Again);
                }
                let existing = rows::existing(tx, account, into, &new.name, &new.uid).await?;
                if existing.named != before || check_preconditions(&preconditions, before.as_ref()).is_err() {
                    return Ok(Attempt::Again);
                }
                if let Some(other) = existing.same_uid {
                    return Ok(Attempt::Done(Err(Refusal::UidTaken(other.name))));
                }
                if before.as_ref().is_some_and(|before| is_another(before, &new)) {
                    return Ok(Attempt::Done(Err(Refusal::UidChanged)));
                }
                let created = before.is_none();
                // The same bytes again change nothing, and wake nobody.
                let row = match before {
                    Some(row) if row.etag == new.etag && row.uid == new.uid => row,
                    before => rows::put(tx, account, into, before.as_ref(), new).await?,
                };
                let ids = itip::push(tx, account, &messages, unix_now() + GRACE).await?;
                Ok(Attempt::Done(Ok((Placed { item: row.into(), created }, ids))))
            })
        });
        Ok(write.await?)
    }

    async fn erase(&self, from: &Collection, row: ItemRow, messages: Vec<NewItip>) -> Result<Attempt<Ids>> {
        let (account, reach, from, collection) = (self.account(), self.reach(), from.id, from.name.clone());
        let erase = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                if reach.to_change(tx, &collection).await?.id != from {
                    return Ok(Attempt::Again);
                }
                let existing = rows::existing(tx, account, from, &row.name, "").await?;
                if existing.named.as_ref() != Some(&row) {
                    return Ok(Attempt::Again);
                }
                rows::remove(tx, account, from, &[row]).await?;
                Ok(Attempt::Done(itip::push(tx, account, &messages, unix_now() + GRACE).await?))
            })
        });
        Ok(erase.await?)
    }
}

/// Whether a calendar still is what it was when it was looked for, and takes such objects.
pub(super) async fn takes(
    tx: &mut Tx,
    reach: Reach,
    name: &str,
    id: CollectionId,
    kind: ItemKind,
) -> hub_storage::Result<bool> {
    match reach.to_change(tx, name).await {
        Ok(there) => Ok(there.id == id && there.facts.components & kind as i64 != 0),
        Err(hub_storage::Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

type Ids = Vec<(AccountId, i64)>;

/// Messages as they are kept.
pub(super) fn notes(messages: Vec<Message>) -> Vec<NewItip> {
    let note = |message: Message| NewItip {
        uid: message.uid,
        sender: message.sender.as_str().to_owned(),
        // "" is the account itself.
        recipients: message
            .recipients
            .iter()
            .map(|who| who.as_str().to_owned())
            .filter(|who| !who.is_empty())
            .collect(),
        data: message.data,
    };
    messages.into_iter().map(note).collect()
}

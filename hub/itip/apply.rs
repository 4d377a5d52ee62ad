//! What the words of others change in an object (RFC 5546 §2.1.5 and §3.2).

mod organized;
mod replied;
mod room;

use crate::address::{CalendarUser, Owner};
use crate::calendar::{Calendar, Component};
use crate::compare::attendees;
use crate::message::{Message, Method};
use crate::plan::Change;
use crate::received::Received;
use crate::{Error, MOST_COMPONENTS, MOST_OBJECT, organizer};

/// What a message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is to be answered; nothing changes.
    Answer(Message),
    Ignored(Ignored),
    /// This is what is to be stored.
    Put(Vec<u8>),
    /// It is for a person to decide on: a counter-proposal, or its refusal.
    Show,
}

/// Why a message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is only to be read.
    Method,
    /// Whoever gets it is not invited, or is the organizer.
    NotForThem,
    /// Something later was said already.
    Stale,
    /// Whoever says it has no say in this object.
    Stranger,
    /// It would make more of the object than may be stored.
    TooMuch,
    /// There is no such object, or no such instance.
    Unknown,
}

/// Finds out what a message changes in its recipient's object of the same UID. Who it is from has
/// been checked: [`Received::author`].
pub fn apply(stored: Option<&[u8]>, message: &Received, owner: &Owner, now: i64) -> Result<Outcome, Error> {
    let stored = stored.map(Calendar::parse).transpose()?;
    if stored.as_ref().is_some_and(|stored| stored.uid != message.calendar.uid) {
        return Ok(Outcome::Ignored(Ignored::Unknown));
    }
    if message.method.is_of_attendee() {
        let Some(stored) = stored else { return Ok(Outcome::Ignored(Ignored::Unknown)) };
        return of_attendee(stored, message, owner, now);
    }
    if owner.has(&message.organizer) {
        return Ok(Outcome::Ignored(Ignored::NotForThem));
    }
    if let Some(stored) = &stored
        && stored.organizer()?.as_ref() != Some(&message.organizer)
    {
        return Ok(Outcome::Ignored(Ignored::Stranger));
    }
    let outcome = match (message.method, stored) {
        (Method::Request, stored) => organized::request(stored, message, owner),
        (Method::Publish, _) => Err(Ignored::Method),
        (_, None) => Err(Ignored::Unknown),
        (Method::Add, Some(stored)) => organized::add(stored, message, owner),
        (Method::Cancel, Some(stored)) => organized::cancel(stored, message, owner),
        (_, Some(_)) => return Ok(Outcome::Show),
    };
    Ok(put(outcome))
}

/// What is stored can be read again, whatever was said.
fn put(outcome: Result<Calendar, Ignored>) -> Outcome {
    match outcome.map(|calendar| (calendar.components.len(), calendar.write())) {
        Ok((count, object)) if count > MOST_COMPONENTS || object.len() > MOST_OBJECT => {
            Outcome::Ignored(Ignored::TooMuch)
        }
        Ok((_, object)) => Outcome::Put(object),
        Err(ignored) => Outcome::Ignored(ignored),
    }
}

fn of_attendee(stored: Calendar, message: &Received, owner: &Owner, now: i64) -> Result<Outcome, Error> {
    let organizer = stored.organizer()?;
    let is_theirs = organizer.as_ref().is_some_and(|organizer| owner.has(organizer));
    let Some(who) = message.attendee.as_ref().filter(|_| is_theirs) else {
        return Ok(Outcome::Ignored(Ignored::NotForThem));
    };
    if message.method == Method::Reply {
        return Ok(put(replied::reply(stored, message, who)));
    }
    let is_invited = stored.components.iter().any(|component| attendees(component).contains_key(who));
    match (is_invited, message.method) {
        (false, _) => Ok(Outcome::Ignored(Ignored::Stranger)),
        (true, Method::Refresh) => refresh(stored, who, owner, now),
        (true, _) => Ok(Outcome::Show),
    }
}

/// RFC 5546 §3.2.6: the attendee is told everything once more.
fn refresh(mut stored: Calendar, who: &CalendarUser, owner: &Owner, now: i64) -> Result<Outcome, Error> {
    let change = Change { old: None, new: None, owner, reply: true, now };
    let all = organizer::messages(None, Some(&mut stored), &change)?;
    let theirs = all.into_iter().find(|message| message.recipients.contains(who));
    Ok(match theirs {
        Some(message) => Outcome::Answer(Message { recipients: vec![who.clone()], ..message }),
        None => Outcome::Ignored(Ignored::Unknown),
    })
}

/// RFC 5546 §2.1.5: the greater `SEQUENCE` counts, of equal ones the later `DTSTAMP`.
fn is_stale(new: &Component, stored: &Component) -> bool {
    (new.sequence(), new.stamp()) < (stored.sequence(), stored.stamp())
}

fn invites(component: &Component, owner: &Owner) -> bool {
    attendees(component).keys().any(|who| owner.has(who))
}

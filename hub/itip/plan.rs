//! What a client's change of an object means: who is told what, and what is stored.

use crate::address::{CalendarUser, Owner};
use crate::calendar::Calendar;
use crate::message::Message;
use crate::text::with_parameter;
use crate::{Error, attendee, organizer};

/// What the owner of an object is in it (RFC 6638 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Attendee,
    /// It is no scheduling object.
    Nobody,
    Organizer,
}

/// A change that a client wants; `None` is that there is nothing.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub old: Option<&'a [u8]>,
    pub new: Option<&'a [u8]>,
    pub owner: &'a Owner,
    /// `Schedule-Reply: F` was not given (RFC 6638 §8.1).
    pub reply: bool,
    /// Unix seconds.
    pub now: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of what is stored then.
    pub role: Role,
    /// What is to be stored in place of what the client wrote.
    pub object: Option<Vec<u8>>,
    pub messages: Vec<Message>,
}

/// Finds out what a change means.
pub fn plan(change: &Change<'_>) -> Result<Plan, Error> {
    let parse = |bytes: Option<&[u8]>| bytes.map(Calendar::parse).transpose();
    // What was stored before there were rules is no reason to refuse what comes now.
    let old = parse(change.old).ok().flatten();
    let mut new = parse(change.new)?;
    let (was, is) =
        (role(old.as_ref(), change.owner).unwrap_or(Role::Nobody), role(new.as_ref(), change.owner)?);
    if matches!((was, is), (Role::Organizer, Role::Attendee) | (Role::Attendee, Role::Organizer)) {
        return Err(Error::OrganizerChange);
    }
    let messages = match (was, is) {
        (Role::Organizer, _) | (_, Role::Organizer) => organizer::messages(
            old.as_ref().filter(|_| was == Role::Organizer),
            new.as_mut().filter(|_| is == Role::Organizer),
            change,
        )?,
        (Role::Attendee, _) | (_, Role::Attendee) => attendee::messages(
            old.as_ref().filter(|_| was == Role::Attendee),
            new.as_ref().filter(|_| is == Role::Attendee),
            change,
        )?,
        (Role::Nobody, Role::Nobody) => Vec::new(),
    };
    let object = new.filter(|_| is != Role::Nobody).map(|mut new| {
        remove_force_send(&mut new);
        new.write()
    });
    let object = object.filter(|object| Some(object.as_slice()) != change.new);
    Ok(Plan { role: is, object, messages })
}

/// It is for this change alone (RFC 6638 §7.2).
fn remove_force_send(calendar: &mut Calendar) {
    const NAME: &str = "SCHEDULE-FORCE-SEND";
    for component in &mut calendar.components {
        for name in ["ATTENDEE", "ORGANIZER"] {
            component.block.rewrite(name, |property, text| {
                property.parameter(NAME).map(|_| with_parameter(text, NAME, None))
            });
        }
    }
}

/// RFC 6638 §3.1.
fn role(calendar: Option<&Calendar>, owner: &Owner) -> Result<Role, Error> {
    let Some(calendar) = calendar else { return Ok(Role::Nobody) };
    let Some(organizer) = calendar.organizer()? else { return Ok(Role::Nobody) };
    if owner.has(&organizer) {
        return Ok(Role::Organizer);
    }
    let is_own = |who: &CalendarUser| owner.has(who);
    let mut components = calendar.components.iter();
    let invites = components.any(|component| crate::compare::attendees(component).keys().any(is_own));
    Ok(if invites { Role::Attendee } else { Role::Nobody })
}

//! A message that somebody says to have sent.

use std::collections::BTreeSet;

use crate::Error;
use crate::address::CalendarUser;
use crate::attendee::only_attendee;
use crate::calendar::{Calendar, utc};
use crate::compare::attendees;
use crate::message::{self, Message, Method};

/// An iTIP message, read but not believed.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub(crate) calendar: Calendar,
    pub(crate) organizer: CalendarUser,
    /// Of what attendees say: who says it.
    pub(crate) attendee: Option<CalendarUser>,
}

impl Received {
    /// `NotCalendar` for what is no message between an organizer and attendees.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |why: &str| Error::NotCalendar(why.to_owned());
        let mut calendar = Calendar::parse(bytes)?;
        let method = calendar.property("METHOD").as_deref().and_then(Method::from_name);
        let method = method.ok_or_else(|| wrong("there is no METHOD that is known"))?;
        let organizer = calendar.organizer()?.ok_or_else(|| wrong("there is no ORGANIZER"))?;
        if calendar.uid.is_empty() {
            return Err(wrong("there is no UID"));
        }
        // What is between another client and its server is nothing to this one.
        for component in &mut calendar.components {
            message::remove_own_parameters(&mut component.block);
        }
        let mut attendee = None;
        if method.is_of_attendee() {
            let mut all = calendar.components.iter().map(only_attendee);
            attendee = all.next().flatten();
            if attendee.is_none() || all.any(|other| other != attendee) {
                return Err(wrong("an answer is of one ATTENDEE"));
            }
        }
        Ok(Self { method, calendar, organizer, attendee })
    }

    pub fn uid(&self) -> &str {
        &self.calendar.uid
    }

    /// `VEVENT`, `VTODO` …
    pub fn component(&self) -> &str {
        self.calendar.components.first().map_or("", |component| &component.block.name)
    }

    pub fn organizer(&self) -> &CalendarUser {
        &self.organizer
    }

    /// Who alone may say this: the organizer, or the attendee who answers. That somebody says to speak for
    /// them (`SENT-BY`) is only what that somebody says.
    pub fn author(&self) -> &CalendarUser {
        self.attendee.as_ref().unwrap_or(&self.organizer)
    }

    /// Who is to hear this: the organizer of what an attendee says, else the attendees that it names.
    pub fn recipients(&self) -> Vec<CalendarUser> {
        if self.method.is_of_attendee() {
            return vec![self.organizer.clone()];
        }
        let named = self.calendar.components.iter().flat_map(|component| attendees(component).into_keys());
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether it is about an object, and between people whom that names.
    pub fn is_about(&self, object: &[u8]) -> bool {
        let Ok(object) = Calendar::parse(object) else { return false };
        let named: BTreeSet<CalendarUser> =
            object.components.iter().flat_map(|component| attendees(component).into_keys()).collect();
        let is_named = |who: &CalendarUser| named.contains(who) || *who == self.organizer;
        object.uid == self.calendar.uid
            && object.organizer().is_ok_and(|organizer| organizer.as_ref() == Some(&self.organizer))
            && self.recipients().iter().chain([self.author()]).all(is_named)
    }

    /// The same as a message of ours.
    pub fn message(&self) -> Message {
        let Self { method, calendar, .. } = self;
        let (uid, sender) = (calendar.uid.clone(), self.author().clone());
        Message { method: *method, uid, sender, recipients: self.recipients(), data: calendar.write() }
    }

    /// What is said besides, for people.
    pub fn comment(&self) -> String {
        let first = self.calendar.components.first();
        first.and_then(|component| component.block.text("COMMENT")).unwrap_or_default()
    }

    /// The title, for people.
    pub fn summary(&self) -> String {
        let first = self.calendar.components.first();
        first.and_then(|component| component.block.text("SUMMARY")).unwrap_or_default()
    }

    /// When it begins, as iCalendar has it.
    pub fn starts(&self) -> String {
        let start = self.calendar.components.first().and_then(|component| component.start.clone());
        start.map(|start| utc(start.utc(&hub_ical::Zone::UTC))).unwrap_or_default()
    }
}

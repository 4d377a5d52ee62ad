//! A message that somebody says to have sent.

use crate::Error;
use crate::address::CalendarUser;
use crate::attendee::only_attendee;
use crate::calendar::{Calendar, utc};
use crate::message::{self, Method};

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

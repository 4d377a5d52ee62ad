//! Answers that no calendar program writes: of guests who have none, and of rooms.

use crate::Error;
use crate::address::{CalendarUser, Owner, user};
use crate::calendar::{Calendar, Component};
use crate::compare::{attendee, attendees, participation};
use crate::message::{self, Message, Method};
use crate::text::with_parameter;

/// `PARTSTAT` of an answer (RFC 5545 §3.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    Declined,
    Tentative,
}

impl Answer {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Declined => "DECLINED",
            Self::Tentative => "TENTATIVE",
        }
    }
}

/// A meeting, for one of its guests to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub guest: CalendarUser,
    pub organizer: CalendarUser,
    pub summary: String,
    pub location: String,
    /// On its own clock, in seconds since 1970 there.
    pub starts: Option<i64>,
    pub is_day: bool,
    /// Whose clock that is, as the organizer has it; empty if it is nobody's.
    pub zone: String,
    pub is_series: bool,
    /// `PARTSTAT`, in capital letters.
    pub status: String,
}

impl Invitation {
    /// Of an organizer's object, for the guest that `is_guest` knows; `None` if there is none, or nothing
    /// happens.
    pub fn of(object: &[u8], is_guest: impl Fn(&CalendarUser) -> bool) -> Option<Self> {
        let calendar = Calendar::parse(object).ok()?;
        let organizer = calendar.organizer().ok()??;
        let happens = |component: &&Component| !component.is_cancelled();
        let (component, guest) = calendar.components.iter().filter(happens).find_map(|component| {
            let guest = attendees(component).into_keys().find(|who| is_guest(who))?;
            Some((component, guest))
        })?;
        let text = |name: &str| component.block.text(name).unwrap_or_default();
        let start = component.start.as_ref();
        let zone = match start {
            Some(hub_ical::Time::Utc(_)) => "UTC".to_owned(),
            _ => component
                .block
                .first("DTSTART")
                .and_then(|it| Some(it.parameter("TZID")?.into_owned()))
                .unwrap_or_default(),
        };
        Some(Self {
            status: attendee(component, &guest).map(|line| participation(&line))?,
            guest,
            organizer,
            summary: text("SUMMARY"),
            location: text("LOCATION"),
            starts: start.map(hub_ical::Time::local),
            is_day: start.is_some_and(hub_ical::Time::is_date),
            zone,
            is_series: ["RRULE", "RDATE"].iter().any(|name| component.block.first(name).is_some()),
        })
    }
}

/// The `REPLY` of a guest to everything that it is invited to in an organizer's object.
pub fn reply_of(object: &[u8], guest: &CalendarUser, answer: Answer, now: i64) -> Result<Vec<u8>, Error> {
    let calendar = Calendar::parse(object)?;
    let invites = |component: &&Component| {
        !component.is_cancelled() && component.block.all("ATTENDEE").any(|line| user(&line) == *guest)
    };
    let replied = |component| message::replied(component, guest, Some(answer.name()), now);
    let replies = calendar.components.iter().filter(invites).map(replied).collect();
    Ok(message::calendar(Method::Reply, &calendar, replies))
}

/// An invitation as whoever it invites has answered it, and the answer (RFC 5546 §3.2.3). `None` if it
/// invites nobody of these addresses.
pub fn answered(
    object: &[u8],
    owner: &Owner,
    answer: Answer,
    now: i64,
) -> Result<Option<(Vec<u8>, Message)>, Error> {
    let mut calendar = Calendar::parse(object)?;
    let organizer = calendar.organizer()?;
    let mut users = calendar.components.iter().flat_map(|component| attendees(component).into_keys());
    let (Some(guest), Some(organizer)) = (users.find(|who| owner.has(who)), organizer) else {
        return Ok(None);
    };
    drop(users);
    for component in &mut calendar.components {
        component.block.rewrite("ATTENDEE", |property, text| {
            let text = (user(property) == guest).then(|| with_parameter(text, "RSVP", None))?;
            Some(with_parameter(&text, "PARTSTAT", Some(answer.name())))
        });
    }
    let object = calendar.write();
    let data = reply_of(&object, &guest, answer, now)?;
    let (uid, method) = (calendar.uid, Method::Reply);
    Ok(Some((object, Message { method, uid, sender: guest, recipients: vec![organizer], data })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Received;

    const OBJECT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSEQUENCE:2\r\n\
        DTSTART;TZID=Europe/Berlin:20890607T100000\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:A\\, b\r\nLOCATION:Here\r\n\
        ORGANIZER:mailto:o@x\r\nATTENDEE;SCHEDULE-STATUS=1.1:mailto:g@y\r\nATTENDEE:mailto:h@y\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=Europe/Berlin:20890614T100000\r\n\
        DTSTART;TZID=Europe/Berlin:20890614T110000\r\nORGANIZER:mailto:o@x\r\nATTENDEE:mailto:h@y\r\nEND:VEVENT\r\n\
        END:VCALENDAR\r\n";

    #[test]
    fn what_a_guest_sees_and_answers() {
        let guest = CalendarUser::new("mailto:g@y");
        let seen = Invitation::of(OBJECT.as_bytes(), |who| *who == guest).expect("invited");
        assert_eq!((seen.summary.as_str(), seen.location.as_str()), ("A, b", "Here"));
        assert_eq!((seen.zone.as_str(), seen.status.as_str()), ("Europe/Berlin", "NEEDS-ACTION"));
        assert!(seen.is_series && !seen.is_day);
        assert_eq!(seen.starts.map(|at| at % 86_400), Some(36_000));
        assert_eq!(Invitation::of(OBJECT.as_bytes(), |_| false), None);
        let cancelled = OBJECT.replace("SEQUENCE:2", "SEQUENCE:2\r\nSTATUS:CANCELLED");
        assert_eq!(Invitation::of(cancelled.as_bytes(), |who| *who == guest), None);

        let reply = reply_of(OBJECT.as_bytes(), &guest, Answer::Tentative, 0).expect("a reply");
        let received = Received::parse(&reply).expect("a message");
        assert_eq!((received.method, received.author()), (Method::Reply, &guest));
        let text = String::from_utf8(reply).expect("text");
        assert!(text.contains("ATTENDEE;PARTSTAT=TENTATIVE:mailto:g@y\r\n"), "{text}");
        assert!(
            text.contains("SEQUENCE:2") && !text.contains("h@y") && !text.contains("RECURRENCE-ID"),
            "{text}"
        );
    }
}

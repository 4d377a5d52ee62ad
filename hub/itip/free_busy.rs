//! Asking when others are busy (RFC 5546 §3.3.2, RFC 6638 §5).

use std::collections::BTreeSet;

use hub_ical::Zone;

use crate::Error;
use crate::address::{CalendarUser, user};
use crate::calendar::Calendar;
use crate::message::Method;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeBusyRequest {
    pub organizer: CalendarUser,
    /// From a moment on and before another, in Unix seconds.
    pub from: i64,
    pub to: i64,
    /// `UID` and `ORGANIZER`, as lines.
    pub head: Vec<String>,
    /// Who is asked about, each once, and the line that says so.
    pub attendees: Vec<(CalendarUser, String)>,
}

impl FreeBusyRequest {
    /// Of a `VCALENDAR` with one `VFREEBUSY` and `METHOD:REQUEST`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |why: &str| Error::NotCalendar(why.to_owned());
        let calendar = Calendar::parse(bytes)?;
        let method = calendar.property("METHOD").as_deref().and_then(Method::from_name);
        let [component] = calendar.components.as_slice() else {
            return Err(wrong("there must be one VFREEBUSY"));
        };
        if method != Some(Method::Request) || component.block.name != "VFREEBUSY" {
            return Err(wrong("this does not ask when somebody is busy"));
        }
        let organizer = calendar.organizer()?.ok_or_else(|| wrong("there is no ORGANIZER"))?;
        let bounds = component.start.as_ref().map(|start| start.utc(&Zone::UTC)).zip(component.end());
        let (from, to) = bounds.filter(|(from, to)| from < to).ok_or_else(|| wrong("there is no time"))?;
        let lines = |name: &'static str| {
            let is = move |property: &hub_ical::Property<'_>| property.is(name);
            component.block.lines().filter(move |line| line.property().is_some_and(|it| is(&it)))
        };
        let head = lines("UID").chain(lines("ORGANIZER")).map(|line| line.text.clone()).collect();
        let mut known = BTreeSet::new();
        let attendees = lines("ATTENDEE")
            .filter_map(|line| Some((user(&line.property()?), line.text.clone())))
            .filter(|(who, _)| known.insert(who.clone()))
            .collect();
        Ok(Self { organizer, from, to, head, attendees })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5546 §4.3.2.
    #[test]
    fn rfc5546_4_3_2_a_request() {
        let text = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nORGANIZER:mailto:a@example.com\r\n\
                    ATTENDEE:mailto:b@example.com\r\nATTENDEE;CN=C:mailto:c@example.com\r\n\
                    DTSTAMP:19970613T190000Z\r\nDTSTART:19970701T080000Z\r\nDTEND:19970701T200000Z\r\n\
                    UID:calsrv.example.com-873970198738777@example.com\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
        let request = FreeBusyRequest::parse(text.as_bytes()).expect("a request");
        assert_eq!((request.from, request.to - request.from), (867_744_000, 12 * 3600));
        assert_eq!(request.head.len(), 2);
        let again = text.replace("DTSTAMP", "ATTENDEE;CN=Again:MAILTO:B@example.com\r\nDTSTAMP");
        assert_eq!(FreeBusyRequest::parse(again.as_bytes()).expect("a request").attendees, request.attendees);
        assert_eq!(request.attendees[1].1, "ATTENDEE;CN=C:mailto:c@example.com");
        for (from, to) in
            [("REQUEST", "REPLY"), ("VFREEBUSY", "VEVENT"), ("ORGANIZER", "X-O"), ("T200000Z", "T070000Z")]
        {
            assert!(FreeBusyRequest::parse(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }
}

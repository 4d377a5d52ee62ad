//! One event, task or journal entry of a calendar object, as far as its times go.

use hub_recur::Rule;

use crate::document::Component;
use crate::property::Property;
use crate::time::{Duration, Time};
use crate::zone::Zones;

/// Dates that one component may add or take out. What comes after is not looked at.
const MAX_DATES: usize = 10_000;
/// More rules than one are deprecated (RFC 5545 §3.8.5.3) and written all the same.
const MAX_RULES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Availability,
    Event,
    FreeBusy,
    Journal,
    Todo,
}

/// `DTEND`, `DUE` or `DURATION`.
#[derive(Clone, Debug, PartialEq)]
pub enum Length {
    Duration(Duration),
    /// RFC 5545 §3.6.1: a day if it starts on a day, else no time.
    None,
    Until(Time),
}

/// An occurrence that is not of the rule: `RDATE`, perhaps with a length of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    pub start: Time,
    pub length: Length,
}

/// A component with what tells when it happens.
#[derive(Clone, Debug)]
pub struct Entry<'d> {
    pub component: Component<'d>,
    pub kind: Kind,
    pub uid: String,
    /// Which occurrence of the series it is instead of.
    pub recurrence_id: Option<Time>,
    /// `RANGE=THISANDFUTURE`
    pub is_for_all_later: bool,
    /// `DTSTART`; for a task without one, its `DUE`.
    pub start: Option<Time>,
    pub length: Length,
    pub rules: Vec<Rule>,
    pub extras: Vec<Extra>,
    pub exceptions: Vec<Time>,
}

impl<'d> Entry<'d> {
    /// `None` for other components, time zones among them.
    pub fn of(component: Component<'d>, zones: &Zones<'_>) -> Option<Self> {
        let kind = match component.name() {
            "VAVAILABILITY" => Kind::Availability,
            "VEVENT" => Kind::Event,
            "VFREEBUSY" => Kind::FreeBusy,
            "VJOURNAL" => Kind::Journal,
            "VTODO" => Kind::Todo,
            _ => return None,
        };
        let mut entry = Self {
            component,
            kind,
            uid: String::new(),
            recurrence_id: None,
            is_for_all_later: false,
            start: None,
            length: Length::None,
            rules: Vec::new(),
            extras: Vec::new(),
            exceptions: Vec::new(),
        };
        for property in component.properties() {
            entry.take(&property, zones);
        }
        if let (Kind::Todo, None, Length::Until(due)) = (kind, &entry.start, &entry.length) {
            entry.start = Some(due.clone());
            entry.length = Length::Duration(Duration::default());
        }
        Some(entry)
    }

    fn take(&mut self, property: &Property<'d>, zones: &Zones<'_>) {
        match property.name.to_ascii_uppercase().as_str() {
            "UID" => self.uid = property.text().trim().to_owned(),
            "DTSTART" => self.start = Time::of(property, zones),
            "DTEND" | "DUE" => {
                if let Some(end) = Time::of(property, zones) {
                    self.length = Length::Until(end);
                }
            }
            "DURATION" => {
                if let Some(duration) = Duration::parse(property.value) {
                    self.length = Length::Duration(duration);
                }
            }
            "RECURRENCE-ID" => {
                self.recurrence_id = Time::of(property, zones);
                let range = property.parameter("RANGE");
                self.is_for_all_later =
                    range.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
            }
            // One that is not understood counts as not there.
            "RRULE" if self.rules.len() < MAX_RULES => self.rules.extend(property.value.parse::<Rule>()),
            "RDATE" => {
                let room = MAX_DATES.saturating_sub(self.extras.len());
                self.extras.extend(dates(property, zones).take(room));
            }
            "EXDATE" => {
                let room = MAX_DATES.saturating_sub(self.exceptions.len());
                self.exceptions.extend(dates(property, zones).map(|extra| extra.start).take(room));
            }
            _ => {}
        }
    }

    pub fn is_recurring(&self) -> bool {
        !(self.rules.is_empty() && self.extras.is_empty())
    }
}

/// `date / date-time / period` in a list.
fn dates<'p>(property: &Property<'p>, zones: &Zones<'_>) -> impl Iterator<Item = Extra> + use<'p> {
    let zone = property.parameter("TZID").and_then(|name| zones.get(&name));
    property.value.split(',').filter_map(move |item| {
        let (start, end) =
            item.trim().split_once('/').map_or((item.trim(), None), |(start, end)| (start, Some(end)));
        let start = Time::parse(start, zone.clone())?;
        let length = match end {
            None => Length::None,
            Some(end) => match Duration::parse(end) {
                Some(duration) => Length::Duration(duration),
                None => Length::Until(Time::parse(end, zone.clone())?),
            },
        };
        Some(Extra { start, length })
    })
}

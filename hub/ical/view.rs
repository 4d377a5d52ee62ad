//! What of a calendar object is shown (RFC 4791 §9.6): some of its properties, its occurrences one by
//! one, or only those exceptions that matter.

use crate::document::{Component, Document};
use crate::entry::{Entry, Kind, Length};
use crate::filter::TimeRange;
use crate::object::{Object, Occurrence};
use crate::property::Property;
use crate::text::Text;
use crate::time::{Duration, Time};
use crate::zone::{Zone, Zones};

/// Bytes that the occurrences of one object may come to, unless the object alone has more.
const MOST_BYTES: usize = 4 << 20;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub recurrences: Recurrences,
    /// `limit-freebusy-set`
    pub free_busy: Option<TimeRange>,
    /// Of the `VCALENDAR`; everything if it is `None`.
    pub selection: Option<Selection>,
    /// RFC 7809 §3.1.1: time zones that everybody knows are left out.
    pub without_zones: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recurrences {
    #[default]
    All,
    /// `expand`: every occurrence as a component of its own, its times in UTC.
    Expand(TimeRange),
    /// `limit-recurrence-set`: without the exceptions that are elsewhere in time.
    Limit(TimeRange),
}

/// `comp`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// In capital letters.
    pub name: String,
    pub properties: Properties,
    /// All if it is `None`.
    pub components: Option<Vec<Self>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Properties {
    #[default]
    All,
    /// By their names; true if the value is left out.
    These(Vec<(String, bool)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// Occurrences that were written.
    pub instances: usize,
}

/// An object has more occurrences than may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyInstances;

impl View {
    /// Whether objects are shown as they are.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Shows an object; one that cannot be read, as it is. `floating` is the clock for times without a
    /// zone; `most` occurrences may be written.
    pub fn of(&self, data: &[u8], floating: &Zone, most: usize) -> Result<Rendered, TooManyInstances> {
        let document = Document::parse(data).ok();
        let calendar = document.as_ref().and_then(|document| document.roots().next());
        let Some(calendar) = calendar.filter(|calendar| calendar.name() == "VCALENDAR") else {
            return Ok(Rendered { text: String::from_utf8_lossy(data).into_owned(), instances: 0 });
        };
        let zones = Zones::of(Some(calendar));
        let objects = Object::all(calendar, &zones);
        // A picture in a series is not shown ten thousand times.
        let most_bytes = MOST_BYTES.max(2 * data.len());
        let mut showing =
            Showing { view: self, floating, most, text: Text::default(), instances: 0, most_bytes };
        showing.calendar(calendar, &objects)?;
        Ok(Rendered { text: showing.text.finish(), instances: showing.instances })
    }
}

impl Properties {
    /// The line of a property, if it is shown.
    pub(crate) fn line<'l>(
        &self,
        line: &'l str,
        property: Option<Property<'l>>,
    ) -> Option<std::borrow::Cow<'l, str>> {
        let Self::These(names) = self else { return Some(line.into()) };
        let property = property?;
        let (_, is_empty) = names.iter().find(|(name, _)| property.is(name))?;
        Some(if *is_empty { format!("{}:", property.name).into() } else { line.into() })
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.iter().any(|(known, _)| known == name),
        }
    }
}

struct Showing<'v> {
    view: &'v View,
    floating: &'v Zone,
    most: usize,
    text: Text,
    instances: usize,
    /// Bytes of text that expanding may make.
    most_bytes: usize,
}

/// What is selected of a component; `None` is everything.
type Selected<'v> = Option<&'v Selection>;

/// What is selected of a component within another; `None` if it is left out.
fn within<'v>(outer: Selected<'v>, name: &str) -> Option<Selected<'v>> {
    match outer.and_then(|outer| outer.components.as_ref()) {
        None => Some(None),
        Some(named) => named.iter().find(|inner| inner.name == name).map(Some),
    }
}

const ALL: &Properties = &Properties::All;

fn properties<'v>(selected: Selected<'v>) -> &'v Properties {
    selected.map_or(ALL, |selection| &selection.properties)
}

impl Showing<'_> {
    fn calendar(&mut self, calendar: Component<'_>, objects: &[Object<'_>]) -> Result<(), TooManyInstances> {
        let selected = self.view.selection.as_ref().filter(|selection| selection.name == calendar.name());
        self.text.begin(calendar.name());
        self.own_lines(calendar, selected);
        for child in calendar.children() {
            let Some(selected) = within(selected, child.name()) else { continue };
            let object = objects.iter().find(|object| object.has(child));
            match (self.view.recurrences, object) {
                _ if child.name() == "VTIMEZONE" => self.zone(child, selected),
                (Recurrences::Expand(range), Some(object)) if is_expanded(object) => {
                    self.expanded(object, child, range, selected)?;
                }
                (Recurrences::Limit(range), Some(object)) if !self.matters(object, child, range) => {}
                _ => self.component(child, selected),
            }
        }
        self.text.end(calendar.name());
        Ok(())
    }

    fn own_lines(&mut self, component: Component<'_>, selected: Selected<'_>) {
        for (line, property) in component.lines() {
            if let Some(line) = properties(selected).line(line, property) {
                self.text.line(&line);
            }
        }
    }

    fn component(&mut self, component: Component<'_>, selected: Selected<'_>) {
        if let (None, None) = (selected, self.view.free_busy) {
            component.whole().for_each(|line| self.text.line(line));
            return;
        }
        self.text.begin(component.name());
        for (line, property) in component.lines() {
            let Some(shown) = properties(selected).line(line, property) else { continue };
            match (self.view.free_busy, property) {
                (Some(range), Some(property)) if property.is("FREEBUSY") => self.busy(line, property, range),
                _ => self.text.line(&shown),
            }
        }
        self.inner(component, selected);
        self.text.end(component.name());
    }

    fn inner(&mut self, component: Component<'_>, selected: Selected<'_>) {
        for child in component.children() {
            if let Some(selected) = within(selected, child.name()) {
                self.component(child, selected);
            }
        }
    }

    fn zone(&mut self, zone: Component<'_>, selected: Selected<'_>) {
        let is_known = || zone.first("TZID").is_some_and(|name| Zone::named(name.value.trim()).is_some());
        // Where all times are in UTC, nobody needs one.
        let is_expanded = matches!(self.view.recurrences, Recurrences::Expand(_));
        let is_left_out = is_expanded || (self.view.without_zones && is_known());
        if !is_left_out {
            self.component(zone, selected);
        }
    }

    /// RFC 4791 §9.6.7: the periods that overlap the range.
    fn busy(&mut self, line: &str, property: Property<'_>, range: TimeRange) {
        let head = &line[..line.len() - property.value.len()];
        let overlaps = |period: &&str| {
            let Some((start, end)) = period.trim().split_once('/') else { return true };
            let Some(start) = Time::parse(start, None) else { return true };
            let end = match Duration::parse(end) {
                Some(duration) => Some(start.plus(duration)),
                None => Time::parse(end, None),
            };
            end.is_none_or(|end| start.local() < range.to && end.local() > range.from)
        };
        let periods: Vec<&str> = property.value.split(',').filter(overlaps).collect();
        if !periods.is_empty() {
            self.text.line(&format!("{head}{}", periods.join(",")));
        }
    }

    /// RFC 4791 §9.6.6: the series itself, and exceptions that are within the range or would have been.
    fn matters(&self, object: &Object<'_>, component: Component<'_>, range: TimeRange) -> bool {
        let Some(entry) = object.overrides.iter().find(|entry| entry.component.is_same(component)) else {
            return true;
        };
        let overlaps = |start: &Time| {
            let length = match Object::length(entry) {
                Length::Duration(duration) => duration,
                _ => Duration::default(),
            };
            let (start, end) = (start.utc(self.floating), start.plus(length).utc(self.floating));
            start < range.to && end.max(start.saturating_add(1)) > range.from
        };
        let times = [entry.start.as_ref(), entry.recurrence_id.as_ref()];
        entry.is_for_all_later || times.into_iter().flatten().any(overlaps)
    }

    /// RFC 4791 §9.6.5: the occurrences that this component tells of.
    fn expanded(
        &mut self,
        object: &Object<'_>,
        component: Component<'_>,
        range: TimeRange,
        selected: Selected<'_>,
    ) -> Result<(), TooManyInstances> {
        // All of them at once, where the object begins: they come in the order of time.
        let first = object.master.iter().chain(&object.overrides).next();
        if !first.is_some_and(|entry| entry.component.is_same(component)) {
            return Ok(());
        }
        let left = self.most - self.instances;
        let found = object.occurrences(range.from, range.to, self.floating, left.saturating_add(1));
        if found.len() > left {
            return Err(TooManyInstances);
        }
        self.instances += found.len();
        for occurrence in found {
            let entry = match occurrence.instead {
                None => object.master.as_ref(),
                Some(index) => object.overrides.get(index),
            };
            if let Some(entry) = entry {
                self.instance(entry, &occurrence, selected);
            }
            if self.text.len() > self.most_bytes {
                return Err(TooManyInstances);
            }
        }
        Ok(())
    }

    fn instance(&mut self, entry: &Entry<'_>, occurrence: &Occurrence, selected: Selected<'_>) {
        let component = entry.component;
        let shown = properties(selected);
        self.text.begin(component.name());
        let mut has_start = false;
        for (line, property) in component.lines() {
            let Some(shown_line) = shown.line(line, property) else { continue };
            let name = property.map(|property| property.name.to_ascii_uppercase()).unwrap_or_default();
            match name.as_str() {
                "EXDATE" | "EXRULE" | "RDATE" | "RECURRENCE-ID" | "RRULE" => {}
                "DTSTART" if !has_start => {
                    has_start = true;
                    self.text.time("DTSTART", &occurrence.at);
                }
                "DTEND" | "DUE" => self.text.time(&name, &end(entry, occurrence)),
                // In UTC a day has always 24 hours, and an extra occurrence may have a length of its own.
                "DURATION" => {
                    let name = if entry.kind == Kind::Todo { "DUE" } else { "DTEND" };
                    self.text.time(name, &end(entry, occurrence));
                }
                _ => self.text.line(&shown_line),
            }
        }
        // Which of the series it is, a client needs to know whatever it has asked for.
        if let Some(id) = &occurrence.recurrence_id
            && (shown.has("RECURRENCE-ID") || shown.has("DTSTART"))
        {
            self.text.time("RECURRENCE-ID", id);
        }
        self.inner(component, selected);
        self.text.end(component.name());
    }
}

/// What has no time, and what is no occurrence of anything, stays as it is.
fn is_expanded(object: &Object<'_>) -> bool {
    let mut entries = object.master.iter().chain(&object.overrides);
    entries
        .all(|entry| entry.start.is_some() && matches!(entry.kind, Kind::Event | Kind::Journal | Kind::Todo))
}

fn end(entry: &Entry<'_>, occurrence: &Occurrence) -> Time {
    match (&occurrence.at, Object::length(entry)) {
        (Time::Date(_) | Time::Floating(_), Length::Duration(duration)) => occurrence.at.plus(duration),
        _ => Time::Utc(occurrence.end),
    }
}

#[cfg(test)]
mod tests;

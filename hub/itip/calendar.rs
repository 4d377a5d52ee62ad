//! A calendar object taken apart for scheduling: its components by the instance that they are of.

use std::collections::BTreeSet;

use hub_ical::{Document, Entry, Length, Object, Time, Zone, Zones};

use crate::address::{CalendarUser, user};
use crate::text::{Block, Part, with_value};
use crate::{Error, MOST_COMPONENTS};

/// Which instance of a series: the moment that `RECURRENCE-ID` names; without a zone, as if in UTC.
pub(crate) type Instance = i64;

/// A `VCALENDAR` with one object.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    head: Vec<Part>,
    pub(crate) components: Vec<Component>,
    tail: Vec<Part>,
    pub(crate) uid: String,
}

/// `VEVENT`, `VTODO`, `VJOURNAL` or `VFREEBUSY`.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) block: Block,
    /// `None`: the series, or the only one there is.
    pub(crate) instance: Option<Instance>,
    pub(crate) start: Option<Time>,
    length: Length,
    /// `EXDATE`
    pub(crate) excepted: BTreeSet<Instance>,
}

impl Calendar {
    /// All of it, whatever number of objects; only the first UID counts.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let document = Document::parse(bytes).map_err(|error| Error::NotCalendar(error.to_string()))?;
        let mut roots = document.roots();
        let calendar = match (roots.next(), roots.next()) {
            (Some(calendar), None) if calendar.name() == "VCALENDAR" => calendar,
            _ => return Err(Error::NotCalendar("there must be one VCALENDAR".into())),
        };
        let zones = Zones::of(Some(calendar));
        let (mut head, mut components, mut tail) = (Vec::new(), Vec::new(), Vec::new());
        let mut uid: Option<String> = None;
        let mut entries = calendar.children().map(|child| Entry::of(child, &zones));
        for part in Block::of(calendar).parts {
            let entry = match &part {
                Part::Block(_) => entries.next().flatten(),
                Part::Line(_) => None,
            };
            match (part, entry) {
                (Part::Block(block), Some(entry)) => {
                    if *uid.get_or_insert_with(|| entry.uid.clone()) != entry.uid {
                        return Err(Error::NotCalendar("there must be one UID".into()));
                    }
                    if components.len() == MOST_COMPONENTS {
                        return Err(Error::TooMany("components"));
                    }
                    components.push(Component::new(block, &entry));
                }
                (part, _) if components.is_empty() => head.push(part),
                (part, _) => tail.push(part),
            }
        }
        if components.is_empty() {
            // Whatever comes must stand before the end.
            tail.extend(head.pop());
        }
        Ok(Self { head, components, tail, uid: uid.unwrap_or_default() })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.head.iter().for_each(|part| part.write(&mut out));
        self.components.iter().for_each(|component| component.block.write(&mut out));
        self.tail.iter().for_each(|part| part.write(&mut out));
        out
    }

    pub(crate) fn master(&self) -> Option<&Component> {
        self.of(None)
    }

    pub(crate) fn of(&self, instance: Option<Instance>) -> Option<&Component> {
        self.components.iter().find(|component| component.instance == instance)
    }

    pub(crate) fn of_mut(&mut self, instance: Option<Instance>) -> Option<&mut Component> {
        self.components.iter_mut().find(|component| component.instance == instance)
    }

    fn around(&self) -> impl Iterator<Item = &Part> {
        self.head.iter().chain(&self.tail)
    }

    /// A property of the calendar itself.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        self.around().find_map(|part| match part {
            Part::Line(line) => {
                line.property().filter(|property| property.is(name)).map(|it| it.text().trim().to_owned())
            }
            Part::Block(_) => None,
        })
    }

    pub(crate) fn zones(&self) -> impl Iterator<Item = &Block> {
        self.around().filter_map(|part| match part {
            Part::Block(block) if block.name == "VTIMEZONE" => Some(block),
            _ => None,
        })
    }

    /// Takes a property of the calendar itself out.
    pub(crate) fn remove_property(&mut self, name: &str) {
        for parts in [&mut self.head, &mut self.tail] {
            parts.retain(
                |part| !matches!(part, Part::Line(line) if line.property().is_some_and(|it| it.is(name))),
            );
        }
    }

    /// Adds the zones of another calendar that are not in this one.
    pub(crate) fn add_zones(&mut self, other: &Self) {
        let id = |block: &Block| block.text("TZID");
        let known: Vec<_> = self.zones().map(id).collect();
        let new = other.zones().filter(|zone| !known.contains(&id(zone)));
        let new: Vec<Part> = new.cloned().map(Part::Block).collect();
        self.head.extend(new);
    }

    /// Who organizes it, if all components say the same.
    pub(crate) fn organizer(&self) -> Result<Option<CalendarUser>, Error> {
        let mut organizers =
            self.components.iter().map(|component| component.block.first("ORGANIZER").map(|it| user(&it)));
        let first = organizers.next().flatten();
        match organizers.all(|organizer| organizer == first) {
            true => Ok(first.filter(|who| !who.as_str().is_empty())),
            false => Err(Error::DifferentOrganizers),
        }
    }

    /// Those of some instances that the series has, as far as its rule says. It is read once for all.
    pub(crate) fn instances_among(&self, wanted: impl Iterator<Item = Instance>) -> BTreeSet<Instance> {
        /// Longer ones may overlap it.
        const MOST: usize = 1_000;
        let wanted: BTreeSet<Instance> = wanted.collect();
        if wanted.is_empty() {
            return wanted;
        }
        let bytes = self.write();
        let Ok(document) = Document::parse(&bytes) else { return BTreeSet::new() };
        let Some(calendar) = document.roots().next() else { return BTreeSet::new() };
        let zones = Zones::of(Some(calendar));
        let objects = Object::all(calendar, &zones);
        let Some(object) = objects.first() else { return BTreeSet::new() };
        let happens = |instance: &Instance| {
            let found = object.occurrences(*instance, instance.saturating_add(1), &Zone::UTC, MOST);
            let mut ids = found.iter().filter_map(|one| one.recurrence_id.as_ref());
            ids.any(|id| id.utc(&Zone::UTC) == *instance)
        };
        wanted.into_iter().filter(happens).collect()
    }
}

impl Component {
    fn new(block: Block, entry: &Entry<'_>) -> Self {
        Self {
            block,
            instance: entry.recurrence_id.as_ref().map(|id| id.utc(&Zone::UTC)),
            start: entry.start.clone(),
            length: entry.length.clone(),
            excepted: entry.exceptions.iter().map(|time| time.utc(&Zone::UTC)).collect(),
        }
    }

    pub(crate) fn sequence(&self) -> i64 {
        self.block.number("SEQUENCE")
    }

    /// When it was said; the beginning of time if it does not say.
    pub(crate) fn stamp(&self) -> i64 {
        let time = self.block.first("DTSTAMP").and_then(|it| Time::parse(it.value.trim(), None));
        time.map_or(i64::MIN, |time| time.utc(&Zone::UTC))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.block.text("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED"))
    }

    /// Whether both are at the same time.
    pub(crate) fn is_as_long_as(&self, other: &Self) -> bool {
        self.start == other.start && self.length == other.length
    }

    /// When it ends, if it says so.
    pub(crate) fn end(&self) -> Option<i64> {
        match (&self.length, &self.start) {
            (Length::Until(end), _) => Some(end.utc(&Zone::UTC)),
            (Length::Duration(duration), Some(start)) => Some(start.plus(*duration).utc(&Zone::UTC)),
            _ => None,
        }
    }

    /// A component for one instance of this series, which differs in nothing yet.
    pub(crate) fn instance(&self, instance: Instance) -> Option<Self> {
        let start = self.start.as_ref()?;
        let mut block = self.block.clone();
        for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
            block.remove(name);
        }
        let moved = at(start, instance);
        let by = moved.local().saturating_sub(start.local());
        let line = self.block.lines().find(|line| line.property().is_some_and(|it| it.is("DTSTART")))?;
        block.set(with_value(&line.text, "DTSTART", &written(&moved)));
        block.set(with_value(&line.text, "RECURRENCE-ID", &written(&moved)));
        let length = match &self.length {
            Length::Until(end) => Length::Until(end.with_local(end.local().saturating_add(by))),
            length => length.clone(),
        };
        if let Length::Until(end) = &length {
            let value = written(end);
            for name in ["DTEND", "DUE"] {
                block.rewrite(name, |_, text| Some(with_value(text, name, &value)));
            }
        }
        Some(Self { block, instance: Some(instance), start: Some(moved), length, excepted: BTreeSet::new() })
    }

    /// Takes an instance out of the series.
    pub(crate) fn except(&mut self, instance: Instance) {
        let Some(start) = &self.start else { return };
        if !self.excepted.insert(instance) {
            return;
        }
        let value = written(&at(start, instance));
        let line = self.block.lines().find(|line| line.property().is_some_and(|it| it.is("DTSTART")));
        if let Some(text) = line.map(|line| with_value(&line.text, "EXDATE", &value)) {
            self.block.add(text);
        }
    }
}

/// A moment on the clock of another time.
fn at(like: &Time, utc: i64) -> Time {
    match like {
        Time::Zoned(_, zone) => like.with_local(zone.local(utc)),
        _ => like.with_local(utc),
    }
}

/// `date / date-time`, the zone apart.
fn written(time: &Time) -> String {
    let local = time.local();
    let date = hub_civil::date(local.div_euclid(hub_civil::SECONDS_A_DAY));
    let second = local.rem_euclid(hub_civil::SECONDS_A_DAY);
    let mut text = format!("{:04}{:02}{:02}", date.year, date.month, date.day);
    if !time.is_date() {
        text.push_str(&format!("T{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60));
    }
    if matches!(time, Time::Utc(_)) {
        text.push('Z');
    }
    text
}

/// `date-time` in UTC, of Unix seconds.
pub(crate) fn utc(unix: i64) -> String {
    written(&Time::Utc(unix))
}

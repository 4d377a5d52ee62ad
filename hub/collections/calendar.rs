//! Calendar objects: what is stored, and what it is found by.

use hub_ical::{Component, Document, Entry, Kind, Object, Zone, Zones};
use hub_storage::items::{ItemIndex, ItemKind};

use crate::collections::item::Refusal;

/// Occurrences of one object in the index. What has more is looked at itself for other windows.
const INDEXED: usize = 1_000;
/// No occurrence in the index is longer: `hub_storage`'s windows count on it.
const LONGEST: i64 = 31 * 24 * 3600;
/// Days, and times without a zone, are indexed for all clocks of the world.
const ALL_CLOCKS: i64 = 14 * 3600;
/// Components of one object: a series with thousands of exceptions, each with its alarm.
const MOST_COMPONENTS: usize = 5_000;
const YEAR: i64 = 366 * 24 * 3600;
/// Years that the index reaches back and ahead of today.
const YEARS_BACK: i64 = 1;
const YEARS_AHEAD: i64 = 3;

/// What a calendar object says of itself.
pub(super) struct Read {
    pub(super) uid: String,
    pub(super) kind: ItemKind,
    pub(super) index: ItemIndex,
    /// Somebody organizes it (RFC 6638 §3.1).
    pub(super) is_scheduling: bool,
}

/// Kinds of objects that messages are about, as bits.
pub(crate) const MESSAGES: i64 =
    ItemKind::Event as i64 | ItemKind::Todo as i64 | ItemKind::Journal as i64 | ItemKind::FreeBusy as i64;

/// Of a message in an inbox: nobody searches there.
pub(crate) fn message_index() -> ItemIndex {
    always()
}

/// RFC 4791 §4.1: one UID, one kind of component, no METHOD.
pub(super) fn read(bytes: &[u8], now: i64) -> Result<Read, Refusal> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Refusal::NotCalendar(super::card::NOT_UTF_8.into()));
    }
    let document = Document::parse(bytes).map_err(|error| Refusal::NotCalendar(error.to_string()))?;
    let mut roots = document.roots();
    let (Some(calendar), None) = (roots.next(), roots.next()) else {
        return Err(Refusal::NotCalendar("there must be one VCALENDAR".into()));
    };
    if calendar.name() != "VCALENDAR" {
        return Err(Refusal::NotCalendar("there must be one VCALENDAR".into()));
    }
    let not_one = |why: &str| Refusal::NotOneObject(why.to_owned());
    if calendar.first("METHOD").is_some() {
        return Err(not_one("what is stored has no METHOD"));
    }
    if components(calendar) > MOST_COMPONENTS {
        return Err(Refusal::NotOneObject(format!("there are more than {MOST_COMPONENTS} components in it")));
    }
    let zones = Zones::of(Some(calendar));
    let objects = Object::all(calendar, &zones);
    let [object] = objects.as_slice() else {
        return Err(not_one("there must be one UID, and something that has it"));
    };
    let mut entries = object.master.iter().chain(&object.overrides);
    let kind = entries.next().map(|entry| entry.kind).ok_or_else(|| not_one("there is nothing in it"))?;
    if object.uid.is_empty() || object.uid.len() > super::item::UID {
        return Err(not_one("a UID has 1 to 1,000 bytes"));
    }
    if entries.any(|entry| entry.kind != kind) {
        return Err(not_one("all components must be of one kind"));
    }
    let without_id = object.overrides.iter().filter(|entry| entry.recurrence_id.is_none()).count();
    if without_id > 0 {
        return Err(not_one("only one component may be without RECURRENCE-ID"));
    }
    let mut entries = object.master.iter().chain(&object.overrides);
    Ok(Read {
        uid: object.uid.clone(),
        kind: item_kind(kind),
        index: ItemIndex { alarm_at: alarm_at(object, bytes, now), ..index(object, calendar, now) },
        is_scheduling: entries.any(|entry| entry.component.first("ORGANIZER").is_some()),
    })
}

/// All within it, alarms and parts of time zones included.
fn components(component: Component<'_>) -> usize {
    component.children().map(|child| 1 + components(child)).sum()
}

fn item_kind(kind: Kind) -> ItemKind {
    match kind {
        Kind::Availability => ItemKind::Availability,
        Kind::Event => ItemKind::Event,
        Kind::FreeBusy => ItemKind::FreeBusy,
        Kind::Journal => ItemKind::Journal,
        Kind::Todo => ItemKind::Todo,
    }
}

/// When it happens and which words are in it.
fn index(object: &Object<'_>, calendar: Component<'_>, now: i64) -> ItemIndex {
    let mut index = when(object, now);
    index.text = super::query::folded(calendar);
    index
}

/// When its alarms by mail are to be looked at: not later than any clock of the world says.
fn alarm_at(object: &Object<'_>, bytes: &[u8], now: i64) -> Option<i64> {
    let slack = if has_local_times(object) { ALL_CLOCKS } else { 0 };
    let next = hub_ical::next_alarm(bytes, now.saturating_sub(slack), &Zone::UTC)?;
    Some(next.at.saturating_sub(slack))
}

/// Of what may happen at any time: it is looked at itself.
pub(super) fn always() -> ItemIndex {
    ItemIndex {
        first_at: i64::MIN,
        last_at: i64::MAX,
        is_open: true,
        indexed_from: i64::MAX,
        indexed_to: i64::MAX,
        ..ItemIndex::default()
    }
}

fn when(object: &Object<'_>, now: i64) -> ItemIndex {
    let Some(bounds) = object.bounds(&Zone::UTC) else { return always() };
    let mut entries = object.master.iter().chain(&object.overrides);
    if entries
        .any(|entry| entry.start.is_none() || !matches!(entry.kind, Kind::Event | Kind::Journal | Kind::Todo))
    {
        return always();
    }
    let slack = if has_local_times(object) { ALL_CLOCKS } else { 0 };
    let first_at = bounds.first.saturating_sub(slack);
    let last_at = bounds.last.map_or(i64::MAX, |last| last.saturating_add(slack));
    let open = ItemIndex { first_at, last_at, ..always() };
    // All of it, if that is not too much; else the years around today.
    let (from, to) = match bounds.last {
        Some(last) if last.saturating_sub(bounds.first) < 100 * YEAR => {
            // What is only due at a moment happens in windows that begin before it (RFC 4791 §9.9).
            (bounds.first.saturating_sub(1), last.saturating_add(1))
        }
        _ => (now - YEARS_BACK * YEAR, now + YEARS_AHEAD * YEAR),
    };
    let found = object.occurrences(from, to, &Zone::UTC, INDEXED + 1);
    let is_long = found.iter().any(|one| one.end.saturating_sub(one.start) > LONGEST - 2 * ALL_CLOCKS);
    if is_long || found.len() > INDEXED {
        return open;
    }
    let is_whole = bounds.last.is_some_and(|last| last < to);
    ItemIndex {
        occurrences: found.iter().map(|one| (one.start - slack, one.end + slack)).collect(),
        is_open: !is_whole,
        // A window that touches the edge is not answered by the index alone.
        indexed_from: from.saturating_add(slack),
        indexed_to: to.saturating_sub(slack),
        ..open
    }
}

/// Whether when it happens depends on who looks.
fn has_local_times(object: &Object<'_>) -> bool {
    let is_local =
        |time: &hub_ical::Time| matches!(time, hub_ical::Time::Date(_) | hub_ical::Time::Floating(_));
    let has = |entry: &Entry<'_>| {
        let ends = match &entry.length {
            hub_ical::Length::Until(end) => Some(end),
            _ => None,
        };
        let extras = entry.extras.iter().map(|extra| &extra.start);
        entry.start.iter().chain(ends).chain(extras).any(is_local)
    };
    object.master.iter().chain(&object.overrides).any(has)
}

/// The zone of `calendar-timezone`: an iCalendar object with one VTIMEZONE (RFC 4791 §5.2.2).
pub fn zone_of(text: &str) -> Option<Zone> {
    let document = Document::parse(text.as_bytes()).ok()?;
    let calendar = document.roots().next().filter(|calendar| calendar.name() == "VCALENDAR")?;
    let mut zones = calendar.children().filter(|child| child.name() == "VTIMEZONE");
    let (zone, None) = (zones.next()?, zones.next()) else { return None };
    Zones::of(Some(calendar)).get(&zone.first("TZID")?.text())
}

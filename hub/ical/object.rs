//! A calendar object: everything with one UID, and when it happens.

use std::collections::{BTreeMap, HashSet};

use hub_civil::SECONDS_A_DAY;
use hub_recur::{Series, Start};

use crate::document::Component;
use crate::entry::{Entry, Extra, Kind, Length};
use crate::time::{Duration, Time};
use crate::zone::{Zone, Zones};

/// How far a wall clock may be from UTC, and a bit: windows are widened by it before they are exact.
const CLOCKS: i64 = SECONDS_A_DAY;
/// Times that a rule leads to which are looked at for one question, within the window or near it. Only
/// rules of seconds and minutes in windows of weeks have more, and those are cut off there.
const MAX_STEPS: usize = 500_000;

/// The series (if the object has it) and what stands instead of single occurrences.
#[derive(Debug)]
pub struct Object<'d> {
    pub uid: String,
    pub master: Option<Entry<'d>>,
    pub overrides: Vec<Entry<'d>>,
}

/// One time that it happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    /// Unix seconds; days and floating times by the clock that was asked for.
    pub start: i64,
    /// Not before `start`.
    pub end: i64,
    /// Its start as the component has it.
    pub at: Time,
    /// Which one of the series it is; `None` if there is no series.
    pub recurrence_id: Option<Time>,
    /// The component that describes it: `None` is the master, else an index into the overrides.
    pub instead: Option<usize>,
}

/// When an object happens at all, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub first: i64,
    /// The end of the last occurrence; `None` if there is always another one.
    pub last: Option<i64>,
}

impl<'d> Object<'d> {
    /// The objects of a `VCALENDAR`, in the order of their first components.
    pub fn all(calendar: Component<'d>, zones: &Zones<'_>) -> Vec<Self> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut objects: Vec<Self> = Vec::new();
        for entry in calendar.children().filter_map(|child| Entry::of(child, zones)) {
            let place = *places.entry(entry.uid.clone()).or_insert(objects.len());
            if place == objects.len() {
                objects.push(Self { uid: entry.uid.clone(), master: None, overrides: Vec::new() });
            }
            let object = &mut objects[place];
            match entry.recurrence_id {
                None if object.master.is_none() => object.master = Some(entry),
                _ => object.overrides.push(entry),
            }
        }
        objects
    }

    /// What is known of one of its components.
    pub(crate) fn entry(&self, component: Component<'_>) -> Option<&Entry<'d>> {
        self.master.iter().chain(&self.overrides).find(|entry| entry.component.is_same(component))
    }

    pub(crate) fn has(&self, component: Component<'_>) -> bool {
        self.entry(component).is_some()
    }

    /// Every occurrence that overlaps `from..to` (RFC 4791 §9.9), in the order of their starts, `most`
    /// at most. `floating` is the clock for days and times without a zone.
    pub fn occurrences(&self, from: i64, to: i64, floating: &Zone, most: usize) -> Vec<Occurrence> {
        self.occurrences_of(from, to, floating, most, &|_| true)
    }

    /// Whether one of its components tells of an occurrence that overlaps `from..to`.
    pub(crate) fn happens(&self, component: Component<'_>, from: i64, to: i64, floating: &Zone) -> bool {
        let is_it = |entry: &Entry<'_>| entry.component.is_same(component);
        let place = match &self.master {
            Some(master) if is_it(master) => None,
            _ => self.overrides.iter().position(is_it),
        };
        // What stands for one occurrence only is looked at by itself: a series may have thousands.
        if let Some(entry) =
            place.and_then(|index| self.overrides.get(index)).filter(|one| !one.is_for_all_later)
        {
            let Some(start) = &entry.start else { return false };
            let occurrence = Occurrence {
                start: start.utc(floating),
                end: end(start, &entry.length, floating),
                at: start.clone(),
                recurrence_id: None,
                instead: place,
            };
            return entry.overlaps(&occurrence, from, to);
        }
        !self.occurrences_of(from, to, floating, 1, &|instead| instead == place).is_empty()
    }

    /// The occurrences that components tell of which are `wanted`.
    fn occurrences_of(
        &self,
        from: i64,
        to: i64,
        floating: &Zone,
        most: usize,
        wanted: &dyn Fn(Option<usize>) -> bool,
    ) -> Vec<Occurrence> {
        let mut found = Vec::new();
        let replaced: HashSet<i64> = self.replaced(floating).collect();
        if let Some(master) = &self.master {
            let window = Window { from, to, floating, most, wanted };
            self.of_series(master, &replaced, &window, &mut found);
        }
        for (index, entry) in self.overrides.iter().enumerate() {
            let Some(start) = &entry.start else { continue };
            let occurrence = Occurrence {
                start: start.utc(floating),
                end: end(start, &entry.length, floating),
                at: start.clone(),
                recurrence_id: entry.recurrence_id.clone(),
                instead: Some(index),
            };
            if wanted(occurrence.instead) && entry.overlaps(&occurrence, from, to) {
                found.push(occurrence);
            }
        }
        found.sort_by_key(|occurrence| (occurrence.start, occurrence.end));
        found.truncate(most);
        found
    }

    /// From the start of the first occurrence to the end of the last; `None` if it has no time at all.
    pub fn bounds(&self, floating: &Zone) -> Option<Bounds> {
        let mut spans: Vec<(i64, Option<i64>)> = Vec::new();
        let entries = self.master.iter().chain(&self.overrides);
        for entry in entries {
            let Some(start) = &entry.start else { continue };
            spans.push((start.utc(floating), Some(end(start, &entry.length, floating))));
            for extra in &entry.extras {
                let length = if extra.length == Length::None { &entry.length } else { &extra.length };
                let length = relative(start, length);
                spans.push((extra.start.utc(floating), Some(end(&extra.start, &length, floating))));
            }
            for rule in &entry.rules {
                let last = series(rule, start)
                    .last()
                    .map(|last| end(&start.with_local(last), &relative(start, &entry.length), floating));
                spans.push((start.utc(floating), last));
            }
        }
        // What is moved for all later occurrences may move them beyond the last of the rule.
        let moved =
            self.moves(floating).iter().map(|change| change.shift.max(0) + change.longer).max().unwrap_or(0);
        let first = spans.iter().map(|(first, _)| *first).min()?;
        let last = spans.iter().map(|(_, last)| *last).try_fold(i64::MIN, |most, last| Some(most.max(last?)));
        Some(Bounds { first, last: last.map(|last| last.saturating_add(moved)) })
    }

    fn of_series(
        &self,
        master: &Entry<'d>,
        replaced: &HashSet<i64>,
        window: &Window<'_>,
        found: &mut Vec<Occurrence>,
    ) {
        let Some(start) = &master.start else { return };
        let floating = window.floating;
        let moves = self.moves(floating);
        let is_series = master.is_recurring();
        let length = relative(start, &master.length);
        let excepted = Excepted::new(&master.exceptions, floating);
        let mut seen = HashSet::new();
        let mut take = |at: Time, length: &Length| {
            let id = at.utc(floating);
            if replaced.contains(&id) || excepted.has(&at, id) || !seen.insert(id) {
                return false;
            }
            let recurrence_id = is_series.then(|| at.clone());
            let occurrence = match moves.iter().rev().find(|change| change.from <= id) {
                None => {
                    let end = end(&at, length, floating);
                    Occurrence { start: id, end, at, recurrence_id, instead: None }
                }
                Some(change) => {
                    let at = change.like.with_local(at.local().saturating_add(change.shift));
                    let (start, end) = (at.utc(floating), end(&at, &change.length, floating));
                    Occurrence { start, end, at, recurrence_id, instead: Some(change.index) }
                }
            };
            let is_within =
                (window.wanted)(occurrence.instead) && master.overlaps(&occurrence, window.from, window.to);
            if is_within {
                found.push(occurrence);
            }
            is_within
        };
        // Longest occurrence and furthest move: what starts earlier than that has ended.
        let reach = moves
            .iter()
            .map(|change| change.shift.abs().saturating_add(change.longer))
            .fold(nominal(start, &length), |most, reach| {
                most.max(reach.saturating_add(nominal(start, &length)))
            });
        let first = window.from.saturating_sub(reach).saturating_sub(CLOCKS);
        let after = window.to.saturating_add(reach).saturating_add(CLOCKS);
        take(start.clone(), &length);
        for Extra { start: at, length: own } in &master.extras {
            take(at.clone(), if *own == Length::None { &length } else { own });
        }
        for rule in &master.rules {
            let mut taken = 0;
            let series = series(rule, start);
            for local in series.between(first, after).take(MAX_STEPS) {
                taken += usize::from(take(start.with_local(local), &length));
                if taken == window.most {
                    break;
                }
            }
        }
    }

    /// How long the component is that an override or the series is told by, on the clock.
    pub(crate) fn length(entry: &Entry<'_>) -> Length {
        entry.start.as_ref().map_or(Length::None, |start| relative(start, &entry.length))
    }

    /// The occurrences of the series that overrides stand for.
    fn replaced(&self, floating: &Zone) -> impl Iterator<Item = i64> {
        let ids = self.overrides.iter().filter_map(|entry| entry.recurrence_id.as_ref());
        ids.map(move |id| self.replaced_by(id, floating))
    }

    /// When the occurrence of this `RECURRENCE-ID` would have been, by the clock of the series.
    fn replaced_by(&self, id: &Time, floating: &Zone) -> i64 {
        let start = self.master.as_ref().and_then(|master| master.start.as_ref());
        match (id, start) {
            // Careless programs give the day of a timed event, or a time of one that is all day.
            (Time::Date(_), Some(start)) if !start.is_date() => {
                let second = start.local().rem_euclid(SECONDS_A_DAY);
                start.with_local(id.local().saturating_add(second)).utc(floating)
            }
            (id, Some(start)) if start.is_date() => start.with_local(id.local()).utc(floating),
            _ => id.utc(floating),
        }
    }

    /// What `RANGE=THISANDFUTURE` moves, in the order of time.
    fn moves(&self, floating: &Zone) -> Vec<Move> {
        let mut moves: Vec<Move> = self
            .overrides
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_for_all_later)
            .filter_map(|(index, entry)| {
                let (id, start) = (entry.recurrence_id.as_ref()?, entry.start.as_ref()?);
                let length = relative(start, &entry.length);
                let from = self.replaced_by(id, floating);
                // What moves is the clock of the series, on whatever clock the id is written.
                let series = self.master.as_ref().and_then(|master| master.start.as_ref()).unwrap_or(id);
                Some(Move {
                    from,
                    shift: start.local().saturating_sub(series.local_of(from, floating)),
                    longer: nominal(start, &length),
                    like: start.clone(),
                    length,
                    index,
                })
            })
            .collect();
        moves.sort_by_key(|change| change.from);
        moves
    }
}

struct Window<'w> {
    from: i64,
    to: i64,
    floating: &'w Zone,
    most: usize,
    wanted: &'w dyn Fn(Option<usize>) -> bool,
}

struct Move {
    from: i64,
    shift: i64,
    longer: i64,
    like: Time,
    length: Length,
    index: usize,
}

/// `EXDATE`: moments, and days, which take out whatever starts on them.
struct Excepted {
    moments: HashSet<i64>,
    days: HashSet<i64>,
}

impl Excepted {
    fn new(exceptions: &[Time], floating: &Zone) -> Self {
        let days = exceptions
            .iter()
            .filter(|time| time.is_date())
            .map(|time| time.local().div_euclid(SECONDS_A_DAY));
        Self { moments: exceptions.iter().map(|time| time.utc(floating)).collect(), days: days.collect() }
    }

    fn has(&self, at: &Time, utc: i64) -> bool {
        self.moments.contains(&utc) || self.days.contains(&at.local().div_euclid(SECONDS_A_DAY))
    }
}

fn series(rule: &hub_recur::Rule, start: &Time) -> Series {
    let from = match start {
        Time::Date(day) => Start::Date(*day),
        _ => Start::Time(start.local()),
    };
    Series::new(rule, from, |utc| match start {
        Time::Zoned(_, zone) => zone.local(utc),
        // Floating: there is no telling, and the same digits are what was meant.
        _ => utc,
    })
}

/// A length that can be laid on other occurrences: RFC 5545 §3.8.5.3, "the same duration".
fn relative(start: &Time, length: &Length) -> Length {
    match length {
        Length::Until(end) => Length::Duration(match (start, end) {
            (Time::Date(first), Time::Date(last)) => Duration { days: last - first, seconds: 0 },
            _ => Duration { days: 0, seconds: end.utc(&Zone::UTC).saturating_sub(start.utc(&Zone::UTC)) },
        }),
        length => length.clone(),
    }
}

fn end(start: &Time, length: &Length, floating: &Zone) -> i64 {
    let end = match length {
        Length::Duration(duration) => start.plus(*duration).utc(floating),
        Length::None if start.is_date() => start.plus(Duration { days: 1, seconds: 0 }).utc(floating),
        Length::None => start.utc(floating),
        Length::Until(end) => end.utc(floating),
    };
    // An end before the start is a mistake that must not hide the event.
    end.max(start.utc(floating))
}

fn nominal(start: &Time, length: &Length) -> i64 {
    match relative(start, length) {
        Length::Duration(duration) => duration.nominal().max(0),
        _ => SECONDS_A_DAY,
    }
}

impl Entry<'_> {
    /// RFC 4791 §9.9: whether an occurrence of such an entry counts as within `from..to`. What has no
    /// length does when it starts there, the beginning included.
    fn overlaps(&self, Occurrence { start, end, .. }: &Occurrence, from: i64, to: i64) -> bool {
        let is_todo = self.kind == Kind::Todo;
        match self.length {
            // Due, and nothing else: at the end of the window, not at its beginning.
            Length::Duration(Duration { days: 0, seconds: 0 }) if is_todo => from < *end && to >= *end,
            Length::Duration(_) if is_todo => from <= *end && to > *start,
            Length::Until(_) if is_todo => (from < *end || from <= *start) && (to > *start || to >= *end),
            _ => *start < to && (*end > from || (start == end && *start >= from)),
        }
    }
}

#[cfg(test)]
mod tests;

//! Rules that are finer than a day: every so many hours, minutes or seconds, as far as the other
//! parts let them.

use std::collections::HashMap;
use std::rc::Rc;

use hub_civil::SECONDS_A_DAY;

use crate::days::Days;
use crate::rule::{Frequency, Rule};
use crate::times::{Times, places};

/// A slot is an hour, a minute or a second. They are numbered from 1970, and within a day from 0.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    days: Days,
    /// Seconds.
    size: i64,
    first: i64,
    interval: i64,
    hours: Vec<u8>,
    minutes: Vec<u8>,
    seconds: Vec<u8>,
    /// Seconds from the beginning of a slot to each of its occurrences: the same in all of them.
    within: Vec<i64>,
}

/// The slots of a day that a rule takes. They depend on nothing but the first one that the interval
/// leads to, so there are no more different days than the interval is long, and their lists hold no
/// more than two days' slots together.
pub(crate) type Table = HashMap<i64, Rc<[i64]>>;

impl Slots {
    pub(crate) fn new(rule: &Rule, start: i64) -> Self {
        let second = start.rem_euclid(SECONDS_A_DAY);
        let given = |list: &Vec<u8>, start: i64| match list.is_empty() {
            true => vec![start as u8],
            false => list.clone(),
        };
        let (minute, second) = (second / 60 % 60, second % 60);
        // Coarser parts choose slots, finer ones fill them.
        let (size, times) = match rule.frequency {
            Frequency::Hourly => {
                (3600, Times::new(vec![0], given(&rule.minutes, minute), given(&rule.seconds, second)))
            }
            Frequency::Minutely => (60, Times::new(vec![0], vec![0], given(&rule.seconds, second))),
            _ => (1, Times::new(vec![0], vec![0], vec![0])),
        };
        let within = match rule.positions.as_slice() {
            [] => (0..times.len()).map(|place| times.get(place)).collect(),
            positions => places(positions, times.len()).into_iter().map(|place| times.get(place)).collect(),
        };
        Self {
            days: Days::new(rule, start.div_euclid(SECONDS_A_DAY)),
            size,
            first: start.div_euclid(size),
            interval: i64::from(rule.interval),
            hours: rule.hours.clone(),
            minutes: if size < 3600 { rule.minutes.clone() } else { Vec::new() },
            seconds: if size < 60 { rule.seconds.clone() } else { Vec::new() },
            within,
        }
    }

    pub(crate) fn within(&self) -> &[i64] {
        &self.within
    }

    /// The beginning of a slot of a day.
    pub(crate) fn moment(&self, day: i64, slot: i64) -> i64 {
        day * SECONDS_A_DAY + slot * self.size
    }

    /// The next day, from this one on, with slots that are taken, and these; none after `last`.
    pub(crate) fn next_day(&self, from: i64, last: i64, table: &mut Table) -> Option<(i64, Rc<[i64]>)> {
        let per_day = SECONDS_A_DAY / self.size;
        let mut day = from;
        loop {
            let wanted = (day * per_day - self.first).max(0);
            let slot = self.first + (wanted + self.interval - 1) / self.interval * self.interval;
            day = slot.div_euclid(per_day);
            if day > last {
                return None;
            }
            if self.days.takes(day) {
                let first = slot - day * per_day;
                let slots = match self.interval <= per_day {
                    true => Rc::clone(table.entry(first).or_insert_with(|| self.taken(first, per_day))),
                    false => self.taken(first, per_day),
                };
                if !slots.is_empty() {
                    return Some((day, slots));
                }
            }
            day += 1;
        }
    }

    fn taken(&self, first: i64, per_day: i64) -> Rc<[i64]> {
        let is_in = |list: &[u8], value: i64| list.is_empty() || list.contains(&(value as u8));
        (first..per_day)
            .step_by(self.interval as usize)
            .filter(|slot| {
                let second = slot * self.size;
                is_in(&self.hours, second / 3600)
                    && is_in(&self.minutes, second / 60 % 60)
                    && is_in(&self.seconds, second % 60)
            })
            .collect()
    }
}

//! Which days a rule takes.

use hub_civil::{Date, days_in_month, is_leap};

use crate::rule::{Frequency, Nth, Rule};

/// The parts of a rule that choose days, with what is derived from the start: RFC 5545 §3.3.10,
/// "information, not contained in the rule … is derived from DTSTART".
#[derive(Clone, Debug)]
pub(crate) struct Days {
    months: Vec<u8>,
    month_days: Vec<i16>,
    year_days: Vec<i16>,
    weeks: Vec<i16>,
    weekdays: Vec<Nth>,
    week_start: usize,
    /// What `Nth` counts in.
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Month,
    /// Ordinals mean nothing: RFC 5545 §3.3.10 forbids them, clients write them.
    None,
    Year,
}

impl Days {
    pub(crate) fn new(rule: &Rule, start: i64) -> Self {
        let mut days = Self {
            months: rule.months.clone(),
            month_days: rule.month_days.clone(),
            year_days: rule.year_days.clone(),
            weeks: rule.weeks.clone(),
            weekdays: rule.weekdays.clone(),
            week_start: rule.week_start,
            scope: match rule.frequency {
                Frequency::Monthly => Scope::Month,
                Frequency::Yearly if !rule.weeks.is_empty() => Scope::None,
                Frequency::Yearly if !rule.months.is_empty() => Scope::Month,
                Frequency::Yearly => Scope::Year,
                _ => Scope::None,
            },
        };
        let Date { month, day, .. } = hub_civil::date(start);
        let weekday = Nth { nth: 0, weekday: hub_civil::weekday(start) };
        match rule.frequency {
            Frequency::Yearly if !rule.names_days() => {
                if rule.months.is_empty() {
                    days.months.push(month as u8);
                }
                days.month_days.push(day as i16);
            }
            Frequency::Yearly if only_weeks(rule) => days.weekdays.push(weekday),
            Frequency::Monthly if !rule.names_days() => days.month_days.push(day as i16),
            Frequency::Weekly if rule.weekdays.is_empty() => days.weekdays.push(weekday),
            _ => {}
        }
        days
    }

    /// Whether every day is taken.
    pub(crate) fn takes_all(&self) -> bool {
        self.months.is_empty()
            && self.month_days.is_empty()
            && self.year_days.is_empty()
            && self.weeks.is_empty()
            && self.weekdays.is_empty()
    }

    pub(crate) fn takes(&self, number: i64) -> bool {
        if self.takes_all() {
            return true;
        }
        let date @ Date { year, month, day } = hub_civil::date(number);
        // From the beginning and from the end, as the parts count.
        let is_in = |list: &[i16], from_start: i64, length: i64| {
            list.is_empty()
                || list.contains(&(from_start as i16))
                || list.contains(&((from_start - length - 1) as i16))
        };
        if !(self.months.is_empty() || self.months.contains(&(month as u8)))
            || !is_in(&self.month_days, day, days_in_month(year, month))
        {
            return false;
        }
        let (year_day, year_length) = (day_of_year(number, year), 365 + i64::from(is_leap(year)));
        is_in(&self.year_days, year_day, year_length)
            && (self.weeks.is_empty() || {
                let (week, weeks) = self.week(number, year);
                is_in(&self.weeks, week, weeks)
            })
            && (self.weekdays.is_empty() || {
                let (place, length) = match self.scope {
                    Scope::Month => (day, days_in_month(year, date.month)),
                    Scope::None => (0, 0),
                    Scope::Year => (year_day, year_length),
                };
                self.weekdays.iter().any(|nth| self.is_nth(*nth, number, place, length))
            })
    }

    fn is_nth(&self, nth: Nth, number: i64, place: i64, length: i64) -> bool {
        let is_weekday = nth.weekday == hub_civil::weekday(number);
        is_weekday
            && match i64::from(nth.nth) {
                0 => true,
                _ if self.scope == Scope::None => true,
                nth if nth > 0 => (place - 1) / 7 + 1 == nth,
                nth => (length - place) / 7 + 1 == -nth,
            }
    }

    /// The number of a day's week and how many weeks that week's year has: week 1 is the first with
    /// at least four days in the year (RFC 5545 §3.3.10, BYWEEKNO).
    fn week(&self, number: i64, year: i64) -> (i64, i64) {
        let (this, next) = (self.first_week(year), self.first_week(year + 1));
        if number < this {
            let before = self.first_week(year - 1);
            ((number - before) / 7 + 1, (this - before) / 7)
        } else if number < next {
            ((number - this) / 7 + 1, (next - this) / 7)
        } else {
            ((number - next) / 7 + 1, (self.first_week(year + 2) - next) / 7)
        }
    }

    /// The first day of week 1.
    fn first_week(&self, year: i64) -> i64 {
        let first = first_of_year(year);
        // Days since the week of 1 January began.
        let since = (hub_civil::weekday(first) + 7 - self.week_start) % 7;
        first - since as i64 + if since > 3 { 7 } else { 0 }
    }
}

/// The first day of the week that a day is in.
pub(crate) fn week_of(number: i64, week_start: usize) -> i64 {
    number - ((hub_civil::weekday(number) + 7 - week_start) % 7) as i64
}

pub(crate) fn first_of_year(year: i64) -> i64 {
    hub_civil::days(year, 1, 1).expect("every year has a first day")
}

fn day_of_year(number: i64, year: i64) -> i64 {
    number - first_of_year(year) + 1
}

fn only_weeks(rule: &Rule) -> bool {
    !rule.weeks.is_empty()
        && rule.weekdays.is_empty()
        && rule.month_days.is_empty()
        && rule.year_days.is_empty()
}

//! The occurrences of a rule from a start on.

use hub_civil::SECONDS_A_DAY;

use crate::days::{Days, first_of_year, week_of};
use crate::rule::{End, Frequency, Rule, Until};
use crate::slots::{Slots, Table};
use crate::times::{Times, places};

/// 9999-12-31: RFC 5545 has no room for later ones.
const LAST_DAY: i64 = 2_932_896;
const LAST_MOMENT: i64 = LAST_DAY * SECONDS_A_DAY + SECONDS_A_DAY - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A day: what the rule says of hours, minutes and seconds does not count (RFC 5545 §3.3.10).
    Date(i64),
    /// A moment on the wall clock.
    Time(i64),
}

/// A rule and where it starts. The start is always the first occurrence (RFC 5545 §3.8.5.3), even if
/// the rule would not lead to it.
#[derive(Clone, Debug)]
pub struct Series {
    start: i64,
    /// The last one, or a moment after which there is none.
    last: i64,
    is_endless: bool,
    steps: Steps,
}

#[derive(Clone, Debug)]
enum Steps {
    Fine(Slots),
    /// A day cannot happen every hour.
    None,
    Periods(Periods),
}

impl Series {
    /// `local` turns a moment of UTC into one of this clock, for UNTIL.
    pub fn new(rule: &Rule, start: Start, local: impl FnOnce(i64) -> i64) -> Self {
        let (moment, is_date) = match start {
            Start::Date(day) => (day.saturating_mul(SECONDS_A_DAY), true),
            Start::Time(moment) => (moment, false),
        };
        let steps = match rule.frequency {
            _ if moment > LAST_MOMENT => Steps::None,
            Frequency::Secondly | Frequency::Minutely | Frequency::Hourly if is_date => Steps::None,
            Frequency::Secondly | Frequency::Minutely | Frequency::Hourly => {
                Steps::Fine(Slots::new(rule, moment))
            }
            _ => Steps::Periods(Periods::new(rule, moment, is_date)),
        };
        let mut series = Self { start: moment, last: LAST_MOMENT, is_endless: false, steps };
        match rule.end {
            End::Count(count) => series.last = series.nth(u64::from(count)).unwrap_or(LAST_MOMENT),
            End::Never => series.is_endless = true,
            End::Until(Until::Date(day)) => series.last = day * SECONDS_A_DAY + SECONDS_A_DAY - 1,
            End::Until(Until::Local(moment)) => series.last = moment,
            End::Until(Until::Utc(moment)) => series.last = local(moment),
        }
        series.last = series.last.clamp(moment, LAST_MOMENT.max(moment));
        series
    }

    /// The last occurrence of a rule with COUNT; with UNTIL, that; `None` if it never ends.
    pub fn last(&self) -> Option<i64> {
        (!self.is_endless).then_some(self.last)
    }

    /// The occurrences from a moment on and before another, in order. They can be very many: take as
    /// many as are needed.
    pub fn between(&self, from: i64, to: i64) -> impl Iterator<Item = i64> + '_ {
        let start = (from..to).contains(&self.start).then_some(self.start);
        start.into_iter().chain(self.after_start(from, self.last.min(to.saturating_sub(1))))
    }

    /// What the rule leads to after the start, between two moments, both included.
    fn after_start(&self, from: i64, last: i64) -> Box<dyn Iterator<Item = i64> + '_> {
        let from = from.max(self.start.saturating_add(1));
        let last_day = last.div_euclid(SECONDS_A_DAY);
        match &self.steps {
            Steps::Fine(slots) => Box::new(fine(slots, from, last_day).take_while(move |at| *at <= last)),
            Steps::Periods(periods) if from <= last => {
                Box::new(periods.from(from, last_day).take_while(move |at| *at <= last))
            }
            Steps::None | Steps::Periods(_) => Box::new(std::iter::empty()),
        }
    }

    /// The `count`-th occurrence, the start being the first.
    fn nth(&self, count: u64) -> Option<i64> {
        let Some(after) = count.checked_sub(2) else { return Some(self.start) };
        match &self.steps {
            Steps::Fine(slots) => nth_fine(slots, self.start, after),
            Steps::None => None,
            Steps::Periods(periods) => periods.nth_after(self.start, after),
        }
    }
}

fn fine(slots: &Slots, from: i64, last_day: i64) -> impl Iterator<Item = i64> + '_ {
    let mut table = Table::new();
    let first_day = from.div_euclid(SECONDS_A_DAY);
    let days = std::iter::successors(slots.next_day(first_day, last_day, &mut table), move |(day, _)| {
        slots.next_day(day + 1, last_day, &mut table)
    });
    days.flat_map(move |(day, taken)| {
        // Slots that end before `from` are passed over without being looked at.
        let begin = taken.partition_point(|slot| slots.moment(day, slot + 1) <= from);
        (begin..taken.len()).flat_map(move |place| {
            let moment = slots.moment(day, taken[place]);
            slots.within().iter().map(move |within| moment + within)
        })
    })
    .skip_while(move |moment| *moment < from)
}

fn nth_fine(slots: &Slots, start: i64, mut after: u64) -> Option<i64> {
    let mut table = Table::new();
    let mut day = start.div_euclid(SECONDS_A_DAY);
    // The day of the start is begun already.
    let today = fine(slots, start + 1, day);
    for moment in today {
        match after.checked_sub(1) {
            Some(less) => after = less,
            None => return Some(moment),
        }
    }
    while let Some((next, taken)) = slots.next_day(day + 1, LAST_DAY, &mut table) {
        day = next;
        let within = slots.within().len() as u64;
        let here = taken.len() as u64 * within;
        if after < here {
            let (slot, place) = ((after / within) as usize, (after % within) as usize);
            return Some(slots.moment(day, taken[slot]) + slots.within()[place]);
        }
        if here == 0 {
            return None;
        }
        after -= here;
    }
    None
}

/// Rules of days: every so many days, weeks, months or years there is a set of days, each with the
/// same times, from which BYSETPOS may choose.
#[derive(Clone, Debug)]
struct Periods {
    frequency: Frequency,
    interval: i64,
    /// The first period: a year, a month counted from year 0, the first day of a week, or a day.
    first: i64,
    days: Days,
    times: Times,
    positions: Vec<i16>,
    /// Whether all periods but the first have equally many.
    is_regular: bool,
}

/// The occurrences of one period.
#[derive(Default)]
struct Members {
    days: Vec<i64>,
    /// By BYSETPOS.
    places: Option<Vec<usize>>,
}

impl Periods {
    fn new(rule: &Rule, start: i64, is_date: bool) -> Self {
        let (day, second) = (start.div_euclid(SECONDS_A_DAY), start.rem_euclid(SECONDS_A_DAY));
        let given = |list: &Vec<u8>, start: i64| match list.is_empty() || is_date {
            true => vec![start as u8],
            false => list.clone(),
        };
        let times = Times::new(
            given(&rule.hours, second / 3600),
            given(&rule.minutes, second / 60 % 60),
            given(&rule.seconds, second % 60),
        );
        let date = hub_civil::date(day);
        let first = match rule.frequency {
            Frequency::Yearly => date.year,
            Frequency::Monthly => date.year * 12 + date.month - 1,
            Frequency::Weekly => week_of(day, rule.week_start),
            _ => day,
        };
        let days = Days::new(rule, day);
        let is_regular = match rule.frequency {
            Frequency::Daily => days.takes_all(),
            Frequency::Weekly => {
                rule.months.is_empty()
                    && rule.weeks.is_empty()
                    && rule.month_days.is_empty()
                    && rule.year_days.is_empty()
            }
            _ => false,
        };
        let interval = i64::from(rule.interval);
        Self {
            frequency: rule.frequency,
            interval,
            first,
            days,
            times,
            positions: rule.positions.clone(),
            is_regular,
        }
    }

    /// The days of a period, the end not included.
    fn days_of(&self, period: i64) -> (i64, i64) {
        let step = period * self.interval;
        let month =
            |month: i64| hub_civil::days(month.div_euclid(12), month.rem_euclid(12) + 1, 1).expect("a first");
        match self.frequency {
            Frequency::Yearly => (first_of_year(self.first + step), first_of_year(self.first + step + 1)),
            Frequency::Monthly => (month(self.first + step), month(self.first + step + 1)),
            Frequency::Weekly => (self.first + 7 * step, self.first + 7 * step + 7),
            _ => (self.first + step, self.first + step + 1),
        }
    }

    /// The last period that begins on this day or earlier; the first if there is none.
    fn period_at(&self, day: i64) -> i64 {
        let date = hub_civil::date(day);
        let since = match self.frequency {
            Frequency::Yearly => date.year - self.first,
            Frequency::Monthly => date.year * 12 + date.month - 1 - self.first,
            Frequency::Weekly => (day - self.first).div_euclid(7),
            _ => day - self.first,
        };
        since.div_euclid(self.interval).max(0)
    }

    fn fill(&self, period: i64, members: &mut Members) {
        let (first, end) = self.days_of(period);
        members.days.clear();
        members.days.extend((first..end).filter(|day| self.days.takes(*day)));
        let length = members.days.len() * self.times.len();
        members.places = (!self.positions.is_empty()).then(|| places(&self.positions, length));
    }

    fn length(&self, members: &Members) -> usize {
        members.places.as_ref().map_or(members.days.len() * self.times.len(), Vec::len)
    }

    fn moment(&self, members: &Members, index: usize) -> i64 {
        let place = members.places.as_ref().map_or(index, |places| places[index]);
        members.days[place / self.times.len()] * SECONDS_A_DAY + self.times.get(place % self.times.len())
    }

    /// How many of a period lie before a moment.
    fn before(&self, members: &Members, moment: i64) -> usize {
        let (mut low, mut high) = (0, self.length(members));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.moment(members, middle) < moment {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    fn from(&self, from: i64, last_day: i64) -> impl Iterator<Item = i64> + '_ {
        let mut members = Members::default();
        let mut period = self.period_at(from.div_euclid(SECONDS_A_DAY));
        self.fill(period, &mut members);
        let mut index = self.before(&members, from);
        std::iter::from_fn(move || {
            while index == self.length(&members) {
                period += 1;
                if self.days_of(period).0 > last_day {
                    return None;
                }
                self.fill(period, &mut members);
                index = 0;
            }
            index += 1;
            Some(self.moment(&members, index - 1))
        })
    }

    /// The occurrence after that many others after the start.
    fn nth_after(&self, start: i64, mut after: u64) -> Option<i64> {
        let mut members = Members::default();
        self.fill(0, &mut members);
        let mut skip = self.before(&members, start + 1);
        let mut period = 0;
        while self.days_of(period).0 <= LAST_DAY {
            let here = (self.length(&members) - skip) as u64;
            if after < here {
                return Some(self.moment(&members, skip + after as usize));
            }
            after -= here;
            skip = 0;
            period += 1;
            self.fill(period, &mut members);
            if self.is_regular {
                let each = self.length(&members) as u64;
                period += after.checked_div(each)?.min(LAST_DAY as u64) as i64;
                after %= each;
                self.fill(period, &mut members);
            }
        }
        None
    }
}

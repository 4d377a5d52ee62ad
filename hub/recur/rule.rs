//! What a rule says.

/// `FREQ`, from the finest to the coarsest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// `UNTIL`, the last moment at which it may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A day, to its end: clients write one for events with a time too, although RFC 5545 §3.3.10
    /// wants the type of DTSTART.
    Date(i64),
    /// On the clock of the event.
    Local(i64),
    Utc(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After so many occurrences, the start included. At least one.
    Count(u32),
    Never,
    Until(Until),
}

/// `weekdaynum = [[plus / minus] ordwk] weekday`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nth {
    /// 1 is the first, -1 the last, 0 every one; −53 to 53.
    pub nth: i8,
    /// From Sunday, 0.
    pub weekday: usize,
}

/// `recur`. Lists are sorted and without repetition; an empty one is a part that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    /// At least 1.
    pub interval: u32,
    pub end: End,
    /// `BYSECOND`, 0 to 59: a leap second is on no wall clock.
    pub seconds: Vec<u8>,
    /// `BYMINUTE`
    pub minutes: Vec<u8>,
    /// `BYHOUR`
    pub hours: Vec<u8>,
    /// `BYDAY`
    pub weekdays: Vec<Nth>,
    /// `BYMONTHDAY`, −31 to 31 without 0.
    pub month_days: Vec<i16>,
    /// `BYYEARDAY`, −366 to 366 without 0.
    pub year_days: Vec<i16>,
    /// `BYWEEKNO`, −53 to 53 without 0.
    pub weeks: Vec<i16>,
    /// `BYMONTH`, 1 to 12.
    pub months: Vec<u8>,
    /// `BYSETPOS`, −366 to 366 without 0.
    pub positions: Vec<i16>,
    /// `WKST`, from Sunday, 0.
    pub week_start: usize,
}

impl Rule {
    pub(crate) fn new(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            end: End::Never,
            seconds: Vec::new(),
            minutes: Vec::new(),
            hours: Vec::new(),
            weekdays: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            // RFC 5545 §3.3.10: the default is Monday.
            week_start: 1,
        }
    }

    /// Whether one of the parts that choose days within a period was given.
    pub(crate) fn names_days(&self) -> bool {
        !(self.weekdays.is_empty()
            && self.month_days.is_empty()
            && self.year_days.is_empty()
            && self.weeks.is_empty())
    }
}

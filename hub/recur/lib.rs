//! When something happens again (RFC 5545 §3.3.10): a rule and a start, to the occurrences within a
//! window. Pure, on the wall clock of the event: time zones, RDATE, EXDATE and exceptions are the
//! agenda's.
//!
//! A window far from the start is reached by arithmetic and not by counting up to it, so a question
//! costs what its window holds, whatever the rule: a rule that happens every second since the year
//! 2000 is asked for a day in 2040 as quickly as for one in 2000. A COUNT is turned into the last
//! occurrence when a [`Series`] is made: by arithmetic if all periods have equally many, else by
//! counting them, up to the year 9999 at most.
//!
//! A point in time is its number of seconds since 1970-01-01T00:00:00 on that clock. Nothing happens
//! after the year 9999.

#![deny(clippy::disallowed_methods)]

mod days;
mod parse;
mod rule;
mod series;
mod slots;
mod times;

#[cfg(test)]
mod tests;

pub use parse::RuleError;
pub use rule::{End, Frequency, Nth, Rule, Until};
pub use series::{Series, Start};

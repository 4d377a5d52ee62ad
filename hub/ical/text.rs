//! Content lines on their way out: folded (RFC 5545 §3.1), with CRLF.

use hub_civil::{Civil, Date};

use crate::time::Time;
use crate::zone::Zone;

/// Octets of a line without its break.
const WIDTH: usize = 75;

/// One logical line as it leaves.
pub fn content_line(line: &str) -> String {
    let mut text = Text::default();
    text.line(line);
    text.finish()
}

#[derive(Debug, Default)]
pub(crate) struct Text {
    out: String,
}

impl Text {
    /// A logical line, folded between characters.
    pub(crate) fn line(&mut self, line: &str) {
        let mut rest = line;
        let mut width = WIDTH;
        while rest.len() > width {
            let end = rest.floor_char_boundary(width);
            self.out.push_str(&rest[..end]);
            self.out.push_str("\r\n ");
            rest = &rest[end..];
            // The space counts.
            width = WIDTH - 1;
        }
        self.out.push_str(rest);
        self.out.push_str("\r\n");
    }

    pub(crate) fn begin(&mut self, component: &str) {
        self.line(&format!("BEGIN:{component}"));
    }

    pub(crate) fn end(&mut self, component: &str) {
        self.line(&format!("END:{component}"));
    }

    /// A property whose value is a time: in UTC, unless it is a day or on no clock.
    pub(crate) fn time(&mut self, name: &str, time: &Time) {
        match time {
            Time::Date(_) => self.line(&format!("{name};VALUE=DATE:{}", date(time.local()))),
            Time::Floating(local) => self.line(&format!("{name}:{}", date_time(*local))),
            Time::Utc(_) | Time::Zoned(..) => {
                self.line(&format!("{name}:{}Z", date_time(time.utc(&Zone::UTC))));
            }
        }
    }

    /// `period-explicit`
    pub(crate) fn period(&mut self, name: &str, from: i64, to: i64) {
        self.line(&format!("{name}:{}Z/{}Z", date_time(from), date_time(to)));
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// `date`
fn date(seconds: i64) -> String {
    let Date { year, month, day } = Civil::of(seconds).date;
    format!("{year:04}{month:02}{day:02}")
}

/// `date-time` without a zone
fn date_time(seconds: i64) -> String {
    let Civil { hour, minute, second, .. } = Civil::of(seconds);
    format!("{}T{hour:02}{minute:02}{second:02}", date(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;

    proptest::proptest! {
        /// Whatever is folded is the same line when it is read, and no part of it is too long.
        #[test]
        fn folded_lines_come_back(line in "[A-Z]{1,10}:[a-zäß€😀 ]{0,300}x") {
            let mut text = Text::default();
            text.line(&line);
            let text = text.finish();
            proptest::prop_assert!(text.split("\r\n").all(|part| part.len() <= WIDTH));
            proptest::prop_assert_eq!(lines(text.as_bytes()).expect("one").texts, vec![line]);
        }
    }
}

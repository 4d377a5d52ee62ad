//! How things look on a terminal.

use std::io::{self, Write as _};

use hub_civil::{Civil, Date};

/// Prints to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Columns under their titles, two blanks apart; nothing to the right of the last.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths = titles.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&titles.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(widths) {
            line.push_str(&printable(cell));
            line.push_str(&" ".repeat(widest - width(cell) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Text from outside (an answer of another server, a name) must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A size for people: three digits and a unit.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Unix seconds as `2026-11-22 18:14` in UTC.
pub(crate) fn time(unix: i64) -> String {
    let Civil { date: Date { year, month, day }, hour, minute, .. } = Civil::of(unix);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (150 << 10, "150 KiB"),
            (3 << 19, "1.5 MiB"),
            (10 << 30, "10.0 GiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn times() {
        for (unix, expected) in [
            (0, "1970-01-01 00:00"),
            (951_827_696, "2000-02-29 12:34"),
            (1_795_371_240, "2026-11-22 18:14"),
            (-1, "1969-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(time(unix), expected);
        }
    }

    #[test]
    fn tables_line_up_and_steer_nothing() {
        let rows = [["äö".to_owned(), "1".to_owned()], ["long cell".to_owned(), "\x1b[2J".to_owned()]];
        let expected = "NAME       N\näö         1\nlong cell  \u{fffd}[2J\n";
        assert_eq!(table(["NAME", "N"], &rows), expected);
    }
}

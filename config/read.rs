//! From the text of a file to typed values: finds every mistake, and says where each is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::nearest::nearest;

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; `None` if the file as a whole is meant.
    pub line: Option<usize>,
    /// What is wrong, with the key's path, the value and what to do.
    pub text: String,
}

/// Everything that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Errors {
    pub file: PathBuf,
    pub problems: Vec<Problem>,
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}", problem.text)?;
        }
        Ok(())
    }
}

/// A type that a key can have.
pub(crate) trait Setting: Sized {
    /// What a right value looks like, for messages: `a size such as "50 MiB"`.
    const EXPECTED: &'static str;

    /// `Err(None)` if the value is of a wrong kind, `Err(Some(why))` if more can be said.
    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>>;

    /// The value as it is written in the file; `None` if there is none.
    fn render(&self) -> Option<String>;
}

/// Dots, and opening brackets, outside quotation marks in one line at most. Each of `a.a.a…` and
/// `{a={a=…` is a table in a table, and thousands of them are more than the stack holds; no setting
/// has more than three levels.
const DEEPEST: usize = 16;

fn has_a_deep_key(line: &str) -> bool {
    let mut quote = None;
    let (mut dots, mut brackets) = (0, 0);
    for c in line.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, '.') => dots += 1,
            (None, '[' | '{') => brackets += 1,
            (None, '#') => break,
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    dots > DEEPEST || brackets > DEEPEST
}

/// Collects what is wrong while values are read.
pub(crate) struct Reader<'t> {
    text: &'t str,
    lines: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, lines: BTreeMap::new(), problems: Vec::new() }
    }

    /// The file's tables and keys; with a syntax error, none.
    pub(crate) fn document(&mut self) -> DeTable<'t> {
        if let Some(at) = self.text.lines().position(has_a_deep_key) {
            self.problems.push(Problem {
                line: Some(at + 1),
                text: format!("a key or value has more than {DEEPEST} levels"),
            });
            return DeTable::new();
        }
        match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let line = error.span().map(|span| self.line(span.start));
                self.problems.push(Problem { line, text: format!("not TOML: {}", error.message()) });
                DeTable::new()
            }
        }
    }

    /// Reads `key` of `table` into `slot`, which holds the default.
    pub(crate) fn setting<T: Setting>(&mut self, table: &DeTable<'_>, path: &str, key: &str, slot: &mut T) {
        let Some(value) = table.get(key) else { return };
        let path = join(path, key);
        let line = self.line(value.span().start);
        self.lines.insert(path.clone(), line);
        let value = value.get_ref();
        match T::read(value) {
            Ok(value) => *slot = value,
            Err(why) => {
                let found = describe(value);
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                self.push(line, format!("{path}: expected {}, found {found}{why}", T::EXPECTED));
            }
        }
    }

    /// The table called `section`; a problem if it is something else.
    pub(crate) fn section<'a, 'i>(
        &mut self,
        table: &'a DeTable<'i>,
        section: &str,
    ) -> Option<&'a DeTable<'i>> {
        let value = table.get(section)?;
        let line = self.line(value.span().start);
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                let found = describe(other);
                self.push(line, format!("{section}: expected a section [{section}], found {found}"));
                None
            }
        }
    }

    /// Reports the keys of `table` that do not exist.
    pub(crate) fn unknown_keys(&mut self, table: &DeTable<'_>, path: &str, known: &[&'static str]) {
        for key in table.keys() {
            let name = key.get_ref();
            if known.contains(&name.as_ref()) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; known here: {}", known.join(", ")),
            };
            let line = self.line(key.span().start);
            self.push(line, format!("unknown key `{}`{hint}", join(path, name).escape_debug()));
        }
    }

    /// Reports that the value at `path`, well-formed by itself, does not do.
    pub(crate) fn refuse(&mut self, path: &str, why: &str) {
        let line = self.lines.get(path).copied();
        self.problems.push(Problem { line, text: format!("{path}: {why}") });
    }

    pub(crate) fn finish(mut self, file: &Path) -> Result<(), Errors> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(Errors { file: file.to_owned(), problems: self.problems })
    }

    fn push(&mut self, line: usize, text: String) {
        self.problems.push(Problem { line: Some(line), text });
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Names what was found; long strings are cut, and a URL may hold a password.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.contains("://") => "a URL".to_owned(),
        DeValue::String(text) => {
            let short: String = text.chars().take(60).collect();
            let dots = if short.len() < text.len() { "…" } else { "" };
            format!("\"{}{dots}\"", short.escape_debug())
        }
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_lines_are_refused_before_they_are_parsed() {
        for (text, is_fine) in [
            ("[listen]\nsmtp = [\"10.0.0.1:25\", \"[::1]:25\"] # a.b.c\n".to_owned(), true),
            (format!("x = \"{}\"", "a.[".repeat(500)), true),
            (format!("\n{}a = 1", "a.".repeat(20_000)), false),
            (format!("\nx = {}", "{a=".repeat(20_000)), false),
            (format!("\nx = {}", "[".repeat(20_000)), false),
        ] {
            let mut reader = Reader::new(&text);
            reader.document();
            let deep: Vec<_> = reader.problems.iter().filter(|p| p.text.contains("levels")).collect();
            assert_eq!(deep.is_empty(), is_fine, "{}", &text[..20.min(text.len())]);
            assert!(deep.iter().all(|problem| problem.line == Some(2)));
        }
    }
}

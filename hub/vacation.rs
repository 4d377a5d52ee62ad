//! The answer while away (RFC 8621 §8): kept as what a person says, run as a Sieve script in front of the
//! twin's own rules.

use hub_civil::Civil;
use hub_storage::submissions::{self, VacationRow};

use crate::{Account, Error, Result};

/// Octets of subject and texts at most.
const MOST: usize = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacation {
    pub is_enabled: bool,
    /// Unix seconds.
    pub from: Option<i64>,
    pub until: Option<i64>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl Account {
    pub async fn vacation(&self) -> Result<Vacation> {
        Ok(Vacation::of(self.hub.0.storage.vacation(self.id).await?))
    }

    /// `TooLarge`.
    pub async fn set_vacation(&self, vacation: &Vacation) -> Result<()> {
        let texts = [&vacation.subject, &vacation.text, &vacation.html];
        if texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum::<usize>() > MOST {
            return Err(Error::TooLarge { limit: MOST as u64 });
        }
        let (account, row) = (self.id, vacation.row());
        let set = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::set_vacation(tx, account, &row).await })
        });
        Ok(set.await?)
    }
}

impl Vacation {
    pub(crate) fn of(row: VacationRow) -> Self {
        let time = |unix: i64| Some(unix).filter(|unix| *unix != 0);
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            is_enabled: row.is_enabled,
            from: time(row.from_at),
            until: time(row.until_at),
            subject: text(row.subject),
            text: text(row.plain),
            html: text(row.html),
        }
    }

    fn row(&self) -> VacationRow {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        VacationRow {
            is_enabled: self.is_enabled,
            from_at: self.from.unwrap_or(0),
            until_at: self.until.unwrap_or(0),
            subject: text(&self.subject),
            plain: text(&self.text),
            html: text(&self.html),
        }
    }

    /// The script that answers and then does what the twin's own script says.
    pub(crate) fn script(&self, own: Option<&str>) -> String {
        let mut tests = Vec::new();
        if let Some(from) = self.from {
            tests.push(at_or_after(from));
        }
        if let Some(until) = self.until {
            tests.push(format!("not {}", at_or_after(until)));
        }
        let subject = self.subject.as_ref().map(|subject| format!(" :subject {}", quoted(subject)));
        let (mime, reason) = match (&self.text, &self.html) {
            (_, Some(html)) => (
                " :mime",
                format!(
                    "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{html}"
                ),
            ),
            (text, None) => ("", text.clone().unwrap_or_default()),
        };
        let include = own.map(|name| format!("include :personal {};\r\n", quoted(name)));
        format!(
            "require [\"date\", \"include\", \"relational\", \"vacation\"];\r\n\
             if allof (true{}) {{\r\n  vacation{mime}{} {};\r\n}}\r\n{}",
            tests.iter().map(|test| format!(", {test}")).collect::<String>(),
            subject.unwrap_or_default(),
            quoted(&reason),
            include.unwrap_or_default(),
        )
    }
}

/// RFC 5260 §4.1: the clock has passed a point in time.
fn at_or_after(unix: i64) -> String {
    let Civil { date, .. } = Civil::of(unix);
    let day = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    let time = Civil::of(unix).time();
    let current = |relation: &str, part: &str, value: &str| {
        format!("currentdate :zone \"+0000\" :value \"{relation}\" \"{part}\" \"{value}\"")
    };
    format!(
        "anyof ({}, allof ({}, {}))",
        current("gt", "date", &day),
        current("eq", "date", &day),
        current("ge", "time", &time)
    )
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Own;

    impl hub_sieve::Scripts for Own {
        fn script(&self, _: hub_sieve::Location, name: &str) -> Option<String> {
            (name == "a \"b\"").then(|| "keep;".to_owned())
        }
    }

    /// Whatever somebody writes, it is a script.
    #[test]
    fn scripts_compile() {
        for text in ["away", "a \"quoted\" \\ text\r\nof lines\r\n.", "${x}", "\u{fc}"] {
            for html in [None, Some("<p>away</p>".to_owned())] {
                let vacation = Vacation {
                    is_enabled: true,
                    from: Some(1_700_000_000),
                    until: Some(1_800_000_000),
                    subject: Some(text.to_owned()),
                    text: Some(text.to_owned()),
                    html,
                };
                for own in [None, Some("a \"b\"")] {
                    let script = vacation.script(own);
                    let compiled = hub_sieve::compile(&script, &Own, &hub_sieve::Limits::default());
                    assert!(compiled.is_ok(), "{script}: {:?}", compiled.err());
                }
            }
        }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let vacation = Vacation { subject: Some("x".to_owned()), from: Some(5), ..Vacation::default() };
        assert_eq!(Vacation::of(vacation.row()), vacation);
    }
}

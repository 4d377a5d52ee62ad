//! Match types (RFC 5228 §2.7.1, RFC 5231, regex): whether a value fits a key.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use crate::comparator::Comparator;

/// RFC 5231 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MatchType {
    Contains,
    /// How many values there are (RFC 5231 §4.2).
    Count(Relation),
    #[default]
    Is,
    Matches,
    Regex,
    Value(Relation),
}

impl Relation {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "eq" => Self::Eq,
            "ge" => Self::Ge,
            "gt" => Self::Gt,
            "le" => Self::Le,
            "lt" => Self::Lt,
            "ne" => Self::Ne,
            _ => return None,
        })
    }

    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ge => order.is_ge(),
            Self::Gt => order.is_gt(),
            Self::Le => order.is_le(),
            Self::Lt => order.is_lt(),
            Self::Ne => order.is_ne(),
        }
    }
}

/// One step of a wildcard pattern (RFC 5228 §2.7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wild {
    /// `*`
    Any,
    /// `?`
    One,
    Text(String),
}

/// `*` is as short as it can be, the first ones first, so that captures are as RFC 5229 §3.2 wants them.
/// On a match, what the whole and each wildcard stand for.
pub(crate) fn matches(pattern: &str, value: &str, comparator: Comparator) -> Option<Vec<String>> {
    let pattern = comparator.fold(pattern);
    let wild = read_pattern(&pattern);
    let subject = Subject::new(value, comparator);
    let spans = subject.match_all(&wild)?;
    let mut captures = vec![value.to_owned()];
    captures.extend(spans.into_iter().map(|(start, end)| subject.original(start, end)));
    Some(captures)
}

/// `\*` and `\?` are these characters themselves.
fn read_pattern(pattern: &str) -> Vec<Wild> {
    let mut wild = Vec::new();
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let step = match c {
            '*' => Wild::Any,
            '?' => Wild::One,
            '\\' => {
                // Nothing follows the last one that it could be before.
                text.push(chars.next().unwrap_or('\\'));
                continue;
            }
            c => {
                text.push(c);
                continue;
            }
        };
        if !text.is_empty() {
            wild.push(Wild::Text(std::mem::take(&mut text)));
        }
        wild.push(step);
    }
    if !text.is_empty() {
        wild.push(Wild::Text(text));
    }
    wild
}

/// A value, folded character by character so that captures can be cut from the original.
struct Subject<'a> {
    value: &'a str,
    folded: String,
    /// Where each character begins, in the folded and in the original text; with the ends.
    starts: Option<Vec<(usize, usize)>>,
}

impl<'a> Subject<'a> {
    fn new(value: &'a str, comparator: Comparator) -> Self {
        if comparator != Comparator::UnicodeCasemap {
            return Self { value, folded: comparator.fold(value).into_owned(), starts: None };
        }
        let mut folded = String::with_capacity(value.len());
        let mut starts = Vec::new();
        for (at, c) in value.char_indices() {
            starts.push((folded.len(), at));
            folded.push_str(&comparator.fold(c.encode_utf8(&mut [0; 4])));
        }
        starts.push((folded.len(), value.len()));
        Self { value, folded, starts: Some(starts) }
    }

    /// The original text of a span of the folded one.
    fn original(&self, start: usize, end: usize) -> String {
        let place = |at: usize| match &self.starts {
            None => at,
            Some(starts) => {
                let index = starts.partition_point(|(folded, _)| *folded < at);
                starts.get(index).map_or(self.value.len(), |(_, original)| *original)
            }
        };
        self.value.get(place(start)..place(end)).unwrap_or_default().to_owned()
    }

    /// Where each wildcard matches. After a failure only the last `*` need take more: whatever the
    /// earlier ones would leave, it can leave too.
    fn match_all(&self, wild: &[Wild]) -> Option<Vec<(usize, usize)>> {
        let text = self.folded.as_str();
        let mut spans: Vec<(usize, usize)> = Vec::new();
        let (mut step, mut at) = (0, 0);
        // The step after the last `*`, its number among the wildcards, and where it ends for now.
        let mut last: Option<(usize, usize, usize)> = None;
        loop {
            let rest = &text[at..];
            let goes_on = match wild.get(step) {
                None if rest.is_empty() => return Some(spans),
                None => false,
                Some(Wild::Any) => {
                    last = Some((step + 1, spans.len(), at));
                    spans.push((at, at));
                    true
                }
                Some(Wild::One) => match rest.chars().next() {
                    Some(c) => {
                        spans.push((at, at + c.len_utf8()));
                        at += c.len_utf8();
                        true
                    }
                    None => false,
                },
                Some(Wild::Text(part)) if rest.starts_with(part.as_str()) => {
                    at += part.len();
                    true
                }
                Some(Wild::Text(_)) => false,
            };
            if goes_on {
                step += 1;
                continue;
            }
            let (after, number, end) = last?;
            let end = end + next_candidate(&text[end..], wild.get(after))?;
            spans.truncate(number + 1);
            spans[number].1 = end;
            last = Some((after, number, end));
            (step, at) = (after, end);
        }
    }
}

/// How much more a `*` must take before what follows it can match.
fn next_candidate(rest: &str, follows: Option<&Wild>) -> Option<usize> {
    let first = rest.chars().next()?.len_utf8();
    match follows {
        // Nothing follows: it takes all.
        None => Some(rest.len()),
        Some(Wild::Text(part)) => rest[first..].find(part.as_str()).map(|at| first + at),
        Some(_) => Some(first),
    }
}

/// Compiles a POSIX extended regular expression. It is searched for in the value; what it may take is
/// bounded, and it never takes more than linear time.
pub(crate) fn regex(pattern: &str, comparator: Comparator, size: usize) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(comparator != Comparator::Octet)
        .dot_matches_new_line(true)
        .size_limit(size)
        .dfa_size_limit(size)
        .nest_limit(50)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the regular expression is too large".into(),
            error => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("the regular expression is not valid: {reason}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc5229_3_2_captures() {
        let check = |pattern: &str, value: &str, expected: Option<&[&str]>| {
            let captures = matches(pattern, value, Comparator::AsciiCasemap);
            let captures: Option<Vec<&str>> =
                captures.as_ref().map(|c| c.iter().skip(1).map(String::as_str).collect());
            assert_eq!(captures.as_deref(), expected, "{pattern} {value}");
        };
        check("[acme-users] *", "[acme-users] [fwd] version 1.0 is out", Some(&["[fwd] version 1.0 is out"]));
        check(
            "[*] *",
            "[acme-users] [fwd] version 1.0 is out",
            Some(&["acme-users", "[fwd] version 1.0 is out"]),
        );
        check("*a*", "banana", Some(&["b", "nana"]));
        check("*an?", "banana", Some(&["ban", "a"]));
        check("?*c", "abcabc", Some(&["a", "bcab"]));
        check("*", "", Some(&[""]));
        check("", "", Some(&[]));
        check("a", "ab", None);
        check("*b", "abc", None);
        check("\\*?", "*x", Some(&["x"]));
        check("\\\\a", "\\a", Some(&[]));
        check("?", "ü", Some(&["ü"]));
        check("*@EXAMPLE.org", "Bob@example.ORG", Some(&["Bob"]));
        check("**", "ab", Some(&["", "ab"]));
        check("a\\", "a\\", Some(&[]));
    }

    #[test]
    fn captures_keep_their_case_and_length() {
        let captures = matches("*STRASSE?", "Große Straße!", Comparator::UnicodeCasemap);
        let captures = captures.or_else(|| matches("*stra*", "Große Straße!", Comparator::UnicodeCasemap));
        assert!(captures.is_some_and(|captures| captures[1] == "Große "));
    }

    proptest! {
        #[test]
        fn wildcards_match_as_a_slow_search_says(pattern in "[ab*?]{0,8}", value in "[ab]{0,10}") {
            fn slow(pattern: &[u8], value: &[u8]) -> bool {
                match (pattern.first(), value.first()) {
                    (None, None) => true,
                    (Some(b'*'), _) => slow(&pattern[1..], value) || (!value.is_empty() && slow(pattern, &value[1..])),
                    (Some(b'?'), Some(_)) => slow(&pattern[1..], &value[1..]),
                    (Some(p), Some(v)) if p == v => slow(&pattern[1..], &value[1..]),
                    _ => false,
                }
            }
            let captures = matches(&pattern, &value, Comparator::Octet);
            prop_assert_eq!(captures.is_some(), slow(pattern.as_bytes(), value.as_bytes()));
            if let Some(captures) = captures {
                let mut rebuilt = String::new();
                let mut wildcards = captures.iter().skip(1);
                for c in pattern.chars() {
                    match c {
                        '*' | '?' => rebuilt.push_str(wildcards.next().expect("a capture")),
                        c => rebuilt.push(c),
                    }
                }
                prop_assert_eq!(rebuilt, value);
            }
        }
    }
}

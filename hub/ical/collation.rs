//! How texts are compared (RFC 4790).

use unicode_normalization::UnicodeNormalization;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    /// `i;ascii-casemap`
    AsciiCasemap,
    /// `i;octet`
    Octet,
    /// `i;unicode-casemap` (RFC 5051)
    #[default]
    UnicodeCasemap,
}

/// RFC 6352 §10.5.4; CalDAV knows `Contains` only (RFC 4791 §9.7.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchKind {
    #[default]
    Contains,
    EndsWith,
    Equals,
    StartsWith,
}

/// A text that is looked for, made ready to be compared with many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    collation: Collation,
    kind: MatchKind,
    is_negated: bool,
    wanted: String,
}

impl TextMatch {
    pub fn new(text: &str, collation: Collation, kind: MatchKind, is_negated: bool) -> Self {
        Self { collation, kind, is_negated, wanted: collation.folded(text) }
    }

    /// What a value that passes has in it, folded by Unicode's rules; `None` if it need not.
    pub fn needed(&self) -> Option<String> {
        (!self.is_negated && !self.wanted.is_empty()).then(|| Collation::UnicodeCasemap.folded(&self.wanted))
    }

    /// Whether one of the values is what is looked for; the opposite if it is negated.
    pub fn any<T: AsRef<str>>(&self, values: impl IntoIterator<Item = T>) -> bool {
        values.into_iter().any(|value| self.is(value.as_ref())) != self.is_negated
    }

    fn is(&self, value: &str) -> bool {
        let value = self.collation.folded(value);
        match self.kind {
            MatchKind::Contains => value.contains(&self.wanted),
            MatchKind::EndsWith => value.ends_with(&self.wanted),
            MatchKind::Equals => value == self.wanted,
            MatchKind::StartsWith => value.starts_with(&self.wanted),
        }
    }
}

impl Collation {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "default" | "i;unicode-casemap" => Self::UnicodeCasemap,
            "i;ascii-casemap" => Self::AsciiCasemap,
            "i;octet" => Self::Octet,
            _ => return None,
        })
    }

    /// What compares equal is the same text then.
    pub fn folded(self, text: &str) -> String {
        match self {
            Self::AsciiCasemap => text.to_ascii_uppercase(),
            Self::Octet => text.to_owned(),
            Self::UnicodeCasemap if text.is_ascii() => text.to_ascii_uppercase(),
            // RFC 5051 §2: title case, then decomposed. Capital letters are the same but for a few
            // digraphs, and a sharp s is found as the two that it is written as.
            Self::UnicodeCasemap => text.chars().flat_map(char::to_uppercase).nfkd().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations() {
        let finds = |collation, wanted: &str, value: &str| {
            TextMatch::new(wanted, collation, MatchKind::Contains, false).any([value])
        };
        assert!(finds(Collation::UnicodeCasemap, "MÜLLER", "Frau Müller"));
        assert!(finds(Collation::UnicodeCasemap, "mu\u{308}ller", "MÜLLER"), "decomposed");
        assert!(finds(Collation::UnicodeCasemap, "strasse", "Hauptstraße"));
        assert!(finds(Collation::UnicodeCasemap, "ΣΟΦΟΣ", "σοφος"));
        assert!(!finds(Collation::AsciiCasemap, "MÜLLER", "Müller"));
        assert!(finds(Collation::AsciiCasemap, "LLER", "Müller"));
        assert!(!finds(Collation::Octet, "m", "M"));
    }

    #[test]
    fn kinds() {
        let is = |kind, negated| TextMatch::new("b", Collation::Octet, kind, negated).any(["ab", "bc"]);
        assert!(is(MatchKind::StartsWith, false) && is(MatchKind::EndsWith, false));
        assert!(!is(MatchKind::Equals, false) && is(MatchKind::Equals, true));
        assert!(!TextMatch::new("a", Collation::Octet, MatchKind::Contains, true).any(["a", "x"]));
    }
}

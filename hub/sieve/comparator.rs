//! Comparators (RFC 4790): how two strings are compared.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::capability::Capability;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Comparator {
    #[default]
    AsciiCasemap,
    AsciiNumeric,
    Octet,
    UnicodeCasemap,
}

impl Comparator {
    /// The comparator with this name, and what must be required to use it.
    pub(crate) fn from_name(name: &str) -> Option<(Self, Option<Capability>)> {
        Some(match name {
            "i;ascii-casemap" => (Self::AsciiCasemap, None),
            "i;ascii-numeric" => (Self::AsciiNumeric, Some(Capability::ComparatorNumeric)),
            "i;octet" => (Self::Octet, None),
            "i;unicode-casemap" => (Self::UnicodeCasemap, Some(Capability::ComparatorUnicode)),
            _ => return None,
        })
    }

    /// RFC 4790 §9.1.1: numbers have equality and order, but no substrings.
    pub(crate) fn has_substrings(self) -> bool {
        self != Self::AsciiNumeric
    }

    /// What is equal under the comparator becomes equal octets. Not for numbers.
    pub(crate) fn fold(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AsciiCasemap if text.bytes().any(|b| b.is_ascii_uppercase()) => {
                Cow::Owned(text.to_ascii_lowercase())
            }
            Self::AsciiCasemap | Self::AsciiNumeric | Self::Octet => Cow::Borrowed(text),
            Self::UnicodeCasemap => hub_mime::fold_cow(text),
        }
    }

    pub(crate) fn compare(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::AsciiNumeric => compare_numbers(number(left), number(right)),
            _ => self.fold(left).as_bytes().cmp(self.fold(right).as_bytes()),
        }
    }

    pub(crate) fn equals(self, left: &str, right: &str) -> bool {
        self.compare(left, right) == Ordering::Equal
    }
}

/// The digits that a string begins with, without leading zeros; `None`, which is positive infinity, if
/// it does not begin with any (RFC 4790 §9.1.1). Of any length.
fn number(text: &str) -> Option<&str> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text[..end].trim_start_matches('0'))
}

fn compare_numbers(left: Option<&str>, right: Option<&str>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4790_9_comparators() {
        use Comparator::{AsciiCasemap, AsciiNumeric, Octet, UnicodeCasemap};
        for (comparator, left, right, expected) in [
            (AsciiCasemap, "Frop", "fROP", Ordering::Equal),
            (AsciiCasemap, "Ü", "ü", Ordering::Less),
            (Octet, "Frop", "frop", Ordering::Less),
            (UnicodeCasemap, "Ü", "ü", Ordering::Equal),
            (AsciiNumeric, "10", "9", Ordering::Greater),
            (AsciiNumeric, "007abc", "7", Ordering::Equal),
            (AsciiNumeric, "x", "99999999999999999999999", Ordering::Greater),
            (AsciiNumeric, "x", "y", Ordering::Equal),
            (AsciiNumeric, "0", "00", Ordering::Equal),
            (AsciiNumeric, "-1", "5", Ordering::Greater),
        ] {
            assert_eq!(comparator.compare(left, right), expected, "{comparator:?} {left} {right}");
        }
    }
}

//! `set` (RFC 5229 §4).

use super::{Result, Run};
use crate::program::Modifier;
use crate::text::{Text, Variable};

impl Run<'_> {
    pub(super) fn set(&mut self, variable: &Variable, value: &Text, modifiers: &[Modifier]) -> Result<()> {
        let mut value = self.text(value)?.into_owned();
        for modifier in modifiers {
            self.step(value.len())?;
            value = apply(*modifier, &value);
        }
        self.assign(variable, value)
    }
}

fn apply(modifier: Modifier, value: &str) -> String {
    let first = |change: fn(char) -> char| {
        let mut chars = value.chars();
        chars.next().map(change).into_iter().chain(chars).collect()
    };
    match modifier {
        Modifier::Length => value.chars().count().to_string(),
        // RFC 5229 §4.1.1: ASCII is enough; other letters have lengths that change.
        Modifier::Lower => value.to_ascii_lowercase(),
        Modifier::LowerFirst => first(|c| c.to_ascii_lowercase()),
        Modifier::QuoteRegex => quote(value, r"\^$.|?*+()[]{}"),
        Modifier::QuoteWildcard => quote(value, r"\*?"),
        Modifier::Upper => value.to_ascii_uppercase(),
        Modifier::UpperFirst => first(|c| c.to_ascii_uppercase()),
    }
}

fn quote(value: &str, special: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5229_4_1_modifiers() {
        for (modifier, value, expected) in [
            (Modifier::Length, "Überraschung", "12"),
            (Modifier::Lower, "juMBlEd lETteRS", "jumbled letters"),
            (Modifier::UpperFirst, "juMBlEd lETteRS", "JuMBlEd lETteRS"),
            (Modifier::LowerFirst, "JUmb", "jUmb"),
            (Modifier::Upper, "aü", "Aü"),
            (Modifier::QuoteWildcard, "Rock*", "Rock\\*"),
            (Modifier::QuoteWildcard, "a\\?", "a\\\\\\?"),
            (Modifier::QuoteRegex, "a.b", "a\\.b"),
            (Modifier::UpperFirst, "", ""),
        ] {
            assert_eq!(apply(modifier, value), expected);
        }
    }
}

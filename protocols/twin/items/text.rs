//! Texts that are looked for (RFC 9610 §3.3.1): words and phrases, whatever the letters' case.

use hub_mime::fold;

/// What must all be in a text, folded.
pub(crate) struct Wanted(Vec<String>);

impl Wanted {
    /// Words, and phrases in quotes of either kind, in which a backslash stands before quotes that are meant.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut piece = String::new();
        let mut quote = None;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', Some(_)) => piece.extend(chars.next()),
                (c, Some(open)) if c == open => {
                    quote = None;
                    pieces.push(std::mem::take(&mut piece));
                }
                ('"' | '\'', None) if piece.is_empty() => quote = Some(c),
                (c, None) if c.is_whitespace() => pieces.push(std::mem::take(&mut piece)),
                (c, _) => piece.push(c),
            }
        }
        pieces.push(piece);
        Self(pieces.iter().map(|piece| fold(piece.trim())).filter(|piece| !piece.is_empty()).collect())
    }

    /// Whether each is in one of the texts.
    pub(crate) fn is_in<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        let texts: Vec<String> = texts.into_iter().map(fold).collect();
        self.0.iter().all(|wanted| texts.iter().any(|text| text.contains(wanted.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases() {
        for (wanted, text, is_in) in [
            ("JOE bloggs", "Bloggs, Joe", true),
            ("\"joe bloggs\"", "Bloggs, Joe", false),
            ("'joe bloggs'", "Mr Joe Bloggs", true),
            ("\"say \\\"hi\\\"\"", "say \"hi\"", true),
            ("o'neill", "O'Neill", true),
            ("joe none", "Joe", false),
            ("", "anything", true),
        ] {
            assert_eq!(Wanted::parse(wanted).is_in([text]), is_in, "{wanted}");
        }
    }
}

//! Text compared without regard to case, for search.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The form in which texts are compared: lower case and NFC. For a SEARCH key, made once.
///
/// A text that is cut behind a space or a line break is the same folded in one piece or in two:
/// nothing composes with these.
pub fn fold(text: &str) -> String {
    fold_cow(text).into_owned()
}

/// The same for text that may be in that form already.
pub fn fold_cow(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    // `str::to_lowercase` would make the sigma at the end of a word another one.
    let lower: String = text.chars().flat_map(char::to_lowercase).collect();
    if is_nfc_quick(lower.chars()) == IsNormalized::Yes {
        return Cow::Owned(lower);
    }
    Cow::Owned(lower.nfc().collect())
}

/// True if `haystack` contains the needle, which [`fold`] has made.
pub fn contains_folded(haystack: &str, folded_needle: &str) -> bool {
    if haystack.is_ascii() {
        return contains_ascii(haystack.as_bytes(), folded_needle.as_bytes());
    }
    memchr::memmem::find(fold_cow(haystack).as_bytes(), folded_needle.as_bytes()).is_some()
}

/// Text from this length on is worth a copy in lower case, which can be searched by the rarest
/// letter of the needle.
const LONG: usize = 1024;

/// Looks for the needle's first letter in both cases, and compares there.
fn contains_ascii(haystack: &[u8], needle: &[u8]) -> bool {
    if haystack.len() >= LONG {
        return memchr::memmem::find(&haystack.to_ascii_lowercase(), needle).is_some();
    }
    let Some(&first) = needle.first() else { return true };
    let Some(last_start) = haystack.len().checked_sub(needle.len()) else { return false };
    let starts = &haystack[..=last_start];
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), starts)
        .any(|at| haystack[at..at + needle.len()].eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn substrings() {
        let check = |haystack: &str, needle: &str, contains: bool| {
            assert_eq!(contains_folded(haystack, &fold(needle)), contains, "{needle} in {haystack}");
        };
        check("Hello World", "WORLD", true);
        check("Hello World", "o w", true);
        check("Hello World", "word", false);
        check("abc", "", true);
        check("", "a", false);
        check("aab", "ab", true);
        check("ab", "abc", false);
        check("GRÜSSE", "grü", true);
        check("Gru\u{308}ße", "grü", true);
        check("Grüße", "GRU\u{308}", true);
        check("plain", "ü", false);
        check("ΟΔΥΣΣΕΥΣ", "οδυσσευσ", true);
        check("Привет", "ПРИВ", true);
        check("你好，世界", "世界", true);
        check("İstanbul", "i", true);
        check("Kelvin", "kelvin", true);
        check("\u{212a}elvin", "kelvin", true);
    }

    #[test]
    fn long_texts() {
        let long = "Word ".repeat(LONG) + "NEEDLE" + &" more".repeat(LONG);
        assert!(contains_folded(&long, "d needle m"));
        assert!(!contains_folded(&long, "needles"));
    }

    proptest! {
        #[test]
        fn pieces_fold_like_the_whole(text in "[a-cA-C \n\u{1100}-\u{1175}Ä-Üſİß\u{300}-\u{308}]{0,40}") {
            let pieces: String = text.split_inclusive([' ', '\n']).map(fold).collect();
            prop_assert_eq!(pieces, fold(&text));
        }

        #[test]
        fn folding_first_makes_no_difference(haystack in "[a-cA-Cä-üÄ-Üßi\u{300}-\u{308}]{0,12}", needle in "[a-cA-Cä-üß\u{308}]{0,3}") {
            let needle = fold(&needle);
            prop_assert_eq!(contains_folded(&haystack, &needle), fold(&haystack).contains(&needle));
        }
    }
}

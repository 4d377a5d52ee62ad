//! The order of texts for SORT and THREAD: i;unicode-casemap (RFC 5051), which RFC 5256 §7 asks for.

use unicode_normalization::char::decompose_compatible;

/// The key of a text: keys are compared octet by octet (RFC 5051 §2). Each character in title case,
/// decomposed.
pub fn collation_key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut key = String::with_capacity(text.len() + text.len() / 2);
    for c in text.chars() {
        decompose_compatible(title_case(c), |c| key.push(c));
    }
    key
}

/// UnicodeData's simple title case: the upper case, where that is one character and title case is
/// not a form of its own.
fn title_case(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian is written without capitals but for headings.
        '\u{10d0}'..='\u{10ff}' => c,
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => c,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys() {
        let check = |text: &str, key: &str| assert_eq!(collation_key(text), key, "{text}");
        check("Hello [x]_", "HELLO [X]_");
        check("grün", "GRU\u{308}N");
        check("gru\u{308}n", "GRU\u{308}N");
        check("straße", "STRAßE");
        check("ﬁ", "fi"); // decomposed after the title case, as RFC 5051 §2 says
        check("ǆ", "Dz\u{30c}");
        check("ა", "ა");
        check("①", "1");
        check("Привет", "ПРИВЕТ");
    }

    proptest! {
        #[test]
        fn case_makes_no_difference(text in "[a-zA-Zà-þÀ-Þа-яА-Я_\\[ ]{0,20}") {
            prop_assert_eq!(collation_key(&text), collation_key(&text.to_lowercase()));
        }
    }
}

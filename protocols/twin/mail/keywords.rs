//! Keywords: the flags of IMAP under their names in JMAP (RFC 8621 §4.1.1).

use hub::{Flags, Keywords};
use serde_json::{Map, Value};

use crate::core::error::{SetError, SetResult};

const SYSTEM: [(&str, Flags); 4] = [
    ("$answered", Flags::ANSWERED),
    ("$draft", Flags::DRAFT),
    ("$flagged", Flags::FLAGGED),
    ("$seen", Flags::SEEN),
];

/// The flag of a keyword, in any case; none if the account does not know it.
pub(crate) fn flag(keywords: &Keywords, name: &str) -> Flags {
    let system = SYSTEM.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, flag)| *flag);
    system.or_else(|| keywords.flag(name)).unwrap_or_default()
}

/// `String[Boolean]`, in lower case.
pub(crate) fn to_json(keywords: &Keywords, flags: Flags) -> Value {
    let system = SYSTEM.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(name, _)| (*name).to_owned());
    let own =
        flags.keyword_positions().filter_map(|n| keywords.0.get(n)).map(|name| name.to_ascii_lowercase());
    let names: Map<String, Value> = system.chain(own).map(|name| (name, true.into())).collect();
    names.into()
}

/// The names in a value that should be `String[Boolean]` with all values `true`.
pub(crate) fn names(value: &Value) -> SetResult<Vec<String>> {
    let wrong = |why: &str| SetError::property("keywords", why);
    let object = value.as_object().ok_or_else(|| wrong("is not an object"))?;
    let mut names = Vec::with_capacity(object.len());
    for (name, value) in object {
        if *value != Value::Bool(true) {
            return Err(wrong("has a value that is not true"));
        }
        if !is_keyword(name) {
            return Err(wrong("has a name that is no keyword"));
        }
        names.push(name.to_ascii_lowercase());
    }
    Ok(names)
}

/// RFC 8621 §4.1.1: 1–255 characters of %x21–7e, without those that IMAP cannot write.
pub(crate) fn is_keyword(name: &str) -> bool {
    let is_atom = |byte: u8| (0x21..=0x7e).contains(&byte) && !b"(){]%*\"\\".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(is_atom)
}

/// Those that the account must be given a flag for.
pub(crate) fn own(names: &[String]) -> Vec<&str> {
    let is_system = |name: &str| SYSTEM.iter().any(|(known, _)| *known == name);
    names.iter().map(String::as_str).filter(|name| !is_system(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keywords_are_flags() {
        let keywords = Keywords(vec!["$Forwarded".to_owned(), "Work".to_owned()]);
        let flags = Flags::SEEN | Flags::DELETED | Flags::keyword(1);
        assert_eq!(to_json(&keywords, flags), json!({ "$seen": true, "work": true }));
        assert_eq!(flag(&keywords, "$SEEN"), Flags::SEEN);
        assert_eq!(flag(&keywords, "$forwarded"), Flags::keyword(0));
        assert_eq!(flag(&keywords, "$none"), Flags::NONE);
        for (name, good) in
            [("$a", true), ("a b", false), ("", false), ("a\"", false), ("\u{fc}", false), ("]", false)]
        {
            assert_eq!(is_keyword(name), good, "{name}");
        }
        assert!(!is_keyword(&"x".repeat(256)));
        assert!(names(&json!({ "a": false })).is_err());
        assert_eq!(names(&json!({ "A": true })).expect("names"), ["a"]);
    }
}

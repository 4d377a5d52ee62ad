//! Canonical JSON (RFC 8785), so that all who sign and verify a value do so over the same bytes.
//!
//! Only strings, integers, arrays and objects: numbers with fractions are where implementations of the
//! scheme differ, `true`, `false` and `null` are not needed.

use std::cmp::Ordering;

use thiserror::Error;

/// Arrays and objects within each other.
const DEEPEST: usize = 16;
/// RFC 8785 §3.2.2.3, RFC 7493 §2.2: integers that a double holds exactly.
const LARGEST: i64 = (1 << 53) - 1;

/// A value of the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Array(Vec<Self>),
    Integer(i64),
    Object(Object),
    String(String),
}

/// Members in canonical order, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

/// Why bytes are no value of the profile.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JsonError {
    #[error("a name stands twice in an object")]
    DuplicateName,
    #[error("not JSON of strings, integers, arrays and objects")]
    Malformed,
    #[error("nested too deep")]
    TooDeep,
}

impl Value {
    /// Reads any JSON text of the profile, canonical or not.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(text).map_err(|_| JsonError::Malformed)?;
        let mut parser = Parser { rest: text };
        let value = parser.value(DEEPEST)?;
        parser.skip_space();
        if parser.rest.is_empty() { Ok(value) } else { Err(JsonError::Malformed) }
    }

    /// The one text of this value (RFC 8785 §3.2).
    pub fn to_canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Array(items) => {
                let mut separator = '[';
                for item in items {
                    out.push(separator);
                    item.write(out);
                    separator = ',';
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Integer(number) => out.push_str(&number.to_string()),
            Self::Object(object) => object.write(out),
            Self::String(text) => write_string(text, out),
        }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl Object {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|position| &self.0[position].1)
    }

    /// Sets a member, in the place of one of this name.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.find(name) {
            Ok(position) => self.0[position].1 = value,
            Err(position) => self.0.insert(position, (name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).ok().map(|position| self.0.remove(position).1)
    }

    pub fn to_canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(member, _)| in_order(member, name))
    }

    fn write(&self, out: &mut String) {
        let mut separator = '{';
        for (name, value) in &self.0 {
            out.push(separator);
            write_string(name, out);
            out.push(':');
            value.write(out);
            separator = ',';
        }
        out.push_str(if self.0.is_empty() { "{}" } else { "}" });
    }
}

/// RFC 8785 §3.2.3: names in the order of their UTF-16 code units, which is not that of code points.
fn in_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// RFC 8785 §3.2.2.2: escapes only what must be, in the shortest way.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// True if the text goes on with this, which is then behind it.
    fn take(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), JsonError> {
        self.skip_space();
        if self.take(c) { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.skip_space();
        match self.rest.bytes().next() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.integer().map(Value::Integer),
            Some(b'[') => self.array(depth).map(Value::Array),
            Some(b'{') => self.object(depth).map(Value::Object),
            _ => Err(JsonError::Malformed),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, JsonError> {
        let depth = depth.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.expect('[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if !self.take(',') {
                self.expect(']')?;
                return Ok(items);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, JsonError> {
        let depth = depth.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.expect('{')?;
        let mut members = Vec::new();
        self.skip_space();
        if !self.take('}') {
            loop {
                self.skip_space();
                let name = self.string()?;
                self.expect(':')?;
                members.push((name, self.value(depth)?));
                self.skip_space();
                if !self.take(',') {
                    self.expect('}')?;
                    break;
                }
            }
        }
        members.sort_by(|(a, _), (b, _)| in_order(a, b));
        // RFC 8785 §3.1: which of two would count is for every reader to guess.
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(JsonError::DuplicateName);
        }
        Ok(Object(members))
    }

    /// `[ minus ] int` of RFC 8259 §6, and nothing behind it that would make it another number.
    fn integer(&mut self) -> Result<i64, JsonError> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_plain = digits.bytes().all(|b| b.is_ascii_digit())
            && !(digits.len() > 1 && digits.starts_with('0'))
            && number != "-0";
        let number = number.parse().ok().filter(|n| is_plain && (-LARGEST..=LARGEST).contains(n));
        number.ok_or(JsonError::Malformed)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        if !self.take('"') {
            return Err(JsonError::Malformed);
        }
        let mut out = String::new();
        loop {
            let end = self.rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\u{1f}'));
            let end = end.ok_or(JsonError::Malformed)?;
            out.push_str(&self.rest[..end]);
            self.rest = &self.rest[end..];
            if self.take('"') {
                return Ok(out);
            }
            if !self.take('\\') {
                return Err(JsonError::Malformed);
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or(JsonError::Malformed)?;
        self.rest = chars.as_str();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.code_unit()?;
                let mut units = vec![first];
                // RFC 7493 §2.1: half a surrogate pair is no character.
                if (0xd800..0xdc00).contains(&first) {
                    if !(self.take('\\') && self.take('u')) {
                        return Err(JsonError::Malformed);
                    }
                    units.push(self.code_unit()?);
                }
                let decoded = char::decode_utf16(units).next().and_then(Result::ok);
                decoded.ok_or(JsonError::Malformed)?
            }
            _ => return Err(JsonError::Malformed),
        })
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or(JsonError::Malformed)?;
        self.rest = &self.rest[4..];
        u16::from_str_radix(digits, 16).map_err(|_| JsonError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, canonical: &str) {
        let value = Value::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_canonical(), canonical);
        assert_eq!(Value::parse(canonical.as_bytes()).expect("canonical"), value);
    }

    #[test]
    fn rfc8785_3_2_2_serialization_of_strings() {
        check(
            r#" { "string" : "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/" } "#,
            "{\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        check("[\"\\b\\t\\f\\r\\u0000\\u007f\"]", "[\"\\b\\t\\f\\r\\u0000\u{7f}\"]");
    }

    #[test]
    fn rfc8785_3_2_3_sorting_of_names() {
        let text = r#"{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"}"#;
        let value = Value::parse(text.as_bytes()).expect("parses");
        let names: Vec<&str> = value
            .as_object()
            .expect("an object")
            .0
            .iter()
            .map(|(_, value)| value.as_str().expect("text"))
            .collect();
        let expected = [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn values_in_their_one_form() {
        check(" [ ] ", "[]");
        check("{ }", "{}");
        check("[0,-1, 9007199254740991,[{}]]", "[0,-1,9007199254740991,[{}]]");
        check("{\"b\":[1 ,2],\"a\":{\"d\":\"\",\"c\":3}}", "{\"a\":{\"c\":3,\"d\":\"\"},\"b\":[1,2]}");
    }

    #[test]
    fn what_is_outside_the_profile() {
        for text in [
            "",
            "nul",
            "null",
            "true",
            "1.0",
            "1e3",
            "-",
            "-0",
            "01",
            "+1",
            "9007199254740992",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "\"",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "1 1",
            "\u{feff}1",
            "[1",
            "0x10",
        ] {
            assert_eq!(Value::parse(text.as_bytes()), Err(JsonError::Malformed), "{text}");
        }
        assert_eq!(Value::parse(b"\"\xff\""), Err(JsonError::Malformed));
        assert_eq!(Value::parse(br#"{"a":1,"\u0061":2}"#), Err(JsonError::DuplicateName));
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Value::parse(nested(DEEPEST).as_bytes()).is_ok());
        assert_eq!(Value::parse(nested(DEEPEST + 1).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(Value::parse("[".repeat(1_000_000).as_bytes()), Err(JsonError::TooDeep));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-LARGEST..=LARGEST).prop_map(Value::Integer),
            any::<String>().prop_map(Value::String)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let member = (any::<String>(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(Value::Array),
                prop::collection::vec(member, 0..6).prop_map(|members| {
                    let mut object = Object::default();
                    members.into_iter().for_each(|(name, value)| object.set(&name, value));
                    Value::Object(object)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn parse_undoes_write(value in any_value()) {
            let text = value.to_canonical();
            prop_assert_eq!(Value::parse(text.as_bytes()).expect("parses"), value);
            // Others read it as JSON too.
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }

        #[test]
        fn what_parses_has_one_form(text in r#"[\[\]{}:, "\\u0-9a-f-]{0,40}"#) {
            if let Ok(value) = Value::parse(text.as_bytes()) {
                let canonical = value.to_canonical();
                prop_assert_eq!(Value::parse(canonical.as_bytes()).expect("parses").to_canonical(), canonical);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}

//! A content line taken apart: group, name, parameters, value.

use std::borrow::Cow;

/// A property as it stands in its line. Parameters and value are taken apart when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Of vCard (RFC 6350 §3.3).
    pub group: Option<&'a str>,
    /// As it is written.
    pub name: &'a str,
    parameters: &'a str,
    /// With its escapes.
    pub value: &'a str,
}

/// A parameter with its first values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// As it is written; empty if it is a value alone, as vCard 2.1 has them.
    pub name: &'a str,
    pub values: Vec<Cow<'a, str>>,
}

impl<'a> Property<'a> {
    /// `contentline = [group "."] name *(";" param) ":" value`; `None` if it is none.
    pub fn parse(line: &'a str) -> Option<Self> {
        let end = line.find([';', ':'])?;
        let (head, rest) = line.split_at(end);
        let colon = unquoted(rest, b':')?;
        let (group, name) = head.split_once('.').map_or((None, head), |(group, name)| (Some(group), name));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_property = is_name(name) && group.is_none_or(is_name);
        is_property.then(|| Self { group, name, parameters: &rest[..colon], value: &rest[colon + 1..] })
    }

    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> {
        let mut rest = self.parameters;
        std::iter::from_fn(move || {
            rest = rest.strip_prefix(';')?;
            let (parameter, after) = rest.split_at(unquoted(rest, b';').unwrap_or(rest.len()));
            rest = after;
            let (name, values) = parameter.split_once('=').unwrap_or(("", parameter));
            Some(Parameter { name, values: parameter_values(values) })
        })
    }

    /// The first value of the first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        // Most properties have none.
        if self.parameters.is_empty() {
            return None;
        }
        self.parameters()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
            .and_then(|parameter| parameter.values.into_iter().next())
    }

    /// The value as one text (RFC 5545 §3.3.11).
    pub fn text(&self) -> Cow<'a, str> {
        unescaped(self.value)
    }
}

/// `param-value *("," param-value)`
fn parameter_values(text: &str) -> Vec<Cow<'_, str>> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let end = unquoted(rest, b',').unwrap_or(rest.len());
        let value = rest[..end].trim();
        let value = value.strip_prefix('"').map_or(value, |value| value.strip_suffix('"').unwrap_or(value));
        values.push(without_carets(value));
        match rest.get(end + 1..) {
            Some(next) => rest = next,
            None => return values,
        }
    }
}

/// RFC 6868 §3.
fn without_carets(value: &str) -> Cow<'_, str> {
    if !value.contains('^') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let mut ahead = chars.clone();
        let meant = match (c, ahead.next()) {
            ('^', Some('n')) => '\n',
            ('^', Some('^')) => '^',
            ('^', Some('\'')) => '"',
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push(meant);
        chars = ahead;
    }
    Cow::Owned(out)
}

/// The place of the first such byte that is not within quotation marks.
fn unquoted(text: &str, wanted: u8) -> Option<usize> {
    let mut is_quoted = false;
    text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == wanted && !is_quoted
    })
}

/// `ESCAPED-CHAR = ("\\" / "\;" / "\," / "\N" / "\n")`; other backslashes stand for themselves, as
/// in the values of careless programs.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut ahead = chars.clone();
        match (c, ahead.next()) {
            ('\\', Some('n' | 'N')) => out.push('\n'),
            ('\\', Some(next @ ('\\' | ';' | ',' | ':' | '"'))) => out.push(next),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars = ahead;
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let line = "ATTENDEE;RSVP=TRUE;CN=\"Doe; John: Jr\";X=a,\"b,c\":mailto:jd@example.com";
        let property = Property::parse(line).expect("a property");
        assert_eq!((property.name, property.value), ("ATTENDEE", "mailto:jd@example.com"));
        assert_eq!(property.parameter("cn").as_deref(), Some("Doe; John: Jr"));
        let values = property.parameters().last().expect("three").values;
        assert_eq!(values, ["a", "b,c"]);
        let grouped = Property::parse("item1.TEL;HOME;type=pref:+1").expect("a property");
        assert_eq!((grouped.group, grouped.name), (Some("item1"), "TEL"));
        assert_eq!(grouped.parameters().map(|one| one.name).collect::<Vec<_>>(), ["", "type"]);
    }

    #[test]
    fn rfc6868_3_carets() {
        let property = Property::parse("A;CN=George ^'Babe^' Ruth^n^^^x:1").expect("a property");
        assert_eq!(property.parameter("CN").as_deref(), Some("George \"Babe\" Ruth\n^^x"));
    }

    #[test]
    fn values() {
        let property = Property::parse(r"NOTE:a\, b\nc\\d\x,e").expect("a property");
        assert_eq!(property.text(), "a, b\nc\\d\\x,e");
    }

    #[test]
    fn no_properties() {
        for line in ["", "A", ":", ":x", "A;B", "A;X=\":", "Ä:1", ".A:1", "a.:1", "A B:1"] {
            assert_eq!(Property::parse(line), None, "{line}");
        }
    }
}

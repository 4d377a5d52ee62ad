//! Which files fit: the `where` of a basicsearch (RFC 5323 §5.5), on what a row says, and a text.

use hub::files::Node;
use hyper::StatusCode;

use crate::media_type;
use crate::status::Refusal;
use crate::xml::Element;

/// Comparisons in one condition: each is made for every row.
const MAX_TERMS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Comparison, Property, Value),
    /// The file's text does.
    Contains(String),
    IsCollection,
    IsDefined(Property),
    Like(Property, Vec<Wild>),
    Not(Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    ContentLength,
    ContentType,
    CreationDate,
    DisplayName,
    LastModified,
}

/// Text is folded: names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    None,
    Number(i64),
    Text(String),
}

/// RFC 5323 §5.16: `%` for any text, `_` for a character, `\` before one that means itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wild {
    AnyText,
    AnyOne,
    This(char),
}

fn unsupported() -> Refusal {
    let why = "The condition has an operator or a property that is not searched for.";
    Refusal::Status(StatusCode::UNPROCESSABLE_ENTITY, why)
}

fn fold(text: &str) -> String {
    text.to_lowercase()
}

impl Property {
    /// From the `prop` in an operator, or in an `order`.
    pub(super) fn read(element: &Element) -> Result<Self, Refusal> {
        let prop =
            element.dav_child("prop").and_then(|prop| prop.children.first()).ok_or_else(unsupported)?;
        match prop.name.local() {
            _ if prop.name.namespace() != crate::xml::DAV => Err(unsupported()),
            "creationdate" => Ok(Self::CreationDate),
            "displayname" => Ok(Self::DisplayName),
            "getcontentlength" => Ok(Self::ContentLength),
            "getcontenttype" => Ok(Self::ContentType),
            "getlastmodified" => Ok(Self::LastModified),
            _ => Err(unsupported()),
        }
    }
}

impl Value {
    pub(super) fn of(property: Property, node: &Node) -> Self {
        match property {
            Property::CreationDate => Self::Number(node.created_at),
            Property::LastModified => Self::Number(node.modified_at),
            Property::DisplayName => Self::Text(fold(&node.name)),
            Property::ContentLength | Property::ContentType if node.is_folder() => Self::None,
            Property::ContentLength => Self::Number(i64::try_from(node.size).unwrap_or(i64::MAX)),
            Property::ContentType => Self::Text(fold(media_type::of(&node.content_type, &node.name))),
        }
    }

    /// `<!ELEMENT literal (#PCDATA)>`
    fn read(property: Property, operator: &Element) -> Result<Self, Refusal> {
        let literal = operator.dav_child("literal").ok_or_else(unsupported)?.text.trim();
        let bad = Refusal::Status(StatusCode::BAD_REQUEST, "A literal is not of its property's kind.");
        Ok(match property {
            Property::DisplayName | Property::ContentType => Self::Text(fold(literal)),
            Property::ContentLength => Self::Number(literal.parse().map_err(|_| bad)?),
            Property::CreationDate | Property::LastModified => Self::Number(time(literal).ok_or(bad)?),
        })
    }
}

/// A date as the property shows it, of RFC 3339, or in Unix seconds.
fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    if let Ok(date) = httpdate::parse_http_date(text) {
        return i64::try_from(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok();
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let days = hub_civil::days(part(0..4)?, part(5..7)?, part(8..10)?)?;
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    text.ends_with('Z').then_some(days * hub_civil::SECONDS_A_DAY + hour * 3600 + minute * 60 + second)
}

impl Condition {
    pub(super) fn read(element: &Element) -> Result<Self, Refusal> {
        Self::read_within(element, &mut 0)
    }

    /// The XML is nested 64 deep at most; so is this.
    fn read_within(element: &Element, count: &mut usize) -> Result<Self, Refusal> {
        *count += 1;
        if element.name.namespace() != crate::xml::DAV || *count > MAX_TERMS {
            return Err(unsupported());
        }
        let mut parts = |element: &Element| {
            element.children.iter().map(|part| Self::read_within(part, count)).collect::<Result<Vec<_>, _>>()
        };
        let compare = |comparison| {
            let property = Property::read(element)?;
            Ok(Self::Compare(comparison, property, Value::read(property, element)?))
        };
        match element.name.local() {
            "and" => Ok(Self::All(parts(element)?)),
            "or" => Ok(Self::Any(parts(element)?)),
            "not" => match parts(element)?.pop() {
                Some(part) if element.children.len() == 1 => Ok(Self::Not(Box::new(part))),
                _ => Err(unsupported()),
            },
            "contains" => match element.text.trim() {
                "" => Err(unsupported()),
                text => Ok(Self::Contains(text.to_owned())),
            },
            "eq" => compare(Comparison::Equal),
            "gt" => compare(Comparison::Greater),
            "gte" => compare(Comparison::GreaterOrEqual),
            "lt" => compare(Comparison::Less),
            "lte" => compare(Comparison::LessOrEqual),
            "is-collection" => Ok(Self::IsCollection),
            "is-defined" => Ok(Self::IsDefined(Property::read(element)?)),
            "like" => {
                let literal = element.dav_child("literal").ok_or_else(unsupported)?;
                Ok(Self::Like(Property::read(element)?, wild(&fold(literal.text.trim()))))
            }
            _ => Err(unsupported()),
        }
    }

    /// The texts that files must contain, or must not.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::texts).collect(),
            Self::Not(part) => part.texts(),
            Self::Contains(text) => vec![text],
            Self::Compare(..) | Self::IsCollection | Self::IsDefined(_) | Self::Like(..) => Vec::new(),
        }
    }

    /// Whether a file fits, if `contains` says which texts it has. `None` if that depends on a text of
    /// which it does not say.
    pub(super) fn holds(&self, node: &Node, contains: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
        let holds = |part: &Self| part.holds(node, contains);
        let first = |parts: &[Self], decisive: bool| {
            let all: Vec<Option<bool>> = parts.iter().map(holds).collect();
            match all.contains(&Some(decisive)) {
                true => Some(decisive),
                false => all.into_iter().collect::<Option<Vec<_>>>().map(|_| !decisive),
            }
        };
        match self {
            Self::All(parts) => first(parts, false),
            Self::Any(parts) => first(parts, true),
            Self::Not(part) => holds(part).map(|holds| !holds),
            Self::Contains(text) => contains(text),
            Self::IsCollection => Some(node.is_folder()),
            Self::IsDefined(property) => Some(Value::of(*property, node) != Value::None),
            Self::Compare(comparison, property, value) => {
                let own = Value::of(*property, node);
                let fits = match comparison {
                    Comparison::Equal => own == *value,
                    Comparison::Greater => own > *value,
                    Comparison::GreaterOrEqual => own >= *value,
                    Comparison::Less => own < *value,
                    Comparison::LessOrEqual => own <= *value,
                };
                Some(own != Value::None && fits)
            }
            Self::Like(property, pattern) => match Value::of(*property, node) {
                Value::Text(text) => Some(is_like(pattern, &text)),
                Value::None | Value::Number(_) => Some(false),
            },
        }
    }
}

fn wild(pattern: &str) -> Vec<Wild> {
    let mut wild = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        wild.push(match character {
            // Several of them are one, and each costs a walk.
            '%' if wild.last() == Some(&Wild::AnyText) => continue,
            '%' => Wild::AnyText,
            '_' => Wild::AnyOne,
            '\\' => Wild::This(rest.next().unwrap_or('\\')),
            other => Wild::This(other),
        });
    }
    wild
}

/// Goes back to the last `%` only: a pattern costs at most its length times the text's.
fn is_like(pattern: &[Wild], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(Wild::AnyText) => {
                again = Some((at + 1, from));
                at += 1;
            }
            Some(Wild::AnyOne) => (at, from) = (at + 1, from + 1),
            Some(Wild::This(character)) if text[from] == *character => (at, from) = (at + 1, from + 1),
            _ => match again {
                Some((after, start)) => {
                    again = Some((after, start + 1));
                    (at, from) = (after, start + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == Wild::AnyText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a_c", "abc", true),
            ("a_", "abc", false),
            ("%", "", true),
            ("", "", true),
            ("_", "", false),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("%a%a%b", "aaaaab", true),
            ("%.jpg", "x.jpg", true),
            ("ü%", "über", true),
        ] {
            assert_eq!(is_like(&wild(pattern), text), expected, "{pattern} {text}");
        }
        let pattern = "%a".repeat(100);
        assert!(!is_like(&wild(&pattern), &"a".repeat(99)));
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("1700000000", Some(1_700_000_000)),
            ("Tue, 14 Nov 2023 22:13:20 GMT", Some(1_700_000_000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000)),
            ("2023-11-14", None),
            ("x", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }
}

//! Filters of `calendar-query` (RFC 4791 §9.7) and `addressbook-query` (RFC 6352 §10.5), from XML.

use hub::ical::{
    CardFilter, Collation, ComponentFilter, ComponentTest, MatchKind, ParameterFilter, ParameterTest,
    PropertyFilter, PropertyTest, TextMatch, Time, TimeRange,
};
use hyper::StatusCode;

use crate::status::Refusal;
use crate::xml::{CALDAV, CARDDAV, Element};

/// Conditions in one filter: each is tried on every object.
const MOST_CONDITIONS: usize = 200;

pub(super) fn bad(why: &'static str) -> Refusal {
    Refusal::Status(StatusCode::BAD_REQUEST, why)
}

/// RFC 4791 §7.8, RFC 6352 §8.6: well-formed, but no filter.
fn invalid(namespace: &'static str) -> Refusal {
    Refusal::Of(StatusCode::FORBIDDEN, namespace, "valid-filter")
}

fn unsupported(namespace: &'static str) -> Refusal {
    Refusal::Of(StatusCode::FORBIDDEN, namespace, "supported-filter")
}

fn flag(element: &Element, attribute: &str, value: &str) -> bool {
    element.attribute(attribute).is_some_and(|given| given.eq_ignore_ascii_case(value))
}

/// `<!ELEMENT filter (comp-filter)>` (RFC 4791 §9.7)
pub(super) fn of_calendar(report: &Element) -> Result<ComponentFilter, Refusal> {
    let filter = report.child(CALDAV, "filter").ok_or_else(|| invalid(CALDAV))?;
    let mut filters = filter.children_of(CALDAV, "comp-filter");
    let (Some(top), None) = (filters.next(), filters.next()) else { return Err(invalid(CALDAV)) };
    let mut left = MOST_CONDITIONS;
    let top = component(top, &mut left)?;
    match top.name == "VCALENDAR" {
        true => Ok(top),
        false => Err(invalid(CALDAV)),
    }
}

fn count(left: &mut usize, namespace: &'static str) -> Result<(), Refusal> {
    *left = left.checked_sub(1).ok_or_else(|| unsupported(namespace))?;
    Ok(())
}

/// `<!ELEMENT comp-filter (is-not-defined | (time-range?, prop-filter*, comp-filter*))>`
fn component(element: &Element, left: &mut usize) -> Result<ComponentFilter, Refusal> {
    count(left, CALDAV)?;
    let name = element.attribute("name").ok_or_else(|| invalid(CALDAV))?.to_ascii_uppercase();
    let test = match element.child(CALDAV, "is-not-defined") {
        Some(_) if element.children.len() == 1 => ComponentTest::NotDefined,
        Some(_) => return Err(invalid(CALDAV)),
        None => ComponentTest::Defined {
            range: element.child(CALDAV, "time-range").map(time_range).transpose()?,
            properties: element
                .children_of(CALDAV, "prop-filter")
                .map(|filter| property(filter, CALDAV, left))
                .collect::<Result<_, _>>()?,
            components: element
                .children_of(CALDAV, "comp-filter")
                .map(|filter| component(filter, left))
                .collect::<Result<_, _>>()?,
        },
    };
    Ok(ComponentFilter { name, test })
}

/// CalDAV: `<!ELEMENT prop-filter (is-not-defined | ((time-range | text-match)?, param-filter*))>`;
/// CardDAV: `(is-not-defined | (text-match*, param-filter*))`, with `test`.
fn property(element: &Element, namespace: &'static str, left: &mut usize) -> Result<PropertyFilter, Refusal> {
    count(left, namespace)?;
    let name = element.attribute("name").ok_or_else(|| invalid(namespace))?.to_owned();
    let test = match element.child(namespace, "is-not-defined") {
        Some(_) if element.children.len() == 1 => PropertyTest::NotDefined,
        Some(_) => return Err(invalid(namespace)),
        None => PropertyTest::Defined {
            // RFC 6352 §10.5.1: anyof, unless it says otherwise; in CalDAV all must hold.
            any: namespace == CARDDAV && !flag(element, "test", "allof"),
            range: element.child(CALDAV, "time-range").map(time_range).transpose()?,
            texts: element
                .children_of(namespace, "text-match")
                .map(|text| text_match(text, namespace, left))
                .collect::<Result<_, _>>()?,
            parameters: element
                .children_of(namespace, "param-filter")
                .map(|filter| parameter(filter, namespace, left))
                .collect::<Result<_, _>>()?,
        },
    };
    Ok(PropertyFilter { name, test })
}

/// `<!ELEMENT param-filter (is-not-defined | text-match)?>`
fn parameter(
    element: &Element,
    namespace: &'static str,
    left: &mut usize,
) -> Result<ParameterFilter, Refusal> {
    count(left, namespace)?;
    let name = element.attribute("name").ok_or_else(|| invalid(namespace))?.to_owned();
    let text = element.child(namespace, "text-match");
    let test = match (element.child(namespace, "is-not-defined"), text) {
        (Some(_), None) => ParameterTest::NotDefined,
        (Some(_), Some(_)) => return Err(invalid(namespace)),
        (None, text) => {
            ParameterTest::Defined(text.map(|text| text_match(text, namespace, left)).transpose()?)
        }
    };
    Ok(ParameterFilter { name, test })
}

/// `<!ELEMENT text-match (#PCDATA)>`, with the attributes `collation`, `negate-condition` and, in CardDAV,
/// `match-type`.
fn text_match(element: &Element, namespace: &'static str, left: &mut usize) -> Result<TextMatch, Refusal> {
    count(left, namespace)?;
    // RFC 4791 §9.7.5, RFC 6352 §10.5.4: what is not said is this.
    let default = if namespace == CALDAV { "i;ascii-casemap" } else { "i;unicode-casemap" };
    let collation = Collation::named(element.attribute("collation").unwrap_or(default))
        .ok_or(Refusal::Of(StatusCode::FORBIDDEN, namespace, "supported-collation"))?;
    let kind = match element.attribute("match-type") {
        None | Some("contains") => MatchKind::Contains,
        Some("ends-with") => MatchKind::EndsWith,
        Some("equals") => MatchKind::Equals,
        Some("starts-with") => MatchKind::StartsWith,
        Some(_) => return Err(invalid(namespace)),
    };
    Ok(TextMatch::new(&element.text, collation, kind, flag(element, "negate-condition", "yes")))
}

/// `<!ELEMENT time-range EMPTY>`, with `start` and `end` in UTC, one of them at least (RFC 4791 §9.9)
pub(super) fn time_range(element: &Element) -> Result<TimeRange, Refusal> {
    let time = |attribute, without| match element.attribute(attribute) {
        None => Ok(without),
        Some(text) => match Time::parse(text.trim(), None) {
            Some(Time::Utc(seconds)) => Ok(seconds),
            _ => Err(invalid(CALDAV)),
        },
    };
    let range = TimeRange { from: time("start", i64::MIN)?, to: time("end", i64::MAX)? };
    let is_given = element.attribute("start").or(element.attribute("end")).is_some();
    match is_given && range.from < range.to {
        true => Ok(range),
        false => Err(invalid(CALDAV)),
    }
}

/// `<!ELEMENT filter (prop-filter*)>`, with `test` (RFC 6352 §10.5)
pub(super) fn of_cards(report: &Element) -> Result<CardFilter, Refusal> {
    let Some(filter) = report.child(CARDDAV, "filter") else { return Err(invalid(CARDDAV)) };
    let mut left = MOST_CONDITIONS;
    let properties = filter
        .children_of(CARDDAV, "prop-filter")
        .map(|filter| property(filter, CARDDAV, &mut left))
        .collect::<Result<_, _>>()?;
    Ok(CardFilter { any: !flag(filter, "test", "allof"), properties })
}

use super::*;
use crate::{Collation, Document, MatchKind, Time, Zones};

const CALENDAR: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20240601T100000Z\nDTEND:20240601T110000Z\n\
    RRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:Besprechung mit Müller\\, Meier\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:a@x.org\n\
    ATTENDEE;PARTSTAT=ACCEPTED;CN=B:mailto:b@x.org\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT30M\nREPEAT:2\n\
    DURATION:PT10M\nEND:VALARM\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20240608T100000Z\n\
    DTSTART:20240609T100000Z\nDTEND:20240609T110000Z\nSUMMARY:Verlegt\nEND:VEVENT\nEND:VCALENDAR\n";

fn at(text: &str) -> i64 {
    Time::parse(text, None).expect("a time").local()
}

fn range(from: &str, to: &str) -> Option<TimeRange> {
    Some(TimeRange { from: at(from), to: at(to) })
}

fn takes(calendar: &str, inner: ComponentFilter) -> bool {
    let document = Document::parse(calendar.as_bytes()).expect("balanced");
    let calendar = document.roots().next().expect("one");
    let objects = Object::all(calendar, &Zones::of(Some(calendar)));
    let test = ComponentTest::Defined { range: None, properties: Vec::new(), components: vec![inner] };
    ComponentFilter { name: "VCALENDAR".into(), test }.takes(calendar, &objects, &Zone::UTC)
}

fn component(name: &str, range: Option<TimeRange>, properties: Vec<PropertyFilter>) -> ComponentFilter {
    ComponentFilter {
        name: name.into(),
        test: ComponentTest::Defined { range, properties, components: Vec::new() },
    }
}

fn text(wanted: &str) -> TextMatch {
    TextMatch::new(wanted, Collation::UnicodeCasemap, MatchKind::Contains, false)
}

fn property(name: &str, texts: &[&str], parameters: Vec<ParameterFilter>) -> PropertyFilter {
    let texts = texts.iter().map(|wanted| text(wanted)).collect();
    PropertyFilter {
        name: name.into(),
        test: PropertyTest::Defined { any: false, range: None, texts, parameters },
    }
}

#[test]
fn times() {
    let check = |from, to, expected| {
        assert_eq!(
            takes(CALENDAR, component("VEVENT", range(from, to), Vec::new())),
            expected,
            "{from}/{to}"
        );
    };
    check("20240601", "20240602", true);
    check("20240602", "20240608", false);
    check("20240608", "20240609", false);
    check("20240609", "20240610", true);
    check("20240615", "20240616", true);
    check("20240616", "20400101", false);
    check("20240601T110000", "20240601T120000", false);
}

/// RFC 4791 §7.8: all that is asked of a component must be true of one and the same.
#[test]
fn all_of_one() {
    let check = |summary: &str, from, to, expected| {
        let filter = component("VEVENT", range(from, to), vec![property("SUMMARY", &[summary], Vec::new())]);
        assert_eq!(takes(CALENDAR, filter), expected, "{summary} {from}");
    };
    check("MÜLLER, M", "20240601", "20240602", true);
    check("verlegt", "20240601", "20240602", false);
    check("verlegt", "20240609", "20240610", true);
    check("müller", "20240609", "20240610", false);
}

#[test]
fn parameters() {
    let check = |address: &str, status: &str, expected| {
        let status =
            ParameterFilter { name: "PARTSTAT".into(), test: ParameterTest::Defined(Some(text(status))) };
        let filter = component("VEVENT", None, vec![property("ATTENDEE", &[address], vec![status])]);
        assert_eq!(takes(CALENDAR, filter), expected, "{address}");
    };
    check("a@x.org", "NEEDS-ACTION", true);
    check("b@x.org", "NEEDS-ACTION", false);
    let without_name = ParameterFilter { name: "cn".into(), test: ParameterTest::NotDefined };
    let filter = component("VEVENT", None, vec![property("ATTENDEE", &["b@x"], vec![without_name])]);
    assert!(!takes(CALENDAR, filter));
}

#[test]
fn what_is_not_there() {
    let not_defined = |name: &str| ComponentFilter { name: name.into(), test: ComponentTest::NotDefined };
    assert!(takes(CALENDAR, not_defined("VTODO")));
    assert!(!takes(CALENDAR, not_defined("VEVENT")));
    let no_property = |name: &str| PropertyFilter { name: name.into(), test: PropertyTest::NotDefined };
    assert!(takes(CALENDAR, component("VEVENT", None, vec![no_property("RRULE")])), "the moved one");
    assert!(!takes(CALENDAR, component("VEVENT", None, vec![no_property("UID")])));
    assert!(!takes(CALENDAR, component("VJOURNAL", None, Vec::new())));
}

#[test]
fn alarms() {
    let check = |from, to, expected| {
        let alarm = component("VALARM", range(from, to), Vec::new());
        let test = ComponentTest::Defined { range: None, properties: Vec::new(), components: vec![alarm] };
        let filter = ComponentFilter { name: "VEVENT".into(), test };
        assert_eq!(takes(CALENDAR, filter), expected, "{from}/{to}");
    };
    check("20240601T093000", "20240601T093100", true);
    check("20240601T095000", "20240601T095100", true); // the second repetition
    check("20240601T100000", "20240601T110000", false);
    check("20240615T093000", "20240615T093001", true); // of the last occurrence
}

/// The table of RFC 4791 §9.9 for VTODO.
#[test]
fn tasks() {
    let check = |lines: &str, from, to, expected| {
        let calendar = format!("BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\n{lines}END:VTODO\nEND:VCALENDAR\n");
        let filter = component("VTODO", range(from, to), Vec::new());
        assert_eq!(takes(&calendar, filter), expected, "{lines} {from}/{to}");
    };
    check("", "20240601", "20240602", true);
    check("DUE:20240602T000000Z\n", "20240601", "20240602", true);
    check("DUE:20240601T000000Z\n", "20240601", "20240602", false);
    check("DTSTART:20240601T000000Z\n", "20240601", "20240602", true);
    check("DTSTART:20240602T000000Z\n", "20240601", "20240602", false);
    check("DTSTART:20240601T000000Z\nDUE:20240605T000000Z\n", "20240603", "20240604", true);
    check("COMPLETED:20240601T000000Z\n", "20240601", "20240602", true);
    check("COMPLETED:20240501T000000Z\n", "20240601", "20240602", false);
    check("CREATED:20240501T000000Z\n", "20240601", "20240602", true);
    check("CREATED:20240603T000000Z\n", "20240601", "20240602", false);
    check("CREATED:20240501T000000Z\nCOMPLETED:20240503T000000Z\n", "20240502", "20240504", true);
}

#[test]
fn times_of_properties() {
    let calendar =
        "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nCOMPLETED:20240601T100000Z\nEND:VTODO\nEND:VCALENDAR\n";
    let check = |from, to, expected| {
        let range = range(from, to);
        let test = PropertyTest::Defined { any: false, range, texts: Vec::new(), parameters: Vec::new() };
        let filter = component("VTODO", None, vec![PropertyFilter { name: "COMPLETED".into(), test }]);
        assert_eq!(takes(calendar, filter), expected);
    };
    check("20240601", "20240602", true);
    check("20240602", "20240603", false);
}

#[test]
fn cards() {
    let card = "BEGIN:VCARD\nFN:Anna Müller\nitem1.EMAIL;TYPE=work:anna@x.org\nEMAIL:am@y.org\nEND:VCARD\n";
    let document = Document::parse(card.as_bytes()).expect("balanced");
    let card = document.roots().next().expect("one");
    let check = |any, properties: Vec<PropertyFilter>, expected| {
        assert_eq!(CardFilter { any, properties }.takes(card), expected);
    };
    check(true, Vec::new(), true);
    check(true, vec![property("FN", &["müller"], Vec::new()), property("NICKNAME", &[], Vec::new())], true);
    check(false, vec![property("FN", &["müller"], Vec::new()), property("NICKNAME", &[], Vec::new())], false);
    check(
        false,
        vec![property("EMAIL", &["y.org"], Vec::new()), property("EMAIL", &["x.org"], Vec::new())],
        true,
    );
    check(false, vec![property("EMAIL", &["y.org", "x.org"], Vec::new())], false);
    let texts = vec![text("y.org"), text("nowhere")];
    let test = PropertyTest::Defined { any: true, range: None, texts, parameters: Vec::new() };
    check(false, vec![PropertyFilter { name: "email".into(), test }], true);
}

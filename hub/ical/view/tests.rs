use super::*;

/// RFC 4791 appendix B, `abcd2.ics`: a meeting of five days, the third of which was moved.
const MOVED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example Corp.//CalDAV Client//EN\r\n\
    BEGIN:VTIMEZONE\r\nTZID:US/Eastern\r\nBEGIN:DAYLIGHT\r\nDTSTART:20000404T020000\r\n\
    RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\r\nTZNAME:EDT\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\n\
    END:DAYLIGHT\r\nEND:VTIMEZONE\r\n\
    BEGIN:VEVENT\r\nDTSTAMP:20060206T001121Z\r\nDTSTART;TZID=US/Eastern:20060102T120000\r\nDURATION:PT1H\r\n\
    RRULE:FREQ=DAILY;COUNT=5\r\nSUMMARY:Event #2\r\nUID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nDTSTAMP:20060206T001121Z\r\nDTSTART;TZID=US/Eastern:20060104T140000\r\nDURATION:PT1H\r\n\
    RECURRENCE-ID;TZID=US/Eastern:20060104T120000\r\nSUMMARY:Event #2 bis\r\n\
    UID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

fn range(from: &str, to: &str) -> TimeRange {
    let time = |text| Time::parse(text, None).expect("a time").utc(&Zone::UTC);
    TimeRange { from: time(from), to: time(to) }
}

fn shown(view: &View, data: &str) -> Rendered {
    view.of(data.as_bytes(), &Zone::UTC, 100).expect("few")
}

fn lines<'t>(text: &'t str, start: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

/// RFC 4791 §7.8.3
#[test]
fn occurrences_one_by_one() {
    let recurrences = Recurrences::Expand(range("20060103T000000Z", "20060105T000000Z"));
    let Rendered { text, instances } = shown(&View { recurrences, ..View::default() }, MOVED);
    assert_eq!(instances, 2);
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART:20060103T170000Z", "DTSTART:20060104T190000Z"]);
    assert_eq!(
        lines(&text, "RECURRENCE-ID"),
        ["RECURRENCE-ID:20060103T170000Z", "RECURRENCE-ID:20060104T170000Z"]
    );
    assert_eq!(lines(&text, "SUMMARY"), ["SUMMARY:Event #2", "SUMMARY:Event #2 bis"]);
    assert!(!text.contains("RRULE") && !text.contains("VTIMEZONE"));
    assert!(Document::parse(text.as_bytes()).is_ok());
}

/// RFC 5545 §3.3.6: a day that the clock makes 23 hours long.
#[test]
fn ends_are_those_of_the_occurrence() {
    let event = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=America/New_York:20070309T120000\r\n\
                 DURATION:P1D\r\nRRULE:FREQ=DAILY;COUNT=2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let recurrences = Recurrences::Expand(range("20070310T000000Z", "20070312T000000Z"));
    let text = shown(&View { recurrences, ..View::default() }, event).text;
    assert_eq!(lines(&text, "DTEND"), ["DTEND:20070310T170000Z", "DTEND:20070311T160000Z"]);
    assert_eq!(lines(&text, "DURATION"), [""; 0]);
}

/// A picture in a series is not shown thousands of times.
#[test]
fn occurrences_have_a_size() {
    let picture = "x".repeat(100_000);
    let event = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20070309T120000Z\r\nATTACH:{picture}\r\n\
         RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let recurrences = Recurrences::Expand(range("20070310T000000Z", "20070610T000000Z"));
    let view = View { recurrences, ..View::default() };
    assert_eq!(view.of(event.as_bytes(), &Zone::UTC, 10_000), Err(TooManyInstances));
}

#[test]
fn days_stay_days() {
    let event = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20240228\r\n\
                 DTEND;VALUE=DATE:20240301\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let recurrences = Recurrences::Expand(range("20250101T000000Z", "20260101T000000Z"));
    let text = shown(&View { recurrences, ..View::default() }, event).text;
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART;VALUE=DATE:20250228"]);
    assert_eq!(lines(&text, "DTEND"), ["DTEND;VALUE=DATE:20250302"]);
}

#[test]
fn too_many_occurrences() {
    let event = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20000101T000000Z\r\n\
                 RRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let recurrences = Recurrences::Expand(range("20250101T000000Z", "20260101T000000Z"));
    let view = View { recurrences, ..View::default() };
    assert_eq!(view.of(event.as_bytes(), &Zone::UTC, 100), Err(TooManyInstances));
}

/// RFC 4791 §7.8.2
#[test]
fn exceptions_that_matter() {
    let check = |from, to, expected: usize| {
        let view = View { recurrences: Recurrences::Limit(range(from, to)), ..View::default() };
        let text = shown(&view, MOVED).text;
        assert_eq!(lines(&text, "BEGIN:VEVENT").len(), expected, "{from}");
        assert!(text.contains("RRULE") && text.contains("VTIMEZONE"));
    };
    check("20060104T000000Z", "20060105T000000Z", 2);
    // Where it was is as good as where it is.
    check("20060104T173000Z", "20060104T174000Z", 2);
    check("20060104T190000Z", "20060104T191000Z", 2);
    check("20060105T000000Z", "20060106T000000Z", 1);
}

/// RFC 4791 §7.8.1
#[test]
fn some_properties() {
    let comp = |name: &str, properties: &[(&str, bool)], components: Option<Vec<Selection>>| Selection {
        name: name.to_owned(),
        properties: Properties::These(
            properties.iter().map(|(name, empty)| ((*name).to_owned(), *empty)).collect(),
        ),
        components,
    };
    let event = comp("VEVENT", &[("UID", false), ("SUMMARY", true)], Some(Vec::new()));
    let selection = comp("VCALENDAR", &[("VERSION", false)], Some(vec![event]));
    let view = View { selection: Some(selection), ..View::default() };
    assert_eq!(
        shown(&view, MOVED).text,
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n\
         BEGIN:VEVENT\r\nSUMMARY:\r\nUID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nSUMMARY:\r\nUID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n"
    );
}

#[test]
fn known_zones_may_be_left_out() {
    let view = View { without_zones: true, ..View::default() };
    assert_eq!(shown(&view, MOVED).text.matches("VTIMEZONE").count(), 0);
    let private = MOVED.replace("US/Eastern", "/example.org/Somewhere");
    assert_eq!(shown(&view, &private).text.matches("VTIMEZONE").count(), 2);
}

#[test]
fn busy_times_within_a_range() {
    let busy = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nUID:1\r\n\
                FREEBUSY;FBTYPE=BUSY:20060102T150000Z/PT1H,20060103T150000Z/20060103T160000Z\r\n\
                FREEBUSY:20060102T150000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let free_busy = Some(range("20060103T000000Z", "20060104T000000Z"));
    let text = shown(&View { free_busy, ..View::default() }, busy).text;
    assert_eq!(lines(&text, "FREEBUSY"), ["FREEBUSY;FBTYPE=BUSY:20060103T150000Z/20060103T160000Z"]);
}

#[test]
fn what_cannot_be_read_is_shown_as_it_is() {
    let view = View { without_zones: true, ..View::default() };
    assert_eq!(shown(&view, "BEGIN:VCALENDAR").text, "BEGIN:VCALENDAR");
}

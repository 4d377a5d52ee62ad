use super::*;
use crate::Document;

/// The starts and ends of what happens in the window, in UTC, and which component tells of it.
fn happens(events: &str, from: &str, to: &str) -> Vec<String> {
    let text = format!("BEGIN:VCALENDAR\n{events}\nEND:VCALENDAR\n");
    let document = Document::parse(text.as_bytes()).expect("balanced");
    let calendar = document.roots().next();
    let zones = Zones::of(calendar);
    let berlin = Zone::named("Europe/Berlin").expect("known");
    let at = |text: &str| Time::parse(text, None).expect("a time").local();
    let objects = Object::all(calendar.expect("one"), &zones);
    let found = objects.iter().flat_map(|object| object.occurrences(at(from), at(to), &berlin, 1000));
    found
        .map(|one| {
            let instead = one.instead.map(|index| format!(" by {index}")).unwrap_or_default();
            format!("{}/{}{instead}", written(one.start), written(one.end))
        })
        .collect()
}

fn written(utc: i64) -> String {
    let civil = hub_civil::Civil::of(utc);
    format!("{:02}{:02}T{:02}{:02}", civil.date.month, civil.date.day, civil.hour, civil.minute)
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT")
}

#[test]
fn once() {
    let check = |lines: &str, expected: &[&str]| {
        assert_eq!(happens(&event(lines), "20240601", "20240602"), expected, "{lines}");
    };
    check("DTSTART:20240601T100000Z\nDTEND:20240601T110000Z", &["0601T1000/0601T1100"]);
    check("DTSTART:20240601T100000\nDURATION:PT1H", &["0601T0800/0601T0900"]);
    check("DTSTART;TZID=Asia/Tokyo:20240601T100000", &["0601T0100/0601T0100"]);
    check("DTSTART;VALUE=DATE:20240601", &["0531T2200/0601T2200"]);
    check("DTSTART;VALUE=DATE:20240530\nDTEND;VALUE=DATE:20240601", &[]);
    check("DTSTART:20240531T235959Z\nDTEND:20240601T000000Z", &[]);
    check("DTSTART:20240602T000000Z", &[]);
    check("DTSTART:20240601T100000Z\nDTEND:20240601T090000Z", &["0601T1000/0601T1000"]);
    check("DTSTART:20200101T000000Z\nDTEND:20300101T000000Z", &["0101T0000/0101T0000"]);
    check("SUMMARY:never", &[]);
}

#[test]
fn a_series_keeps_its_wall_clock() {
    let lines = event("DTSTART;TZID=Europe/Berlin:20240330T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
    let expected = ["0330T0800/0330T0900", "0331T0700/0331T0800", "0401T0700/0401T0800"];
    assert_eq!(happens(&lines, "20240301", "20240501"), expected);
    let lines = event("DTSTART;TZID=Europe/Berlin:20240330T090000\nRRULE:FREQ=DAILY;UNTIL=20240331T070000Z");
    assert_eq!(happens(&lines, "20240301", "20240501").len(), 2, "UNTIL is in UTC and included");
}

#[test]
fn dates_added_and_taken_out() {
    let lines = event(
        "DTSTART:20240601T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20240602T100000Z\n\
         EXDATE;VALUE=DATE:20240604\nRDATE:20240610T100000Z,20240601T100000Z\n\
         RDATE;VALUE=PERIOD:20240611T100000Z/PT3H,20240612T100000Z/20240612T101500Z",
    );
    let expected = [
        "0601T1000/0601T1100",
        "0603T1000/0603T1100",
        "0610T1000/0610T1100",
        "0611T1000/0611T1300",
        "0612T1000/0612T1015",
    ];
    assert_eq!(happens(&lines, "20240101", "20250101"), expected);
}

#[test]
fn single_occurrences_are_moved() {
    let master = event("DTSTART:20240601T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
    let moved = event("RECURRENCE-ID:20240602T100000Z\nDTSTART:20240720T120000Z");
    let both = format!("{moved}\n{master}");
    let expected = ["0601T1000/0601T1100", "0603T1000/0603T1100", "0720T1200/0720T1200 by 0"];
    assert_eq!(happens(&both, "20240101", "20250101"), expected);
    assert_eq!(happens(&both, "20240701", "20240801"), expected[2..], "out of the time of the series");
    assert_eq!(happens(&both, "20240602", "20240603"), [""; 0], "and no longer where it was");
    assert_eq!(happens(&moved, "20240701", "20240801"), expected[2..], "an invitation to it alone");
}

#[test]
fn recurrence_ids_of_careless_programs() {
    let all_day = event("DTSTART;VALUE=DATE:20240601\nRRULE:FREQ=DAILY;COUNT=2");
    let moved = event("RECURRENCE-ID;TZID=Asia/Hong_Kong:20240602T000000\nDTSTART;VALUE=DATE:20240610");
    assert_eq!(happens(&format!("{all_day}\n{moved}"), "20240101", "20250101").len(), 2);
    let timed = event("DTSTART:20240601T100000Z\nRRULE:FREQ=DAILY;COUNT=2");
    let moved = event("RECURRENCE-ID;VALUE=DATE:20240602\nDTSTART:20240610T100000Z");
    assert_eq!(happens(&format!("{timed}\n{moved}"), "20240101", "20250101").len(), 2);
}

/// RFC 5545 §3.8.4.4.
#[test]
fn this_and_all_later_ones_are_moved() {
    let master = event("DTSTART:20240601T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4");
    let moved =
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20240603T100000Z\nDTSTART:20240605T130000Z\nDURATION:PT2H");
    let expected = [
        "0601T1000/0601T1100",
        "0602T1000/0602T1100",
        "0605T1300/0605T1500 by 0",
        "0606T1300/0606T1500 by 0",
    ];
    assert_eq!(happens(&format!("{master}\n{moved}"), "20240101", "20250101"), expected);
    assert_eq!(happens(&format!("{master}\n{moved}"), "20240606", "20240607"), expected[3..]);
}

/// Programs write the id in UTC where the series is on a wall clock.
#[test]
fn what_is_moved_may_be_named_on_another_clock() {
    let master = event("DTSTART;TZID=Europe/Berlin:20240601T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
    for id in ["RANGE=THISANDFUTURE:20240602T080000Z", "VALUE=DATE;RANGE=THISANDFUTURE:20240602"] {
        let moved =
            event(&format!("RECURRENCE-ID;{id}\nDTSTART;TZID=Europe/Berlin:20240602T110000\nDURATION:PT1H"));
        let expected = ["0601T0800/0601T0900", "0602T0900/0602T1000 by 0", "0603T0900/0603T1000 by 0"];
        assert_eq!(happens(&format!("{master}\n{moved}"), "20240101", "20250101"), expected, "{id}");
    }
}

/// RFC 4791 §9.9: a task counts by its due date, if it has nothing else.
#[test]
fn tasks() {
    let task = |lines: &str| format!("BEGIN:VTODO\nUID:1\n{lines}\nEND:VTODO");
    let due = task("DUE:20240601T100000Z\nRRULE:FREQ=WEEKLY;COUNT=2");
    assert_eq!(happens(&due, "20240101", "20250101"), ["0601T1000/0601T1000", "0608T1000/0608T1000"]);
    let both = task("DTSTART:20240601T080000Z\nDUE:20240601T100000Z");
    assert_eq!(happens(&both, "20240601T090000", "20240602"), ["0601T0800/0601T1000"]);
}

#[test]
fn bounds() {
    let check = |events: &str, first: &str, last: Option<&str>| {
        let text = format!("BEGIN:VCALENDAR\n{events}\nEND:VCALENDAR\n");
        let document = Document::parse(text.as_bytes()).expect("balanced");
        let calendar = document.roots().next().expect("one");
        let at = |text: &str| Time::parse(text, None).expect("a time").local();
        let bounds = Object::all(calendar, &Zones::of(None))[0].bounds(&Zone::UTC);
        assert_eq!(bounds, Some(Bounds { first: at(first), last: last.map(at) }), "{events}");
    };
    let start = "DTSTART:20240601T100000Z\nDURATION:PT1H";
    check(&event(start), "20240601T100000", Some("20240601T110000"));
    check(&event(&format!("{start}\nRRULE:FREQ=DAILY;COUNT=3")), "20240601T100000", Some("20240603T110000"));
    check(&event(&format!("{start}\nRRULE:FREQ=DAILY")), "20240601T100000", None);
    check(&event(&format!("{start}\nRDATE:20230101T100000Z")), "20230101T100000", Some("20240601T110000"));
    let moved = event("RECURRENCE-ID:20240602T100000Z\nDTSTART:20250101T100000Z");
    let series = event(&format!("{start}\nRRULE:FREQ=DAILY;COUNT=3"));
    check(&format!("{series}\n{moved}"), "20240601T100000", Some("20250101T100000"));
}

#[test]
fn bombs() {
    let every_second = event("DTSTART:20000101T000000Z\nRRULE:FREQ=SECONDLY");
    assert_eq!(happens(&every_second, "20400501", "20400502").len(), 1000, "as many as were asked for");
    let moved = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20010101T000000Z\nDTSTART:20510101T000000Z");
    let both = format!("{every_second}\n{moved}");
    assert!(happens(&both, "20400501", "20400502").len() <= 1000, "fifty years of seconds are not counted");
    let dates: String = (0..20_000).map(|_| ",20240601T100000Z").collect();
    let many = event(&format!("DTSTART:20240601T100000Z\nRDATE:{}", &dates[1..]));
    assert_eq!(happens(&many, "20240601", "20240602").len(), 1);
}

//! What a client's change says to others (RFC 6638 §3.2).

use hub_itip::{Change, Error, Method, Owner, Plan, Role, plan};

const NOW: i64 = 868_000_000; // 1997-07-04

fn owner(name: &str) -> Owner {
    [format!("mailto:{name}@example.com")].into_iter().collect()
}

fn calendar(components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//X//EN\n{components}END:VCALENDAR\n")
}

/// The event of RFC 5546 §4.2.1, as it lies in A's calendar, with other lines.
fn event(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nORGANIZER:mailto:a@example.com\n\
         ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN=A:mailto:a@example.com\n\
         ATTENDEE;RSVP=TRUE;CUTYPE=INDIVIDUAL;CN=B:mailto:b@example.com\n\
         ATTENDEE;RSVP=TRUE;CUTYPE=INDIVIDUAL;CN=C:mailto:c@example.com\n\
         ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:d@example.com\n\
         ATTENDEE;SCHEDULE-AGENT=NONE:mailto:e@example.com\n\
         DTSTAMP:19970611T190000Z\nUID:calsrv.example.com-873970198738777@example.com\n{lines}\
         BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\n"
    )
}

const ONCE: &str =
    "SUMMARY:Conference\nDTSTART:19970701T200000Z\nDTEND:19970701T203000Z\nSEQUENCE:0\nSTATUS:CONFIRMED\n";
const WEEKLY: &str = "SUMMARY:Weekly\nDTSTART;TZID=America/New_York:19970701T090000\nDURATION:PT1H\n\
                      RRULE:FREQ=WEEKLY;COUNT=10\nSEQUENCE:0\n";

fn changed(who: &str, old: Option<&str>, new: Option<&str>) -> Result<Plan, Error> {
    let (old, new) = (old.map(str::as_bytes), new.map(str::as_bytes));
    plan(&Change { old, new, owner: &owner(who), reply: true, now: NOW })
}

fn text(data: &[u8]) -> String {
    String::from_utf8(data.to_vec()).expect("text").replace("\r\n ", "").replace("\r\n", "\n")
}

/// To whom, and words that are and are not in it.
type Expected<'a> = (Method, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn check(plan: &Plan, expected: &[Expected<'_>]) {
    let told: Vec<_> = plan
        .messages
        .iter()
        .map(|message| {
            let users: Vec<&str> = message.recipients.iter().filter_map(|who| who.mail()).collect();
            (message.method, users.join(" ").replace("@example.com", ""))
        })
        .collect();
    let wanted: Vec<_> = expected.iter().map(|(method, users, ..)| (*method, users.join(" "))).collect();
    assert_eq!(told, wanted);
    for (message, (method, _, has, has_not)) in plan.messages.iter().zip(expected) {
        let text = text(&message.data);
        assert!(text.contains(&format!("METHOD:{method}\n")), "{text}");
        assert!(text.contains("DTSTAMP:19970704T070640Z\n"), "{text}");
        for words in *has {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
        for words in has_not.iter().chain(&["VALARM", "SCHEDULE-"]) {
            assert!(!text.contains(words), "{words:?} is in\n{text}");
        }
    }
}

#[test]
fn rfc6638_3_2_1_1_create() {
    let new = calendar(&event(ONCE));
    let plan = changed("a", None, Some(&new)).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &["SUMMARY:Conference\n", "mailto:e@example.com"], &[])]);
    assert_eq!((plan.role, plan.object), (Role::Organizer, None), "what was sent is stored");
    let stranger = changed("x", None, Some(&new)).expect("fine");
    assert_eq!((stranger.role, stranger.messages.len()), (Role::Nobody, 0));
}

#[test]
fn rfc6638_3_2_1_2_modify() {
    let old = calendar(&event(ONCE));
    let other = |from: &str, to: &str| old.replace(from, to);
    let (b, c) = ("ATTENDEE;RSVP=TRUE;CUTYPE=INDIVIDUAL;CN=B:mailto:b@example.com\n", ";CN=C:");
    let same = changed("a", Some(&old), Some(&other("DTSTAMP:1997", "DTSTAMP:1998"))).expect("fine");
    check(&same, &[]);
    let title = changed("a", Some(&old), Some(&other("Conference", "Talk"))).expect("fine");
    check(&title, &[(Method::Request, &["b", "c"], &["SUMMARY:Talk\n", "SEQUENCE:0\n"], &[])]);
    let removed = changed("a", Some(&old), Some(&other(b, ""))).expect("fine");
    check(
        &removed,
        &[
            (Method::Cancel, &["b"], &["STATUS:CANCELLED\n", "mailto:b@"], &["mailto:c@"]),
            (Method::Request, &["c"], &[], &["mailto:b@"]),
        ],
    );
    // <Removed> is what CLIENT is to the server, too.
    let by_client = other(c, ";CN=C;SCHEDULE-AGENT=CLIENT:");
    let by_client = changed("a", Some(&old), Some(&by_client)).expect("fine");
    check(&by_client, &[(Method::Cancel, &["c"], &["STATUS:CANCELLED\n"], &["mailto:b@"])]);
    let back = changed("a", Some(&other(c, ";CN=C;SCHEDULE-AGENT=NONE:")), Some(&old)).expect("fine");
    check(&back, &[(Method::Request, &["c"], &[], &[])]);
    let forced = other(c, ";SCHEDULE-FORCE-SEND=REQUEST;CN=C:");
    let forced = changed("a", Some(&old), Some(&forced)).expect("fine");
    check(&forced, &[(Method::Request, &["c"], &[], &[])]);
    assert_eq!(forced.object.map(|object| text(&object).replace("CN=C", "")), Some(old.replace("CN=C", "")));
    let nobody =
        changed("a", Some(&old), Some(&other("DTSTAMP", "ATTENDEE:mailto:\nDTSTAMP"))).expect("fine");
    assert!(nobody.messages.iter().all(|message| message.recipients.len() == 2), "{:?}", nobody.messages);
    let cancelled = changed("a", Some(&old), Some(&other("CONFIRMED", "CANCELLED"))).expect("fine");
    check(&cancelled, &[(Method::Cancel, &["b", "c"], &["SEQUENCE:1\n", "STATUS:CANCELLED\n"], &[])]);
    let deleted = changed("a", Some(&old), None).expect("fine");
    check(&deleted, &[(Method::Cancel, &["b", "c"], &["SEQUENCE:1\n", "STATUS:CANCELLED\n"], &[])]);
    let no_meeting = old.lines().filter(|line| !line.contains("mailto:")).collect::<Vec<_>>().join("\n");
    let given_up = changed("a", Some(&old), Some(&no_meeting)).expect("fine");
    check(&given_up, &[(Method::Cancel, &["b", "c"], &["STATUS:CANCELLED\n"], &[])]);
}

#[test]
fn rfc6638_3_2_8_a_reschedule_asks_everybody_again() {
    let old = calendar(&event(ONCE)).replace("CN=B:", "CN=B;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:");
    let later = old.replace("T203000Z", "T213000Z");
    let plan = changed("a", Some(&old), Some(&later)).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &["CN=B;PARTSTAT=NEEDS-ACTION:", "SEQUENCE:1\n"], &[])]);
    let stored = text(&plan.object.expect("other bytes"));
    assert!(stored.contains("CN=A:mailto:a") && stored.contains("PARTSTAT=ACCEPTED;CN=A"), "{stored}");
    assert!(stored.contains("BEGIN:VALARM") && stored.contains("SEQUENCE:1\n"), "{stored}");
    // A program that knows less does not undo an answer.
    let stale = old.replace(";PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0", "").replace("Conference", "Talk");
    let plan = changed("a", Some(&old), Some(&stale)).expect("fine");
    let stored = text(&plan.object.expect("other bytes"));
    assert!(stored.contains("CN=B;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:b"), "{stored}");
}

#[test]
fn rfc6638_3_2_6_instances_of_some() {
    let id = "RECURRENCE-ID;TZID=America/New_York:19970708T090000\n";
    let at_ten =
        format!("SUMMARY:Weekly\nDTSTART;TZID=America/New_York:19970708T100000\nDURATION:PT1H\n{id}");
    let series = event(WEEKLY);
    let without_b = event(&at_ten).replace(";CN=B:mailto:b", ";CN=F:mailto:f");
    let plan = changed("a", None, Some(&calendar(&format!("{series}{without_b}")))).expect("fine");
    let (exdate, ten) = ("EXDATE;TZID=America/New_York:19970708T090000\n", "19970708T100000\n");
    check(
        &plan,
        &[
            (Method::Request, &["f"], &["mailto:f@", ten, id], &["RRULE"]),
            (Method::Request, &["b"], &["RRULE", exdate], &["RECURRENCE-ID", "mailto:f@"]),
            (Method::Request, &["c"], &["RRULE", ten, id], &["EXDATE"]),
        ],
    );
    // One instance is moved: only that is said (RFC 5546 §4.4.2).
    let moved = calendar(&format!("{series}{}", event(&at_ten)));
    let plan = changed("a", Some(&calendar(&series)), Some(&moved)).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &[ten, id, "SEQUENCE:1\n"], &["RRULE"])]);
    // And back: everything is said, or it would stay moved.
    let plan = changed("a", Some(&moved), Some(&calendar(&series))).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &["RRULE", "SEQUENCE:1\n"], &["RECURRENCE-ID"])]);
}

#[test]
fn rfc5546_4_4_3_an_instance_that_is_taken_out_is_cancelled() {
    let series = calendar(&event(WEEKLY));
    let exdate = "EXDATE;TZID=America/New_York:19970715T090000\n";
    let without = calendar(&event(&format!("{WEEKLY}{exdate}")));
    let plan = changed("a", Some(&series), Some(&without)).expect("fine");
    let id = "RECURRENCE-ID;TZID=America/New_York:19970715T090000\n";
    check(&plan, &[(Method::Cancel, &["b", "c"], &[id, "STATUS:CANCELLED\n", "SEQUENCE:1\n"], &["RRULE"])]);
    let plan = changed("a", Some(&without), Some(&series)).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &["RRULE", "SEQUENCE:1\n"], &["EXDATE"])]);
    // A rule that ends earlier leaves the other answers as they are.
    let (long, short) = (";UNTIL=19980101T000000Z", ";UNTIL=19970801T000000Z");
    let accepted = series.replace("CN=B:", "CN=B;PARTSTAT=ACCEPTED:");
    let (old, new) = (accepted.replace(";COUNT=10", long), accepted.replace(";COUNT=10", short));
    let plan = changed("a", Some(&old), Some(&new)).expect("fine");
    check(&plan, &[(Method::Request, &["b", "c"], &["CN=B;PARTSTAT=ACCEPTED:", "SEQUENCE:1\n"], &[])]);
}

#[test]
fn rfc6638_3_2_2_attendees_answer() {
    let old = calendar(&event(WEEKLY));
    let b = |status: &str| old.replace("CN=B:", &format!("CN=B;PARTSTAT={status}:"));
    let accepted = changed("b", Some(&old), Some(&b("ACCEPTED"))).expect("fine");
    let words: &[&str] = &["CN=B;PARTSTAT=ACCEPTED:", "REQUEST-STATUS:2.0;Success\n", "SEQUENCE:0\n"];
    check(&accepted, &[(Method::Reply, &["a"], words, &["mailto:c@", "RSVP"])]);
    assert_eq!((accepted.role, accepted.object), (Role::Attendee, None));
    check(&changed("b", Some(&old), Some(&old)).expect("fine"), &[]);
    let alarmed = old.replace("-PT5M", "-PT15M").replace("SEQUENCE", "TRANSP:TRANSPARENT\nSEQUENCE");
    check(&changed("b", Some(&old), Some(&alarmed)).expect("fine"), &[]);
    let exdate = "EXDATE;TZID=America/New_York:19970715T090000\nSEQUENCE";
    let without = changed("b", Some(&old), Some(&old.replace("SEQUENCE", exdate))).expect("fine");
    let id = "RECURRENCE-ID;TZID=America/New_York:19970715T090000\n";
    check(&without, &[(Method::Reply, &["a"], &[id, "PARTSTAT=DECLINED"], &["RRULE"])]);
    let one = event("DTSTART:19970715T130000Z\nDURATION:PT1H\nSEQUENCE:0\nRECURRENCE-ID:19970715T130000Z\n")
        .replace("CN=B:", "CN=B;PARTSTAT=TENTATIVE:");
    let one = calendar(&format!("{}{one}", event(WEEKLY)));
    let plan = changed("b", Some(&old), Some(&one)).expect("fine");
    check(
        &plan,
        &[(Method::Reply, &["a"], &["PARTSTAT=TENTATIVE", "RECURRENCE-ID:19970715T130000Z\n"], &["RRULE"])],
    );
    let deleted = changed("b", Some(&old), None).expect("fine");
    check(&deleted, &[(Method::Reply, &["a"], &["PARTSTAT=DECLINED"], &[])]);
    check(&changed("b", Some(&b("DECLINED")), None).expect("fine"), &[]);
    let quiet = Change { old: Some(old.as_bytes()), new: None, owner: &owner("b"), reply: false, now: NOW };
    check(&plan_of(&quiet), &[]);
    let by_client = |text: &str| text.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:");
    check(&changed("b", Some(&by_client(&old)), Some(&by_client(&b("ACCEPTED")))).expect("fine"), &[]);
    let forced = b("ACCEPTED").replace("ORGANIZER:", "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY:");
    check(
        &changed("b", Some(&b("ACCEPTED")), Some(&forced)).expect("fine"),
        &[(Method::Reply, &["a"], &[], &[])],
    );
}

fn plan_of(change: &Change<'_>) -> Plan {
    plan(change).expect("fine")
}

#[test]
fn rfc6638_3_2_4_what_is_refused() {
    let old = calendar(&event(WEEKLY));
    let refused = |who, new: &str| changed(who, Some(&old), Some(new)).expect_err("refused");
    let other = |from: &str, to: &str| old.replace(from, to);
    for (from, to) in [
        ("T090000\n", "T100000\n"),
        ("PT1H", "PT2H"),
        ("COUNT=10", "COUNT=11"),
        ("ORGANIZER:mailto:a", "ORGANIZER:mailto:c"),
        ("SEQUENCE", "RDATE:19990101T000000Z\nSEQUENCE"),
    ] {
        assert!(matches!(refused("b", &other(from, to)), Error::AttendeeChange(_)), "{from} {to}");
    }
    assert_eq!(refused("a", &other("ORGANIZER:mailto:a", "ORGANIZER:mailto:b")), Error::OrganizerChange);
    assert_eq!(refused("b", &other("ORGANIZER:mailto:a", "ORGANIZER:mailto:b")), Error::OrganizerChange);
    let two = calendar(&format!(
        "{}{}",
        event(WEEKLY),
        event("RECURRENCE-ID:19970715T130000Z\n").replace("ORGANIZER:mailto:a", "ORGANIZER:mailto:z")
    ));
    assert_eq!(refused("a", &two), Error::DifferentOrganizers);
    let bomb: String = (0..501).map(|n| format!("ATTENDEE:mailto:{n}@example.com\n")).collect();
    assert_eq!(refused("a", &other("SEQUENCE", &format!("{bomb}SEQUENCE"))), Error::TooMany("attendees"));
}

#[test]
fn what_many_would_be_told_is_bounded() {
    let many = |count: usize| -> String {
        (0..count).map(|n| format!("ATTENDEE:mailto:{n}@example.com\n")).collect()
    };
    let with = |lines: &str| calendar(&event(&format!("{ONCE}{lines}")));
    // It got there by another way than this.
    let bomb = with(&many(20_000));
    check(&changed("a", Some(&bomb), None).expect("fine"), &[]);
    check(&changed("a", Some(&bomb), Some(&with("X-A:1\n"))).expect("fine"), &[]);
    // Each message counts as often as it is sent.
    let large = format!("ATTACH:{}\n", "A".repeat(250_000));
    let few = changed("a", None, Some(&with(&format!("{large}{}", many(10))))).expect("fine");
    assert_eq!(few.messages.len(), 1);
    let refused = changed("a", None, Some(&with(&format!("{large}{}", many(400))))).expect_err("refused");
    assert_eq!(refused, Error::TooMany("bytes to be sent"));
    // As does each instance that a message names.
    let dates: Vec<String> =
        (0..2_000).map(|n| format!("1997{:02}{:02}T130000Z", 7 + n % 5, 1 + n % 28)).collect();
    let series = with(&format!("{large}RRULE:FREQ=DAILY\n"));
    let without = with(&format!("{large}RRULE:FREQ=DAILY\nEXDATE:{}\n", dates.join(",")));
    let refused = changed("b", Some(&series), Some(&without)).expect_err("refused");
    assert_eq!(refused, Error::TooMany("bytes to be sent"));
    assert!(changed("a", Some(&series), Some(&without)).is_err());
}

#[test]
fn tasks_tell_how_far_they_are() {
    let old = calendar(&event("DUE:19970710T170000Z\nDTSTART:19970701T170000Z\nSEQUENCE:0\n"))
        .replace("VEVENT", "VTODO")
        .replace("CN=B:", "CN=B;PARTSTAT=IN-PROCESS:");
    let half = old.replace("SEQUENCE", "PERCENT-COMPLETE:50\nSEQUENCE");
    let plan = changed("b", Some(&old), Some(&half)).expect("fine");
    check(&plan, &[(Method::Reply, &["a"], &["PERCENT-COMPLETE:50\n", "PARTSTAT=IN-PROCESS"], &[])]);
}

//! What the words of others change (RFC 5546 §3.2 and §4).

use hub_itip::{Ignored, Method, Outcome, Owner, Received, apply};

const NOW: i64 = 868_000_000;

fn owner(name: &str) -> Owner {
    [format!("{name}@example.com")].into_iter().collect()
}

fn calendar(components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{components}END:VCALENDAR\n")
}

fn message(method: &str, components: &str) -> String {
    calendar(&format!("METHOD:{method}\n{components}"))
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\nORGANIZER:mailto:a@example.com\n{lines}END:VEVENT\n")
}

const INVITED: &str = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com\nATTENDEE;RSVP=TRUE:mailto:b@example.com\n\
                       ATTENDEE:mailto:c@example.com\nDTSTAMP:19970601T100000Z\nSEQUENCE:1\n";
const WEEKLY: &str = "DTSTART;TZID=America/New_York:19970701T090000\nDTEND;TZID=America/New_York:19970701T100000\n\
                      RRULE:FREQ=WEEKLY;COUNT=10\nSUMMARY:Weekly\n";

fn weekly() -> String {
    event(&format!("{INVITED}{WEEKLY}"))
}

fn said(who: &str, stored: Option<&str>, message: &str) -> Outcome {
    let message = Received::parse(message.as_bytes()).expect("a message");
    apply(stored.map(str::as_bytes), &message, &owner(who), NOW).expect("readable")
}

fn put(who: &str, stored: Option<&str>, message: &str) -> String {
    match said(who, stored, message) {
        Outcome::Put(object) => {
            String::from_utf8(object).expect("text").replace("\r\n ", "").replace("\r\n", "\n")
        }
        other => panic!("{other:?}"),
    }
}

fn ignored(who: &str, stored: Option<&str>, message: &str, why: Ignored) {
    assert_eq!(said(who, stored, message), Outcome::Ignored(why), "{message}");
}

#[test]
fn rfc5546_3_2_2_an_invitation() {
    let alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM\n";
    let request = message("REQUEST", &event(&format!("{INVITED}{WEEKLY}{alarm}")));
    assert_eq!(put("b", None, &request), calendar(&weekly()));
    ignored("x", None, &request, Ignored::NotForThem);
    ignored("a", None, &request, Ignored::NotForThem);
    let publish = request.replace("REQUEST", "PUBLISH");
    ignored("b", None, &publish, Ignored::Method);
}

#[test]
fn rfc5546_2_1_5_what_is_overtaken_changes_nothing() {
    let stored = calendar(&weekly());
    for (sequence, stamp, is_news) in [
        ("SEQUENCE:2", "19970601T000000Z", true),
        ("SEQUENCE:1", "19970601T100001Z", true),
        ("SEQUENCE:1", "19970601T100000Z", true),
        ("SEQUENCE:1", "19970601T095959Z", false),
        ("SEQUENCE:0", "19980101T000000Z", false),
    ] {
        let new = weekly().replace("SEQUENCE:1", sequence).replace("19970601T100000Z", stamp);
        for method in ["REQUEST", "CANCEL"] {
            let outcome = said("b", Some(&stored), &message(method, &new));
            assert_eq!(matches!(outcome, Outcome::Put(_)), is_news, "{method} {sequence} {stamp}");
        }
    }
    let other = message("REQUEST", &weekly().replace("ORGANIZER:mailto:a", "ORGANIZER:mailto:z"));
    ignored("b", Some(&stored), &other, Ignored::Stranger);
}

#[test]
fn what_is_the_attendees_own_stays() {
    let own = "X-MINE;A=b:\\,\nTRANSP:TRANSPARENT\nBEGIN:VALARM\nTRIGGER:-PT5M\n  \nEND:VALARM\n";
    let stored = calendar(&event(&format!("{INVITED}{WEEKLY}{own}")))
        .replace("ATTENDEE;RSVP=TRUE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    let title = message("REQUEST", &weekly().replace("SUMMARY:Weekly", "TRANSP:OPAQUE\nSUMMARY:Talk"));
    let new = put("b", Some(&stored), &title);
    for words in ["SUMMARY:Talk\n", "X-MINE;A=b:\\,\n", "TRANSP:TRANSPARENT\n", "TRIGGER:-PT5M\n  \n"] {
        assert!(new.contains(words), "{words:?} is not in\n{new}");
    }
    assert!(new.contains("ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED:mailto:b@"), "{new}");
    let moved = title.replace("SEQUENCE:1", "SEQUENCE:2").replace("T100000\n", "T110000\n");
    assert!(put("b", Some(&stored), &moved).contains("ATTENDEE;RSVP=TRUE:mailto:b@"), "asked again");
}

#[test]
fn rfc5546_4_4_2_an_instance_is_moved_and_the_series_after_it() {
    let stored = calendar(&weekly());
    let id = "RECURRENCE-ID:19970708T130000Z\n";
    let moved = event(&format!("{INVITED}{id}DTSTART:19970708T150000Z\nDURATION:PT1H\n"));
    let with_moved = put("b", Some(&stored), &message("REQUEST", &moved));
    assert_eq!(with_moved, calendar(&format!("{}{moved}", weekly())));
    let title = weekly().replace("Weekly", "Talk");
    assert!(put("b", Some(&with_moved), &message("REQUEST", &title)).contains(id), "the title alone");
    let overtaken = title.replace("SEQUENCE:1", "SEQUENCE:2");
    assert!(!put("b", Some(&with_moved), &message("REQUEST", &overtaken)).contains(id));
}

#[test]
fn rfc5546_4_4_6_an_instance_is_added() {
    let extra = event(&format!("{INVITED}DTSTART:19970703T150000Z\nDURATION:PT1H\n"))
        .replace("SEQUENCE:1", "SEQUENCE:2");
    let new = put("b", Some(&calendar(&weekly())), &message("ADD", &extra));
    assert!(
        new.contains("RDATE:19970703T150000Z\n") && new.contains("RECURRENCE-ID:19970703T150000Z\n"),
        "{new}"
    );
    ignored("b", None, &message("ADD", &extra), Ignored::Unknown);
}

#[test]
fn rfc5546_4_2_9_and_4_4_3_what_is_cancelled() {
    let stored = calendar(&weekly());
    let all = message("CANCEL", &event("DTSTAMP:19970602T000000Z\nSEQUENCE:2\nSTATUS:CANCELLED\n"));
    let new = put("b", Some(&stored), &all);
    assert!(new.contains("STATUS:CANCELLED\n") && new.contains("SEQUENCE:2\n"), "{new}");
    ignored("b", None, &all, Ignored::Unknown);
    let of_c = all.replace("SEQUENCE:2", "ATTENDEE:mailto:c@example.com\nSEQUENCE:2");
    ignored("b", Some(&stored), &of_c, Ignored::NotForThem);
    let one = all.replace("SEQUENCE:2", "RECURRENCE-ID:19970708T130000Z\nSEQUENCE:2");
    let new = put("b", Some(&stored), &one);
    assert!(
        new.contains("EXDATE;TZID=America/New_York:19970708T090000\n") && !new.contains("CANCELLED"),
        "{new}"
    );
    let none = one.replace("19970708T130000Z", "19970709T130000Z");
    ignored("b", Some(&stored), &none, Ignored::Unknown);
}

fn answer(who: &str, lines: &str) -> String {
    message(
        "REPLY",
        &event(&format!(
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}@example.com\nDTSTAMP:19970602T000000Z\n{lines}"
        )),
    )
}

#[test]
fn rfc5546_4_2_2_answers() {
    let stored = calendar(&weekly());
    let yes = answer("b", "SEQUENCE:1\nREQUEST-STATUS:2.0;Success\n");
    let new = put("a", Some(&stored), &yes);
    let line = "ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;X-TWINHUB-REPLIED=19970602T000000Z:mailto:b@";
    assert!(new.contains(line), "{new}");
    assert_eq!(new.replace(line, "ATTENDEE;RSVP=TRUE:mailto:b@"), stored, "nothing else");
    let earlier = yes.replace("ACCEPTED", "DECLINED").replace("19970602", "19970601");
    ignored("a", Some(&new), &earlier, Ignored::Stale);
    assert!(put("a", Some(&new), &earlier.replace("19970601", "19970603")).contains("PARTSTAT=DECLINED"));
    ignored("a", Some(&stored), &yes.replace("SEQUENCE:1", "SEQUENCE:0"), Ignored::Stale);
    ignored("a", Some(&stored), &answer("x", "SEQUENCE:1\n"), Ignored::Stranger);
    ignored("a", None, &yes, Ignored::Unknown);
    ignored("b", Some(&stored), &yes, Ignored::NotForThem);
}

#[test]
fn rfc5546_4_4_an_answer_to_one_instance() {
    let stored = calendar(&weekly());
    let one = answer("b", "SEQUENCE:1\nRECURRENCE-ID:19970708T130000Z\n");
    let new = put("a", Some(&stored), &one);
    for words in [
        "RECURRENCE-ID;TZID=America/New_York:19970708T090000\n",
        "DTEND;TZID=America/New_York:19970708T100000\n",
        "ATTENDEE;RSVP=TRUE:mailto:b@",
    ] {
        assert!(new.contains(words), "{words:?} is not in\n{new}");
    }
    assert_eq!(new.matches("RRULE").count(), 1);
    // RFC 5546 §4.7.2.
    ignored("a", Some(&stored), &one.replace("19970708", "19970709"), Ignored::Unknown);
    ignored("a", Some(&stored), &one.replace("mailto:b@", "mailto:x@"), Ignored::Stranger);
}

#[test]
fn rfc5546_4_2_5_somebody_else_is_sent() {
    let delegated = answer("b", "SEQUENCE:1\n")
        .replace("PARTSTAT=ACCEPTED", "PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.com\"");
    let stored = put("a", Some(&calendar(&weekly())), &delegated);
    let yes =
        answer("e", "SEQUENCE:1\n").replace("ATTENDEE;", "ATTENDEE;DELEGATED-FROM=\"mailto:b@example.com\";");
    let new = put("a", Some(&stored), &yes);
    assert!(
        new.contains("PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;") && new.contains(":mailto:e@example.com"),
        "{new}"
    );
    ignored("a", Some(&calendar(&weekly())), &yes, Ignored::Stranger);
}

#[test]
fn rfc5546_4_7_1_a_refresh_is_answered() {
    let ask = |who: &str| {
        message("REFRESH", &event(&format!("ATTENDEE:mailto:{who}@example.com\nDTSTAMP:19970602T000000Z\n")))
    };
    let Outcome::Answer(answer) = said("a", Some(&calendar(&weekly())), &ask("b")) else {
        panic!("answered")
    };
    assert_eq!((answer.method, answer.recipients.len()), (Method::Request, 1));
    ignored("a", Some(&calendar(&weekly())), &ask("x"), Ignored::Stranger);
}

#[test]
fn what_people_decide_is_shown() {
    let stored = calendar(&weekly());
    let counter = weekly()
        .replace("ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com\n", "")
        .replace("ATTENDEE:mailto:c@example.com\n", "");
    assert_eq!(said("a", Some(&stored), &message("COUNTER", &counter)), Outcome::Show);
    assert_eq!(said("b", Some(&stored), &message("DECLINECOUNTER", &weekly())), Outcome::Show);
}

#[test]
fn what_is_no_message() {
    for text in [
        String::new(),
        calendar(&weekly()),
        message("REQUEST", ""),
        message("SOMETHING", &weekly()),
        message("REPLY", &weekly()),
        message("REQUEST", &weekly().replace("ORGANIZER:mailto:a@example.com\n", "")),
        message("REQUEST", &format!("{}{}", weekly(), weekly().replace("UID:1", "UID:2"))),
    ] {
        assert!(Received::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn an_answer_does_not_multiply_the_object() {
    let daily = |attach: usize| {
        let lines = format!("ATTACH:{}\nDTSTART:19970701T090000Z\nRRULE:FREQ=DAILY\n", "A".repeat(attach));
        calendar(&event(&format!("{INVITED}{lines}")))
    };
    let answers = |count: usize| {
        let one = |day: usize| {
            let (month, day) = (7 + day / 28, 1 + day % 28);
            event(&format!(
                "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nDTSTAMP:19970602T000000Z\nSEQUENCE:1\n\
                 RECURRENCE-ID:1997{month:02}{day:02}T090000Z\n"
            ))
        };
        message("REPLY", &(0..count).map(one).collect::<String>())
    };
    let new = put("a", Some(&daily(10)), &answers(50));
    assert_eq!(new.matches("RECURRENCE-ID").count(), 50);
    ignored("a", Some(&daily(10)), &answers(51), Ignored::TooMuch);
    ignored("a", Some(&daily(1_000_000)), &answers(20), Ignored::TooMuch);
}

#[test]
fn instances_are_only_as_many_as_can_be_read_again() {
    let with = |days: std::ops::Range<usize>| -> String {
        let one = |day| {
            let (year, month, day) = (1998 + day / 336, 1 + day / 28 % 12, 1 + day % 28);
            event(&format!("{INVITED}RECURRENCE-ID:{year}{month:02}{day:02}T090000Z\n"))
        };
        days.map(one).collect()
    };
    let stored = calendar(&with(0..1_500));
    ignored("b", Some(&stored), &message("REQUEST", &with(1_500..2_100)), Ignored::TooMuch);
    assert_eq!(
        put("b", Some(&stored), &message("REQUEST", &with(1_500..2_000))).matches("VEVENT").count(),
        4_000
    );
}

#[test]
fn rfc6638_7_what_is_between_others_and_their_server_is_not_believed() {
    let private = |text: &str| {
        text.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT;SCHEDULE-FORCE-SEND=REPLY:")
            .replace("ATTENDEE;RSVP=TRUE:", "ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.2:")
    };
    let request = message("REQUEST", &private(&weekly()));
    let new = put("b", None, &request);
    assert!(!new.contains("SCHEDULE-"), "{new}");
    assert!(new.contains("ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:b@"), "{new}");
    let again = put("b", Some(&new), &request);
    assert!(!again.contains("SCHEDULE-"), "{again}");
    assert!(again.contains("ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:b@"), "{again}");
    // What the organizer knows to be so is so.
    let answered = new.replace("NEEDS-ACTION", "ACCEPTED");
    let later = request.replace("SEQUENCE:1", "SEQUENCE:2");
    assert!(put("b", Some(&answered), &later).contains("ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED:mailto:b@"));
}

proptest::proptest! {
    /// Nothing that a stranger sends ends the hub, or puts an object that cannot be read again.
    #[test]
    fn any_bytes(stored in lines(), sent in lines()) {
        let stored = calendar(&stored);
        if let Ok(message) = Received::parse(message("REQUEST", &sent).as_bytes())
            && let Ok(Outcome::Put(object)) = apply(Some(stored.as_bytes()), &message, &owner("b"), NOW)
        {
            proptest::prop_assert!(apply(Some(&object), &message, &owner("b"), NOW).is_ok());
        }
    }
}

fn lines() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let line = prop_oneof![
        Just("UID:1"),
        Just("ORGANIZER:mailto:a@example.com"),
        Just("ATTENDEE:mailto:b@example.com"),
        Just("RRULE:FREQ=DAILY"),
        Just("DTSTART:19970708T130000Z"),
        Just("DTSTART;VALUE=DATE:99991231"),
        Just("RECURRENCE-ID:19970708T130000Z"),
        Just("EXDATE:00010101"),
        Just("SEQUENCE:9223372036854775807"),
        Just("END:VEVENT\nBEGIN:VEVENT"),
        Just("BEGIN:VALARM\nEND:VALARM"),
        Just("ATTENDEE;\":x"),
        Just(":"),
        Just("DTEND:19970708T140000Z"),
        Just("METHOD:CANCEL"),
    ];
    proptest::collection::vec(line, 0..12)
        .prop_map(|lines| format!("BEGIN:VEVENT\n{}\nEND:VEVENT\n", lines.join("\n")))
}

//! A meeting of two twins, and of a twin and a guest elsewhere who has Debian's Postfix and no calendar of
//! ours: invited, accepted, declined, another time proposed, one instance moved, cancelled; each seen by both.

use base64::Engine as _;

use super::{Dns, Internet, wait_for_empty_queue};
use crate::agenda::curl_as;
use crate::clients::run;
use crate::harness::{ALICE, BOB, Database, Hub, has_program, wait_until};
use crate::on_both_databases;
use crate::postfix::Postfix;
use crate::smtp_client::Smtp;

on_both_databases!(two_twins_meet);

const GUEST: &str = "guest@guest.test";

/// Every Tuesday from 2089-06-07 on, five times; `lines` are of the series, `others` are components.
fn meeting(attendee: &str, lines: &str, others: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:meeting\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20890607T100000Z\r\nDTEND:20890607T110000Z\r\n\
         RRULE:FREQ=WEEKLY;COUNT=5\r\nSUMMARY:Plans\r\n{lines}{}END:VEVENT\r\n{others}END:VCALENDAR\r\n",
        people(attendee)
    )
}

fn people(attendee: &str) -> String {
    format!(
        "ORGANIZER:mailto:{ALICE}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}\r\n\
         ATTENDEE;RSVP=TRUE:mailto:{attendee}\r\n"
    )
}

/// The second instance, three hours later.
fn moved(attendee: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:meeting\r\nRECURRENCE-ID:20890614T100000Z\r\nDTSTAMP:20260102T000000Z\r\n\
         DTSTART:20890614T130000Z\r\nDTEND:20890614T140000Z\r\nSUMMARY:Plans\r\n{}END:VEVENT\r\n",
        people(attendee)
    )
}

/// What an attendee says to the organizer.
fn said(method: &str, attendee: &str, parameters: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:meeting\r\n\
         DTSTAMP:20300101T000000Z\r\nORGANIZER:mailto:{ALICE}\r\nATTENDEE{parameters}:mailto:{attendee}\r\n\
         SEQUENCE:9\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const LATER: &str = "SUMMARY:Plans\r\nDTSTART:20890608T100000Z\r\nDTEND:20890608T110000Z\r\n";

fn put(hub: &Hub, user: &str, name: &str, object: &str) {
    let (status, text) = curl_as(hub, user, "PUT", &format!("/dav/calendars/{user}/calendar/{name}"), object);
    assert!(matches!(status, 201 | 204), "{status} {text}");
}

/// All that lies in a collection, unfolded.
fn all(hub: &Hub, user: &str, collection: &str) -> String {
    let query = "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop>\
                 <C:calendar-data/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\"/></C:filter>\
                 </C:calendar-query>";
    let (status, text) = curl_as(hub, user, "REPORT", collection, query);
    assert_eq!(status, 207, "{text}");
    text.replace("\r\n ", "").replace("&#13;", "")
}

fn agenda(hub: &Hub, user: &str) -> String {
    all(hub, user, &format!("/dav/calendars/{user}/calendar/"))
}

fn inbox(hub: &Hub, user: &str) -> String {
    all(hub, user, &format!("/dav/schedule/{user}/inbox/"))
}

/// Waits until what somebody looks at has these words.
fn shows(what: &str, look: impl Fn() -> String) {
    wait_until(what, || look().contains(what).then_some(()));
}

/// The name of the only item in a calendar.
fn name(hub: &Hub, user: &str) -> String {
    let text = agenda(hub, user);
    let (_, rest) = text.split_once(&format!("/dav/calendars/{user}/calendar/")).expect("one item");
    rest.split_once('<').expect("an end").0.to_owned()
}

fn two_twins_meet(database: Database) {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start_on(database);
    put(&hub, ALICE, "m.ics", &meeting(BOB, "", ""));
    shows("SUMMARY:Plans", || agenda(&hub, BOB));
    shows("METHOD:REQUEST", || inbox(&hub, BOB));
    let theirs = name(&hub, BOB);
    put(&hub, BOB, &theirs, &meeting(BOB, "", "").replace("RSVP=TRUE", "PARTSTAT=ACCEPTED"));
    shows("PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0", || agenda(&hub, ALICE));
    shows("METHOD:REPLY", || inbox(&hub, ALICE));
    put(&hub, BOB, &theirs, &meeting(BOB, "", "").replace("RSVP=TRUE", "PARTSTAT=DECLINED"));
    shows("PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0", || agenda(&hub, ALICE));

    let outbox = format!("/dav/schedule/{BOB}/outbox/");
    let (status, text) = curl_as(&hub, BOB, "POST", &outbox, &said("COUNTER", BOB, "", LATER));
    assert!(status == 200 && text.contains("2.0;Success"), "{status} {text}");
    shows("METHOD:COUNTER", || inbox(&hub, ALICE));
    hub.arrived(ALICE, "Another proposal: Plans");

    put(&hub, ALICE, "m.ics", &meeting(BOB, "", &moved(BOB)));
    shows("DTSTART:20890614T130000Z", || agenda(&hub, BOB));
    let before = inbox(&hub, BOB).matches("METHOD:REQUEST").count();
    let (status, text) = curl_as(&hub, BOB, "POST", &outbox, &said("REFRESH", BOB, "", ""));
    assert!(status == 200 && text.contains("2.0;Success"), "{status} {text}");
    wait_until("the answer", || (inbox(&hub, BOB).matches("METHOD:REQUEST").count() > before).then_some(()));

    assert_eq!(curl_as(&hub, ALICE, "DELETE", &format!("/dav/calendars/{ALICE}/calendar/m.ics"), "").0, 204);
    shows("STATUS:CANCELLED", || agenda(&hub, BOB));
    shows("METHOD:CANCEL", || inbox(&hub, BOB));
}

/// `hub.test`, and `guest.test` with its Postfix.
struct Meeting {
    hub: Hub,
    postfix: Postfix,
    _dns: Dns,
}

impl Meeting {
    fn new() -> Self {
        let mut internet = Internet::new();
        let mut hub = internet.hub("hub.test", 2);
        internet.publish(
            "guest.test. IN MX 10 mx.guest.test.\nmx.guest.test. IN A 127.0.0.9\n\
             guest.test. IN TXT \"v=spf1 ip4:127.0.0.1 ip4:127.0.0.9 -all\"\n\
             _dmarc.guest.test. IN TXT \"v=DMARC1; p=reject\"",
        );
        let dns = internet.serve();
        dns.launch(&mut hub, &[ALICE]);
        let here = internet.at(2);
        let settings = format!(
            "myhostname = mx.guest.test\nsmtp_bind_address = 127.0.0.9\n\
             virtual_mailbox_domains = guest.test\n\
             virtual_mailbox_maps = inline:{{ {{ {GUEST} = guest/ }} }}\n\
             transport_maps = inline:{{ {{ hub.test = smtp:[{}]:{} }} }}\n",
            here.ip(),
            here.port()
        );
        let postfix = Postfix::start_at(internet.at(9), &settings, &[]);
        Self { hub, postfix, _dns: dns }
    }

    /// What lies in the guest's mailbox, with the calendar objects decoded.
    fn mail(&self) -> Vec<String> {
        self.postfix.mailbox("guest").iter().map(|mail| decoded(mail)).collect()
    }

    /// The newest mail that says so.
    fn got(&self, what: &str) -> String {
        wait_until(what, || self.mail().into_iter().find(|mail| mail.contains(what)))
    }

    /// The guest writes by way of its own server.
    fn say(&self, from: &str, object: &str) {
        let mail = format!(
            "From: <{from}>\r\nTo: <{ALICE}>\r\nSubject: Re: Plans\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
             Message-ID: <{}@guest.test>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/calendar; charset=utf-8; method=REPLY\r\n\r\n{object}",
            object.len()
        );
        let mut smtp = Smtp::connect_to(self.postfix.address());
        smtp.ehlo();
        smtp.send(from, &[ALICE], mail.as_bytes()).expect_code(250);
    }
}

/// A mail with its parts in base64 decoded and unfolded.
fn decoded(mail: &str) -> String {
    let mut text = String::new();
    for part in mail.replace("\r\n", "\n").split("\n--") {
        let (header, body) = part.split_once("\n\n").unwrap_or((part, ""));
        text.push_str(header);
        text.push_str("\n\n");
        let bytes = base64::engine::general_purpose::STANDARD.decode(body.replace('\n', ""));
        match bytes {
            Ok(bytes) => text.push_str(&String::from_utf8_lossy(&bytes).replace("\r\n ", "")),
            Err(_) => text.push_str(body),
        }
    }
    text
}

#[test]
fn a_twin_and_a_guest_behind_postfix_meet() {
    if !Postfix::is_installed() || !has_program("curl", "curl") {
        return;
    }
    let meet = Meeting::new();
    let Meeting { hub, .. } = &meet;
    put(hub, ALICE, "m.ics", &meeting(GUEST, "", ""));
    let invitation = meet.got("METHOD:REQUEST");
    assert!(invitation.contains("RRULE:FREQ=WEEKLY;COUNT=5"), "{invitation}");
    shows("SCHEDULE-STATUS=1.1", || agenda(hub, ALICE));

    // With nothing but a browser.
    let (_, page) = invitation.split_once("Answer here: https://mail.hub.test").expect("a page");
    let page = format!("http://127.0.0.1:{}{}", hub.ports().http, page.lines().next().expect("a path"));
    let shown = run(hub, "curl", &["--silent", &page], b"").expect_ok();
    assert!(shown.contains("<h1>Plans</h1>") && shown.contains("not answered yet"), "{shown}");
    let origin = format!("Origin: http://127.0.0.1:{}", hub.ports().http);
    run(hub, "curl", &["--fail", "--header", &origin, "--data", "answer=perhaps", &page], b"").expect_ok();
    shows("PARTSTAT=TENTATIVE;SCHEDULE-STATUS=2.0", || agenda(hub, ALICE));

    meet.say(GUEST, &said("REPLY", GUEST, ";PARTSTAT=ACCEPTED", ""));
    shows("PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0", || agenda(hub, ALICE));
    let declined = said("REPLY", GUEST, ";PARTSTAT=DECLINED", "").replace("20300101T0", "20300101T1");
    // Of somebody else it counts for nothing.
    meet.say("mallory@guest.test", &declined.replace("DECLINED", "TENTATIVE"));
    meet.say(GUEST, &declined);
    shows("PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0", || agenda(hub, ALICE));
    assert_eq!(inbox(hub, ALICE).matches("PARTSTAT=TENTATIVE").count(), 1, "of the page");

    meet.say(GUEST, &said("COUNTER", GUEST, "", LATER));
    shows("METHOD:COUNTER", || inbox(hub, ALICE));
    let outbox = format!("/dav/schedule/{ALICE}/outbox/");
    let (status, text) = curl_as(hub, ALICE, "POST", &outbox, &said("DECLINECOUNTER", GUEST, "", LATER));
    assert!(status == 200 && text.contains("2.0;Success"), "{status} {text}");
    meet.got("METHOD:DECLINECOUNTER");

    put(hub, ALICE, "m.ics", &meeting(GUEST, "", &moved(GUEST)));
    let instance = meet.got("RECURRENCE-ID:20890614T100000Z");
    assert!(instance.contains("DTSTART:20890614T130000Z"), "{instance}");
    wait_for_empty_queue(hub);
    let before = meet.mail().len();
    meet.say(GUEST, &said("REFRESH", GUEST, "", ""));
    wait_until("the answer", || (meet.mail().len() > before).then_some(()));

    assert_eq!(curl_as(hub, ALICE, "DELETE", &format!("/dav/calendars/{ALICE}/calendar/m.ics"), "").0, 204);
    meet.got("STATUS:CANCELLED");
    wait_for_empty_queue(hub);
}

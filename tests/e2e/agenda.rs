//! Calendars and contacts with the programs that people have: vdirsyncer, khal, khard, and Python's
//! caldav as the one that finds its way by itself.

use std::fs;

use crate::clients::{configuration, run};
use crate::harness::{ALICE, Database, Hub, PASSWORD, has_program, installed, wait_until};
use crate::on_both_databases;

on_both_databases!(client_vdirsyncer_khal_khard);

fn base(hub: &Hub) -> String {
    format!("http://127.0.0.1:{}", hub.ports().http)
}

/// A request by curl; the status and the body.
fn curl(hub: &Hub, method: &str, path: &str, body: &str) -> (u16, String) {
    curl_as(hub, ALICE, method, path, body)
}

pub(crate) fn curl_as(hub: &Hub, user: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let (url, user) = (format!("{}{path}", base(hub)), format!("{user}:{PASSWORD}"));
    let mut arguments = vec!["--silent", "--show-error", "--user", &user, "--request", method];
    arguments.extend(["--header", "Depth: 0"]);
    arguments.extend(["--write-out", "\n%{http_code}", &url]);
    if !body.is_empty() {
        arguments.extend(["--data-binary", body]);
    }
    let text = run(hub, "curl", &arguments, b"").expect_ok();
    let (body, status) = text.trim_end().rsplit_once('\n').expect("a status");
    // The first line is run's own.
    let body = body.split_once('\n').map_or("", |(_, body)| body);
    (status.parse().expect("a number"), body.to_owned())
}

fn event(uid: &str, summary: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261203T100000Z\r\nDTEND:20261203T110000Z\r\nSUMMARY:{summary}\r\n\
         X-KEPT;P=\"a;b\":as, it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Jörg Müller\r\nN:Müller;Jörg;;;\r\n\
                    EMAIL;TYPE=INTERNET:joerg@example.com\r\nEND:VCARD\r\n";

fn sync_configuration(hub: &Hub) -> String {
    let remote = |name: &str| {
        format!(
            "[storage {name}_remote]\ntype = \"{name}dav\"\nurl = \"{}/dav/\"\nusername = \"{ALICE}\"\n\
             password = \"{PASSWORD}\"\n",
            base(hub)
        )
    };
    let pair = |name: &str, ending: &str| {
        format!(
            "[pair {name}]\na = \"{name}_local\"\nb = \"{name}_remote\"\ncollections = [\"from a\", \"from b\"]\n\
             [storage {name}_local]\ntype = \"filesystem\"\npath = \"{}\"\nfileext = \"{ending}\"\n",
            hub.path(name).display()
        )
    };
    let status = hub.path("status");
    let text = format!(
        "[general]\nstatus_path = \"{}\"\n{}{}{}{}",
        status.display(),
        pair("cal", ".ics"),
        remote("cal"),
        pair("card", ".vcf"),
        remote("card")
    );
    configuration(hub, "vdirsyncer.conf", &text)
}

/// Both ways; a calendar that is made here exists there; the second run changes nothing.
fn client_vdirsyncer_khal_khard(database: Database) {
    let all = [("vdirsyncer", "vdirsyncer"), ("khal", "khal"), ("khard", "khard"), ("curl", "curl")];
    if !all.into_iter().all(|(program, package)| has_program(program, package)) {
        return;
    }
    let hub = Hub::start_on(database);
    let path = |name: &str| format!("/dav/calendars/{ALICE}/{name}");
    assert_eq!(curl(&hub, "PUT", &path("calendar/there.ics"), &event("there", "Dentist")).0, 201);
    assert_eq!(curl(&hub, "PUT", &path("calendar/stays.ics"), &event("stays", "Weekly")).0, 201);
    assert_eq!(curl(&hub, "PUT", &format!("/dav/addressbooks/{ALICE}/contacts/c1.vcf"), CARD).0, 201);
    configuration(&hub, "cal/trips/here.ics", &event("here", "Lisbon"));

    let settings = sync_configuration(&hub);
    let sync =
        |what: &str, input: &[u8]| run(&hub, "vdirsyncer", &["-c", &settings, what], input).expect_ok();
    sync("discover", "y\n".repeat(20).as_bytes());
    sync("sync", b"");
    let (status, trips) = curl(&hub, "GET", &path("trips/here.ics"), "");
    assert_eq!((status, trips.contains("SUMMARY:Lisbon")), (200, true), "{trips}");
    let read = |name: &str| fs::read_to_string(hub.path(name)).expect("a file");
    assert_eq!(read("cal/calendar/there.ics").trim_end(), event("there", "Dentist").trim_end());
    assert_eq!(read("card/contacts/c1.vcf").trim_end(), CARD.trim_end());

    // It stands for everything in the home.
    let tag = || curl(&hub, "PROPFIND", &path(""), TAG).1;
    let before = tag();
    assert!(before.contains("getctag>&quot;"), "{before}");
    let second = sync("sync", b"");
    assert!(!second.contains("Copying") && !second.contains("Deleting"), "{second}");
    assert_eq!(tag(), before);

    // What is changed at either end arrives at the other.
    let khal = format!(
        "[calendars]\n[[trips]]\npath = {}\n[[calendar]]\npath = {}\n[locale]\nlocal_timezone = UTC\n\
         default_timezone = UTC\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n\
         datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n[default]\n\
         default_calendar = trips\n",
        hub.path("cal/trips").display(),
        hub.path("cal/calendar").display()
    );
    let khal = configuration(&hub, "khal.conf", &khal);
    let khal = |arguments: &[&str]| run(&hub, "khal", &[&["-c", &khal], arguments].concat(), b"").expect_ok();
    let list = khal(&["list", "2026-12-01", "2026-12-31"]);
    assert!(list.contains("Lisbon") && list.contains("Dentist"), "{list}");
    khal(&["new", "2026-12-24", "18:00", "19:00", "Supper"]);
    assert_eq!(curl(&hub, "DELETE", &path("calendar/there.ics"), "").0, 204);
    sync("sync", b"");
    assert!(!hub.path("cal/calendar/there.ics").exists());
    let (_, found) = curl(&hub, "REPORT", &path("trips/"), SUPPER);
    assert_eq!(found.matches("SUMMARY:Supper").count(), 1, "{found}");

    let khard = format!("[addressbooks]\n[[contacts]]\npath = {}\n", hub.path("card/contacts").display());
    let khard = configuration(&hub, "khard.conf", &khard);
    let list = run(&hub, "khard", &["-c", &khard, "list", "Müller"], b"").expect_ok();
    assert!(list.contains("Müller"), "{list}");
}

const TAG: &str = "<D:propfind xmlns:D=\"DAV:\"><D:prop><S:getctag xmlns:S=\"http://calendarserver.org/ns/\"/></D:prop></D:propfind>";

const SUPPER: &str = "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop>\
<C:calendar-data/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\"><C:comp-filter name=\"VEVENT\">\
<C:time-range start=\"20261224T000000Z\" end=\"20261225T000000Z\"/></C:comp-filter></C:comp-filter></C:filter>\
</C:calendar-query>";

/// From nothing but the address of the server: principal, home, calendars, events, tasks.
const PYTHON: &str = r#"
import sys, caldav
from datetime import datetime
client = caldav.DAVClient(url=sys.argv[1], username=sys.argv[2], password=sys.argv[3])
principal = client.principal()
names = sorted(calendar.name for calendar in principal.calendars())
assert names == ["Calendar", "Tasks"], names
work = principal.make_calendar(name="Work", cal_id="work")
rule = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:r\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Weekly\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
event = work.save_event(rule)
found = work.date_search(datetime(2040, 1, 1), datetime(2040, 2, 1), expand=True)
starts = [str(component.dtstart.value) for one in found for component in one.vobject_instance.vevent_list]
assert len(starts) == 5, starts
tasks = [calendar for calendar in principal.calendars() if calendar.name == "Tasks"][0]
tasks.save_todo("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Buy milk\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")
assert len(tasks.todos()) == 1
tasks.todos()[0].complete()
assert len(tasks.todos()) == 0 and len(tasks.todos(include_completed=True)) == 1
busy = work.freebusy_request(datetime(2026, 1, 5), datetime(2026, 1, 6))
assert "20260105T090000Z/20260105T100000Z" in busy.data, busy.data
token = work.objects_by_sync_token()
event.delete()
changed = work.objects_by_sync_token(token.sync_token)
assert len(list(changed)) == 1, list(changed)
work.delete()
print("all done")
"#;

#[test]
fn client_python_caldav() {
    let package = std::path::Path::new("/usr/lib/python3/dist-packages/caldav").exists();
    if !installed("python3-caldav", package) {
        return;
    }
    let hub = Hub::start();
    let script = configuration(&hub, "client.py", PYTHON);
    let url = format!("{}/", base(&hub));
    let text = run(&hub, "/usr/bin/python3", &[&script, &url, ALICE, PASSWORD], b"").expect_ok();
    assert!(text.contains("all done"), "{text}");
}

/// Made on the command line, found by calendar programs, and answering by itself.
#[test]
fn a_room_is_made_found_and_reserved() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    hub.admin(&["room", "add", "big@hub.test", "Big room"]);
    hub.admin(&["room", "add", "beamer@hub.test", "Beamer", "--resource"]);
    let listed = hub.admin(&["room", "list"]);
    assert!(listed.contains("big@hub.test") && listed.contains("resource"), "{listed}");
    let (status, found) = curl(&hub, "REPORT", "/dav/principals/", ROOMS);
    assert!(status == 207 && found.contains("Big room") && !found.contains("Beamer"), "{status} {found}");
    let people = format!(
        "ORGANIZER:mailto:{ALICE}\r\nATTENDEE:mailto:{ALICE}\r\nATTENDEE;CUTYPE=ROOM:mailto:big@hub.test\r\nSUMMARY"
    );
    let path = format!("/dav/calendars/{ALICE}/calendar/m.ics");
    let meeting = event("m", "Plans").replace("SUMMARY", &people).replace("2026", "2089");
    assert_eq!(curl(&hub, "PUT", &path, &meeting).0, 201);
    wait_until("the room's answer", || {
        let (_, text) = curl(&hub, "GET", &path, "");
        text.replace("\r\n ", "").contains("PARTSTAT=ACCEPTED").then_some(())
    });
    let who = hub.admin(&["twin", "free-busy", ALICE, "nobody"]);
    assert!(who.contains("nobody"), "{who}");
    hub.admin(&["room", "remove", "beamer@hub.test", "--yes"]);
    assert!(!hub.admin(&["room", "list"]).contains("beamer"));
}

const ROOMS: &str = "<D:principal-property-search xmlns:D=\"DAV:\"><D:property-search><D:prop>\
<C:calendar-user-type xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/></D:prop><D:match>ROOM</D:match>\
</D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>";

//! Scheduling between twins, and with others by mail, on a fresh SQLite storage each.

mod alarms;
mod free_busy;
mod proposals;
mod rooms;

use hub::collections::*;
use hub::schedule::*;
use hub::*;
use hub_storage::itip::{self, NewItip};
use hub_storage::{Database, Options};

struct Fixture {
    hub: Hub,
    storage: Storage,
    alice: Account,
    bob: Account,
    directory: tempfile::TempDir,
}

async fn open(directory: &tempfile::TempDir) -> (Storage, Hub) {
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    (storage.clone(), Hub::open(storage, Settings::default()).await.expect("opens"))
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (storage, hub) = open(&directory).await;
    hub.add_domain("example.org").await.expect("added");
    for name in ["alice", "bob"] {
        hub.add_twin(&address(&format!("{name}@example.org")), &Secret::new(name)).await.expect("added");
    }
    let (alice, bob) = (login(&hub, "alice").await, login(&hub, "bob").await);
    Fixture { hub, storage, alice, bob, directory }
}

async fn login(hub: &Hub, name: &str) -> Account {
    hub.login(&format!("{name}@example.org"), &Secret::new(name), Door::Dav).await.expect("right")
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

/// In 2090, so that it is never over.
fn meeting(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:meeting\r\nDTSTAMP:20240101T000000Z\r\n\
         DTSTART:20900601T100000Z\r\nDTEND:20900601T110000Z\r\nSUMMARY:Plans\r\n\
         ORGANIZER:mailto:alice@example.org\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org\r\n\
         {lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const BOB: &str = "ATTENDEE;RSVP=TRUE:mailto:bob@example.org\r\n";
const GUEST: &str = "ATTENDEE:mailto:guest@example.com\r\n";

async fn put(account: &Account, name: &str, text: &str) -> (Item, bool) {
    let request = ScheduleRequest::default();
    match account.calendars().put_scheduled("calendar", name, text.to_owned().into(), request).await {
        Ok(ScheduleOutcome::Stored { placed, is_as_sent }) => (placed.item, is_as_sent),
        other => panic!("{other:?}"),
    }
}

/// Items and their bytes, unfolded.
async fn all(collections: &Collections, name: &str) -> Vec<(Item, String)> {
    let Ok(collection) = collections.find(name).await else { return Vec::new() };
    let items = collections.items(collection.id, "").await.expect("read");
    let mut all = Vec::new();
    for item in items {
        let data = collections.contents(&[item.id]).await.expect("read").remove(0).1;
        all.push((item, String::from_utf8(data.to_vec()).expect("text").replace("\r\n ", "")));
    }
    all
}

async fn only(account: &Account) -> (Item, String) {
    let mut all = all(&account.calendars(), "calendar").await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[track_caller]
fn has(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is not in\n{text}");
}

#[tokio::test]
async fn an_invitation_reaches_everyone() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    let nobody = "ATTENDEE:mailto:nobody@example.org\r\n";
    let (item, is_as_sent) = put(alice, "m.ics", &meeting(&format!("{BOB}{GUEST}{nobody}"))).await;
    assert!(!is_as_sent && item.schedule_tag.is_some());
    let (stored, text) = only(alice).await;
    assert_eq!(stored, item, "what is answered is what is there");
    has(&text, "ATTENDEE;RSVP=TRUE;SCHEDULE-STATUS=1.2:mailto:bob@example.org");
    has(&text, "ATTENDEE;SCHEDULE-STATUS=1.1:mailto:guest@example.com");
    has(&text, "ATTENDEE;SCHEDULE-STATUS=3.7:mailto:nobody@example.org");

    let (_, text) = only(bob).await;
    has(&text, "SUMMARY:Plans\r\n");
    assert!(!text.contains("SCHEDULE-STATUS") && !text.contains("METHOD"), "{text}");
    let inbox = all(&bob.schedule_inbox(), "inbox").await;
    assert_eq!(inbox.len(), 1);
    has(&inbox[0].1, "METHOD:REQUEST\r\n");
    let forbidden = bob.schedule_inbox().put("inbox", "x.ics", "x".into(), Vec::new()).await;
    assert!(matches!(forbidden, Err(Error::Forbidden(_))));
    bob.schedule_inbox().remove_item("inbox", &inbox[0].0.name, Vec::new()).await.expect("removed");

    let queued = hub.queue(&QueueFilter::default()).await.expect("read");
    let queued: Vec<_> = queued.iter().map(|one| (one.address.as_str(), one.reverse_path.as_str())).collect();
    assert_eq!(queued, [("guest@example.com", "alice@example.org")]);
    assert_eq!(alice.calendar_user_addresses().await.expect("read"), ["mailto:alice@example.org"]);
    assert_eq!(alice.default_calendar().await.expect("read").as_deref(), Some("calendar"));
}

#[tokio::test]
async fn answers_come_back() {
    let Fixture { alice, bob, .. } = &fixture().await;
    let (first, _) = put(alice, "m.ics", &meeting(BOB)).await;
    let (theirs, text) = only(bob).await;
    let accepted = text.replace("ATTENDEE;RSVP=TRUE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob");
    let (answered, _) = put(bob, &theirs.name, &accepted).await;
    has(&only(bob).await.1, "ORGANIZER;SCHEDULE-STATUS=1.2:mailto:alice");
    let (item, text) = only(alice).await;
    has(&text, "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;");
    assert_eq!(item.schedule_tag, first.schedule_tag, "an answer is no new state (RFC 6638 §3.2.10)");
    assert_ne!(item.etag, first.etag);

    let moved = meeting(BOB).replace("T110000Z", "T120000Z");
    let stale = ScheduleRequest { tag: Some("1".into()), ..ScheduleRequest::default() };
    let refused = alice.calendars().put_scheduled("calendar", "m.ics", moved.clone().into(), stale).await;
    assert!(matches!(refused, Err(Error::Stale)));
    let known = ScheduleRequest { tag: first.schedule_tag.clone(), ..ScheduleRequest::default() };
    alice.calendars().put_scheduled("calendar", "m.ics", moved.into(), known).await.expect("put");
    let (item, text) = only(alice).await;
    has(&text, "SEQUENCE:1\r\n");
    assert_ne!(item.schedule_tag, first.schedule_tag);
    let (item, text) = only(bob).await;
    has(&text, "T120000Z\r\n");
    // Without PARTSTAT: NEEDS-ACTION (RFC 5545 §3.2.12).
    has(&text, "ATTENDEE;RSVP=TRUE:mailto:bob@example.org\r\n");
    assert_ne!(item.schedule_tag, answered.schedule_tag);

    let later = text.replace("T120000Z", "T130000Z");
    let calendars = bob.calendars();
    let refused = calendars.put_scheduled("calendar", &item.name, later.into(), ScheduleRequest::default());
    assert!(matches!(refused.await, Ok(ScheduleOutcome::NotAllowed(NotAllowed::Itip(_)))));
    bob.calendars()
        .remove_scheduled("calendar", &item.name, ScheduleRequest::default())
        .await
        .expect("removed");
    has(&only(alice).await.1, "PARTSTAT=DECLINED");
    assert_eq!(all(&alice.schedule_inbox(), "inbox").await.len(), 2);
}

#[tokio::test]
async fn what_does_not_happen_is_cancelled() {
    let Fixture { alice, bob, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(BOB)).await;
    alice.calendars().create("work", CollectionPatch::default()).await.expect("made");
    let calendars = alice.calendars();
    let again = calendars.put_scheduled("work", "w.ics", meeting(BOB).into(), ScheduleRequest::default());
    let taken = ScheduleOutcome::NotAllowed(NotAllowed::Taken("calendar".into(), "m.ics".into()));
    assert_eq!(again.await.expect("asked"), taken);
    alice.calendars().remove_calendar_scheduled("calendar").await.expect("removed");
    has(&only(bob).await.1, "STATUS:CANCELLED\r\n");
    // What is over is nobody's concern any more.
    let past = meeting(BOB).replace("DTSTART:2090", "DTSTART:1990").replace("DTEND:2090", "DTEND:1990");
    let past = past.replace("UID:meeting", "UID:past");
    let stored =
        alice.calendars().put_scheduled("work", "p.ics", past.into(), ScheduleRequest::default()).await;
    assert!(matches!(stored, Ok(ScheduleOutcome::Stored { is_as_sent: true, .. })), "{stored:?}");
    assert_eq!(all(&bob.calendars(), "calendar").await.len(), 1);
}

#[tokio::test]
async fn rfc6638_3_2_1_2_that_a_series_ends_is_told() {
    let Fixture { alice, bob, .. } = &fixture().await;
    let series = meeting(&format!("RRULE:FREQ=WEEKLY\r\n{BOB}")).replace("2090", "2020");
    put(alice, "m.ics", &series).await;
    put(alice, "m.ics", &series.replace("WEEKLY", "WEEKLY;UNTIL=20210101T000000Z")).await;
    has(&only(bob).await.1, "UNTIL=20210101T000000Z");
}

#[tokio::test]
async fn an_alias_of_an_alias_gets_mail() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    hub.add_alias(&address("*@example.org"), bob.handle()).await.expect("made");
    put(alice, "m.ics", &meeting("ATTENDEE:mailto:anybody@example.org\r\n")).await;
    has(&only(alice).await.1, "ATTENDEE;SCHEDULE-STATUS=1.1:mailto:anybody@");
}

#[tokio::test]
async fn a_full_mailbox_keeps_nobody_waiting() {
    let Fixture { hub, storage, alice, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(GUEST)).await;
    let (id, key) = (alice.id(), "meeting");
    let again = NewItip {
        uid: key.into(),
        sender: "alice@example.org".into(),
        recipients: vec!["nobody@example.org".into(), "guest@example.com".into()],
        data: meeting(GUEST).replace("VERSION", "METHOD:REQUEST\r\nVERSION").into_bytes(),
    };
    let text = only(alice).await.1.replace(";SCHEDULE-STATUS=1.1", "");
    alice.calendars().put("calendar", "m.ics", text.into(), Vec::new()).await.expect("put");
    hub.set_quota(alice.handle(), Some(1)).await.expect("set");
    let push =
        storage.transact([id], move |tx| Box::pin(async move { itip::push(tx, id, &[again], 0).await }));
    push.await.expect("noted");
    hub.carry_messages().await.expect("carried");
    assert_eq!(storage.itip_done(id, key).await.expect("read"), []);
}

#[tokio::test]
async fn rfc6638_3_2_3_copies_moves_and_names_of_our_choice() {
    let Fixture { alice, bob, .. } = &fixture().await;
    let calendars = alice.calendars();
    calendars.create("work", CollectionPatch::default()).await.expect("made");
    let added = calendars.add_scheduled("calendar", "ics", meeting(BOB).into()).await.expect("asked");
    let (name, ScheduleOutcome::Stored { .. }) = added else { panic!("{added:?}") };
    only(bob).await;
    let (here, there) = (("calendar", name.as_str()), ("work", "w.ics"));
    let copied = calendars.copy_scheduled(here, there, Overwrite::Refuse, Vec::new()).await;
    assert!(matches!(copied, Err(Error::Forbidden(_))), "{copied:?}");
    let alone = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:alone\r\nDTSTART:20900601T100000Z\r\n\
                 END:VEVENT\r\nEND:VCALENDAR\r\n";
    put(alice, "a.ics", alone).await;
    let onto = calendars.move_scheduled(("calendar", "a.ics"), here, Overwrite::Allow, Vec::new()).await;
    assert!(matches!(onto, Err(Error::Forbidden(_))), "{onto:?}");
    let copied =
        calendars.copy_scheduled(("calendar", "a.ics"), ("work", "a.ics"), Overwrite::Refuse, Vec::new());
    assert!(matches!(copied.await, Ok(ScheduleOutcome::Stored { .. })));
    // By a way without scheduling, there are two of it.
    calendars.put("work", "two.ics", meeting(BOB).into(), Vec::new()).await.expect("put");
    let moved = calendars.move_scheduled(here, ("calendar", "m.ics"), Overwrite::Refuse, Vec::new()).await;
    let taken = ScheduleOutcome::NotAllowed(NotAllowed::Taken("work".into(), "two.ics".into()));
    assert_eq!(moved.expect("asked"), taken);
    calendars.remove_item("work", "two.ics", Vec::new()).await.expect("removed");
    let moved = calendars.move_scheduled(here, there, Overwrite::Refuse, Vec::new()).await;
    assert!(matches!(moved, Ok(ScheduleOutcome::Stored { .. })), "{moved:?}");
}

/// A message of somebody elsewhere, with what is known of who sends it.
async fn mail(hub: &Hub, to: &Account, from: &str, object: &str, result: AuthResult) {
    let text = format!(
        "From: Somebody <{from}>\r\nSubject: s\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n\
         --b\r\nContent-Type: text/calendar; method=X; charset=utf-8\r\n\r\n{object}\r\n--b--\r\n"
    );
    let mut spool = hub.spool();
    spool.write(text.as_bytes()).await.expect("written");
    let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example.com");
    verdict.dmarc.result = result;
    let delivery = Delivery {
        incoming: hub.examine(spool).await.expect("examined"),
        reverse_path: Some(address(from)),
        recipients: vec![Recipient { address: to.handle().clone(), members: [to.id()].into() }],
        trace: Vec::new(),
        origin: Origin::Outside(Some(verdict)),
        require_tls: false,
    };
    assert_eq!(hub.deliver(delivery).await.expect("delivered").len(), 1);
    hub.carry_messages().await.expect("carried");
}

fn reply(who: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:meeting\r\nDTSTAMP:20240102T000000Z\r\n\
         ORGANIZER:mailto:alice@example.org\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
}

#[tokio::test]
async fn rfc6047_guests_answer_by_mail_and_nobody_else_for_them() {
    let Fixture { hub, alice, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(GUEST)).await;
    let before = only(alice).await;
    let answer = reply("guest@example.com");
    for (from, result) in [
        ("guest@example.com", AuthResult::Fail),
        ("guest@example.com", AuthResult::None),
        ("stranger@example.com", AuthResult::Pass),
    ] {
        mail(hub, alice, from, &answer, result).await;
        assert_eq!(only(alice).await, before, "{from} {result}");
    }
    mail(hub, alice, "stranger@example.com", &reply("stranger@example.com"), AuthResult::Pass).await;
    assert_eq!(only(alice).await, before, "is not invited");
    mail(hub, alice, "Guest@Example.com", &answer, AuthResult::Pass).await;
    let (item, text) = only(alice).await;
    has(&text, "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;");
    assert_eq!(item.schedule_tag, before.0.schedule_tag);
}

#[tokio::test]
async fn rfc6047_invitations_come_by_mail() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    let request = meeting(BOB).replace("alice@example.org", "boss@example.com");
    let request = request.replace("VERSION:2.0", "METHOD:REQUEST\r\nVERSION:2.0");
    mail(hub, bob, "mallory@example.com", &request, AuthResult::Pass).await;
    assert_eq!(all(&bob.calendars(), "calendar").await.len(), 0);
    // Nobody knows the boss yet: the mail is there, and a copy in the inbox, but nothing takes time.
    mail(hub, bob, "boss@example.com", &request, AuthResult::Pass).await;
    assert_eq!(all(&bob.calendars(), "calendar").await.len(), 0);
    assert_eq!(all(&bob.schedule_inbox(), "inbox").await.len(), 1);
    let own = meeting("ATTENDEE:mailto:boss@example.com\r\n").replace("alice@", "bob@");
    let (own, _) = put(bob, "own.ics", &own.replace("UID:meeting", "UID:own")).await;
    bob.calendars().remove_item("calendar", &own.name, Vec::new()).await.expect("removed");
    mail(hub, bob, "boss@example.com", &request, AuthResult::Pass).await;
    let (item, text) = only(bob).await;
    has(&text, "SUMMARY:Plans\r\n");
    mail(hub, alice, "boss@example.com", &request, AuthResult::Pass).await;
    assert_eq!(all(&alice.calendars(), "calendar").await.len(), 0, "is not invited");
    let accepted = text.replace("ATTENDEE;RSVP=TRUE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    put(bob, &item.name, &accepted).await;
    let queued = hub.queue(&QueueFilter::default()).await.expect("read").pop().expect("the answer");
    assert_eq!(
        (queued.address.as_str(), queued.reverse_path.as_str()),
        ("boss@example.com", "bob@example.org")
    );
    let cancel = request.replace("REQUEST", "CANCEL").replace("SUMMARY", "SEQUENCE:1\r\nSUMMARY");
    mail(hub, bob, "mallory@example.com", &cancel, AuthResult::Pass).await;
    assert!(!only(bob).await.1.contains("CANCELLED"));
    mail(hub, bob, "boss@example.com", &cancel, AuthResult::Pass).await;
    has(&only(bob).await.1, "STATUS:CANCELLED\r\n");
}

#[tokio::test]
async fn what_a_crash_left_is_carried_once() {
    let Fixture { hub, storage, alice, bob, directory } = fixture().await;
    let ids = (alice.id(), bob.id());
    // They hold the hub open.
    drop((alice, bob));
    let (alice, bob) = ids;
    let message = NewItip {
        uid: "meeting".into(),
        sender: "alice@example.org".into(),
        recipients: vec!["bob@example.org".into(), "guest@example.com".into()],
        data: meeting(&format!("{BOB}{GUEST}")).replace("VERSION", "METHOD:REQUEST\r\nVERSION").into_bytes(),
    };
    hub.close().await;
    drop(hub);
    drop(storage);
    let (storage, hub) = open(&directory).await;
    let push = storage
        .transact([alice], move |tx| Box::pin(async move { itip::push(tx, alice, &[message], 0).await }));
    let ids = push.await.expect("noted");
    tokio::join!(async { hub.carry_messages().await.expect("carried") }, async {
        hub.carry_messages().await.expect("carried")
    },);
    let account = login(&hub, "bob").await;
    assert_eq!(account.id(), bob);
    only(&account).await;
    assert_eq!(all(&account.schedule_inbox(), "inbox").await.len(), 1);
    assert_eq!(hub.queue(&QueueFilter::default()).await.expect("read").len(), 1);
    assert_eq!(storage.itip_messages(&ids).await.expect("read"), []);
}

#[tokio::test]
async fn an_address_with_detail_is_whose_it_is() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    hub.add_alias(&address("alice+team@example.org"), bob.handle()).await.expect("made");
    let team = "ATTENDEE:mailto:alice+team@example.org\r\nATTENDEE:mailto:bob+x@example.org\r\n";
    put(alice, "m.ics", &meeting(team)).await;
    let (_, text) = only(bob).await;
    has(&text, "SUMMARY:Plans\r\n");
    has(&only(alice).await.1, "ATTENDEE;SCHEDULE-STATUS=1.2:mailto:alice+team@example.org");
    // She cannot organize in that name.
    let theirs = meeting(GUEST).replace("ORGANIZER:mailto:alice@", "ORGANIZER:mailto:alice+team@");
    put(alice, "t.ics", &theirs.replace("UID:meeting", "UID:t")).await;
    assert_eq!(hub.queue(&QueueFilter::default()).await.expect("read").len(), 0);
    assert!(!alice.may_send_as(&address("alice+team@example.org")).await.expect("read"));
    assert!(alice.may_send_as(&address("alice+other@example.org")).await.expect("read"));
}

/// The calendar may go, and another one come in its place, between the look and the commit.
#[tokio::test]
async fn nothing_is_left_of_a_calendar_that_goes_meanwhile() {
    let Fixture { alice, .. } = &fixture().await;
    let calendars = &alice.calendars();
    calendars.list().await.expect("made");
    let before = alice.quota().await.expect("read").0;
    for round in 0..30 {
        calendars.create("work", CollectionPatch::default()).await.expect("made");
        let text = meeting(GUEST).replace("UID:meeting", &format!("UID:{round}"));
        let put = calendars.put_scheduled("work", "m.ics", text.into(), ScheduleRequest::default());
        let replace = async {
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            calendars.remove("work").await.expect("removed");
            calendars.create("work", CollectionPatch::default()).await.expect("made");
        };
        let (put, ()) = tokio::join!(put, replace);
        let stored = all(calendars, "work").await.len();
        assert!(stored == 0 || put.is_ok(), "{put:?}");
        calendars.remove("work").await.expect("removed");
        assert_eq!(alice.quota().await.expect("read").0, before, "something lies nowhere");
    }
}

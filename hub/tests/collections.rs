//! Calendars and address books, on a fresh SQLite storage each.

use hub::collections::*;
use hub::*;
use hub_ical::{
    CardFilter, Collation, ComponentFilter, ComponentTest, MatchKind, PropertyFilter, PropertyTest,
    TextMatch, Time, TimeRange,
};
use hub_storage::{Database, Options};

struct Fixture {
    calendars: Collections,
    address_books: Collections,
    others: Collections,
    alice: Account,
    _directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    let settings = Settings::default();
    let hub = Hub::open(storage, settings).await.expect("opens");
    hub.add_domain("example.org").await.expect("added");
    for name in ["alice", "bob"] {
        let address = Address::parse(&format!("{name}@example.org")).expect("an address");
        hub.add_twin(&address, &Secret::new(name)).await.expect("added");
    }
    let alice = hub.login("alice@example.org", &Secret::new("alice"), Door::Dav).await.expect("right");
    let bob = hub.login("bob@example.org", &Secret::new("bob"), Door::Dav).await.expect("right");
    Fixture {
        calendars: alice.calendars(),
        address_books: alice.address_books(),
        others: bob.calendars(),
        alice,
        _directory: directory,
    }
}

fn event(uid: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nEND:VCARD\r\n")
}

async fn put(collections: &Collections, collection: &str, name: &str, text: &str) -> Placed {
    match collections.put(collection, name, text.to_owned().into(), Vec::new()).await.expect("put") {
        PutOutcome::Stored(placed) => placed,
        PutOutcome::Refused(refusal) => panic!("{name}: {refusal:?}"),
    }
}

async fn refusal(collections: &Collections, collection: &str, name: &str, text: &str) -> Refusal {
    match collections.put(collection, name, text.to_owned().into(), Vec::new()).await.expect("put") {
        PutOutcome::Refused(refusal) => refusal,
        PutOutcome::Stored(placed) => panic!("{name}: stored {placed:?}"),
    }
}

fn property(name: &str) -> PropertyName {
    PropertyName { namespace: "urn:x".into(), name: name.into() }
}

fn at(text: &str) -> i64 {
    Time::parse(text, None).expect("a time").local()
}

fn events(from: &str, to: &str) -> ComponentFilter {
    let test = |range, components| ComponentTest::Defined { range, properties: Vec::new(), components };
    let range = Some(TimeRange { from: at(from), to: at(to) });
    let events = ComponentFilter { name: "VEVENT".into(), test: test(range, Vec::new()) };
    ComponentFilter { name: "VCALENDAR".into(), test: test(None, vec![events]) }
}

async fn found(collections: &Collections, collection: &str, filter: ComponentFilter) -> Vec<String> {
    let collection = collections.find(collection).await.expect("there");
    let found = collections.query(&collection, filter, None).await.expect("asked");
    found.items.into_iter().map(|item| item.name).collect()
}

#[tokio::test]
async fn what_was_stored_comes_back() {
    let Fixture { calendars, alice, .. } = &fixture().await;
    let odd = "BEGIN:VCALENDAR\nX-ODD;P=\"a,b\":1\\,2\n  folded\nBEGIN:VEVENT\nUID:1\nDTSTART:20240601T100000Z\n\
               no property at all\nEND:VEVENT\nEND:VCALENDAR";
    let placed = put(calendars, "calendar", "a.ics", odd).await;
    assert!(placed.created);
    let contents = calendars.contents(&[placed.item.id]).await.expect("read");
    assert_eq!(contents, [(placed.item.clone(), odd.into())]);
    assert_eq!(alice.quota().await.expect("read").0, odd.len() as u64);

    let collection = calendars.find("calendar").await.expect("there");
    let again = put(calendars, "calendar", "a.ics", odd).await;
    assert_eq!(again, Placed { created: false, ..placed.clone() });
    assert_eq!(calendars.find("calendar").await.expect("there"), collection, "nothing was changed");

    let other = put(calendars, "calendar", "a.ics", &event("1", "SUMMARY:b")).await;
    assert_eq!((other.item.id, other.created), (placed.item.id, false));
    assert_ne!(other.item.etag, placed.item.etag);
    assert_ne!(calendars.find("calendar").await.expect("there").state, collection.state);
    calendars.remove_item("calendar", "a.ics", Vec::new()).await.expect("removed");
    assert!(matches!(calendars.item(collection.id, "a.ics").await, Err(Error::NotFound(_))));
    assert_eq!(alice.quota().await.expect("read").0, 0);
}

#[tokio::test]
async fn the_usual_ones_are_there() {
    let Fixture { calendars, address_books, others, .. } = &fixture().await;
    let names = async |collections: &Collections| {
        let list = collections.list().await.expect("listed");
        list.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(names(calendars).await, ["calendar", "tasks"]);
    assert_eq!(names(address_books).await, ["contacts"]);
    put(others, "calendar", "a.ics", &event("1", "SUMMARY:before anybody listed them")).await;
    assert_eq!(names(others).await, ["calendar", "tasks"]);
    let todo = event("1", "SUMMARY:x").replace("VEVENT", "VTODO");
    assert_eq!(refusal(calendars, "calendar", "a.ics", &todo).await, Refusal::Kind(ItemKind::Todo));
    put(calendars, "tasks", "a.ics", &todo).await;
}

/// RFC 4791 §9.9: a task that is only due at a moment happens then.
#[tokio::test]
async fn tasks_without_a_start_are_found_by_what_they_are_due() {
    let Fixture { calendars, .. } = &fixture().await;
    for (name, due) in
        [("date", "DUE;VALUE=DATE:20250108"), ("time", "DUE:20250108T100000Z"), ("never", "SUMMARY:x")]
    {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:{name}\r\n{due}\r\nEND:VTODO\r\n\
             END:VCALENDAR\r\n"
        );
        put(calendars, "tasks", name, &text).await;
    }
    let test = |range, components| ComponentTest::Defined { range, properties: Vec::new(), components };
    let todos = |from: &str, to: &str| {
        let range = Some(TimeRange { from: at(from), to: at(to) });
        let todos = ComponentFilter { name: "VTODO".into(), test: test(range, Vec::new()) };
        ComponentFilter { name: "VCALENDAR".into(), test: test(None, vec![todos]) }
    };
    for (from, to, expected) in [
        ("20250101T000000", "20250131T000000", &["date", "never", "time"][..]),
        ("20250108T010000", "20250108T100001", &["never", "time"]),
        ("20250108T100000", "20250109T100000", &["never"]),
        ("20250201T000000", "20250301T000000", &["never"]),
    ] {
        assert_eq!(found(calendars, "tasks", todos(from, to)).await, expected, "{from}");
    }
}

#[tokio::test]
async fn what_is_no_object_is_refused() {
    let Fixture { calendars, address_books, .. } = &fixture().await;
    let check = async |text: &str, part: &str| {
        let refusal = refusal(calendars, "calendar", "a.ics", text).await;
        assert!(format!("{refusal:?}").contains(part), "{refusal:?}");
    };
    check("", "NotCalendar").await;
    check("hello", "NotCalendar").await;
    check("BEGIN:VCALENDAR\nEND:VCALENDAR", "NotOneObject").await;
    check(&event("", "SUMMARY:x"), "NotOneObject").await;
    check(&event("1", "SUMMARY:x").replace("VERSION", "METHOD:REPLY\r\nVERSION"), "METHOD").await;
    check(&event("1", "END:VEVENT\nBEGIN:VEVENT\nUID:2"), "one UID").await;
    check(&event("1", "END:VEVENT\nBEGIN:VEVENT\nUID:1"), "without RECURRENCE-ID").await;
    check(&event("1", "END:VEVENT\nBEGIN:VTODO\nUID:1\nEND:VTODO\nBEGIN:VEVENT\nUID:1"), "one kind").await;
    check(&card("1", "A"), "NotCalendar").await;
    let check = async |text: &str, part: &str| {
        let refusal = refusal(address_books, "contacts", "a.vcf", text).await;
        assert!(format!("{refusal:?}").contains(part), "{refusal:?}");
    };
    check(&event("1", "SUMMARY:x"), "NotCard").await;
    check(&card("1", "A").replace("3.0", "2.1"), "CardVersion(\"2.1\")").await;
    check(&format!("{}{}", card("1", "A"), card("2", "B")), "NotCard").await;
    let large = format!("{}\r\n", "x".repeat(MOST_BYTES));
    assert!(matches!(refusal(address_books, "contacts", "a.vcf", &large).await, Refusal::TooLarge(_)));
    let name = address_books.put("contacts", "a/b", card("1", "A").into(), Vec::new()).await;
    assert!(matches!(name, Err(Error::Invalid(_))));
    let nowhere = address_books.put("nowhere", "a.vcf", card("1", "A").into(), Vec::new()).await;
    assert!(matches!(nowhere, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_uid_is_in_a_collection_once() {
    let Fixture { calendars, .. } = &fixture().await;
    calendars.create("work", CollectionPatch::default()).await.expect("made");
    put(calendars, "calendar", "a.ics", &event("1", "SUMMARY:x")).await;
    let taken = Refusal::UidTaken("a.ics".into());
    assert_eq!(refusal(calendars, "calendar", "b.ics", &event("1", "SUMMARY:y")).await, taken);
    put(calendars, "work", "b.ics", &event("1", "SUMMARY:in another one")).await;
    let move_to = async |from, to, overwrite| calendars.move_item(from, to, overwrite, Vec::new()).await;
    let conflict = move_to(("work", "b.ics"), ("calendar", "c.ics"), Overwrite::Allow).await.expect("asked");
    assert_eq!(conflict, PutOutcome::Refused(taken));
    let exists = move_to(("work", "b.ics"), ("calendar", "a.ics"), Overwrite::Refuse).await;
    assert!(matches!(exists, Err(Error::Exists(_))));
    let moved = move_to(("work", "b.ics"), ("calendar", "a.ics"), Overwrite::Allow).await.expect("asked");
    assert!(matches!(moved, PutOutcome::Stored(Placed { created: false, .. })));
    let renamed =
        move_to(("calendar", "a.ics"), ("calendar", "z.ics"), Overwrite::Refuse).await.expect("asked");
    assert!(matches!(renamed, PutOutcome::Stored(Placed { created: true, .. })));
    let copied = calendars
        .copy_item(("calendar", "z.ics"), ("work", "y.ics"), Overwrite::Refuse, Vec::new())
        .await
        .expect("asked");
    let PutOutcome::Stored(copied) = copied else { panic!("{copied:?}") };
    let original =
        calendars.item(calendars.find("calendar").await.expect("there").id, "z.ics").await.expect("there");
    assert_eq!((copied.item.etag, copied.item.id == original.id), (original.etag, false));
}

#[tokio::test]
async fn preconditions_are_decided_with_the_change() {
    let Fixture { calendars, .. } = &fixture().await;
    let first = put(calendars, "calendar", "a.ics", &event("1", "SUMMARY:x")).await.item.etag;
    let write = async |precondition| {
        let put = calendars.put("calendar", "a.ics", event("1", "SUMMARY:y").into(), vec![precondition]);
        put.await.is_ok()
    };
    assert!(!write(Precondition::NotExists).await);
    assert!(!write(Precondition::Match(vec!["other".into()])).await);
    assert!(write(Precondition::Match(vec![first.clone()])).await);
    assert!(!write(Precondition::Match(vec![first.clone()])).await, "it was changed");
    let stale = vec![Precondition::Match(vec![first])];
    assert!(matches!(calendars.remove_item("calendar", "a.ics", stale).await, Err(Error::Stale)));
    let both = async || {
        let write =
            |text| calendars.put("calendar", "n.ics", event("2", text).into(), vec![Precondition::NotExists]);
        tokio::join!(write("SUMMARY:one"), write("SUMMARY:other"))
    };
    let (one, other) = both().await;
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "only one of two is the first");
}

#[tokio::test]
async fn events_are_found_by_time() {
    let Fixture { calendars, .. } = &fixture().await;
    for (name, lines) in [
        ("day", "DTSTART;VALUE=DATE:20240610"),
        ("daily", "DTSTART:20200101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"),
        ("bounded", "DTSTART:20240601T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"),
        ("every-second", "DTSTART:20000101T000000Z\nRRULE:FREQ=SECONDLY;BYMONTH=3"),
        ("long", "DTSTART:20200101T000000Z\nDTEND:20300101T000000Z"),
        ("once", "DTSTART:20240610T100000Z\nDTEND:20240610T110000Z"),
        ("timeless", "SUMMARY:when?"),
        ("tokyo", "DTSTART;TZID=Asia/Tokyo:20240611T080000\nDURATION:PT1H"),
    ] {
        put(calendars, "calendar", name, &event(name, lines)).await;
    }
    let check = async |from, to, expected: &[&str]| {
        assert_eq!(found(calendars, "calendar", events(from, to)).await, expected, "{from}/{to}");
    };
    check("20240610", "20240611", &["daily", "day", "long", "once", "tokyo"]).await;
    check("20240603", "20240604", &["bounded", "daily", "long"]).await;
    check("20400601T090000", "20400601T090001", &["daily"]).await;
    check("20400601T100000", "20400601T110000", &[]).await;
    check("20400301T100000", "20400301T110000", &["every-second"]).await;
    check("19990101", "20000101", &[]).await;
    // The clock of the calendar decides where a day begins.
    let zone = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Pacific/Auckland\nEND:VTIMEZONE\nEND:VCALENDAR\n";
    check("20240610T230000", "20240611T000000", &["daily", "day", "long", "tokyo"][1..]).await;
    let patch = CollectionPatch { time_zone: Some(zone.into()), ..CollectionPatch::default() };
    calendars.update("calendar", patch).await.expect("updated");
    check("20240610T230000", "20240611T000000", &["long", "tokyo"]).await;
    check("20240609T130000", "20240609T140000", &["day", "long"]).await;
}

#[tokio::test]
async fn cards_are_found_by_text() {
    let Fixture { address_books, .. } = &fixture().await;
    for (name, text) in [("a", "Anna Müller"), ("b", "Bert Meier"), ("c", "100% Sure")] {
        put(address_books, "contacts", name, &card(name, text)).await;
    }
    let photo = card("p", "Photo").replace("END:", &format!("PHOTO:{}\r\nEND:", "QUJD".repeat(50_000)));
    put(address_books, "contacts", "p", &photo).await;
    let contacts = address_books.find("contacts").await.expect("there");
    let check = async |text: &str, negated, expected: &[&str]| {
        let text = TextMatch::new(text, Collation::UnicodeCasemap, MatchKind::Contains, negated);
        let test =
            PropertyTest::Defined { any: true, range: None, texts: vec![text], parameters: Vec::new() };
        let properties = vec![PropertyFilter { name: "FN".into(), test }];
        let found = address_books.query_cards(&contacts, CardFilter { any: true, properties }, 10).await;
        let names: Vec<_> = found.expect("asked").items.into_iter().map(|item| item.name).collect();
        assert_eq!(names, expected);
    };
    check("MÜLLER", false, &["a"]).await;
    check("me", false, &["b"]).await;
    check("%", false, &["c"]).await;
    check("hot", false, &["p"]).await;
    check("müller", true, &["b", "c", "p"]).await;
    let all = address_books.query_cards(&contacts, CardFilter::default(), 3).await.expect("asked");
    assert_eq!((all.items.len(), all.has_more), (3, true));
}

#[tokio::test]
async fn who_synchronises_sees_every_change() {
    let Fixture { calendars, .. } = &fixture().await;
    for n in 0..5 {
        put(calendars, "calendar", &format!("{n}.ics"), &event(&n.to_string(), "SUMMARY:x")).await;
    }
    let id = calendars.find("calendar").await.expect("there").id;
    let first = calendars.changes(id, None, 3).await.expect("asked");
    assert_eq!((first.changes.len(), first.has_more), (3, true));
    let token: SyncState = first.state.to_string().parse().expect("a state");
    assert_eq!(token, first.state);
    calendars.remove_item("calendar", "0.ics", Vec::new()).await.expect("removed");
    let rest = calendars.changes(id, Some(token), 100).await.expect("asked");
    let names: Vec<_> = rest.changes.iter().map(|one| (one.name.as_str(), one.item.is_some())).collect();
    assert_eq!(names, [("3.ics", true), ("4.ics", true), ("0.ics", false)]);
    assert_eq!(rest.state, calendars.find("calendar").await.expect("there").state);
    for token in ["", "x", "-1", "99999999", "1-x"] {
        let since = token.parse::<SyncState>();
        let stale = match since {
            Ok(since) => calendars.changes(id, Some(since), 10).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(stale, Err(Error::Stale)), "{token}");
    }
}

#[tokio::test]
async fn collections_are_described() {
    let Fixture { calendars, others, .. } = &fixture().await;
    let patch = CollectionPatch {
        display_name: Some("Work".into()),
        color: Some("#FF0000FF".into()),
        properties: vec![(property("p"), Some("<a/>".into()))],
        ..CollectionPatch::default()
    };
    let work = calendars.create("work", patch.clone()).await.expect("made");
    assert_eq!(
        (work.facts.display_name.as_str(), work.takes(ItemKind::Event), work.takes(ItemKind::Card)),
        ("Work", true, false)
    );
    assert_eq!(calendars.properties(&[work.id.0]).await.expect("read")[&work.id.0].len(), 1);
    assert!(matches!(calendars.create("work", patch).await, Err(Error::Exists(_))));
    let bad = [
        CollectionPatch { color: Some("red".into()), ..CollectionPatch::default() },
        CollectionPatch { time_zone: Some("Europe/Berlin".into()), ..CollectionPatch::default() },
        CollectionPatch { name: Some("..".into()), ..CollectionPatch::default() },
    ];
    for patch in bad {
        assert!(matches!(calendars.update("work", patch).await, Err(Error::Invalid(_))));
    }
    let many = (0..101).map(|n| (property(&n.to_string()), Some("v".to_owned()))).collect();
    let patch =
        CollectionPatch { display_name: Some("no".into()), properties: many, ..CollectionPatch::default() };
    assert!(matches!(calendars.update("work", patch).await, Err(Error::Limit(_))));
    assert_eq!(calendars.find("work").await.expect("there").facts.display_name, "Work", "all or nothing");
    let renamed = CollectionPatch { name: Some("job".into()), ..CollectionPatch::default() };
    assert_eq!(calendars.update("work", renamed).await.expect("renamed").id, work.id);
    assert!(matches!(calendars.find("work").await, Err(Error::NotFound(_))));
    assert!(matches!(others.find("job").await, Err(Error::NotFound(_))), "others have their own");
    calendars.remove("job").await.expect("removed");
    assert!(matches!(calendars.find("job").await, Err(Error::NotFound(_))));
}

/// A file of other programs' goes in; the same again changes nothing; out comes what went in.
#[tokio::test]
async fn files_go_in_and_out() {
    let Fixture { calendars, address_books: books, .. } = &fixture().await;
    let file = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nEND:VTIMEZONE\r\n\
                BEGIN:VEVENT\r\nUID:a/b\r\nDTSTART;TZID=Own:20240601T100000\r\nEND:VEVENT\r\n\
                BEGIN:VEVENT\r\nUID:c\r\nDTSTART:20240602T100000Z\r\nEND:VEVENT\r\n\
                BEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let done = calendars.bring_in("calendar", file.into()).await.expect("a calendar");
    let refused = vec![("t".to_owned(), Refusal::Kind(ItemKind::Todo))];
    assert_eq!(done, BroughtIn { stored: 2, unchanged: 0, refused: refused.clone() });
    let again = calendars.bring_in("calendar", file.into()).await.expect("a calendar");
    assert_eq!(again, BroughtIn { stored: 0, unchanged: 2, refused });
    // One that a program has stored under a name of its own is still that one.
    put(calendars, "calendar", "own.ics", &event("d", "DTSTART:20240603T100000Z")).await;
    let changed = file.replace("UID:c", "UID:d");
    assert_eq!(calendars.bring_in("calendar", changed.into()).await.expect("a calendar").stored, 1);
    let kept = calendars.find("calendar").await.expect("there");
    assert!(calendars.item(kept.id, "own.ics").await.is_ok());

    let mut out = calendars.take_out("calendar").await.expect("there");
    let mut text = Vec::new();
    while let Some(piece) = out.next().await.expect("read") {
        text.extend_from_slice(&piece);
    }
    let text = String::from_utf8(text).expect("text");
    let count = |line: &str| text.matches(line).count();
    assert_eq!((count("BEGIN:VCALENDAR"), count("BEGIN:VTIMEZONE"), count("BEGIN:VEVENT")), (1, 1, 3));
    assert!(text.ends_with("END:VCALENDAR\r\n"));

    let cards = "BEGIN:VCARD\nVERSION:3.0\nFN:A\nEND:VCARD\nBEGIN:VCARD\nVERSION:2.1\nFN:B\nEND:VCARD\n";
    let done = books.bring_in("contacts", cards.into()).await.expect("cards");
    assert_eq!((done.stored, done.refused.len()), (1, 1));
    assert!(matches!(books.bring_in("contacts", "no card".into()).await, Err(Error::Invalid(_))));
}

/// RFC 6578 §3.5: a renamed item is told of as one that has gone and one that has come, also where a page
/// ends between the two.
#[tokio::test]
async fn a_rename_is_whole_at_the_end_of_a_page() {
    let Fixture { calendars, .. } = &fixture().await;
    put(calendars, "calendar", "a.ics", &event("a", "DTSTART:20240601T100000Z")).await;
    put(calendars, "calendar", "z.ics", &event("z", "DTSTART:20240601T100000Z")).await;
    let calendar = calendars.find("calendar").await.expect("there");
    let before = calendars.changes(calendar.id, None, 100).await.expect("known").state;
    let moved = calendars
        .move_item(("calendar", "a.ics"), ("calendar", "b.ics"), Overwrite::Refuse, Vec::new())
        .await;
    assert!(matches!(moved, Ok(PutOutcome::Stored(_))));
    put(calendars, "calendar", "z.ics", &event("z", "DTSTART:20240602T100000Z")).await;
    let (mut state, mut told) = (before, Vec::new());
    loop {
        let page = calendars.changes(calendar.id, Some(state), 1).await.expect("known");
        told.extend(page.changes.into_iter().map(|change| (change.name, change.item.is_some())));
        state = page.state;
        if !page.has_more {
            break;
        }
    }
    told.sort();
    let expected = [("a.ics", false), ("b.ics", true), ("z.ics", true)];
    assert_eq!(told, expected.map(|(name, is_there)| (name.to_owned(), is_there)));
}

/// RFC 4791 §5.3.2.1: what has another UID is another object; and what no report could show is not taken.
#[tokio::test]
async fn what_would_be_lost_is_refused() {
    let Fixture { calendars, address_books, .. } = &fixture().await;
    put(calendars, "calendar", "a.ics", &event("a", "DTSTART:20240601T100000Z")).await;
    let other = event("b", "DTSTART:20240601T100000Z");
    assert_eq!(refusal(calendars, "calendar", "a.ics", &other).await, Refusal::UidChanged);
    // A card that had none may get one.
    let nameless = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nEND:VCARD\r\n";
    put(address_books, "contacts", "a.vcf", nameless).await;
    put(address_books, "contacts", "a.vcf", &card("1", "A")).await;
    let latin = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:M\xfcller\r\nEND:VCARD\r\n".to_vec();
    let put = address_books.put("contacts", "l.vcf", latin.into(), Vec::new()).await.expect("asked");
    assert!(matches!(put, PutOutcome::Refused(Refusal::NotCard(_))));
    let alarms = "BEGIN:VALARM\r\nEND:VALARM\r\n".repeat(5_001);
    let many = event("many", &format!("DTSTART:20240601T100000Z\r\n{}", alarms.trim_end()));
    assert!(matches!(refusal(calendars, "calendar", "m.ics", &many).await, Refusal::NotOneObject(_)));
}

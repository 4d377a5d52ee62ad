//! Guests without a calendar program answer on a page whose address is in the mail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub::schedule::{ScheduleOutcome, ScheduleRequest};
use hub::{Account, Address, MailboxId};

use crate::world::{ALICE, BOB, World};

/// Nobody's own address: it gets mail, which ends up with Bob.
const GUEST: &str = "guest@example.org";

fn meeting(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:m\r\nDTSTAMP:20240101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20900601T100000\r\nSUMMARY:<b>Plans\r\nLOCATION:Room 5\r\n\
         ORGANIZER:mailto:{ALICE}\r\nATTENDEE:mailto:{ALICE}\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(account: &Account, text: String) {
    let calendars = account.calendars();
    let put = calendars.put_scheduled("calendar", "m.ics", text.into(), ScheduleRequest::default());
    assert!(matches!(put.await, Ok(ScheduleOutcome::Stored { .. })));
}

/// Alice's copy, unfolded.
async fn copy(account: &Account) -> String {
    let calendars = account.calendars();
    let calendar = calendars.find("calendar").await.expect("there");
    let item = calendars.item(calendar.id, "m.ics").await.expect("there");
    let data = calendars.contents(&[item.id]).await.expect("read").remove(0).1;
    String::from_utf8(data.to_vec()).expect("text").replace("\r\n ", "")
}

async fn messages(account: &Account) -> usize {
    let inbox = account.schedule_inbox();
    let found = inbox.find("inbox").await.expect("there");
    inbox.items(found.id, "").await.expect("read").len()
}

/// The path of the page, out of the mail.
async fn invited(world: &World) -> String {
    let bob = world.account(BOB).await;
    let mailbox = bob.messages().open(MailboxId::INBOX).await.expect("opens");
    let email = mailbox.snapshot().last().expect("a mail").email;
    let message = bob.messages().fetch(&[email]).await.expect("read").remove(0).expect("there");
    let opened = bob.messages().open_message(&message).await.expect("opens");
    let mail = String::from_utf8(opened.read(0..message.size()).await.expect("read").to_vec()).expect("text");
    let note = mail.split("text/plain").nth(1).expect("a note");
    let note = note.split("\r\n\r\n").nth(1).expect("a body").split("--").next().expect("its end");
    let note = STANDARD.decode(note.replace("\r\n", "")).expect("base64");
    let note = String::from_utf8(note).expect("text");
    let (_, rest) = note.split_once("Answer here: https://example.org").unwrap_or_else(|| panic!("{note}"));
    rest.lines().next().expect("a path").to_owned()
}

async fn world() -> (World, Account, String) {
    let world = World::new().await;
    let address = |text| Address::parse(text).expect("an address");
    world.hub.add_alias(&address("*@example.org"), &address(BOB)).await.expect("made");
    let alice = world.account(ALICE).await;
    put(&alice, meeting(&format!("ATTENDEE:mailto:{GUEST}\r\n"))).await;
    let path = invited(&world).await;
    (world, alice, path)
}

#[tokio::test]
async fn a_guest_answers_and_changes_its_mind() {
    let (world, alice, path) = world().await;
    let before = copy(&alice).await;
    // Filters and programs look at every address in a mail.
    for method in ["GET", "HEAD"] {
        assert_eq!(world.send(method, &path, &[], "").await.status, 200);
    }
    let page = world.get(&path, "").await;
    for words in
        ["&lt;b&gt;Plans", "Thu, 1 Jun 2090, 10:00 Europe/Berlin", "Room 5", ALICE, "not answered yet"]
    {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert_eq!((copy(&alice).await, messages(&alice).await), (before, 0));

    for (choice, status, said) in [
        ("accept", "ACCEPTED", "You have accepted."),
        ("accept", "ACCEPTED", "You have accepted."),
        ("decline", "DECLINED", "You have declined."),
    ] {
        let done = world.post(&path, "", &format!("answer={choice}")).await;
        assert_eq!((done.status, done.field("location")), (303, path.as_str()));
        let copy = copy(&alice).await;
        assert!(copy.contains(&format!("PARTSTAT={status};")), "{copy}");
        assert!(world.get(&path, "").await.text().contains(said));
    }
    assert_eq!(messages(&alice).await, 2, "the same again is no news");
}

#[tokio::test]
async fn nobody_answers_for_others() {
    let (world, alice, path) = world().await;
    let before = copy(&alice).await;
    for (fields, status) in
        [(&[("origin", "https://evil.test")][..], 403), (&[], 403), (&[("origin", "https://hub.test")], 400)]
    {
        let form = if status == 400 { "answer=maybe" } else { "answer=accept" };
        assert_eq!(world.send("POST", &path, fields, form).await.status, status);
    }
    assert_eq!(world.send("DELETE", &path, &[], "").await.status, 405);
    // Another meeting, another guest, another seal, and nothing of the kind.
    for at in [15, 24, 40, path.len() - 2] {
        let mut forged = path.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        assert_eq!(world.get(&forged, "").await.status, 404, "{forged}");
        assert_eq!(world.post(&forged, "", "answer=accept").await.status, 404);
    }
    for path in ["/rsvp/", "/rsvp/x", "/rsvp/%00", "/rsvp/../files/"] {
        assert_eq!(world.get(path, "").await.status, 404, "{path}");
    }
    assert_eq!(copy(&alice).await, before);
}

#[tokio::test]
async fn what_is_over_or_cancelled_is_not_answered() {
    let guest = format!("ATTENDEE:mailto:{GUEST}\r\n");
    for change in [
        meeting(""),
        meeting(&guest).replace("2090", "1990"),
        meeting(&format!("STATUS:CANCELLED\r\n{guest}")),
    ] {
        let (world, alice, path) = world().await;
        put(&alice, change).await;
        assert_eq!(world.get(&path, "").await.status, 404);
        assert_eq!(world.post(&path, "", "answer=accept").await.status, 404);
        assert_eq!(messages(&alice).await, 0);
    }
    let (world, alice, path) = world().await;
    alice
        .calendars()
        .remove_scheduled("calendar", "m.ics", ScheduleRequest::default())
        .await
        .expect("removed");
    assert_eq!(world.get(&path, "").await.status, 404);
}

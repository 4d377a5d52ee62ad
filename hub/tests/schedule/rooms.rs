//! Rooms accept when they are free.

use super::*;
use hub::rooms::*;

const ROOM: &str = "ATTENDEE;CUTYPE=ROOM:mailto:big@example.org\r\n";

async fn fixture_with_room() -> Fixture {
    let fixture = fixture().await;
    fixture.hub.add_room(&address("big@example.org"), RoomKind::Room, "Big room").await.expect("made");
    fixture
}

/// From ten o'clock of that day on, of that twin.
fn at(owner: &str, uid: &str, day: u8, hours: u8) -> String {
    meeting(ROOM)
        .replace("alice@", &format!("{owner}@"))
        .replace("UID:meeting", &format!("UID:{uid}"))
        .replace("20900601T100000Z", &format!("209006{day:02}T100000Z"))
        .replace("20900601T110000Z", &format!("209006{day:02}T{}0000Z", 10 + hours))
}

/// What a room has answered, in the organizer's copy.
async fn answer(hub: &Hub, account: &Account, name: &str) -> String {
    hub.carry_messages().await.expect("carried");
    let items = all(&account.calendars(), "calendar").await;
    let (_, text) = items.into_iter().find(|(item, _)| item.name == name).expect("there");
    let line = text.lines().find(|line| line.contains("big@")).expect("invited");
    let (_, rest) = line.split_once("PARTSTAT=").unwrap_or(("", "none;"));
    rest.split([';', ':']).next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn they_accept_what_finds_them_free_and_decline_the_rest() {
    let Fixture { hub, alice, bob, .. } = &fixture_with_room().await;
    put(alice, "m.ics", &at("alice", "m", 1, 2)).await;
    assert_eq!(answer(hub, alice, "m.ics").await, "ACCEPTED");
    put(bob, "b.ics", &at("bob", "b", 1, 1)).await;
    assert_eq!(answer(hub, bob, "b.ics").await, "DECLINED");
    // Its own meeting is not in its own way.
    put(alice, "m.ics", &at("alice", "m", 1, 3)).await;
    assert_eq!(answer(hub, alice, "m.ics").await, "ACCEPTED");
    let series = at("bob", "s", 2, 1).replace("SUMMARY", "RRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY");
    put(bob, "s.ics", &series).await;
    assert_eq!(answer(hub, bob, "s.ics").await, "ACCEPTED");
    put(alice, "later.ics", &at("alice", "later", 4, 1)).await;
    assert_eq!(answer(hub, alice, "later.ics").await, "DECLINED", "the third of the series");
    // What it has declined takes no time.
    alice
        .calendars()
        .remove_scheduled("calendar", "m.ics", ScheduleRequest::default())
        .await
        .expect("removed");
    put(bob, "b.ics", &at("bob", "b", 1, 2)).await;
    assert_eq!(answer(hub, bob, "b.ics").await, "ACCEPTED");
}

#[tokio::test]
async fn of_two_at_the_same_time_one_gets_it() {
    let Fixture { hub, alice, bob, .. } = &fixture_with_room().await;
    for day in 1..=8 {
        let name = format!("{day}.ics");
        let (a, b) = (at("alice", &format!("a{day}"), day, 1), at("bob", &format!("b{day}"), day, 1));
        tokio::join!(put(alice, &name, &a), put(bob, &name, &b));
        let mut answers = [answer(hub, alice, &name).await, answer(hub, bob, &name).await];
        answers.sort();
        assert_eq!(answers, ["ACCEPTED", "DECLINED"], "{day}");
    }
}

#[tokio::test]
async fn nobody_is_in_them() {
    let Fixture { hub, alice, .. } = &fixture_with_room().await;
    for secret in ["", "big"] {
        let refused = hub.login("big@example.org", &Secret::new(secret), Door::Dav).await;
        assert!(matches!(refused, Err(Error::BadCredentials)));
    }
    let rooms = alice.rooms().await.expect("read");
    assert_eq!(rooms.len(), 1);
    assert_eq!((rooms[0].user_type(), rooms[0].name.as_str()), ("ROOM", "Big room"));
    for (name, handle) in [("", "x@example.org"), ("a\nb", "x@example.org"), ("x", "x@elsewhere.org")] {
        assert!(hub.add_room(&address(handle), RoomKind::Resource, name).await.is_err(), "{name} {handle}");
    }
    let twin = hub.remove_room(alice.handle()).await;
    assert!(matches!(twin, Err(Error::NotFound("room"))));
    hub.remove_room(&address("big@example.org")).await.expect("removed");
    assert_eq!(alice.rooms().await.expect("read"), []);
}

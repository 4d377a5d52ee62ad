//! Alarms by mail, at moments that the test names.

use super::*;

/// 2090-06-01 10:00 UTC, when the meeting begins.
const START: i64 = 3_799_994_400;
const MINUTE: i64 = 60;

fn event(lines: &str, alarms: &[&str]) -> String {
    let alarms: String = alarms
        .iter()
        .map(|alarm| format!("BEGIN:VALARM\r\nACTION:EMAIL\r\n{alarm}\r\nEND:VALARM\r\n"))
        .collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Wake up\r\n\
         {lines}\r\n{alarms}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const AT_TEN: &str = "DTSTART:20900601T100000Z";

async fn mails(account: &Account) -> u32 {
    account.messages().open(MailboxId::INBOX).await.expect("opens").snapshot().len()
}

async fn ring(hub: &Hub, at: i64) {
    hub.ring_alarms(at).await.expect("rung");
}

#[tokio::test]
async fn each_rings_once_across_nodes_and_restarts() {
    let Fixture { hub, storage, alice, bob, directory } = fixture().await;
    put(&alice, "a.ics", &event(AT_TEN, &["TRIGGER:-PT15M", "TRIGGER:-PT10M"])).await;
    ring(&hub, START - 15 * MINUTE - 1).await;
    assert_eq!(mails(&alice).await, 0, "too early");
    let other = Hub::open(storage.clone(), Settings::default()).await.expect("a second node");
    tokio::join!(ring(&hub, START - 15 * MINUTE), ring(&other, START - 15 * MINUTE));
    ring(&other, START - 15 * MINUTE + 1).await;
    drop((other, alice, bob, hub));
    storage.close().await;
    drop(storage);
    let (_, hub) = open(&directory).await;
    let alice = login(&hub, "alice").await;
    ring(&hub, START - 14 * MINUTE).await;
    assert_eq!(mails(&alice).await, 1);
    // The hub did not run when the second was due.
    ring(&hub, START + 60 * MINUTE).await;
    ring(&hub, START + 61 * MINUTE).await;
    assert_eq!(mails(&alice).await, 2);
}

#[tokio::test]
async fn what_rings_within_a_minute_is_one_mail() {
    let Fixture { hub, alice, .. } = &fixture().await;
    put(alice, "a.ics", &event(&format!("{AT_TEN}\r\nRRULE:FREQ=SECONDLY"), &["TRIGGER:PT0S"])).await;
    for second in [0, 1, 30, 59] {
        ring(hub, START + second).await;
        assert_eq!(mails(alice).await, 1, "{second}");
    }
    ring(hub, START + MINUTE).await;
    assert_eq!(mails(alice).await, 2);
}

#[tokio::test]
async fn a_change_loses_none_and_repeats_none() {
    let Fixture { hub, alice, .. } = &fixture().await;
    put(alice, "a.ics", &event(AT_TEN, &["TRIGGER:-PT15M"])).await;
    put(alice, "a.ics", &event(AT_TEN, &["TRIGGER:-PT10M"])).await;
    ring(hub, START - 15 * MINUTE).await;
    assert_eq!(mails(alice).await, 0, "it was put off");
    ring(hub, START - 10 * MINUTE).await;
    assert_eq!(mails(alice).await, 1);
    put(alice, "b.ics", &event("DTSTART:20900602T100000Z", &["TRIGGER:-PT15M"]).replace("UID:a", "UID:b"))
        .await;
    alice.calendars().remove_item("calendar", "b.ics", Vec::new()).await.expect("removed");
    ring(hub, START + 24 * 60 * MINUTE).await;
    assert_eq!(mails(alice).await, 1);
}

#[tokio::test]
async fn days_are_those_of_the_calendar() {
    let Fixture { hub, alice, .. } = &fixture().await;
    let zone = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Etc/GMT-2\r\nBEGIN:STANDARD\r\n\
                DTSTART:19700101T000000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\n\
                END:VTIMEZONE\r\nEND:VCALENDAR\r\n";
    let patch = CollectionPatch { time_zone: Some(zone.to_owned()), ..CollectionPatch::default() };
    let calendars = alice.calendars();
    calendars.find("calendar").await.expect("made");
    calendars.update("calendar", patch).await.expect("updated");
    // Two hours east of Greenwich, noon of that day is 10:00 UTC.
    put(alice, "a.ics", &event("DTSTART;VALUE=DATE:20900601", &["TRIGGER:PT12H"])).await;
    ring(hub, START - 1).await;
    assert_eq!(mails(alice).await, 0);
    ring(hub, START).await;
    assert_eq!(mails(alice).await, 1);
    ring(hub, START + 24 * 60 * MINUTE).await;
    assert_eq!(mails(alice).await, 1);
}

#[tokio::test]
async fn a_full_mailbox_gets_none_and_holds_up_nobody() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    put(alice, "a.ics", &event(AT_TEN, &["TRIGGER:-PT15M"])).await;
    put(bob, "b.ics", &event(AT_TEN, &["TRIGGER:-PT14M"])).await;
    hub.set_quota(alice.handle(), Some(1)).await.expect("set");
    ring(hub, START).await;
    assert_eq!((mails(alice).await, mails(bob).await), (0, 1));
    hub.set_quota(alice.handle(), None).await.expect("set");
    ring(hub, START + MINUTE).await;
    assert_eq!(mails(alice).await, 0);
}

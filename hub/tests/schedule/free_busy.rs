//! When others are busy (RFC 6638 §5).

use super::*;

fn ask(organizer: &str, attendees: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:f\r\nDTSTART:20900601T000000Z\r\n\
         DTEND:20900602T000000Z\r\nORGANIZER:mailto:{organizer}\r\n{attendees}END:VFREEBUSY\r\n\
         END:VCALENDAR\r\n"
    )
}

const BOB_TOO: &str = "ATTENDEE;CN=B:mailto:bob@example.org\r\n";

async fn answers(account: &Account, question: String) -> Vec<RecipientBusy> {
    match account.post_to_outbox(question.into()).await.expect("asked") {
        FreeBusyOutcome::Answered(answers) => answers,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn others_are_told_when_and_nothing_else() {
    let Fixture { alice, bob, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(BOB)).await;
    let forged = alice.post_to_outbox(ask("bob@example.org", BOB_TOO).into()).await.expect("asked");
    assert_eq!(forged, FreeBusyOutcome::NotOwn);
    let answered = async || {
        let mut answers = answers(alice, ask("alice@example.org", BOB_TOO)).await;
        answers.remove(0).object.expect("an answer")
    };
    let text = answered().await;
    for words in [
        "METHOD:REPLY\r\n",
        "UID:f\r\n",
        "ATTENDEE;CN=B:mailto:bob@example.org\r\n",
        "FREEBUSY;FBTYPE=BUSY:20900601T100000Z/20900601T110000Z\r\n",
    ] {
        has(&text, words);
    }
    assert!(!text.contains("Plans"), "{text}");
    let long = ask("alice@example.org", BOB_TOO).replace("DTEND:2090", "DTEND:2092");
    assert!(matches!(alice.post_to_outbox(long.into()).await, Err(Error::Limit(_))));
    let hidden = CollectionPatch { is_transparent: Some(true), ..CollectionPatch::default() };
    bob.calendars().update("calendar", hidden).await.expect("updated");
    assert!(!answered().await.contains("FREEBUSY;"));
}

#[tokio::test]
async fn a_twin_says_who_may_ask() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    let status = async || answers(alice, ask("alice@example.org", BOB_TOO)).await.remove(0).status;
    assert_eq!(status().await, "2.0;Success");
    hub.set_free_busy_access(bob.handle(), FreeBusyAccess::Nobody).await.expect("set");
    assert_eq!(status().await, "3.8;No authority");
    let own = answers(bob, ask("bob@example.org", BOB_TOO)).await.remove(0);
    assert_eq!(own.status, "2.0;Success", "of itself");
    hub.set_free_busy_access(bob.handle(), FreeBusyAccess::Known).await.expect("set");
    assert_eq!(hub.free_busy_access(bob.handle()).await.expect("read"), FreeBusyAccess::Known);
    assert_eq!(status().await, "3.8;No authority", "he has never written to her");
    hub.set_free_busy_access(bob.handle(), FreeBusyAccess::Everybody).await.expect("set");
    assert_eq!(status().await, "2.0;Success");
}

#[tokio::test]
async fn who_is_busy_too_often_keeps_no_answer_from_others() {
    let Fixture { alice, bob, .. } = &fixture().await;
    // Three times an hour for more than a year.
    for minute in [0, 20, 40] {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{minute}\r\n\
             DTSTART:20900101T00{minute:02}00Z\r\nDURATION:PT5M\r\nRRULE:FREQ=HOURLY\r\nEND:VEVENT\r\n\
             END:VCALENDAR\r\n"
        );
        put(bob, &format!("{minute}.ics"), &text).await;
    }
    let both = format!("{BOB_TOO}ATTENDEE:mailto:alice@example.org\r\n");
    let long = ask("alice@example.org", &both).replace("DTEND:20900602", "DTEND:20910601");
    let answers = answers(alice, long).await;
    let statuses: Vec<_> = answers.iter().map(|answer| (answer.status, answer.object.is_some())).collect();
    assert_eq!(statuses, [("5.1;Busy too often; ask for less time", false), ("2.0;Success", true)]);
}

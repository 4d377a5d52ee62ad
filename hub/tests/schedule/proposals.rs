//! What no change of a copy can say (RFC 5546 §3.2.6 to §3.2.8): it is posted to an outbox.

use super::*;

/// RFC 5546 §4.2.4, with names of ours.
fn counter(who: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//ABC Corporation//NONSGML My Product//EN\r\nMETHOD:COUNTER\r\nVERSION:2.0\r\n\
         BEGIN:VEVENT\r\nORGANIZER:mailto:alice@example.org\r\nATTENDEE;RSVP=TRUE:mailto:{who}\r\n\
         DTSTART:20900601T160000Z\r\nDTEND:20900601T170000Z\r\n{lines}DTSTAMP:19970612T190000Z\r\n\
         SUMMARY:Plans\r\nUID:meeting\r\nCOMMENT:This time works much better\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn post(account: &Account, text: String) -> FreeBusyOutcome {
    account.post_to_outbox(text.into()).await.expect("posted")
}

fn success(recipient: &str) -> FreeBusyOutcome {
    FreeBusyOutcome::Answered(vec![RecipientBusy {
        recipient: recipient.into(),
        status: "2.0;Success",
        object: None,
    }])
}

/// Texts of the messages in INBOX.
async fn mails(account: &Account) -> Vec<String> {
    let messages = account.messages();
    let mailbox = messages.open(MailboxId::INBOX).await.expect("opens");
    let mut texts = Vec::new();
    let emails: Vec<_> = mailbox.snapshot().iter().map(|record| record.email).collect();
    for message in messages.fetch(&emails).await.expect("read").into_iter().flatten() {
        let opened = messages.open_message(&message).await.expect("opens");
        let bytes = opened.read(0..message.size()).await.expect("read");
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    texts
}

#[tokio::test]
async fn rfc5546_4_2_4_a_counter_proposal_is_in_the_inbox_and_a_mail() {
    let Fixture { alice, bob, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(BOB)).await;
    let before = only(alice).await;
    assert_eq!(post(bob, counter("bob@example.org", "")).await, success("mailto:alice@example.org"));
    let inbox = all(&alice.schedule_inbox(), "inbox").await;
    assert_eq!(inbox.len(), 1);
    has(&inbox[0].1, "METHOD:COUNTER\r\n");
    has(&inbox[0].1, "DTSTART:20900601T160000Z\r\n");
    assert_eq!(only(alice).await, before, "that is for a person to decide on");
    let mail = mails(alice).await;
    assert_eq!(mail.len(), 1);
    has(&mail[0], "From: <bob@example.org>\r\n");
    has(&mail[0], "Subject: Another proposal: Plans\r\n");
    has(&mail[0], "method=COUNTER");

    // RFC 5546 §3.2.8
    let declined = counter("bob@example.org", "").replace("COUNTER", "DECLINECOUNTER");
    assert_eq!(post(alice, declined).await, success("mailto:bob@example.org"));
    let inbox = all(&bob.schedule_inbox(), "inbox").await;
    assert_eq!(inbox.iter().filter(|(_, text)| text.contains("METHOD:DECLINECOUNTER")).count(), 1);
    has(&mails(bob).await.pop().expect("a mail"), "Subject: Proposal declined: Plans\r\n");
}

#[tokio::test]
async fn rfc5546_3_2_6_a_refresh_is_answered() {
    let Fixture { alice, bob, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(BOB)).await;
    // Bob's copy is behind, whatever the reason.
    let (item, text) = only(bob).await;
    let behind = text.replace("SUMMARY:Plans", "SUMMARY:Old plans");
    bob.calendars().put("calendar", &item.name, behind.into(), Vec::new()).await.expect("put");
    let refresh = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REFRESH\r\nBEGIN:VEVENT\r\nUID:meeting\r\n\
                   DTSTAMP:19970603T094000Z\r\nORGANIZER:mailto:alice@example.org\r\n\
                   ATTENDEE:mailto:bob@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    assert_eq!(post(bob, refresh.into()).await, success("mailto:alice@example.org"));
    bob.hub().carry_messages().await.expect("carried");
    has(&only(bob).await.1, "SUMMARY:Plans\r\n");
    assert_eq!(mails(alice).await.len(), 0, "nobody has to decide anything");
}

#[tokio::test]
async fn nobody_proposes_in_the_name_of_others_or_about_nothing() {
    let Fixture { hub, alice, bob, .. } = &fixture().await;
    put(alice, "m.ics", &meeting(&format!("{BOB}{GUEST}"))).await;
    let queued = async || hub.queue(&QueueFilter::default()).await.expect("read").len();
    let before = queued().await;
    assert_eq!(post(bob, counter("guest@example.com", "")).await, FreeBusyOutcome::NotOwn);
    for (from, to) in [
        ("UID:meeting", "UID:other"),
        ("ORGANIZER:mailto:alice@example.org", "ORGANIZER:mailto:victim@example.com"),
    ] {
        let text = counter("bob@example.org", "").replace(from, to);
        assert!(matches!(post(bob, text).await, FreeBusyOutcome::NotUnderstood(_)), "{to}");
    }
    let declined = counter("victim@example.com", "").replace("COUNTER", "DECLINECOUNTER");
    assert!(matches!(post(alice, declined).await, FreeBusyOutcome::NotUnderstood(_)));
    assert_eq!((queued().await, mails(alice).await.len()), (before, 0));
    // Whom a guest may tell of another time, it may: by mail.
    let declined = counter("guest@example.com", "").replace("COUNTER", "DECLINECOUNTER");
    assert_eq!(post(alice, declined).await, success("mailto:guest@example.com"));
    assert_eq!(queued().await, before + 1);
}

//! LMTP (RFC 2033): mail from a server that stands in front of the hub.

use crate::harness::{ALICE, BOB, Hub, message, wait_until};
use crate::postfix::Postfix;
use crate::smtp_client::Smtp;

/// Debian's Postfix delivers to who is there, bounces who is not, and keeps what a full mailbox cannot
/// take until it can.
#[test]
fn rfc2033_postfix_delivers() {
    if !Postfix::is_installed() {
        return;
    }
    let hub = Hub::start();
    let postfix = Postfix::start(&format!(
        "virtual_mailbox_domains = hub.test\nvirtual_transport = lmtp:inet:127.0.0.1:{}\n",
        hub.ports().lmtp
    ));
    hub.admin(&["twin", "quota", BOB, "1 KiB"]);
    let sent = message("sender@hub.test", ALICE, "by way of Postfix", &"One line.\r\n..\r\n".repeat(200));
    let mut smtp = Smtp::connect(postfix.port());
    smtp.ehlo();
    smtp.send(ALICE, &[ALICE, BOB, "nobody@hub.test", "alice+lists@hub.test"], &sent).expect_code(250);
    smtp.quit();

    // Two addresses of alice, and the bounce: nothing arrives any more while her mail is read.
    wait_until("three deliveries", || (postfix.log().matches("status=sent").count() == 3).then_some(()));
    let kept = hub.arrived(ALICE, "by way of Postfix");
    assert!(kept.ends_with(&sent), "{}", String::from_utf8_lossy(&kept));
    let text = String::from_utf8_lossy(&kept);
    assert!(text.contains(" with LMTP id "), "RFC 3848: {text}");
    assert!(text.contains("by postfix.test (Postfix)"), "{text}");
    hub.arrived(ALICE, "Undelivered Mail Returned to Sender");
    assert!(postfix.log().contains("said: 550 5.1.1"), "{}", postfix.log());
    let waiting = postfix.queue();
    assert!(waiting.contains(BOB) && waiting.contains("452 4.2.2"), "{waiting}");
    assert!(
        !waiting.contains(ALICE.trim_end_matches('>')) || waiting.matches(ALICE).count() == 1,
        "{waiting}"
    );

    hub.admin(&["twin", "quota", BOB, "unlimited"]);
    postfix.flush();
    assert!(hub.arrived(BOB, "by way of Postfix").ends_with(&sent));
    wait_until("an empty queue", || postfix.queue().contains("Mail queue is empty").then_some(()));
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert_eq!(imap.search("SUBJECT \"by way of Postfix\"").len(), 1, "two addresses, one mailbox");
}

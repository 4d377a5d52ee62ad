//! SEARCH: every key against a mailbox whose answers are known.

use crate::harness::{ALICE, Database, Hub};
use crate::on_both_databases;

on_both_databases!(rfc3501_6_4_4_search_keys);

fn rfc3501_6_4_4_search_keys(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = hub.imap(ALICE);
    let dated = |day: &str, size: usize, subject: &str, more: &str, body: &str| {
        format!(
            "From: Ann <ann@x.test>\r\nTo: Bob Builder <bob@hub.test>\r\nCc: carol@hub.test\r\nSubject: {subject}\r\n\
             Date: {day} 23:30:00 -0500\r\n{more}\r\n{body}{}",
            "x\r\n".repeat(size / 3)
        )
    };
    let one = dated("Thu, 05 Mar 2026", 0, "Invoice 17", "X-Tag: blue\r\n", "the quick brown fox\r\n");
    let two = dated(
        "Fri, 06 Mar 2026",
        3000,
        "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=",
        "Bcc: d@hub.test\r\n",
        "",
    );
    let three = dated(
        "Sat, 07 Mar 2026",
        0,
        "three",
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
        "ZGVyIHNjaG5lbGxlIGJyYXVuZSBGdWNocw==\r\n",
    );
    imap.append("INBOX", "(\\Seen \\Answered) \"05-Mar-2026 10:00:00 +0000\" ", one.as_bytes());
    imap.append("INBOX", "(\\Flagged Work) \"06-Mar-2026 10:00:00 +0000\" ", two.as_bytes());
    imap.append("INBOX", "(\\Draft) \"07-Mar-2026 10:00:00 +0000\" ", three.as_bytes());
    imap.append("INBOX", "(\\Deleted) \"08-Mar-2026 10:00:00 +0000\" ", b"Subject: gone\r\n\r\nfox\r\n");
    imap.ok("SELECT INBOX");
    imap.ok("STORE 4 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.append("INBOX", "\"08-Mar-2026 10:00:00 +0000\" ", b"\r\nno header at all\r\n");

    for (criteria, expected) in [
        ("ALL", &[1, 2, 3, 5][..]),
        ("ANSWERED", &[1]),
        ("UNANSWERED", &[2, 3, 5]),
        ("SEEN", &[1]),
        ("UNSEEN", &[2, 3, 5]),
        ("FLAGGED", &[2]),
        ("UNFLAGGED", &[1, 3, 5]),
        ("DRAFT", &[3]),
        ("UNDRAFT", &[1, 2, 5]),
        ("DELETED", &[]),
        ("UNDELETED", &[1, 2, 3, 5]),
        ("KEYWORD work", &[2]),
        ("UNKEYWORD Work", &[1, 3, 5]),
        ("KEYWORD NeverUsed", &[]),
        ("OLD", &[1, 2, 3, 5]),
        ("SUBJECT invoice", &[1]),
        ("SUBJECT voic", &[1]),
        ("CHARSET UTF-8 SUBJECT {6+}\r\nGrüß", &[2]),
        ("CHARSET UTF-8 SUBJECT \"aus k\u{f6}ln\"", &[2]),
        ("FROM ann", &[1, 2, 3]),
        ("FROM \"Ann <ann@\"", &[1, 2, 3]),
        ("TO builder", &[1, 2, 3]),
        ("CC carol", &[1, 2, 3]),
        ("BCC d@", &[2]),
        ("HEADER X-Tag \"\"", &[1]),
        ("HEADER X-Tag BLU", &[1]),
        ("HEADER X-Tag red", &[]),
        ("BODY \"quick brown\"", &[1]),
        ("BODY uick", &[1]),
        ("BODY invoice", &[]),
        ("BODY \"schnelle braune\"", &[3]),
        ("BODY header", &[5]),
        ("TEXT invoice", &[1]),
        ("TEXT blue", &[1]),
        ("TEXT fuchs", &[3]),
        ("LARGER 2000", &[2]),
        ("SMALLER 50", &[5]),
        ("BEFORE 6-Mar-2026", &[1]),
        ("ON 6-Mar-2026", &[2]),
        ("SINCE 6-Mar-2026", &[2, 3, 5]),
        ("SINCE \"06-Mar-2026\"", &[2, 3, 5]),
        // SENT… compares the date as written, whatever its zone says.
        ("SENTON 5-Mar-2026", &[1]),
        ("SENTBEFORE 7-Mar-2026", &[1, 2]),
        // Without a Date the message counts as sent when it arrived (RFC 5256 §2.2).
        ("SENTSINCE 7-Mar-2026", &[3, 5]),
        ("1:2", &[1, 2]),
        ("4", &[5]),
        ("UID 4:*", &[5]),
        ("UID 1,3", &[1, 3]),
        ("NOT 1:2", &[3, 5]),
        ("OR SEEN FLAGGED", &[1, 2]),
        ("OR (SEEN ANSWERED) NOT UID 1:4", &[1, 5]),
        ("(UNSEEN) (NOT FLAGGED) SINCE 7-Mar-2026", &[3, 5]),
        ("NOT NOT SEEN", &[1]),
    ] {
        assert_eq!(imap.search(criteria), expected, "{criteria}");
    }
    assert!(imap.ok("SEARCH UID 5").has("* SEARCH 4"), "SEARCH answers with sequence numbers");
    assert!(imap.no("SEARCH CHARSET X-KLINGON ALL").text.starts_with("[BADCHARSET"));
    for malformed in ["SEARCH", "SEARCH NONSENSE", "SEARCH ON 32-Foo-2026", "SEARCH OR SEEN", "SEARCH (SEEN"]
    {
        imap.bad(malformed);
    }
}

#[test]
fn rfc4731_esearch() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    for flags in ["", "(\\Seen) ", "(\\Seen) ", "", "(\\Seen) "] {
        imap.append("INBOX", flags, b"Subject: x\r\n\r\n");
    }
    imap.ok("SELECT INBOX");
    for (command, expected) in [
        ("SEARCH RETURN (MIN MAX COUNT ALL) SEEN", "MIN 2 MAX 5 COUNT 3 ALL 2:3,5"),
        ("SEARCH RETURN () SEEN", "ALL 2:3,5"),
        ("SEARCH RETURN (COUNT) FLAGGED", "COUNT 0"),
        ("SEARCH RETURN (MIN) FLAGGED", ""),
        ("UID SEARCH RETURN (MIN MAX) SEEN", "UID MIN 2 MAX 5"),
    ] {
        let tag = imap.next_tag();
        imap.write(format!("{tag} {command}\r\n").as_bytes());
        let reply = imap.tagged(&tag);
        reply.expect_ok();
        // New Outlook insists on the quotes.
        let expected = format!("* ESEARCH (TAG \"{tag}\") {expected}");
        assert_eq!(reply.lines(), [expected.trim_end()], "{command}");
    }
}

//! APPEND, FETCH, STORE, COPY, MOVE, EXPUNGE.

use crate::harness::{ALICE, Database, Hub, message};
use crate::imap_client::{Imap, Value};
use crate::on_both_databases;

on_both_databases!(
    rfc3501_6_4_6_store_and_keywords,
    rfc4315_copy_and_uid_expunge,
    rfc6851_move,
    rfc3502_multiappend
);

/// `INBOX` selected, with `count` messages that carry their number in the subject.
fn filled(hub: &Hub, count: usize) -> Imap {
    let mut imap = hub.imap(ALICE);
    for n in 1..=count {
        imap.append("INBOX", "", &message("a@x.test", ALICE, &format!("message {n}"), "x\r\n"));
    }
    imap.ok("SELECT INBOX");
    imap
}

fn flags(imap: &mut Imap, uid: u32) -> Vec<String> {
    imap.ok(&format!("UID FETCH {uid} (FLAGS)")).fetched()[0].flags()
}

fn rfc3501_6_4_6_store_and_keywords(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = filled(&hub, 3);
    let reply = imap.ok("STORE 1 +FLAGS (\\Seen \\Flagged)");
    assert_eq!(reply.fetched()[0].flags(), ["\\Flagged", "\\Seen"]);
    assert!(imap.ok("STORE 1 -FLAGS.SILENT (\\Seen)").fetched().is_empty());
    assert_eq!(flags(&mut imap, 1), ["\\Flagged"]);
    imap.ok("STORE 1 FLAGS (\\Answered)");
    assert_eq!(flags(&mut imap, 1), ["\\Answered"]);
    imap.ok("STORE 1 FLAGS ()");
    assert!(flags(&mut imap, 1).is_empty());

    // A new keyword is announced by FLAGS before the first FETCH that has it.
    let reply = imap.ok("UID STORE 2:3 +FLAGS (Shopping $Label1)");
    let lines = reply.lines();
    let announced = lines.iter().position(|line| line.starts_with("* FLAGS ") && line.contains("Shopping"));
    let used = lines.iter().position(|line| line.contains("FETCH") && line.contains("Shopping"));
    assert!(announced.expect("a FLAGS response") < used.expect("a FETCH response"), "{lines:?}");
    assert!(
        reply.fetched().iter().all(|fetched| fetched.find("UID").is_some()),
        "RFC 3501 §6.4.8: {reply:?}"
    );
    assert_eq!(flags(&mut imap, 2), ["$Label1", "Shopping"]);
    assert_eq!(imap.search("KEYWORD shopping"), [2, 3], "keywords know no case");
    imap.ok("COPY 2 Archive");
    imap.ok("SELECT Archive");
    assert_eq!(flags(&mut imap, 1), ["$Label1", "Shopping"], "keywords survive COPY");
    // \Recent is the server's: refused or ignored.
    imap.command("STORE 1 +FLAGS (\\Recent)");
    assert_eq!(flags(&mut imap, 1), ["$Label1", "Shopping"]);
    imap.ok("UID STORE 4711 +FLAGS (\\Seen)");
    // Half of a sequence that is out of range makes the command BAD; UIDs never do (RFC 3501 §6.4.8).
    imap.bad("STORE 7 +FLAGS (\\Seen)");
}

fn rfc4315_copy_and_uid_expunge(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = filled(&hub, 5);
    let validity = imap.ok("STATUS Archive (UIDVALIDITY)").lines().concat();
    let reply = imap.ok("UID COPY 2:3,5 Archive");
    let code = reply.code("COPYUID").expect("COPYUID");
    let mut words = code.split(' ');
    assert!(validity.contains(words.next().expect("UIDVALIDITY")), "{code}");
    assert_eq!(words.collect::<Vec<_>>(), ["2:3,5", "1:3"]);
    // UIDs that are gone are no error: a NO left ghosts on phones for weeks.
    imap.ok("UID COPY 99 Archive");
    assert!(imap.no("COPY 1 Nowhere").text.starts_with("[TRYCREATE]"));

    imap.ok("UID STORE 1,3:4 +FLAGS (\\Deleted)");
    let reply = imap.ok("UID EXPUNGE 2:3");
    assert_eq!(reply.starting("* ").iter().filter(|line| line.ends_with("EXPUNGE")).count(), 1);
    assert_eq!(imap.search("ALL"), [1, 2, 4, 5]);
    let reply = imap.ok("EXPUNGE");
    // Sequence numbers move up with each one said (RFC 3501 §7.4.1): 1 and 4 were numbers 1 and 3.
    let expunged: Vec<String> = reply.lines().into_iter().filter(|line| line.ends_with("EXPUNGE")).collect();
    assert!(
        expunged == ["* 1 EXPUNGE", "* 2 EXPUNGE"] || expunged == ["* 3 EXPUNGE", "* 1 EXPUNGE"],
        "{expunged:?}"
    );
    assert_eq!(imap.search("ALL"), [2, 5]);
    imap.ok("SELECT Archive");
    assert_eq!(imap.search("ALL"), [1, 2, 3], "copies live on");
    assert!(String::from_utf8_lossy(&imap.body(2)).contains("message 3"));

    // CLOSE expunges without a word, UNSELECT does not (RFC 3691).
    imap.ok("STORE 1:2 +FLAGS (\\Deleted)");
    imap.ok("UNSELECT");
    imap.ok("SELECT Archive");
    assert_eq!(imap.search("ALL").len(), 3);
    let reply = imap.ok("CLOSE");
    assert!(reply.untagged.is_empty(), "{reply:?}");
    imap.ok("SELECT Archive");
    assert_eq!(imap.search("ALL"), [3]);
}

fn rfc6851_move(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = filled(&hub, 4);
    imap.ok("STORE 2 +FLAGS (\\Flagged Kept)");
    let reply = imap.ok("MOVE 2:3 Archive");
    let lines = reply.lines();
    let code =
        lines.iter().position(|line| line.contains("[COPYUID ")).expect("RFC 6851 §4.3: untagged COPYUID");
    let gone = lines.iter().position(|line| line.ends_with("EXPUNGE")).expect("EXPUNGE");
    assert!(code < gone, "the COPYUID comes first: {lines:?}");
    assert!(lines[code].contains(" 2:3 1:2]"), "{}", lines[code]);
    assert_eq!(imap.search("ALL"), [1, 4]);
    imap.ok("UID MOVE 4711 Archive");
    assert!(imap.no("MOVE 1 Nowhere").text.starts_with("[TRYCREATE]"));
    imap.ok("SELECT Archive");
    assert_eq!(flags(&mut imap, 1), ["Kept", "\\Flagged"]);
    imap.ok("UID MOVE 1 Archive");
    assert_eq!(imap.search("ALL").len(), 2, "a move within the mailbox loses nothing");
}

fn rfc3502_multiappend(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = hub.imap(ALICE);
    if !imap.ok("CAPABILITY").lines()[0].contains("MULTIAPPEND") {
        return;
    }
    let reply = imap.command(
        "APPEND INBOX (\\Seen) {16+}\r\nSubject: one\r\n\r\n \"05-Mar-2021 10:11:12 +0100\" {19+}\r\nSubject: two\r\n\r\n2\r\n",
    );
    reply.expect_ok();
    assert!(reply.code("APPENDUID").expect("APPENDUID").ends_with(" 1:2"), "{reply:?}");
    imap.ok("SELECT INBOX");
    assert_eq!(flags(&mut imap, 1), ["\\Seen"]);
    assert!(flags(&mut imap, 2).is_empty());
    assert_eq!(imap.body(2), b"Subject: two\r\n\r\n2\r\n");
}

#[test]
fn rfc3501_7_4_2_fetch_items() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    let text = b"From: \"A. Lice\" <alice@hub.test>\r\nTo: Bob <bob@hub.test>, list:x@hub.test,y@hub.test;\r\n\
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Thu, 5 Mar 2026 10:11:12 +0100\r\nMessage-ID: <1@x.test>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\nzwei\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: text/html\r\n\r\n<b>in</b>\r\n--b\r\n\
        Content-Type: application/octet-stream; name=x.bin\r\nContent-Disposition: attachment; filename=x.bin\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n";
    imap.append("INBOX", "", text);
    imap.ok("SELECT INBOX");

    let reply = imap.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE RFC822.SIZE)");
    let fetched = &reply.fetched()[0];
    let envelope = fetched.item("ENVELOPE").list();
    assert_eq!(envelope.len(), 10);
    assert_eq!(envelope[0].text(), b"Thu, 5 Mar 2026 10:11:12 +0100");
    assert_eq!(envelope[1].text(), b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "RFC 2047 stays encoded");
    let from = envelope[2].list()[0].list();
    assert_eq!(
        (from[0].text(), from[2].text(), from[3].text()),
        (&b"A. Lice"[..], &b"alice"[..], &b"hub.test"[..])
    );
    assert_eq!(envelope[3], envelope[2], "Sender is From when it is missing");
    assert_eq!(envelope[4], envelope[2], "Reply-To is From when it is missing");
    assert_eq!(envelope[5].list().len(), 5, "a group is marked at both ends: {:?}", envelope[5]);
    assert_eq!(envelope[6], Value::Atom("NIL".into()));
    assert_eq!(envelope[9].text(), b"<1@x.test>");
    let structure = fetched.item("BODYSTRUCTURE").list();
    assert_eq!(structure[3].text().to_ascii_lowercase(), b"mixed");
    assert_eq!(structure[4].list()[1].text(), b"b", "clients get the boundary without parsing");
    let plain = structure[0].list();
    assert_eq!(plain[6].number(), 13, "size in bytes of the part");
    assert!((1..=2).contains(&plain[7].number()), "lines of the part: {:?}", plain[7]);
    let embedded = structure[1].list();
    assert_eq!(embedded[7].list().len(), 10, "the envelope of an embedded message");
    assert_eq!(structure[2].list()[8].list()[0].text().to_ascii_lowercase(), b"attachment");
    assert_eq!(imap.ok("FETCH 1 BODY").fetched()[0].item("BODY").list().len(), 4, "no extension data");

    let start = text.windows(8).position(|window| window == b"preamble").expect("the body");
    for (item, expected) in [
        ("BODY.PEEK[]", &text[..]),
        ("BODY.PEEK[HEADER]", &text[..start]),
        ("BODY.PEEK[TEXT]", &text[start..]),
        ("BODY.PEEK[1]", "Grüße\r\nzwei".as_bytes()),
        (
            "BODY.PEEK[1.MIME]",
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        ),
        ("BODY.PEEK[2]", b"Subject: inner\r\nContent-Type: text/html\r\n\r\n<b>in</b>"),
        ("BODY.PEEK[2.HEADER]", b"Subject: inner\r\nContent-Type: text/html\r\n\r\n"),
        ("BODY.PEEK[2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
        ("BODY.PEEK[2.TEXT]", b"<b>in</b>"),
        ("BODY.PEEK[2.1]", b"<b>in</b>"),
        ("BODY.PEEK[3]", b"AAECAw=="),
        (
            "BODY.PEEK[HEADER.FIELDS (SUBJECT message-id)]",
            b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x.test>\r\n\r\n",
        ),
        ("BODY.PEEK[HEADER.FIELDS (X-None)]", b"\r\n"),
        ("BODY.PEEK[]<0.4>", b"From"),
        ("BODY.PEEK[TEXT]<3.5>", b"amble"),
    ] {
        let reply = imap.ok(&format!("FETCH 1 ({item})"));
        let name = item.replace(".PEEK", "");
        // The answer names the origin only: <0.4> is echoed as <0>.
        let name = name
            .split_once('.')
            .filter(|_| name.ends_with('>'))
            .map_or(name.clone(), |(head, _)| format!("{head}>"));
        assert_eq!(
            String::from_utf8_lossy(reply.fetched()[0].item(&name).text()),
            String::from_utf8_lossy(expected),
            "{item}"
        );
    }
    for (item, name) in [("BODY.PEEK[]<99999.10>", "BODY[]<99999>"), ("BODY.PEEK[9]", "BODY[9]")] {
        let reply = imap.ok(&format!("FETCH 1 ({item})"));
        match reply.fetched()[0].item(name) {
            Value::Text(text) => assert!(text.is_empty(), "{item}"),
            value => assert_eq!(value, &Value::Atom("NIL".into()), "{item}"),
        }
    }
    assert!(flags(&mut imap, 1).is_empty(), "PEEK sets no flag");

    // The old names, which Outlook still uses, and macros.
    assert_eq!(imap.ok("FETCH 1 RFC822.HEADER").fetched()[0].item("RFC822.HEADER").text(), &text[..start]);
    assert!(flags(&mut imap, 1).is_empty());
    let reply = imap.ok("FETCH 1 (RFC822.TEXT)");
    assert_eq!(reply.fetched()[0].item("RFC822.TEXT").text(), &text[start..]);
    assert_eq!(flags(&mut imap, 1), ["\\Seen"]);
    assert_eq!(imap.ok("FETCH 1 RFC822").fetched()[0].item("RFC822").text(), &text[..]);
    for (macro_name, items) in [("FAST", 3), ("ALL", 4), ("FULL", 5)] {
        let reply = imap.ok(&format!("FETCH 1 {macro_name}"));
        let all = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"];
        let present = all.iter().filter(|name| reply.fetched()[0].find(name).is_some()).count();
        assert_eq!(present, items, "{macro_name}: {reply:?}");
    }
}

#[test]
fn rfc3501_6_4_5_sets_and_seen() {
    let hub = Hub::start();
    let mut imap = filled(&hub, 4);
    imap.ok("STORE 2 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    let uids = |imap: &mut Imap, command: &str| {
        let mut uids: Vec<u32> = imap.ok(command).fetched().iter().map(|fetched| fetched.uid()).collect();
        uids.sort_unstable();
        uids
    };
    for (set, expected) in [
        ("1:*", &[1, 3, 4][..]),
        ("*", &[4]),
        ("*:3", &[3, 4]),
        ("4:3,1", &[1, 3, 4]),
        ("2", &[]),
        // With n beyond the end, n:* is the last message (RFC 3501 §6.4.8).
        ("100:*", &[4]),
        ("100:200", &[]),
        ("1,1,1:1", &[1]),
    ] {
        assert_eq!(uids(&mut imap, &format!("UID FETCH {set} (UID)")), expected, "UID {set}");
    }
    assert_eq!(uids(&mut imap, "FETCH 2:3 (UID)"), [3, 4]);
    imap.bad("FETCH 9 (UID)");
    imap.bad("FETCH 0 (UID)");
    imap.bad("UID FETCH 0 (UID)");
    // BODY[] sets \Seen and says so in the same response.
    let reply = imap.ok("UID FETCH 3 (BODY[HEADER.FIELDS (SUBJECT)])");
    assert!(
        reply.fetched().iter().any(|f| f.find("FLAGS").is_some_and(|_| f.flags() == ["\\Seen"])),
        "{reply:?}"
    );
    assert!(reply.fetched().iter().all(|fetched| fetched.find("UID").is_some()), "{reply:?}");
    // EXAMINE does not.
    imap.ok("EXAMINE INBOX");
    imap.ok("UID FETCH 4 (BODY[])");
    assert!(flags(&mut imap, 4).is_empty());
}

#[test]
fn rfc3501_6_3_11_append() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    let reply = imap
        .try_append(
            "INBOX",
            "(\\Seen \\Flagged $Forwarded) \" 5-Mar-2021 10:11:12 +0100\" ",
            b"Subject: a\r\n\r\nx",
        )
        .expect("a reply");
    assert!(reply.has("* 1 EXISTS"), "of the selected mailbox, before the OK: {reply:?}");
    let reply = imap.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)");
    assert_eq!(reply.fetched()[0].flags(), ["$Forwarded", "\\Flagged", "\\Seen"]);
    assert_eq!(reply.fetched()[0].item("RFC822.SIZE").number(), 15);
    for malformed in
        ["APPEND INBOX \"32-Mar-2021 10:11:12 +0100\" {3+}\r\nabc", "APPEND INBOX {x}", "APPEND INBOX"]
    {
        assert_ne!(imap.command(malformed).status, "OK", "{malformed}");
    }
    assert_eq!(imap.search("ALL").len(), 1);
    imap.ok("NOOP");
}

//! Any bytes whatever are stored and served back; what came by SMTP has its trace in front.

use crate::harness::{ALICE, Database, Hub, Random};
use crate::imap_client::Imap;
use crate::on_both_databases;

on_both_databases!(any_bytes_come_back_by_append, any_bytes_come_back_by_smtp);

/// Messages that broke some server or client once. Names appear in failures.
fn nasty_messages() -> Vec<(&'static str, Vec<u8>)> {
    let header = b"From: <a@x.test>\r\nSubject: nasty\r\nMIME-Version: 1.0\r\n";
    let with = |rest: &[u8]| [&header[..], rest].concat();
    let mut random = Random(7);
    let noise: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    let nested = |depth: usize| {
        let mut text = header.to_vec();
        for level in 0..depth {
            text.extend_from_slice(
                format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").as_bytes(),
            );
        }
        text.extend_from_slice(b"\r\nat the bottom\r\n");
        text
    };
    vec![
        ("one byte", b"x".to_vec()),
        ("only a line break", b"\r\n".to_vec()),
        ("no header", b"\r\n\r\nbody\r\n".to_vec()),
        ("header only, no empty line", b"Subject: a".to_vec()),
        ("no line break at the end", with(b"\r\nbody")),
        ("dots", with(b"\r\n.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n")),
        ("8-bit and UTF-8", with("\r\nGrüße, 東京, \u{1f980}\r\n".as_bytes())),
        ("not UTF-8", with(b"Subject: \xff\xfe\x80\r\n\r\n\xc3\x28\xa0\xa1\r\n")),
        ("NUL bytes", with(b"X-Nul: a\0b\r\n\r\n\0\0body\0\r\n")),
        ("bare CR", with(b"\r\na\rb\r\rc\r\r\n\r")),
        ("bare LF", with(b"\r\na\nb\n\nc\n")),
        ("LF only", b"From: <a@x.test>\nSubject: unix\n\nbody\n".to_vec()),
        ("noise", noise),
        ("all control characters", with(&[b"\r\n", &(0u8..32).collect::<Vec<_>>()[..], b"\x7f\r\n"].concat())),
        ("a header line of a megabyte", with(&[b"X-Long: ", &vec![b'h'; 1 << 20][..], b"\r\n\r\nx\r\n"].concat())),
        ("a body line of a megabyte", with(&[b"\r\n", &vec![b'b'; 1 << 20][..], b"\r\n"].concat())),
        ("ten thousand header fields", with(&[&b"X-Many: x\r\n".repeat(10_000)[..], b"\r\nx\r\n"].concat())),
        ("multipart without parts", with(b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts\r\n")),
        ("multipart without boundary", with(b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n--\r\n")),
        ("unfinished multipart", with(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/pl")),
        ("nested a thousand times", nested(1000)),
        ("a boundary of regular expression", with(b"Content-Type: multipart/mixed; boundary=\"(.*)+[\"\r\n\r\n--(.*)+[\r\n\r\nx\r\n--(.*)+[--\r\n")),
        ("IMAP in the subject", with(b"Subject: {3}\r\n x) FETCH (\"\\\r\n\r\nx\r\n")),
        ("mbox line", with(b"\r\nFrom here on\r\n>From there\r\n")),
        ("64 KiB", with(&[b"\r\n", &b"0123456789abcdef0123456789abcd\r\n".repeat(2048)[..]].concat())),
    ]
}

fn ten_megabytes() -> Vec<u8> {
    let mut text = b"From: <a@x.test>\r\nSubject: big\r\n\r\n".to_vec();
    let mut random = Random(3);
    while text.len() < 10 << 20 {
        text.extend((0..900).map(|_| match random.next() as u8 {
            b'\r' | b'\n' => b'.',
            byte => byte,
        }));
        text.extend_from_slice(b"\r\n.\r\n");
    }
    text
}

fn any_bytes_come_back_by_append(database: Database) {
    let mut hub = Hub::start_on(database);
    let mut messages = nasty_messages();
    messages.push(("ten megabytes", ten_megabytes()));
    let mut imap = hub.imap(ALICE);
    for (number, (name, bytes)) in messages.iter().enumerate() {
        assert_eq!(imap.append("Archive", "", bytes) as usize, number + 1, "{name}");
    }
    verify(&mut imap, "Archive", &messages, |kept, sent| kept == sent);
    // From the disk too, and after a crash.
    hub.kill();
    hub.launch();
    verify(&mut hub.imap(ALICE), "Archive", &messages, |kept, sent| kept == sent);
}

/// RFC 5321 §2.3.8 lets a server refuse bare CR and LF; what is accepted must be kept.
fn any_bytes_come_back_by_smtp(database: Database) {
    let hub = Hub::start_on(database);
    let mut accepted = Vec::new();
    for (name, mut bytes) in nasty_messages().into_iter().chain([("ten megabytes", ten_megabytes())]) {
        // DATA ends with a line break.
        if !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        let mut smtp = hub.smtp();
        match smtp.try_send("a@x.test", &[ALICE], &bytes) {
            Ok(reply) if reply.code == 250 => accepted.push((name, bytes)),
            // Refused for good; "temporary" would make the sender try for days.
            Ok(reply) => assert!(reply.code >= 500 && refusable(&bytes), "{name}: {reply:?}"),
            Err(error) => assert!(refusable(&bytes), "{name}: {error}"),
        }
    }
    assert!(accepted.len() >= 15, "{} accepted", accepted.len());
    verify(&mut hub.imap(ALICE), "INBOX", &accepted, <[u8]>::ends_with);
}

/// Bare CR or LF, lines beyond what RFC 5321 §4.5.3.1.6 knows, a header out of all proportion.
fn refusable(bytes: &[u8]) -> bool {
    let bare = (0..bytes.len()).any(|at| match bytes[at] {
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        _ => false,
    });
    bare || bytes.split(|&byte| byte == b'\n').any(|line| line.len() > 1000)
}

fn verify(imap: &mut Imap, mailbox: &str, messages: &[(&str, Vec<u8>)], same: impl Fn(&[u8], &[u8]) -> bool) {
    imap.ok(&format!("SELECT {mailbox}"));
    assert_eq!(imap.search("ALL").len(), messages.len());
    for (number, (name, sent)) in messages.iter().enumerate() {
        let kept = imap.body(number as u32 + 1);
        assert!(same(&kept, sent), "{name}: {} bytes became {}", sent.len(), kept.len());
        // In pieces, as Thunderbird reads large messages.
        let middle = kept.len() / 2;
        for (offset, length) in [(0, 10), (middle, 1000), (kept.len().saturating_sub(5), 100)] {
            let reply = imap.ok(&format!("FETCH {} (BODY.PEEK[]<{offset}.{length}>)", number + 1));
            let end = (offset + length).min(kept.len());
            let piece = &reply.fetched()[0];
            assert_eq!(
                piece.item(&format!("BODY[]<{offset}>")).text(),
                &kept[offset..end],
                "{name} <{offset}.{length}>"
            );
        }
        // Answered in a form that can be parsed, with no byte over 127 outside literals (RFC 3501 §4.3).
        let reply = imap.ok(&format!(
            "FETCH {} (ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)] BODY.PEEK[1])",
            number + 1
        ));
        assert_eq!(reply.fetched()[0].item("ENVELOPE").list().len(), 10, "{name}");
        assert!(reply.fetched()[0].item("BODYSTRUCTURE").list().len() > 1, "{name}");
    }
    let reply = imap.ok("FETCH 1:* (UID RFC822.SIZE ENVELOPE BODYSTRUCTURE)");
    assert_eq!(reply.fetched().len(), messages.len());
    for criteria in ["SUBJECT nasty", "BODY body", "TEXT \"at the bottom\"", "FROM a@x.test"] {
        imap.search(criteria);
    }
}

//! The MX port: RFC 5321 and its extensions, and what a stranger may not do.

use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, message};
use crate::on_both_databases;
use crate::smtp_client::{Smtp, dot_stuffed};

on_both_databases!(rfc5321_message_is_delivered_with_its_trace);

fn rfc5321_message_is_delivered_with_its_trace(database: Database) {
    let hub = Hub::start_on(database);
    let sent = message("sender@elsewhere.test", ALICE, "trace", "One\r\n..\r\n.\r\n.two\r\n");
    hub.deliver(ALICE, &sent);
    let kept = hub.arrived(ALICE, "trace");
    assert!(
        kept.ends_with(&sent),
        "what arrived must be kept byte for byte:\n{}",
        String::from_utf8_lossy(&kept)
    );
    let trace = String::from_utf8(kept[..kept.len() - sent.len()].to_vec()).expect("ASCII trace");
    assert!(trace.starts_with("Return-Path: <sender@elsewhere.test>\r\n"), "RFC 5321 §4.4: {trace}");
    let received = trace.split("\r\n").find(|line| line.starts_with("Received: ")).expect("RFC 5321 §4.4");
    assert!(received.contains("from client.elsewhere.test"), "{trace}");
    assert!(trace.contains("by "), "{trace}");
    assert!(trace.contains("with ESMTP"), "RFC 3848: {trace}");
    assert!(trace.lines().all(|line| line.len() <= 998), "{trace}");
}

#[test]
fn rfc5321_4_1_1_1_ehlo_offers_what_works() {
    let hub = Hub::start();
    let smtp = hub.smtp();
    for keyword in
        ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS"]
    {
        assert!(smtp.offers(keyword), "{keyword} is not in {:?}", smtp.extensions);
    }
    assert!(!smtp.offers("AUTH"), "nobody logs in on the MX port: {:?}", smtp.extensions);
}

#[test]
fn rfc5321_4_1_4_commands_out_of_order_are_refused() {
    let hub = Hub::start();
    let mut smtp = Smtp::connect(hub.ports().smtp);
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(503);
    smtp.command("HELO client.elsewhere.test").expect_code(250);
    smtp.ehlo();
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(503);
    smtp.command("DATA").expect_code(503);
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect("250 2.1.0");
    smtp.command("MAIL FROM:<b@elsewhere.test>").expect_code(503);
    let no_recipients = smtp.command("DATA");
    assert!([503, 554].contains(&no_recipients.code), "RFC 5321 §3.3: {no_recipients:?}");
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect("250 2.1.5");
    smtp.command("RSET").expect_code(250);
    smtp.command("DATA").expect_code(503);
    smtp.command("NOOP ignored").expect_code(250);
    let verify = smtp.command("VRFY alice");
    assert!([252, 502].contains(&verify.code), "RFC 5321 §3.5.3: nobody learns who exists: {verify:?}");
    let unknown = smtp.command("WIZ");
    assert!([500, 502].contains(&unknown.code), "{unknown:?}");
    smtp.command("AUTH PLAIN AGEAYg==").expect_refusal();
    smtp.quit();
}

#[test]
fn rfc5321_3_7_mx_port_does_not_relay() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    for recipient in [
        "someone@example.org",
        "someone%example.org@elsewhere.test",
        "@hub.test:someone@example.org",
        "someone@[192.0.2.1]",
        "\"someone@example.org\"@example.com",
        "alice@hub.test.example.org",
    ] {
        smtp.command(&format!("RCPT TO:<{recipient}>")).expect_refusal();
    }
    // The percent hack must not turn a local address into somebody else's.
    smtp.command("RCPT TO:<someone%example.org@hub.test>").expect("550 5.1.1");
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect("250 2.1.5");
}

#[test]
fn rfc5321_recipients_that_exist_and_that_do_not() {
    let hub = Hub::start();
    hub.admin(&["alias", "add", "team@hub.test", ALICE]);
    hub.admin(&["alias", "add", "team@hub.test", BOB]);
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<>").expect("250 2.1.0");
    for (recipient, codes) in [
        ("alice@hub.test", "250 2.1.5"),
        ("ALICE@HUB.TEST", "250 2.1.5"),
        ("\"alice\"@hub.test", "250 2.1.5"),
        ("alice+lists@hub.test", "250 2.1.5"),
        ("team@hub.test", "250 2.1.5"),
        ("postmaster@hub.test", "250 2.1.5"),
        ("PostMaster", "250 2.1.5"),
        ("nobody@hub.test", "550 5.1.1"),
        ("alicia@hub.test", "550 5.1.1"),
        ("nobody+alice@hub.test", "550 5.1.1"),
    ] {
        smtp.command(&format!("RCPT TO:<{recipient}>")).expect(codes);
    }
    for malformed in
        ["RCPT TO:alice@hub.test>", "RCPT TO:<@>", "RCPT TO:<>", "RCPT", "RCPT TO:<a b@hub.test>"]
    {
        smtp.command(malformed).expect_refusal();
    }
    let sent = message("x@elsewhere.test", "team@hub.test", "team", "To both.\r\n");
    smtp.send_data(&sent).expect_code(250);
    for user in [ALICE, BOB] {
        assert!(hub.arrived(user, "team").ends_with(&sent));
    }
    // Five addresses of alice are one mailbox: she gets the message once.
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert_eq!(imap.search("ALL").len(), 1);
    assert!(hub.arrived(ALICE, "team").starts_with(b"Return-Path: <>\r\n"));
}

#[test]
fn rfc2920_pipelined_transaction_is_answered_in_order() {
    let hub = Hub::start();
    let mut smtp = Smtp::connect(hub.ports().smtp);
    smtp.write(b"EHLO client.elsewhere.test\r\n");
    smtp.reply().expect_code(250);
    smtp.write(
        b"MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<alice@hub.test>\r\nRCPT TO:<nobody@hub.test>\r\n\
          RCPT TO:<bob@hub.test>\r\nDATA\r\n",
    );
    let codes: Vec<u16> = (0..5).map(|_| smtp.reply().code).collect();
    assert_eq!(codes, [250, 250, 550, 250, 354]);
    // The end of one message and the whole next transaction in one packet.
    let mut packet = dot_stuffed(&message("a@elsewhere.test", ALICE, "first", "1\r\n"));
    packet.extend_from_slice(b"MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<bob@hub.test>\r\nDATA\r\n");
    smtp.write(&packet);
    let codes: Vec<u16> = (0..4).map(|_| smtp.reply().code).collect();
    assert_eq!(codes, [250, 250, 250, 354]);
    let mut packet = dot_stuffed(&message("a@elsewhere.test", BOB, "second", "2\r\n"));
    packet.extend_from_slice(b"QUIT\r\n");
    smtp.write(&packet);
    smtp.reply().expect_code(250);
    smtp.reply().expect_code(221);
    assert!(smtp.is_closed());
    hub.arrived(ALICE, "first");
    hub.arrived(BOB, "second");
}

#[test]
fn rfc1870_too_large_is_refused_before_and_after_the_data() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    let size = smtp.extensions.iter().find_map(|line| line.strip_prefix("SIZE ")?.parse::<usize>().ok());
    let size = size.expect("RFC 1870 §3: SIZE with the limit in force");
    smtp.command(&format!("MAIL FROM:<a@elsewhere.test> SIZE={}", size + 1)).expect("552 5.3.4");
    smtp.command("MAIL FROM:<a@elsewhere.test> SIZE=99999999999999999999").expect_refusal();
    smtp.command(&format!("MAIL FROM:<a@elsewhere.test> SIZE={size}")).expect_code(250);
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
    smtp.command("DATA").expect_code(354);
    // A liar: more than announced and more than allowed. It is read to the end and refused.
    let line = [b'x'; 998].iter().chain(b"\r\n").copied().collect::<Vec<u8>>().repeat(100);
    let mut sent = 0;
    while sent <= size {
        smtp.write(&line);
        sent += line.len();
    }
    smtp.write(b".\r\n");
    smtp.reply().expect("552 5.3.4");
    smtp.command("NOOP").expect_code(250);
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert!(imap.search("ALL").is_empty());
}

#[test]
fn rfc3030_chunking() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    let sent = message("a@elsewhere.test", ALICE, "chunks", "no line break at the end, .\r\n.\r\n\r\n.");
    let (one, two) = sent.split_at(70);
    smtp.command("MAIL FROM:<a@elsewhere.test> BODY=8BITMIME").expect_code(250);
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
    for (chunk, last) in [(one, ""), (&b""[..], ""), (two, ""), (&b""[..], " LAST")] {
        smtp.write(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes());
        smtp.write(chunk);
        smtp.reply().expect_code(250);
    }
    assert!(hub.arrived(ALICE, "chunks").ends_with(&sent), "BDAT is not dot-stuffed (RFC 3030 §2)");

    // All in one packet, and DATA after BDAT is an error (RFC 3030 §3).
    let sent = message("a@elsewhere.test", ALICE, "packet", "x\r\n");
    let mut packet =
        format!("MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<{ALICE}>\r\nBDAT {} LAST\r\n", sent.len())
            .into_bytes();
    packet.extend_from_slice(&sent);
    packet.extend_from_slice(b"NOOP\r\n");
    smtp.write(&packet);
    for _ in 0..4 {
        smtp.reply().expect_code(250);
    }
    hub.arrived(ALICE, "packet");
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
    smtp.write(b"BDAT 5\r\nhello");
    smtp.reply().expect_code(250);
    smtp.command("DATA").expect_code(503);
    smtp.command("RSET").expect_code(250);

    // A chunk without a transaction is read and refused; its bytes are no commands.
    smtp.write(b"BDAT 24 LAST\r\nMAIL FROM:<b@x.test>\r\n\r\n");
    smtp.reply().expect_code(503);
    smtp.command("NOOP").expect_code(250);
    for malformed in ["BDAT", "BDAT x", "BDAT -1"] {
        smtp.command(malformed).expect_refusal();
    }
}

#[test]
fn rfc6531_smtputf8() {
    let hub = Hub::start();
    hub.admin(&["domain", "add", "münchen.test"]);
    hub.add_twin("käthe@münchen.test", PASSWORD);
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<jürgen@elsewhere.test> SMTPUTF8 BODY=8BITMIME").expect_code(250);
    smtp.command("RCPT TO:<käthe@münchen.test>").expect_code(250);
    let sent = message("jürgen@elsewhere.test", "käthe@münchen.test", "gruss", "Grüße\r\n");
    smtp.send_data(&sent).expect_code(250);
    let kept = hub.arrived("käthe@münchen.test", "gruss");
    assert!(
        kept.starts_with("Return-Path: <jürgen@elsewhere.test>\r\n".as_bytes()),
        "{}",
        String::from_utf8_lossy(&kept)
    );
    assert!(String::from_utf8_lossy(&kept).contains("with UTF8SMTP"), "RFC 6531 §4.3");
    assert!(kept.ends_with(&sent));
}

/// What may end a message is CR LF . CR LF and nothing else; the forms are those of the SMTP
/// smuggling reports of 2023 and their successors.
#[test]
fn rfc5321_4_1_1_4_smuggling_forms_never_make_a_second_message() {
    let hub = Hub::start();
    let forms: [&[u8]; 15] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\n.\r",
        b"\r.\n",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\n\n.\r\n",
        b"\r\n. \r\n",
        b"\r\n..\r\n",
    ];
    for (number, form) in forms.iter().enumerate() {
        let mut smtp = hub.smtp();
        smtp.command("MAIL FROM:<outer@elsewhere.test>").expect_code(250);
        smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
        smtp.command("DATA").expect_code(354);
        let mut data = format!("Subject: outer {number}\r\n\r\nbody").into_bytes();
        data.extend_from_slice(form);
        data.extend_from_slice(b"MAIL FROM:<smuggled@attacker.test>\r\nRCPT TO:<bob@hub.test>\r\nDATA\r\n");
        data.extend_from_slice(b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n");
        smtp.write(&data);
        // Accepted as one message, refused, or cut off: all three are safe.
        let reply = smtp.try_reply();
        if let Ok(reply) = &reply {
            assert!(reply.code == 250 || reply.code >= 500, "{form:?}: {reply:?}");
            if let Ok(next) = smtp.try_write(b"NOOP\r\n").and_then(|()| smtp.try_reply()) {
                assert_eq!((next.code, smtp.pending()), (250, 0), "{form:?}: an answer to smuggled commands");
            }
        }
    }
    let mut imap = hub.imap(BOB);
    imap.ok("SELECT INBOX");
    assert!(imap.search("ALL").is_empty(), "a smuggled message arrived");
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert!(imap.search("HEADER Return-Path attacker.test").is_empty());
    assert!(imap.search("ALL").len() <= forms.len(), "one message was split");
}

#[test]
fn rfc5321_4_5_2_framing_of_data() {
    let hub = Hub::start();
    let header = "Subject: ";
    for (name, pieces, body) in [
        ("middle", &["a\r\n..\r\nb\r\n.\r\n"][..], "a\r\n.\r\nb\r\n"),
        ("stuffed", &["..x\r\n.\r\n"], ".x\r\n"),
        ("one-dot-more", &["...\r\n.\r\n"], "..\r\n"),
        ("pieces", &["a\r", "\n", ".", "\r", "\n"], "a\r\n"),
        ("dot-in-pieces", &["a\r\n", ".", ".", "b", "\r", "\n.\r\n"], "a\r\n.b\r\n"),
        ("nothing", &[".\r\n"], ""),
    ] {
        let mut smtp = hub.smtp();
        smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
        smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
        smtp.command("DATA").expect_code(354);
        smtp.write(format!("{header}{name}\r\n\r\n").as_bytes());
        for piece in pieces {
            smtp.write(piece.as_bytes());
        }
        smtp.reply().expect_code(250);
        let kept = hub.arrived(ALICE, name);
        let expected = format!("{header}{name}\r\n\r\n{body}");
        assert!(kept.ends_with(expected.as_bytes()), "{name}: {}", String::from_utf8_lossy(&kept));
    }
    // The empty message ends at once: it is accepted or refused, never waited for.
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
    smtp.command("DATA").expect_code(354);
    let reply = smtp.command(".");
    assert!(reply.code == 250 || reply.code >= 500, "{reply:?}");
}

#[test]
fn rfc5321_6_3_loops_end_with_a_permanent_error() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    let hop = "Received: from a.elsewhere.test by b.elsewhere.test; Mon, 2 Feb 2026 10:11:12 +0100\r\n";
    let plain = message("a@elsewhere.test", ALICE, "loop", "round\r\n");
    let mut looping = hop.repeat(150).into_bytes();
    looping.extend_from_slice(&plain);
    smtp.send("a@elsewhere.test", &[ALICE], &looping).expect("554 5.4.6");
    let mut travelled = hop.repeat(30).into_bytes();
    travelled.extend_from_slice(&plain);
    smtp.send("a@elsewhere.test", &[ALICE], &travelled).expect_code(250);
}

#[test]
fn rfc3207_4_2_starttls_forgets_what_was_said_before() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    smtp.command("RSET").expect_code(250);
    let mut smtp = smtp.starttls(&hub.tls());
    assert!(!smtp.offers("STARTTLS"), "{:?}", smtp.extensions);
    smtp.command("STARTTLS").expect_refusal();
    smtp.send("a@elsewhere.test", &[ALICE], &message("a@elsewhere.test", ALICE, "over-tls", "x\r\n"))
        .expect_code(250);
    let kept = hub.arrived(ALICE, "over-tls");
    assert!(
        String::from_utf8_lossy(&kept).contains("with ESMTPS"),
        "RFC 3848: {}",
        String::from_utf8_lossy(&kept)
    );

    // Without a new EHLO nothing said before counts.
    let mut smtp = hub.smtp();
    smtp.command("STARTTLS").expect_code(220);
    let mut smtp = smtp.into_tls(&hub.tls()).expect("a TLS handshake");
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(503);
}

/// "NO STARTTLS" (2021), CVE-2011-0411: commands sent in plain text together with STARTTLS must
/// not be obeyed as if they had come over TLS.
#[test]
fn rfc3207_6_starttls_injection() {
    let hub = Hub::start();
    for port in [hub.ports().smtp, hub.ports().submission] {
        let mut smtp = Smtp::connect(port);
        smtp.ehlo();
        smtp.write(b"STARTTLS\r\nNOOP injected\r\n");
        let reply = smtp.reply();
        if reply.code == 220 {
            match smtp.into_tls(&hub.tls()) {
                Ok(mut smtp) => {
                    smtp.command("EHLO after.test").expect_code(250);
                    assert_eq!(smtp.pending(), 0, "an answer to the injected command");
                }
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the handshake hangs"),
            }
        } else {
            assert!(reply.code >= 400, "{reply:?}");
        }
    }
}

#[test]
fn rfc5321_4_5_3_limits_are_answered() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    smtp.command(&format!("NOOP {}", "x".repeat(100_000))).expect_code(500);
    smtp.command("NOOP").expect_code(250);
    smtp.command(&format!("MAIL FROM:<{}@elsewhere.test>", "a".repeat(65))).expect_refusal();
    smtp.command(&format!("MAIL FROM:<a@{}test>", "abcdefgh.".repeat(30))).expect_refusal();
    smtp.command("MAIL FROM:<a@elsewhere.test> UNHEARD=OF").expect_code(555);
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    let mut accepted = 0;
    for n in 0..5000 {
        let reply = smtp.command(&format!("RCPT TO:<alice+{n}@hub.test>"));
        if reply.code != 250 {
            reply.expect("452 4.5.3");
            break;
        }
        accepted += 1;
    }
    assert!((100..5000).contains(&accepted), "RFC 5321 §4.5.3.1.8: {accepted} recipients");
    smtp.send_data(&message("a@elsewhere.test", ALICE, "many", "x\r\n")).expect_code(250);
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert_eq!(imap.search("ALL").len(), 1);

    // Somebody who talks nonsense is shown the door.
    let mut smtp = hub.smtp();
    let mut refused = 0;
    while smtp.try_write(b"NONSENSE\r\n").is_ok() && smtp.try_reply().is_ok() {
        refused += 1;
        assert!(refused < 200, "200 unknown commands and still connected");
    }
}

#[test]
fn rfc5321_2_3_8_bare_line_feeds_end_no_command() {
    let hub = Hub::start();
    let mut smtp = Smtp::connect(hub.ports().smtp);
    smtp.write(b"EHLO client.elsewhere.test\nNOOP\r\n");
    let reply = smtp.reply();
    assert_ne!((reply.code, smtp.pending()), (250, 0), "one command with a line feed inside: {reply:?}");
    reply.expect_refusal();
    smtp.command("NOOP").expect_code(250);
}

#[test]
fn addressed_to_nobody_after_all_is_not_kept() {
    let hub = Hub::start();
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<a@elsewhere.test>").expect_code(250);
    smtp.command(&format!("RCPT TO:<{ALICE}>")).expect_code(250);
    smtp.command("DATA").expect_code(354);
    smtp.write(b"Subject: half\r\n\r\nand then the line");
    drop(smtp);
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert!(imap.search("ALL").is_empty(), "half a message was delivered");
}

//! Submission (RFC 6409): who may log in, who may send as whom, where the message goes.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};

use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, PATIENCE, message, wait_until};
use crate::on_both_databases;
use crate::smtp_client::Smtp;

on_both_databases!(mail_to_the_outside_waits_in_the_queue);

#[test]
fn rfc4954_authentication() {
    let hub = Hub::start();
    let connect = || {
        let mut smtp = Smtp::connect_tls(hub.ports().submissions, &hub.tls());
        smtp.ehlo();
        smtp
    };
    let mut smtp = connect();
    let mechanisms =
        smtp.extensions.iter().find(|line| line.starts_with("AUTH ")).cloned().unwrap_or_default();
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"] {
        assert!(mechanisms.split(' ').any(|offered| offered == mechanism), "{mechanism}: {mechanisms:?}");
    }
    smtp.command(&format!("MAIL FROM:<{ALICE}>")).expect("530 5.7.0");
    smtp.auth_plain(ALICE, "wrong").expect("535 5.7.8");
    smtp.auth_plain("nobody@hub.test", PASSWORD).expect("535 5.7.8");
    smtp.command("AUTH UNHEARD-OF").expect_code(504);
    smtp.command("AUTH PLAIN").expect_code(334);
    smtp.command("*").expect_code(501);
    smtp.command("AUTH PLAIN not-base64!").expect_refusal();
    smtp.auth_plain(ALICE, PASSWORD).expect("235 2.7.0");
    smtp.auth_plain(ALICE, PASSWORD).expect_code(503);

    let mut smtp = connect();
    let challenge = smtp.command("AUTH LOGIN");
    assert_eq!(
        (challenge.code, challenge.lines[0].as_str()),
        (334, "VXNlcm5hbWU6"),
        "clients look for \"Username:\""
    );
    smtp.command(&BASE64.encode(ALICE)).expect_code(334);
    smtp.command(&BASE64.encode(PASSWORD)).expect_code(235);

    let mut smtp = connect();
    smtp.command(&format!("AUTH LOGIN {}", BASE64.encode(ALICE))).expect_code(334);
    smtp.command(&BASE64.encode("wrong")).expect("535 5.7.8");
    // AUTH within a transaction is out of order (RFC 4954 §4), STARTTLS within TLS too.
    smtp.auth_plain(ALICE, PASSWORD).expect_code(235);
    smtp.command("STARTTLS").expect_refusal();
    smtp.command(&format!("MAIL FROM:<{ALICE}>")).expect_code(250);
    smtp.quit();
    assert!(!hub.log().contains(PASSWORD), "a password is in the log");
    assert!(
        !hub.log().contains(&BASE64.encode(format!("\0{ALICE}\0{PASSWORD}"))),
        "credentials are in the log"
    );
}

#[test]
fn rfc3207_submission_by_starttls_forgets_the_login_before() {
    let hub = Hub::start();
    let mut smtp = Smtp::connect(hub.ports().submission);
    smtp.ehlo();
    // On loopback a login without TLS is allowed; the handshake must forget it.
    if smtp.offers("AUTH") {
        smtp.auth_plain(ALICE, PASSWORD).expect_code(235);
    }
    let mut smtp = smtp.starttls(&hub.tls());
    smtp.command(&format!("MAIL FROM:<{ALICE}>")).expect("530 5.7.0");
    smtp.auth_plain(ALICE, PASSWORD).expect_code(235);
    smtp.send(ALICE, &[BOB], &message(ALICE, BOB, "starttls", "x\r\n")).expect_code(250);
    let kept = hub.arrived(BOB, "starttls");
    assert!(
        String::from_utf8_lossy(&kept).contains("with ESMTPSA"),
        "RFC 3848: {}",
        String::from_utf8_lossy(&kept)
    );
}

#[test]
fn a_twin_sends_only_as_itself() {
    let hub = Hub::start();
    hub.admin(&["alias", "add", "sales@hub.test", ALICE]);
    let mut smtp = hub.submission(ALICE);
    for reverse_path in [BOB, "alice@elsewhere.test", "nobody@hub.test"] {
        let reply = smtp.command(&format!("MAIL FROM:<{reverse_path}>"));
        assert!([550, 553].contains(&reply.code), "{reverse_path}: {reply:?}");
    }
    // A lie in From or Sender is one too: Postfix checks the envelope only.
    for header in [
        "From: <bob@hub.test>",
        "From: Alice <alice@hub.test>, Bob <bob@hub.test>",
        "From: <alice@hub.test>\r\nFrom: <bob@hub.test>",
        "From: <alice@hub.test>\r\nSender: <bob@hub.test>",
        "From: \"alice@hub.test\" <president@elsewhere.test>",
    ] {
        let text = format!("{header}\r\nTo: <{BOB}>\r\nSubject: lie\r\n\r\nx\r\n");
        let reply = smtp.send(ALICE, &[BOB], text.as_bytes());
        assert!((500..560).contains(&reply.code), "{header}: {reply:?}");
    }
    for (reverse_path, author) in [
        (ALICE, ALICE),
        ("alice+shop@hub.test", "alice+shop@hub.test"),
        ("sales@hub.test", "sales@hub.test"),
        ("Sales@HUB.test", "Alice@hub.test"),
        ("", ALICE),
    ] {
        let subject = format!("as {author} by {reverse_path}");
        smtp.send(reverse_path, &[BOB], &message(author, BOB, &subject, "x\r\n")).expect_code(250);
    }
    let mut imap = hub.imap(BOB);
    imap.ok("SELECT INBOX");
    assert!(imap.search("SUBJECT lie").is_empty());
    assert_eq!(imap.search("SUBJECT \"as \"").len(), 5);
}

#[test]
fn rfc6409_8_what_is_missing_is_added() {
    let hub = Hub::start();
    let mut smtp = hub.submission(ALICE);
    let sent = format!("From: <{ALICE}>\r\nSubject: bare\r\n\r\nx\r\n");
    smtp.send(ALICE, &[BOB], sent.as_bytes()).expect_code(250);
    let kept = String::from_utf8(hub.arrived(BOB, "bare")).expect("ASCII");
    let header = kept.split("\r\n\r\n").next().expect("a header").to_ascii_lowercase();
    assert!(header.contains("\r\ndate: "), "RFC 6409 §8.3: {header}");
    assert!(header.contains("\r\nmessage-id: <"), "RFC 6409 §8.3: {header}");
    assert!(kept.ends_with(&sent));
    let mut imap = hub.imap(BOB);
    imap.ok("SELECT INBOX");
    let reply = imap.ok("FETCH 1 (ENVELOPE)");
    let envelope = reply.fetched()[0].item("ENVELOPE").list().to_vec();
    assert!(
        matches!(envelope[0], crate::imap_client::Value::Text(_)),
        "ENVELOPE shows the date added: {envelope:?}"
    );
}

#[test]
fn refused_recipients_are_refused_one_by_one() {
    let hub = Hub::start();
    let mut smtp = hub.submission(ALICE);
    smtp.command(&format!("MAIL FROM:<{ALICE}>")).expect_code(250);
    smtp.command("RCPT TO:<nobody@hub.test>").expect("550 5.1.1");
    smtp.command(&format!("RCPT TO:<{BOB}>")).expect("250 2.1.5");
    smtp.send_data(&message(ALICE, BOB, "to-one", "x\r\n")).expect_code(250);
    hub.arrived(BOB, "to-one");
}

fn mail_to_the_outside_waits_in_the_queue(database: Database) {
    let mut hub = Hub::start_on(database);
    let mut smtp = hub.submission(ALICE);
    let sent = message(ALICE, "friend@elsewhere.test", "outside", "x\r\n");
    smtp.send(ALICE, &["friend@elsewhere.test", BOB, "other@faraway.test"], &sent).expect_code(250);
    assert!(hub.arrived(BOB, "outside").ends_with(&sent), "the local recipient has it at once");
    let check = |hub: &Hub| {
        let list = hub.admin(&["queue", "list"]);
        for word in ["friend@elsewhere.test", "other@faraway.test", ALICE] {
            assert!(list.contains(word), "{word} is not in the queue: {list}");
        }
        assert!(!list.contains(BOB), "{list}");
    };
    check(&hub);
    hub.kill();
    hub.launch();
    check(&hub);
}

/// MAIL and RCPT lines, and the message as it came, dots and all.
pub(crate) type Relayed = (Vec<String>, Vec<u8>);

/// A relay host of a few lines: takes messages and hands them over.
pub(crate) fn relay_host() -> (u16, std::sync::mpsc::Receiver<Relayed>) {
    relay_host_offering("250-8BITMIME\r\n250 PIPELINING")
}

/// `offers`: what it says to EHLO behind its name.
pub(crate) fn relay_host_offering(offers: &'static str) -> (u16, std::sync::mpsc::Receiver<Relayed>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut out = stream.try_clone().expect("a second handle");
            let mut lines = BufReader::new(stream);
            let mut envelope = Vec::new();
            let hello = format!("250-relay.test\r\n{offers}");
            let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes());
            let mut running = say("220 relay.test").is_ok();
            while running {
                let mut line = String::new();
                if lines.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase();
                let answer = match verb.as_str() {
                    "EHLO" => hello.as_str(),
                    "MAIL" | "RCPT" => {
                        envelope.push(line.trim_end().to_owned());
                        "250 2.1.0 fine"
                    }
                    "DATA" => {
                        let _ = say("354 go");
                        let mut body = Vec::new();
                        while !body.ends_with(b"\r\n.\r\n")
                            && lines.read_until(b'\n', &mut body).unwrap_or(0) > 0
                        {}
                        let _ = sender.send((std::mem::take(&mut envelope), body));
                        "250 2.0.0 taken"
                    }
                    "QUIT" => "221 2.0.0 bye",
                    _ => "250 2.0.0 fine",
                };
                running = say(answer).is_ok() && verb != "QUIT";
            }
        }
    });
    (port, receiver)
}

#[test]
fn a_relay_host_gets_what_goes_outside() {
    let (port, received) = relay_host();
    let hub = Hub::start_with_config(&crate::admin::relay_config(port));
    let mut smtp = hub.submission(ALICE);
    let sent = message(ALICE, "friend@elsewhere.test", "relayed", ".dots\r\n..\r\nGr\u{fc}\u{df}e\r\n");
    smtp.send(ALICE, &["friend@elsewhere.test", BOB], &sent).expect_code(250);
    let (envelope, body) = received.recv_timeout(PATIENCE).expect("the relay host got it");
    assert_eq!(envelope.len(), 2, "{envelope:?}");
    assert!(envelope[0].starts_with("MAIL FROM:<alice@hub.test>"), "{envelope:?}");
    assert!(envelope[1].starts_with("RCPT TO:<friend@elsewhere.test>"), "{envelope:?}");
    let stuffed = crate::smtp_client::dot_stuffed(&sent);
    assert!(body.ends_with(&stuffed), "{}", String::from_utf8_lossy(&body));
    wait_until("an empty queue", || (!hub.admin(&["queue", "list"]).contains("friend@")).then_some(()));
}

/// lettre is an independent client: its own reply parser, SASL and TLS use.
#[test]
fn client_lettre_submits() {
    let hub = Hub::start();
    let pem = std::fs::read(&hub.ports().ca).expect("the CA file");
    let tls = || {
        let ca = Certificate::from_pem(&pem).expect("PEM");
        TlsParameters::builder("localhost".to_owned())
            .add_root_certificate(ca)
            .build()
            .expect("TLS parameters")
    };
    let credentials = || Credentials::new(ALICE.to_owned(), PASSWORD.to_owned());
    for (number, (mechanism, implicit)) in [
        (Mechanism::Plain, true),
        (Mechanism::Login, true),
        (Mechanism::Plain, false),
        (Mechanism::Login, false),
    ]
    .into_iter()
    .enumerate()
    {
        use lettre::transport::smtp::client::Tls;
        let builder = SmtpTransport::builder_dangerous("127.0.0.1")
            .credentials(credentials())
            .authentication(vec![mechanism]);
        let transport = if implicit {
            builder.port(hub.ports().submissions).tls(Tls::Wrapper(tls())).build()
        } else {
            builder.port(hub.ports().submission).tls(Tls::Required(tls())).build()
        };
        let subject = format!("lettre {number}");
        let email = Message::builder()
            .from("Alice <alice@hub.test>".parse().expect("an address"))
            .to("Bob <bob@hub.test>".parse().expect("an address"))
            .subject(&subject)
            .body("Grüße\n.\n..\nfrom lettre\n".to_owned())
            .expect("a message");
        transport.send(&email).unwrap_or_else(|error| panic!("{mechanism:?}, implicit: {implicit}: {error}"));
        let kept = hub.arrived(BOB, &subject);
        // lettre ends every message with one line break more.
        let sent = [email.formatted(), b"\r\n".to_vec()].concat();
        assert!(kept.ends_with(&sent), "{}", String::from_utf8_lossy(&kept));
        assert!(transport.test_connection().expect("the pool's connection lives"));
    }
    let wrong = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(hub.ports().submissions)
        .tls(lettre::transport::smtp::client::Tls::Wrapper(tls()))
        .credentials(Credentials::new(ALICE.to_owned(), "wrong".to_owned()))
        .build();
    let error = wrong.test_connection().expect_err("a wrong password");
    assert!(error.is_permanent(), "{error}");
}

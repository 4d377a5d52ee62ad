//! Greeting, capabilities, authentication, TLS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::harness::{ALICE, Hub, PASSWORD};
use crate::imap_client::Imap;

#[test]
fn rfc3501_7_1_greeting_and_capabilities() {
    let hub = Hub::start();
    let mut imap = Imap::connect(hub.ports().imap);
    assert!(imap.greeting.starts_with("* OK "), "{}", imap.greeting);
    let before = capabilities(&mut imap);
    for name in ["IMAP4rev1", "STARTTLS", "SASL-IR", "ID", "AUTH=PLAIN"] {
        assert!(before.iter().any(|capability| capability == name), "{name} before login: {before:?}");
    }
    // Clients read the list in the tagged OK and save a round trip.
    let reply = imap.login(ALICE, PASSWORD);
    assert!(reply.code("CAPABILITY").is_some(), "{reply:?}");
    let after = capabilities(&mut imap);
    assert_eq!(reply.code("CAPABILITY").map(|list| list.split(' ').count()), Some(after.len()));
    for name in [
        "IMAP4rev1",
        "IDLE",
        "UIDPLUS",
        "MOVE",
        "NAMESPACE",
        "ID",
        "ENABLE",
        "SPECIAL-USE",
        "LIST-EXTENDED",
        "LIST-STATUS",
        "CHILDREN",
        "CONDSTORE",
        "ESEARCH",
        "UNSELECT",
    ] {
        assert!(after.iter().any(|capability| capability == name), "{name} after login: {after:?}");
    }
    assert!(after.iter().any(|capability| capability.starts_with("LITERAL")), "RFC 7888: {after:?}");
    for gone in ["STARTTLS", "LOGINDISABLED"] {
        assert!(!after.iter().any(|capability| capability == gone), "{gone} after login: {after:?}");
    }
}

fn capabilities(imap: &mut Imap) -> Vec<String> {
    let reply = imap.ok("CAPABILITY");
    let lines = reply.starting("* CAPABILITY ");
    assert_eq!(lines.len(), 1, "{reply:?}");
    lines[0].split(' ').skip(2).map(str::to_owned).collect()
}

#[test]
fn rfc5530_wrong_password_is_authenticationfailed() {
    let hub = Hub::start();
    for (user, password) in [(ALICE, "wrong"), ("nobody@hub.test", PASSWORD), (ALICE, "")] {
        let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
        let reply = imap.no(&format!("LOGIN \"{user}\" \"{password}\""));
        assert!(reply.text.starts_with("[AUTHENTICATIONFAILED]"), "{reply:?}");
        // Still there, and the right password works on the same connection.
        imap.login(ALICE, PASSWORD);
        assert_eq!(imap.command("LOGIN a b").status, "BAD", "logged in already");
    }
    assert!(!hub.log().contains(PASSWORD), "a password is in the log");
}

#[test]
fn rfc3501_6_2_2_authenticate_plain_and_login() {
    let hub = Hub::start();
    let plain = BASE64.encode(format!("\0{ALICE}\0{PASSWORD}"));
    let connect = || Imap::connect_tls(hub.ports().imaps, &hub.tls());

    // RFC 4959: initial response, as iPhones send it.
    connect().ok(&format!("AUTHENTICATE PLAIN {plain}"));

    // With a continuation, which must be `+ ` and not a bare plus.
    let mut imap = connect();
    imap.write(b"a AUTHENTICATE PLAIN\r\n");
    assert_eq!(imap.response(), b"+ ");
    imap.write(format!("{plain}\r\n").as_bytes());
    imap.tagged("a").expect_ok();
    imap.ok("SELECT INBOX");

    // A different authorisation identity is nobody's right (RFC 4616 §2).
    let other = BASE64.encode(format!("bob@hub.test\0{ALICE}\0{PASSWORD}"));
    connect().no(&format!("AUTHENTICATE PLAIN {other}"));

    // The client gives up (RFC 3501 §6.2.2).
    let mut imap = connect();
    imap.write(b"a AUTHENTICATE PLAIN\r\n");
    imap.response();
    imap.write(b"*\r\n");
    assert_eq!(imap.tagged("a").status, "BAD");
    imap.write(b"b AUTHENTICATE PLAIN\r\n");
    imap.response();
    imap.write(b"this is not base64!\r\n");
    assert_eq!(imap.tagged("b").status, "BAD");
    imap.no("AUTHENTICATE UNHEARD-OF");
    imap.login(ALICE, PASSWORD);
}

#[test]
fn rfc3501_4_3_login_with_literals() {
    let hub = Hub::start();
    let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    imap.write(format!("a LOGIN {{{}}}\r\n", ALICE.len()).as_bytes());
    assert!(imap.response().starts_with(b"+ "));
    imap.write(format!("{ALICE} {{{}}}\r\n", PASSWORD.len()).as_bytes());
    assert!(imap.response().starts_with(b"+ "));
    imap.write(format!("{PASSWORD}\r\n").as_bytes());
    imap.tagged("a").expect_ok();
}

#[test]
fn rfc8314_starttls_and_the_names_in_the_certificate() {
    let hub = Hub::start();
    let mut imap = Imap::connect(hub.ports().imap);
    imap.ok("STARTTLS");
    let mut imap = imap.into_tls(&hub.tls()).expect("a TLS handshake");
    assert_ne!(imap.command("STARTTLS").status, "OK");
    imap.login(ALICE, PASSWORD);
    imap.ok("SELECT INBOX");
    for name in ["localhost", "127.0.0.1", "hub.test", "mail.hub.test", "autoconfig.hub.test"] {
        let stream = crate::wire::Stream::connect(hub.ports().imaps);
        stream.into_tls_named(&hub.tls(), name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let stream = crate::wire::Stream::connect(hub.ports().imaps);
    assert!(stream.into_tls_named(&hub.tls(), "elsewhere.test").is_err(), "good for any name?");
}

#[test]
fn rfc3501_6_2_1_starttls_injection() {
    let hub = Hub::start();
    let mut imap = Imap::connect(hub.ports().imap);
    imap.write(b"a STARTTLS\r\nb NOOP\r\n");
    let reply = imap.tagged("a");
    if reply.status == "OK" {
        match imap.into_tls(&hub.tls()) {
            Ok(mut imap) => {
                imap.write(b"c NOOP\r\n");
                let first = imap.response();
                assert!(first.starts_with(b"c "), "an answer to the injected command: {first:?}");
            }
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the handshake hangs"),
        }
    }
}

#[test]
fn rfc3501_6_1_3_logout_says_bye() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    let reply = imap.ok("LOGOUT");
    assert_eq!(reply.starting("* BYE").len(), 1, "{reply:?}");
    assert!(imap.is_closed());
    let mut imap = Imap::connect(hub.ports().imap);
    assert_eq!(imap.ok("LOGOUT").starting("* BYE").len(), 1);
}

#[test]
fn rfc2971_id_rfc2342_namespace_rfc5161_enable() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    for id in ["ID NIL", "ID (\"name\" \"Thunderbird\" \"version\" \"153\")", "ID (\"name\" NIL)", "ID ()"] {
        let reply = imap.ok(id);
        assert_eq!(reply.starting("* ID ").len(), 1, "{reply:?}");
    }
    // Thunderbird wants the prefix quoted.
    assert!(imap.ok("NAMESPACE").has("* NAMESPACE ((\"\" \"/\")) NIL NIL"));
    let reply = imap.ok("ENABLE CONDSTORE UNHEARD-OF");
    assert_eq!(reply.starting("* ENABLED"), ["* ENABLED CONDSTORE"]);
}

#[test]
fn commands_in_the_wrong_state_are_bad() {
    let hub = Hub::start();
    let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    for command in ["SELECT INBOX", "LIST \"\" *", "FETCH 1 FLAGS", "IDLE", "APPEND INBOX {3+}\r\nabc"] {
        assert_ne!(imap.command(command).status, "OK", "{command} before login");
        imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    }
    imap.login(ALICE, PASSWORD);
    for command in ["FETCH 1 FLAGS", "CLOSE", "EXPUNGE", "STORE 1 FLAGS ()", "SEARCH ALL", "UNSELECT"] {
        imap.bad(command);
    }
}

//! Bad input: too long, too deep, too much, out of sync.

use crate::harness::{ALICE, Hub};
use crate::imap_client::Imap;

#[test]
fn rfc7888_oversized_literals_are_skipped_in_sync() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    // A non-synchronising literal that no mailbox name has: read, refused, and its content is
    // never taken for commands.
    let poison = b"x LOGOUT\r\ny DELETE Sent\r\n".repeat(4000);
    let mut command = format!("a SELECT {{{}+}}\r\n", poison.len()).into_bytes();
    command.extend_from_slice(&poison);
    command.extend_from_slice(b"\r\nb NOOP\r\n");
    imap.write(&command);
    let reply = imap.tagged("a");
    assert_ne!(reply.status, "OK");
    imap.tagged("b").expect_ok();
    imap.ok("STATUS Sent (MESSAGES)");

    // A synchronising one is refused before it is sent.
    imap.write(b"c SELECT {99999999}\r\n");
    assert_ne!(imap.tagged("c").status, "OK");
    imap.write(b"d APPEND INBOX {99999999999}\r\n");
    let reply = imap.tagged("d");
    assert_ne!(reply.status, "OK");
    imap.ok("NOOP");
}

#[test]
fn rfc7889_a_message_beyond_the_limit_is_toobig() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.write(b"a APPEND INBOX {4000000000}\r\n");
    let reply = imap.tagged("a");
    assert_eq!(reply.status, "NO", "{reply:?}");
    assert!(reply.text.starts_with("[TOOBIG]"), "RFC 4469, RFC 7889 §4: {reply:?}");
    imap.ok("NOOP");
}

#[test]
fn lines_without_end_cost_no_memory() {
    let hub = Hub::start();
    let chunk = [b'x'; 65_536];
    // A stranger is cut off.
    let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    let taken = (0..1000).take_while(|_| imap.try_write(&chunk).is_ok()).count();
    assert!(taken < 1000, "64 MB of a line were read before login");
    // A twin's line is read to its end, dropped, and refused.
    let mut imap = hub.imap(ALICE);
    // The first megabytes find the buffers that are used from then on.
    for _ in 0..50 {
        imap.write(&chunk);
    }
    let before = hub.memory();
    for _ in 0..1000 {
        imap.write(&chunk);
    }
    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 16 << 20, "64 MB of a line took {grown} bytes of memory");
    imap.write(b"\r\n");
    let answer = String::from_utf8_lossy(&imap.response()).into_owned();
    assert!(answer.contains("BAD"), "{answer}");
    imap.ok("NOOP");
}

#[test]
fn nesting_and_lists_are_bounded() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    let deep = format!("SEARCH {}ALL{}", "(".repeat(5000), ")".repeat(5000));
    assert_ne!(imap.command(&deep).status, "OK");
    let nots = format!("SEARCH {}ALL", "NOT ".repeat(5000));
    imap.command(&nots);
    imap.bad(&format!("FETCH 1 {}", "(".repeat(5000)));
    let long = format!("UID FETCH {}1 (FLAGS)", "1,".repeat(20_000));
    assert_ne!(imap.command(&long).status, "NO", "8,192 bytes of a set are allowed by many clients");
    imap.command(&format!("LIST \"\" \"{}\"", "*%".repeat(500)));
    imap.ok("NOOP");
}

#[test]
fn malformed_commands_are_bad_and_counted() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    for malformed in [
        "NONSENSE",
        "SELECT",
        "SELECT INBOX trailing",
        "FETCH",
        "FETCH 1",
        "FETCH x (FLAGS)",
        "STORE 1 FLAGS",
        "UID",
        "UID NOOP",
        "LIST",
        "LIST \"\"",
        "LOGIN",
        "SELECT \"unclosed",
        "COPY 1",
        "STATUS INBOX",
    ] {
        assert_ne!(imap.command(malformed).status, "OK", "{malformed}");
    }
    imap.write(b"no-command\r\n");
    let response = String::from_utf8_lossy(&imap.response()).into_owned();
    assert!(response.contains("BAD"), "{response}");
    imap.write(b"\x00\xff\xfe binary NOOP\r\n");
    imap.response();
    imap.ok("NOOP");

    // Before login: three strikes, and nothing is echoed (cross-protocol attacks).
    let mut imap = Imap::connect(hub.ports().imap);
    let mut answers = Vec::new();
    for _ in 0..20 {
        if imap.try_write(b"GET /secret-path HTTP/1.1\r\n").is_err() {
            break;
        }
        match imap.try_response() {
            Ok(response) => answers.push(String::from_utf8_lossy(&response).into_owned()),
            Err(_) => break,
        }
    }
    assert!(answers.len() < 15, "twenty bad commands before login and still connected: {answers:?}");
    assert!(answers.iter().all(|answer| !answer.contains("secret-path")), "{answers:?}");
}

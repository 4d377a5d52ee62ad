//! Conversations in memory, with a hub that is played by the test.

use std::sync::Arc;
use std::time::Instant;

use crate::reply::Reply;
use crate::session::{Link, Request, Session, Step, Wish};
use crate::settings::Settings;

fn session(may_authenticate: bool) -> Session {
    let link = Link { can_start_tls: true, may_authenticate, binding: None };
    let mut session = Session::new(Arc::new(Settings::default()), link, Instant::now());
    let greeting = said(&mut session);
    assert!(greeting.starts_with("\"IMPLEMENTATION\" \"Twin Hub\"\r\n"), "{greeting}");
    assert!(greeting.ends_with("\"STARTTLS\"\r\nOK\r\n"), "{greeting}");
    assert_eq!(
        greeting.contains("\"SASL\" \"PLAIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2\"\r\n"),
        may_authenticate
    );
    session
}

fn said(session: &mut Session) -> String {
    String::from_utf8(std::mem::take(session.output())).expect("UTF-8")
}

fn feed(session: &mut Session, input: &str) -> Step {
    let mut input = input.as_bytes();
    let step = session.feed(&mut input, Instant::now());
    assert!(input.is_empty() || !matches!(step, Step::Read));
    step
}

fn logged_in() -> Session {
    let mut session = session(true);
    // "\0alice\0secret"
    let step = feed(&mut session, "AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHNlY3JldA==\"\r\n");
    assert!(matches!(step, Step::Ask(Request::Login { login, .. }) if login == "alice"));
    session.logged_in(Ok("alice@example.org".into()));
    assert_eq!(said(&mut session), "OK \"Welcome\"\r\n");
    session
}

#[test]
fn rfc5804_2_1_authenticate() {
    let mut session = logged_in();
    feed(&mut session, "AUTHENTICATE \"PLAIN\"\r\n");
    assert_eq!(said(&mut session), "NO \"You are logged in already\"\r\n");
    feed(&mut session, "CAPABILITY\r\n");
    assert!(said(&mut session).contains("\"OWNER\" \"alice@example.org\"\r\n"));
    assert!(matches!(feed(&mut session, "UNAUTHENTICATE\r\n"), Step::Ask(Request::Leave)));
    assert_eq!(said(&mut session), "OK \"Logged out\"\r\n");
    feed(&mut session, "LISTSCRIPTS\r\n");
    assert_eq!(said(&mut session), "NO \"Log in first\"\r\n");

    feed(&mut session, "AUTHENTICATE \"PLAIN\"\r\n");
    assert_eq!(said(&mut session), "\"\"\r\n");
    feed(&mut session, "\"*\"\r\n");
    assert_eq!(said(&mut session), "NO \"Cancelled\"\r\n");
    feed(&mut session, "AUTHENTICATE \"NTLM\"\r\n");
    assert_eq!(said(&mut session), "NO \"This mechanism is not offered\"\r\n");
}

#[test]
fn failed_log_ins_end_it() {
    let mut session = session(true);
    for _ in 0..3 {
        let step = feed(&mut session, "AUTHENTICATE \"PLAIN\" {20+}\r\nAGFsaWNlAHNlY3JldA==\r\n");
        assert!(matches!(step, Step::Ask(Request::Login { .. })));
        session.logged_in(Err(Reply::no("wrong")));
    }
    assert!(said(&mut session).ends_with("BYE \"Too many failed log-ins\"\r\n"));
    assert!(matches!(feed(&mut session, ""), Step::Close));
}

#[test]
fn rfc5804_2_2_starttls() {
    let mut session = session(false);
    feed(&mut session, "AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHNlY3JldA==\"\r\n");
    assert!(said(&mut session).starts_with("NO (ENCRYPT-NEEDED) "));
    assert!(matches!(feed(&mut session, "STARTTLS\r\n"), Step::StartTls));
    assert_eq!(said(&mut session), "OK \"Begin TLS now\"\r\n");
    session.tls_started(None);
    let capabilities = said(&mut session);
    assert!(capabilities.contains("\"SASL\" \"PLAIN") && !capabilities.contains("STARTTLS"));
    feed(&mut session, "STARTTLS\r\n");
    assert_eq!(said(&mut session), "NO \"STARTTLS is not possible now\"\r\n");
}

/// CVE-2011-0411.
#[test]
fn nothing_may_follow_starttls() {
    let mut session = session(false);
    assert!(matches!(feed(&mut session, "STARTTLS\r\nNOOP\r\n"), Step::Close));
    assert!(said(&mut session).contains("\r\nBYE \"Nothing may follow STARTTLS"));
}

#[test]
fn rfc5804_2_scripts() {
    let name = || "a".to_owned();
    for (input, wish) in [
        ("HAVESPACE \"a\" 999\r\n", Wish::HaveSpace { name: name(), size: 999 }),
        ("PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n", Wish::Put { name: name(), text: "keep;".into() }),
        ("checkscript {5+}\r\nkeep;\r\n", Wish::Check { text: "keep;".into() }),
        ("LISTSCRIPTS\r\n", Wish::List),
        ("SETACTIVE \"a\"\r\n", Wish::Activate { name: Some(name()) }),
        ("SETACTIVE \"\"\r\n", Wish::Activate { name: None }),
        ("GETSCRIPT \"a\"\r\n", Wish::Get { name: name() }),
        ("DELETESCRIPT \"a\"\r\n", Wish::Delete { name: name() }),
        ("RENAMESCRIPT \"a\" \"b\"\r\n", Wish::Rename { from: name(), to: "b".into() }),
    ] {
        let mut session = logged_in();
        assert!(
            matches!(feed(&mut session, input), Step::Ask(Request::Scripts(asked)) if asked == wish),
            "{input}"
        );
        session.done(Ok(b"\"a\" ACTIVE\r\n".to_vec()));
        assert_eq!(said(&mut session), "\"a\" ACTIVE\r\nOK\r\n");
    }
}

#[test]
fn mistakes() {
    let mut session = logged_in();
    for (input, reply) in [
        ("FROB\r\n", "NO \"There is no such command\"\r\n"),
        ("\"NOOP\"\r\n", "NO \"A command was expected\"\r\n"),
        ("GETSCRIPT a\r\n", "NO \"A string was expected\"\r\n"),
        ("GETSCRIPT\r\n", "NO \"GETSCRIPT takes 1 arguments\"\r\n"),
        ("HAVESPACE \"a\" \"b\"\r\n", "NO \"HAVESPACE takes a name and a number\"\r\n"),
        ("NOOP \"x\"\r\n", "OK (TAG \"x\") \"Done\"\r\n"),
    ] {
        assert!(matches!(feed(&mut session, input), Step::Read), "{input}");
        assert_eq!(said(&mut session), reply, "{input}");
    }
    feed(&mut session, &format!("PUTSCRIPT \"a\" {{70000+}}\r\n{}\r\n", "#".repeat(70_000)));
    assert_eq!(said(&mut session), "NO (QUOTA/MAXSIZE) \"The literal is longer than the limit\"\r\n");
    for _ in 0..9 {
        feed(&mut session, "FROB\r\n");
    }
    assert!(said(&mut session).ends_with("BYE \"Too many mistakes\"\r\n"));
    assert!(matches!(feed(&mut logged_in(), "LOGOUT\r\n"), Step::Close));
}

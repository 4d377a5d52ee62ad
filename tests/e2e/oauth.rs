//! Tokens instead of passwords: a program gets one as a browser and its twin would give it, and uses it at every
//! door.

use std::process::Command;

use crate::clients::run;
use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, has_program, installed};
use crate::on_both_databases;

on_both_databases!(tokens_open_every_door_until_they_are_revoked);

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/scripts");

fn tokens_open_every_door_until_they_are_revoked(database: Database) {
    if !has_program("python3", "python3") || !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start_on(database);
    let ports = hub.ports();
    let (script, ca) = (format!("{SCRIPTS}/oauth_session.py"), ports.ca.display().to_string());
    let [https, imaps, submissions] =
        [ports.https, ports.imaps, ports.submissions].map(|port| port.to_string());
    let arguments = [&script, &https, &imaps, &submissions, &ca, ALICE, PASSWORD, BOB].map(AsRef::as_ref);
    let printed = run(&hub, "python3", &arguments, b"").expect_ok();
    hub.arrived(BOB, "by token");
    let token = printed.split_whitespace().last().expect("a token").to_owned();

    let curl = |arguments: &[&str]| {
        let login = ["-sS", "--cacert", &ca, "-u", ALICE, "--oauth2-bearer", &token];
        run(&hub, "curl", &[&login, arguments].concat(), b"")
    };
    let inbox = format!("imaps://localhost:{imaps}/");
    // Without SASL-IR curl answers an empty challenge.
    for options in [&[][..], &["--sasl-ir"], &["--login-options", "AUTH=XOAUTH2"]] {
        let list = curl(&[options, &[&inbox]].concat()).expect_ok();
        assert!(list.contains("INBOX"), "{list}");
    }
    let letter = hub.path("letter").display().to_string();
    let text = format!("From: <{ALICE}>\r\nTo: <{BOB}>\r\nSubject: curl with a token\r\n\r\nx\r\n");
    std::fs::write(&letter, text).expect("a write");
    let smtps = format!("smtps://localhost:{submissions}");
    curl(&["--mail-from", ALICE, "--mail-rcpt", BOB, "-T", &letter, &smtps]).expect_ok();
    hub.arrived(BOB, "curl with a token");

    let list = hub.admin(&["token", "list", ALICE]);
    assert!(list.contains("A script") && list.contains("127.0.0.1") && !list.contains(&token), "{list}");
    let id = list
        .lines()
        .find(|line| line.contains("A script"))
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_else(|| panic!("no id in {list}"));
    hub.admin(&["token", "revoke", ALICE, id]);
    let refused = curl(&[&inbox]).text();
    assert!(!refused.contains("INBOX"), "a revoked token still works: {refused}");
}

#[test]
fn client_authlib() {
    // Debian's python3 has Debian's packages, wherever another python3 is.
    let python = "/usr/bin/python3";
    let check = Command::new(python).args(["-c", "import authlib, requests"]).output();
    if !installed("python3-authlib python3-requests", check.is_ok_and(|output| output.status.success())) {
        return;
    }
    let hub = Hub::start();
    let (script, ca) = (format!("{SCRIPTS}/oauth_authlib.py"), hub.ports().ca.display().to_string());
    let https = hub.ports().https.to_string();
    run(&hub, python, &[&script, &https, &ca, ALICE, PASSWORD], b"").expect_ok();
}

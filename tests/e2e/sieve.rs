//! Rules about mail: kept with a real ManageSieve client, followed at delivery.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{ALICE, BOB, Hub, PASSWORD, assert_success, has_program, message};

const SCRIPT: &str = "require [\"fileinto\", \"mailbox\", \"imap4flags\"];\n\
    if header :contains \"subject\" \"list\" {\n    fileinto :create :flags \"\\\\Seen\" \"Lists\";\n}\n";

/// Debian's `sieve-connect`, over STARTTLS, with the hub's own authority.
fn sieve_connect(hub: &Hub, commands: &str) -> String {
    let mut child = Command::new("sieve-connect")
        .args(["--server", "localhost", "--port", &hub.ports().managesieve.to_string()])
        .args(["--user", ALICE, "--authmech", "PLAIN", "--passwordfd", "0", "--tlscafile"])
        .arg(hub.data().join("certs/ca.pem"))
        .args(["--exec", &hub.path("commands").display().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start of sieve-connect");
    fs::write(hub.path("commands"), commands).expect("written");
    child.stdin.take().expect("a pipe").write_all(format!("{PASSWORD}\n").as_bytes()).expect("written");
    let output = child.wait_with_output().expect("its end");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn rfc5804_sieve_connect() {
    if !has_program("sieve-connect", "sieve-connect") {
        return;
    }
    let hub = Hub::start();
    fs::write(hub.path("rules"), SCRIPT).expect("written");
    let rules = hub.path("rules").display().to_string();
    let copy = hub.path("copy").display().to_string();
    let text = sieve_connect(&hub, &format!("put {rules} main\nactivate main\nlist\nget main {copy}\n"));
    assert!(text.contains("main"), "{text}");
    let kept = fs::read_to_string(hub.path("copy")).expect("got").replace("\r\n", "\n");
    assert_eq!(kept, SCRIPT);
    assert!(hub.admin(&["sieve", "list", ALICE]).contains("in use"));

    hub.deliver(ALICE, &message("a@x.test", ALICE, "to the list", "x\r\n"));
    let mut imap = hub.imap(ALICE);
    let status = imap.ok("STATUS Lists (MESSAGES UNSEEN)").starting("* STATUS").concat();
    assert!(status.contains("MESSAGES 1") && status.contains("UNSEEN 0"), "{status}");
}

#[test]
fn rules_from_the_command_line() {
    let hub = Hub::start();
    fs::write(hub.path("wrong"), "keep").expect("written");
    let wrong = hub.cli(&["sieve", "check", BOB, &hub.path("wrong").display().to_string()]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("line 1, column 5"), "{said}");

    let put =
        hub.cli_with_input(&["sieve", "put", BOB, "no", "-"], "require \"reject\"; reject \"Not today.\";");
    assert_success(&put, &["sieve", "put"]);
    hub.admin(&["sieve", "activate", BOB, "no"]);
    let mut smtp = hub.smtp();
    let refused = smtp.send("a@x.test", &[BOB], &message("a@x.test", BOB, "hello", "x\r\n"));
    refused.expect_code(550);
    hub.admin(&["sieve", "activate", BOB, "--none"]);
    hub.deliver(BOB, &message("a@x.test", BOB, "hello", "x\r\n"));
    hub.arrived(BOB, "hello");
}

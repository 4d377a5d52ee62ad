//! What the hub's owner does on the command line, while the server runs.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use crate::harness::{ALICE, BOB, DOMAIN, Database, Hub, PASSWORD, assert_success, message};
use crate::imap_client::{Imap, quoted};
use crate::on_both_databases;

on_both_databases!(
    twins_domains_and_aliases,
    passwords_and_app_passwords,
    capabilities_hidden_from_one_twin,
    stopping_is_orderly
);

/// A `hub.toml` that sends everything for the outside to this port.
pub(crate) fn relay_config(port: u16) -> String {
    format!("[relay]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n")
}

fn may_log_in(hub: &Hub, user: &str, password: &str) -> bool {
    let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    imap.command(&format!("LOGIN {} {}", quoted(user), quoted(password))).status == "OK"
}

fn twins_domains_and_aliases(database: Database) {
    let hub = Hub::start_on(database);
    hub.admin(&["domain", "add", "Second.Test"]);
    let domains = hub.admin(&["domain", "list"]);
    assert!(domains.contains(DOMAIN) && domains.contains("second.test"), "{domains}");
    hub.add_twin("carol@second.test", PASSWORD);
    let twins = hub.admin(&["twin", "list"]);
    for twin in [ALICE, BOB, "carol@second.test"] {
        assert!(twins.contains(twin), "{twins}");
    }

    // Refused, with a sentence that names the thing; nothing is changed.
    for (arguments, word) in [
        (&["domain", "add", DOMAIN][..], DOMAIN),
        (&["domain", "add", "not a domain"], "not a domain"),
        (&["twin", "add", ALICE, "--password-stdin"], ALICE),
        (&["twin", "add", "x@unknown.test", "--password-stdin"], "unknown.test"),
        (&["twin", "add", "no-address", "--password-stdin"], "no-address"),
        (&["twin", "remove", "nobody@hub.test"], "nobody@hub.test"),
        (&["twin", "passwd", "nobody@hub.test", "--password-stdin"], "nobody@hub.test"),
        (&["alias", "add", "x@hub.test", "nobody@hub.test"], "nobody@hub.test"),
    ] {
        let output = hub.cli_with_input(arguments, PASSWORD);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(word), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    }

    // At once, in the server that runs.
    hub.deliver("carol@second.test", &message("a@x.test", "carol@second.test", "hello", "x\r\n"));
    hub.admin(&["alias", "add", "info@second.test", "carol@second.test"]);
    hub.deliver("info@second.test", &message("a@x.test", "info@second.test", "alias", "x\r\n"));
    hub.arrived("carol@second.test", "alias");
    hub.admin(&["twin", "remove", "carol@second.test", "--yes"]);
    assert!(!may_log_in(&hub, "carol@second.test", PASSWORD));
    let mut smtp = hub.smtp();
    smtp.command("MAIL FROM:<a@x.test>").expect_code(250);
    for gone in ["carol@second.test", "info@second.test"] {
        smtp.command(&format!("RCPT TO:<{gone}>")).expect("550 5.1.1");
    }
    // Made again, it is a new and empty account.
    hub.add_twin("carol@second.test", PASSWORD);
    let mut imap = hub.imap("carol@second.test");
    imap.ok("SELECT INBOX");
    assert!(imap.search("ALL").is_empty());
}

fn passwords_and_app_passwords(database: Database) {
    let hub = Hub::start_on(database);
    assert!(may_log_in(&hub, ALICE, PASSWORD));
    assert!(may_log_in(&hub, "Alice@Hub.Test", PASSWORD));
    let output = hub.cli_with_input(&["twin", "passwd", ALICE, "--password-stdin"], "pässwörd with spaces");
    assert_success(&output, &["twin", "passwd"]);
    assert!(!may_log_in(&hub, ALICE, PASSWORD), "the old password still works");
    let mut imap = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    let name = "pässwörd with spaces";
    imap.command(&format!("LOGIN {ALICE} {{{}+}}\r\n{name}", name.len())).expect_ok();

    let made = hub.admin(&["app-password", "add", ALICE, "phone"]);
    let secret = made
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .find(|word| word.len() >= 16 && !word.contains('@') && may_log_in(&hub, ALICE, word))
        .unwrap_or_else(|| panic!("no word of this is a password: {made}"))
        .to_owned();
    let list = hub.admin(&["app-password", "list", ALICE]);
    assert!(list.contains("phone") && !list.contains(&secret), "{list}");
    let id = list
        .lines()
        .find(|line| line.contains("phone"))
        .and_then(|line| line.split_whitespace().find(|word| word.parse::<i64>().is_ok()))
        .unwrap_or_else(|| panic!("no id in {list}"));
    hub.admin(&["app-password", "revoke", ALICE, id]);
    assert!(!may_log_in(&hub, ALICE, &secret), "a revoked password still works");

    // Without a password given, one is made up and shown once.
    let made = hub.admin(&["twin", "add", "dora@hub.test", "--generate"]);
    assert!(
        made.split_whitespace().any(|word| word.len() >= 12 && may_log_in(&hub, "dora@hub.test", word)),
        "{made}"
    );
}

/// mjl-/mox 3d28c89
fn capabilities_hidden_from_one_twin(database: Database) {
    let hub = Hub::start_on(database);
    let told = hub.admin(&["twin", "capabilities", ALICE, "--hide", "idle,COMPRESS=DEFLATE"]);
    assert!(told.contains("COMPRESS=DEFLATE, IDLE"), "{told}");
    let offered = |twin: &str| {
        let reply = hub.imap(twin).ok("CAPABILITY");
        String::from_utf8_lossy(&reply.untagged.concat()).into_owned()
    };
    let alices = offered(ALICE);
    assert!(
        !alices.contains(" IDLE") && !alices.contains(" COMPRESS") && alices.contains(" MOVE"),
        "{alices}"
    );
    assert_eq!(hub.imap(ALICE).command("COMPRESS DEFLATE").status, "BAD");
    assert!(offered(BOB).contains(" IDLE"));
    let output = hub.cli_with_input(&["twin", "capabilities", ALICE, "--hide", "IMAP4rev1"], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("IMAP4rev1 cannot be hidden"), "{output:?}");
    hub.admin(&["twin", "capabilities", ALICE, "--show-all"]);
    assert!(hub.admin(&["twin", "capabilities", ALICE]).contains("nothing"));
    assert!(offered(ALICE).contains(" IDLE"));
}

fn stopping_is_orderly(database: Database) {
    let mut hub = Hub::start_on(database);
    let mut idle = hub.imap(ALICE);
    idle.ok("SELECT INBOX");
    idle.write(b"i IDLE\r\n");
    idle.response();
    let mut smtp = hub.smtp();
    let ports = hub.ports().clone();
    hub.stop();
    assert!(!hub.log().contains("did not finish in time"), "connections that only waited were cut");
    let bye = String::from_utf8_lossy(&idle.try_response().expect("a last word")).into_owned();
    assert!(bye.starts_with("* BYE"), "RFC 3501 §7.1.5: {bye}");
    if let Ok(reply) = smtp.try_reply() {
        assert_eq!(reply.code, 421, "RFC 5321 §3.8: {reply:?}");
    }
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, ports.imaps)).is_err(), "still listening");
    hub.launch();
    assert!(may_log_in(&hub, ALICE, PASSWORD));
}

#[test]
fn twinhub_help_is_enough() {
    let hub = Hub::new(Database::Sqlite, "");
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["twin", "add", "--help"],
        &["alias", "--help"],
        &["app-password", "--help"],
        &["queue", "--help"],
        &["check", "--help"],
    ] {
        let help = hub.admin(arguments);
        assert!(help.contains("Usage"), "{arguments:?}: {help}");
    }
    // Global options are accepted after the subcommand too.
    let data = hub.data().display().to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_twinhub"))
        .args(["domain", "add", DOMAIN, "--data-dir", &data])
        .output()
        .expect("start of twinhub");
    assert_success(&output, &["domain", "add"]);
    assert!(hub.admin(&["domain", "list"]).contains(DOMAIN));
    assert!(!hub.cli(&["domain", "nonsense"]).status.success());
}

#[test]
fn twinhub_serve_says_what_to_do() {
    let mut hub = Hub::new(Database::Sqlite, "");
    hub.launch();
    let said = hub.log();
    for word in ["twin add", &hub.ports().imaps.to_string(), &hub.ports().submissions.to_string()] {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn twinhub_second_server_on_the_same_directory_is_refused() {
    let hub = Hub::start();
    let ready = hub.path("second.json");
    let output = hub.cli(&["serve", "--ephemeral-ports", "--ready-file", &ready.display().to_string()]);
    assert!(!output.status.success());
    assert!(!ready.exists());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains(&hub.data().display().to_string()) && !error.contains("panicked"), "{error}");
    hub.imap(ALICE).ok("NOOP");
}

#[test]
fn twinhub_damaged_database_is_named_and_left_alone() {
    let mut hub = Hub::start();
    hub.stop();
    let database = fs::read_dir(hub.data())
        .expect("the data directory")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")))
        .expect("an SQLite file");
    let damaged = b"this was a database once\n".repeat(1000);
    fs::write(&database, &damaged).expect("a write");
    let output = hub.cli(&["serve", "--ephemeral-ports", "--ready-file", "/dev/null"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    let name = database.file_name().expect("a name").to_string_lossy();
    assert!(error.contains(&*name) && !error.contains("panicked"), "{error}");
    assert_eq!(fs::read(&database).expect("still there"), damaged, "it was overwritten");
}

#[test]
fn hub_toml_unknown_key_names_file_line_and_nearest_key() {
    let hub = Hub::new(Database::Sqlite, "# a comment\n[relay]\nprot = 25\n");
    let output = hub.cli(&["check"]);
    assert!(!output.status.success());
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for word in ["hub.toml", "3", "prot", "port"] {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn twinhub_check_and_config() {
    let hub = Hub::start();
    let output = hub.cli(&["check"]);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    // What `config` prints is itself a valid hub.toml, and is the committed reference.
    let reference = hub.admin(&["config"]);
    assert!(reference.contains("[relay]"), "{reference}");
    let other = Hub::new(Database::Sqlite, &reference);
    let output = other.cli(&["domain", "list"]);
    assert_success(&output, &["domain", "list"]);
}

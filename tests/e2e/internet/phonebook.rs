//! Two hubs that have never met, and what each finds out about the other's twins.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use super::{Dns, Internet};
use crate::harness::{ALICE, Hub, has_program, wait_until};
use crate::postgres::free_port;

const BOB: &str = "bob@far.test";
const CAROL: &str = "carol@far.test";

/// `hub.test` with alice at 127.0.0.2, `far.test` with bob and carol at 127.0.0.3; `none.test` has no hub.
struct Pair {
    here: Hub,
    there: Hub,
    port: u16,
    _dns: Dns,
}

impl Pair {
    fn new() -> Self {
        let mut internet = Internet::new();
        let port = free_port();
        let mut hubs = [("hub.test", 2), ("far.test", 3)].map(|(domain, last)| {
            let hub = internet.hub(domain, last);
            internet.publish(&format!("{domain}. IN A 127.0.0.{last}"));
            answer_at(&hub, last, port);
            hub
        });
        let names = ["hub.test", "mail.hub.test", "far.test", "mail.far.test"].map(str::to_owned);
        let shown = rcgen::generate_simple_self_signed(names).expect("made");
        for hub in &hubs {
            fs::write(hub.data().join("shown.pem"), shown.cert.pem()).expect("written");
            fs::write(hub.data().join("shown.key"), shown.signing_key.serialize_pem()).expect("written");
        }
        let dns = internet.serve();
        dns.launch(&mut hubs[0], &[ALICE]);
        dns.launch(&mut hubs[1], &[BOB, CAROL]);
        let [here, there] = hubs;
        Self { here, there, port, _dns: dns }
    }

    /// What `twinhub phonebook` of `hub.test` says, and whether it is content.
    fn phonebook(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.here.cli(&[&["phonebook"], arguments].concat());
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(said).expect("UTF-8"))
    }

    fn refused(&self, arguments: &[&str], expected: &str) {
        let (is_content, said) = self.phonebook(arguments);
        assert!(!is_content && said.contains(expected), "{said}");
    }

    fn accepted(&self, arguments: &[&str], expected: &str) {
        let (is_content, said) = self.phonebook(arguments);
        assert!(is_content && said.contains(expected), "{said}");
    }

    fn id(&self, twin: &str) -> String {
        let shown = self.there.admin(&["twin", "identity", twin]);
        shown.lines().next().and_then(|line| line.strip_prefix("Id:")).expect("an id").trim().to_owned()
    }

    /// Status and body of what `far.test` answers a stranger.
    fn ask(&self, path: &str, options: &[&str]) -> (String, String) {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "20",
                "--write-out",
                "\n%{http_code}",
                "--cacert",
            ])
            .arg(self.there.data().join("shown.pem"))
            .args(["--resolve", &format!("far.test:{}:127.0.0.3", self.port)])
            .args(options)
            .arg(format!("https://far.test:{}{path}", self.port))
            .output()
            .expect("curl");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (body, status) = text.rsplit_once('\n').expect("a status");
        (status.to_owned(), body.to_owned())
    }
}

/// Lets a hub answer other hubs at an address of its own, at the port that all of them are asked at.
fn answer_at(hub: &Hub, last: u8, port: u16) {
    let (file, ip) = (hub.data().join("hub.toml"), Ipv4Addr::new(127, 0, 0, last));
    let config = fs::read_to_string(&file).expect("hub.toml");
    let listening =
        config.replace("https = \"127.0.0.1:0\"", &format!("https = [\"127.0.0.1:0\", \"{ip}:{port}\"]"));
    assert_ne!(listening, config);
    let seen = listening.replace("https = 443\n", &format!("https = {port}\n"));
    assert_ne!(seen, listening);
    let rest = format!(
        "[tls]\ncertificates = [{{ chain = \"shown.pem\", key = \"shown.key\" }}]\n\
         trust_roots = \"shown.pem\"\n[twins]\nport = {port}\nprivate_networks = true\n"
    );
    fs::write(file, seen + &rest).expect("written");
}

#[test]
fn twins_of_another_hub_are_found_and_followed() {
    let pair = Pair::new();
    let bob = pair.id(BOB);
    pair.accepted(
        &["lookup", "Bob@far.test"],
        &format!("Id:           {bob}\nHandle:       {BOB}\nVersion:      1,"),
    );
    pair.refused(&["lookup", "nobody@far.test"], "the hub of far.test knows no twin nobody@far.test");
    pair.refused(&["lookup", "anybody@none.test"], "none.test has no hub; its mail goes by SMTP");
    pair.refused(&["lookup", ALICE], "is an address of this hub");
    pair.there.admin(&["twin", "hide", CAROL]);
    pair.refused(&["lookup", CAROL], "the hub of far.test knows no twin carol@far.test");
    pair.there.admin(&["twin", "show", CAROL]);
    pair.accepted(&["pin", CAROL, &pair.id(CAROL)], "Pinned:       yes");
    pair.refused(&["pin", BOB, &pair.id(CAROL)], &format!("it is {bob}"));
    pair.there.admin(&["twin", "rotate-keys", BOB]);
    pair.accepted(&["lookup", BOB], "Version:      2,");
    pair.accepted(
        &["verify", "far.test"],
        "The log has only grown; it has 3 versions now:\nfar.test/twins\n3\n",
    );
    pair.refused(&["verify", "none.test"], "has no hub");
    pair.there.admin(&["twin", "remove", "--yes", CAROL]);
    pair.refused(&["lookup", CAROL], "does not know carol@far.test any more, who was tw1");
}

#[test]
fn who_is_hidden_is_as_who_does_not_exist() {
    if !has_program("curl", "curl") {
        return;
    }
    let pair = Pair::new();
    let (status, descriptor) = pair.ask("/.well-known/twin", &[]);
    assert_eq!(status, "200");
    assert!(
        descriptor.contains(&format!("\"api\":\"https://mail.far.test:{}/twin/v1\"", pair.port)),
        "{descriptor}"
    );
    assert_eq!(pair.ask("/.well-known/twin", &["--header", "Host: elsewhere.test"]).0, "404");
    assert_eq!(pair.ask("/twin/v1/phonebook/bob@far.test", &[]).0, "200");
    pair.there.admin(&["twin", "hide", BOB]);
    let hidden = pair.ask("/twin/v1/phonebook/bob@far.test", &["--include"]);
    let unknown = pair.ask("/twin/v1/phonebook/nobody@far.test", &["--include"]);
    let without_date = |(status, text): (String, String)| {
        let lines: Vec<String> =
            text.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
        (status, lines)
    };
    assert_eq!(hidden.0, "404");
    assert_eq!(without_date(hidden), without_date(unknown));
    for (path, options, status) in [
        ("/twin/v1/log/far.test", &[][..], "200"),
        ("/twin/v1/log/far.test?since=9", &[], "200"),
        ("/twin/v1/log/far.test?since=-1", &[], "400"),
        ("/twin/v1/log/hub.test", &[], "404"),
        ("/twin/v1/phonebook/", &[], "404"),
        ("/twin/v1/phonebook/%00", &[], "404"),
        ("/twin/v1/", &[], "404"),
        ("/twin/v1/log/far.test", &["--data", "x"], "405"),
    ] {
        assert_eq!(pair.ask(path, options).0, status, "{path}");
    }
}

/// Hostile hub: a forked log. The hub begins anew with its old key, as if nothing had been said before.
#[test]
fn a_hub_that_denies_its_past_is_caught() {
    let mut pair = Pair::new();
    pair.accepted(&["lookup", BOB], "Version:      1,");
    pair.there.stop();
    for file in ["hub.db", "hub.db-wal", "hub.db-shm"] {
        let _ = fs::remove_file(pair.there.data().join(file));
    }
    pair.there.launch();
    pair.there.admin(&["domain", "add", "far.test"]);
    pair.there.add_twin(BOB, "another");
    pair.refused(&["lookup", BOB], "the log of far.test is shorter than it was");
    pair.there.add_twin(CAROL, "another");
    pair.refused(&["lookup", BOB], "the hub of far.test is not believed: it shows two logs of one length");
    pair.refused(&["verify", "far.test"], "the hub of far.test is not believed");
    wait_until("both say so", || {
        let caught = pair.here.log().contains("another hub was caught; it is not believed any more");
        (caught && pair.there.log().contains("another hub was shown a log that is not ours")).then_some(())
    });
    // The owner decides to believe it again; but who Bob is has still changed.
    pair.accepted(&["forget", "far.test"], "What far.test says next is believed.");
    pair.refused(&["lookup", BOB], "it is no record of this twin");
    pair.accepted(&["pin", BOB, &pair.id(BOB)], "Pinned:       yes");
}

/// Who was a twin stays one while its hub does not answer.
#[test]
fn a_hub_that_is_away_is_no_reason_to_forget() {
    let mut pair = Pair::new();
    pair.accepted(&["lookup", BOB], "Version:      1,");
    pair.there.kill();
    pair.refused(&["lookup", BOB], "no answer: far.test");
    pair.there.launch();
    pair.accepted(&["lookup", BOB], "Version:      1,");
}

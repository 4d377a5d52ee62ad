//! Mail that can prove who sent it: signatures that others check, and the keys behind them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Receiver;

use test_dns::{Names, TestDns};
use tokio::runtime::Runtime;

use crate::harness::{ALICE, DOMAIN, Database, Hub, PATIENCE, installed, message, wait_until};
use crate::submission::{Relayed, relay_host_offering};

/// Checks a message with the records of a zone file: every signature, printing `d=`, `a=` and the answer of
/// each, or the chain of seals, printing what comes of it.
const VERIFY: &str = r#"
import dkim, re, sys
records = {}
for line in open(sys.argv[1]):
    found = re.match(r'(\S+) \d+ IN TXT (.*)', line)
    if found:
        records[found[1]] = ''.join(re.findall(r'"([^"]*)"', found[2]))
ask = lambda name, timeout=5: records.get(name.decode(), '').encode() or None
message = open(sys.argv[2], 'rb').read()
if sys.argv[3] == 'seals':
    print(dkim.arc_verify(message, dnsfunc=ask)[0].decode())
    sys.exit()
count = len(re.findall(rb'(?mi)^dkim-signature:', message))
for n in range(count):
    checker = dkim.DKIM(message)
    answer = checker.verify(n, dnsfunc=ask)
    print(checker.signature_fields[b'd'].decode(), checker.signature_fields[b'a'].decode(), answer)
"#;

/// The one that Debian's packages are for.
const PYTHON: &str = "/usr/bin/python3";

pub(crate) fn has_dkimpy() -> bool {
    let there = Command::new(PYTHON).args(["-c", "import dkim, nacl"]).output();
    installed("python3-dkim python3-nacl", there.is_ok_and(|output| output.status.success()))
}

/// What dkimpy says about the `signatures` or the `seals` of the message in a file.
pub(crate) fn verify(what: &str, zone: &Path, mail: &Path) -> String {
    let mut command = Command::new(PYTHON);
    let output = command.arg("-c").arg(VERIFY).args([zone, mail]).arg(what).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn rfc6376_others_accept_what_is_signed() {
    if !has_dkimpy() {
        return;
    }
    let text = "two  spaces \r\n\r\nand Gr\u{fc}\u{df}e\r\n\r\n\r\n";
    let (body, answers) = relayed("250-8BITMIME\r\n250 PIPELINING", text);
    assert_eq!(answers, all_are_right());
    assert!(body.contains(text), "it left as it was written: {body}");
}

/// RFC 6376 §5.3: what is converted is signed as it leaves. For one host without 8BITMIME, and because no
/// host has to take lines over 998 octets.
#[test]
fn rfc6376_5_3_conversion_before_the_signature() {
    if !has_dkimpy() {
        return;
    }
    let long = "long lines ".repeat(300);
    for (offers, text, piece) in [
        ("250 PIPELINING", "Gr\u{fc}\u{df}e\r\n", "Gr=C3=BC=C3=9Fe\r\n"),
        ("250 8BITMIME", long.as_str(), "long line=\r\n"),
        ("250 PIPELINING", &format!("{long}Gr\u{fc}\u{df}e\r\n"), "=C3=BC"),
    ] {
        let (body, answers) = relayed(offers, text);
        assert_eq!(answers, all_are_right(), "{body}");
        assert!(body.contains("quoted-printable") && body.contains(piece), "{body}");
        assert!(body.is_ascii() && body.lines().all(|line| line.len() <= 998), "{body}");
    }
}

fn all_are_right() -> String {
    format!("{DOMAIN} rsa-sha256 True\n{DOMAIN} ed25519-sha256 True\n")
}

/// What a relay host with these offers gets of a message of alice, and what dkimpy says of its signatures.
fn relayed(offers: &'static str, text: &str) -> (String, String) {
    let (port, received) = relay_host_offering(offers);
    let hub = Hub::start_with_config(&crate::admin::relay_config(port));
    let sent = message(ALICE, "friend@elsewhere.test", "signed", text);
    hub.submission(ALICE).send(ALICE, &["friend@elsewhere.test"], &sent).expect_code(250);
    arrived(&hub, &received, "signatures")
}

/// The next message at the relay host, and what dkimpy says of its `signatures` or `seals`.
fn arrived(hub: &Hub, received: &Receiver<Relayed>, what: &str) -> (String, String) {
    let (_, body) = received.recv_timeout(PATIENCE).expect("the relay host got it");
    let body = body.strip_suffix(b".\r\n").expect("a dot");
    let (zone, mail) = (hub.path("zone"), hub.path("signed.eml"));
    fs::write(&zone, hub.admin(&["dns", DOMAIN])).expect("written");
    fs::write(&mail, body).expect("written");
    (String::from_utf8_lossy(body).into_owned(), verify(what, &zone, &mail))
}

/// RFC 8617 §5.1.1: what rules pass on is sealed as it leaves, too.
#[test]
fn rfc8617_conversion_before_the_seal() {
    if !has_dkimpy() {
        return;
    }
    let (_runtime, dns) = serve(Names::default().unsigned("test.", ""));
    let (port, received) = relay_host_offering("250 PIPELINING");
    let checks = "[authentication]\ncheck_loopback = true\ngreylisting = \"0 s\"\n";
    let hub =
        Hub::start_with_config(&format!("{}{}{checks}", crate::admin::relay_config(port), resolver(&dns)));
    hub.cli_with_input(&["sieve", "put", ALICE, "main", "-"], "redirect \"friend@elsewhere.test\";");
    hub.admin(&["sieve", "activate", ALICE, "main"]);
    let sent = message("x@stranger.test", ALICE, "sealed", "Gr\u{fc}\u{df}e\r\n");
    hub.smtp().send("x@stranger.test", &[ALICE], &sent).expect_code(250);
    let (body, answer) = arrived(&hub, &received, "seals");
    assert!(body.contains("Gr=C3=BC=C3=9Fe\r\n") && body.is_ascii(), "{body}");
    assert_eq!(body.matches("ARC-Seal:").count(), 1, "{body}");
    assert_eq!(answer, "pass\n", "{body}");
}

#[test]
fn new_keys_wait_for_dns() {
    let hub = Hub::start();
    hub.admin(&["domain", "add", "second.test"]);
    let keys = hub.admin(&["domain", "keys", "second.test"]);
    assert!(keys.contains("rsa-1") && keys.contains("ed25519-1") && keys.contains("signing"), "{keys}");
    hub.admin(&["domain", "rotate-keys", "second.test"]);
    let keys = hub.admin(&["domain", "keys", "second.test"]);
    assert!(keys.contains("rsa-2") && keys.contains("new"), "{keys}");
    let zone = hub.admin(&["dns", "second.test"]);
    for selector in ["rsa-1", "ed25519-1", "rsa-2", "ed25519-2"] {
        assert!(
            zone.contains(&format!("{selector}._domainkey.second.test. 3600 IN TXT \"v=DKIM1; k=")),
            "{zone}"
        );
    }
    for (arguments, word) in [
        (["domain", "rotate-keys", "second.test"], "wait for DNS"),
        (["domain", "rotate-keys", "third.test"], "not hosted"),
    ] {
        let output = hub.cli_with_input(&arguments, "");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(word), "{error}");
    }
}

/// A name server on loopback, as long as both live.
pub(crate) fn serve(names: Names) -> (Runtime, TestDns) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("threads");
    let served = runtime.block_on(names.serve());
    (runtime, served)
}

pub(crate) fn resolver(dns: &TestDns) -> String {
    format!("[resolver]\naddress = \"{}\"\nport = {}\n", dns.address.ip(), dns.address.port())
}

#[test]
fn rfc9989_who_pretends_is_refused() {
    let records = "strict.test. IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n\
                   _dmarc.strict.test. IN TXT \"v=DMARC1; p=reject\"\n\
                   other.test. IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n";
    let (_runtime, dns) = serve(Names::default().unsigned("test.", records));
    let config = format!("{}[authentication]\ncheck_loopback = true\n", resolver(&dns));
    let hub = Hub::start_with_config(&config);
    let send = |sender: &str, from: &str, subject: &str| {
        let mut smtp = hub.smtp();
        smtp.send(sender, &[ALICE], &message(from, ALICE, subject, "x\r\n"))
    };
    send("x@strict.test", "x@strict.test", "genuine").expect("250 2.0.0");
    send("x@other.test", "x@strict.test", "pretended").expect("550 5.7.1");
    // Nobody outside speaks for a twin of ours.
    send("x@other.test", ALICE, "as alice").expect("250 2.0.0");
    let kept = hub.arrived(ALICE, "genuine");
    let kept = String::from_utf8_lossy(&kept).into_owned();
    for word in ["dmarc=pass (p=reject) header.from=strict.test", "spf=pass smtp.mailfrom=strict.test"] {
        assert!(kept.contains(word), "{kept}");
    }
    let status = hub.imap(ALICE).command("STATUS Junk (MESSAGES)");
    assert!(status.untagged.iter().any(|line| line.ends_with(b"(MESSAGES 1)")), "{status:?}");
}

#[test]
fn every_record_is_checked() {
    let hub = Hub::start();
    let printed = hub.admin(&["dns", DOMAIN]);
    let address = format!("mail.{DOMAIN}. 3600 IN A 127.0.0.1\n");
    let check = |records: &str| {
        let (_runtime, dns) = serve(Names::default().unsigned("test.", records));
        fs::write(hub.data().join("hub.toml"), resolver(&dns)).expect("written");
        let output = hub.cli_with_input(&["check", DOMAIN], "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let fine = check(&format!("{address}{printed}"));
    assert!(fine.contains("DNS has every record of hub.test"), "{fine}");

    let without: String = printed
        .lines()
        .filter(|line| !line.starts_with("ed25519-1."))
        .map(|line| format!("{line}\n"))
        .collect();
    let broken = without.replace("p=MII", "p=AAA").replace("_dmarc.", "_dmorc.");
    let text = check(&format!("{address}{broken}"));
    for sentence in [
        "TXT ed25519-1._domainkey.hub.test is missing",
        "TXT rsa-1._domainkey.hub.test says",
        "TXT _dmarc.hub.test is missing: \"v=DMARC1; p=quarantine",
    ] {
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
    assert!(!text.contains("SRV _imaps"), "{text}");
}

#[test]
fn rfc5782_lists_are_tried() {
    let records = "2.0.0.127.good.test. IN A 127.0.0.2\n\
                   2.0.0.127.wild.test. IN A 127.0.0.2\n1.0.0.127.wild.test. IN A 127.0.0.2\n\
                   test.names.test. IN A 127.0.0.2\n";
    let (_runtime, dns) = serve(Names::default().unsigned("test.", records));
    let lists = "[dnsbl]\nreject = [\"good.test\", \"gone.test\"]\nmark = [\"wild.test\"]\n\
                 mark_domains = [\"names.test\"]\n";
    let hub = Hub::new(Database::Sqlite, &format!("{}{lists}", resolver(&dns)));
    let output = hub.cli(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for sentence in [
        "ok      the list good.test answers",
        "warning the list gone.test does not have the entry",
        "warning the list wild.test names everybody",
        "ok      the list names.test answers",
    ] {
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
}

#[test]
fn rfc9990_reports_of_others_are_shown() {
    let hub = Hub::start();
    let report = "From: noreply@google.test\r\nTo: postmaster@hub.test\r\n\
        Subject: Report Domain: hub.test Submitter: google.test Report-ID: <1>\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/xml\r\n\r\n\
        <feedback><report_metadata><org_name>google.test</org_name><report_id>1</report_id>\r\n\
        <date_range><begin>1669507200</begin><end>1669593599</end></date_range></report_metadata>\r\n\
        <policy_published><domain>hub.test</domain><p>none</p></policy_published>\r\n\
        <record><row><source_ip>192.0.2.1</source_ip><count>41</count>\r\n\
        <policy_evaluated><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row></record>\r\n\
        <record><row><source_ip>192.0.2.2</source_ip><count>7</count>\r\n\
        <policy_evaluated><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row></record></feedback>\r\n";
    hub.smtp().send("noreply@google.test", &["postmaster@hub.test"], report.as_bytes()).expect_code(250);
    let shown = wait_until("the report", || {
        let shown = hub.admin(&["reports", "dmarc"]);
        shown.contains("google.test").then_some(shown)
    });
    for word in ["2022-11-27", "hub.test", "41", "7"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

//! Mail that a Postfix elsewhere takes for a domain of its own and passes on, as universities and
//! associations do: the hub signs it, finds the host by DNSSEC and DANE, and is believed at the end of
//! the way although the message comes from an address that SPF does not know.

use std::net::SocketAddr;

use rcgen::PublicKeyData as _;

use super::{Dns, Internet, count, rules, wait_for_empty_queue};
use crate::harness::{ALICE, Hub, message, wait_until};
use crate::postfix::Postfix;
use crate::senders::{has_dkimpy, verify};

const BOB: &str = "bob@far.test";

/// `hub.test`, the forwarder of `relay.test`, and `far.test`.
struct Way {
    here: Hub,
    postfix: Postfix,
    there: Hub,
    dns: Dns,
    port: u16,
    records: String,
}

impl Way {
    fn new() -> Self {
        let mut internet = Internet::new();
        let (mut here, mut there) = (internet.hub("hub.test", 2), internet.hub("far.test", 3));
        let (certificate, key, public_key) = certificate("mx.relay.test");
        let port = internet.port;
        internet.publish(&format!(
            "relay.test. IN MX 10 mx.relay.test.\nmx.relay.test. IN A 127.0.0.9\n\
             _{port}._tcp.mx.relay.test. IN TLSA 3 1 0 {public_key}"
        ));
        let dns = internet.serve();
        dns.launch(&mut here, &[ALICE]);
        dns.launch(&mut there, &[BOB]);
        let files = [
            ("cert.pem", certificate.as_str()),
            ("key.pem", key.as_str()),
            ("recipients", RECIPIENTS),
            ("body", "/^Change this line$/ REPLACE It was changed\n"),
        ];
        let postfix = Postfix::start_at(internet.at(9), &settings(internet.at(2), internet.at(3)), &files);
        Self { here, postfix, there, dns, port, records: internet.records }
    }

    /// Alice sends this text.
    fn send(&self, to: &[&str], subject: &str, body: &str) -> Vec<u8> {
        let sent = message(ALICE, to[0], subject, body);
        self.here.submission(ALICE).send(ALICE, to, &sent).expect_code(250);
        sent
    }
}

/// Who is refused at relay.test, and who is put off.
const RECIPIENTS: &str = "gone@relay.test 550 5.1.1 left in spring\nlate@relay.test 450 4.2.0 come again\n";

/// The forwarder's own domain leads to twins of both hubs; it connects from an address of its own.
fn settings(here: SocketAddr, there: SocketAddr) -> String {
    format!(
        "myhostname = mx.relay.test\nsmtp_bind_address = 127.0.0.9\n\
         virtual_alias_domains = relay.test\n\
         virtual_alias_maps = inline:{{ {{ friend@relay.test = bob@far.test }}, \
         {{ late@relay.test = bob@far.test }}, {{ lost@relay.test = nobody@far.test }}, \
         {{ home@relay.test = nobody@hub.test }} }}\n\
         transport_maps = inline:{{ {{ hub.test = smtp:[{}]:{} }}, {{ far.test = smtp:[{}]:{} }} }}\n\
         smtpd_recipient_restrictions = check_recipient_access texthash:$config_directory/recipients\n\
         body_checks = regexp:$config_directory/body\n\
         smtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\n\
         smtpd_tls_cert_file = $config_directory/cert.pem\nsmtpd_tls_key_file = $config_directory/key.pem\n\
         smtp_tls_security_level = may\n",
        here.ip(),
        here.port(),
        there.ip(),
        there.port(),
    )
}

/// PEM of a certificate that nobody vouches for, PEM of its key, and its public key for DNS.
fn certificate(name: &str) -> (String, String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
    let public_key = signing_key.subject_public_key_info();
    let public_key = public_key.iter().map(|byte| format!("{byte:02x}")).collect();
    (cert.pem(), signing_key.serialize_pem(), public_key)
}

/// What our own Authentication-Results says.
fn results(message: &[u8], host: &str) -> String {
    let text = String::from_utf8_lossy(message);
    let start = format!("\r\nAuthentication-Results: {host};");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no results of {host}: {text}"));
    let lines = rest.split("\r\n").enumerate();
    lines.take_while(|(n, line)| *n == 0 || line.starts_with(['\t', ' '])).map(|(_, line)| line).collect()
}

fn body(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n").expect("an empty line");
    &message[at + 4..]
}

/// What dkimpy says about a message, with the records of this DNS.
fn verified_by_others(way: &Way, what: &str, message: &[u8]) -> String {
    let (zone, mail) = (way.here.path("zone"), way.here.path("message.eml"));
    std::fs::write(&zone, &way.records).expect("written");
    std::fs::write(&mail, message).expect("written");
    verify(what, &zone, &mail)
}

#[test]
fn signed_mail_is_believed_behind_a_forwarder() {
    if !Postfix::is_installed() || !has_dkimpy() {
        return;
    }
    let way = Way::new();
    let text = "Gr\u{fc}\u{df}e,  \r\n.\r\n..two\r\n\ttabs \t\r\nFrom here\r\n\r\n\r\n";
    let sent = way.send(&["friend@relay.test"], "by way of a friend", text);
    let kept = way.there.arrived(BOB, "by way of a friend");
    let found = results(&kept, "mail.far.test");
    for word in [
        "spf=fail smtp.mailfrom=hub.test",
        "dkim=pass header.d=hub.test header.s=rsa-1",
        "dkim=pass header.d=hub.test header.s=ed25519-1",
        "dmarc=pass (p=reject) header.from=hub.test",
    ] {
        assert!(found.contains(word), "{word}: {found}");
    }
    assert_eq!(body(&kept), body(&sent), "{}", String::from_utf8_lossy(&kept));
    let trace = String::from_utf8_lossy(&kept);
    assert!(trace.starts_with(&format!("Return-Path: <{ALICE}>\r\n")), "{trace}");
    assert!(
        trace.contains("using TLSv1.3") && trace.contains("by mx.relay.test (Postfix) with ESMTPS"),
        "{trace}"
    );
    assert!(way.here.log().contains("certificate verified by DANE"), "{}", way.here.log());
    assert_eq!(way.dns.server.asked(&format!("_{}._tcp.mx.relay.test.", way.port), "TLSA"), 1);

    assert_eq!(
        verified_by_others(&way, "signatures", &kept),
        "hub.test rsa-sha256 True\nhub.test ed25519-sha256 True\n"
    );

    // Directly, SPF knows the address too.
    way.send(&[BOB], "directly", "x\r\n");
    let found = results(&way.there.arrived(BOB, "directly"), "mail.far.test");
    assert!(found.contains("spf=pass") && found.contains("dmarc=pass"), "{found}");
}

/// A forwarder that changes what was signed cannot prove anything any more. Its bounce of what is refused
/// comes from the null reverse-path.
#[test]
fn what_a_forwarder_changed_comes_back() {
    if !Postfix::is_installed() {
        return;
    }
    let way = Way::new();
    way.send(&["friend@relay.test"], "to be changed", "Change this line\r\n");
    let bounce = way.here.arrived(ALICE, "Undelivered Mail Returned to Sender");
    let bounce = String::from_utf8_lossy(&bounce).into_owned();
    for line in ["Return-Path: <>\r\n", "said: 550 5.7.1 hub.test wants mail refused", "Action: failed"] {
        assert!(bounce.contains(line), "{line}: {bounce}");
    }
    way.send(&["lost@relay.test"], "to nobody", "x\r\n");
    wait_until("a second bounce", || (count(&way.here, ALICE, "INBOX") == 2).then_some(()));
    wait_until("Postfix's empty queue", || way.postfix.queue().contains("Mail queue is empty").then_some(()));
    assert!(way.postfix.log().contains("said: 550 5.1.1 No such user here"), "{}", way.postfix.log());
    assert_eq!(count(&way.there, BOB, "INBOX") + count(&way.there, BOB, "Junk"), 0);
    wait_for_empty_queue(&way.here);
}

/// RFC 5321 §4.2.1: each recipient has a verdict of its own.
#[test]
fn a_postfix_refuses_one_of_three_and_puts_one_off() {
    if !Postfix::is_installed() {
        return;
    }
    let way = Way::new();
    let to = ["friend@relay.test", "gone@relay.test", "late@relay.test"];
    way.send(&to, "to three", "x\r\n");
    let report = way.here.arrived(ALICE, "Your message could not be delivered");
    let report = String::from_utf8_lossy(&report).into_owned();
    assert!(report.contains("Final-Recipient: rfc822;gone@relay.test"), "{report}");
    assert!(report.contains("rejected: left in spring") && !report.contains("late@relay.test"), "{report}");
    way.there.arrived(BOB, "to three");
    let waiting = way.here.admin(&["queue", "list", "--json"]);
    assert!(waiting.contains("late@relay.test") && waiting.contains("450 4.2.0"), "{waiting}");
    assert!(!waiting.contains("friend@relay.test") && !waiting.contains("gone@relay.test"), "{waiting}");

    way.postfix.rewrite("recipients", "");
    way.here.admin(&["queue", "retry", "--all"]);
    wait_for_empty_queue(&way.here);
    wait_until("Postfix's empty queue", || way.postfix.queue().contains("Mail queue is empty").then_some(()));
    assert_eq!(count(&way.there, BOB, "INBOX"), 2, "one for each address, once");
    assert_eq!(count(&way.here, ALICE, "INBOX"), 1, "one report");
}

/// A bounce to a rewritten reverse-path goes all the way home (SRS), through a third server's queue.
#[test]
fn bounces_go_home_through_who_passed_the_message_on() {
    if !Postfix::is_installed() {
        return;
    }
    let way = Way::new();
    rules(&way.there, BOB, "redirect \"home@relay.test\";");
    way.send(&[BOB], "on and on", "x\r\n");
    let bounce = way.here.arrived(ALICE, "Undelivered Mail Returned to Sender");
    let bounce = String::from_utf8_lossy(&bounce).into_owned();
    for line in ["Return-Path: <>\r\n", "Final-Recipient: rfc822; nobody@hub.test", "Subject: on and on"] {
        assert!(bounce.contains(line), "{line}: {bounce}");
    }
    assert!(way.postfix.log().contains("from=<SRS0="), "{}", way.postfix.log());
    wait_for_empty_queue(&way.here);
    wait_for_empty_queue(&way.there);
    assert_eq!((count(&way.here, ALICE, "INBOX"), count(&way.there, BOB, "INBOX")), (1, 0));
}

/// RFC 8617: who passes a message on seals what it found out about it; others believe the seal.
#[test]
fn seals_are_believed_by_others() {
    if !Postfix::is_installed() || !has_dkimpy() {
        return;
    }
    let way = Way::new();
    rules(&way.there, BOB, &format!("redirect \"{ALICE}\";"));
    let sent = message("x@stranger.test", BOB, "sealed", "One line.\r\n");
    way.there.smtp().send("x@stranger.test", &[BOB], &sent).expect_code(250);
    let kept = way.here.arrived(ALICE, "sealed");
    let found = results(&kept, "mail.hub.test");
    assert!(found.contains("arc=pass"), "{found}");
    assert_eq!(verified_by_others(&way, "seals", &kept), "pass\n", "{}", String::from_utf8_lossy(&kept));
}

//! Certificates from a public authority (RFC 8555), with Debian's Pebble as the authority.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::harness::{Database, Hub, wait_until};
use crate::pebble::{Pebble, Place};

const NAME: &str = "mail.hub.test";

fn hub(place: &Place, settings: &str) -> Hub {
    let mut hub = Hub::new(
        Database::Sqlite,
        &format!(
            "[tls]\ntrust_roots = \"{}\"\n[acme]\nagree_to_terms = true\ndirectory = \"{}\"\n{settings}\n",
            place.root(),
            place.directory()
        ),
    );
    hub.launch();
    hub
}

/// What a client that asks for `name` is shown, whether it would trust it or not.
fn certificate(port: u16, name: &str) -> Vec<u8> {
    let script = "import socket, ssl, sys\n\
        context = ssl._create_unverified_context()\n\
        stream = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
        sys.stdout.buffer.write(context.wrap_socket(stream, server_hostname=sys.argv[2]).getpeercert(True))";
    let output = Command::new("python3").args(["-c", script, &port.to_string(), name]).output();
    let output = output.expect("start of python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn is_from_pebble(certificate: &[u8]) -> bool {
    certificate.windows(6).any(|window| window == b"Pebble")
}

fn ask_again(hub: &Hub) {
    let status = Command::new("kill").args(["-HUP", &hub.pid().to_string()]).status();
    assert!(status.expect("start of kill").success());
}

/// Without the authority the own certificate stays, and it is said why. With it a certificate comes,
/// is shown on every port at once, and is renewed, all without a restart.
#[test]
fn rfc8555_http_01_then_renewal() {
    if !Pebble::is_installed() {
        return;
    }
    let place = Place::new();
    let hub = hub(&place, "names = [\"mail.hub.test\", \"imap.hub.test\"]\ncontact = \"admin@hub.test\"");
    wait_until("the failure in the log", || {
        hub.log().contains("no certificate; those in use stay").then_some(())
    });
    assert!(!is_from_pebble(&certificate(hub.ports().imaps, NAME)));
    let checked = hub.cli(&["check"]);
    let checked = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.contains("the last attempt to get one failed"), "{checked}");

    let _pebble = Pebble::start(&place, hub.ports(), 12);
    ask_again(&hub);
    let first = wait_until("a certificate from Pebble", || {
        let shown = certificate(hub.ports().imaps, NAME);
        is_from_pebble(&shown).then_some(shown)
    });
    for port in [hub.ports().https, hub.ports().submissions] {
        assert!(is_from_pebble(&certificate(port, "imap.hub.test")));
    }
    assert!(!is_from_pebble(&certificate(hub.ports().imaps, "localhost")), "the own one names localhost");
    for file in ["acme.pem", "acme-account.json"] {
        let data = fs::metadata(hub.data().join("certs").join(file)).expect(file);
        assert_eq!(data.permissions().mode() & 0o777, 0o600, "{file}");
    }
    wait_until("another certificate", || {
        let shown = certificate(hub.ports().imaps, NAME);
        (is_from_pebble(&shown) && shown != first).then_some(())
    });
    assert!(!hub.data().join("certs/acme-trouble").exists());
    assert_eq!(hub.log().matches("registered with the authority").count(), 1, "one account for all orders");
}

/// Over TLS alone, as behind a forward of port 443; new domains get their names.
#[test]
fn rfc8737_tls_alpn_01_and_new_domains() {
    if !Pebble::is_installed() {
        return;
    }
    let place = Place::new();
    let mut hub = hub(&place, "challenge = \"tls-alpn-01\"");
    let _pebble = Pebble::start(&place, hub.ports(), 3600);
    hub.admin(&["domain", "add", "hub.test"]);
    for name in ["mail.hub.test", "autoconfig.hub.test", "mta-sts.hub.test"] {
        wait_until("a certificate from Pebble", || {
            is_from_pebble(&certificate(hub.ports().imaps, name)).then_some(())
        });
    }
    hub.admin(&["domain", "add", "other.test"]);
    wait_until("the new domain in it", || {
        is_from_pebble(&certificate(hub.ports().https, "mail.other.test")).then_some(())
    });
    hub.stop();
    hub.launch();
    assert!(is_from_pebble(&certificate(hub.ports().imaps, NAME)), "at once after a restart");
}

/// A name that does not lead here costs the others nothing, and is named.
#[test]
fn names_that_the_authority_cannot_see_are_left_out() {
    if !Pebble::is_installed() {
        return;
    }
    let place = Place::new();
    let hub = hub(&place, "challenge = \"http-01\"\nnames = [\"mail.hub.test\", \"gone.hub.test\"]");
    let pebble = Pebble::start(&place, hub.ports(), 3600);
    pebble.hide("gone.hub.test");
    ask_again(&hub);
    wait_until("a certificate from Pebble", || {
        is_from_pebble(&certificate(hub.ports().imaps, NAME)).then_some(())
    });
    let shown = certificate(hub.ports().imaps, NAME);
    assert!(!shown.windows(4).any(|window| window == b"gone"), "the name that nobody could see is not in it");
    let checked = hub.cli(&["check"]);
    let checked = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.contains("gone.hub.test ("), "{checked}");
}

//! The web door of a whole server, asked by curl: TLS with ALPN, and settings that really work.

use std::process::Command;

use crate::harness::{ALICE, DOMAIN, Hub, PASSWORD, has_program};
use crate::imap_client::Imap;

/// Asks `https://HOST/…`, which is on loopback; the status and the body.
fn curl(hub: &Hub, host: &str, path: &str, options: &[&str]) -> (String, String) {
    let port = hub.ports().https;
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_version} %{http_code}",
        ])
        .arg("--cacert")
        .arg(&hub.ports().ca)
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(options)
        .arg(format!("https://{host}:{port}{path}"))
        .output()
        .expect("curl");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{host}{path}: {}", String::from_utf8_lossy(&output.stderr));
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

/// What a mail program is told leads to a mailbox, with certificates that fit the names.
#[test]
fn discovered_settings_work() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let host = format!("autoconfig.{DOMAIN}");
    let path = format!("/mail/config-v1.1.xml?emailaddress={ALICE}");
    let mut bodies = Vec::new();
    for (version, option) in [("1.1", "--http1.1"), ("2", "--http2")] {
        let (status, body) = curl(&hub, &host, &path, &[option]);
        assert_eq!(status, format!("{version} 200"));
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    let first = |element: &str| {
        let (_, rest) = bodies[0].split_once(&format!("<{element}>")).expect(element);
        rest.split_once('<').expect(element).0.to_owned()
    };
    assert_eq!((first("hostname"), first("socketType")), (format!("mail.{DOMAIN}"), "SSL".to_owned()));
    let port = first("port").parse().expect("a number");
    assert_eq!(port, hub.ports().imaps);
    Imap::connect_tls(port, &hub.tls()).login(ALICE, PASSWORD);

    let (status, _) = curl(&hub, DOMAIN, "/.well-known/autoconfig/mail/config-v1.1.xml", &[]);
    assert_eq!(status, "2 200");
    let (status, body) = curl(&hub, &format!("mail.{DOMAIN}"), "/", &["--head"]);
    assert_eq!((status.as_str(), body.contains("content-type: text/html")), ("2 200", true), "{body}");
    let (status, _) = curl(&hub, DOMAIN, "/", &["--request", "PUT", "--data", "BEGIN:VCALENDAR"]);
    assert_eq!(status, "2 405");
    let request =
        format!("<Autodiscover><Request><EMailAddress>{ALICE}</EMailAddress></Request></Autodiscover>");
    let (status, body) = curl(
        &hub,
        &format!("autodiscover.{DOMAIN}"),
        "/autodiscover/autodiscover.xml",
        &["--data", &request],
    );
    assert_eq!(status, "2 200");
    assert!(body.contains(&format!("<Port>{}</Port>", hub.ports().imaps)), "{body}");
}

#[test]
fn plain_http_leads_to_https() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let (http, https) = (hub.ports().http, hub.ports().https);
    let output = Command::new("curl")
        .args([
            "--silent",
            "--max-time",
            "20",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{redirect_url}",
        ])
        .arg(format!("http://localhost:{http}/some/where?x=y"))
        .output()
        .expect("curl");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, format!("302 https://localhost:{https}/some/where?x=y"));
}

#[test]
fn dns_records_are_printed_and_checked() {
    let mut hub = Hub::new(crate::harness::Database::Sqlite, "[public]\nhttps = 443\nimaps = 993\n");
    hub.launch_with_people();
    let zone = hub.admin(&["dns", DOMAIN]);
    for record in [
        "hub.test. 3600 IN MX 10 mail.hub.test.",
        "_imaps._tcp.hub.test. 3600 IN SRV 0 1 993 mail.hub.test.",
        "autoconfig.hub.test. 3600 IN CNAME mail.hub.test.",
    ] {
        assert!(zone.lines().any(|line| line == record), "{record}: {zone}");
    }
    assert!(!zone.contains("does not host"), "{zone}");
    assert!(hub.admin(&["dns", "other.test"]).contains("; This hub does not host it yet"));
}

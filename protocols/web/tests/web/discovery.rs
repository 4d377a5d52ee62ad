//! Every way of asking gets the same settings, and learns nothing else.

use hub_web::{Ports, Services};

use crate::world::{PORTS, World};

const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

fn question(address: &str, schema: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/\
         autodiscover/outlook/requestschema/2006\"><Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    )
}

#[tokio::test]
async fn autoconfig_names_servers_best_first() {
    let world = World::new().await;
    for (host, target) in [
        ("autoconfig.example.org", "/mail/config-v1.1.xml"),
        ("autoconfig.example.org", "/mail/config-v1.1.xml?emailaddress=alice%40example.org"),
        ("example.org", "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=alice@EXAMPLE.org"),
        ("mail.example.org:2080", "/.well-known/autoconfig/mail/config-v1.1.xml"),
        ("192.0.2.1", "/mail/config-v1.1.xml?emailaddress=alice@example.org"),
    ] {
        let answer = world.get(host, target).await;
        assert_eq!(answer.status, 200, "{host} {target}");
        assert_eq!(answer.field("content-type"), Some("text/xml; charset=utf-8"));
        assert_eq!(answer.texts("hostname"), ["mail.example.org"; 4]);
        assert_eq!(answer.texts("port"), ["993", "143", "465", "587"]);
        assert_eq!(answer.texts("socketType"), ["SSL", "STARTTLS", "SSL", "STARTTLS"]);
        assert_eq!(answer.texts("username"), ["%EMAILADDRESS%"; 4]);
        assert!(answer.body.contains("<emailProvider id=\"example.org\">"));
    }
}

#[tokio::test]
async fn only_hosted_domains_are_answered() {
    let world = World::new().await;
    for (host, target) in [
        ("autoconfig.other.test", "/mail/config-v1.1.xml"),
        ("autoconfig.example.org", "/mail/config-v1.1.xml?emailaddress=a@other.test"),
        ("autoconfig.example.org", "/mail/config-v1.1.xml?emailaddress=example.org"),
        ("x.example.org", "/mail/config-v1.1.xml"),
        ("127.0.0.1", "/mail/config-v1.1.xml"),
        ("example.org", "/apple.mobileconfig?email=a@other.test"),
        ("example.org", "/autodiscover/autodiscover.json?Email=a@other.test&Protocol=AutodiscoverV1"),
    ] {
        assert_eq!(world.get(host, target).await.status, 404, "{host} {target}");
    }
    let pox = question("a@other.test", OUTLOOK);
    assert_eq!(world.send("POST", "example.org", "/autodiscover/autodiscover.xml", &pox).await.status, 404);
}

/// Every address of a hosted domain gets the same answer.
#[tokio::test]
async fn whether_an_address_exists_is_not_told() {
    let world = World::new().await;
    for target in ["/mail/config-v1.1.xml?emailaddress=", "/apple.mobileconfig?email="] {
        let mut bodies = Vec::new();
        for (name, is_there) in [("alice", true), ("nobody", false)] {
            let answer = world.get("example.org", &format!("{target}{name}@example.org")).await;
            assert_eq!(answer.status, 200, "{target} {is_there}");
            // An Apple profile carries the address and ids made of it.
            let body = answer.body.replace(name, "NAME");
            bodies.push(body.lines().filter(|line| !line.contains('-')).collect::<String>());
        }
        assert_eq!(bodies[0], bodies[1]);
    }
}

#[tokio::test]
async fn international_domains_are_found_in_both_forms() {
    let world = World::new().await;
    for (host, target) in [
        ("autoconfig.xn--bcher-kva.example", "/mail/config-v1.1.xml"),
        ("x.test", "/mail/config-v1.1.xml?emailaddress=a@b%C3%BCcher.example"),
        ("x.test", "/mail/config-v1.1.xml?emailaddress=a@xn--bcher-kva.example"),
    ] {
        let answer = world.get(host, target).await;
        assert_eq!(answer.status, 200, "{host} {target}");
        assert_eq!(answer.texts("domain"), ["xn--bcher-kva.example"]);
        assert_eq!(answer.texts("displayName"), ["bücher.example"]);
        assert_eq!(answer.texts("hostname"), ["mail.xn--bcher-kva.example"; 4]);
    }
}

#[tokio::test]
async fn what_is_off_is_not_named_and_public_names_are() {
    let ports = Ports { imaps: Some(993), submission: Some(2587), ..Ports::default() };
    let world =
        World::with(Services { hostname: Some("mx.example.net".into()), ports, mta_sts_mode: None }).await;
    let answer = world.get("autoconfig.example.org", "/mail/config-v1.1.xml").await;
    assert_eq!(answer.texts("port"), ["993", "2587"]);
    assert_eq!(answer.texts("hostname"), ["mx.example.net"; 2]);
}

#[tokio::test]
async fn outlook_is_told_by_pox() {
    let world = World::new().await;
    for path in ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"] {
        let body = question("o&apos;neil@example.org", OUTLOOK);
        let answer = world.send("POST", "autodiscover.example.org", path, &body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.texts("Type"), ["IMAP", "IMAP", "SMTP", "SMTP"]);
        assert_eq!(answer.texts("Port"), ["993", "143", "465", "587"]);
        assert_eq!(answer.texts("SSL"), ["on", "off", "on", "off"]);
        assert_eq!(answer.texts("Encryption"), ["SSL", "TLS", "SSL", "TLS"]);
        assert_eq!(answer.texts("LoginName"), ["o&apos;neil@example.org"; 4]);
        assert_eq!(answer.texts("Action"), ["settings"]);
    }
}

#[tokio::test]
async fn outlook_is_told_what_is_wrong() {
    let world = World::new().await;
    let mobile = question(
        "a@example.org",
        "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006",
    );
    for (body, code) in [(mobile.as_str(), "601"), ("", "600"), ("<a/>", "600"), ("{}", "600")] {
        let answer = world.send("POST", "example.org", "/autodiscover/autodiscover.xml", body).await;
        assert_eq!((answer.status, answer.texts("ErrorCode")), (200, vec![code]), "{body}");
    }
    let large = " ".repeat(20 << 10);
    let answer = world.send("POST", "example.org", "/autodiscover/autodiscover.xml", &large).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn autodiscover_in_json_points_to_the_pox_one() {
    let ports = Ports { https: Some(2443), ..PORTS };
    let world = World::with(Services { hostname: None, ports, mta_sts_mode: None }).await;
    let answer = world.get("autodiscover.example.org", "/autodiscover/autodiscover.json").await;
    assert_eq!(answer.status, 302, "over http");
    assert_eq!(
        answer.field("location"),
        Some("https://autodiscover.example.org:2443/autodiscover/autodiscover.json")
    );
    // Without an https listener of its own (a proxy has it), its public port still counts.
    let behind_proxy = World::new().await;
    let target = "/autodiscover/autodiscover.json/v1.0/a@example.org?Protocol=ActiveSync";
    let answer = behind_proxy.get("autodiscover.example.org", target).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("\"ErrorCode\":\"InvalidProtocol\""), "{}", answer.body);
}

#[tokio::test]
async fn an_apple_profile_has_both_servers_and_no_password() {
    let world = World::new().await;
    let answer = world.get("mail.example.org", "/apple.mobileconfig?email=alice%40example.org").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("application/x-apple-aspen-config; charset=utf-8"));
    assert_eq!(answer.texts("integer"), ["1", "1", "993", "465"]);
    assert!(answer.texts("string").contains(&"mail.example.org"));
    assert!(answer.body.contains("<key>IncomingMailServerUseSSL</key>"));
    assert!(!answer.body.contains("<key>IncomingPassword</key>"));
    let again = world.get("mail.example.org", "/apple.mobileconfig?email=alice%40example.org").await;
    assert_eq!(again.body, answer.body);

    assert_eq!(world.get("mail.example.org", "/apple.mobileconfig").await.status, 400);
    // Nothing of an address can leave its element.
    let hostile = "/apple.mobileconfig?email=%22%3Cstring%3E%22@example.org";
    let answer = world.get("mail.example.org", hostile).await;
    assert!(!answer.body.contains("\"<string>\"@"), "{}", answer.body);
}

/// RFC 8461 §3.3: over HTTPS only.
#[tokio::test]
async fn rfc8461_3_3_plain_http_leads_to_the_policy() {
    let ports = Ports { https: Some(443), ..PORTS };
    let world =
        World::with(Services { hostname: None, ports, mta_sts_mode: Some(hub_web::StsMode::Testing) }).await;
    let reply = world.get("mta-sts.example.org", "/.well-known/mta-sts.txt").await;
    assert_eq!(reply.status, 302);
    assert_eq!(reply.field("location"), Some("https://mta-sts.example.org/.well-known/mta-sts.txt"));
}

//! AUTHENTICATE OAUTHBEARER (RFC 7628) and XOAUTH2 with a token of the hub.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::oauth::{Approval, Challenge};
use hub::{Hub, Scopes, Secret};

use crate::pipe::Client;
use crate::world::World;

/// Lets a program in for these scopes.
async fn token(hub: &Hub, twin: &str, scopes: Scopes) -> String {
    let redirect_uri = "http://127.0.0.1/".to_owned();
    let client = hub.register_client("Reader", vec![redirect_uri.clone()]).await.expect("registered");
    let (id, scopes) = (client.id.clone(), scopes);
    // RFC 7636 appendix B.
    let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("one");
    let approval = Approval { client, scopes, redirect_uri, challenge };
    let code = hub.approve(twin, &Secret::new("secret"), approval).await.expect("approved");
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    hub.redeem_code(&id, &code, None, verifier).await.expect("tokens").access.expose().to_owned()
}

/// What comes after AUTHENTICATE with this message: a challenge or the end.
async fn authenticate(client: &mut Client, mechanism: &str, message: &str) -> String {
    client.line().await.expect("a greeting");
    client.send_later(&format!("a AUTHENTICATE {mechanism} {}", STANDARD.encode(message)));
    client.line().await.expect("an answer")
}

#[tokio::test]
async fn a_token_logs_in() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("token").await;
    let token = token(&world.hub, &twin, Scopes::MAIL_WRITE).await;
    for (mechanism, message) in [
        ("OAUTHBEARER", format!("n,a={twin},\x01host=hub.test\x01port=143\x01auth=Bearer {token}\x01\x01")),
        ("OAUTHBEARER", format!("n,,\x01auth=Bearer {token}\x01\x01")),
        ("XOAUTH2", format!("user={twin}\x01auth=Bearer {token}\x01\x01")),
    ] {
        let end = authenticate(&mut Client::connect(&world, true), mechanism, &message).await;
        assert!(end.starts_with("a OK [CAPABILITY IMAP4rev1 "), "{mechanism}: {end}");
    }
}

#[tokio::test]
async fn a_token_that_will_not_do_is_told_why() {
    let world = World::new(hub_imap::Settings::default()).await;
    let (twin, other) = (world.twin("one").await, world.twin("other").await);
    let good = token(&world.hub, &twin, Scopes::MAIL_WRITE).await;
    let narrow = token(&world.hub, &twin, Scopes::MAIL_READ.and(Scopes::FILES_WRITE)).await;
    for (mechanism, login, token, status) in [
        // RFC 7628 §4.3: only to know what scope is needed.
        ("OAUTHBEARER", &twin, "", "invalid_token"),
        ("OAUTHBEARER", &twin, "thub_a_x", "invalid_token"),
        ("OAUTHBEARER", &twin, narrow.as_str(), "insufficient_scope"),
        ("OAUTHBEARER", &other, good.as_str(), "invalid_token"),
        ("XOAUTH2", &other, good.as_str(), "401"),
        ("XOAUTH2", &twin, narrow.as_str(), "403"),
    ] {
        let message = match mechanism {
            "XOAUTH2" => format!("user={login}\x01auth=Bearer {token}\x01\x01"),
            _ if token.is_empty() => format!("n,a={login},\x01auth=\x01\x01"),
            _ => format!("n,a={login},\x01auth=Bearer {token}\x01\x01"),
        };
        let mut client = Client::connect(&world, true);
        let line = authenticate(&mut client, mechanism, &message).await;
        let challenge = STANDARD.decode(line.strip_prefix("+ ").expect("a challenge")).expect("base64");
        let expected = format!(r#"{{"status":"{status}","schemes":"bearer","scope":"mail:write"}}"#);
        assert_eq!(String::from_utf8(challenge).expect("text"), expected, "{mechanism} {login}");
        client.send_later(if mechanism == "XOAUTH2" { "" } else { "AQ==" });
        let end = client.line().await.expect("the end");
        assert!(end.starts_with("a NO [AUTHENTICATIONFAILED] "), "{end}");
        // The connection goes on.
        client.send_later(&format!("b LOGIN {twin} secret"));
        assert!(client.line().await.expect("an answer").starts_with("b OK "), "{mechanism} {status}");
    }
}

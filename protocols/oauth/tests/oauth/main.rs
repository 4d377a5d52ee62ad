//! The authorization server without sockets: requests go to the mount, answers are read from it.

mod code;
mod device;
mod world;

use world::{FORM, JSON, ORIGIN, World};

/// RFC 8414 §3, RFC 9728 §3: both name the address at which they were asked for.
#[tokio::test]
async fn metadata_says_what_there_is() {
    let world = World::new().await;
    let answer = world.get("/.well-known/oauth-authorization-server", &[]).await;
    let server = answer.json();
    assert_eq!((answer.status, answer.field("access-control-allow-origin")), (200, "*"));
    assert_eq!(server["issuer"], ORIGIN);
    assert_eq!(server["code_challenge_methods_supported"][0], "S256");
    for name in ["authorization", "token", "registration", "revocation", "device_authorization"] {
        let endpoint = server[format!("{name}_endpoint")].as_str().expect("an address");
        let path = endpoint.strip_prefix(ORIGIN).expect("here");
        assert_ne!(world.send("POST", path, &[FORM], String::new()).await.status, 404, "{endpoint}");
    }
    let resource = world.get("/.well-known/oauth-protected-resource/jmap", &[]).await.json();
    assert_eq!(resource["resource"], format!("{ORIGIN}/jmap"));
    assert_eq!(resource["authorization_servers"][0], ORIGIN);
    assert_eq!(resource["scopes_supported"], server["scopes_supported"]);
}

/// RFC 7591 §3.2
#[tokio::test]
async fn programs_register() {
    let world = World::new().await;
    let body = r#"{"client_name":"Reader","redirect_uris":["https://app.test/","http://127.0.0.1/"]}"#;
    let answer = world.send("POST", "/oauth/register", &[JSON], body.into()).await;
    let client = answer.json();
    assert_eq!((answer.status, &client["token_endpoint_auth_method"]), (201, &"none".into()));
    assert_eq!(client["redirect_uris"][1], "http://127.0.0.1/");
    assert!(client.get("client_secret").is_none());
    for (body, error) in [
        (r#"{"redirect_uris":["http://app.test/"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris":["javascript:alert(1)"]}"#, "invalid_redirect_uri"),
        ("nothing", "invalid_client_metadata"),
    ] {
        let answer = world.send("POST", "/oauth/register", &[JSON], body.into()).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, error), "{body}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    for (method, path, field, body, status) in [
        ("GET", "/oauth/token", FORM, "", 405),
        ("PUT", "/oauth/authorize", FORM, "", 405),
        ("POST", "/oauth/token", JSON, "{}", 415),
        ("POST", "/oauth/register", FORM, "a=b", 415),
        ("POST", "/oauth/token", FORM, "grant_type=a&grant_type=b", 400),
        ("POST", "/oauth/token", FORM, "", 400),
        ("GET", "/oauth/nothing", FORM, "", 404),
        ("GET", "/oauth/authorize?client_id=a&client_id=b", FORM, "", 400),
        ("OPTIONS", "/oauth/token", FORM, "", 204),
    ] {
        let answer = world.send(method, path, &[field], body.into()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
    }
    let long = "a=".to_owned() + &"b".repeat(20_000);
    assert_eq!(world.send("POST", "/oauth/token", &[FORM], long).await.status, 413);
}

//! Tokens (RFC 6750) in place of passwords.

use hub::oauth::{Approval, Challenge};
use hub::{Scopes, Secret};

use crate::world::{ALICE, HOME, World};

/// Lets a program into Alice's things.
async fn token(world: &World, scopes: Scopes) -> String {
    let (hub, redirect_uri) = (world.hub(), "http://127.0.0.1/".to_owned());
    let client = hub.register_client("Files", vec![redirect_uri.clone()]).await.expect("registered");
    let id = client.id.clone();
    // RFC 7636 appendix B.
    let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("one");
    let approval = Approval { client, scopes, redirect_uri, challenge };
    let code = hub.approve(ALICE, &Secret::new("password"), approval).await.expect("approved");
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let issued = hub.redeem_code(&id, &code, None, verifier).await.expect("tokens");
    format!("Bearer {}", issued.access.expose())
}

#[tokio::test]
async fn a_token_reads_or_writes_files() {
    let world = World::new().await;
    world.put("a.txt", "a").await;
    let (reads, writes) = (token(&world, Scopes::FILES_READ).await, token(&world, Scopes::FILES_WRITE).await);
    let other = token(&world, Scopes::MAIL_WRITE).await;
    let file = format!("{HOME}a.txt");
    for (method, path, token, status) in [
        ("GET", file.as_str(), &reads, 200),
        ("PROPFIND", &file, &reads, 207),
        ("OPTIONS", &file, &other, 200),
        ("PROPFIND", "/dav/principals/alice@example.org/", &other, 207),
        ("GET", &file, &other, 403),
        ("PROPFIND", &file, &other, 403),
        ("SEARCH", "/dav/", &other, 403),
        ("PUT", &file, &reads, 403),
        ("DELETE", &file, &reads, 403),
        ("LOCK", &file, &reads, 403),
        ("MKCOL", "/dav/uploads/alice@example.org/x/", &reads, 403),
        ("PUT", &file, &writes, 204),
        ("DELETE", &file, &writes, 204),
    ] {
        let depth = if method == "PROPFIND" { "0" } else { "" };
        let fields = [("Authorization", token.as_str()), ("Depth", depth)];
        let answer = world.send(method, path, &fields, "").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let challenge = answer.field("www-authenticate").unwrap_or_default();
        assert_eq!(
            challenge.contains("error=\"insufficient_scope\", scope=\"files:"),
            status == 403,
            "{challenge}"
        );
    }
}

/// RFC 6750 §3.1
#[tokio::test]
async fn a_token_that_is_none() {
    let world = World::new().await;
    for token in ["Bearer thub_a_x", "bearer", "Bearer "] {
        let answer = world.send("GET", HOME, &[("Authorization", token)], "").await;
        assert_eq!(answer.status, 401, "{token}");
        let challenge = answer.field("www-authenticate").expect("a challenge");
        assert_eq!(
            challenge.contains("error=\"invalid_token\""),
            token.contains(' '),
            "{token}: {challenge}"
        );
    }
}

//! A browser carries a code from the hub to a program.

use std::net::{IpAddr, Ipv4Addr};

use hub::{Scopes, Secret};

use crate::world::{ALICE, Answer, BACK, CHALLENGE, FORM, ORIGIN, VERIFIER, World, encoded};

fn question(client: &str) -> Vec<(&str, &str)> {
    vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("scope", "mail:read files:write openid"),
        ("state", "af0ifjsldkj&x"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn yes<'a>(client: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut form = question(client);
    form.extend([("allow", "mail:read"), ("login", ALICE), ("password", password), ("decision", "allow")]);
    form
}

async fn code(world: &World, client: &str) -> String {
    let answer = world.post("/oauth/authorize", &yes(client, "password")).await;
    let (uri, parameters) = answer.location();
    assert_eq!(uri, "https://app.test/back");
    // What was there stays (RFC 6749 §3.1.2), `iss` tells whose code it is (RFC 9207).
    for (name, expected) in [("x", "1"), ("state", "af0ifjsldkj&x"), ("iss", ORIGIN)] {
        assert_eq!(parameters[name], expected);
    }
    parameters["code"].clone()
}

async fn redeem(world: &World, client: &str, code: &str, verifier: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", verifier),
    ];
    world.post("/oauth/token", &form).await
}

#[tokio::test]
async fn from_the_question_to_the_tokens_and_back() {
    let world = World::new().await;
    let client = world.client().await;
    let page = world.get("/oauth/authorize", &question(&client)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("A &lt;b&gt;reader&lt;/b&gt;"), "a name is text: {}", page.text());
    assert!(page.text().contains("value=\"files:write\" checked"));
    assert!(page.text().contains("<b>app.test</b>"));

    let code = code(&world, &client).await;
    let answer = redeem(&world, &client, &code, VERIFIER).await;
    assert_eq!((answer.status, answer.field("cache-control")), (200, "no-store"), "{}", answer.text());
    let tokens = answer.json();
    let text = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
    assert_eq!((text("token_type"), text("scope")), ("Bearer".into(), "mail:read".into()));
    assert_eq!(tokens["expires_in"], 3600);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let access = Secret::new(text("access_token"));
    world.hub.login_with_token(&access, Scopes::MAIL_READ, peer).await.expect("good");

    let (id, token) = (client.as_str(), text("refresh_token"));
    let refresh = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", token.as_str())];
    let next = world.post("/oauth/token", &refresh).await;
    assert_eq!(next.status, 200, "{}", next.text());
    let next = next.json()["access_token"].as_str().expect("a token").to_owned();
    let revoke = [("client_id", client.as_str()), ("token", next.as_str())];
    assert_eq!(world.post("/oauth/revoke", &revoke).await.status, 200);
    for token in [access, Secret::new(next)] {
        assert!(world.hub.login_with_token(&token, Scopes::NONE, peer).await.is_err(), "revoked");
    }
    assert_eq!(world.post("/oauth/token", &refresh).await.error(), "invalid_grant");
    assert_eq!(redeem(&world, &client, &code, VERIFIER).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_is_the_programs_alone() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    for (client_id, verifier) in [(&other, VERIFIER), (&client, CHALLENGE), (&client, "short")] {
        let code = code(&world, &client).await;
        assert_eq!(redeem(&world, client_id, &code, verifier).await.error(), "invalid_grant");
        assert_eq!(redeem(&world, &client, &code, VERIFIER).await.error(), "invalid_grant", "used up");
    }
    let with_secret = [FORM, ("authorization", "Basic YTpi")];
    let answer = world.send("POST", "/oauth/token", &with_secret, String::new()).await;
    assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"));
}

/// RFC 6749 §4.1.2.1: nobody is led to an address that is not the program's.
#[tokio::test]
async fn questions_that_lead_nowhere() {
    let world = World::new().await;
    let client = world.client().await;
    for (name, value) in [
        ("client_id", "unknown"),
        ("client_id", ""),
        ("redirect_uri", "https://app.test/back"),
        ("redirect_uri", "https://evil.test/"),
        ("redirect_uri", "https://app.test/back?x=1/../y"),
    ] {
        let mut form = question(&client);
        form.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1 = value);
        let answer = world.get("/oauth/authorize", &form).await;
        assert_eq!((answer.status, answer.field("location")), (400, ""), "{name}={value}");
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "x", "invalid_request"),
        ("scope", "openid", "invalid_scope"),
        ("request_uri", "http://169.254.169.254/", "request_uri_not_supported"),
        ("request", "x.y.z", "request_not_supported"),
        ("response_mode", "form_post", "invalid_request"),
    ] {
        let mut form = question(&client);
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        let (_, parameters) = world.get("/oauth/authorize", &form).await.location();
        assert_eq!(
            (parameters["error"].as_str(), parameters["iss"].as_str()),
            (error, ORIGIN),
            "{name}={value}"
        );
        assert_eq!(parameters["state"], "af0ifjsldkj&x");
    }
}

#[tokio::test]
async fn the_twin_decides() {
    let world = World::new().await;
    let client = world.client().await;
    let mut no = question(&client);
    no.push(("decision", "deny"));
    let (_, parameters) = world.post("/oauth/authorize", &no).await.location();
    assert_eq!(parameters["error"], "access_denied");
    assert!(!parameters.contains_key("code"));

    let wrong = world.post("/oauth/authorize", &yes(&client, "wrong")).await;
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("role=\"alert\"") && !wrong.text().contains("wrong\""), "{}", wrong.text());
    let mut nothing = yes(&client, "password");
    nothing.retain(|(name, _)| *name != "allow");
    assert_eq!(world.post("/oauth/authorize", &nothing).await.status, 400);
    // More than was asked for cannot be chosen.
    let mut more = yes(&client, "password");
    more.push(("allow", "mail:send"));
    let (_, parameters) = world.post("/oauth/authorize", &more).await.location();
    let tokens = redeem(&world, &client, &parameters["code"], VERIFIER).await.json();
    assert_eq!(tokens["scope"], "mail:read");
}

/// CSRF and clickjacking (RFC 9700 §4.7, §4.16).
#[tokio::test]
async fn pages_of_others_have_no_say() {
    let world = World::new().await;
    let client = world.client().await;
    let form = encoded(&yes(&client, "password"));
    for field in [("origin", "https://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = world.send("POST", "/oauth/authorize", &[FORM, field], form.clone()).await;
        assert_eq!((answer.status, answer.field("location")), (403, ""), "{field:?}");
    }
    let own = [FORM, ("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
    assert_eq!(world.send("POST", "/oauth/authorize", &own, form).await.status, 303);

    let page = world.get("/oauth/authorize", &question(&client)).await;
    let policy = page.field("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://app.test;"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!((page.field("x-frame-options"), page.field("cache-control")), ("DENY", "no-store"));
    assert!(!page.text().contains("<script"));
    assert_eq!(page.field("access-control-allow-origin"), "", "no other page reads it");
}

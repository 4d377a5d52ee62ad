//! A program without a browser (RFC 8628).

use crate::world::{ALICE, World};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[tokio::test]
async fn a_device_is_let_in_on_another_page() {
    let world = World::new().await;
    let client = world.client().await;
    let begin = [("client_id", client.as_str()), ("scope", "mail:read contacts:read")];
    let device = world.post("/oauth/device_authorization", &begin).await.json();
    let text = |name: &str| device[name].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
    assert_eq!(text("verification_uri"), "https://hub.test/oauth/device");
    assert_eq!((&device["interval"], &device["expires_in"]), (&5.into(), &900.into()));
    let (code, device_code) = (text("user_code"), text("device_code"));
    let ask = [("grant_type", GRANT), ("client_id", client.as_str()), ("device_code", device_code.as_str())];
    assert_eq!(world.post("/oauth/token", &ask).await.error(), "authorization_pending");
    assert_eq!(world.post("/oauth/token", &ask).await.error(), "slow_down");

    assert!(world.get("/oauth/device", &[]).await.text().contains("name=\"user_code\""));
    let typed = code.to_lowercase().replace('-', " ");
    let page = world.get("/oauth/device", &[("user_code", &typed)]).await;
    assert!(page.text().contains("A &lt;b&gt;reader") && page.text().contains(&typed), "{}", page.text());
    let mut answer = vec![
        ("user_code", typed.as_str()),
        ("allow", "contacts:read"),
        ("login", ALICE),
        ("password", "wrong"),
        ("decision", "allow"),
    ];
    assert_eq!(world.post("/oauth/device", &answer).await.status, 403);
    answer[3].1 = "password";
    let done = world.post("/oauth/device", &answer).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(world.post("/oauth/device", &answer).await.status, 404, "answered");
    let tokens = world.post("/oauth/token", &ask).await.json();
    assert_eq!(tokens["scope"], "contacts:read", "{tokens}");
    assert_eq!(world.post("/oauth/token", &ask).await.error(), "expired_token");
}

#[tokio::test]
async fn a_device_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let begin = [("client_id", client.as_str()), ("scope", "mail:read")];
    let device = world.post("/oauth/device_authorization", &begin).await.json();
    let text = |name: &str| device[name].as_str().unwrap_or_else(|| panic!("{name}"));
    let no = [("user_code", text("user_code")), ("decision", "deny")];
    assert_eq!(world.post("/oauth/device", &no).await.status, 200);
    let ask = [("grant_type", GRANT), ("client_id", client.as_str()), ("device_code", text("device_code"))];
    assert_eq!(world.post("/oauth/token", &ask).await.error(), "access_denied");

    for (name, value, error) in
        [("client_id", "unknown", "invalid_client"), ("scope", "openid", "invalid_scope")]
    {
        let mut begin = begin.to_vec();
        begin.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1 = value);
        assert_eq!(world.post("/oauth/device_authorization", &begin).await.error(), error);
    }
    assert_eq!(world.get("/oauth/device", &[("user_code", "BBBB-BBBB")]).await.status, 404);
}

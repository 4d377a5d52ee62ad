//! RFC 8620 §7.3: event source.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::world::World;

/// The next event with data.
async fn next(body: &mut hub_wire::http::Body) -> (String, Value) {
    loop {
        let frame = body.frame().await.expect("the stream goes on").expect("whole");
        let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text");
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(data) = field("data: ") {
            return (field("id: ").unwrap_or_default(), serde_json::from_str(&data).expect("JSON"));
        }
    }
}

#[tokio::test]
async fn rfc8620_7_3_states_are_pushed() {
    let world = World::new().await;
    let path = "/jmap/events/?types=Email,Mailbox&closeafter=no&ping=0";
    let (status, media_type, mut body) = world.stream(path, None).await;
    assert_eq!((status, media_type.as_str()), (200, "text/event-stream; charset=utf-8"));
    world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let (id, event) = next(&mut body).await;
    let state = world.call("Email/get", json!({ "ids": [] })).await["state"].clone();
    assert_eq!(event["@type"], "StateChange");
    assert_eq!(event["changed"][world.account_id.as_str()], json!({ "Email": state, "Mailbox": state }));
    drop(body);

    // Who comes back is told at once what it has missed, and nothing if it has missed nothing.
    world.deliver("INBOX", b"Subject: y\r\n\r\ny").await;
    let closing = "/jmap/events/?types=Email,Mailbox&closeafter=state&ping=0";
    let (_, _, mut body) = world.stream(closing, Some(&id)).await;
    let (id, event) = next(&mut body).await;
    assert_ne!(event["changed"][world.account_id.as_str()]["Email"], state);
    assert!(body.frame().await.is_none(), "closed after a state");
    let (_, _, mut body) = world.stream(closing, Some(&id)).await;
    world.call("Email/set", json!({ "create": { "a": { "mailboxIds": { "M1": true } } } })).await;
    assert!(next(&mut body).await.1["changed"].is_object());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn wrong_queries() {
    let world = World::new().await;
    for query in ["ping=x", "closeafter=never"] {
        assert_eq!(
            world.send("GET", &format!("/jmap/events/?{query}"), &[], b"").await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(world.send("POST", "/jmap/events/", &[], b"").await.status, 405);
}

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

/// The next event of the façade: its name, id and data.
async fn next_change(body: &mut hub_wire::http::Body) -> (String, String, Value) {
    let frame = body.frame().await.expect("the stream goes on").expect("whole");
    let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    (field("event: "), field("id: "), serde_json::from_str(&field("data: ")).expect("JSON"))
}

#[tokio::test]
async fn events_have_the_objects_that_changed() {
    let world = World::new().await;
    let (status, media_type, mut body) = world.stream("/api/v1/events?types=Email,Mailbox", None).await;
    assert_eq!((status, media_type.as_str()), (200, "text/event-stream; charset=utf-8"));
    let (event, before, ready) = next_change(&mut body).await;
    let listed = world.send("GET", "/api/v1/Email", &[], b"").await.json();
    assert_eq!((event.as_str(), &ready["states"]["Email"]), ("ready", &listed["state"]));

    let id = world.deliver("INBOX", b"From: bob@example.org\r\nSubject: news\r\n\r\ny").await;
    let (event, between, change) = next_change(&mut body).await;
    assert_eq!(
        (event.as_str(), &change["type"], &change["oldState"]),
        ("change", &json!("Email"), &listed["state"])
    );
    let created = &change["created"][0];
    assert_eq!((&created["id"], &created["subject"]), (&json!(id), &json!("news")));
    assert_eq!(created["from"][0]["email"], "bob@example.org");
    assert_eq!((&change["updated"], &change["destroyed"]), (&json!([]), &json!([])));
    let (_, after, change) = next_change(&mut body).await;
    assert_eq!((&change["type"], &change["updated"][0]["totalEmails"]), (&json!("Mailbox"), &json!(1)));
    drop(body);

    // Who comes back gets what it missed, from just where it was.
    world.call("Email/set", json!({ "update": { id.as_str(): { "keywords/$seen": true } } })).await;
    let (_, _, mut body) = world.stream("/api/v1/events?types=Email", Some(&after)).await;
    assert_eq!(next_change(&mut body).await.0, "ready");
    let (_, _, change) = next_change(&mut body).await;
    assert_eq!(change["updated"][0]["keywords"], json!({ "$seen": true }));
    let (_, _, mut body) = world.stream("/api/v1/events?types=Email,Mailbox", Some(&between)).await;
    assert_eq!(next_change(&mut body).await.0, "ready");
    assert_eq!(next_change(&mut body).await.2["updated"][0]["id"], json!(id), "no e-mail is new to it");

    // A page with another ticket has no header field for it.
    world.call("Email/set", json!({ "destroy": [id] })).await;
    let path = format!("/api/v1/events?types=Email&lastEventId={before}");
    let (_, _, mut body) = world.stream(&path, None).await;
    assert_eq!(next_change(&mut body).await.0, "ready");
    let (_, _, change) = next_change(&mut body).await;
    assert_eq!(change["created"], json!([]), "it has come and gone");
}

#[tokio::test]
async fn what_is_not_known_any_more_is_listed_anew() {
    let world = World::new().await;
    let (_, _, mut body) = world.stream("/api/v1/events?types=Email", Some("Email.nonsense")).await;
    assert_eq!(next_change(&mut body).await.0, "ready");
    let (event, _, data) = next_change(&mut body).await;
    let state = world.call("Email/get", json!({ "ids": [] })).await["state"].clone();
    assert_eq!((event.as_str(), data), ("reset", json!({ "type": "Email", "newState": state })));
}

#[tokio::test]
async fn many_changes_are_many_events() {
    let world = World::new().await;
    let (_, _, mut body) = world.stream("/api/v1/events?types=Email", None).await;
    let (_, start, _) = next_change(&mut body).await;
    drop(body);
    let draft = json!({ "mailboxIds": { "M1": true }, "subject": "x" });
    let create: serde_json::Map<_, _> = (0..130).map(|n| (format!("n{n}"), draft.clone())).collect();
    let made = world.call("Email/set", json!({ "create": create })).await;
    assert_eq!(made["created"].as_object().expect("objects").len(), 130);
    let (_, _, mut body) = world.stream("/api/v1/events?types=Email", Some(&start)).await;
    next_change(&mut body).await;
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 130 {
        sizes.push(next_change(&mut body).await.2["created"].as_array().expect("a list").len());
    }
    assert!(sizes.len() >= 2 && sizes.iter().all(|size| *size <= 100), "{sizes:?}");
}

/// An object of which there is one has no /changes.
#[tokio::test]
async fn an_object_without_changes_is_sent_whole() {
    let world = World::new().await;
    let (_, _, mut body) = world.stream("/api/v1/events?types=VacationResponse", None).await;
    next_change(&mut body).await;
    world.call("VacationResponse/set", json!({ "update": { "singleton": { "subject": "away" } } })).await;
    let (_, _, change) = next_change(&mut body).await;
    assert_eq!(change["updated"][0]["subject"], "away");
}

#[tokio::test]
async fn wrong_queries_of_the_facade() {
    let world = World::new().await;
    for query in ["ping=x", "types=Unheard", "types=Email,Quota"] {
        let answer = world.send("GET", &format!("/api/v1/events?{query}"), &[], b"").await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["type"], "urn:ietf:params:jmap:error:invalidArguments");
    }
}

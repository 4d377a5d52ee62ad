//! The façade: the same objects in plain HTTP.

use serde_json::{Value, json};

use super::world::{HttpAnswer, World};
use crate::methods::{TYPES, Verb};

async fn send(world: &World, method: &str, path: &str, body: Value) -> HttpAnswer {
    let fields = [("content-type", "application/json")];
    world.send(method, &format!("/api/v1/{path}"), &fields, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn an_object_from_its_making_to_its_end() {
    let world = World::new().await;
    let made =
        send(&world, "POST", "Email", json!({ "mailboxIds": { "M1": true }, "subject": "plain" })).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.field("location"), Some(format!("/api/v1/Email/{id}").as_str()));
    let etag = made.field("etag").expect("a state").to_owned();

    let path = format!("/api/v1/Email/{id}");
    let got = world.send("GET", &format!("{path}?properties=subject,keywords"), &[], b"").await;
    assert_eq!((got.status, got.json()), (200, json!({ "id": id, "subject": "plain", "keywords": {} })));
    assert_eq!(got.field("etag"), Some(etag.as_str()));

    let merge = json!({ "keywords": { "$seen": true } }).to_string();
    let stale = [("content-type", "application/merge-patch+json"), ("if-match", "\"0\"")];
    assert_eq!(world.send("PATCH", &path, &stale, merge.as_bytes()).await.status, 412);
    for nonsense in ["0", "\"0", "\"a\", \"b\""] {
        let fields = [("content-type", "application/merge-patch+json"), ("if-match", nonsense)];
        assert_eq!(world.send("PATCH", &path, &fields, merge.as_bytes()).await.status, 400, "{nonsense}");
    }
    let weak = format!("W/{etag}");
    let weak = [("content-type", "application/merge-patch+json"), ("if-match", weak.as_str())];
    assert_eq!(world.send("PATCH", &path, &weak, merge.as_bytes()).await.status, 412);
    let fresh = [("content-type", "application/merge-patch+json"), ("if-match", etag.as_str())];
    assert_eq!(world.send("PATCH", &path, &fresh, merge.as_bytes()).await.status, 204);

    let list =
        world.send("GET", "/api/v1/email?hasKeyword=$seen&sort=-receivedAt&properties=id", &[], b"").await;
    assert_eq!((&list.json()["list"], &list.json()["total"]), (&json!([{ "id": id }]), &json!(1)));
    let since = etag.trim_matches('"');
    let changes = world.send("GET", &format!("/api/v1/Email/changes?since={since}"), &[], b"").await;
    assert_eq!(changes.json()["updated"], json!([id]));

    assert_eq!(world.send("DELETE", &path, &[], b"").await.status, 204);
    assert_eq!(world.send("GET", &path, &[], b"").await.status, 404);
    assert_eq!(world.send("DELETE", &path, &[], b"").await.status, 404);
}

#[tokio::test]
async fn problems_have_their_details() {
    let world = World::new().await;
    for (method, path, body, status, kind) in [
        ("POST", "Email", json!({ "subject": "x" }), 422, "invalidProperties"),
        ("POST", "Email", json!([]), 400, "notRequest"),
        ("POST", "Mailbox", json!({ "name": "INBOX" }), 422, "invalidProperties"),
        ("PATCH", "Email/E999", json!({}), 404, "notFound"),
        ("GET", "Email/E999", Value::Null, 404, "notFound"),
        ("GET", "Email?colour=1", Value::Null, 400, "unsupportedFilter"),
        ("GET", "Email?limit=x", Value::Null, 400, "invalidArguments"),
        ("GET", "Email/changes?since=x", Value::Null, 410, "cannotCalculateChanges"),
        ("DELETE", "Mailbox/M1", Value::Null, 403, "forbidden"),
    ] {
        let answer = send(&world, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["type"], format!("urn:ietf:params:jmap:error:{kind}"));
    }
    assert_eq!(send(&world, "POST", "Thread", json!({})).await.status, 405);
    assert_eq!(world.send("GET", "/api/v1/Unheard", &[], b"").await.status, 404);
    assert_eq!(
        world.send("POST", "/api/v1/Email", &[("content-type", "text/plain")], b"{}").await.status,
        415
    );
    assert_eq!(world.send("GET", "/api/v1/Email", &[("authorization", "Basic eDp5")], b"").await.status, 401);
}

/// Whatever the table has can be read and is described.
#[tokio::test]
async fn every_type_is_described() {
    let world = World::new().await;
    let document =
        world.send("GET", "/api/v1/openapi.json", &[("authorization", "Basic eDp5")], b"").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for path in ["/api/v1/events", "/api/v1/tickets"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    for known in TYPES.iter().filter(|known| known.has_objects()) {
        let path = &document["paths"][format!("/api/v1/{}", known.name)];
        assert!(path["get"].is_object(), "{}", known.name);
        assert_eq!(path.get("post").is_some(), known.has(Verb::Set), "{}", known.name);
        let list = world.send("GET", &format!("/api/v1/{}", known.name), &[], b"").await;
        assert_eq!(list.status, 200, "{}: {:?}", known.name, list.body);
    }
}

/// The page to try things on needs no password, and nothing from anywhere else.
#[tokio::test]
async fn the_page_is_all_of_this_hub() {
    let world = World::new().await;
    let nobody = [("authorization", "Basic eDp5")];
    for (path, media_type) in [
        ("/api/v1", "text/html; charset=utf-8"),
        ("/api/v1/", "text/html; charset=utf-8"),
        ("/api/v1/try.js", "text/javascript; charset=utf-8"),
        ("/api/v1/try.css", "text/css; charset=utf-8"),
    ] {
        let answer = world.send("GET", path, &nobody, b"").await;
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(media_type)), "{path}");
        let policy = answer.field("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        assert!(!text.contains("//cdn") && !text.contains("https://"), "{path} names another host");
        assert!(!text.contains("innerHTML") && !text.contains("<script>"), "{path}");
    }
    assert_eq!(world.send("POST", "/api/v1/", &nobody, b"").await.status, 405);
}

//! Bearer tokens (RFC 6750) at every place of the API, and tickets for streams.

use hub::oauth::Issued;
use hub::{Address, Scopes, Secret};
use serde_json::{Value, json};

use super::world::{ALICE, HttpAnswer, World};
use crate::capability::Capability;
use crate::methods::{TYPES, Verb};

/// A program's tokens, and the name that it is known by.
async fn issue(world: &World, scopes: Scopes) -> (Issued, String) {
    let client = world.hub.register_client("Reader", vec!["https://app.test/".into()]).await.expect("room");
    let name = client.id.clone();
    let device = world.hub.begin_device(client, scopes).expect("begun");
    let password = Secret::new("password");
    let approved = world.hub.approve_device(ALICE, &password, &device.user_code, scopes);
    approved.await.expect("approved");
    (world.hub.poll_device(&name, &device.device_code).await.expect("tokens"), name)
}

async fn token(world: &World, scopes: Scopes) -> String {
    issue(world, scopes).await.0.access.expose().to_owned()
}

async fn send(world: &World, token: &str, method: &str, path: &str, body: &str) -> HttpAnswer {
    let authorization = format!("Bearer {token}");
    let fields = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    world.send(method, path, &fields, body.as_bytes()).await
}

/// The error type of a call; empty if there is none.
async fn call(world: &World, token: &str, method: &str, mut arguments: Value) -> String {
    arguments["accountId"] = json!(world.account_id);
    let using: Vec<&str> = Capability::ALL.into_iter().map(Capability::uri).collect();
    let request = json!({ "using": using, "methodCalls": [[method, arguments, "c"]] }).to_string();
    let answer = send(world, token, "POST", "/jmap/api/", &request).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let answer = answer.json()["methodResponses"][0].clone();
    match answer[0] == "error" {
        true => answer[1]["type"].as_str().expect("a type").to_owned(),
        false => String::new(),
    }
}

/// Every method of the table: without what it needs it is forbidden, with just that it is not.
#[tokio::test]
async fn every_method_asks_for_its_scope() {
    let world = World::new().await;
    for known in TYPES {
        for (verb, _) in known.verbs {
            let (name, needed) = (format!("{}/{}", known.name, verb.name()), known.needs(*verb));
            let mut others = [Scopes::FILES_WRITE, Scopes::MAIL_WRITE].into_iter();
            let other = others.find(|other| other.common(needed).is_empty()).expect("one that does not help");
            let without = token(&world, other).await;
            let refused = call(&world, &without, &name, json!({})).await == "forbidden";
            assert_eq!(refused, !needed.is_empty(), "{name} with {other}");
            let enough = token(&world, needed.and(other)).await;
            assert_ne!(call(&world, &enough, &name, json!({})).await, "forbidden", "{name} with {needed}");
            let is_set = *verb == Verb::Set;
            assert!(!is_set || needed.may_change(), "{name} changes something");
        }
    }
}

/// Reading is not writing, and sending needs both what it sends and the right to send.
#[tokio::test]
async fn a_token_does_what_it_covers() {
    let world = World::new().await;
    let id = world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let reader = token(&world, Scopes::MAIL_READ).await;
    let sender = token(&world, Scopes::MAIL_SEND).await;
    let get = json!({ "ids": [id] });
    let set = json!({ "destroy": [id] });
    assert_eq!(call(&world, &reader, "Email/get", get.clone()).await, "");
    assert_eq!(call(&world, &reader, "Email/set", set.clone()).await, "forbidden");
    assert_eq!(call(&world, &sender, "Email/get", get).await, "forbidden");
    // What it cannot read it could otherwise send to itself.
    let submission = json!({ "create": { "a": { "emailId": id, "identityId": "I0" } } });
    assert_eq!(call(&world, &sender, "EmailSubmission/set", submission).await, "forbidden");
    let both = token(&world, Scopes::MAIL_READ.and(Scopes::MAIL_SEND)).await;
    let then = json!({ "onSuccessDestroyEmail": ["#a"] });
    assert_eq!(call(&world, &both, "EmailSubmission/set", then).await, "forbidden");
    assert_eq!(call(&world, &both, "EmailSubmission/set", json!({})).await, "");
}

#[tokio::test]
async fn blobs_are_read_by_who_may_read_what_they_are_of() {
    let world = World::new().await;
    let id = world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let email = world.call("Email/get", json!({ "ids": [id], "properties": ["blobId"] })).await;
    let blob = email["list"][0]["blobId"].as_str().expect("an id").to_owned();
    let files = token(&world, Scopes::FILES_WRITE).await;
    let mail = token(&world, Scopes::MAIL_READ).await;
    let path = format!("/jmap/download/{}/{blob}/x", world.account_id);
    assert_eq!(send(&world, &files, "GET", &path, "").await.status, 403);
    assert_eq!(send(&world, &mail, "GET", &path, "").await.status, 200);
    assert_eq!(call(&world, &files, "Blob/get", json!({ "ids": [blob] })).await, "forbidden");
    let lookup = json!({ "ids": [blob], "typeNames": ["Email"] });
    assert_eq!(call(&world, &files, "Blob/lookup", lookup.clone()).await, "forbidden");
    assert_eq!(call(&world, &mail, "Blob/lookup", lookup).await, "");
    // Who may change nothing uploads nothing.
    let upload = format!("/jmap/upload/{}/", world.account_id);
    assert_eq!(send(&world, &mail, "POST", &upload, "x").await.status, 403);
    assert_eq!(send(&world, &files, "POST", &upload, "x").await.status, 201);
    let create = json!({ "create": { "a": { "data": [{ "data:asText": "x" }] } } });
    assert_eq!(call(&world, &mail, "Blob/upload", create).await, "forbidden");
}

/// Nor does what lies in a file or a card go anywhere by its id.
#[tokio::test]
async fn files_and_pictures_are_read_by_who_may_read_them() {
    let world = World::new().await;
    let upload = world.upload(b"\x89PNG\r\n\x1a\n").await;
    let file =
        world.call("FileNode/set", json!({ "create": { "f": { "name": "p.png", "blobId": upload } } })).await;
    let file = file["created"]["f"]["blobId"].as_str().unwrap_or_else(|| panic!("{file}")).to_owned();
    let book =
        world.call("AddressBook/get", json!({})).await["list"][0]["id"].as_str().expect("one").to_owned();
    let card =
        json!({ "addressBookIds": { book: true }, "media": { "p": { "kind": "photo", "blobId": file } } });
    let made = world.call("ContactCard/set", json!({ "create": { "c": card } })).await;
    let id = made["created"]["c"]["id"].clone();
    let got = world.call("ContactCard/get", json!({ "ids": [id] })).await;
    let photo =
        got["list"][0]["media"]["p"]["blobId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let files = token(&world, Scopes::FILES_WRITE).await;
    let contacts = token(&world, Scopes::CONTACTS_WRITE).await;
    for (blob, may, may_not) in [(&file, &files, &contacts), (&photo, &contacts, &files)] {
        let path = format!("/jmap/download/{}/{blob}/p", world.account_id);
        assert_eq!(send(&world, may, "GET", &path, "").await.status, 200, "{blob}");
        assert_eq!(send(&world, may_not, "GET", &path, "").await.status, 403, "{blob}");
    }
    let body = json!({ "name": "q.png", "blobId": photo }).to_string();
    assert_eq!(send(&world, &files, "POST", "/api/v1/FileNode", &body).await.status, 403);
}

#[tokio::test]
async fn the_session_has_what_the_token_covers() {
    let world = World::new().await;
    let session = async |scopes| {
        let session = send(&world, &token(&world, scopes).await, "GET", "/jmap/session", "").await.json();
        let account = session["accounts"][world.account_id.as_str()].clone();
        let has = |uri| account["accountCapabilities"].get(uri).is_some();
        (
            account["isReadOnly"].clone(),
            has("urn:ietf:params:jmap:mail"),
            has("urn:ietf:params:jmap:submission"),
            session["primaryAccounts"].get("urn:ietf:params:jmap:mail").is_some(),
        )
    };
    assert_eq!(session(Scopes::MAIL_READ).await, (json!(true), true, false, true));
    assert_eq!(session(Scopes::MAIL_WRITE.and(Scopes::MAIL_SEND)).await, (json!(false), true, true, true));
    assert_eq!(session(Scopes::FILES_READ).await, (json!(true), false, false, false));
}

#[tokio::test]
async fn the_facade_says_which_scope_is_missing() {
    let world = World::new().await;
    let reader = token(&world, Scopes::MAIL_READ).await;
    assert_eq!(send(&world, &reader, "GET", "/api/v1/Email", "").await.status, 200);
    let refused = send(&world, &reader, "POST", "/api/v1/Mailbox", r#"{"name":"x"}"#).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["type"], "urn:ietf:params:jmap:error:forbidden");
    assert_eq!(
        refused.field("www-authenticate"),
        Some(r#"Bearer realm="Twin Hub", error="insufficient_scope", scope="mail:write""#)
    );
}

/// RFC 6750 §3.1: whatever is asked for, and however a token came to its end.
#[tokio::test]
async fn tokens_that_are_none_open_nothing() {
    let world = World::new().await;
    let places = [
        ("GET", "/jmap/session"),
        ("POST", "/jmap/api/"),
        ("GET", "/jmap/events/"),
        ("GET", "/api/v1/Email"),
        ("POST", "/api/v1/tickets"),
        ("GET", "/jmap/download/A1/G1/x"),
    ];
    let check = async |token: &str, why: &str| {
        for (method, path) in places {
            let answer = send(&world, token, method, path, "{}").await;
            assert_eq!(answer.status, 401, "{method} {path} with a token that {why}");
            let challenge = answer.field("www-authenticate").expect("a challenge");
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
    };
    check("thub_a_guess", "was guessed").await;
    check("", "is empty").await;

    let (issued, client) = issue(&world, Scopes::ALL).await;
    let access = issued.access.expose().to_owned();
    assert_eq!(send(&world, &access, "GET", "/jmap/session", "").await.status, 200);
    world.hub.revoke_token(&client, &issued.refresh).await.expect("revoked");
    check(&access, "was revoked").await;

    let (issued, client) = issue(&world, Scopes::ALL).await;
    let access = issued.access.expose().to_owned();
    assert_eq!(send(&world, &access, "GET", "/jmap/session", "").await.status, 200);
    let alice = Address::parse(ALICE).expect("an address");
    world.hub.set_password(&alice, &Secret::new("another")).await.expect("set");
    check(&access, "is older than the password").await;
    assert!(world.hub.refresh_token(&client, &issued.refresh, None).await.is_err());
}

/// Who has nothing gets both challenges, Basic first.
#[tokio::test]
async fn challenges() {
    let world = World::new().await;
    let fields = [("authorization", "Basic eDp5")];
    let answer = world.send("GET", "/jmap/session", &fields, b"").await;
    let all: Vec<_> =
        answer.headers.get_all("www-authenticate").iter().map(|field| field.as_bytes()).collect();
    assert_eq!(answer.status, 401);
    assert!(all.len() == 2 && all[0].starts_with(b"Basic ") && all[1].starts_with(b"Bearer "), "{all:?}");
}

/// A page's EventSource has no header fields.
#[tokio::test]
async fn tickets_open_streams_and_nothing_else() {
    let world = World::new().await;
    let reader = token(&world, Scopes::MAIL_READ).await;
    let given = send(&world, &reader, "POST", "/api/v1/tickets", "").await;
    assert_eq!((given.status, given.json()["expiresIn"].clone()), (201, json!(60)));
    assert_eq!(given.field("cache-control"), Some("no-cache, no-store, must-revalidate"));
    let ticket = given.json()["ticket"].as_str().expect("a ticket").to_owned();
    let nobody = [("authorization", "Basic eDp5")];
    for (path, status) in [
        (format!("/jmap/events/?ticket={ticket}&closeafter=state"), 200),
        ("/jmap/events/?ticket=guess".to_owned(), 401),
        (format!("/jmap/session?ticket={ticket}"), 401),
        (format!("/api/v1/Email?ticket={ticket}"), 401),
    ] {
        let answer = world.open("GET", &path, &nobody).await;
        assert_eq!(answer, status, "{path}");
    }
    for _ in 1..32 {
        assert_eq!(send(&world, &reader, "POST", "/api/v1/tickets", "").await.status, 201);
    }
    let refused = send(&world, &reader, "POST", "/api/v1/tickets", "").await;
    assert_eq!((refused.status, refused.json()["status"].clone()), (429, json!(429)));
}

/// A stream ends with the token that opened it.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    use http_body_util::BodyExt as _;

    let world = World::new().await;
    let (issued, client) = issue(&world, Scopes::MAIL_READ).await;
    let authorization = format!("Bearer {}", issued.access.expose());
    let mut body = world.stream_as("/jmap/events/?types=*", &authorization).await;
    world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let mut told = String::new();
    while !told.contains("StateChange") {
        let frame = body.frame().await.expect("it goes on").expect("whole");
        told = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text");
    }
    assert!(told.contains("Email") && !told.contains("Quota"), "{told}");
    world.hub.revoke_token(&client, &issued.refresh).await.expect("revoked");
    world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    assert!(body.frame().await.is_none(), "it has ended");
}

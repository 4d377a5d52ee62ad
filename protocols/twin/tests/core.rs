//! RFC 8620: session, requests, errors, blobs.

use serde_json::json;

use super::world::{ALICE, World};
use crate::core::limits::{MAX_CALLS_IN_REQUEST, MAX_SIZE_REQUEST};
use crate::methods::TYPES;

#[tokio::test]
async fn rfc8620_2_session() {
    let world = World::new().await;
    for path in ["/.well-known/jmap", "/jmap/session"] {
        let answer = world.send("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("cache-control"), Some("no-cache, no-store, must-revalidate"));
        let session = answer.json();
        assert_eq!(session["username"], ALICE);
        assert_eq!(session["apiUrl"], "https://hub.test/jmap/api/");
        assert_eq!(session["primaryAccounts"]["urn:ietf:params:jmap:mail"], json!(world.account_id));
        let core = &session["capabilities"]["urn:ietf:params:jmap:core"];
        for (limit, least) in [
            ("maxSizeUpload", 50_000_000),
            ("maxConcurrentUpload", 4),
            ("maxSizeRequest", 10_000_000),
            ("maxConcurrentRequests", 4),
            ("maxCallsInRequest", 16),
            ("maxObjectsInGet", 500),
            ("maxObjectsInSet", 500),
        ] {
            assert!(core[limit].as_u64() >= Some(least), "{limit}");
        }
        assert_eq!(session["accounts"].as_object().map(serde_json::Map::len), Some(1));
    }
    assert_eq!(
        world.send("GET", "/.well-known/jmap", &[("authorization", "Basic eDp5")], b"").await.status,
        401
    );
    assert_eq!(world.send("POST", "/.well-known/jmap", &[], b"").await.status, 405);
    assert_eq!(world.send("GET", "/jmap/else", &[], b"").await.status, 404);
    let preflight = world.send("OPTIONS", "/jmap/api/", &[("authorization", "")], b"").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.field("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn rfc8620_3_6_1_errors_of_requests() {
    let world = World::new().await;
    let check = async |media_type: &str, body: &[u8], status: u16, kind: &str| {
        let answer = world.send("POST", "/jmap/api/", &[("content-type", media_type)], body).await;
        assert_eq!(answer.status, status, "{kind}");
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["type"], format!("urn:ietf:params:jmap:error:{kind}"));
        answer.json()
    };
    check("application/json", b"{", 400, "notJSON").await;
    check("application/json", br#"{"using":[],"using":[],"methodCalls":[]}"#, 400, "notJSON").await;
    check("text/plain", br#"{"using":[],"methodCalls":[]}"#, 400, "notJSON").await;
    check("application/json; charset=utf-8", b"[]", 400, "notRequest").await;
    check("application/json", br#"{"using":["urn:x"],"methodCalls":[]}"#, 400, "unknownCapability").await;
    let many =
        json!({ "using": [], "methodCalls": vec![json!(["Core/echo", {}, ""]); MAX_CALLS_IN_REQUEST + 1] });
    let problem = check("application/json", many.to_string().as_bytes(), 400, "limit").await;
    assert_eq!(problem["limit"], "maxCallsInRequest");
    let large = check("application/json", &vec![b' '; MAX_SIZE_REQUEST + 1], 413, "limit").await;
    assert_eq!(large["limit"], "maxSizeRequest");
}

#[tokio::test]
async fn rfc8620_4_echo_and_references() {
    let world = World::new().await;
    let answers = world
        .calls(json!([
            ["Core/echo", { "hello": true, "high": 5 }, "b3ff"],
            ["Core/echo", { "#again": { "resultOf": "b3ff", "name": "Core/echo", "path": "/high" } }, "c"],
            ["Core/echo", { "#again": { "resultOf": "none", "name": "Core/echo", "path": "/high" } }, "d"],
            ["Core/none", {}, "e"],
        ]))
        .await;
    assert_eq!(answers[0], json!(["Core/echo", { "hello": true, "high": 5 }, "b3ff"]));
    assert_eq!(answers[1], json!(["Core/echo", { "again": 5 }, "c"]));
    assert_eq!((&answers[2][0], &answers[2][1]["type"]), (&json!("error"), &json!("invalidResultReference")));
    assert_eq!((&answers[3][0], &answers[3][1]["type"]), (&json!("error"), &json!("unknownMethod")));
}

/// RFC 8620 §3.3: what is not used does not exist.
#[tokio::test]
async fn capabilities_must_be_used() {
    let world = World::new().await;
    let call = json!([["Mailbox/get", { "accountId": world.account_id, "ids": [] }, "a"]]);
    let answer = world.post(&json!({ "using": ["urn:ietf:params:jmap:core"], "methodCalls": call })).await;
    assert_eq!(answer.json()["methodResponses"][0][1]["type"], "unknownMethod");
}

/// Nobody reaches another twin's account with any method.
#[tokio::test]
async fn every_method_refuses_other_accounts() {
    let world = World::new().await;
    let bob = crate::ids::account(world.account(super::world::BOB).await.id());
    for one in TYPES.iter().filter(|one| one.name != "Core") {
        for (verb, _) in one.verbs {
            let name = format!("{}/{}", one.name, verb.name());
            for (account, expected) in [
                (json!(bob), "accountNotFound"),
                (json!("A999"), "accountNotFound"),
                (json!(""), "accountNotFound"),
                (json!(1), "invalidArguments"),
                (json!(null), "invalidArguments"),
            ] {
                let answer = world.calls(json!([[name, { "accountId": account }, "a"]])).await;
                assert_eq!(answer[0][0], "error", "{name} {account}");
                assert_eq!(answer[0][1]["type"], expected, "{name} {account}");
            }
        }
    }
}

/// What a method does not know is refused, not passed over.
#[tokio::test]
async fn every_method_refuses_unknown_arguments() {
    let world = World::new().await;
    for one in TYPES.iter().filter(|one| one.name != "Core") {
        for (verb, _) in one.verbs {
            let name = format!("{}/{}", one.name, verb.name());
            let arguments = json!({
                "accountId": world.account_id, "sinceState": "1", "sinceQueryState": "1", "fromAccountId": "A0",
                "blobIds": [], "emailIds": [], "emails": {}, "create": {}, "typeNames": [], "ids": [], "unheardOf": 1,
            });
            let error = world.calls(json!([[name, arguments, "a"]])).await[0][1]["type"].clone();
            assert!(error == "invalidArguments" || error == "fromAccountNotFound", "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn rfc8620_6_upload_and_download() {
    let world = World::new().await;
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let blob = world.upload(&bytes).await;
    let path = format!("/jmap/download/{}/{blob}/a%20b.bin?accept=image/png", world.account_id);
    let whole = world.send("GET", &path, &[], b"").await;
    assert_eq!((whole.status, whole.body.as_ref()), (200, bytes.as_slice()));
    assert_eq!(whole.field("content-type"), Some("image/png"));
    assert_eq!(whole.field("content-disposition"), Some("attachment; filename*=UTF-8''a%20b.bin"));
    assert_eq!(whole.field("content-security-policy"), Some("sandbox; default-src 'none'"));
    let part = world.send("GET", &path, &[("range", "bytes=1000-1009")], b"").await;
    assert_eq!((part.status, part.body.as_ref()), (206, &bytes[1000..1010]));
    assert_eq!(part.field("content-range"), Some("bytes 1000-1009/300000"));
    assert_eq!(world.send("GET", &path, &[("range", "bytes=300000-")], b"").await.status, 416);
    let head = world.send("HEAD", &path, &[], b"").await;
    assert_eq!((head.status, head.field("content-length"), head.body.len()), (200, Some("300000"), 0));
    for (account, blob) in [
        ("A999", blob.as_str()),
        (&world.account_id, "U999999"),
        (&world.account_id, "G1"),
        (&world.account_id, "x"),
    ] {
        let path = format!("/jmap/download/{account}/{blob}/x");
        assert_eq!(world.send("GET", &path, &[], b"").await.status, 404, "{path}");
    }
    assert_eq!(world.send("POST", "/jmap/upload/A999/", &[], b"x").await.status, 404);
}

/// Blob ids are easily guessed; they are worth nothing in another account.
#[tokio::test]
async fn blobs_of_others_are_not_found() {
    let world = World::new().await;
    let blob = world.upload(b"alice's own").await;
    let bob = world.account(super::world::BOB).await;
    let id = crate::ids::BlobId::parse(&blob).expect("an id");
    assert!(matches!(crate::blob::open(&bob, &id).await, Err(hub::Error::NotFound(_))));
}

/// RFC 9404 §4: made of pieces, read in pieces, looked up.
#[tokio::test]
async fn rfc9404_blobs() {
    let world = World::new().await;
    let other = world.upload(b"0123456789").await;
    let made = world
        .call("Blob/upload", json!({ "create": {
            "a": { "data": [{ "data:asText": "The " }, { "blobId": other, "offset": 2, "length": 3 }, { "data:asBase64": "IQ==" }], "type": "text/plain" },
            "b": { "data": [{ "blobId": "U999" }] }, "c": { "data": [{ "data:asText": "x", "data:asBase64": "" }] },
            "d": { "data": [{ "blobId": other, "offset": 9, "length": 2 }] }, "e": {},
        } }))
        .await;
    let id = made["created"]["a"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(
        (&made["created"]["a"]["size"], &made["created"]["a"]["type"]),
        (&json!(8), &json!("text/plain"))
    );
    assert_eq!(made["notCreated"]["b"]["notFound"], json!(["U999"]));
    for creation in ["c", "d", "e"] {
        assert_eq!(made["notCreated"][creation]["type"], "invalidProperties", "{creation}");
    }
    let got = world
        .call("Blob/get", json!({ "ids": [id, "x"], "properties": ["data:asText", "digest:sha", "size"] }))
        .await;
    assert_eq!((&got["list"][0]["data:asText"], &got["list"][0]["size"]), (&json!("The 234!"), &json!(8)));
    assert_eq!(got["notFound"], json!(["x"]));
    let part = world.call("Blob/get", json!({ "ids": [id], "offset": 4, "length": 9 })).await;
    assert_eq!(part["list"], json!([{ "id": id, "data:asText": "234!", "size": 8, "isTruncated": true }]));
    // RFC 3174 §7.3: the digest of "abc".
    let abc =
        world.call("Blob/upload", json!({ "create": { "a": { "data": [{ "data:asText": "abc" }] } } })).await;
    let abc = abc["created"]["a"]["id"].clone();
    let digest = world.call("Blob/get", json!({ "ids": [abc], "properties": ["digest:sha"] })).await;
    assert_eq!(digest["list"][0]["digest:sha"], "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");

    let email = world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let blob = world.call("Email/get", json!({ "ids": [email], "properties": ["blobId"] })).await["list"][0]
        ["blobId"]
        .clone();
    let found =
        world.call("Blob/lookup", json!({ "typeNames": ["Email", "Mailbox"], "ids": [blob, id, "x"] })).await;
    assert_eq!(found["list"][0]["matchedIds"], json!({ "Email": [email], "Mailbox": ["M1"] }));
    assert_eq!((&found["list"][1]["matchedIds"]["Email"], &found["notFound"]), (&json!([]), &json!(["x"])));
    assert_eq!(
        world.call("Blob/lookup", json!({ "typeNames": ["Car"], "ids": [] })).await["error"],
        "unknownDataType"
    );
    assert_eq!(
        world.call("Blob/copy", json!({ "fromAccountId": "A999", "blobIds": [] })).await["error"],
        "fromAccountNotFound"
    );
}

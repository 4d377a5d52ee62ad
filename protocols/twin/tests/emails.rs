//! RFC 8621 §3, §4: Thread and Email.

use serde_json::{Value, json};

use super::world::World;

/// A message with an alternative and two attachments, one of them a message.
const MIXED: &str = "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\nTo: alice@example.org, Team: b@x.test, c@x.test;\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@example.com>\r\n\
    X-Mark: one\r\nX-Mark: two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nH=C3=BCllo\r\nworld\r\n\
    --a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p>\r\n--a--\r\n\
    --m\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n\
    --m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: text/plain\r\n\r\ninner text\r\n--m--\r\n";

fn letter(subject: &str, more: &str) -> Vec<u8> {
    format!("From: bob@example.org\r\nTo: alice@example.org\r\nSubject: {subject}\r\n{more}\r\ntext of {subject}\r\n").into_bytes()
}

#[tokio::test]
async fn rfc8621_4_2_get() {
    let world = World::new().await;
    let id = world.deliver("INBOX", MIXED.as_bytes()).await;
    let all = world.call("Email/get", json!({ "ids": [id, "E999"], "fetchAllBodyValues": true })).await;
    assert_eq!(all["notFound"], json!(["E999"]));
    let email = &all["list"][0];
    assert_eq!(email["from"], json!([{ "name": "J\u{f6}rg", "email": "joerg@example.com" }]));
    assert_eq!(email["subject"], "Gr\u{fc}\u{df}e");
    assert_eq!(email["sentAt"], "1997-11-21T09:55:06-06:00");
    assert_eq!(email["messageId"], json!(["1@example.com"]));
    assert_eq!(email["to"].as_array().map(Vec::len), Some(3));
    assert_eq!(email["cc"], Value::Null);
    assert_eq!(email["mailboxIds"], json!({ "M1": true }));
    assert_eq!(email["keywords"], json!({}));
    assert_eq!(email["hasAttachment"], true);
    assert_eq!(email["size"], MIXED.len());
    assert_eq!(email["preview"], "H\u{fc}llo world");
    let text = &email["textBody"][0];
    assert_eq!(
        (&text["type"], &text["size"], &text["charset"]),
        (&json!("text/plain"), &json!(13), &json!("utf-8"))
    );
    assert_eq!(email["bodyValues"][text["partId"].as_str().expect("id")]["value"], "H\u{fc}llo\nworld");
    assert_eq!(email["htmlBody"][0]["type"], "text/html");
    let attachments = email["attachments"].as_array().expect("a list");
    assert_eq!(
        attachments.iter().map(|part| part["type"].as_str().expect("type")).collect::<Vec<_>>(),
        ["application/pdf", "message/rfc822"]
    );
    assert_eq!((&attachments[0]["name"], &attachments[0]["size"]), (&json!("a.pdf"), &json!(5)));

    let path = |blob: &Value| format!("/jmap/download/{}/{}/x", world.account_id, blob.as_str().expect("id"));
    let pdf = world.send("GET", &path(&attachments[0]["blobId"]), &[], b"").await;
    assert_eq!(pdf.body.as_ref(), b"%PDF-");
    let whole = world.send("GET", &path(&email["blobId"]), &[], b"").await;
    assert_eq!(whole.body.as_ref(), MIXED.as_bytes());
    let inner = world.send("GET", &path(&attachments[1]["blobId"]), &[], b"").await;
    assert_eq!(inner.body.as_ref(), b"Subject: inner\r\nContent-Type: text/plain\r\n\r\ninner text");
}

#[tokio::test]
async fn rfc8621_4_1_3_header_properties() {
    let world = World::new().await;
    let id = world.deliver("INBOX", MIXED.as_bytes()).await;
    let properties = json!([
        "header:X-Mark",
        "header:x-mark:all",
        "header:Subject:asText",
        "header:To:asGroupedAddresses",
        "header:Date:asDate",
        "header:None",
        "header:None:all",
        "headers",
        "bodyStructure",
    ]);
    let got = world
        .call("Email/get", json!({ "ids": [id], "properties": properties, "bodyProperties": ["type", "partId", "header:Content-Type"] }))
        .await;
    let email = &got["list"][0];
    assert_eq!(email["header:X-Mark"], " two");
    assert_eq!(email["header:x-mark:all"], json!([" one", " two"]));
    assert_eq!(email["header:Subject:asText"], "Gr\u{fc}\u{df}e");
    assert_eq!(email["header:To:asGroupedAddresses"][1]["name"], "Team");
    assert_eq!((&email["header:None"], &email["header:None:all"]), (&Value::Null, &json!([])));
    assert_eq!(email["headers"].as_array().map(Vec::len), Some(9));
    let structure = &email["bodyStructure"];
    assert_eq!((&structure["type"], &structure["partId"]), (&json!("multipart/mixed"), &Value::Null));
    assert_eq!(structure["subParts"].as_array().map(Vec::len), Some(3));
    assert_eq!(structure["subParts"][0]["subParts"][1]["type"], "text/html");
    assert_eq!(structure["subParts"][2].get("subParts"), None, "what is in an attached message is not shown");
    assert_eq!(structure["header:Content-Type"], " multipart/mixed; boundary=m");
    for wrong in ["header:From:asText", "header:X:asNone", "nothing", "header:"] {
        let error = world.call("Email/get", json!({ "ids": [], "properties": [wrong] })).await;
        assert_eq!(error["error"], "invalidArguments", "{wrong}");
    }
    let cut = world.call("Email/get", json!({ "ids": [id], "properties": ["bodyValues"], "fetchTextBodyValues": true, "maxBodyValueBytes": 2 })).await;
    let values = cut["list"][0]["bodyValues"].as_object().expect("values").clone();
    let value = values.values().next().expect("one");
    assert_eq!(
        (&value["value"], &value["isTruncated"]),
        (&json!("H"), &json!(true)),
        "not within a character"
    );
}

#[tokio::test]
async fn rfc8621_3_threads() {
    let world = World::new().await;
    let first = world.deliver("INBOX", &letter("Plan", "Message-ID: <a@x>\r\n")).await;
    let state = world.call("Email/get", json!({ "ids": [] })).await["state"].clone();
    let reply =
        world.deliver("INBOX", &letter("Re: Plan", "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n")).await;
    let other = world.deliver("INBOX", &letter("Else", "Message-ID: <c@x>\r\n")).await;
    let got =
        world.call("Email/get", json!({ "ids": [first, reply, other], "properties": ["threadId"] })).await;
    let thread = |n: usize| got["list"][n]["threadId"].clone();
    assert_eq!(thread(0), thread(1));
    assert_ne!(thread(0), thread(2));
    let threads = world.call("Thread/get", json!({ "ids": [thread(0), "T999"] })).await;
    assert_eq!(threads["list"], json!([{ "id": thread(0), "emailIds": [first, reply] }]));
    assert_eq!(threads["notFound"], json!(["T999"]));

    let changes = world.call("Thread/changes", json!({ "sinceState": state })).await;
    assert_eq!((&changes["created"], &changes["updated"]), (&json!([thread(2)]), &json!([thread(0)])));
    let emails = world.call("Email/changes", json!({ "sinceState": state })).await;
    assert_eq!((&emails["created"], &emails["updated"]), (&json!([reply, other]), &json!([])));
    let page = world.call("Email/changes", json!({ "sinceState": state, "maxChanges": 1 })).await;
    assert_eq!((&page["created"], &page["hasMoreChanges"]), (&json!([reply]), &json!(true)));
    let rest = world.call("Email/changes", json!({ "sinceState": page["newState"], "maxChanges": 1 })).await;
    assert_eq!(
        (&rest["created"], &rest["hasMoreChanges"], &rest["newState"]),
        (&json!([other]), &json!(false), &emails["newState"])
    );

    let collapsed = world
        .call("Email/query", json!({ "collapseThreads": true, "sort": [{ "property": "subject" }] }))
        .await;
    assert_eq!(collapsed["ids"].as_array().map(Vec::len), Some(2));
    let inbox = world.call("Mailbox/get", json!({ "ids": ["M1"] })).await["list"][0].clone();
    assert_eq!(
        (&inbox["totalEmails"], &inbox["totalThreads"], &inbox["unreadThreads"]),
        (&json!(3), &json!(2), &json!(2))
    );
}

#[tokio::test]
async fn rfc8621_4_4_query() {
    let world = World::new().await;
    let a = world.deliver("INBOX", &letter("alpha", "Message-ID: <a@x>\r\nX-Test: yes\r\n")).await;
    let b = world.deliver("INBOX", &letter("beta beta", "Message-ID: <b@x>\r\n")).await;
    let c = world.deliver("Sent", MIXED.as_bytes()).await;
    let sent = world.call("Mailbox/query", json!({ "filter": { "role": "sent" } })).await["ids"][0].clone();
    let query = async |filter: Value| {
        let found =
            world.call("Email/query", json!({ "filter": filter, "sort": [{ "property": "subject" }] })).await;
        found["ids"].clone()
    };
    for (filter, expected) in [
        (json!({}), json!([a, b, c])),
        (json!({ "inMailbox": "M1" }), json!([a, b])),
        (json!({ "inMailbox": "M999" }), json!([])),
        (json!({ "inMailboxOtherThan": ["M1"] }), json!([c])),
        (json!({ "inMailboxOtherThan": [sent] }), json!([a, b])),
        (json!({ "hasAttachment": true }), json!([c])),
        (json!({ "hasAttachment": false }), json!([a, b])),
        (json!({ "subject": "beta" }), json!([b])),
        (json!({ "subject": "\"beta beta\"", "from": "bob" }), json!([b])),
        (json!({ "from": "joerg" }), json!([c])),
        (json!({ "from": "j\u{d6}RG" }), json!([c])),
        (json!({ "body": "text of alpha" }), json!([a])),
        (json!({ "body": "h\u{fc}llo" }), json!([c])),
        (json!({ "text": "beta" }), json!([b])),
        (json!({ "header": ["X-Test"] }), json!([a])),
        (json!({ "header": ["X-Mark", "TWO"] }), json!([c])),
        (json!({ "header": ["X-Mark", "none"] }), json!([])),
        (json!({ "minSize": MIXED.len() }), json!([c])),
        (json!({ "maxSize": MIXED.len() }), json!([a, b])),
        (json!({ "hasKeyword": "$seen" }), json!([])),
        (json!({ "notKeyword": "$seen" }), json!([a, b, c])),
        (json!({ "hasKeyword": "$unheard-of" }), json!([])),
        (json!({ "before": "2001-01-01T00:00:00Z" }), json!([])),
        (json!({ "after": "2001-01-01T00:00:00Z" }), json!([a, b, c])),
        (
            json!({ "operator": "NOT", "conditions": [{ "subject": "alpha" }, { "inMailbox": sent }] }),
            json!([b]),
        ),
        (
            json!({ "operator": "OR", "conditions": [{ "subject": "alpha" }, { "inMailbox": sent }] }),
            json!([a, c]),
        ),
        (json!({ "operator": "OR", "conditions": [] }), json!([])),
    ] {
        assert_eq!(query(filter.clone()).await, expected, "{filter}");
    }
    for (arguments, error) in [
        (json!({ "filter": { "colour": 1 } }), "unsupportedFilter"),
        (json!({ "filter": { "before": "yesterday" } }), "invalidArguments"),
        (json!({ "filter": { "header": [] } }), "invalidArguments"),
        (json!({ "sort": [{ "property": "hasKeyword" }] }), "invalidArguments"),
        (json!({ "sort": [{ "property": "colour" }] }), "unsupportedSort"),
    ] {
        assert_eq!(world.call("Email/query", arguments.clone()).await["error"], error, "{arguments}");
    }
    let sorted =
        async |sort: Value| world.call("Email/query", json!({ "sort": [sort] })).await["ids"].clone();
    assert_eq!(sorted(json!({ "property": "subject", "isAscending": false })).await, json!([c, b, a]));
    assert_eq!(sorted(json!({ "property": "from" })).await, json!([a, b, c]));
    assert_eq!(sorted(json!({ "property": "sentAt" })).await[0], json!(c));
}

#[tokio::test]
async fn rfc8621_4_6_set_changes() {
    let world = World::new().await;
    let id = world.deliver("INBOX", &letter("one", "")).await;
    let other = world.deliver("INBOX", &letter("two", "")).await;
    let sent = world.call("Mailbox/query", json!({ "filter": { "role": "sent" } })).await["ids"][0]
        .as_str()
        .expect("id")
        .to_owned();
    let email = async |id: &str| {
        let got =
            world.call("Email/get", json!({ "ids": [id], "properties": ["keywords", "mailboxIds"] })).await;
        (got["list"][0]["keywords"].clone(), got["list"][0]["mailboxIds"].clone())
    };
    let update = async |patch: Value| {
        let answer = world.call("Email/set", json!({ "update": { id.as_str(): patch } })).await;
        match answer["notUpdated"].is_null() {
            true => Value::Null,
            false => answer["notUpdated"][id.as_str()]["type"].clone(),
        }
    };
    let before = world.call("Email/get", json!({ "ids": [] })).await["state"].clone();
    assert_eq!(update(json!({ "keywords/$seen": true, "keywords/Work": true })).await, Value::Null);
    assert_eq!(email(&id).await.0, json!({ "$seen": true, "work": true }));
    assert_eq!(update(json!({ (format!("mailboxIds/{sent}")): true })).await, Value::Null);
    assert_eq!(email(&id).await.1, json!({ "M1": true, sent.as_str(): true }));
    assert_eq!(email(&id).await.0, json!({ "$seen": true, "work": true }), "the copy has the flags");
    assert_eq!(update(json!({ "keywords": { "$flagged": true }, "mailboxIds/M1": null })).await, Value::Null);
    assert_eq!(email(&id).await, (json!({ "$flagged": true }), json!({ sent.as_str(): true })));
    assert_eq!(update(json!({ "mailboxIds": { "M1": true } })).await, Value::Null);
    assert_eq!(email(&id).await, (json!({ "$flagged": true }), json!({ "M1": true })), "moved");
    let changes = world.call("Email/changes", json!({ "sinceState": before })).await;
    assert_eq!(
        (&changes["created"], &changes["updated"], &changes["destroyed"]),
        (&json!([]), &json!([id]), &json!([]))
    );

    for (patch, error) in [
        (json!({ "mailboxIds": {} }), "invalidProperties"),
        (json!({ "mailboxIds/M1": null }), "invalidProperties"),
        (json!({ "mailboxIds/M999": true }), "invalidProperties"),
        (json!({ "keywords/a b": true }), "invalidProperties"),
        (json!({ "keywords/$seen": false }), "invalidProperties"),
        (json!({ "keywords": {}, "keywords/$seen": true }), "invalidPatch"),
        (json!({ "subject": "new" }), "invalidProperties"),
        (json!({ "size": 1 }), "invalidProperties"),
    ] {
        assert_eq!(update(patch.clone()).await, error, "{patch}");
    }
    let gone = world
        .call(
            "Email/set",
            json!({ "destroy": [other, "E999"], "update": { "E998": {}, other.as_str(): {} } }),
        )
        .await;
    assert_eq!(gone["destroyed"], json!([other]));
    assert_eq!(gone["notDestroyed"]["E999"]["type"], "notFound");
    assert_eq!(
        (&gone["notUpdated"]["E998"]["type"], &gone["notUpdated"][other.as_str()]["type"]),
        (&json!("notFound"), &json!("willDestroy"))
    );
    let changes = world.call("Email/changes", json!({ "sinceState": before })).await;
    assert_eq!(changes["destroyed"], json!([other]));
    let threads = world.call("Thread/changes", json!({ "sinceState": before })).await;
    assert_eq!(threads["destroyed"].as_array().map(Vec::len), Some(1));
}

/// RFC 8621 §4.1.1: what IMAP has marked as deleted is not seen.
#[tokio::test]
async fn what_is_deleted_is_not_there() {
    let world = World::new().await;
    let id = world.deliver("INBOX", &letter("one", "")).await;
    let state = world.call("Email/get", json!({ "ids": [] })).await["state"].clone();
    let alice = world.account(super::world::ALICE).await;
    let uids = hub::IdSet::range(1, 1);
    let change = hub::FlagChange::Add(hub::Flags::DELETED);
    alice.messages().change_flags(hub::MailboxId::INBOX, &uids, change, None).await.expect("changed");
    assert_eq!(world.call("Email/get", json!({ "ids": [id] })).await["notFound"], json!([id]));
    assert_eq!(world.call("Email/query", json!({})).await["ids"], json!([]));
    assert_eq!(world.call("Email/changes", json!({ "sinceState": state })).await["destroyed"], json!([id]));
    assert_eq!(world.call("Mailbox/get", json!({ "ids": ["M1"] })).await["list"][0]["totalEmails"], 0);
}

#[tokio::test]
async fn rfc8621_4_6_set_creates() {
    let world = World::new().await;
    let blob = world.upload(b"\x00\x01binary").await;
    let email = json!({
        "mailboxIds": { "M1": true }, "keywords": { "$draft": true, "$seen": true },
        "from": [{ "name": "Alice \u{c4}", "email": "alice@example.org" }], "to": [{ "name": null, "email": "b@x.test" }],
        "subject": "World domination \u{1f30d}", "receivedAt": "2018-07-10T01:03:11Z", "sentAt": "2018-07-10T11:03:11+10:00",
        "header:X-Raw": " raw", "header:List-Post:asURLs": ["mailto:a@x"],
        "textBody": [{ "partId": "t", "type": "text/plain" }], "htmlBody": [{ "partId": "h", "type": "text/html" }],
        "bodyValues": { "t": { "value": "h\u{e9}llo\nworld" }, "h": { "value": "<p>x</p>", "isTruncated": false } },
        "attachments": [{ "blobId": blob, "type": "image/png", "name": "\u{fc}.png", "disposition": "attachment", "cid": "c@x" }],
    });
    let made = world.call("Email/set", json!({ "create": { "k": email } })).await;
    let created = &made["created"]["k"];
    let names: Vec<&String> = created.as_object().unwrap_or_else(|| panic!("{made}")).keys().collect();
    assert_eq!(names, ["blobId", "id", "size", "threadId"]);
    let got =
        world.call("Email/get", json!({ "ids": [created["id"]], "fetchAllBodyValues": true })).await["list"]
            [0]
        .clone();
    assert_eq!(got["subject"], "World domination \u{1f30d}");
    assert_eq!(got["from"], json!([{ "name": "Alice \u{c4}", "email": "alice@example.org" }]));
    assert_eq!(
        (&got["receivedAt"], &got["sentAt"]),
        (&json!("2018-07-10T01:03:11Z"), &json!("2018-07-10T11:03:11+10:00"))
    );
    assert_eq!(got["keywords"], json!({ "$draft": true, "$seen": true }));
    assert_eq!(
        got["bodyValues"][got["textBody"][0]["partId"].as_str().expect("id")]["value"],
        "h\u{e9}llo\nworld"
    );
    let attachment = &got["attachments"][0];
    assert_eq!(
        (&attachment["name"], &attachment["size"], &attachment["cid"]),
        (&json!("\u{fc}.png"), &json!(8), &json!("c@x"))
    );
    assert_eq!(got["hasAttachment"], true);
    assert!(got["messageId"][0].as_str().expect("made").ends_with("@example.org"));

    let base = || json!({ "mailboxIds": { "M1": true } });
    let with = |more: Value| {
        let mut object = base();
        more.as_object().expect("an object").iter().for_each(|(name, value)| object[name] = value.clone());
        object
    };
    for (object, error) in [
        (json!({}), "invalidProperties"),
        (with(json!({ "mailboxIds": {} })), "invalidProperties"),
        (with(json!({ "headers": [] })), "invalidProperties"),
        (with(json!({ "from": [], "header:From:asAddresses": [] })), "invalidProperties"),
        (with(json!({ "header:Content-Type": " x/y" })), "invalidProperties"),
        (with(json!({ "bodyStructure": { "partId": "x" }, "textBody": [] })), "invalidProperties"),
        (with(json!({ "textBody": [{ "partId": "x" }] })), "invalidProperties"),
        (with(json!({ "textBody": [] })), "invalidProperties"),
        (
            with(
                json!({ "textBody": [{ "partId": "x", "charset": "utf-8" }], "bodyValues": { "x": { "value": "" } } }),
            ),
            "invalidProperties",
        ),
        (
            with(
                json!({ "textBody": [{ "partId": "x" }], "bodyValues": { "x": { "value": "", "isTruncated": true } } }),
            ),
            "invalidProperties",
        ),
        (with(json!({ "attachments": [{ "blobId": "U999", "type": "image/png" }] })), "blobNotFound"),
        (with(json!({ "attachments": [{ "blobId": blob, "partId": "x" }] })), "invalidProperties"),
        (
            with(json!({ "attachments": [{ "blobId": blob, "header:Content-Transfer-Encoding": " 8bit" }] })),
            "invalidProperties",
        ),
        (
            with(json!({ "subject": "x", "bodyStructure": { "blobId": blob, "header:Subject": " y" } })),
            "invalidProperties",
        ),
        (with(json!({ "id": "E1" })), "invalidProperties"),
    ] {
        let answer = world.call("Email/set", json!({ "create": { "k": object } })).await;
        assert_eq!(answer["notCreated"]["k"]["type"], error, "{object}: {answer}");
    }
    let missing = world
        .call(
            "Email/set",
            json!({ "create": { "k": with(json!({ "attachments": [{ "blobId": "U999" }] })) } }),
        )
        .await;
    assert_eq!(missing["notCreated"]["k"]["notFound"], json!(["U999"]));
}

#[tokio::test]
async fn rfc8621_4_8_import_and_4_9_parse() {
    let world = World::new().await;
    let blob = world.upload(MIXED.as_bytes()).await;
    let none = world.upload(b"\r\nno header").await;
    let made = world
        .call("Email/import", json!({ "emails": {
            "a": { "blobId": blob, "mailboxIds": { "M1": true }, "keywords": { "$seen": true }, "receivedAt": "2020-01-01T00:00:00Z" },
            "b": { "blobId": "U999", "mailboxIds": { "M1": true } }, "c": { "blobId": blob, "mailboxIds": {} },
            "d": { "blobId": none, "mailboxIds": { "M1": true } },
        } }))
        .await;
    let id = made["created"]["a"]["id"].clone();
    assert_eq!(made["notCreated"]["b"]["properties"], json!(["blobId"]));
    assert_eq!(made["notCreated"]["c"]["properties"], json!(["mailboxIds"]));
    assert_eq!(made["notCreated"]["d"]["type"], "invalidEmail");
    let got = world.call("Email/get", json!({ "ids": [id] })).await["list"][0].clone();
    assert_eq!((&got["size"], &got["receivedAt"]), (&json!(MIXED.len()), &json!("2020-01-01T00:00:00Z")));

    let inner = got["attachments"][1]["blobId"].clone();
    let parsed = world
        .call("Email/parse", json!({ "blobIds": [blob, inner, none, "U999"], "fetchTextBodyValues": true }))
        .await;
    assert_eq!(parsed["parsed"][blob.as_str()]["subject"], "Gr\u{fc}\u{df}e");
    assert_eq!(parsed["parsed"][blob.as_str()].get("id"), None);
    let inner = &parsed["parsed"][inner.as_str().expect("id")];
    assert_eq!((&inner["subject"], &inner["preview"]), (&json!("inner"), &json!("inner text")));
    assert_eq!(inner["bodyValues"]["1"]["value"], "inner text");
    assert_eq!((&parsed["notParsable"], &parsed["notFound"]), (&json!([none]), &json!(["U999"])));
    let path = format!(
        "/jmap/download/{}/{}/x",
        world.account_id,
        inner["textBody"][0]["blobId"].as_str().expect("id")
    );
    assert_eq!(world.send("GET", &path, &[], b"").await.body.as_ref(), b"inner text");
}

/// RFC 8620 §3.3, RFC 8621 §4.10: made, found and changed in one request.
#[tokio::test]
async fn references_within_a_request() {
    let world = World::new().await;
    world.deliver("INBOX", &letter("one", "")).await;
    let account = &world.account_id;
    let answers = world
        .calls(json!([
            ["Mailbox/set", { "accountId": account, "create": { "box": { "name": "Box" } } }, "0"],
            ["Email/query", { "accountId": account, "filter": { "inMailbox": "M1" } }, "1"],
            ["Email/get", { "accountId": account, "#ids": { "resultOf": "1", "name": "Email/query", "path": "/ids" }, "properties": ["threadId"] }, "2"],
            ["Thread/get", { "accountId": account, "#ids": { "resultOf": "2", "name": "Email/get", "path": "/list/*/threadId" } }, "3"],
            ["Email/set", { "accountId": account, "create": { "new": { "mailboxIds": { "#box": true }, "subject": "x" } } }, "4"],
            ["Email/set", { "accountId": account, "update": { "#new": { "mailboxIds/M1": true } } }, "5"],
            ["Email/get", { "accountId": account, "ids": ["#new"], "properties": ["mailboxIds"] }, "6"],
        ]))
        .await;
    assert_eq!(answers[3][1]["list"].as_array().map(Vec::len), Some(1), "{answers:?}");
    assert_eq!(answers[5][1]["updated"], json!({ "#new": null }), "{answers:?}");
    assert_eq!(answers[6][1]["list"][0]["mailboxIds"].as_object().map(serde_json::Map::len), Some(2));
}

#[tokio::test]
async fn rfc8621_4_5_query_changes() {
    let world = World::new().await;
    let a = world.deliver("INBOX", &letter("a", "Message-ID: <a@x>\r\n")).await;
    let b = world.deliver("INBOX", &letter("b", "Message-ID: <b@x>\r\n")).await;
    let arguments = json!({ "filter": { "notKeyword": "$seen" }, "sort": [{ "property": "subject" }], "calculateTotal": true });
    let mut known: Vec<Value> = Vec::new();
    let first = world.call("Email/query", arguments.clone()).await;
    known.extend(first["ids"].as_array().expect("ids").clone());
    let mut state = first["queryState"].clone();
    let mut follow = async |known: &mut Vec<Value>| {
        let mut ask = arguments.clone();
        ask["sinceQueryState"] = state.clone();
        let changes = world.call("Email/queryChanges", ask).await;
        known.retain(|id| !changes["removed"].as_array().expect("removed").contains(id));
        for one in changes["added"].as_array().expect("added") {
            known.insert(one["index"].as_u64().expect("an index") as usize, one["id"].clone());
        }
        state = changes["newQueryState"].clone();
        assert_eq!(changes["total"], known.len());
    };
    let c = world.deliver("INBOX", &letter("aa", "Message-ID: <c@x>\r\n")).await;
    follow(&mut known).await;
    assert_eq!(known, [json!(a), json!(c), json!(b)]);
    world
        .call("Email/set", json!({ "update": { a.as_str(): { "keywords/$seen": true } }, "destroy": [b] }))
        .await;
    follow(&mut known).await;
    assert_eq!(known, [json!(c)]);
    world.call("Email/set", json!({ "update": { a.as_str(): { "keywords/$seen": null } } })).await;
    follow(&mut known).await;
    assert_eq!(known, [json!(a), json!(c)]);
}

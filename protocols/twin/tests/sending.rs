//! RFC 8621 §5–§8: SearchSnippet, Identity, EmailSubmission, VacationResponse; RFC 9425: Quota.

use hub::{MailboxId, QueueFilter};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, World};

/// A draft of alice's to these recipients.
async fn draft(world: &World, to: &[&str]) -> String {
    let to: Vec<Value> = to.iter().map(|email| json!({ "email": email })).collect();
    let email = json!({
        "mailboxIds": { "M1": true }, "keywords": { "$draft": true }, "from": [{ "email": ALICE }], "to": to,
        "bcc": [{ "email": BOB }], "subject": "dinner", "textBody": [{ "partId": "1" }],
        "bodyValues": { "1": { "value": "at eight & nine?" } },
    });
    let made = world.call("Email/set", json!({ "create": { "d": email } })).await;
    made["created"]["d"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn rfc8621_7_5_sent_and_moved() {
    let world = World::new().await;
    let email = draft(&world, &[BOB]).await;
    let sent = world.call("Mailbox/query", json!({ "filter": { "role": "sent" } })).await["ids"][0]
        .as_str()
        .expect("id")
        .to_owned();
    let arguments = json!({
        "accountId": world.account_id,
        "create": { "k1490": { "identityId": "I1", "emailId": email } },
        "onSuccessUpdateEmail": { "#k1490": { "mailboxIds/M1": null, (format!("mailboxIds/{sent}")): true, "keywords/$draft": null } },
    });
    let answers = world.calls(json!([["EmailSubmission/set", arguments, "0"]])).await;
    assert_eq!(answers.len(), 2, "{answers:?}");
    let created = &answers[0][1]["created"]["k1490"];
    assert_eq!(created["undoStatus"], "final", "it lies in bob's mailbox");
    assert_eq!((&answers[1][0], &answers[1][2]), (&json!("Email/set"), &json!("0")));
    assert_eq!(answers[1][1]["updated"], json!({ email.as_str(): null }));
    let moved = world
        .call("Email/get", json!({ "ids": [email], "properties": ["mailboxIds", "keywords", "bcc"] }))
        .await["list"][0]
        .clone();
    assert_eq!((&moved["mailboxIds"], &moved["keywords"]), (&json!({ sent.as_str(): true }), &json!({})));
    assert_eq!(moved["bcc"][0]["email"], BOB, "the twin's own copy keeps it");

    let bob = world.account(BOB).await;
    let inbox = bob.messages().open(MailboxId::INBOX).await.expect("open").snapshot();
    let got = bob
        .messages()
        .fetch(&[inbox.last().expect("it came").email])
        .await
        .expect("read")
        .remove(0)
        .expect("kept");
    let text = bob.messages().read_starts(&[(&got, u64::MAX)]).await.expect("read").remove(0);
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("Subject: dinner") && !text.contains("Bcc"), "{text}");

    let id = created["id"].clone();
    let known = world.call("EmailSubmission/get", json!({ "ids": [id, "S99"] })).await;
    assert_eq!(known["list"][0]["deliveryStatus"][BOB]["delivered"], "yes");
    assert_eq!(known["list"][0]["envelope"]["mailFrom"]["email"], ALICE);
    assert_eq!(known["notFound"], json!(["S99"]));
    let cancel = world
        .call(
            "EmailSubmission/set",
            json!({ "update": { id.as_str().expect("id"): { "undoStatus": "canceled" } } }),
        )
        .await;
    assert_eq!(cancel["notUpdated"][id.as_str().expect("id")]["type"], "cannotUnsend");
}

#[tokio::test]
async fn rfc8621_7_5_called_back() {
    let world = World::new().await;
    let email = draft(&world, &["carol@elsewhere.test"]).await;
    let envelope = json!({
        "mailFrom": { "email": ALICE, "parameters": { "RET": "HDRS" } },
        "rcptTo": [{ "email": "carol@elsewhere.test", "parameters": { "NOTIFY": "NEVER" } }],
    });
    let state = world.call("EmailSubmission/get", json!({ "ids": [] })).await["state"].clone();
    let made = world
        .call(
            "EmailSubmission/set",
            json!({ "create": { "k": { "identityId": "I1", "emailId": email, "envelope": envelope } } }),
        )
        .await;
    let id = made["created"]["k"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(made["created"]["k"]["undoStatus"], "pending");
    assert_eq!(world.hub.queue(&QueueFilter::default()).await.expect("a list").len(), 1);
    let pending = world
        .call("EmailSubmission/query", json!({ "filter": { "undoStatus": "pending", "emailIds": [email] } }))
        .await;
    assert_eq!(pending["ids"], json!([id]));
    let canceled = world
        .call("EmailSubmission/set", json!({ "update": { id.as_str(): { "undoStatus": "canceled" } } }))
        .await;
    assert_eq!(canceled["updated"], json!({ id.as_str(): null }), "{canceled}");
    assert!(world.hub.queue(&QueueFilter::default()).await.expect("a list").is_empty());
    let got = world.call("EmailSubmission/get", json!({ "ids": null })).await;
    assert_eq!(got["list"][0]["undoStatus"], "canceled");
    let changes = world.call("EmailSubmission/changes", json!({ "sinceState": state })).await;
    assert_eq!(changes["created"], json!([id]));
    let gone = world.call("EmailSubmission/set", json!({ "destroy": [id] })).await;
    assert_eq!(gone["destroyed"], json!([id]));
}

#[tokio::test]
async fn rfc8621_7_5_refusals() {
    let world = World::new().await;
    let email = draft(&world, &[BOB]).await;
    let envelope = |from: &str, to: &[&str]| {
        let to: Vec<Value> = to.iter().map(|email| json!({ "email": email })).collect();
        json!({ "mailFrom": { "email": from }, "rcptTo": to })
    };
    let forged = world.deliver("INBOX", b"From: bob@example.org\r\nTo: alice@example.org\r\n\r\nx").await;
    let authorless = world.deliver("INBOX", b"To: alice@example.org\r\n\r\nx").await;
    for (object, error) in [
        (json!({ "identityId": "I9", "emailId": email }), "invalidProperties"),
        (json!({ "identityId": "I1", "emailId": "E999" }), "invalidProperties"),
        (json!({ "identityId": "I1", "emailId": email, "sendAt": "x" }), "invalidProperties"),
        (json!({ "identityId": "I1", "emailId": email, "envelope": envelope(ALICE, &[]) }), "noRecipients"),
        (
            json!({ "identityId": "I1", "emailId": email, "envelope": envelope(ALICE, &["x y"]) }),
            "invalidRecipients",
        ),
        (
            json!({ "identityId": "I1", "emailId": email, "envelope": envelope(ALICE, &["nobody@example.org"]) }),
            "invalidRecipients",
        ),
        (
            json!({ "identityId": "I1", "emailId": email, "envelope": envelope(BOB, &[BOB]) }),
            "forbiddenMailFrom",
        ),
        (
            json!({ "identityId": "I1", "emailId": forged, "envelope": envelope(ALICE, &[BOB]) }),
            "forbiddenFrom",
        ),
        (
            json!({ "identityId": "I1", "emailId": authorless, "envelope": envelope(ALICE, &[BOB]) }),
            "invalidEmail",
        ),
    ] {
        let answer = world.call("EmailSubmission/set", json!({ "create": { "k": object } })).await;
        assert_eq!(answer["notCreated"]["k"]["type"], error, "{object}: {answer}");
    }
    let untouched = world
        .calls(json!([["EmailSubmission/set", {
            "accountId": world.account_id, "create": { "k": { "identityId": "I9", "emailId": email } },
            "onSuccessDestroyEmail": ["#k"],
        }, "0"]]))
        .await;
    assert_eq!(untouched[1][1]["destroyed"], Value::Null, "only what went well has consequences");
}

#[tokio::test]
async fn rfc8621_6_identities() {
    let world = World::new().await;
    let all = world.call("Identity/get", json!({})).await;
    assert_eq!(all["list"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&all["list"][0]["id"], &all["list"][0]["email"], &all["list"][0]["mayDelete"]),
        (&json!("I1"), &json!(ALICE), &json!(false))
    );
    let made = world
        .call("Identity/set", json!({
            "create": {
                "a": { "name": "Alice at work", "email": "alice+work@example.org", "bcc": [{ "name": null, "email": ALICE }] },
                "b": { "email": BOB }, "c": {}, "d": { "email": "x y" }, "e": { "email": ALICE, "mayDelete": true },
            },
            "update": { "I1": { "name": "Alice", "textSignature": "-- a" } }, "destroy": ["I1", "I999"],
        }))
        .await;
    let id = made["created"]["a"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    for (creation, error) in [
        ("b", "forbiddenFrom"),
        ("c", "invalidProperties"),
        ("d", "invalidProperties"),
        ("e", "invalidProperties"),
    ] {
        assert_eq!(made["notCreated"][creation]["type"], error, "{creation}");
    }
    assert_eq!(made["notUpdated"]["I1"]["type"], "willDestroy");
    assert_eq!(
        (&made["notDestroyed"]["I1"]["type"], &made["notDestroyed"]["I999"]["type"]),
        (&json!("forbidden"), &json!("notFound"))
    );
    let changed = world
        .call(
            "Identity/set",
            json!({ "update": { "I1": { "name": "Alice" }, id.as_str(): { "email": ALICE } } }),
        )
        .await;
    assert_eq!(
        (&changed["updated"], &changed["notUpdated"][id.as_str()]["type"]),
        (&json!({ "I1": null }), &json!("invalidProperties"))
    );
    let changes = world.call("Identity/changes", json!({ "sinceState": all["state"] })).await;
    assert_eq!((&changes["created"], &changes["updated"]), (&json!([id]), &json!(["I1"])));
    let got = world.call("Identity/get", json!({ "ids": [id, "I1"] })).await;
    assert_eq!(got["list"][1]["bcc"], json!([{ "name": null, "email": ALICE }]));
    assert_eq!(got["list"][0]["name"], "Alice");
}

#[tokio::test]
async fn rfc8621_8_vacation() {
    let world = World::new().await;
    let before = world.call("VacationResponse/get", json!({})).await;
    assert_eq!(
        before["list"],
        json!([{
            "id": "singleton", "isEnabled": false, "fromDate": null, "toDate": null, "subject": null, "textBody": null, "htmlBody": null,
        }])
    );
    let set = world
        .call("VacationResponse/set", json!({
            "create": { "a": {} }, "destroy": ["x"],
            "update": { "singleton": { "isEnabled": true, "fromDate": "2020-01-01T00:00:00Z", "textBody": "away" } },
        }))
        .await;
    assert_eq!(
        (&set["notCreated"]["a"]["type"], &set["notDestroyed"]["x"]["type"]),
        (&json!("singleton"), &json!("singleton"))
    );
    assert_eq!(set["updated"], json!({ "singleton": null }));
    for (patch, error) in [
        (json!({ "isEnabled": 1 }), "invalidProperties"),
        (json!({ "fromDate": "x" }), "invalidProperties"),
        (json!({ "colour": 1 }), "invalidProperties"),
    ] {
        let answer = world.call("VacationResponse/set", json!({ "update": { "singleton": patch } })).await;
        assert_eq!(answer["notUpdated"]["singleton"]["type"], error);
    }
    let after = world.call("VacationResponse/get", json!({ "ids": ["singleton", "y"] })).await;
    assert_eq!((&after["list"][0]["textBody"], &after["notFound"]), (&json!("away"), &json!(["y"])));
    assert_ne!(after["state"], before["state"]);

    // Bob writes, and is answered.
    let bob = world.account(BOB).await;
    let mut spool = world.hub.spool();
    spool.write(b"From: bob@example.org\r\nTo: alice@example.org\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n").await.expect("written");
    let incoming = world.hub.examine(spool).await.expect("examined");
    let address = |text: &str| hub::Address::parse(text).expect("an address");
    let recipient =
        hub::SubmissionRecipient { address: address(ALICE), notify: hub::Notify::default(), original: None };
    let submission = hub::Submission {
        incoming,
        reverse_path: Some(address(BOB)),
        recipients: vec![recipient],
        trace: Vec::new(),
        ret: hub::Return::default(),
        envelope_id: None,
        smtputf8: false,
        eight_bit: false,
        require_tls: false,
    };
    bob.submit(submission).await.expect("sent");
    let inbox = bob.messages().open(MailboxId::INBOX).await.expect("open").snapshot();
    assert_eq!(inbox.len(), 1, "the answer");
}

#[tokio::test]
async fn rfc8621_5_snippets() {
    let world = World::new().await;
    let email = draft(&world, &[BOB]).await;
    let found = world
        .call(
            "SearchSnippet/get",
            json!({ "emailIds": [email, "E999"], "filter": { "text": "NINE dinner" } }),
        )
        .await;
    assert_eq!(
        found["list"],
        json!([{ "emailId": email, "subject": "<mark>dinner</mark>", "preview": "at eight &amp; <mark>nine</mark>?" }])
    );
    assert_eq!(found["notFound"], json!(["E999"]));
    let none = world.call("SearchSnippet/get", json!({ "emailIds": [email], "filter": { "operator": "NOT", "conditions": [{ "text": "dinner" }] } })).await;
    assert_eq!(none["list"], json!([{ "emailId": email, "subject": null, "preview": null }]));
    assert_eq!(world.call("SearchSnippet/get", json!({})).await["error"], "invalidArguments");
}

#[tokio::test]
async fn rfc9425_quota() {
    let world = World::new().await;
    assert_eq!(world.call("Quota/get", json!({})).await["list"], json!([]), "there is no limit");
    let alice = hub::Address::parse(ALICE).expect("an address");
    world.hub.set_quota(&alice, Some(1_000_000)).await.expect("set");
    let got = world.call("Quota/get", json!({})).await;
    assert_eq!((&got["list"][0]["hardLimit"], &got["list"][0]["used"]), (&json!(1_000_000), &json!(0)));
    world.deliver("INBOX", b"Subject: x\r\n\r\ny").await;
    let changes = world.call("Quota/changes", json!({ "sinceState": got["state"] })).await;
    assert_eq!((&changes["updated"], &changes["updatedProperties"]), (&json!(["octets"]), &json!(["used"])));
    assert_eq!(
        world.call("Quota/query", json!({ "filter": { "type": "Email" } })).await["ids"],
        json!(["octets"])
    );
    assert_eq!(world.call("Quota/query", json!({ "filter": { "type": "Contact" } })).await["ids"], json!([]));
}

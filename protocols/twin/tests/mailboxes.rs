//! RFC 8621 §2: Mailbox.

use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn rfc8621_2_get() {
    let world = World::new().await;
    let all = world.call("Mailbox/get", json!({})).await;
    let inbox = all["list"].as_array().expect("a list").iter().find(|one| one["role"] == "inbox");
    let inbox = inbox.expect("an inbox");
    assert_eq!(inbox["id"], "M1");
    assert_eq!(inbox["myRights"]["mayDelete"], false);
    assert_eq!(inbox["totalThreads"], 0);
    let some = world.call("Mailbox/get", json!({ "ids": ["M1", "M999", "x"], "properties": ["name"] })).await;
    assert_eq!(some["list"], json!([{ "id": "M1", "name": "INBOX" }]));
    assert_eq!(some["notFound"], json!(["M999", "x"]));
    let wrong = world.call("Mailbox/get", json!({ "properties": ["nothing"] })).await;
    assert_eq!(wrong["error"], "invalidArguments");
    let many: Vec<String> = (1..2000).map(|n| format!("M{n}")).collect();
    assert_eq!(world.call("Mailbox/get", json!({ "ids": many })).await["error"], "requestTooLarge");
}

#[tokio::test]
async fn rfc8621_2_5_set() {
    let world = World::new().await;
    let before = world.call("Mailbox/get", json!({ "ids": [] })).await["state"].clone();
    let made = world
        .call(
            "Mailbox/set",
            json!({ "create": {
                "child": { "name": "Child", "parentId": "#top", "isSubscribed": true },
                "top": { "name": "Top", "sortOrder": 7 },
                "bad": { "name": "a/b" }, "nameless": {}, "odd": { "name": "x", "colour": 1 },
                "lost": { "name": "y", "parentId": "#none" }, "again": { "name": "INBOX" },
                "role": { "name": "z", "role": "sent" },
            } }),
        )
        .await;
    let (top, child) = (made["created"]["top"]["id"].clone(), made["created"]["child"]["id"].clone());
    assert!(top.is_string() && child.is_string(), "{made}");
    for (creation, property) in [
        ("bad", "name"),
        ("nameless", "name"),
        ("odd", "colour"),
        ("lost", "parentId"),
        ("again", "name"),
        ("role", "role"),
    ] {
        let error = &made["notCreated"][creation];
        assert_eq!(
            (&error["type"], &error["properties"]),
            (&json!("invalidProperties"), &json!([property])),
            "{creation}"
        );
    }
    let got = world
        .call(
            "Mailbox/get",
            json!({ "ids": [top, child], "properties": ["name", "parentId", "sortOrder", "isSubscribed"] }),
        )
        .await;
    let list = got["list"].as_array().expect("a list");
    let find = |name: &str| list.iter().find(|one| one["name"] == name).cloned().expect(name);
    assert_eq!(
        find("Top"),
        json!({ "id": top, "name": "Top", "parentId": null, "sortOrder": 7, "isSubscribed": false })
    );
    assert_eq!(
        find("Child"),
        json!({ "id": child, "name": "Child", "parentId": top, "sortOrder": 0, "isSubscribed": true })
    );

    let changes = world.call("Mailbox/changes", json!({ "sinceState": before })).await;
    assert_eq!(changes["created"].as_array().map(Vec::len), Some(2), "{changes}");
    assert_eq!(changes["newState"], got["state"]);
    assert_eq!(changes["updatedProperties"], Value::Null);

    let (top, child) = (top.as_str().expect("id"), child.as_str().expect("id"));
    let changed = world
        .call(
            "Mailbox/set",
            json!({
                "ifInState": got["state"],
                "update": { child: { "parentId": null, "name": "Moved", "role": "archive" }, top: { "parentId": child }, "M999": {} },
            }),
        )
        .await;
    assert_eq!(changed["updated"][child], Value::Null);
    assert_eq!(changed["notUpdated"]["M999"]["type"], "notFound");
    let refused = world.call("Mailbox/set", json!({ "ifInState": "0", "destroy": [top] })).await;
    assert_eq!(refused["error"], "stateMismatch");

    let circle = world.call("Mailbox/set", json!({ "update": { child: { "parentId": child } } })).await;
    assert_eq!(circle["notUpdated"][child]["type"], "invalidProperties");
    let inbox = world
        .call("Mailbox/set", json!({ "update": { "M1": { "name": "x" } }, "destroy": ["M1", top, child] }))
        .await;
    assert_eq!(inbox["notUpdated"]["M1"]["type"], "willDestroy");
    assert_eq!(inbox["notDestroyed"]["M1"]["type"], "forbidden");
    assert_eq!(inbox["destroyed"].as_array().map(Vec::len), Some(2), "children go before their parents");
}

#[tokio::test]
async fn rfc8621_2_3_query() {
    let world = World::new().await;
    let made = world
        .call("Mailbox/set", json!({ "create": { "b": { "name": "B" }, "a": { "name": "a", "parentId": "#b" }, "c": { "name": "C" } } }))
        .await;
    assert_eq!(made["notCreated"], Value::Null);
    let names = async |arguments: Value| {
        let found = world.call("Mailbox/query", arguments).await;
        let all = world.call("Mailbox/get", json!({ "ids": found["ids"], "properties": ["name"] })).await;
        let name = |id: &Value| {
            let list = all["list"].as_array().expect("a list").iter();
            list.clone().find(|one| &one["id"] == id).expect("there")["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        };
        found["ids"].as_array().expect("ids").iter().map(name).collect::<Vec<_>>()
    };
    let without_role = json!({ "hasAnyRole": false });
    let sort = json!([{ "property": "name" }]);
    assert_eq!(names(json!({ "filter": without_role, "sort": sort })).await, ["a", "B", "C"]);
    assert_eq!(
        names(json!({ "filter": without_role, "sort": [{ "property": "name", "isAscending": false }] }))
            .await,
        ["C", "B", "a"]
    );
    assert_eq!(
        names(json!({ "filter": without_role, "sort": sort, "sortAsTree": true })).await,
        ["B", "a", "C"]
    );
    let b = made["created"]["b"]["id"].clone();
    assert_eq!(names(json!({ "filter": { "parentId": b } })).await, ["a"]);
    assert_eq!(
        names(json!({ "filter": { "parentId": b }, "filterAsTree": true })).await,
        Vec::<String>::new()
    );
    let not = json!({ "operator": "NOT", "conditions": [{ "hasAnyRole": true }, { "name": "c" }] });
    assert_eq!(names(json!({ "filter": not, "sort": sort })).await, ["a", "B"]);
    assert_eq!(names(json!({ "filter": { "role": "inbox" } })).await, ["INBOX"]);
    for (arguments, error) in [
        (json!({ "filter": { "colour": 1 } }), "unsupportedFilter"),
        (json!({ "filter": { "name": 1 } }), "invalidArguments"),
        (json!({ "sort": [{ "property": "colour" }] }), "unsupportedSort"),
        (json!({ "sort": [{ "property": "name", "collation": "i;none" }] }), "unsupportedSort"),
        (json!({ "anchor": "M999" }), "anchorNotFound"),
    ] {
        assert_eq!(world.call("Mailbox/query", arguments.clone()).await["error"], error, "{arguments}");
    }
    let total =
        world.call("Mailbox/query", json!({ "calculateTotal": true, "limit": 1, "position": 1 })).await;
    assert_eq!((total["ids"].as_array().map(Vec::len), &total["position"]), (Some(1), &json!(1)));
    assert!(total["total"].as_u64() > Some(5));

    let state = total["queryState"].clone();
    world.call("Mailbox/set", json!({ "update": { b.as_str().expect("an id"): { "name": "Z" } } })).await;
    let changed = world
        .call(
            "Mailbox/queryChanges",
            json!({ "sinceQueryState": state, "filter": without_role, "sort": sort, "calculateTotal": true }),
        )
        .await;
    assert_eq!(
        (&changed["removed"], &changed["added"], &changed["total"]),
        (&json!([b]), &json!([{ "id": b, "index": 2 }]), &json!(3))
    );
    let nothing =
        world.call("Mailbox/queryChanges", json!({ "sinceQueryState": changed["newQueryState"] })).await;
    assert_eq!((&nothing["removed"], &nothing["added"]), (&json!([]), &json!([])));
    for state in ["x", "-1", "99999999"] {
        let error = world.call("Mailbox/queryChanges", json!({ "sinceQueryState": state })).await;
        assert_eq!(error["error"], "cannotCalculateChanges", "{state}");
        let error = world.call("Mailbox/changes", json!({ "sinceState": state })).await;
        assert_eq!(error["error"], "cannotCalculateChanges", "{state}");
    }
}

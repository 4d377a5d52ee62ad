//! RFC 9610: address books and cards, and that other doors see the same.

use bytes::Bytes;
use hub::collections::PutOutcome;
use serde_json::{Value, json};

use super::world::{ALICE, World};

const JANE: &str = "BEGIN:VCARD\nVERSION:3.0\nUID:jane\nFN:Jane Doe\nN:Doe;Jane;;;\nEMAIL;TYPE=work:jane@example.com\n\
                    X-ODD;X-P=1:kept\\, as\n  it is\nitem1.TEL:+1\nitem1.X-ABLabel:Boat\nEND:VCARD\n";

impl World {
    /// As a CardDAV client does it.
    async fn put_card(&self, name: &str, text: &str) {
        let books = self.account(ALICE).await.address_books();
        books.list().await.expect("listed");
        let put = books.put("contacts", name, Bytes::from(text.to_owned()), Vec::new()).await.expect("put");
        assert!(matches!(put, PutOutcome::Stored(_)), "{put:?}");
    }

    async fn card_text(&self, uid: &str) -> String {
        let books = self.account(ALICE).await.address_books();
        for book in books.list().await.expect("listed") {
            let items = books.items(book.id, "").await.expect("listed");
            if let Some(item) = items.iter().find(|item| item.uid == uid) {
                let (_, data) = books.contents(&[item.id]).await.expect("read").pop().expect("it is there");
                return String::from_utf8(data.to_vec()).expect("text");
            }
        }
        panic!("there is no {uid}");
    }

    async fn default_book(&self) -> String {
        let books = self.call("AddressBook/get", json!({})).await;
        books["list"][0]["id"].as_str().expect("one").to_owned()
    }

    async fn new_card(&self, mut card: Value) -> Value {
        if card.get("addressBookIds").is_none() {
            card["addressBookIds"] = json!({ self.default_book().await: true });
        }
        let set = self.call("ContactCard/set", json!({ "create": { "new": card } })).await;
        match set["created"].get("new") {
            Some(made) => made.clone(),
            None => set["notCreated"]["new"].clone(),
        }
    }
}

/// RFC 9610 §4.1.
#[tokio::test]
async fn rfc9610_4_1_first_data() {
    let world = World::new().await;
    let made = world
        .new_card(json!({
            "name": { "components": [{ "kind": "given", "value": "Joe" }, { "kind": "surname", "value": "Bloggs" }], "isOrdered": true },
            "emails": { "0": { "contexts": { "private": true }, "address": "joe.bloggs@example.com" } },
        }))
        .await;
    for name in ["id", "uid", "created", "updated"] {
        assert!(made[name].is_string(), "{name}: {made}");
    }
    let books = world.call("AddressBook/get", json!({})).await;
    let book = &books["list"][0];
    assert_eq!(
        *book,
        json!({
            "id": book["id"], "name": "Contacts", "description": null, "sortOrder": 0, "isDefault": true, "isSubscribed": true,
            "shareWith": null, "myRights": { "mayRead": true, "mayWrite": true, "mayShare": false, "mayDelete": true },
        })
    );
    let cards = world.call("ContactCard/get", json!({})).await;
    let card = &cards["list"][0];
    assert_eq!(card["addressBookIds"], json!({ book["id"].as_str().expect("an id"): true }));
    assert_eq!(
        card["name"],
        json!({ "components": [{ "kind": "given", "value": "Joe" }, { "kind": "surname", "value": "Bloggs" }], "isOrdered": true })
    );
    assert_eq!(
        card["emails"],
        json!({ "0": { "contexts": { "private": true }, "address": "joe.bloggs@example.com" } })
    );
    // CardDAV sees a card with a name.
    let text = world.card_text(made["uid"].as_str().expect("one")).await;
    assert!(
        text.contains("FN;DERIVED=TRUE:Joe Bloggs\r\n") && text.contains("N:Bloggs;Joe;;;\r\n"),
        "{text}"
    );
    assert!(text.contains("EMAIL;TYPE=home;PROP-ID=0:joe.bloggs@example.com\r\n"), "{text}");
}

/// RFC 9610 §4.2.
#[tokio::test]
async fn rfc9610_4_2_another_default() {
    let world = World::new().await;
    let personal = world.default_book().await;
    let set = world
        .call("AddressBook/set", json!({ "create": { "a": { "name": "Autosaved", "sortOrder": 1 } }, "onSuccessSetIsDefault": "#a" }))
        .await;
    let made = &set["created"]["a"];
    assert_eq!((&made["isDefault"], &made["isSubscribed"]), (&json!(true), &json!(true)), "{set}");
    assert_eq!(set["updated"], json!({ &personal: { "isDefault": false } }));
    let back = world.call("AddressBook/set", json!({ "onSuccessSetIsDefault": personal })).await;
    let autosaved = made["id"].as_str().expect("an id");
    assert_eq!(
        back["updated"],
        json!({ &personal: { "isDefault": true }, autosaved: { "isDefault": false } })
    );
    // What is not there, and what already is, changes nothing; nor does anything after a failure.
    for request in [
        json!({ "onSuccessSetIsDefault": "B999" }),
        json!({ "onSuccessSetIsDefault": personal }),
        json!({ "onSuccessSetIsDefault": autosaved, "destroy": ["B999"] }),
    ] {
        assert_eq!(world.call("AddressBook/set", request.clone()).await["updated"], Value::Null, "{request}");
    }
    let changes = world.call("AddressBook/changes", json!({ "sinceState": set["oldState"] })).await;
    assert_eq!((&changes["created"], &changes["updated"]), (&json!([autosaved]), &json!([personal])));
    assert_eq!(changes["newState"], back["newState"]);
}

#[tokio::test]
async fn rfc9610_2_3_address_books_are_set() {
    let world = World::new().await;
    let set = world
        .call(
            "AddressBook/set",
            json!({ "create": {
            "a": { "name": "Work", "description": "d", "isSubscribed": false }, "b": {}, "c": { "name": "" },
            "d": { "name": "x", "isDefault": true }, "e": { "name": "x", "sortOrder": -1 },
        } }),
        )
        .await;
    let work = set["created"]["a"]["id"].as_str().expect("an id").to_owned();
    for creation in ["b", "c", "d", "e"] {
        assert_eq!(set["notCreated"][creation]["type"], "invalidProperties", "{creation}");
    }
    let patch =
        json!({ "update": { &work: { "name": "Office", "description": null, "isSubscribed": true } } });
    assert_eq!(world.call("AddressBook/set", patch).await["updated"], json!({ &work: null }));
    let got = world
        .call(
            "AddressBook/get",
            json!({ "ids": [work, "x"], "properties": ["name", "description", "isSubscribed"] }),
        )
        .await;
    assert_eq!(
        got["list"],
        json!([{ "id": work, "name": "Office", "description": null, "isSubscribed": true }])
    );
    assert_eq!(got["notFound"], json!(["x"]));
    let share = json!({ "update": { &work: { "shareWith": { "p": { "mayRead": true } } } } });
    assert_eq!(world.call("AddressBook/set", share).await["notUpdated"][&work]["type"], "forbidden");

    let card = world.new_card(json!({ "name": { "full": "x" }, "addressBookIds": { &work: true } })).await;
    let destroy = world.call("AddressBook/set", json!({ "destroy": [work] })).await;
    assert_eq!(destroy["notDestroyed"][&work]["type"], "addressBookHasContents");
    let state = destroy["newState"].clone();
    let destroy =
        world.call("AddressBook/set", json!({ "destroy": [work], "onDestroyRemoveContents": true })).await;
    assert_eq!(destroy["destroyed"], json!([work]));
    let changes = world.call("ContactCard/changes", json!({ "sinceState": state })).await;
    assert_eq!(changes["destroyed"], json!([card["id"]]), "what was in it has gone");
    let changes = world.call("AddressBook/changes", json!({ "sinceState": state })).await;
    assert_eq!(changes["destroyed"], json!([work]));
    let stale = world.call("AddressBook/set", json!({ "ifInState": state, "create": {} })).await;
    assert_eq!(stale["error"], "stateMismatch");
}

/// What a CardDAV client wrote survives an edit: every line but the one that is about it.
#[tokio::test]
async fn one_card_through_every_door() {
    let world = World::new().await;
    world.put_card("jane.vcf", JANE).await;
    let got = world.call("ContactCard/get", json!({})).await;
    let card = &got["list"][0];
    let id = card["id"].as_str().expect("an id").to_owned();
    assert_eq!(card["name"]["full"], "Jane Doe");
    assert_eq!(card["vCardProps"][0][0], "x-odd");
    let phones = card["phones"].as_object().expect("phones");
    assert_eq!(phones.values().next().expect("one")["label"], "Boat");
    let key = card["emails"].as_object().expect("e-mails").keys().next().expect("one").clone();

    let path = format!("emails/{key}/address");
    let set = world.call("ContactCard/set", json!({ "update": { &id: { path: "jane@example.org" } } })).await;
    let updated = set["updated"][&id]["updated"].as_str().unwrap_or_else(|| panic!("{set}")).to_owned();
    let text = world.card_text("jane").await;
    let rev = updated.replace(['-', ':'], "");
    let expected = JANE
        .replace(
            "EMAIL;TYPE=work:jane@example.com\n",
            &format!("EMAIL;TYPE=work;PROP-ID={key}:jane@example.org\r\n"),
        )
        .replace("END:", &format!("REV:{rev}\r\nEND:"));
    assert_eq!(text, expected);

    // REST shows the same, and its change is seen by CardDAV.
    let shown = world.send("GET", &format!("/api/v1/ContactCard/{id}"), &[], b"").await;
    assert_eq!(shown.json()["emails"][&key]["address"], "jane@example.org");
    let merge = json!({ "nicknames": { "n": { "name": "Janey" } }, "emails": { &key: null } });
    let path = format!("/api/v1/ContactCard/{id}");
    let fields = [("content-type", "application/merge-patch+json")];
    let patched = world.send("PATCH", &path, &fields, merge.to_string().as_bytes()).await;
    assert_eq!(patched.status, 204, "{:?}", patched.body);
    let text = world.card_text("jane").await;
    assert!(text.contains("NICKNAME;PROP-ID=n:Janey\r\n") && !text.contains("EMAIL"), "{text}");
    assert!(text.contains("X-ODD;X-P=1:kept\\, as\n  it is\nitem1.TEL:+1\nitem1.X-ABLabel:Boat\n"), "{text}");
    // A patch that changes nothing writes nothing.
    let before = world.call("ContactCard/get", json!({ "ids": [] })).await["state"].clone();
    let same = world.call("ContactCard/set", json!({ "update": { &id: { "name/full": "Jane Doe" } } })).await;
    assert_eq!(same["newState"], before);

    // What CardDAV does is told by /changes.
    world.put_card("jane.vcf", &JANE.replace("Jane Doe", "Jane Roe")).await;
    let changes = world.call("ContactCard/changes", json!({ "sinceState": before })).await;
    assert_eq!(changes["updated"], json!([id]));
    assert_eq!(world.send("DELETE", &path, &[], b"").await.status, 204);
    let books = world.account(ALICE).await.address_books();
    let home = books.find("contacts").await.expect("found");
    assert!(books.items(home.id, "").await.expect("listed").is_empty());
}

#[tokio::test]
async fn rfc9610_3_5_cards_are_set() {
    let world = World::new().await;
    let made = world.new_card(json!({ "uid": "u", "name": { "full": "A" } })).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.get("uid"), None, "the client knows it");
    let again = world.new_card(json!({ "uid": "u", "name": { "full": "B" } })).await;
    assert_eq!((&again["type"], &again["existingId"]), (&json!("alreadyExists"), &json!(id)));
    let book = world.default_book().await;
    for (card, property) in [
        (json!({ "addressBookIds": {} }), "addressBookIds"),
        (json!({ "addressBookIds": { "B999": true } }), "addressBookIds"),
        (json!({ "addressBookIds": { &book: false } }), "addressBookIds"),
        (json!({ "addressBookIds": { &book: true, "B999": true } }), "addressBookIds"),
        (json!({ "emails": { "a": { "address": 1 } } }), "emails/a/address"),
        (json!({ "id": "C1" }), "id"),
        (json!({ "media": { "a": { "kind": "photo", "blobId": "U999" } } }), "media/a/blobId"),
    ] {
        let error = world.new_card(card.clone()).await;
        assert_eq!(
            (&error["type"], &error["properties"]),
            (&json!("invalidProperties"), &json!([property])),
            "{card}"
        );
    }
    let update = async |patch: Value| {
        let set = world.call("ContactCard/set", json!({ "update": { &id: patch } })).await;
        set["notUpdated"][&id]["type"].as_str().unwrap_or("done").to_owned()
    };
    for (patch, expected) in [
        (json!({ "uid": "v" }), "invalidProperties"),
        (json!({ "id": "C7" }), "invalidProperties"),
        (json!({ "name/full/x": "v" }), "invalidPatch"),
        (json!({ "addressBookIds": null }), "invalidProperties"),
        (json!({ "name/full": "C", "example.com:x": [1] }), "done"),
    ] {
        assert_eq!(update(patch.clone()).await, expected, "{patch}");
    }
    let got =
        world.call("ContactCard/get", json!({ "ids": [id], "properties": ["name", "example.com:x"] })).await;
    assert_eq!(got["list"], json!([{ "id": id, "name": { "full": "C" }, "example.com:x": [1] }]));
    let gone = world.call("ContactCard/set", json!({ "destroy": [id, "C999", "x"] })).await;
    assert_eq!(gone["destroyed"], json!([id]));
    assert_eq!(
        (&gone["notDestroyed"]["C999"]["type"], &gone["notDestroyed"]["x"]["type"]),
        (&json!("notFound"), &json!("notFound"))
    );
}

/// A card keeps its id wherever it goes.
#[tokio::test]
async fn a_card_moves_between_books() {
    let world = World::new().await;
    let card = world.new_card(json!({ "uid": "u", "name": { "full": "A" } })).await;
    let id = card["id"].as_str().expect("an id").to_owned();
    let state = world.call("ContactCard/get", json!({ "ids": [] })).await["state"].clone();
    let answers = world
        .calls(json!([
            ["AddressBook/set", { "accountId": world.account_id, "create": { "b": { "name": "Other" } } }, "0"],
            ["ContactCard/set", { "accountId": world.account_id, "update": { &id: { "addressBookIds": { "#b": true }, "name/full": "B" } } }, "1"],
        ]))
        .await;
    let other = answers[0][1]["created"]["b"]["id"].as_str().expect("an id").to_owned();
    assert!(answers[1][1]["updated"].get(&id).is_some(), "{answers:?}");
    let got = world.call("ContactCard/get", json!({ "ids": [id] })).await;
    assert_eq!(
        (&got["list"][0]["addressBookIds"], &got["list"][0]["name"]["full"]),
        (&json!({ &other: true }), &json!("B"))
    );
    let changes = world.call("ContactCard/changes", json!({ "sinceState": state })).await;
    assert_eq!(
        (&changes["created"], &changes["updated"], &changes["destroyed"]),
        (&json!([]), &json!([id]), &json!([]))
    );
    let found = world.call("ContactCard/query", json!({ "filter": { "inAddressBook": other } })).await;
    assert_eq!(found["ids"], json!([id]));
}

/// RFC 9610 §3: a picture is a blob, and is found under no other account.
#[tokio::test]
async fn pictures_are_blobs() {
    let world = World::new().await;
    let png = b"\x89PNG\r\n\x1a\nrest";
    let blob = world.upload(png).await;
    let made =
        world.new_card(json!({ "uid": "u", "media": { "p": { "kind": "photo", "blobId": blob } } })).await;
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let got = world.call("ContactCard/get", json!({ "ids": [id] })).await;
    let photo = got["list"][0]["media"]["p"].clone();
    assert_eq!((&photo["mediaType"], photo.get("uri")), (&json!("image/png"), None));
    let blob = photo["blobId"].as_str().expect("a blob").to_owned();
    let path = format!("/jmap/download/{}/{blob}/p.png", world.account_id);
    assert_eq!(world.send("GET", &path, &[], b"").await.body.as_ref(), png);
    let text = world.card_text("u").await;
    assert!(text.contains("data:image/png;base64,iVBORw0KGgpyZXN0\r\n"), "{text}");
    // A change of something else does not touch it.
    world.call("ContactCard/set", json!({ "update": { &id: { "name": { "full": "P" } } } })).await;
    assert_eq!(world.call("ContactCard/get", json!({ "ids": [id] })).await["list"][0]["media"]["p"], photo);
    let bob = world.account(super::world::BOB).await;
    let parsed = crate::ids::BlobId::parse(&blob).expect("an id");
    assert!(matches!(crate::blob::open(&bob, &parsed).await, Err(hub::Error::NotFound(_))));
    let text = world.upload(b"no picture").await;
    let refused = world.new_card(json!({ "media": { "p": { "kind": "photo", "blobId": text } } })).await;
    assert_eq!(refused["properties"], json!(["media/p/blobId"]));
}

#[tokio::test]
async fn rfc9610_3_3_every_filter_and_sort() {
    let world = World::new().await;
    world.put_card("old.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:old\r\nFN:Zoe Alt\r\nN:Alt;Zoe;;;\r\nREV:20010101T000000Z\r\nEND:VCARD\r\n").await;
    world
        .new_card(json!({
            "uid": "joe", "created": "2010-01-01T00:00:00Z", "updated": "2010-01-02T00:00:00Z", "keywords": { "sailor": true },
            "name": { "components": [{ "kind": "given", "value": "Joe" }, { "kind": "surname", "value": "Bloggs" }, { "kind": "surname2", "value": "Ruiz" }] },
            "nicknames": { "a": { "name": "Joey" } }, "organizations": { "a": { "name": "ACME" } },
            "emails": { "a": { "address": "joe@example.com", "label": "Main" } }, "phones": { "a": { "number": "+49 30", "label": "Yacht" } },
            "onlineServices": { "a": { "service": "Mastodon", "user": "@joe" } }, "notes": { "a": { "note": "likes \"tea\"" } },
            "addresses": { "a": { "components": [{ "kind": "locality", "value": "Berlin" }] } },
        }))
        .await;
    world.new_card(json!({ "uid": "all", "kind": "group", "members": { "joe": true }, "name": { "full": "Everybody" }, "created": "2020-01-01T00:00:00Z", "updated": "2020-01-01T00:00:00Z" })).await;
    let book = world.default_book().await;
    let uids = async |request: Value| -> Value {
        let found = world.call("ContactCard/query", request.clone()).await;
        if found.get("error").is_some() {
            return found["error"].clone();
        }
        let got = world.call("ContactCard/get", json!({ "ids": found["ids"], "properties": ["uid"] })).await;
        let uid = |id: &Value| {
            got["list"].as_array()?.iter().find(|card| card["id"] == *id).map(|card| card["uid"].clone())
        };
        found["ids"].as_array().expect("ids").iter().filter_map(uid).collect()
    };
    for (filter, expected) in [
        (json!({}), json!(["old", "joe", "all"])),
        (json!({ "inAddressBook": book }), json!(["old", "joe", "all"])),
        (json!({ "inAddressBook": "B999" }), json!([])),
        (json!({ "uid": "joe" }), json!(["joe"])),
        (json!({ "hasMember": "joe" }), json!(["all"])),
        (json!({ "kind": "group" }), json!(["all"])),
        (json!({ "kind": "individual" }), json!(["old", "joe"])),
        (json!({ "createdBefore": "2015-01-01T00:00:00Z" }), json!(["joe"])),
        (json!({ "createdAfter": "2020-01-01T00:00:00Z" }), json!(["old", "all"])),
        (json!({ "updatedBefore": "2010-01-02T00:00:00Z" }), json!(["old"])),
        (json!({ "updatedAfter": "2010-01-02T00:00:00Z" }), json!(["joe", "all"])),
        (json!({ "text": "BERLIN sailor" }), json!(["joe"])),
        (json!({ "text": "\"likes \\\"tea\\\"\"" }), json!(["joe"])),
        (json!({ "name": "zoe alt" }), json!(["old"])),
        (json!({ "name/given": "joe" }), json!(["joe"])),
        (json!({ "name/surname": "blog" }), json!(["joe"])),
        (json!({ "name/surname2": "ruiz" }), json!(["joe"])),
        (json!({ "nickname": "joey" }), json!(["joe"])),
        (json!({ "organization": "acme" }), json!(["joe"])),
        (json!({ "email": "main example" }), json!(["joe"])),
        (json!({ "phone": "yacht" }), json!(["joe"])),
        (json!({ "onlineService": "mastodon @joe" }), json!(["joe"])),
        (json!({ "address": "berlin" }), json!(["joe"])),
        (json!({ "note": "'likes'" }), json!(["joe"])),
        (json!({ "operator": "NOT", "conditions": [{ "kind": "group" }, { "uid": "old" }] }), json!(["joe"])),
        (
            json!({ "operator": "OR", "conditions": [{ "kind": "group" }, { "uid": "old" }] }),
            json!(["old", "all"]),
        ),
        (json!({ "colour": "red" }), json!("unsupportedFilter")),
        (json!({ "uid": 1 }), json!("invalidArguments")),
        (json!({ "createdAfter": "now" }), json!("invalidArguments")),
    ] {
        assert_eq!(uids(json!({ "filter": filter })).await, expected, "{filter}");
    }
    for (sort, expected) in [
        (json!([{ "property": "created" }]), json!(["joe", "all", "old"])),
        (json!([{ "property": "updated", "isAscending": false }]), json!(["all", "joe", "old"])),
        (json!([{ "property": "name/given", "isAscending": false }]), json!(["old", "joe", "all"])),
        (json!([{ "property": "name/surname" }]), json!(["all", "old", "joe"])),
        (json!([{ "property": "name/surname2" }, { "property": "created" }]), json!(["all", "old", "joe"])),
        (json!([{ "property": "size" }]), json!("unsupportedSort")),
    ] {
        assert_eq!(uids(json!({ "sort": sort })).await, expected, "{sort}");
    }
}

#[tokio::test]
async fn rfc9610_3_4_query_changes() {
    let world = World::new().await;
    let query = json!({ "filter": { "kind": "individual" }, "sort": [{ "property": "name/given" }] });
    let named = |name: &str| json!({ "name": { "components": [{ "kind": "given", "value": name }] } });
    let b = world.new_card(named("b")).await["id"].clone();
    let d = world.new_card(named("d")).await["id"].clone();
    let before = world.call("ContactCard/query", query.clone()).await;
    assert_eq!((&before["ids"], &before["canCalculateChanges"]), (&json!([b, d]), &json!(true)));
    let a = world.new_card(named("a")).await["id"].clone();
    let mut group = named("c");
    group["kind"] = json!("group");
    world.new_card(group).await;
    let id = d.as_str().expect("an id");
    let rename = json!({ "update": { id: { "name/components": [{ "kind": "given", "value": "aa" }] } }, "destroy": [b] });
    world.call("ContactCard/set", rename).await;
    let mut request = query.clone();
    request["sinceQueryState"] = before["queryState"].clone();
    request["calculateTotal"] = json!(true);
    let changes = world.call("ContactCard/queryChanges", request.clone()).await;
    assert_eq!(changes["added"], json!([{ "id": a, "index": 0 }, { "id": d, "index": 1 }]));
    assert_eq!(changes["total"], 2);
    let removed = changes["removed"].as_array().expect("ids");
    assert!(removed.contains(&b) && removed.contains(&d));
    request["maxChanges"] = json!(1);
    assert_eq!(world.call("ContactCard/queryChanges", request.clone()).await["error"], "tooManyChanges");
    request["sinceQueryState"] = json!("99999");
    assert_eq!(world.call("ContactCard/queryChanges", request).await["error"], "cannotCalculateChanges");
}

//! Files (draft-ietf-jmap-filenode-14), and that other doors see the same.

use hub::files::{Conditions, FileMetadata, FilePath, Overwrite};
use serde_json::{Value, json};

use super::world::{ALICE, World};

fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("a path")
}

impl World {
    /// As a WebDAV client does it.
    async fn put_file(&self, at: &str, content: &[u8], content_type: &str) {
        let files = self.account(ALICE).await.files();
        let mut upload = files.begin(&path(at), None, Conditions::default()).await.expect("begun");
        upload.write(content).await.expect("written");
        let metadata = FileMetadata { content_type: content_type.to_owned(), ..FileMetadata::default() };
        upload.finish(metadata).await.expect("kept");
    }

    async fn read_file(&self, at: &str) -> Vec<u8> {
        let file = self.account(ALICE).await.files().open(&path(at)).await.expect("there");
        file.read(0, 1 << 20).await.expect("read").to_vec()
    }

    async fn set_files(&self, request: Value) -> Value {
        self.call("FileNode/set", request).await
    }

    async fn find_file(&self, filter: Value) -> Value {
        let found = self.call("FileNode/query", json!({ "filter": filter })).await;
        if found.get("error").is_some() { found["error"].clone() } else { found["ids"].clone() }
    }
}

#[tokio::test]
async fn one_file_through_every_door() {
    let world = World::new().await;
    let session = world.send("GET", "/jmap/session", &[], b"").await.json();
    let capability =
        &session["accounts"][&world.account_id]["accountCapabilities"]["urn:ietf:params:jmap:filenode"];
    assert_eq!(capability["specRevision"], "draft-ietf-jmap-filenode-14");

    let blob = world.upload(b"first words").await;
    let set = world
        .set_files(json!({ "create": {
            "f": { "name": "notes.txt", "parentId": "#d", "blobId": blob, "type": "text/plain", "modified": "2020-01-02T03:04:05Z" },
            "d": { "name": "Texts" },
        } }))
        .await;
    let (folder, file) = (set["created"]["d"].clone(), set["created"]["f"].clone());
    let id = file["id"].as_str().unwrap_or_else(|| panic!("{set}")).to_owned();
    assert_eq!(
        (&folder["nodeType"], &folder["blobId"], &folder["parentId"]),
        (&json!("directory"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&file["nodeType"], &file["size"], &file["parentId"]),
        (&json!("file"), &json!(11), &folder["id"])
    );
    assert_eq!(world.read_file("Texts/notes.txt").await, b"first words");

    // WebDAV writes; JMAP and REST read, under another blob id.
    let state = set["newState"].clone();
    world.put_file("Texts/notes.txt", b"other words", "text/markdown").await;
    let changes = world.call("FileNode/changes", json!({ "sinceState": state })).await;
    assert_eq!(changes["updated"], json!([id]));
    let got = world.send("GET", &format!("/api/v1/FileNode/{id}"), &[], b"").await.json();
    assert_eq!((&got["type"], &got["parentId"]), (&json!("text/markdown"), &folder["id"]));
    assert_ne!(got["blobId"], file["blobId"]);
    let download =
        |blob: &Value| format!("/jmap/download/{}/{}/n", world.account_id, blob.as_str().expect("an id"));
    assert_eq!(world.send("GET", &download(&got["blobId"]), &[], b"").await.body.as_ref(), b"other words");
    assert_eq!(
        world.send("GET", &download(&file["blobId"]), &[], b"").await.status,
        404,
        "no other bytes under an id"
    );
    let bob = world.account(super::world::BOB).await;
    let parsed = crate::ids::BlobId::parse(got["blobId"].as_str().expect("an id")).expect("an id");
    assert!(matches!(crate::blob::open(&bob, &parsed).await, Err(hub::Error::NotFound(_))));

    // REST changes; WebDAV reads.
    let fields = [("content-type", "application/merge-patch+json")];
    let rename = json!({ "name": "words.txt", "parentId": null, "modified": "2021-01-01T00:00:00Z" });
    let patched =
        world.send("PATCH", &format!("/api/v1/FileNode/{id}"), &fields, rename.to_string().as_bytes()).await;
    assert_eq!(patched.status, 204, "{:?}", patched.body);
    assert_eq!(world.read_file("words.txt").await, b"other words");
    let got = world
        .call("FileNode/get", json!({ "ids": [id], "properties": ["modified", "type", "parentId"] }))
        .await;
    assert_eq!(
        got["list"],
        json!([{ "id": id, "modified": "2021-01-01T00:00:00Z", "type": "text/markdown", "parentId": null }])
    );
    assert_eq!(world.send("DELETE", &format!("/api/v1/FileNode/{id}"), &[], b"").await.status, 204);
    let account = world.account(ALICE).await;
    assert!(matches!(account.files().open(&path("words.txt")).await, Err(hub::Error::NotFound(_))));
}

#[tokio::test]
async fn filenode_3_2_3_what_is_refused() {
    let world = World::new().await;
    world.put_file("a.txt", b"a", "text/plain").await;
    let there = world.find_file(json!({ "name": "a.txt" })).await[0].clone();
    let blob = world.upload(b"new").await;
    let create = async |object: Value, on_exists: Value| {
        let set = world.set_files(json!({ "create": { "x": object }, "onExists": on_exists })).await;
        let made = set["created"].get("x").cloned();
        made.unwrap_or_else(|| set["notCreated"]["x"].clone())
    };
    for (object, expected) in [
        (json!({}), "invalidProperties"),
        (json!({ "name": "a/b" }), "invalidProperties"),
        (json!({ "name": ".." }), "invalidProperties"),
        (json!({ "name": "x", "parentId": "F999" }), "invalidProperties"),
        (json!({ "name": "x", "parentId": there, "blobId": blob }), "invalidProperties"),
        (json!({ "name": "x", "nodeType": "file" }), "invalidProperties"),
        (json!({ "name": "x", "nodeType": "symlink", "target": ["a"] }), "invalidProperties"),
        (json!({ "name": "x", "nodeType": "directory", "blobId": blob }), "invalidProperties"),
        (json!({ "name": "x", "blobId": "U999" }), "blobNotFound"),
        (json!({ "name": "x", "executable": true }), "invalidProperties"),
        (json!({ "name": "x", "unheardOf": 1 }), "invalidProperties"),
        (json!({ "name": "a.txt", "blobId": blob }), "alreadyExists"),
    ] {
        assert_eq!(create(object.clone(), Value::Null).await["type"], expected, "{object}");
    }
    let taken = create(json!({ "name": "a.txt", "blobId": blob }), Value::Null).await;
    assert_eq!(taken["existingId"], there);
    let old = json!({ "name": "a.txt", "blobId": blob, "modified": "2001-01-01T00:00:00Z" });
    assert_eq!(create(old, json!("newest")).await["type"], "alreadyExists");
    let beside = create(json!({ "name": "a.txt", "blobId": blob }), json!("rename")).await;
    assert_eq!(beside["name"], "a (2).txt");
    let replaced = create(json!({ "name": "a.txt", "blobId": blob }), json!("replace")).await;
    assert_eq!((&replaced["id"], world.read_file("a.txt").await), (&there, b"new".to_vec()));
    assert_eq!(world.set_files(json!({ "onExists": "guess" })).await["error"], "invalidArguments");

    // Directories with something in them, into themselves, and with all that is in them.
    let made = create(json!({ "name": "d" }), Value::Null).await["id"].clone();
    let inner = create(json!({ "name": "e", "parentId": made }), Value::Null).await["id"].clone();
    let id = made.as_str().expect("an id");
    let into = world.set_files(json!({ "update": { id: { "parentId": inner } } })).await;
    assert_eq!(into["notUpdated"][id]["properties"], json!(["parentId"]));
    for patch in [
        json!({ "nodeType": "file" }),
        json!({ "blobId": blob }),
        json!({ "size": 3 }),
        json!({ "name": "a.txt/" }),
    ] {
        let set = world.set_files(json!({ "update": { id: patch.clone() } })).await;
        assert_eq!(set["notUpdated"][id]["type"], "invalidProperties", "{patch}");
    }
    let kept = world.set_files(json!({ "destroy": [id, "F999"] })).await;
    assert_eq!(
        (&kept["notDestroyed"][id]["type"], &kept["notDestroyed"]["F999"]["type"]),
        (&json!("nodeHasChildren"), &json!("notFound"))
    );
    let gone = world.set_files(json!({ "destroy": [id], "onDestroyRemoveChildren": true })).await;
    assert_eq!(gone["destroyed"], json!([id]));
    let changes = world.call("FileNode/changes", json!({ "sinceState": kept["newState"] })).await;
    assert_eq!(changes["destroyed"], json!([made, inner]), "what was in it has gone with it");
    let both = [create(json!({ "name": "d" }), Value::Null).await, Value::Null];
    let child = create(json!({ "name": "e", "parentId": both[0]["id"] }), Value::Null).await;
    let gone = world.set_files(json!({ "destroy": [both[0]["id"], child["id"]] })).await;
    assert_eq!(gone["destroyed"].as_array().map(Vec::len), Some(2), "{gone}");
}

/// What comes out of the trash comes with all that is in it.
#[tokio::test]
async fn changes_tell_of_whole_folders() {
    let world = World::new().await;
    world.put_file("d.txt", b"d", "").await;
    let account = world.account(ALICE).await;
    let files = account.files();
    files.make_folder(&path("a"), Vec::new(), Conditions::default()).await.expect("made");
    world.put_file("a/b.txt", b"b", "").await;
    let all =
        world.find_file(json!({ "ancestorId": world.find_file(json!({ "name": "a" })).await[0] })).await;
    let folder = world.find_file(json!({ "name": "a" })).await[0].clone();
    let state = async || world.call("FileNode/get", json!({ "ids": [] })).await["state"].clone();
    let changes = async |since: &Value| world.call("FileNode/changes", json!({ "sinceState": since })).await;
    let before = state().await;
    files.delete(&path("a"), Conditions::default()).await.expect("deleted");
    let gone = changes(&before).await;
    assert_eq!(gone["destroyed"], json!([folder, all[0]]));
    let middle = gone["newState"].clone();
    let trashed = files.trash().await.expect("listed").pop().expect("there");
    files.restore(trashed.node.id, None).await.expect("restored");
    assert_eq!(changes(&middle).await["created"], json!([folder, all[0]]));
    files
        .rename(&path("a"), (&files, &path("z")), Overwrite::Refuse, Conditions::default())
        .await
        .expect("renamed");
    let back = changes(&before).await;
    assert_eq!(back["destroyed"], json!([]), "{back}");
    assert_eq!(changes(&json!("99999")).await["error"], "cannotCalculateChanges");
}

#[tokio::test]
async fn filenode_3_2_5_every_filter_and_sort() {
    let world = World::new().await;
    let account = world.account(ALICE).await;
    account.files().make_folder(&path("Docs"), Vec::new(), Conditions::default()).await.expect("made");
    account.files().make_folder(&path("Docs/Deep"), Vec::new(), Conditions::default()).await.expect("made");
    world.put_file("top.txt", b"hello sailor", "text/plain").await;
    world.put_file("Docs/Report.PDF", b"123", "application/pdf").await;
    world.put_file("Docs/Deep/low.txt", b"12345", "text/plain").await;
    let get = world.call("FileNode/get", json!({})).await;
    let list = get["list"].as_array().expect("nodes").clone();
    let id = |name: &str| list.iter().find(|node| node["name"] == name).expect("there")["id"].clone();
    let names = async |request: Value| -> Value {
        let found = world.call("FileNode/query", request).await;
        if found.get("error").is_some() {
            return found["error"].clone();
        }
        let name = |id: &Value| list.iter().find(|node| node["id"] == *id).map(|node| node["name"].clone());
        found["ids"].as_array().expect("ids").iter().filter_map(name).collect()
    };
    let blob = list.iter().find(|node| node["name"] == "low.txt").expect("there")["blobId"].clone();
    for (filter, expected) in [
        (json!({ "isTopLevel": true }), json!(["Docs", "top.txt"])),
        (json!({ "parentId": null }), json!(["Docs", "top.txt"])),
        (json!({ "parentId": id("Docs") }), json!(["Deep", "Report.PDF"])),
        (json!({ "parentId": "F999" }), json!([])),
        (json!({ "ancestorId": id("Docs") }), json!(["Deep", "Report.PDF", "low.txt"])),
        (json!({ "nodeType": "directory" }), json!(["Docs", "Deep"])),
        (json!({ "nodeType": "symlink" }), json!([])),
        (json!({ "hasAnyRole": false, "name": "Docs" }), json!(["Docs"])),
        (json!({ "role": "home" }), json!([])),
        (json!({ "isExecutable": true }), json!([])),
        (json!({ "blobId": blob }), json!(["low.txt"])),
        (json!({ "createdBefore": "2001-01-01T00:00:00Z" }), json!([])),
        (json!({ "createdAfter": "2001-01-01T00:00:00Z", "name": "top.txt" }), json!(["top.txt"])),
        (json!({ "modifiedBefore": "2001-01-01T00:00:00Z" }), json!([])),
        (json!({ "modifiedAfter": "2001-01-01T00:00:00Z", "name": "top.txt" }), json!(["top.txt"])),
        (json!({ "minSize": 4, "maxSize": 12 }), json!(["low.txt"])),
        (json!({ "name": "report.pdf" }), json!([])),
        (json!({ "nameMatch": "*.pdf" }), json!(["Report.PDF"])),
        (json!({ "type": "text/plain" }), json!(["top.txt", "low.txt"])),
        (json!({ "typeMatch": "application/*" }), json!(["Report.PDF"])),
        (json!({ "text": "SAILOR" }), json!(["top.txt"])),
        (json!({ "text": "report" }), json!(["Report.PDF"])),
        (json!({ "body": "report" }), json!([])),
        (
            json!({ "operator": "NOT", "conditions": [{ "nodeType": "directory" }, { "isTopLevel": true }] }),
            json!(["Report.PDF", "low.txt"]),
        ),
        (json!({ "colour": "red" }), json!("unsupportedFilter")),
        (json!({ "minSize": "x" }), json!("invalidArguments")),
    ] {
        assert_eq!(names(json!({ "filter": filter })).await, expected, "{filter}");
    }
    for (sort, expected) in [
        (json!([{ "property": "name" }]), json!(["Deep", "Docs", "low.txt", "Report.PDF", "top.txt"])),
        (
            json!([{ "property": "nodeType" }, { "property": "size", "isAscending": false }]),
            json!(["Docs", "Deep", "top.txt", "low.txt", "Report.PDF"]),
        ),
        (
            json!([{ "property": "type", "isAscending": false }, { "property": "name" }]),
            json!(["low.txt", "top.txt", "Report.PDF", "Deep", "Docs"]),
        ),
        (json!([{ "property": "colour" }]), json!("unsupportedSort")),
    ] {
        assert_eq!(names(json!({ "sort": sort })).await, expected, "{sort}");
    }
    let deep = json!({ "filter": { "parentId": id("Docs") }, "depth": 1 });
    assert_eq!(names(deep.clone()).await, json!(["Deep", "Report.PDF", "low.txt"]));
    let with_parents = json!({ "ids": [id("low.txt")], "fetchParents": true, "properties": ["name"] });
    let got = world.call("FileNode/get", with_parents).await;
    assert_eq!(got["list"].as_array().map(Vec::len), Some(3));

    let query = json!({ "filter": { "parentId": id("Docs") }, "sort": [{ "property": "name" }] });
    let before = world.call("FileNode/query", query.clone()).await;
    world.put_file("Docs/A.txt", b"x", "").await;
    let mut request = query;
    request["sinceQueryState"] = before["queryState"].clone();
    let changes = world.call("FileNode/queryChanges", request.clone()).await;
    assert_eq!(changes["added"][0]["index"], 0, "{changes}");
    request["depth"] = json!(1);
    assert_eq!(world.call("FileNode/queryChanges", request).await["error"], "cannotCalculateChanges");
}

//! Files: what every door may rely on.

mod search;
mod sharing;

use hub::files::*;
use hub::*;
use hub_storage::{Database, Options};

struct Fixture {
    hub: Hub,
    alice: Account,
    files: Files,
    directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    fixture_with(None, FileSettings::default()).await
}

async fn fixture_with(quota: Option<u64>, files: FileSettings) -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    let settings = Settings { default_quota: quota, files, ..Settings::default() };
    let hub = Hub::open(storage, settings).await.expect("opens");
    hub.add_domain("example.org").await.expect("added");
    for name in ["alice", "bob"] {
        let address = Address::parse(&format!("{name}@example.org")).expect("an address");
        hub.add_twin(&address, &Secret::new(name)).await.expect("added");
    }
    let alice = hub.login("alice", &Secret::new("alice"), Door::Dav).await.expect("right");
    Fixture { files: alice.files(), hub, alice, directory }
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("a path")
}

fn none() -> Conditions {
    Conditions::default()
}

fn with(token: &LockToken) -> Conditions {
    Conditions { tokens: vec![token.clone()], ..none() }
}

fn if_(precondition: Precondition) -> Conditions {
    Conditions { preconditions: vec![precondition], ..none() }
}

async fn try_write(files: &Files, at: &str, bytes: &[u8], conditions: Conditions) -> Result<Placed> {
    let mut upload = files.begin(&path(at), Some(bytes.len() as u64), conditions).await?;
    for chunk in bytes.chunks(50_000) {
        upload.write(chunk).await?;
    }
    upload.finish(FileMetadata::default()).await
}

async fn write(files: &Files, at: &str, bytes: &[u8]) -> Node {
    try_write(files, at, bytes, none()).await.expect("written").node
}

async fn folder(files: &Files, at: &str) {
    files.make_folder(&path(at), Vec::new(), none()).await.expect("made");
}

async fn read(files: &Files, at: &str) -> Vec<u8> {
    let file = files.open(&path(at)).await.expect("opens");
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < file.node.size {
        bytes.extend(file.read(bytes.len() as u64, 100_000).await.expect("read"));
    }
    bytes
}

async fn names(files: &Files, at: &str) -> Vec<String> {
    let folder = files.lookup(&path(at)).await.expect("there");
    let (mut listing, mut names) = (files.list(&folder), Vec::new());
    while let Some(page) = listing.next().await.expect("read") {
        names.extend(page.into_iter().map(|node| node.name));
    }
    names
}

async fn walked(files: &Files, at: &str) -> Vec<String> {
    let folder = files.lookup(&path(at)).await.expect("there");
    let (mut walk, mut paths) = (files.walk(&folder), Vec::new());
    while let Some(page) = walk.next().await.expect("read") {
        paths.extend(page.into_iter().map(|walked| walked.path));
    }
    paths.sort();
    paths
}

async fn move_to(files: &Files, from: &str, to: &str, overwrite: Overwrite) -> Result<Placed> {
    files.rename(&path(from), (files, &path(to)), overwrite, none()).await
}

async fn copy(files: &Files, from: &str, to: &str) -> Result<Placed> {
    files.copy(&path(from), (files, &path(to)), CopyDepth::Infinity, Overwrite::Allow, none()).await
}

async fn used(files: &Files) -> u64 {
    files.quota().await.expect("read").0
}

fn exclusive(is_deep: bool) -> LockRequest {
    LockRequest {
        scope: LockScope::Exclusive,
        is_deep,
        owner: "<D:href>mailto:alice@example.org</D:href>".to_owned(),
        timeout_seconds: 600,
    }
}

#[tokio::test]
async fn a_file_is_what_was_written() {
    let Fixture { files, .. } = &fixture().await;
    let large: Vec<u8> = (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes) in [("empty", &b""[..]), ("small", b"abc"), ("large", &large)] {
        let node = write(files, name, bytes).await;
        assert_eq!((node.size, node.name.as_str()), (bytes.len() as u64, name));
        assert_eq!(read(files, name).await, bytes);
    }
    let file = files.open(&path("large")).await.expect("opens");
    assert_eq!(file.read(999_990, 100).await.expect("read"), &large[999_990..]);
    assert_eq!(file.read(500_000, 3).await.expect("read"), &large[500_000..500_003]);
    assert!(file.read(1_000_000, 3).await.expect("read").is_empty());
    assert_eq!(names(files, "").await, ["empty", "large", "small"]);
    assert!(matches!(files.open(&path("")).await, Err(Error::Invalid(_))), "a folder");
    assert!(matches!(files.lookup(&path("nothing")).await, Err(Error::NotFound(_))));
    assert_eq!(used(files).await, 1_000_003);
}

#[tokio::test]
async fn what_a_path_rests_on_must_be_there() {
    let Fixture { files, .. } = &fixture().await;
    write(files, "file", b"x").await;
    let nowhere = |result: Result<Placed>| matches!(result, Err(Error::Conflict(_)));
    assert!(nowhere(try_write(files, "no/file", b"x", none()).await));
    assert!(nowhere(try_write(files, "file/file", b"x", none()).await), "a file is no folder");
    assert!(nowhere(copy(files, "file", "no/file").await));
    assert!(nowhere(move_to(files, "file", "no/file", Overwrite::Allow).await));
    folder(files, "folder").await;
    let exists = |error| matches!(error, Some(Error::Exists(_)));
    assert!(exists(try_write(files, "folder", b"x", none()).await.err()));
    assert!(exists(files.make_folder(&path("file"), Vec::new(), none()).await.err()));
    assert!(exists(move_to(files, "file", "folder", Overwrite::Refuse).await.err()));
    let missing = files.make_folder(&path("a/b"), Vec::new(), none()).await.err();
    assert!(matches!(missing, Some(Error::Conflict(_))));
    for result in [
        files.delete(&path(""), none()).await.err(),
        move_to(files, "", "x", Overwrite::Allow).await.err(),
        copy(files, "folder", "folder").await.err(),
        copy(files, "folder", "folder/in/itself").await.err(),
        move_to(files, "folder", "folder/x", Overwrite::Allow).await.err(),
        move_to(files, "file", "", Overwrite::Allow).await.err(),
    ] {
        assert!(matches!(result, Some(Error::Forbidden(_))), "{result:?}");
    }
}

#[tokio::test]
async fn names_are_the_same_in_either_normal_form() {
    let Fixture { files, .. } = &fixture().await;
    write(files, "e\u{301}", b"decomposed").await;
    assert_eq!(read(files, "\u{e9}").await, b"decomposed");
    write(files, "\u{e9}", b"replaced").await;
    assert_eq!(names(files, "").await, ["e\u{301}"], "as it was written first");
    assert!(files.lookup(&path("E\u{301}")).await.is_err(), "case makes a difference");
}

#[tokio::test]
async fn etags_tell_contents_and_nothing_else() {
    let Fixture { files, hub, .. } = &fixture().await;
    let first = write(files, "a", b"content").await;
    let other = write(files, "b", b"other").await;
    assert_ne!(first.etag, other.etag);
    let moved = move_to(files, "a", "c", Overwrite::Allow).await.expect("moved");
    assert_eq!((moved.node.etag, moved.node.id, moved.created), (first.etag.clone(), first.id, true));
    assert_ne!(write(files, "c", b"changed").await.etag, first.etag);
    assert_eq!(write(files, "c", b"content").await.etag, first.etag);
    let bob = hub.login("bob", &Secret::new("bob"), Door::Dav).await.expect("right").files();
    assert_ne!(write(&bob, "x", b"content").await.etag, first.etag, "nobody learns who else has it");
    let before = files.lookup(&path("")).await.expect("there").etag;
    folder(files, "d").await;
    write(files, "d/deep", b"").await;
    assert_ne!(files.lookup(&path("")).await.expect("there").etag, before, "of folders, all below");
}

#[tokio::test]
async fn preconditions_are_decided_with_the_change() {
    let Fixture { files, .. } = &fixture().await;
    let stale = |result: Result<Placed>| matches!(result, Err(Error::Stale));
    assert!(stale(try_write(files, "f", b"x", if_(Precondition::Exists)).await));
    let node = try_write(files, "f", b"x", if_(Precondition::NotExists)).await.expect("written").node;
    assert!(stale(try_write(files, "f", b"y", if_(Precondition::NotExists)).await));
    let same = || if_(Precondition::Match(vec![node.etag.clone()]));
    try_write(files, "f", b"yy", same()).await.expect("written");
    assert!(stale(try_write(files, "f", b"z", same()).await));
    assert!(stale(
        files.copy(&path("f"), (files, &path("g")), CopyDepth::Zero, Overwrite::Allow, same()).await
    ));
    assert!(matches!(files.delete(&path("f"), same()).await, Err(Error::Stale)));
    assert!(matches!(files.patch(&path("f"), NodePatch::default(), same()).await, Err(Error::Stale)));
    // Before a large body is sent, too.
    let begun = files.begin(&path("f"), Some(1 << 30), same()).await;
    assert!(matches!(begun, Err(Error::Stale)));
    assert_eq!(read(files, "f").await, b"yy");
}

#[tokio::test]
async fn replaced_contents_become_versions() {
    let settings = FileSettings { versions: 2, ..FileSettings::default() };
    let Fixture { files, .. } = &fixture_with(None, settings).await;
    let first = write(files, "f", b"").await;
    for bytes in [b"1", b"2", b"3", b"4"] {
        assert_eq!(write(files, "f", bytes).await.id, first.id, "replaced in place");
    }
    write(files, "f", b"4").await;
    let versions = files.versions(&path("f")).await.expect("read");
    assert_eq!(versions.iter().map(|v| v.size).collect::<Vec<_>>(), [1, 1], "two, and none that is empty");
    assert_eq!(used(files).await, 3);
    let open = files.open_version(&path("f"), versions[1].id).await.expect("opens");
    assert_eq!(open.read(0, 10).await.expect("read"), "2".as_bytes());
    let restored = files.restore_version(&path("f"), versions[1].id, none()).await.expect("restored");
    assert_eq!((restored.id, restored.etag), (first.id, versions[1].etag.clone()));
    assert_eq!(read(files, "f").await, b"2");
    assert_eq!(files.versions(&path("f")).await.expect("read").len(), 2);
    let unknown = files.restore_version(&path("f"), VersionId(1), none()).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn saving_by_moving_over_a_file_keeps_its_history() {
    let Fixture { files, .. } = &fixture().await;
    write(files, "report", b"one").await;
    write(files, "report", b"two").await;
    write(files, "report.tmp", b"three").await;
    let placed = move_to(files, "report.tmp", "report", Overwrite::Allow).await.expect("moved");
    assert!(!placed.created);
    write(files, "copy", b"four").await;
    assert!(!copy(files, "copy", "report").await.expect("copied").created);
    assert_eq!(read(files, "report").await, b"four");
    let mut contents = Vec::new();
    for version in files.versions(&path("report")).await.expect("read") {
        let open = files.open_version(&path("report"), version.id).await.expect("opens");
        contents.push(open.read(0, 10).await.expect("read"));
    }
    assert_eq!(contents, ["three", "two", "one"]);
    assert!(files.trash().await.expect("read").is_empty());
}

#[tokio::test]
async fn a_tree_is_copied_and_moved_whole() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    folder(files, "a/b").await;
    write(files, "a/b/deep", b"deep").await;
    write(files, "a/file", b"file").await;
    let name = PropertyName { namespace: "urn:x".to_owned(), name: "color".to_owned() };
    let patch =
        NodePatch { properties: vec![(name.clone(), Some("red".to_owned()))], ..NodePatch::default() };
    files.patch(&path("a/b"), patch, none()).await.expect("patched");
    let copied = copy(files, "a", "c").await.expect("copied");
    assert!(copied.created && copied.node.size == 8 && copied.node.nodes == 4);
    assert_eq!(walked(files, "").await, ["a", "a/b", "a/b/deep", "a/file", "c", "c/b", "c/b/deep", "c/file"]);
    assert_eq!(read(files, "c/b/deep").await, b"deep");
    let node = files.lookup(&path("c/b")).await.expect("there");
    let properties = files.properties(&[node.id]).await.expect("read");
    assert_eq!(properties[&node.id], [(name, "red".to_owned())]);
    let shallow =
        files.copy(&path("a"), (files, &path("s")), CopyDepth::Zero, Overwrite::Allow, none()).await;
    assert_eq!(shallow.expect("copied").node.nodes, 1);
    assert!(names(files, "s").await.is_empty());
    // What is in the way goes to the trash.
    assert!(!move_to(files, "a/b", "c", Overwrite::Allow).await.expect("moved").created);
    assert_eq!(walked(files, "").await, ["a", "a/file", "c", "c/deep", "s"]);
    assert_eq!(files.trash().await.expect("read")[0].path, "c");
}

#[tokio::test]
async fn large_folders_come_in_pages() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    folder(files, "a/b").await;
    for n in 0..70 {
        folder(files, &format!("a/b/{n:03}")).await;
        write(files, &format!("a/b/{n:03}/x"), b"").await;
    }
    for n in 0..4 {
        copy(files, "a/b", &format!("a/c{n}")).await.expect("copied");
        for to in ["b", "c"] {
            copy(files, "a/b", &format!("a/c{n}/{to}")).await.expect("copied");
        }
    }
    let all = walked(files, "a").await;
    let node = files.lookup(&path("a")).await.expect("there");
    assert_eq!(all.len() as u64 + 1, node.nodes);
    assert!(node.nodes > 1_000 && all.windows(2).all(|pair| pair[0] != pair[1]));
    for n in 0..600 {
        write(files, &format!("a/b/file{n:03}"), b"").await;
    }
    let listed = names(files, "a/b").await;
    assert!(listed.len() == 670 && listed.is_sorted());
}

#[tokio::test]
async fn the_trash_gives_back() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    folder(files, "a/b").await;
    write(files, "a/b/f", b"content").await;
    files.delete(&path("a/b/f"), none()).await.expect("deleted");
    files.delete(&path("a"), none()).await.expect("deleted");
    assert!(names(files, "").await.is_empty());
    let trash = files.trash().await.expect("read");
    assert_eq!(trash.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["a", "a/b/f"]);
    let restored = files.restore(trash[1].node.id, None).await.expect("restored");
    assert_eq!((restored.name.as_str(), restored.size), ("f", 7));
    assert_eq!(read(files, "a/b/f").await, b"content", "its folders were made anew");
    assert!(matches!(files.restore(trash[0].node.id, None).await, Err(Error::Exists(_))));
    files.restore(trash[0].node.id, Some(&path("old"))).await.expect("restored");
    assert_eq!(walked(files, "").await, ["a", "a/b", "a/b/f", "old", "old/b"]);
    for litter in ["._x", ".DS_Store", "a/empty"] {
        write(files, litter, if litter.contains("empty") { b"" } else { b"x" }).await;
        files.delete(&path(litter), none()).await.expect("deleted");
    }
    assert!(files.trash().await.expect("read").is_empty(), "nobody misses these");
    files.delete(&path("a"), none()).await.expect("deleted");
    files.empty_trash().await.expect("emptied");
    assert_eq!((used(files).await, files.trash().await.expect("read").len()), (0, 0));
}

#[tokio::test]
async fn the_quota_is_exact() {
    let Fixture { files, .. } =
        &fixture_with(Some(1_000), FileSettings { versions: 0, ..Default::default() }).await;
    let full = |result: Result<Placed>| matches!(result, Err(Error::OverQuota { .. }));
    write(files, "a", &[1; 600]).await;
    assert!(full(try_write(files, "b", &[1; 401], none()).await));
    assert!(full(copy(files, "a", "b").await));
    write(files, "a", &[1; 1_000]).await;
    write(files, "a", &[2; 999]).await;
    assert!(full(try_write(files, "b", &[1; 2], none()).await));
    write(files, "b", &[1; 1]).await;
    assert_eq!(used(files).await, 1_000);
    assert!(matches!(files.begin(&path("c"), Some(1 << 40), none()).await, Err(Error::OverQuota { .. })));
    let mut upload = files.begin(&path("c"), None, none()).await.expect("nobody knows how much");
    assert!(matches!(upload.write(&[0; 10]).await, Err(Error::OverQuota { used: 1_000, limit: 1_000 })));
    drop(upload);
    files.delete(&path("a"), none()).await.expect("deleted");
    assert_eq!(used(files).await, 1_000, "the trash counts");
    files.empty_trash().await.expect("emptied");
    assert_eq!(used(files).await, 1);
}

#[tokio::test]
async fn locks_keep_others_away() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    write(files, "a/f", b"x").await;
    let (lock, placed) = files.lock(&path("a/f"), exclusive(false), none()).await.expect("locked");
    assert!(!placed.created && lock.covers(&path("a/f")) && !lock.covers(&path("a")));
    let locked = |result: Option<Error>| matches!(result, Some(Error::Locked { root }) if root == "a/f");
    assert!(locked(try_write(files, "a/f", b"y", none()).await.err()));
    assert!(locked(files.delete(&path("a/f"), none()).await.err()));
    assert!(locked(files.delete(&path("a"), none()).await.err()), "with what it is in");
    assert!(locked(move_to(files, "a", "b", Overwrite::Allow).await.err()));
    assert!(locked(files.patch(&path("a/f"), NodePatch::default(), none()).await.err()));
    assert!(locked(files.lock(&path("a/f"), exclusive(false), none()).await.err()));
    assert!(locked(files.lock(&path("a"), exclusive(true), none()).await.err()));
    copy(files, "a", "c").await.expect("reading is free");
    try_write(files, "a/f", b"y", with(&lock.token)).await.expect("written");
    assert_eq!(files.locks().await.expect("read").len(), 1);
    // RFC 4918 §7.5: a lock does not move.
    files.rename(&path("a"), (files, &path("b")), Overwrite::Allow, with(&lock.token)).await.expect("moved");
    assert!(files.locks().await.expect("read").is_empty());
    write(files, "b/f", b"free").await;
}

#[tokio::test]
async fn a_lock_on_a_folder_keeps_its_members() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    write(files, "a/f", b"x").await;
    let (shallow, _) = files.lock(&path("a"), exclusive(false), none()).await.expect("locked");
    let locked = |result: Option<Error>| matches!(result, Some(Error::Locked { root }) if root == "a");
    // RFC 4918 §7.4: adding and removing members, but not changing them.
    assert!(locked(try_write(files, "a/new", b"", none()).await.err()));
    assert!(locked(files.delete(&path("a/f"), none()).await.err()));
    write(files, "a/f", b"y").await;
    files.unlock(&path("a"), &shallow.token).await.expect("unlocked");
    let (deep, _) = files.lock(&path("a"), exclusive(true), none()).await.expect("locked");
    assert!(locked(try_write(files, "a/f", b"z", none()).await.err()));
    try_write(files, "a/new", b"", with(&deep.token)).await.expect("written");
    let wrong = files.unlock(&path("b"), &deep.token).await;
    assert!(matches!(wrong, Err(Error::Conflict(_))));
    files.unlock(&path("a/f"), &deep.token).await.expect("anywhere within its scope");
}

#[tokio::test]
async fn a_lock_on_nothing_makes_an_empty_file() {
    let Fixture { files, hub, directory, .. } = fixture().await;
    let (lock, placed) = files.lock(&path("new"), exclusive(false), none()).await.expect("locked");
    assert!(placed.created && placed.node.size == 0);
    let conflict = files.lock(&path("no/new"), exclusive(false), none()).await.err();
    assert!(matches!(conflict, Some(Error::Conflict(_))));
    let shared = LockRequest { scope: LockScope::Shared, ..exclusive(false) };
    for _ in 0..2 {
        files.lock(&path("shared"), shared.clone(), none()).await.expect("two may share");
    }
    hub.close().await;
    drop((hub, files));

    // Locks survive a restart.
    let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens again");
    let settings = Settings { index_cache: 0, header_cache: 0, message_cache: 0, ..Settings::default() };
    let hub = Hub::open(storage, settings).await.expect("opens");
    let alice = hub.login("alice", &Secret::new("alice"), Door::Dav).await.expect("right");
    let files = alice.files();
    assert!(matches!(try_write(&files, "new", b"x", none()).await, Err(Error::Locked { .. })));
    let refreshed = files.refresh_lock(&path("new"), &lock.token, 1_000).await.expect("refreshed");
    assert!(refreshed.expires_at > lock.expires_at && refreshed.owner == lock.owner);
    assert!(matches!(files.refresh_lock(&path("shared"), &lock.token, 9).await, Err(Error::Stale)));
    let bob = hub.login("bob", &Secret::new("bob"), Door::Dav).await.expect("right").files();
    assert!(bob.locks().await.expect("read").is_empty());
    try_write(&files, "new", b"x", with(&lock.token)).await.expect("written");
}

#[tokio::test]
async fn locks_are_bounded() {
    let Fixture { files, .. } = &fixture().await;
    let shared = LockRequest { scope: LockScope::Shared, ..exclusive(false) };
    for _ in 0..500 {
        files.lock(&path("f"), shared.clone(), none()).await.expect("locked");
    }
    assert!(matches!(files.lock(&path("f"), shared.clone(), none()).await, Err(Error::Limit(_))));
    let long = LockRequest { owner: "x".repeat(10_000), ..shared };
    assert!(matches!(files.lock(&path("f"), long, none()).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn properties_are_all_or_nothing_and_bounded() {
    let Fixture { files, .. } = &fixture().await;
    write(files, "f", b"x").await;
    let name = |name: &str| PropertyName { namespace: "urn:x".to_owned(), name: name.to_owned() };
    let set = |properties| NodePatch { properties, ..NodePatch::default() };
    let value = |text: &str| Some(text.to_owned());
    let patch = set(vec![(name("a"), value("1")), (name("b"), value("2")), (name("a"), None)]);
    let node = files.patch(&path("f"), patch, none()).await.expect("patched");
    assert!(node.has_properties);
    assert_eq!(files.properties(&[node.id]).await.expect("read")[&node.id], [(name("b"), "2".to_owned())]);
    let used = used(files).await;
    assert_eq!(used, 1 + "urn:xb2".len() as u64);
    let too_large = set(vec![(name("b"), None), (name("c"), Some("x".repeat(70_000)))]);
    assert!(matches!(files.patch(&path("f"), too_large, none()).await, Err(Error::Limit(_))));
    let too_many = set((0..101).map(|n| (name(&n.to_string()), value(""))).collect());
    assert!(matches!(files.patch(&path("f"), too_many, none()).await, Err(Error::Limit(_))));
    assert_eq!(files.properties(&[node.id]).await.expect("read")[&node.id], [(name("b"), "2".to_owned())]);
    let times = NodePatch { modified_at: Some(10), created_at: Some(5), ..set(vec![(name("b"), None)]) };
    let node = files.patch(&path("f"), times, none()).await.expect("patched");
    assert_eq!((node.modified_at, node.created_at, node.has_properties), (10, 5, false));
    let folder =
        files.make_folder(&path("d"), vec![(name("a"), "1".to_owned())], none()).await.expect("made");
    assert!(folder.has_properties);
}

#[tokio::test]
async fn changes_are_told_for_one_level_or_all() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    folder(files, "a/b").await;
    write(files, "a/b/f", b"x").await;
    write(files, "a/g", b"x").await;
    let changes = async |at: &str, since, depth| {
        let page = files.changes(&path(at), since, depth, 100).await.expect("known");
        let mut told: Vec<String> = Vec::new();
        for change in page.changes {
            told.push(format!("{}{}", if change.node.is_some() { "" } else { "-" }, change.path));
        }
        told.sort();
        (told, page.state)
    };
    let (told, state) = changes("", None, SyncDepth::Infinity).await;
    assert_eq!(told, ["a", "a/b", "a/b/f", "a/g"]);
    assert_eq!(files.lookup(&path("")).await.expect("there").state(), state);
    let (told, within) = changes("a", None, SyncDepth::One).await;
    assert_eq!(told, ["b", "g"]);
    move_to(files, "a/b", "c", Overwrite::Allow).await.expect("moved");
    files.delete(&path("a/g"), none()).await.expect("deleted");
    write(files, "c/f", b"changed").await;
    assert_eq!(changes("", Some(state), SyncDepth::Infinity).await.0, ["-a/b", "-a/g", "c", "c/f"]);
    assert_eq!(changes("", Some(state), SyncDepth::One).await.0, ["c"]);
    assert_eq!(changes("a", Some(within), SyncDepth::One).await.0, ["-b", "-g"]);
    let read: SyncState = state.to_string().parse().expect("a state");
    assert_eq!(read, state);
    let future: SyncState = "1000000".parse().expect("a state");
    let unknown = files.changes(&path(""), Some(future), SyncDepth::One, 10).await;
    assert!(matches!(unknown, Err(Error::Stale)));
}

/// What is put together need not fit beside its parts.
#[tokio::test]
async fn parts_count_once() {
    let Fixture { alice, files, .. } = &fixture_with(Some(1_000), FileSettings::default()).await;
    let uploads = alice.uploads();
    folder(&uploads, "id").await;
    for name in ["1", "2"] {
        write(&uploads, &format!("id/{name}"), &[b'x'; 450]).await;
    }
    let parts = (&uploads, &path("id"));
    let assembly = files.assemble(parts, &path("whole"), none(), |_| {}).await.expect("room");
    assembly.finish(FileMetadata::default()).await.expect("room");
    assert_eq!(read(files, "whole").await.len(), 900);
    let again = files.assemble(parts, &path("whole"), none(), |_| {}).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "they are gone");
    assert!(matches!(try_write(files, "more", &[b'x'; 200], none()).await, Err(Error::OverQuota { .. })));
}

#[tokio::test]
async fn parts_become_a_file() {
    let Fixture { alice, files, .. } = &fixture().await;
    let uploads = alice.uploads();
    folder(&uploads, "id").await;
    for (name, bytes) in [("10", &b"third"[..]), ("9", b"second "), ("00001", b"first ")] {
        write(&uploads, &format!("id/{name}"), bytes).await;
    }
    assert!(names(files, "").await.is_empty(), "nobody sees them");
    let metadata = FileMetadata { modified_at: Some(5), ..FileMetadata::default() };
    let mut seen = Vec::new();
    let look = |piece: &[u8]| seen.extend_from_slice(piece);
    let assembly = files.assemble((&uploads, &path("id")), &path("whole"), none(), look).await.expect("read");
    assert_eq!(assembly.len(), seen.len() as u64);
    let placed = assembly.finish(metadata).await.expect("done");
    assert_eq!((placed.node.modified_at, placed.created), (5, true));
    assert_eq!(read(files, "whole").await, b"first second third");
    assert!(names(&uploads, "").await.is_empty());
}

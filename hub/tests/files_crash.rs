//! A hub that is killed amid changes of files: what was acknowledged is there, what was under way is there
//! whole or not at all, the quota is exact, and no content is left that nobody refers to.
//!
//! The test runs itself a second time as the hub that is going to be killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use hub::files::*;
use hub::*;
use hub_storage::{Database, Options};

const FOLDER: &str = "HUB_TEST_VICTIM_FOLDER";
const FIRST: &str = "HUB_TEST_VICTIM_FIRST";

/// Sizes of files by path.
type Tree = BTreeMap<String, u64>;

enum Change {
    Copy { from: String, to: String },
    Delete(String),
    Move { from: String, to: String },
    Write { path: String, size: u64 },
}

/// The n-th change. Some contents go into the database, some into files of their own.
fn change(n: u64) -> Change {
    let path = |n: u64| format!("file{n}");
    let large = 200_000 + n;
    match n % 6 {
        0 => Change::Write { path: path(n), size: large },
        1 => Change::Write { path: path(n), size: n },
        2 => Change::Write { path: path(n - 2), size: large },
        3 => Change::Copy { from: path(n - 3), to: path(n) },
        4 => Change::Move { from: path(n - 4), to: path(n - 3) },
        _ => Change::Delete(path(n - 2)),
    }
}

fn apply(tree: &mut Tree, change: Change) {
    match change {
        Change::Copy { from, to } => drop(tree.insert(to, tree[&from])),
        Change::Delete(path) => drop(tree.remove(&path)),
        Change::Move { from, to } => {
            let size = tree.remove(&from).expect("there");
            tree.insert(to, size);
        }
        Change::Write { path, size } => drop(tree.insert(path, size)),
    }
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("a path")
}

async fn make(files: &Files, change: Change) {
    let none = Conditions::default;
    match change {
        Change::Copy { from, to } => {
            let (from, to) = (path(&from), path(&to));
            files.copy(&from, (files, &to), CopyDepth::Zero, Overwrite::Allow, none()).await.map(drop)
        }
        Change::Delete(at) => files.delete(&path(&at), none()).await,
        Change::Move { from, to } => {
            files.rename(&path(&from), (files, &path(&to)), Overwrite::Allow, none()).await.map(drop)
        }
        Change::Write { path: at, size } => {
            let mut upload = files.begin(&path(&at), Some(size), none()).await.expect("begun");
            // Nothing that compresses.
            let mut state = size;
            for _ in 0..size.div_ceil(1000) {
                let rest = (size - upload.len()).min(1000) as usize;
                let mut chunk = vec![0; rest];
                for byte in &mut chunk {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = (state >> 56) as u8;
                }
                upload.write(&chunk).await.expect("written");
            }
            upload.finish(FileMetadata::default()).await.map(drop)
        }
    }
    .expect("done");
}

async fn storage(folder: &Path) -> Storage {
    let options = Options { data_dir: folder.to_owned(), database: Database::Sqlite };
    Storage::open(options).await.expect("opens")
}

async fn open(folder: &Path) -> (Hub, Files) {
    let settings = Settings { index_cache: 0, header_cache: 0, message_cache: 0, ..Settings::default() };
    let hub = Hub::open(storage(folder).await, settings).await.expect("opens");
    let secret = Secret::new("alice");
    if hub.login("alice@example.org", &secret, Door::Dav).await.is_err() {
        hub.add_domain("example.org").await.expect("added");
        let address = Address::parse("alice@example.org").expect("an address");
        hub.add_twin(&address, &secret).await.expect("added");
    }
    let files = hub.login("alice@example.org", &secret, Door::Dav).await.expect("right").files();
    (hub, files)
}

/// The hub that is killed: says the number of each change that it has acknowledged.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let first: u64 = std::env::var(FIRST).expect("a number").parse().expect("a number");
    let (_hub, files) = open(Path::new(&folder)).await;
    for n in first.. {
        make(&files, change(n)).await;
        println!("done {n}");
    }
}

/// Kills a hub when it has acknowledged `most` changes; returns how many it had acknowledged by then.
fn kill_after(folder: &Path, first: u64, most: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["victim", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let (mut done, mut line) = (0, String::new());
    while done < most {
        line.clear();
        assert!(lines.read_line(&mut line).expect("read") > 0, "it ended by itself");
        done += u64::from(line.contains("done "));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("read");
    done + rest.lines().filter(|line| line.contains("done ")).count() as u64
}

async fn found(files: &Files) -> Tree {
    let top = files.lookup(&FilePath::root()).await.expect("there");
    let (mut listing, mut tree) = (files.list(&top), Tree::new());
    while let Some(page) = listing.next().await.expect("read") {
        tree.extend(page.into_iter().map(|node| (node.name, node.size)));
    }
    tree
}

/// What counts towards the quota.
async fn counted(files: &Files, tree: &Tree) -> u64 {
    let mut bytes: u64 = tree.values().sum();
    for at in tree.keys() {
        let versions = files.versions(&path(at)).await.expect("read");
        bytes += versions.iter().map(|version| version.size).sum::<u64>();
    }
    bytes
}

/// As if a day had passed since the files in the folder of blobs were written.
fn make_old(folder: &Path) {
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    for part in std::fs::read_dir(folder.join("blobs")).expect("a folder") {
        for file in std::fs::read_dir(part.expect("an entry").path()).expect("a folder") {
            let path = file.expect("an entry").path();
            std::fs::File::options().write(true).open(path).expect("opens").set_modified(old).expect("set");
        }
    }
}

#[tokio::test]
async fn a_killed_hub_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (mut model, mut next) = (Tree::new(), 0);
    for most in [1, 8, 15, 22, 29] {
        let done = kill_after(folder.path(), next, most);
        for n in next..next + done {
            apply(&mut model, change(n));
        }
        next += done;

        // A row has its content, and no content is without a row once the sweep has been.
        let storage = storage(folder.path()).await;
        assert_eq!(storage.find_damage().await.expect("looked"), Vec::<String>::new());
        make_old(folder.path());
        assert!(storage.sweep().await.expect("swept") <= 1, "one upload at most was under way");
        storage.close().await;
        drop(storage);

        let (hub, files) = open(folder.path()).await;
        let tree = found(&files).await;
        if tree != model {
            apply(&mut model, change(next));
            next += 1;
            assert_eq!(tree, model, "the change under way is there whole or not at all");
        }
        files.empty_trash().await.expect("emptied");
        assert_eq!(files.quota().await.expect("read").0, counted(&files, &tree).await);
        hub.close().await;
        drop((hub, files));
    }
}

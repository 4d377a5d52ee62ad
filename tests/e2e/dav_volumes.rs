//! A tree that is too large to be held in memory, and a disk that is too small for what is uploaded.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dav::curl;
use crate::harness::{Database, Hub, has_program};

/// What a transfer of any size may add to the memory of the server.
const GROWTH: u64 = 16 << 20;
/// What listings that are kept in memory may add to that.
const LISTINGS: u64 = 8 << 20;

/// Runs something, and returns the most memory that the server had meanwhile.
fn most_memory(hub: &Hub, work: impl FnOnce() + Send) -> u64 {
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        let mut most = hub.memory();
        while !worker.is_finished() {
            most = most.max(hub.memory());
        }
        worker.join().expect("it worked");
        most
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A file of zeros, which take no room where it is made, and a last byte.
fn sparse(hub: &Hub, name: &str, bytes: u64) -> PathBuf {
    use std::os::unix::fs::FileExt as _;
    let path = hub.path(name);
    let file = fs::File::create(&path).expect("made");
    file.write_all_at(b"x", bytes - 1).expect("written");
    path
}

const SYNC: &str = "<D:sync-collection xmlns:D=\"DAV:\"><D:sync-token>TOKEN</D:sync-token>\
<D:sync-level>infinite</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>";

/// A tree of 100,000, made by copying: all of it in one answer, and in parts for whoever synchronises.
#[test]
fn a_tree_of_100_000_is_streamed() {
    const NODES: usize = 100_000;
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let folders = |from: &str, name: &str, count: usize| {
        for n in 1..count {
            let destination = format!("Destination: /dav/files/{}/{name}{n}", crate::harness::ALICE);
            assert_eq!(curl(&hub, "COPY", from, &["--header", &destination]).0, 201);
        }
    };
    for folder in ["t0", "t0/f0"] {
        assert_eq!(curl(&hub, "MKCOL", folder, &[]).0, 201);
    }
    for n in 0..100 {
        assert_eq!(curl(&hub, "PUT", &format!("t0/f0/{n}"), &["--data-binary", &n.to_string()]).0, 201);
    }
    folders("t0/f0", "t0/f", 99);
    folders("t0", "t", 10);

    let (before, answer) = (hub.memory(), hub.path("answer"));
    let list = || {
        let depth = ["--header", "Depth: infinity", "--output", text(&answer)];
        assert_eq!(curl(&hub, "PROPFIND", "", &depth).0, 207);
    };
    // What the database's pages take once, they take whatever is listed.
    list();
    let before = hub.memory().max(before);
    let most = most_memory(&hub, list);
    let xml = fs::read_to_string(&answer).expect("an answer");
    assert!(xml.matches("<D:response>").count() >= NODES, "{}", xml.matches("<D:response>").count());
    assert!(most < before + GROWTH + LISTINGS, "from {before} to {most}, for {} bytes", xml.len());

    let (mut token, mut seen) = (String::new(), BTreeSet::new());
    loop {
        let body = SYNC.replace("TOKEN", &token);
        let (status, xml) = curl(&hub, "REPORT", "", &["--data-binary", &body]);
        assert_eq!(status, 207, "{xml}");
        seen.extend(
            between(&xml, "<D:href>", "<").filter(|href| !href.ends_with("hub.test/")).map(str::to_owned),
        );
        token = between(&xml, "<D:sync-token>", "<").next().expect("a token").to_owned();
        if !xml.contains("507 Insufficient Storage") {
            break;
        }
    }
    assert_eq!(seen.len() + 1, xml.matches("<D:response>").count());
}

fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
}

/// A small file system of its own. Dropping it takes it away.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&place).expect("made");
        let options = format!("size={size},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "twinhub-test"]).arg(&place);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            eprintln!("SKIPPED: a file system can only be mounted by root");
        }
        is_mounted.then_some(Self(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

const QUOTA: &str = "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:quota-used-bytes/></D:prop></D:propfind>";

/// The disk is full in the middle of an upload: that is said, nothing else is lost, and it goes on.
#[test]
fn a_full_disk_is_survived() {
    const BYTES: u64 = 20 << 20;
    if !has_program("curl", "curl") {
        return;
    }
    let mut hub = Hub::new(Database::Sqlite, "");
    let Some(_disk) = SmallDisk::mount(hub.data(), "200m") else { return };
    hub.launch_with_people();
    let file = sparse(&hub, "file", BYTES);
    let upload = |name: &str, file: &Path| curl(&hub, "PUT", name, &["--upload-file", text(file)]);
    let mut stored = 0;
    let refusal = loop {
        // Equal contents would be kept once.
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .and_then(|mut file| {
                use std::io::Write as _;
                file.write_all(b"y")
            })
            .expect("written");
        let (status, body) = upload(&format!("file {stored}").replace(' ', "%20"), &file);
        if status != 201 {
            break (status, body);
        }
        stored += 1;
        assert!(stored < 20, "the disk is never full");
    };
    assert_eq!(refusal.0, 507, "{}", refusal.1);
    assert!(refusal.1.contains("<D:sufficient-disk-space/>"), "{}", refusal.1);
    assert!(stored > 0, "not even one fits");

    let left = fs::read_dir(hub.data().join("spool")).expect("the spool").count();
    assert_eq!(left, 0, "what did not fit is gone");
    let (status, body) = curl(&hub, "PROPFIND", "", &["--header", "Depth: 0", "--data-binary", QUOTA]);
    assert_eq!(status, 207);
    let used: u64 = (0..stored).map(|n| BYTES + n + 1).sum();
    assert!(body.contains(&format!("<D:quota-used-bytes>{used}</D:quota-used-bytes>")), "{used}: {body}");
    assert_eq!(curl(&hub, "GET", &format!("file%20{stored}"), &[]).0, 404);

    let copy = hub.path("copy");
    for n in 0..stored {
        assert_eq!(curl(&hub, "GET", &format!("file%20{n}"), &["--output", text(&copy)]).0, 200);
        assert_eq!(fs::metadata(&copy).expect("a copy").len(), BYTES + n + 1);
    }
    assert_eq!(curl(&hub, "PUT", "small", &["--data-binary", "it goes on"]).0, 201);
    assert_eq!(curl(&hub, "GET", "small", &[]).0, 200);
}

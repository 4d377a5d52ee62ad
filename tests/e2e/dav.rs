//! Files over WebDAV, with the programs that people have: litmus, cadaver, rclone, Nextcloud's client,
//! and what Finder and Windows send, by curl.

use std::fs;
use std::path::Path;

use crate::clients::{configuration, run};
use crate::harness::{ALICE, Database, Hub, PASSWORD, has_program};
use crate::on_both_databases;

on_both_databases!(client_litmus);

fn home(hub: &Hub) -> String {
    format!("http://127.0.0.1:{}/dav/files/{ALICE}/", hub.ports().http)
}

/// Every test of all suites, without a failure, a warning or a skip.
fn client_litmus(database: Database) {
    if !has_program("litmus", "litmus") {
        return;
    }
    let hub = Hub::start_on(database);
    let text = run(&hub, "litmus", &["--keep-going", &home(&hub), ALICE, PASSWORD], b"").text();
    let summaries: Vec<&str> = text.lines().filter(|line| line.contains("<- summary for")).collect();
    assert_eq!(summaries.len(), 5, "{text}");
    assert!(summaries.iter().all(|line| line.contains(" 0 failed")), "{text}");
    for word in ["FAIL", "WARNING", "SKIPPED"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// A request by curl; the status and the body.
pub(crate) fn curl(hub: &Hub, method: &str, path: &str, options: &[&str]) -> (u16, String) {
    let url = format!("{}{path}", home(hub));
    let user = format!("{ALICE}:{PASSWORD}");
    let mut arguments = vec!["--silent", "--show-error", "--path-as-is", "--user", &user];
    arguments.extend(["--request", method, "--write-out", "\n%{http_code}"]);
    arguments.extend(options);
    arguments.push(&url);
    let text = run(hub, "curl", &arguments, b"").expect_ok();
    let (body, status) = text.trim_end().rsplit_once('\n').expect("a status");
    let body = body.split_once('\n').map_or("", |(_, body)| body);
    (status.parse().expect("a number"), body.to_owned())
}

const LOCK: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/>\
</D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>someone</D:href></D:owner></D:lockinfo>";

fn token(answer: &str) -> String {
    let (_, rest) = answer.split_once("<D:locktoken><D:href>").expect("a lock token");
    rest.split_once('<').expect("its end").0.to_owned()
}

/// Finder: an empty file, a lock, the content in chunks with its length in a field of its own; and its
/// own files beside each.
#[test]
fn client_finder_replayed() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let content = configuration(&hub, "content", &"x".repeat(200_000));
    for name in ["letter.pages", "._letter.pages", ".DS_Store"] {
        assert_eq!(curl(&hub, "PROPFIND", name, &["--header", "Depth: 0"]).0, 404);
        assert_eq!(curl(&hub, "PUT", name, &["--data", ""]).0, 201);
        let (status, answer) = curl(
            &hub,
            "LOCK",
            name,
            &["--header", "Depth: 0", "--header", "Timeout: Second-600", "--data", LOCK],
        );
        assert_eq!(status, 200);
        let token = format!("If: (<{}>)", token(&answer));
        let options = ["--header", &token, "--header", "Transfer-Encoding: chunked"];
        let length = ["--header", "X-Expected-Entity-Length: 200000", "--upload-file", &content];
        assert_eq!(curl(&hub, "PUT", name, &[&options[..], &length].concat()).0, 204);
        let unlock = token.replace("If: (", "Lock-Token: ").replace(')', "");
        assert_eq!(curl(&hub, "UNLOCK", name, &["--header", &unlock]).0, 204);
        assert_eq!(curl(&hub, "GET", name, &[]).1.len(), 200_000);
    }
    // A proxy that loses chunked bodies must not leave an empty file.
    let lost = ["--header", "X-Expected-Entity-Length: 10", "--data", ""];
    assert_eq!(curl(&hub, "PUT", "lost", &lost).0, 400);
    assert_eq!(curl(&hub, "GET", "lost", &[]).0, 404);
}

/// The Windows redirector: OPTIONS on the parents, a LOCK without a Depth, the content, times and
/// attributes with the lock in `If`, and the lock goes.
#[test]
fn client_windows_replayed() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    for path in ["/", "/dav/", "/dav/files/", &format!("/dav/files/{ALICE}/")] {
        let url = format!("http://127.0.0.1:{}{path}", hub.ports().http);
        let user = format!("{ALICE}:{PASSWORD}");
        let arguments = ["--silent", "--include", "--user", &user, "--request", "OPTIONS", &url];
        let text = run(&hub, "curl", &arguments, b"").expect_ok().to_lowercase();
        assert!(text.contains("ms-author-via: dav") && text.contains("dav: 1, 2, 3"), "{url}: {text}");
    }
    let content = configuration(&hub, "content", "hello");
    assert_eq!(curl(&hub, "PUT", "New.docx", &["--data", ""]).0, 201);
    let timeout = ["--header", "Timeout: Second-3600", "--data", LOCK];
    let (status, answer) = curl(&hub, "LOCK", "New.docx", &timeout);
    assert_eq!(status, 200);
    assert!(answer.contains("<D:depth>infinity</D:depth>"), "{answer}");
    let held = format!("If: (<{}>)", token(&answer));
    let put = ["--header", &held, "--header", "translate: f", "--upload-file", &content];
    assert_eq!(curl(&hub, "PUT", "New.docx", &put).0, 204);
    let patch = "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:propertyupdate xmlns:D=\"DAV:\" \
        xmlns:Z=\"urn:schemas-microsoft-com:\"><D:set><D:prop><Z:Win32CreationTime>Tue, 14 Nov 2023 22:13:20 GMT\
        </Z:Win32CreationTime><Z:Win32LastAccessTime>Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32LastAccessTime>\
        <Z:Win32LastModifiedTime>Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32LastModifiedTime>\
        <Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>";
    let (status, answer) = curl(&hub, "PROPPATCH", "New.docx", &["--header", &held, "--data", patch]);
    assert_eq!(status, 207);
    assert!(answer.contains("HTTP/1.1 200 OK") && !answer.contains("HTTP/1.1 4"), "{answer}");
    // A PROPFIND without a body is allprop.
    let (status, answer) = curl(&hub, "PROPFIND", "", &["--header", "Depth: 1"]);
    assert_eq!(status, 207);
    for piece in ["New.docx", "Tue, 14 Nov 2023 22:13:20 GMT", "Win32FileAttributes"] {
        assert!(answer.contains(piece), "{piece}: {answer}");
    }
    let unlock = held.replace("If: (", "Lock-Token: ").replace(')', "");
    assert_eq!(curl(&hub, "UNLOCK", "New.docx", &["--header", &unlock]).0, 204);
}

/// A command line for WebDAV that people script since the year 2000.
#[test]
fn client_cadaver() {
    if !has_program("cadaver", "cadaver") {
        return;
    }
    let hub = Hub::start();
    configuration(&hub, ".netrc", &format!("machine 127.0.0.1\nlogin {ALICE}\npassword {PASSWORD}\n"));
    configuration(&hub, "note.txt", "hello from cadaver\n");
    let script = "mkcol Notes\ncd Notes\nput note.txt\nlock note.txt\nput note.txt\nunlock note.txt\n\
                  copy note.txt copy.txt\nmove copy.txt moved.txt\npropset note.txt colour red\npropget note.txt colour\n\
                  ls\nget moved.txt back.txt\ndelete moved.txt\nquit\n";
    let text = run(&hub, "cadaver", &[&home(&hub)], script.as_bytes()).expect_ok();
    assert!(!text.contains("failed") && !text.contains("error"), "{text}");
    assert!(text.contains("Value of colour is: red"), "{text}");
    assert_eq!(fs::read_to_string(hub.path("back.txt")).expect("fetched"), "hello from cadaver\n");
    assert_eq!(curl(&hub, "GET", "Notes/note.txt", &[]).1, "hello from cadaver\n");
    assert_eq!(curl(&hub, "GET", "Notes/moved.txt", &[]).0, 404);
}

/// A folder of files of all kinds of names and sizes.
fn make_files(folder: &Path) {
    for (name, size) in [
        ("plain.txt", 5),
        ("empty", 0),
        ("Ümläut & Spaß #1 %25.txt", 1000),
        ("deep/er/and deeper/file", 70_000),
        ("deep/large.bin", 3_000_000),
        ("(brackets) [too] 'and' \"quotes\"", 10),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let content: Vec<u8> = (0..size).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(path, content).expect("a write");
    }
}

/// A second run has nothing to do; what came back is what was sent. Over TLS.
#[test]
fn client_rclone_second_run_changes_nothing() {
    if !has_program("rclone", "rclone") {
        return;
    }
    let hub = Hub::start();
    let (ports, ca) = (hub.ports(), hub.ports().ca.display().to_string());
    let user = ALICE.replace('@', "%40");
    let secret = run(&hub, "rclone", &["obscure", PASSWORD], b"").expect_ok();
    let secret = secret.lines().last().expect("a secret").trim().to_owned();
    let mut text = String::new();
    for (vendor, path) in [
        ("other", format!("dav/files/{user}/")),
        ("owncloud", "remote.php/webdav/".to_owned()),
        ("nextcloud", format!("remote.php/dav/files/{user}/")),
    ] {
        text.push_str(&format!(
            "[{vendor}]\ntype = webdav\nurl = https://localhost:{}/{path}\nvendor = {vendor}\nuser = {ALICE}\npass = {secret}\n",
            ports.https
        ));
    }
    let config = configuration(&hub, "rclone.conf", &text);
    let source = hub.path("source");
    make_files(&source);
    let source = source.display().to_string();
    for vendor in ["other", "owncloud", "nextcloud"] {
        let remote = format!("{vendor}:{vendor}/");
        let rclone = |command: &[&str]| {
            let common = ["--config", config.as_str(), "--ca-cert", ca.as_str(), "-v", "--retries", "1"];
            run(&hub, "rclone", &[command, &common].concat(), b"").expect_ok()
        };
        rclone(&["mkdir", &remote]);
        rclone(&["sync", &source, &remote]);
        let again = rclone(&["sync", &source, &remote]);
        assert!(again.contains("There was nothing to transfer"), "{vendor}: {again}");
        rclone(&["check", "--download", &source, &remote]);
        let back = hub.path(&format!("back-{vendor}")).display().to_string();
        rclone(&["sync", &remote, &back]);
        rclone(&["check", "--download", &source, &back]);
        // What is moved at the source is deleted at the destination, and what is below it.
        rclone(&["moveto", &format!("{remote}deep"), &format!("{remote}moved")]);
        rclone(&["purge", &format!("{remote}moved")]);
    }
}

/// Nextcloud's desktop client, both ways: what is new there comes here, and the other way round.
#[test]
fn client_nextcloudcmd_both_ways() {
    if !has_program("nextcloudcmd", "nextcloud-desktop-cmd") {
        return;
    }
    let hub = Hub::start();
    let local = hub.path("local");
    make_files(&local);
    // Larger than a piece: it is sent in several.
    fs::write(local.join("very large.bin"), vec![7; 25 << 20]).expect("a write");
    assert_eq!(curl(&hub, "MKCOL", "There", &[]).0, 201);
    assert_eq!(curl(&hub, "PUT", "There/first.txt", &["--data", "from there"]).0, 201);
    let server = format!("http://127.0.0.1:{}", hub.ports().http);
    let local_text = local.display().to_string();
    let synchronise = || {
        let arguments = ["--non-interactive", "--user", ALICE, "--password", PASSWORD, &local_text, &server];
        run(&hub, "nextcloudcmd", &arguments, b"").expect_ok()
    };
    synchronise();
    assert_eq!(fs::read_to_string(local.join("There/first.txt")).expect("fetched"), "from there");
    assert_eq!(curl(&hub, "GET", "deep/er/and%20deeper/file", &[]).0, 200);
    let (status, answer) = curl(&hub, "PROPFIND", "very%20large.bin", &["--header", "Depth: 0"]);
    assert_eq!(status, 207);
    assert!(answer.contains("<D:getcontentlength>26214400</D:getcontentlength>"), "{answer}");
    // A change on each side.
    assert_eq!(curl(&hub, "PUT", "There/first.txt", &["--data", "changed there, and longer"]).0, 204);
    fs::remove_file(local.join("plain.txt")).expect("removed");
    synchronise();
    assert_eq!(
        fs::read_to_string(local.join("There/first.txt")).expect("fetched"),
        "changed there, and longer"
    );
    assert_eq!(curl(&hub, "GET", "plain.txt", &[]).0, 404);
}

/// Hyper cuts off what a client writes behind a `#`: the folder itself would go.
#[test]
fn fragments_delete_nothing() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    assert_eq!(curl(&hub, "MKCOL", "folder", &[]).0, 201);
    let url = format!("/dav/files/{ALICE}/folder/#file");
    assert_eq!(curl(&hub, "DELETE", "folder/", &["--request-target", &url]).0, 400);
    assert_eq!(curl(&hub, "DELETE", "folder/", &[]).0, 204);
}

/// App passwords open the doors that they are for.
#[test]
fn app_passwords_have_their_scope() {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let secret = |door: &str| {
        let text = hub.admin(&["app-password", "add", ALICE, door, "--door", door]);
        let is_secret = |word: &&str| word.len() == 19 && word.split('-').count() == 4;
        text.split_whitespace().find(is_secret).expect("a secret").to_owned()
    };
    for (door, status) in [("dav", "207"), ("imap", "401")] {
        let user = format!("{ALICE}:{}", secret(door));
        let url = home(&hub);
        let arguments = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--user", &user];
        let propfind = ["--request", "PROPFIND", "--header", "Depth: 0", &url];
        let text = run(&hub, "curl", &[&arguments[..], &propfind].concat(), b"").expect_ok();
        assert!(text.ends_with(status), "{door}: {text}");
    }
}

/// Bodies stream, over HTTP/1.1 and HTTP/2: a large file costs the server no memory.
#[test]
fn large_files_cost_no_memory() {
    const SIZE: u64 = 200 << 20;
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start();
    let (ports, user) = (hub.ports(), format!("{ALICE}:{PASSWORD}"));
    let ca = ports.ca.display().to_string();
    let (file, back) = (hub.path("large").display().to_string(), hub.path("back").display().to_string());
    fs::File::create(&file).and_then(|file| file.set_len(SIZE)).expect("a file with holes");
    let mut before = None;
    for (n, version) in ["--http1.1", "--http2", "--http1.1", "--http2"].into_iter().enumerate() {
        let url = format!("https://localhost:{}/dav/files/{ALICE}/large-{n}", ports.https);
        let common = ["--silent", "--show-error", "--fail", "--cacert", &ca, "--user", &user, version, &url];
        run(&hub, "curl", &[&common[..], &["--upload-file", &file]].concat(), b"").expect_ok();
        run(&hub, "curl", &[&common[..], &["--output", &back]].concat(), b"").expect_ok();
        assert_eq!(fs::metadata(&back).expect("fetched").len(), SIZE);
        // What the first round needed is not given back at once, but is not needed again.
        let memory = hub.memory();
        let first = *before.get_or_insert(memory);
        assert!(memory < first + (32 << 20), "{version}: {memory} bytes, {first} after the first");
        assert!(memory < SIZE / 2, "{memory} bytes");
    }
}

/// Mounted by the kernel (davfs2), as a folder like any other.
#[test]
fn client_davfs2() {
    if !has_program("mount.davfs", "davfs2") {
        return;
    }
    let hub = Hub::start();
    let (folder, cache) = (hub.path("mount"), hub.path("cache"));
    fs::create_dir_all(&folder).and_then(|()| fs::create_dir_all(&cache)).expect("made");
    let secrets = hub.path("secrets");
    fs::write(&secrets, format!("{} {ALICE} {PASSWORD}\n", home(&hub))).expect("written");
    let configuration = hub.path("davfs2.conf");
    let settings = format!(
        "ask_auth 0\nuse_locks 1\nsecrets {}\ncache_dir {}\ndelay_upload 0\n",
        secrets.display(),
        cache.display()
    );
    fs::write(&configuration, settings).expect("written");
    for private in [&secrets, &configuration] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(private, fs::Permissions::from_mode(0o600)).expect("private");
    }
    let Some(mount) = Mounted::new(&hub, &configuration, &folder) else { return };
    let large: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::create_dir(folder.join("d")).expect("a folder");
    fs::write(folder.join("d/x y.bin"), &large).expect("written");
    fs::write(folder.join("gone"), "x").expect("written");
    fs::rename(folder.join("d/x y.bin"), folder.join("d/z.bin")).expect("renamed");
    fs::remove_file(folder.join("gone")).expect("removed");
    // What is still on its way is sent before it ends.
    drop(mount);
    let copy = hub.path("copy").display().to_string();
    assert_eq!(curl(&hub, "GET", "d/z.bin", &["--output", &copy]).0, 200);
    assert_eq!(fs::read(&copy).expect("a copy"), large);
    assert_eq!(curl(&hub, "GET", "gone", &[]).0, 404);
    assert_eq!(curl(&hub, "PUT", "d/remote.txt", &["--data-binary", "from elsewhere"]).0, 201);
    let _mount = Mounted::new(&hub, &configuration, &folder).expect("mounted before");
    assert_eq!(fs::read_to_string(folder.join("d/remote.txt")).expect("read"), "from elsewhere");
    assert_eq!(fs::read(folder.join("d/z.bin")).expect("read"), large);
}

/// A mounted folder. Dropping it writes what is left to write and takes it away.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(hub: &Hub, configuration: &Path, folder: &'a Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "davfs", "-o"]).arg(format!("conf={}", configuration.display()));
        mount.arg(home(hub)).arg(folder).stdin(std::process::Stdio::null());
        let output = mount.output().expect("mount runs");
        if !output.status.success() {
            eprintln!(
                "SKIPPED: davfs2 cannot mount here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        output.status.success().then_some(Self(folder))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).status();
    }
}

//! The TypeScript client of the native API and what is made with it: pages of another origin in Chromium, a script
//! in Node. Packages come from npm, at the versions of `package-lock.json`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::harness::{ALICE, BOB, Hub, PASSWORD, assert_success, has_program, message, skip, wait_until};
use crate::webdriver::{Browser, Scripts};

/// A blue dot, 1 by 1.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC";

/// A copy of the client's folder with its packages, which stays from run to run; `None` is a loud skip.
struct Workshop {
    folder: PathBuf,
    /// Tests are processes, and two of them want to fill the folder.
    _lock: fs::File,
}

impl Workshop {
    fn open() -> Option<Self> {
        if !(has_program("node", "nodejs") && has_program("npm", "npm")) {
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twin-js");
        fs::create_dir_all(&folder).expect("a folder");
        let lock = fs::File::create(folder.join("lock")).expect("a file");
        lock.lock().expect("locked");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocols/twin/js");
        let has_packages = fs::read(folder.join("package-lock.json")).ok()
            == fs::read(source.join("package-lock.json")).ok()
            && folder.join("node_modules/.package-lock.json").exists();
        copy(&source, &folder);
        let workshop = Self { folder, _lock: lock };
        if !has_packages {
            let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            if !workshop.command("npm").args(install).output().expect("npm").status.success() {
                // The next run begins anew.
                fs::remove_file(workshop.folder.join("package-lock.json")).expect("removed");
                skip("what protocols/twin/js/package-lock.json names, of npm,");
                return None;
            }
        }
        Some(workshop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        command
    }

    /// Serves the folder as an origin of its own.
    fn serve(&self) -> Server {
        let serve = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"];
        let mut command = self.command("python3");
        command.args(serve).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let port = line.split_whitespace().skip_while(|word| *word != "port").nth(1);
        let origin = format!("http://127.0.0.1:{}", port.unwrap_or_else(|| panic!("no port in {line:?}")));
        Server { child, origin }
    }
}

struct Server {
    child: Child,
    origin: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a developer may have beside the sources stays behind.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (name, path) = (entry.file_name(), entry.path());
        if name == "node_modules" || name == "out" {
            continue;
        }
        let target = to.join(&name);
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a folder");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// Opens an experience and logs alice in.
fn open(browser: &Browser, server: &Server, hub: &Hub, name: &str) {
    let port = hub.ports().https;
    browser.open(&format!("{}/examples/{name}/?hub=https://localhost:{port}", server.origin));
    browser.fill("input[name=address]", ALICE);
    browser.fill("input[name=password]", PASSWORD);
    browser.click(".sign-in button");
}

/// Nothing went wrong behind the page's back.
#[track_caller]
fn assert_content(browser: &Browser) {
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// What is published is what the sources say, and the sources are right about their types.
#[test]
fn client_typescript() {
    let Some(workshop) = Workshop::open() else { return };
    let output = workshop.command("node_modules/.bin/tsc").output().expect("tsc");
    assert_success(&output, &["tsc"]);
    for name in
        ["client.js", "client.d.ts", "events.js", "events.d.ts", "objects.d.ts", "table.js", "table.d.ts"]
    {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocols/twin/js/dist").join(name);
        let made = fs::read_to_string(workshop.folder.join("dist").join(name)).expect("it is made");
        let is_fresh = fs::read_to_string(committed).is_ok_and(|committed| committed == made);
        assert!(is_fresh, "dist/{name} is stale: run `npm ci && npm run build` in protocols/twin/js");
    }
}

/// Plain JavaScript, React, Svelte and Vue, each an origin that the hub has never heard of.
#[test]
fn client_chromium_experiences() {
    if !(has_program("chromium", "chromium") && has_program("chromedriver", "chromium-driver")) {
        return;
    }
    let Some(workshop) = Workshop::open() else { return };
    assert_success(&workshop.command("node").arg("examples/build.js").output().expect("node"), &["build"]);
    let (hub, server) = (Hub::start(), workshop.serve());
    hub.deliver(ALICE, &message(BOB, ALICE, "Before", "It was here before the page."));
    hub.arrived(ALICE, "Before");
    let browser = Browser::start(&hub, Scripts::On);
    mail_reader(&browser, &server, &hub);
    mailboxes(&browser, &server, &hub);
    album(&browser, &server, &hub);
    note(&browser, &server, &hub);
}

fn mail_reader(browser: &Browser, server: &Server, hub: &Hub) {
    open(browser, server, hub, "plain");
    browser.wait_for(".rows", "Before");
    hub.deliver(ALICE, &message(BOB, ALICE, "Live <b>news</b>", "It came while the page was open."));
    browser.wait_for(".rows", "Live <b>news</b>");
    browser.wait_for("h1", "2 unread");
    browser.click(".rows li:first-child button");
    browser.wait_for("article", "It came while the page was open.");
    browser.wait_for("h1", "1 unread");
    browser.picture("experience-mail-desktop", 1200, 600);
    browser.picture("experience-mail-phone", 390, 844);
    // What another program does is seen, too.
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    browser.wait_for("h1", "Mail");
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    imap.ok("EXPUNGE");
    wait_until("one row", || {
        (browser.evaluate("document.querySelectorAll('.rows li').length") == 1).then_some(())
    });
    assert_content(browser);
}

fn mailboxes(browser: &Browser, server: &Server, hub: &Hub) {
    open(browser, server, hub, "react");
    let inbox = "[data-name=INBOX]";
    browser.wait_for(inbox, "unread of 1");
    hub.deliver(ALICE, &message(BOB, ALICE, "Counted", "x"));
    browser.wait_for(inbox, "unread of 2");
    assert_eq!(browser.text(&format!("{inbox} strong")), "1");
    browser.fill("input[name=name]", "Garden");
    browser.click("main button");
    browser.wait_for("[data-name=Garden]", "unread of 0");
    browser.picture("experience-mailboxes-desktop", 1200, 600);
    assert_content(browser);
}

fn album(browser: &Browser, server: &Server, hub: &Hub) {
    open(browser, server, hub, "svelte");
    browser.wait_for("main", "No pictures yet.");
    let picture = hub.path("Sea.png");
    fs::write(&picture, BASE64_STANDARD.decode(PNG).expect("base64")).expect("written");
    browser.fill("input[type=file]", &picture.display().to_string());
    browser.wait_for("figcaption", "Sea.png");
    // One that somebody mailed, filed there by another program.
    let mail = format!(
        "From: Bob <{BOB}>\r\nTo: {ALICE}\r\nSubject: Mountains\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee!\r\n\
         --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"m.png\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{PNG}\r\n--b--\r\n"
    );
    hub.imap(ALICE).append("Album", "", mail.as_bytes());
    browser.wait_for("main", "Mountains");
    let shown = "[...document.images].filter((image) => image.naturalWidth === 1).length";
    wait_until("both pictures", || (browser.evaluate(shown) == 2).then_some(()));
    browser.picture("experience-album-desktop", 1200, 600);
    assert_content(browser);
}

fn note(browser: &Browser, server: &Server, hub: &Hub) {
    open(browser, server, hub, "vue");
    browser.fill("input[name=to]", BOB);
    browser.fill("input[name=subject]", "A note");
    browser.fill("textarea[name=text]", "Written in Vue.");
    browser.click("main button");
    browser.wait_for(".rows", "A note");
    let got = hub.arrived(BOB, "A note");
    assert!(String::from_utf8_lossy(&got).contains("Written in Vue."));
    browser.picture("experience-note-desktop", 1200, 700);
    assert_content(browser);
}

/// The page of the hub on which every request can be tried.
#[test]
fn client_chromium_try_page() {
    if !(has_program("chromium", "chromium") && has_program("chromedriver", "chromium-driver")) {
        return;
    }
    let hub = Hub::start();
    let browser = Browser::start(&hub, Scripts::On);
    browser.open(&format!("https://localhost:{}/api/v1/", hub.ports().https));
    browser.wait_for("main", "/api/v1/Mailbox");
    browser.click("#createMailbox summary");
    browser.click("#createMailbox button");
    browser.wait_for("#createMailbox pre", "401");
    browser.fill("input[name=name]", ALICE);
    browser.fill("#who input[name=password]", PASSWORD);
    browser.clear("#createMailbox textarea");
    browser.fill("#createMailbox textarea", r#"{"name":"Garden"}"#);
    browser.click("#createMailbox button");
    browser.wait_for("#createMailbox pre", "201");
    browser.click("#listMailbox summary");
    browser.fill("#listMailbox input[name=properties]", "name,totalEmails");
    browser.click("#listMailbox button");
    browser.wait_for("#listMailbox pre", "Garden");
    browser.picture("try-desktop", 1200, 900);
    // A stream goes on while its page is open.
    browser.click("#events summary");
    browser.click("#events button");
    browser.wait_for("#events pre", "event: ready");
    hub.deliver(ALICE, &message(BOB, ALICE, "Streamed", "x"));
    browser.wait_for("#events pre", "Streamed");
    browser.picture("try-phone", 390, 844);
    let refused: Vec<String> =
        browser.complaints().into_iter().filter(|line| line.contains("Content Security Policy")).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// A script that waits for mail.
#[test]
fn client_node() {
    let Some(workshop) = Workshop::open() else { return };
    let hub = Hub::start();
    let mut command = workshop.command("node");
    command.arg("examples/node/watch.js").args([
        &format!("https://localhost:{}", hub.ports().https),
        ALICE,
        "2",
    ]);
    command.env("TWIN_PASSWORD", PASSWORD).env("NODE_EXTRA_CA_CERTS", &hub.ports().ca);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("node");
    let mut said = BufReader::new(child.stderr.take().expect("its words"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "Waiting for mail.\n");
    for subject in ["First", "Second"] {
        hub.deliver(ALICE, &message(BOB, ALICE, subject, "x"));
    }
    let mut printed = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut printed).expect("text");
    assert!(child.wait().expect("ended").success());
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() == 2 && lines[0].ends_with(&format!("{BOB}  First")), "{printed}");
    assert!(lines[1].ends_with("Second"), "{printed}");
}

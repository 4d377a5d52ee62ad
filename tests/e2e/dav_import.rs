//! Whole accounts of calendars and contacts, from Debian's Radicale and from Xandikos: everything as that
//! server has it, once.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::clients::run;
use crate::harness::{ALICE, Database, Hub, PASSWORD, PATIENCE, assert_success, has_program};
use crate::postgres::{free_port, signal};
use crate::twin::python_with;

/// More than one multiget fetches.
const EVENTS: usize = 60;

/// A server with one user, `old`. Dropping it stops it and removes its directory.
struct Server {
    child: Child,
    directory: TempDir,
    port: u16,
    /// Of the user's calendars and address books.
    homes: [String; 2],
}

impl Server {
    fn start(program: &Path, port: u16, arguments: &[String], directory: TempDir, homes: [&str; 2]) -> Self {
        let log = fs::File::create(directory.path().join("log")).expect("a file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("start of the server");
        let mut server = Self { child, directory, port, homes: homes.map(str::to_owned) };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "{ended:?}\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn radicale() -> Option<Self> {
        if !has_program("radicale", "radicale") {
            return None;
        }
        let (directory, port) = (TempDir::with_prefix("radicale-").expect("a directory"), free_port());
        let path = directory.path().display();
        let config = directory.path().join("config");
        let text = format!(
            "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {path}/users\n\
             htpasswd_encryption = plain\n[storage]\nfilesystem_folder = {path}/data\n"
        );
        fs::write(&config, text).expect("the configuration");
        fs::write(directory.path().join("users"), format!("old:{PASSWORD}\n")).expect("the users");
        let arguments = ["--config".to_owned(), config.display().to_string()];
        Some(Self::start(Path::new("radicale"), port, &arguments, directory, ["/old/", "/old/"]))
    }

    fn xandikos() -> Option<Self> {
        let python = python_with("xandikos", "0.4.10", "xandikos")?;
        let (directory, port) = (TempDir::with_prefix("xandikos-").expect("a directory"), free_port());
        let data = directory.path().join("data").display().to_string();
        let arguments =
            ["-m", "xandikos", "serve", "--defaults", "--current-user-principal", "/old/", "-l", "127.0.0.1"];
        let arguments = arguments.map(str::to_owned).into_iter();
        let arguments: Vec<String> =
            arguments.chain(["-p".to_owned(), port.to_string(), "-d".to_owned(), data]).collect();
        let homes = ["/old/calendars/", "/old/contacts/"];
        Some(Self::start(&python, port, &arguments, directory, homes))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The body of what curl gets; its status must be of 2xx.
    fn curl(&self, hub: &Hub, options: &[&str], path: &str) -> String {
        let user = format!("old:{PASSWORD}");
        let always = ["--silent", "--show-error", "--fail", "--user", &user];
        run(hub, "curl", &[&always[..], options, &[&self.url(path)]].concat(), b"").expect_ok()
    }

    /// Makes a collection and puts these files into it.
    fn fill(&self, hub: &Hub, method: &str, body: &str, path: &str, files: &[(String, String)]) {
        let xml = ["--request", method, "--header", "Content-Type: text/xml", "--data", body];
        self.curl(hub, &xml, path);
        let folder = TempDir::new().expect("a directory");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let files = format!("{}/{{{}}}", folder.path().display(), names.join(","));
        let kind = if method == "MKCALENDAR" { "text/calendar" } else { "text/vcard" };
        let kind = format!("Content-Type: {kind}; charset=utf-8");
        self.curl(hub, &["--header", &kind, "--upload-file", &files], path);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
        signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}

fn event(number: usize, summary: &str) -> (String, String) {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:e{number}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nDTEND:20260301T110000Z\r\n\
         SUMMARY:{summary} \u{e4}&<\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    (format!("e{number}.ics"), text)
}

fn card(name: &str) -> (String, String) {
    let text =
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n");
    (format!("{name}.vcf"), text)
}

fn import(hub: &Hub, scheme: &str, server: &Server, password: &str) -> Output {
    let address = format!("{scheme}://old@localhost:{}/", server.port);
    hub.cli_with_input(&["import", &address, "--to", ALICE, "--password-stdin"], password)
}

fn here(hub: &Hub, options: &[&str], path: &str) -> String {
    let url = format!("http://127.0.0.1:{}/dav/{path}", hub.ports().http);
    let user = format!("{ALICE}:{PASSWORD}");
    let always = ["--silent", "--show-error", "--fail", "--user", &user];
    run(hub, "curl", &[&always[..], options, &[&url]].concat(), b"").expect_ok()
}

fn properties(hub: &Hub, path: &str) -> String {
    let body = "<D:propfind xmlns:D=\"DAV:\" xmlns:I=\"http://apple.com/ns/ical/\" \
                xmlns:S=\"http://calendarserver.org/ns/\"><D:prop><D:displayname/><I:calendar-color/>\
                <S:getctag/></D:prop></D:propfind>";
    here(hub, &["--request", "PROPFIND", "--header", "Depth: 0", "--data", body], path)
}

fn comes_whole_and_once(server: &Server) {
    let mut hub = Hub::new(Database::Sqlite, "");
    hub.launch_with_people();
    let events: Vec<_> = (0..EVENTS).map(|number| event(number, "first")).collect();
    let [calendars, contacts] = &server.homes;
    let work = format!("{calendars}work/");
    let mkcalendar = "<C:mkcalendar xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:D=\"DAV:\" \
                      xmlns:I=\"http://apple.com/ns/ical/\"><D:set><D:prop><D:displayname>Work &amp; play\
                      </D:displayname><I:calendar-color>#AA00BBFF</I:calendar-color></D:prop></D:set>\
                      </C:mkcalendar>";
    server.fill(&hub, "MKCALENDAR", mkcalendar, &work, &events);
    let mkcol = "<D:mkcol xmlns:D=\"DAV:\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\"><D:set><D:prop>\
                 <D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>\
                 <D:displayname>Friends</D:displayname></D:prop></D:set></D:mkcol>";
    let friends = format!("{contacts}friends/");
    server.fill(&hub, "MKCOL", mkcol, &friends, &[card("carol"), card("dave")]);

    assert_success(&import(&hub, "caldav", server, PASSWORD), &["import"]);
    for (name, _) in &events {
        let theirs = server.curl(&hub, &[], &format!("{work}{name}"));
        assert_eq!(here(&hub, &[], &format!("calendars/{ALICE}/work/{name}")), theirs, "{name}");
    }
    let before = properties(&hub, &format!("calendars/{ALICE}/work/"));
    assert!(before.contains("Work &amp; play") && before.contains("#AA00BBFF"), "{before}");
    assert_success(&import(&hub, "carddav", server, PASSWORD), &["import"]);
    let own = here(&hub, &[], &format!("addressbooks/{ALICE}/friends/carol.vcf"));
    assert_eq!(own, server.curl(&hub, &[], &format!("{friends}carol.vcf")));
    assert!(properties(&hub, &format!("addressbooks/{ALICE}/friends/")).contains("Friends"));

    // Once more: nothing. What was deleted here stays away, and what has changed there comes.
    assert_success(&import(&hub, "caldav", server, PASSWORD), &["import"]);
    assert_eq!(properties(&hub, &format!("calendars/{ALICE}/work/")), before);
    here(&hub, &["--request", "DELETE"], &format!("calendars/{ALICE}/work/e1.ics"));
    let (name, text) = event(2, "second");
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join(&name).display().to_string();
    fs::write(&file, text).expect("a file");
    let put = ["--header", "Content-Type: text/calendar; charset=utf-8", "--upload-file", &file];
    server.curl(&hub, &put, &format!("{work}{name}"));
    assert_success(&import(&hub, "caldav", server, PASSWORD), &["import"]);
    let all = here(&hub, &[], &format!("calendars/{ALICE}/work/"));
    assert_eq!(all.matches("BEGIN:VEVENT").count(), EVENTS - 1);
    assert!(all.contains("SUMMARY:second") && !all.contains("UID:e1\r\n"), "{all}");
}

#[test]
fn an_account_comes_from_radicale() {
    let Some(server) = Server::radicale() else { return };
    comes_whole_and_once(&server);
    let mut hub = Hub::new(Database::Sqlite, "");
    hub.launch_with_people();
    let refused = import(&hub, "caldav", &server, "wrong");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the log-in is refused"), "{said}");
}

#[test]
fn an_account_comes_from_xandikos() {
    let Some(server) = Server::xandikos() else { return };
    comes_whole_and_once(&server);
}

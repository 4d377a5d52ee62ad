//! Runs the conversations in `transcripts/`, each against a [`Session`] in memory and a hub with the
//! twins alice, bob and the alias team (both) of example.org; alice's password is `secret-a`.
//!
//! A file has one line per thing:
//! - `# …` says what it shows; `= mx`, `= lmtp` or `= submission` (with `tls`, `remote`) opens a
//!   connection. `@ bob 3000` limits a twin to so many bytes more than it has, `@ bob 0` no more.
//! - `C: text` is a line of the client; CR LF is added. Lines in a row are sent as one packet.
//!   `c: text` adds nothing. `\r \n \0 \\ \xHH` stand for bytes, `\{text*3}` repeats.
//! - `S: text` is a line of the server, `*` at its end any rest; `S= 9 text` is nine such lines.
//!   `S+ 250` is a whole reply.
//!   `S: closed` is the end. STARTTLS is followed by the handshake at once.
//! - `M: alice 2` is the number of new messages in an INBOX, `Q: 1` the number of newly queued
//!   recipients, `B: alice text` is in the last message of an INBOX, `b: alice text` is not.

use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hub::{Account, Address, Door, Hub, MailboxId, Secret};
use hub_wire::limits::LoginDelay;

use crate::headers::Tls;
use crate::session::{Link, Session, Step};
use crate::work::Worker;
use crate::{Kind, Service, Settings};

#[tokio::test]
async fn conversations_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() > 30, "only {} transcripts", files.len());
    let mut failures = String::new();
    let test = test_hub().await;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(why) = Play::new(&test).await.play(&text).await {
            let _ = writeln!(failures, "{name}:{why}");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) alice: Account,
    bob: Account,
    _directory: tempfile::TempDir,
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).expect(text)
}

pub(crate) async fn test_hub() -> TestHub {
    test_hub_with(false).await
}

/// One that sends everything to a relay host.
pub(crate) async fn relaying_hub() -> TestHub {
    test_hub_with(true).await
}

async fn test_hub_with(relay: bool) -> TestHub {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = hub_storage::Options {
        data_dir: directory.path().to_owned(),
        database: hub_storage::Database::Sqlite,
    };
    let storage = hub::Storage::open(options).await.expect("opens");
    let settings =
        hub::Settings { queue: hub::QueueSettings { relay, clock_scale: 0.001 }, ..hub::Settings::default() };
    let hub = Hub::open(storage, settings).await.expect("opens");
    hub.add_domain("example.org").await.expect("added");
    for name in ["alice", "bob"] {
        let password = Secret::new(format!("secret-{}", &name[..1]));
        hub.add_twin(&address(&format!("{name}@example.org")), &password).await.expect("added");
        hub.add_alias(&address("team@example.org"), &address(&format!("{name}@example.org")))
            .await
            .expect("added");
    }
    let login = async |name: &str, password: &str| {
        let login = format!("{name}@example.org");
        hub.login(&login, &Secret::new(password), Door::Imap).await.expect("logged in")
    };
    let (alice, bob) = (login("alice", "secret-a").await, login("bob", "secret-b").await);
    TestHub { hub, alice, bob, _directory: directory }
}

/// A certificate for 127.0.0.1, as PEM to trust and as the server's side.
pub(crate) fn certificate() -> (String, Arc<rustls::ServerConfig>) {
    let names = vec!["127.0.0.1".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).expect("made");
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate");
    (cert.pem(), Arc::new(config))
}

pub(crate) fn service(hub: &Hub, settings: Settings) -> Arc<Service> {
    service_with(hub, settings, certificate().1)
}

pub(crate) fn service_with(hub: &Hub, settings: Settings, tls: Arc<rustls::ServerConfig>) -> Arc<Service> {
    Arc::new(Service {
        hub: hub.clone(),
        tls,
        login_delay: Arc::new(LoginDelay::new()),
        settings: Arc::new(settings),
        authenticator: None,
        dns: Arc::new(hub_dns::Dns::new(&hub_dns::Settings::default()).expect("no trust anchor to read")),
    })
}

impl TestHub {
    /// The messages of alice's or bob's INBOX, oldest first.
    pub(crate) async fn inbox(&self, name: &str) -> Vec<Vec<u8>> {
        let account = if name == "alice" { &self.alice } else { &self.bob };
        self.messages_of(account, MailboxId::INBOX).await
    }

    /// All messages of a mailbox, oldest first.
    pub(crate) async fn messages_of(&self, account: &Account, mailbox: MailboxId) -> Vec<Vec<u8>> {
        let snapshot = account.messages().open(mailbox).await.expect("opens").snapshot();
        let mut all = Vec::new();
        for index in 0.. {
            let Some(record) = snapshot.get(index) else { break };
            let message =
                account.messages().fetch(&[record.email]).await.expect("read").remove(0).expect("there");
            all.push(
                account
                    .messages()
                    .read_starts(&[(&message, u64::MAX)])
                    .await
                    .expect("read")
                    .remove(0)
                    .to_vec(),
            );
        }
        all
    }
}

struct Play<'t> {
    test: &'t TestHub,
    /// What was there before: messages of alice and bob, queued recipients.
    before: [usize; 3],
    service: Arc<Service>,
    talk: Option<(Session, Worker)>,
    heard: VecDeque<String>,
    packet: Vec<u8>,
    closed: bool,
}

impl<'t> Play<'t> {
    async fn new(test: &'t TestHub) -> Self {
        let mut settings = Settings::new("hub.test");
        settings.max_message_size = 2000;
        settings.max_recipients = 3;
        let service = service(&test.hub, settings);
        let queued = test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue").len();
        let before = [test.inbox("alice").await.len(), test.inbox("bob").await.len(), queued];
        Self { test, before, service, talk: None, heard: VecDeque::new(), packet: Vec::new(), closed: false }
    }

    async fn play(mut self, text: &str) -> Result<(), String> {
        for (number, line) in text.lines().enumerate() {
            let at = |why: String| format!("{}: {line}: {why}", number + 1);
            let (mark, rest) = line.split_at(line.len().min(2));
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            if !matches!(mark, "C:" | "c:") {
                self.send().await;
            }
            match mark {
                "" | "# " | "#" => {}
                "= " => self.open(rest).await,
                "@ " => self.limit(rest).await.map_err(at)?,
                "C:" => self.packet.extend(unescape(&format!("{rest}\\r\\n"))),
                "c:" => self.packet.extend(unescape(rest)),
                "S:" => self.expect(rest).map_err(at)?,
                "S+" => self.expect_reply(rest).map_err(at)?,
                "S=" => self.expect_lines(rest).map_err(at)?,
                "B:" | "b:" => self.check_body(rest, mark == "B:").await.map_err(at)?,
                "M:" => self.check_count(rest).await.map_err(at)?,
                "Q:" => {
                    let queued =
                        self.test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue").len()
                            - self.before[2];
                    if queued.to_string() != rest {
                        return Err(at(format!("{queued} are queued")));
                    }
                }
                _ => return Err(at("not understood".into())),
            }
        }
        self.send().await;
        match self.heard.front() {
            None => Ok(()),
            Some(line) => Err(format!("end: unexpected {line:?}")),
        }
    }

    async fn open(&mut self, options: &str) {
        let kind = match options.split(' ').next() {
            Some("lmtp") => Kind::Lmtp,
            Some("submission") => Kind::Submission,
            _ => Kind::Mx,
        };
        let tls = options.contains("tls").then_some(Tls { version: "TLSv1.3", cipher: Some("TLS_X") });
        let peer = if options.contains("remote") { "192.0.2.1" } else { "127.0.0.1" };
        let link = Link {
            conn: 7,
            peer: peer.parse().expect("an address"),
            tls,
            can_start_tls: tls.is_none(),
            may_authenticate: tls.is_some() || peer == "127.0.0.1",
            binding: None,
            unix_millis: 0x1234,
        };
        let session = Session::new(kind, Arc::clone(&self.service.settings), link, Instant::now());
        let worker = Worker::new(Arc::clone(&self.service), kind, 7, peer.parse().expect("an address"));
        self.talk = Some((session, worker));
        self.closed = false;
        self.feed(b"").await;
    }

    async fn limit(&mut self, rest: &str) -> Result<(), String> {
        let (name, room) = rest.split_once(' ').ok_or("give a name and a number")?;
        let room: u64 = room.parse().map_err(|_| "give a number")?;
        let address = address(&format!("{name}@example.org"));
        let account = if name == "alice" { &self.test.alice } else { &self.test.bob };
        let (used, _) = account.quota().await.expect("its quota");
        let quota = (room > 0).then_some(used + room);
        self.test.hub.set_quota(&address, quota).await.map_err(|error| error.to_string())
    }

    async fn send(&mut self) {
        let packet = std::mem::take(&mut self.packet);
        if !packet.is_empty() {
            self.feed(&packet).await;
        }
    }

    async fn feed(&mut self, mut input: &[u8]) {
        let Some((session, worker)) = &mut self.talk else { return };
        while !self.closed {
            match session.feed(&mut input, Instant::now()) {
                Step::Ask(request) => worker.perform(request, session).await,
                Step::Close => self.closed = true,
                Step::Discard => worker.discard(),
                Step::Read => break,
                Step::StartTls => {
                    worker.tls_started();
                    session.tls_started(Some(Tls { version: "TLSv1.3", cipher: Some("TLS_X") }), None);
                }
                Step::Write(bytes) => {
                    if let Err(reply) = worker.write(bytes).await {
                        session.write_failed(reply);
                    }
                }
            }
        }
        let output = std::mem::take(session.output());
        let output = String::from_utf8(output).expect("replies are ASCII");
        self.heard.extend(output.split_terminator("\r\n").map(str::to_owned));
    }

    fn expect(&mut self, pattern: &str) -> Result<(), String> {
        if pattern == "closed" {
            return if self.closed && self.heard.is_empty() { Ok(()) } else { Err("still open".into()) };
        }
        let line = self.heard.pop_front().ok_or("the server said nothing")?;
        let matches = match pattern.strip_suffix('*') {
            Some(start) => line.starts_with(start),
            None => line == pattern,
        };
        if matches { Ok(()) } else { Err(format!("the server said {line:?}")) }
    }

    fn expect_lines(&mut self, rest: &str) -> Result<(), String> {
        let (count, pattern) = rest.split_once(' ').ok_or("give a number and a line")?;
        let count: usize = count.parse().map_err(|_| "not a number")?;
        (0..count).try_for_each(|_| self.expect(pattern))
    }

    fn expect_reply(&mut self, code: &str) -> Result<(), String> {
        loop {
            let line = self.heard.pop_front().ok_or("the server said nothing")?;
            if !line.starts_with(code) {
                return Err(format!("the server said {line:?}"));
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(());
            }
        }
    }

    async fn check_count(&self, rest: &str) -> Result<(), String> {
        let (name, count) = rest.split_once(' ').ok_or("give a name and a number")?;
        let before = self.before[usize::from(name != "alice")];
        let found = self.test.inbox(name).await.len() - before;
        if found.to_string() == count { Ok(()) } else { Err(format!("there are {found}")) }
    }

    async fn check_body(&self, rest: &str, wanted: bool) -> Result<(), String> {
        let (name, text) = rest.split_once(' ').ok_or("give a name and a text")?;
        let last = self.test.inbox(name).await.pop().ok_or("the INBOX is empty")?;
        let found = memchr::memmem::find(&last, &unescape(text)).is_some();
        if found == wanted {
            Ok(())
        } else {
            Err(format!("the message is {:?}", String::from_utf8_lossy(&last)))
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let (escape, after) = after.split_at(1);
        rest = after;
        match escape {
            "r" => out.push(b'\r'),
            "n" => out.push(b'\n'),
            "0" => out.push(0),
            "x" => {
                out.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
                rest = &after[2..];
            }
            "{" => {
                let (repeated, after) = after.split_once('}').expect("a closing brace");
                let (what, times) = repeated.split_once('*').expect("text*times");
                out.extend(unescape(what).repeat(times.parse().expect("a number")));
                rest = after;
            }
            other => out.extend_from_slice(other.as_bytes()),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

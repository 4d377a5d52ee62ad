//! Servers that misbehave: an import from them ends with a sentence, and what it kept is right.

use std::time::Duration;

use hub::{Address, Hub, Secret, Settings};
use hub_storage::{Database, Options, Storage};
use hub_transfer::{Courier, Error, imap, keep};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a server says to commands that begin with a text; `TAG` becomes the command's tag. After an
/// answer without a tag it ends the connection.
type Script = &'static [(&'static str, &'static [u8])];

async fn server(script: Script) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script));
        }
    });
    port
}

/// The greeting answers the empty command.
async fn serve(stream: TcpStream, script: Script) {
    let mut stream = BufReader::new(stream);
    let (mut tag, mut command) = (String::new(), String::new());
    while let Some((_, answer)) = script.iter().find(|(start, _)| match *start {
        "" => tag.is_empty(),
        start => command.starts_with(start),
    }) {
        let text = String::from_utf8_lossy(answer).replace("TAG", &tag);
        // The client may have given up.
        let written = stream.write_all(text.as_bytes()).await;
        let mut line = String::new();
        let is_last = !tag.is_empty() && !text.contains(&tag);
        if written.is_err() || is_last || stream.read_line(&mut line).await.is_err() {
            return;
        }
        let (of_line, rest) = line.trim_end().split_once(' ').unwrap_or_default();
        (tag, command) = (of_line.to_owned(), rest.to_owned());
    }
}

struct World {
    hub: Hub,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let hub = Hub::open(storage, Settings::default()).await.expect("hub");
        hub.add_domain("a.test").await.expect("added");
        let alice = Address::parse("alice@a.test").expect("an address");
        hub.add_twin(&alice, &Secret::new("password")).await.expect("added");
        Self { hub, _folder: folder }
    }

    async fn import(&self, script: Script) -> Result<(), Error> {
        let port = server(script).await;
        let address = imap::Address::parse(&format!("imap://old@127.0.0.1:{port}/")).expect("an address");
        let password = Secret::new("secret");
        let tls = hub_wire::tls_connector(&[]).expect("TLS");
        let login = imap::Login { address: &address, password: &password, tls, pause: Duration::ZERO };
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let hub = self.hub.clone();
        tokio::spawn(async move { keep(&hub, theirs).await });
        let mut courier = Courier::open(ours, "alice@a.test").await.expect("a keeper");
        imap::import(&login, &mut courier, &mut ()).await
    }

    async fn inbox(&self) -> Vec<String> {
        self.mailbox("INBOX").await
    }

    async fn mailbox(&self, path: &str) -> Vec<String> {
        let account = self.hub.account_for_owner(&Address::parse("alice@a.test").expect("an address")).await;
        let account = account.expect("alice");
        let messages = account.messages();
        let mailbox = messages.mailbox(path).await.expect(path);
        let snapshot = messages.open(mailbox.id).await.expect("open").snapshot();
        let ids: Vec<_> = snapshot.iter().map(|record| record.email).collect();
        let mut found = Vec::new();
        for message in messages.fetch(&ids).await.expect("fetched").into_iter().flatten() {
            let bytes =
                messages.open_message(&message).await.expect("opened").read(0..u64::MAX).await.expect("read");
            found.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        found
    }
}

/// A server with two messages, except for these answers.
macro_rules! script {
    ($(($command:literal, $answer:literal)),* $(,)?) => {
        &[
            $(($command, $answer as &[u8]),)*
            ("", b"* OK hello\r\n"),
            ("CAPABILITY", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"),
            ("LOGIN", b"TAG OK\r\n"),
            ("LIST", b"* LIST () \"/\" INBOX\r\nTAG OK\r\n"),
            ("STATUS", b"* STATUS INBOX (MESSAGES 2)\r\nTAG OK\r\n"),
            ("EXAMINE", b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK\r\n"),
            ("UID FETCH 1:* (UID)", b"* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\nTAG OK\r\n"),
            (
                "UID FETCH",
                b"* 2 FETCH (UID 2 FLAGS () BODY[] {4}\r\nb: 2)\r\n* 1 FETCH (BODY[] \"a: 1\" UID 1)\r\n* 3 EXISTS\r\nTAG OK\r\n",
            ),
            ("LOGOUT", b"TAG OK\r\n"),
        ]
    };
}

#[tokio::test]
async fn a_plain_server_is_imported() {
    let world = World::new().await;
    world.import(script![]).await.expect("imported");
    assert_eq!(world.inbox().await, ["b: 2", "a: 1"]);
}

#[tokio::test]
async fn nonsense_is_an_error() {
    let world = World::new().await;
    let scripts: &[Script] = &[
        &[],
        script![("", b"220 smtp.a.test ESMTP\r\n")],
        script![("", b"\0\xff\xfe\r\n")],
        script![("", b"* BYE too many\r\n")],
        script![("CAPABILITY", b"rubbish\r\n")],
        script![("CAPABILITY", b"* LIST {99999999999}\r\n")],
        script![("LOGIN", b"TAG NO wrong password\r\n")],
        script![("LIST", b"* LIST () \"/\" {3}\r\nabc")],
        script![("EXAMINE", b"* 2 EXISTS\r\nTAG OK\r\n")],
        script![("EXAMINE", b"TAG NO not today\r\n")],
        script![("UID FETCH 1:2 ", b"* 1 FETCH (UID 1 BODY[] {100}\r\nshort")],
        script![("UID FETCH 1:2 ", b"* 1 FETCH (FLAGS () BODY[] {4}\r\na: 1)\r\nTAG OK\r\n")],
        script![("UID FETCH 1:2 ", b"* 1 FETCH (UID 77 BODY[] {4}\r\na: 1)\r\nTAG OK\r\n")],
        script![("UID FETCH 1:2 ", b"* 1 FETCH ((((((((((((((((((((((((((((\r\nTAG OK\r\n")],
        script![("UID FETCH 1:2 ", b"* 1 FETCH (UID 1 BODY[] {18446744073709551615}\r\n")],
    ];
    for (n, script) in scripts.iter().enumerate() {
        let ended = tokio::time::timeout(Duration::from_secs(60), world.import(script)).await;
        let error =
            ended.expect("it ends").err().unwrap_or_else(|| panic!("script {n} succeeds")).to_string();
        assert!(!error.is_empty() && !error.contains('\0'), "{error}");
    }
    assert!(world.inbox().await.is_empty(), "no piece of a message became one");
}

/// A line without end must not be kept in memory.
#[tokio::test]
async fn an_endless_line_is_cut() {
    let world = World::new().await;
    let line: &'static [u8] = vec![b'x'; 3 << 20].leak();
    let script: Script = vec![("", line)].leak();
    assert!(matches!(world.import(script).await, Err(Error::Broken(_))));
}

/// The whole message before the break is kept, once, however often that happens.
#[tokio::test]
async fn a_message_before_a_break_is_kept_once() {
    let world = World::new().await;
    let script: Script = script![(
        "UID FETCH 1:2 ",
        b"* 1 FETCH (UID 1 BODY[] {4}\r\na: 1)\r\n* 2 FETCH (UID 2 BODY[] {9}\r\nb"
    )];
    let ended = world.import(script).await;
    // What is missing then is asked for alone, and this server has it.
    ended.expect("imported");
    let inbox = world.inbox().await;
    assert_eq!(inbox, ["a: 1", "b: 2"]);
}

/// Exchange and Courier say NO to a FETCH of which they cannot read one message.
#[tokio::test]
async fn what_came_before_a_refusal_stays_in_its_mailbox() {
    let world = World::new().await;
    let script: Script = script![
        ("LIST", b"* LIST () \"/\" INBOX\r\n* LIST () \"/\" Later\r\nTAG OK\r\n"),
        ("UID FETCH 1:2 ", b"* 1 FETCH (UID 1 BODY[] {4}\r\na: 1)\r\nTAG NO one is damaged\r\n"),
    ];
    let error = world.import(script).await.expect_err("said in the end").to_string();
    assert!(error.contains("INBOX, Later"), "{error}");
    assert_eq!(world.inbox().await, ["a: 1"]);
    assert_eq!(world.mailbox("Later").await, ["a: 1"]);
}

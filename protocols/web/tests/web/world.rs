//! A hub with `example.org`, `bücher.example` and one twin, and the web door on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hub::{Address, Hub, Secret, Settings};
use hub_storage::{Database, Options, Storage};
use hub_web::{Ports, Service, Services};
use hub_wire::ListenOptions;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PORTS: Ports = Ports {
    http: Some(80),
    https: None,
    imap: Some(143),
    imaps: Some(993),
    managesieve: None,
    submission: Some(587),
    submissions: Some(465),
};

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    _folder: TempDir,
}

/// One order is under way.
fn proof(token: &str) -> Option<String> {
    (token == "token_1").then(|| "token_1.thumbprint".to_owned())
}

impl World {
    /// Plain HTTP that answers everything, as behind a proxy: no https is offered.
    pub(crate) async fn new() -> Self {
        Self::with(Services { hostname: None, ports: PORTS, mta_sts_mode: None }).await
    }

    pub(crate) async fn with(services: Services) -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let settings = Settings::default();
        let hub = Hub::open(storage, settings).await.expect("hub");
        for domain in ["example.org", "bücher.example"] {
            hub.add_domain(domain).await.expect("added");
        }
        let alice = Address::parse("alice@example.org").expect("an address");
        hub.add_twin(&alice, &Secret::new("password")).await.expect("added");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shutdown = CancellationToken::new();
        let options = ListenOptions {
            name: "http",
            implicit_tls: None,
            max_connections: 10,
            max_per_address: 10,
            max_per_minute: 0,
            spared: hub_wire::Networks::default(),
            proxies: hub_wire::Networks::default(),
            refusal: "",
        };
        let service = Arc::new(Service { hub, services, challenges: Box::new(proof), mounts: Vec::new() });
        let task = tokio::spawn(hub_web::serve(listener, options, service, shutdown.clone()));
        Self { address, shutdown, task, _folder: folder }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Sends these bytes; everything that comes until the server closes.
    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may answer and close before it read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
        let _ = read.await.expect("the server ends the connection");
        String::from_utf8(answer).expect("text")
    }

    pub(crate) async fn get(&self, host: &str, target: &str) -> Answer {
        self.send("GET", host, target, "").await
    }

    pub(crate) async fn send(&self, method: &str, host: &str, target: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Answer::read(&self.exchange(request.as_bytes()).await)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The text of every element of this name, entities as they are.
    pub(crate) fn texts(&self, element: &str) -> Vec<&str> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        self.body.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect()
    }
}

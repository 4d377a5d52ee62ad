//! What an idle connection costs, and how soon it hears of a delivery. Over real sockets.

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_imap::{Settings, serve};
use hub_wire::ListenOptions;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use world::World;

const PATIENCE: Duration = Duration::from_secs(20);
/// Few enough for the usual limit of 1,024 file descriptors, both ends counted.
const CONNECTIONS: usize = 300;
/// Bytes of memory per connection, client's end included.
const LIMIT: usize = 8 << 10;

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("sent");
    }

    async fn hear(&mut self, start: &str) {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
            assert!(read.expect("in time").expect("read") > 0, "closed while waiting for {start}");
            if line.starts_with(start) {
                return;
            }
        }
    }

    async fn idle(address: std::net::SocketAddr, twin: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        // No buffer of the client's may hide what the server holds.
        let mut client = Self { stream: BufReader::with_capacity(256, stream) };
        client.say(&format!("a LOGIN {twin} secret\r\nb SELECT INBOX\r\nc NOOP\r\nd IDLE")).await;
        client.hear("+ idling").await;
        client
    }
}

/// Memory of this process without that of its program, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
}

#[tokio::test]
async fn idle_connections_cost_little_and_hear_at_once() {
    let world =
        World::new(Settings { connections_per_account: 2 * CONNECTIONS, ..Settings::default() }).await;
    let twin = world.twin("idler").await;
    world.append(&twin, 100).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = ListenOptions {
        name: "imap",
        implicit_tls: None,
        max_connections: 10_000,
        max_per_address: 10_000,
        max_per_minute: 0,
        spared: hub_wire::Networks::default(),
        proxies: hub_wire::Networks::default(),
        refusal: "",
    };
    tokio::spawn(serve(listener, options, Arc::clone(&world.service), CancellationToken::new()));
    // What is allocated once, for the first of many.
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(Client::idle(address, &twin).await);
    }
    let before = resident();
    for _ in 0..CONNECTIONS {
        clients.push(Client::idle(address, &twin).await);
    }
    let each = resident().saturating_sub(before) / CONNECTIONS;
    assert!(each < LIMIT, "an idle connection costs {each} bytes");

    let started = Instant::now();
    world.append(&twin, 1).await;
    let committed = started.elapsed();
    for client in &mut clients {
        client.hear("* 101 EXISTS").await;
    }
    // The aim for one is 5 ms after the commit: tests/bench measures it.
    println!("{each} bytes each; commit {committed:?}, all told {:?}", started.elapsed());
}

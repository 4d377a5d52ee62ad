//! Over real sockets: what the session in memory cannot show.

use std::sync::Arc;

use hub_wire::ListenOptions;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::transcripts::{TestHub, certificate, service_with, test_hub};
use crate::{Kind, Settings};

struct Server {
    test: TestHub,
    port: u16,
    pem: String,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

async fn server(kind: Kind) -> Server {
    let test = test_hub().await;
    let (pem, tls) = certificate();
    let service = service_with(&test.hub, Settings::new("hub.test"), tls);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let options = ListenOptions {
        name: "test",
        implicit_tls: None,
        max_connections: 10,
        max_per_address: 10,
        max_per_minute: 0,
        spared: hub_wire::Networks::default(),
        proxies: hub_wire::Networks::default(),
        refusal: "",
    };
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(crate::serve(listener, options, kind, service, shutdown.clone()));
    Server { test, port, pem, shutdown, task }
}

impl Server {
    async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connected");
        let mut client = Client(BufReader::new(stream));
        client.expect(&["220"]).await;
        client
    }

    async fn tls(&self, client: Client<TcpStream>) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
        let connector = hub_wire::tls_connector(self.pem.as_bytes()).expect("roots");
        let name = "127.0.0.1".try_into().expect("a name");
        let stream = connector.connect(name, client.0.into_inner()).await.expect("the handshake");
        Client(BufReader::new(stream))
    }

    async fn stop(self) -> TestHub {
        self.shutdown.cancel();
        self.task.await.expect("the listener ends");
        self.test
    }
}

struct Client<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn say(&mut self, text: &[u8]) {
        self.0.write_all(text).await.expect("written");
        self.0.flush().await.expect("written");
    }

    /// Whole replies with these codes.
    async fn expect(&mut self, codes: &[&str]) {
        for code in codes {
            loop {
                let line = self.line().await;
                assert!(line.starts_with(code), "{code} expected: {line:?}");
                if line.as_bytes().get(3) == Some(&b' ') {
                    break;
                }
            }
        }
    }

    /// Empty at the end of the connection.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("read");
        line
    }
}

const ENVELOPE: &[u8] = b"MAIL FROM:<a@far.test>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n";

#[tokio::test]
async fn a_large_message_arrives_byte_for_byte() {
    let server = server(Kind::Mx).await;
    let mut text = Vec::new();
    for n in 0..120_000u32 {
        text.extend_from_slice(format!(".{n:x} \u{e9}\0 {}\r\n", "x".repeat(n as usize % 90)).as_bytes());
    }
    let mut stuffed = Vec::new();
    let mut stuffer = crate::stuffer::Stuffer::for_data();
    stuffer.push(&text, &mut stuffed);
    stuffer.finish(&mut stuffed);
    let mut client = server.connect().await;
    client.say(b"EHLO x\r\n").await;
    client.expect(&["250"]).await;
    client.say(ENVELOPE).await;
    client.expect(&["250", "250", "354"]).await;
    client.say(&stuffed).await;
    client.expect(&["250"]).await;
    let test = server.stop().await;
    let kept = test.inbox("alice").await.remove(0);
    assert!(kept.ends_with(&text));
}

#[tokio::test]
async fn header_lines_of_a_megabyte_are_kept_and_longer_ones_refused() {
    let server = server(Kind::Mx).await;
    let mut client = server.connect().await;
    client.say(b"EHLO x\r\n").await;
    client.expect(&["250"]).await;
    let longest = crate::framer::MAX_LINE as usize - 2;
    for (length, reply) in [(longest, "250"), (longest + 4, "554"), (10 * longest, "554"), (longest, "250")] {
        client.say(ENVELOPE).await;
        client.expect(&["250", "250", "354"]).await;
        let name = "Subject: ";
        let field = format!("{name}{}\r\n\r\nx\r\n.\r\n", "y".repeat(length - name.len()));
        client.say(field.as_bytes()).await;
        client.expect(&[reply]).await;
    }
    let test = server.stop().await;
    assert_eq!(test.inbox("alice").await.len(), 2);
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_and_then_cut_off() {
    let server = server(Kind::Mx).await;
    let mut client = server.connect().await;
    client.say(b"EHLO x\r\nMAIL FROM:<a@far.test> SIZE=104857600\r\n").await;
    client.expect(&["250", "552"]).await;
    client.say(ENVELOPE).await;
    client.expect(&["250", "250", "354"]).await;
    let lines = [&b"x".repeat(62)[..], b"\r\n"].concat().repeat((1 << 20) / 64);
    let mut sent = 0;
    while sent < 150 && client.0.write_all(&lines).await.is_ok() {
        sent += 1;
    }
    // Twice the limit is read in the hope of an orderly end, and not all that somebody sends.
    assert!((100..150).contains(&sent), "{sent} MiB");
    let test = server.stop().await;
    assert_eq!(test.inbox("alice").await.len(), 0);
}

#[tokio::test]
async fn starttls_then_a_message() {
    let server = server(Kind::Mx).await;
    let mut client = server.connect().await;
    client.say(b"EHLO x\r\nSTARTTLS\r\n").await;
    client.expect(&["250", "220"]).await;
    let mut client = server.tls(client).await;
    client.say(b"EHLO x\r\n").await;
    client.expect(&["250"]).await;
    client.say(ENVELOPE).await;
    client.expect(&["250", "250", "354"]).await;
    client.say(b"secret\r\n.\r\nQUIT\r\n").await;
    client.expect(&["250", "221"]).await;
    assert_eq!(client.line().await, "");
    let test = server.stop().await;
    let kept = String::from_utf8(test.inbox("alice").await.remove(0)).expect("text");
    assert!(kept.contains(" with ESMTPS id "), "{kept}");
}

/// Bytes that came behind STARTTLS in a packet of their own are read as TLS, and break it.
#[tokio::test]
async fn injected_commands_do_not_survive_starttls() {
    let server = server(Kind::Mx).await;
    let mut client = server.connect().await;
    client.say(b"EHLO x\r\nSTARTTLS\r\n").await;
    client.expect(&["250", "220"]).await;
    client.say(ENVELOPE).await;
    // A TLS alert at most, then the end.
    let mut rest = Vec::new();
    let _ = client.0.read_until(b'\n', &mut rest).await;
    assert!(!rest.starts_with(b"250"), "{:?}", String::from_utf8_lossy(&rest));
    server.stop().await;
}

#[tokio::test]
async fn idle_clients_hear_of_the_shutdown_and_messages_are_finished() {
    let server = server(Kind::Submission).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.say(b"EHLO x\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldC1h\r\n").await;
    busy.expect(&["250", "235"]).await;
    busy.say(b"MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n").await;
    busy.expect(&["250", "250", "354"]).await;
    server.shutdown.cancel();
    idle.expect(&["421"]).await;
    assert_eq!(idle.line().await, "");
    busy.say(b"From: alice@example.org\r\n\r\nlast words\r\n.\r\n").await;
    busy.expect(&["250", "421"]).await;
    let test = server.stop().await;
    assert_eq!(test.inbox("bob").await.len(), 1);
}

/// An idle connection is this future, the session in it, and what the kernel and the runtime add.
#[test]
fn an_idle_connection_is_small() {
    fn size<F, Fut>(_: F) -> usize
    where
        F: Fn(hub_wire::Connection, Kind, Arc<crate::Service>, CancellationToken) -> Fut,
    {
        size_of::<Fut>()
    }
    let bytes = size(crate::converse);
    assert!(bytes <= 4096, "{bytes}");
}

//! Over real sockets on loopback.

use super::*;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn serve<F, Fut>(options: ListenOptions, handler: F) -> Server
where
    F: Fn(Connection, CancellationToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let task = tokio::spawn(listen(listener, options, shutdown.clone(), move |connection| {
        handler(connection, token.clone())
    }));
    Server { address, shutdown, task }
}

fn options(max_connections: usize) -> ListenOptions {
    let refusal = "* BYE Too many\r\n";
    ListenOptions {
        name: "test",
        implicit_tls: None,
        max_connections,
        max_per_address: 1,
        max_per_minute: 0,
        spared: Networks::default(),
        proxies: Networks::default(),
        refusal,
    }
}

/// Answers each byte with the same byte until the end or the shutdown.
async fn echo(mut connection: Connection, shutdown: CancellationToken) {
    let mut byte = [0];
    loop {
        tokio::select! {
            () = shutdown.cancelled() => {
                connection.write_all(b"bye").await.expect("peer reads");
                connection.shutdown().await.expect("peer reads");
                return;
            }
            ready = connection.readable() => ready.expect("readable"),
        }
        match connection.read(&mut byte).await {
            Ok(1) => connection.write_all(&byte).await.expect("peer reads"),
            _ => return,
        }
        connection.flush().await.expect("peer reads");
    }
}

fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("key fits");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("certificate");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

#[tokio::test]
async fn shutdown_lets_connections_finish() {
    let server = serve(options(10), echo).await;
    let mut client = TcpStream::connect(server.address).await.expect("connects");
    let mut byte = [0];
    client.write_all(b"x").await.expect("writes");
    client.read_exact(&mut byte).await.expect("echo");
    server.shutdown.cancel();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("reads");
    assert_eq!(rest, b"bye");
    server.task.await.expect("ended");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_handler_that_hangs_is_ended_after_the_drain_time() {
    struct SaysWhenDropped(mpsc::UnboundedSender<()>);
    impl Drop for SaysWhenDropped {
        fn drop(&mut self) {
            self.0.send(()).expect("test waits");
        }
    }
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let mut connections = JoinSet::new();
    connections.spawn(async {});
    connections.spawn(async move {
        let _connection = SaysWhenDropped(sender);
        std::future::pending::<()>().await;
    });
    drain("test", connections, Duration::from_millis(1)).await;
    assert!(dropped.try_recv().is_ok());
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed() {
    let server = serve(options(1), echo).await;
    let mut byte = [0];
    let mut first = TcpStream::connect(server.address).await.expect("connects");
    first.write_all(b"1").await.expect("writes");
    first.read_exact(&mut byte).await.expect("echo");
    let mut second = TcpStream::connect(server.address).await.expect("the kernel accepts");
    let mut told = String::new();
    second.read_to_string(&mut told).await.expect("an end in good order");
    assert_eq!(told, "* BYE Too many\r\n");
    first.write_all(b"2").await.expect("writes");
    first.read_exact(&mut byte).await.expect("the first goes on");
    assert_eq!(&byte, b"2");
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let (config, connector) = tls();
    let options = ListenOptions { implicit_tls: Some(config), ..options(10) };
    let server = serve(options, |connection, shutdown| async move {
        assert!(connection.is_tls() && connection.may_authenticate());
        echo(connection, shutdown).await;
    })
    .await;
    let mut rubbish = TcpStream::connect(server.address).await.expect("connects");
    rubbish.write_all(b"EHLO plain.example\r\n").await.expect("writes");
    let stream = TcpStream::connect(server.address).await.expect("connects");
    let mut client = connector.connect(localhost(), stream).await.expect("handshake");
    let mut bytes = [0; 2];
    client.write_all(b"ab").await.expect("writes");
    client.read_exact(&mut bytes).await.expect("echo");
    assert_eq!(&bytes, b"ab");
    server.shutdown.cancel();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("an end with close_notify");
    assert_eq!(rest, b"bye");
}

/// RFC 9266 §2: what SCRAM-SHA-256-PLUS binds to.
#[tokio::test]
async fn both_ends_know_the_same_channel_binding() {
    let (config, connector) = tls();
    let options = ListenOptions { implicit_tls: Some(config), ..options(10) };
    let server = serve(options, |mut connection, _| async move {
        let binding = connection.channel_binding().expect("TLS 1.3");
        connection.write_all(&binding.0).await.expect("writes");
        connection.flush().await.expect("flushes");
    })
    .await;
    let stream = TcpStream::connect(server.address).await.expect("connects");
    let mut client = connector.connect(localhost(), stream).await.expect("handshake");
    let mut theirs = [0; 32];
    client.read_exact(&mut theirs).await.expect("the server's");
    let session = client.get_ref().1;
    let ours = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
    assert_eq!(ours.expect("exported"), theirs);
}

#[tokio::test]
async fn start_tls_after_plain_text() {
    let (config, connector) = tls();
    let server = serve(options(10), move |mut connection, shutdown| {
        let config = Arc::clone(&config);
        async move {
            let mut line = [0; 4];
            connection.read_exact(&mut line).await.expect("a line");
            connection.write_all(b"go").await.expect("writes");
            if let Ok(connection) = connection.start_tls(config).await {
                echo(connection, shutdown).await;
            }
        }
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    let mut answer = [0; 2];
    stream.write_all(b"STLS").await.expect("writes");
    stream.read_exact(&mut answer).await.expect("answer");
    let mut client = connector.connect(localhost(), stream).await.expect("handshake");
    client.write_all(b"x").await.expect("writes");
    client.read_exact(&mut answer[..1]).await.expect("echo");

    // What is pipelined behind the command and was not read by the caller breaks the handshake.
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    stream.write_all(b"STLSb NOOP\r\n").await.expect("writes");
    stream.read_exact(&mut answer).await.expect("answer");
    assert!(connector.connect(localhost(), stream).await.is_err());
}

/// Says who is there, and whether a password would be taken.
async fn who(mut connection: Connection, _: CancellationToken) {
    let (peer, local) = (connection.peer(), connection.local());
    let said = format!("{peer} {local} {}", connection.may_authenticate());
    connection.write_all(said.as_bytes()).await.expect("peer reads");
    connection.shutdown().await.expect("peer reads");
}

async fn told(server: &Server, bytes: &[u8]) -> String {
    let mut client = TcpStream::connect(server.address).await.expect("connects");
    client.write_all(bytes).await.expect("writes");
    let mut told = String::new();
    // A connection that is closed with bytes unread is reset.
    let _ = client.read_to_string(&mut told).await;
    told
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n";

#[tokio::test]
async fn a_proxy_says_who_it_is() {
    let proxied = ListenOptions { proxies: Networks::loopback(), ..options(10) };
    let server = serve(proxied, who).await;
    assert_eq!(told(&server, HEADER).await, "192.0.2.1:12345 198.51.100.2:25 false");
    let itself = told(&server, b"PROXY UNKNOWN\r\n").await;
    assert!(itself.starts_with("127.0.0.1:") && itself.ends_with(" true"), "{itself}");
    for rubbish in [&b"EHLO mx.example\r\n"[..], b"PROXY TCP4 192.0.2.1\r\n"] {
        assert_eq!(told(&server, rubbish).await, "", "it has to say");
    }
    // TLS that ends at a proxy on this machine was TLS all the way.
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25];
    let tls = [0x20, 0, 5, 0x01, 0, 0, 0, 0];
    let header = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14"[..], &addresses, &tls].concat();
    assert_eq!(told(&server, &header).await, "192.0.2.1:12345 198.51.100.2:25 true");
}

#[tokio::test]
async fn nobody_else_may_name_himself() {
    let elsewhere = Networks(crate::Network::parse("192.0.2.0/24").into_iter().collect());
    let server = serve(ListenOptions { proxies: elsewhere, ..options(10) }, who).await;
    let told = told(&server, HEADER).await;
    assert!(told.starts_with("127.0.0.1:"), "{told}");
}

#[tokio::test]
async fn limits_are_for_whom_a_proxy_names() {
    let proxied = ListenOptions { proxies: Networks::loopback(), ..options(10) };
    let server = serve(proxied, echo).await;
    let mut byte = [0];
    let mut first = TcpStream::connect(server.address).await.expect("connects");
    first.write_all(&[HEADER, b"1"].concat()).await.expect("writes");
    first.read_exact(&mut byte).await.expect("echo");
    assert_eq!(told(&server, HEADER).await, "* BYE Too many\r\n", "one connection of each address");
    for n in 2..6u8 {
        let header = format!("PROXY TCP4 192.0.2.{n} 198.51.100.2 1 25\r\n");
        let mut other = TcpStream::connect(server.address).await.expect("connects");
        other.write_all(&[header.as_bytes(), b"2"].concat()).await.expect("writes");
        other.read_exact(&mut byte).await.expect("nobody else is concerned");
    }
    first.write_all(b"3").await.expect("writes");
    first.read_exact(&mut byte).await.expect("echo");
    assert_eq!(&byte, b"3");
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let (config, connector) = tls();
    let proxied = ListenOptions { implicit_tls: Some(config), proxies: Networks::loopback(), ..options(10) };
    let server = serve(proxied, who).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    stream.write_all(HEADER).await.expect("writes");
    let mut client = connector.connect(localhost(), stream).await.expect("handshake");
    let mut told = String::new();
    client.read_to_string(&mut told).await.expect("told");
    assert_eq!(told, "192.0.2.1:12345 198.51.100.2:25 true");
}

#[test]
fn only_tls_and_loopback_may_authenticate() {
    // Connections in tests come from loopback; what decides is the canonical peer address.
    for (address, is_loopback) in [
        ("[::ffff:127.0.0.1]:1", true),
        ("[::1]:1", true),
        ("192.0.2.1:1", false),
        ("[::ffff:192.0.2.1]:1", false),
    ] {
        let address: SocketAddr = address.parse().expect("address");
        assert_eq!(canonical(address).ip().is_loopback(), is_loopback, "{address}");
    }
}

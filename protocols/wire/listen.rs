//! The accept loop: limits, socket options, TLS from the first byte where wanted, drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::limits::ConnectionLimits;
use crate::{Connection, Networks};

/// How long connections get to finish after a shutdown began. Less than the 10 s after which
/// container runtimes kill.
pub const DRAIN_TIME: Duration = Duration::from_secs(8);

/// Clients behind a home router or a mobile network are forgotten after some minutes without a
/// packet; and a peer that vanished without a FIN must not keep its place for long.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// A peer that acknowledges nothing for so long, neither data nor probes, is gone. Linux would go on
/// for a quarter of an hour; phones that change networks leave many behind (thunderbird-android#8574).
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(180);

/// At most one log line about refused connections in this time: a flood must not fill the disk.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct ListenOptions {
    /// For the log.
    pub name: &'static str,
    /// TLS from the first byte on (RFC 8314 §3), before the handler gets the connection.
    pub implicit_tls: Option<Arc<ServerConfig>>,
    /// Connections of this listener at one time; more are closed at once.
    pub max_connections: usize,
    /// What a connection over a limit is told before it is closed, a line with its CRLF; over TLS
    /// nothing can be said without a handshake, which is what the limit is to save.
    pub refusal: &'static str,
    /// Connections from one IPv4 address or IPv6 /64. Loopback and spared addresses are bound by
    /// `max_connections` only: a proxy brings everybody's connections.
    pub max_per_address: usize,
    /// New connections from one such within a minute; 0 is no limit.
    pub max_per_minute: u32,
    /// Networks of the hub's owner.
    pub spared: Networks,
}

/// Accepts until `shutdown`, then waits for the handlers up to [`DRAIN_TIME`]. The handlers learn of
/// the shutdown through a clone of the token of their own.
pub async fn listen<F, Fut>(
    listener: TcpListener,
    options: ListenOptions,
    shutdown: CancellationToken,
    handler: F,
) where
    F: Fn(Connection) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let limits = ConnectionLimits::new(&options);
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::new(options.name);
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                report_panic(options.name, ended);
                continue;
            }
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(options.name, &error).await;
                    continue;
                }
            },
        };
        let place = match limits.enter(peer.ip()) {
            Ok(place) => place,
            Err(limit) => {
                refusals.note(peer, limit);
                if options.implicit_tls.is_none() {
                    refuse(stream, options.refusal);
                }
                continue;
            }
        };
        let connection = match prepare(stream, peer) {
            Ok(connection) => connection,
            Err(error) => {
                debug!(listener = options.name, %peer, %error, "connection lost before it began");
                continue;
            }
        };
        let (handler, tls, name) = (Arc::clone(&handler), options.implicit_tls.clone(), options.name);
        connections.spawn(async move {
            let _place = place;
            let connection = match tls {
                None => connection,
                Some(tls) => {
                    let (id, peer) = (connection.id(), connection.peer());
                    match connection.start_tls(tls).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            debug!(listener = name, conn = id, %peer, %error, "TLS handshake failed");
                            return;
                        }
                    }
                }
            };
            handler(connection).await;
        });
    }
    drop(listener);
    drain(options.name, connections, DRAIN_TIME).await;
}

/// Says why and closes. Never waits: the line fits into the buffer of a new socket.
fn refuse(stream: TcpStream, words: &str) {
    if let Ok(mut stream) = stream.into_std() {
        // A client that is gone already need not know.
        let _ = io::Write::write(&mut stream, words.as_bytes());
    }
}

fn prepare(stream: TcpStream, peer: SocketAddr) -> io::Result<Connection> {
    // Replies are written whole; waiting to fill a packet would only add 40 ms to each.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Connection::new(stream, peer)
}

/// A client that gave up between SYN and accept is nothing; but with no file descriptor left,
/// accept would fail again at once and burn a core.
async fn pause_after(name: &'static str, error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    warn!(listener = name, %error, "cannot accept connections for the moment");
    tokio::time::sleep(Duration::from_millis(500)).await;
}

async fn drain(name: &'static str, mut connections: JoinSet<()>, time: Duration) {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report_panic(name, ended);
        }
    };
    if tokio::time::timeout(time, all_ended).await.is_err() {
        warn!(
            listener = name,
            connections = connections.len(),
            "closing connections that did not finish in time"
        );
        connections.shutdown().await;
    }
}

fn report_panic(name: &'static str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(listener = name, %error, "a connection's handler panicked; the connection was closed");
    }
}

struct Refusals {
    name: &'static str,
    unreported: u64,
    reported_at: Option<Instant>,
}

impl Refusals {
    fn new(name: &'static str) -> Self {
        Self { name, unreported: 0, reported_at: None }
    }

    fn note(&mut self, peer: SocketAddr, limit: &'static str) {
        self.unreported += 1;
        if self.reported_at.is_none_or(|at| at.elapsed() >= REFUSAL_LOG_INTERVAL) {
            warn!(listener = self.name, %peer, limit, refused = self.unreported, "too many connections");
            self.reported_at = Some(Instant::now());
            self.unreported = 0;
        }
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(crate::stream::canonical(address).ip().is_loopback(), is_loopback, "{address}");
        }
    }
}

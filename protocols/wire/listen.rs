//! The accept loop: limits, socket options, for whom a proxy comes, TLS from the first byte where
//! wanted, drain.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::limits::{ConnectionLimits, Place};
use crate::proxy::{self, HEADER_TIME, Origin};
use crate::stream::canonical;
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
    /// Proxies, each of whose connections begins with a header of the PROXY protocol. They have no limits
    /// themselves; whom they name has.
    pub proxies: Networks,
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
    let door = Arc::new(Door::new(options));
    let name = door.options.name;
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                report_panic(name, ended);
                continue;
            }
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(name, &error).await;
                    continue;
                }
            },
        };
        let Some((connection, place)) = door.enter(stream, peer) else { continue };
        let (handler, door) = (Arc::clone(&handler), Arc::clone(&door));
        connections.spawn(async move {
            let mut place = place;
            // Boxed: what comes before the conversation must not reserve room for all of it.
            match Box::pin(door.begin(connection, &mut place)).await {
                Ok(Some(connection)) => handler(connection).await,
                Ok(None) => {}
                Err(error) => {
                    debug!(listener = door.options.name, %peer, %error, "connection lost before it began");
                }
            }
        });
    }
    drop(listener);
    drain(name, connections, DRAIN_TIME).await;
}

/// What stands between a new socket and its conversation.
struct Door {
    options: ListenOptions,
    limits: ConnectionLimits,
    refusals: Refusals,
}

impl Door {
    fn new(options: ListenOptions) -> Self {
        let (limits, refusals) = (ConnectionLimits::new(&options), Refusals::new(options.name));
        Self { options, limits, refusals }
    }

    /// Never waits: others are at the door.
    fn enter(&self, stream: TcpStream, peer: SocketAddr) -> Option<(Connection, Place)> {
        let entered = match self.options.proxies.contains(peer.ip()) {
            true => self.limits.enter_unnamed(),
            false => self.limits.enter(peer.ip()),
        };
        let place = match entered {
            Ok(place) => place,
            Err(limit) => {
                self.refuse(&stream, peer, limit);
                return None;
            }
        };
        match prepare(stream, peer) {
            Ok(connection) => Some((connection, place)),
            Err(error) => {
                debug!(listener = self.options.name, %peer, %error, "connection lost before it began");
                None
            }
        }
    }

    /// Finds out who a proxy speaks for, then TLS where it comes first. `None` for who is over a limit.
    async fn begin(&self, mut connection: Connection, place: &mut Place) -> io::Result<Option<Connection>> {
        if self.options.proxies.contains(connection.peer().ip()) {
            match self.introduce(connection, place).await? {
                Some(introduced) => connection = introduced,
                None => return Ok(None),
            }
        }
        match &self.options.implicit_tls {
            None => Ok(Some(connection)),
            Some(tls) => connection.start_tls(Arc::clone(tls)).await.map(Some),
        }
    }

    async fn introduce(
        &self,
        mut connection: Connection,
        place: &mut Place,
    ) -> io::Result<Option<Connection>> {
        let proxy = connection.peer();
        let Some(stream) = connection.plain() else { return Ok(Some(connection)) };
        let Origin::Client { source, destination, over_tls } = proxy::read(stream, HEADER_TIME).await? else {
            return Ok(Some(connection));
        };
        let is_here = proxy.ip().is_loopback();
        // Somebody on the proxy's machine is not on this one, where passwords cross in the clear.
        if canonical(source).ip().is_loopback() && !is_here {
            return Ok(Some(connection));
        }
        if let Err(limit) = place.name(canonical(source).ip()) {
            self.refuse(stream, source, limit);
            return Ok(None);
        }
        debug!(listener = self.options.name, conn = connection.id(), %proxy, peer = %source, "proxied");
        Ok(Some(connection.on_behalf_of(source, destination, over_tls && is_here)))
    }

    /// Says why. Never waits: the line fits into the buffer of a new socket.
    fn refuse(&self, stream: &TcpStream, peer: SocketAddr, limit: &'static str) {
        self.refusals.note(peer, limit);
        if self.options.implicit_tls.is_none() {
            // A client that is gone already need not know.
            let _ = stream.try_write(self.options.refusal.as_bytes());
        }
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
    /// How many were not reported, and when some last were.
    state: Mutex<(u64, Option<Instant>)>,
}

impl Refusals {
    fn new(name: &'static str) -> Self {
        Self { name, state: Mutex::default() }
    }

    fn note(&self, peer: SocketAddr, limit: &'static str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (refused, reported_at) = &mut *state;
        *refused += 1;
        if reported_at.is_none_or(|at| at.elapsed() >= REFUSAL_LOG_INTERVAL) {
            warn!(listener = self.name, %peer, limit, refused = *refused, "too many connections");
            (*refused, *reported_at) = (0, Some(Instant::now()));
        }
    }
}

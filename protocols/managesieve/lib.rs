//! ManageSieve (RFC 5804): twins keep their rules about mail with it, from a mail program or an editor.
//!
//! This file has the sockets; `session` speaks the protocol without I/O, `grammar` reads commands,
//! `work` asks the hub. What a script may be, and what it does, is the hub's affair.
//!
//! RFC 5804, with UNAUTHENTICATE and NOOP; SASL PLAIN (RFC 4616), SCRAM-SHA-256 and -PLUS (RFC 7677), OAUTHBEARER (RFC 7628), XOAUTH2.

#[doc(hidden)]
pub mod fuzz;
mod grammar;
mod reply;
mod session;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod work;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use hub::{AccountId, Hub};
use hub_wire::limits::{AccountPlaces, LoginDelay};
use hub_wire::{Connection, ListenOptions};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use session::{Link, Session, Step};
use work::Worker;

pub use settings::Settings;

/// What all connections share.
pub struct Service {
    hub: Hub,
    tls: Arc<ServerConfig>,
    settings: Arc<Settings>,
    delays: Arc<LoginDelay>,
    places: AccountPlaces<AccountId>,
}

impl Service {
    /// `delays` is best shared with the other doors: a password is guessed at any of them.
    pub fn new(hub: Hub, tls: Arc<ServerConfig>, settings: Settings, delays: Arc<LoginDelay>) -> Self {
        Self { hub, tls, settings: Arc::new(settings), delays, places: AccountPlaces::default() }
    }
}

/// Serves a listener until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    options: ListenOptions,
    service: Arc<Service>,
    shutdown: CancellationToken,
) {
    let stop = shutdown.clone();
    let handler = move |connection| converse(connection, Arc::clone(&service), stop.clone());
    hub_wire::listen(listener, options, shutdown, handler).await;
}

/// Read at once. An idle connection has no buffer.
const BUFFER: usize = 4 * 1024;

async fn converse(connection: Connection, service: Arc<Service>, shutdown: CancellationToken) {
    let (conn, peer) = (connection.id(), connection.peer());
    let link = Link {
        can_start_tls: !connection.is_tls(),
        may_authenticate: connection.may_authenticate(),
        binding: connection.channel_binding(),
    };
    let mut talk = Talk {
        session: Session::new(Arc::clone(&service.settings), link, Instant::now()),
        worker: Worker::new(Arc::clone(&service), conn, peer.ip()),
        service,
    };
    let ended = talk.run(connection, &shutdown).await;
    debug!(conn, %peer, error = ended.err().map(tracing::field::display), "connection ended");
}

/// One conversation: the session and its worker.
struct Talk {
    session: Session,
    worker: Worker,
    service: Arc<Service>,
}

impl Talk {
    async fn run(&mut self, mut connection: Connection, shutdown: &CancellationToken) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let step = self.digest(&buffer).await;
            self.flush(&mut connection).await?;
            buffer.clear();
            match step {
                Step::StartTls => {
                    connection = connection.start_tls(Arc::clone(&self.service.tls)).await?;
                    self.session.tls_started(connection.channel_binding());
                }
                Step::Close => return connection.shutdown().await,
                Step::Ask(_) | Step::Read => self.read(&mut connection, &mut buffer, shutdown).await?,
            }
        }
    }

    /// Lets the session take all of `input`.
    async fn digest(&mut self, mut input: &[u8]) -> Step {
        let mut step = self.session.feed(&mut input, Instant::now());
        while let Step::Ask(request) = step {
            // Boxed, so that an idle connection does not reserve room for the hub's work.
            step = match Box::pin(self.worker.perform(request, &mut self.session)).await {
                Some(request) => Step::Ask(request),
                None => self.session.feed(&mut input, Instant::now()),
            };
        }
        step
    }

    /// Waits for input, the deadline or the end of the server.
    async fn read(
        &mut self,
        connection: &mut Connection,
        buffer: &mut Vec<u8>,
        shutdown: &CancellationToken,
    ) -> io::Result<()> {
        let idle = self.session.is_idle();
        if idle {
            *buffer = Vec::new();
        }
        let input = async {
            if idle {
                connection.readable().await?;
            }
            buffer.reserve(BUFFER);
            connection.read_buf(buffer).await
        };
        let read = tokio::select! {
            read = tokio::time::timeout_at(self.session.deadline().into(), input) => read,
            () = shutdown.cancelled() => {
                self.session.shut_down();
                return Ok(());
            }
        };
        match read {
            Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the client")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.session.timed_out();
                Ok(())
            }
        }
    }

    async fn flush(&mut self, connection: &mut Connection) -> io::Result<()> {
        let output = std::mem::take(self.session.output());
        if output.is_empty() {
            return Ok(());
        }
        let write = async {
            connection.write_all(&output).await?;
            connection.flush().await
        };
        let too_slow = |_| io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
        timeout(self.service.settings.command_time, write).await.map_err(too_slow)?
    }
}

//! SMTP: mail from other servers (RFC 5321), from twins' mail programs (RFC 6409), and towards other
//! servers or a relay host. LMTP (RFC 2033) for mail from a server that stands in front of this one.
//!
//! This file has the sockets of clients. `session` speaks the protocol without I/O, `work` asks the
//! hub for it, `mx`, `submission` and `lmtp` hold the rules of their port, `authentic` and `suspects` those
//! about senders, `content` asks a filter. `outbound` empties the queue: `exchange` finds and reaches the
//! hosts of a domain, `dial` and `relay` the relay host, `client` speaks to either, `dsn` writes
//! reports.
//!
//! It must not know storage, or another protocol. Whether a message may be promised (250) is known
//! from the hub alone: `Hub::deliver` and `Account::submit` return when it is on disk.
//!
//! RFC 5321, 6409, 2033 (LMTP), 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING), 3030 (CHUNKING), 3207
//! (STARTTLS), 3461 and 3464 (DSN), 3848 (with), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8),
//! 8601 §5 (forged results).

mod authentic;
mod client;
mod command;
mod content;
mod dial;
mod dsn;
mod exchange;
mod feedback;
mod fill;
mod forged;
mod framer;
#[doc(hidden)]
pub mod fuzz;
mod headers;
mod lmtp;
mod mx;
pub mod outbound;
mod path;
mod rates;
mod relay;
mod reply;
mod session;
mod settings;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod socket_tests;
mod status;
mod stuffer;
mod submission;
mod suspects;
#[cfg(test)]
mod transcripts;
mod work;

pub use content::{ContentFilter, OnError};
pub use hub_milter::{Filter, Place};
pub use rates::{RateSettings, Rates};
pub use settings::{Relay, RelaySecurity, Settings};

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hub::Hub;
use hub_dns::Dns;
use hub_mailauth::Authenticator;
use hub_wire::limits::LoginDelay;
use hub_wire::{Connection, ListenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use headers::Tls;
use session::{Link, Session, Step};
use work::Worker;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mail from a server in front of this one, one answer for each recipient. No log-in.
    Lmtp,
    /// Mail from other servers, for twins of this hub only. No log-in.
    Mx,
    /// Mail from twins, who log in first.
    Submission,
}

/// What all SMTP connections share.
pub struct Service {
    pub hub: Hub,
    /// For STARTTLS.
    pub tls: Arc<rustls::ServerConfig>,
    pub login_delay: Arc<LoginDelay>,
    pub settings: Arc<Settings>,
    /// Checks who is behind mail from other servers; without it all of it is believed.
    pub authenticator: Option<Authenticator>,
    /// For the way out.
    pub dns: Arc<Dns>,
}

/// Serves a listener until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    options: ListenOptions,
    kind: Kind,
    service: Arc<Service>,
    shutdown: CancellationToken,
) {
    let stop = shutdown.clone();
    let handler = move |connection| converse(connection, kind, Arc::clone(&service), stop.clone());
    hub_wire::listen(listener, options, shutdown, handler).await;
}

/// Read at once while commands are spoken, and while a message comes in. An idle connection has no
/// buffer at all.
const COMMAND_BUFFER: usize = 4 * 1024;
const MESSAGE_BUFFER: usize = 64 * 1024;
/// Replies are collected while a client pipelines (RFC 2920 §3.2), up to here.
const OUTPUT_BUFFER: usize = 16 * 1024;

async fn converse(connection: Connection, kind: Kind, service: Arc<Service>, shutdown: CancellationToken) {
    let now = Instant::now();
    let (conn, peer) = (connection.id(), connection.peer());
    let link = Link {
        conn,
        peer: peer.ip(),
        tls: tls(&connection),
        can_start_tls: !connection.is_tls(),
        may_authenticate: connection.may_authenticate(),
        binding: connection.channel_binding(),
        unix_millis: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64),
    };
    let mut talk = Talk {
        session: Session::new(kind, Arc::clone(&service.settings), link, now),
        worker: Worker::new(Arc::clone(&service), kind, conn, peer.ip()),
        service,
    };
    debug!(conn, %peer, ?kind, "connected");
    let ended = talk.run(connection, &shutdown).await;
    debug!(
        conn,
        %peer,
        messages = talk.session.messages(),
        duration_ms = now.elapsed().as_millis() as u64,
        error = ended.err().map(tracing::field::display),
        "connection ended"
    );
}

/// One conversation: the session and its worker.
struct Talk {
    session: Session,
    worker: Worker,
    service: Arc<Service>,
}

/// What follows when the session has taken all input.
enum Next {
    Close,
    Read,
    StartTls,
}

impl Talk {
    async fn run(&mut self, mut connection: Connection, shutdown: &CancellationToken) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let next = self.digest(&mut connection, &buffer).await?;
            self.flush(&mut connection).await?;
            buffer.clear();
            match next {
                Next::Close => return connection.shutdown().await,
                Next::Read => self.read(&mut connection, &mut buffer, shutdown).await?,
                // The session has seen to it that nothing was sent behind STARTTLS in the clear.
                Next::StartTls => {
                    connection = connection.start_tls(Arc::clone(&self.service.tls)).await?;
                    self.worker.tls_started();
                    self.session.tls_started(tls(&connection), connection.channel_binding());
                }
            }
        }
    }

    /// Lets the session take all of `input`.
    async fn digest(&mut self, connection: &mut Connection, mut input: &[u8]) -> io::Result<Next> {
        loop {
            match self.session.feed(&mut input, Instant::now()) {
                // Boxed, so that an idle connection does not reserve room for the hub's work.
                Step::Ask(request) => Box::pin(self.worker.perform(request, &mut self.session)).await,
                Step::Close => return Ok(Next::Close),
                Step::Discard => self.worker.discard(),
                Step::Read => return Ok(Next::Read),
                Step::StartTls => return Ok(Next::StartTls),
                Step::Write(bytes) => {
                    if let Err(reply) = self.worker.write(bytes).await {
                        self.session.write_failed(reply);
                    }
                }
            }
            if self.session.output().len() > OUTPUT_BUFFER {
                self.flush(connection).await?;
            }
        }
    }

    /// Waits for input, the deadline or the end of the server. An idle connection gets a buffer when
    /// there is something to read.
    async fn read(
        &mut self,
        connection: &mut Connection,
        buffer: &mut Vec<u8>,
        shutdown: &CancellationToken,
    ) -> io::Result<()> {
        let idle = self.session.is_idle();
        let size = if self.session.is_receiving() { MESSAGE_BUFFER } else { COMMAND_BUFFER };
        if idle {
            *buffer = Vec::new();
        }
        let input = async {
            if idle {
                connection.readable().await?;
            }
            buffer.reserve(size);
            connection.read_buf(buffer).await
        };
        let read = tokio::select! {
            read = tokio::time::timeout_at(self.session.deadline().into(), input) => read,
            () = shutdown.cancelled(), if idle => {
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
        timeout(self.service.settings.command_time, write)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client does not read its replies"))?
    }
}

fn tls(connection: &Connection) -> Option<Tls> {
    connection.tls_parameters().map(|(version, cipher)| Tls { version, cipher })
}

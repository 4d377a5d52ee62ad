//! The seam between the queue's worker and the ways out: a [`Connector`] opens a connection to a next
//! hop, a [`Connection`] sends queued messages and gives a [`Verdict`] for each recipient.
//!
//! The worker decides when to connect, how often and what to record; what is behind this file
//! decides where to, with which TLS, and in which words.

use std::fmt;
use std::sync::Arc;

use hub::{Hub, NextHop, QueuedMessage, TlsDemand};

use crate::Service;
use crate::client::Client;
use crate::dial::Dialer;
use crate::exchange::Exchange;

/// What became of one recipient. The text is the other side's answer or our own reason, like
/// `550 5.1.1 no such user`, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Deferred(String),
    Delivered(String),
    Failed(String),
}

/// A conversation broke down: nothing is known to be delivered, all of it is to be tried again, and
/// the connection is of no more use.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

impl Broken {
    pub(crate) fn at(phase: &str, error: impl fmt::Display) -> Self {
        Self(printable(&format!("{phase}: {error}")))
    }
}

/// One line of at most 400 printable characters: it goes into logs, the queue and reports.
pub(crate) fn printable(text: &str) -> String {
    let line: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { ' ' }).take(400).collect();
    line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// RFC 8689 §4.2.1.
pub(crate) fn no_require_tls(host: &str) -> String {
    format!("550 5.7.30 the sender requires TLS all the way, and {host} does not offer REQUIRETLS")
}

/// Why a next hop has no connection for us.
#[derive(Debug)]
pub(crate) struct NoConnection {
    /// Of every recipient that was to go there. `Deferred`: the hop as a whole is left alone for a
    /// while. `Failed`: it is and remains impossible (RFC 5321 §5.1: no such domain; RFC 7505: a
    /// null MX), and says nothing about other messages' hops.
    pub(crate) verdict: Verdict,
    /// The host that was tried last, if it came to that.
    pub(crate) host: Option<String>,
}

/// The other side of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// For logs, and Remote-MTA in reports.
    pub(crate) host: String,
    /// What protects the connection, for the log of attempts: `TLS 1.3, certificate verified`;
    /// empty without TLS.
    pub(crate) tls: String,
    /// It reports to the sender what becomes of a message (RFC 3461: it offers DSN).
    pub(crate) reports: bool,
}

/// Opens connections to next hops: to the relay host if there is one, else to the hosts of each
/// domain.
pub(crate) enum Connector {
    Exchange(Exchange),
    Relay(Dialer),
}

impl Connector {
    pub(crate) fn new(service: &Service) -> Result<Self, Broken> {
        let dns = Arc::clone(&service.dns);
        Ok(match service.settings.relay.clone() {
            Some(relay) => Self::Relay(Dialer::new(relay, &service.settings, dns)?),
            None => Self::Exchange(Exchange::new(service)?),
        })
    }

    /// Whether messages for this hop are to be taken from the queue at all.
    pub(crate) fn reaches(&self, hop: &NextHop) -> bool {
        matches!((self, hop), (Self::Exchange(_), NextHop::Mx(..)) | (Self::Relay(_), NextHop::Relay(_)))
    }

    pub(crate) async fn connect(&self, hop: &NextHop) -> Result<Connection, NoConnection> {
        let unreachable = |why: String, host: Option<&str>| NoConnection {
            verdict: Verdict::Deferred(why),
            host: host.map(str::to_owned),
        };
        match (hop, self) {
            (NextHop::Relay(demand), Self::Relay(dialer)) => {
                let connected = dialer.connect().await;
                let (inner, tls) = connected.map_err(|Broken(why)| unreachable(why, Some(dialer.host())))?;
                // The owner has named the relay host, and its certificate was checked (RFC 8689 §4.2.1).
                if *demand == TlsDemand::Required && !inner.offers().require_tls {
                    inner.quit().await;
                    let verdict = Verdict::Failed(no_require_tls(dialer.host()));
                    return Err(NoConnection { verdict, host: Some(dialer.host().to_owned()) });
                }
                let reports = inner.offers().dsn;
                let server = Server { host: dialer.host().to_owned(), tls, reports };
                Ok(Connection { inner, server })
            }
            (NextHop::Mx(domain, tls), Self::Exchange(exchange)) => exchange.connect(domain, *tls).await,
            (NextHop::Relay(_), Self::Exchange(_)) => {
                Err(unreachable("no relay host is configured".into(), None))
            }
            (NextHop::Mx(..), Self::Relay(dialer)) => {
                Err(unreachable("everything goes to the relay host".into(), Some(dialer.host())))
            }
        }
    }
}

/// A connection on which messages can be sent, one after the other.
pub(crate) struct Connection {
    inner: Client,
    server: Server,
}

impl Connection {
    pub(crate) fn new(inner: Client, server: Server) -> Self {
        Self { inner, server }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Sends a message to all its recipients in one transaction. The verdicts are in the order of
    /// the recipients.
    pub(crate) async fn send(&mut self, hub: &Hub, message: &QueuedMessage) -> Result<Vec<Verdict>, Broken> {
        self.inner.send(hub, message).await
    }

    /// Whether a connection that was idle is still there. To find out by sending a message would
    /// leave open whether it was taken.
    pub(crate) async fn is_alive(&mut self) -> bool {
        self.inner.is_alive().await
    }

    /// Whether another message may be sent.
    pub(crate) fn is_usable(&self) -> bool {
        self.inner.is_usable()
    }

    /// Ends in good order; whatever comes of it does not matter.
    pub(crate) async fn quit(self) {
        self.inner.quit().await;
    }
}

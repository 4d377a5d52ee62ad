//! The way to the relay host: look-up, connection, TLS, log-in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hub_dns::Dns;
use hub_wire::tls_connector;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Stream};
use crate::outbound::next_hop::Broken;
use crate::relay;
use crate::settings::{Relay, RelaySecurity, Settings};

const CONNECT_TIME: Duration = Duration::from_secs(30);
pub(crate) const TLS_TIME: Duration = Duration::from_secs(30);

/// How to reach the relay host; made once.
pub(crate) struct Dialer {
    relay: Relay,
    host_name: String,
    dns: Arc<Dns>,
    tls: TlsConnector,
}

impl Dialer {
    pub(crate) fn new(relay: Relay, settings: &Settings, dns: Arc<Dns>) -> Result<Self, Broken> {
        let tls = tls_connector(&settings.trust_roots).map_err(|error| Broken::at("trust roots", error))?;
        Ok(Self { relay, host_name: settings.host_name.clone(), dns, tls })
    }

    /// The relay's name, for logs and reports.
    pub(crate) fn host(&self) -> &str {
        &self.relay.host
    }

    /// Connects, says EHLO, and logs in if so configured; tells what protects the connection. Every
    /// failure is temporary, a wrong password too: mail must not bounce because of the hub's
    /// configuration.
    pub(crate) async fn connect(&self) -> Result<(Client, String), Broken> {
        let (tcp, ip) = self.dial().await?;
        let name = &self.host_name;
        let mut connection = match self.relay.security {
            RelaySecurity::ImplicitTls => relay::Relay::greet(self.handshake(tcp).await?, name).await?,
            RelaySecurity::Plain => {
                let stream: Box<dyn Stream> = Box::new(tcp);
                relay::Relay::greet(stream, name).await?
            }
            RelaySecurity::StartTls => {
                let tcp = relay::Relay::greet(tcp, name).await?.start_tls().await?;
                relay::Relay::hello(self.handshake(tcp).await?, name).await?
            }
        };
        if let Some((user, password)) = &self.relay.credentials {
            if self.relay.security == RelaySecurity::Plain && !ip.is_loopback() {
                return Err(Broken("the password is not sent without TLS".into()));
            }
            connection.log_in(user, password.expose()).await?;
        }
        let tls = match self.relay.security {
            RelaySecurity::ImplicitTls | RelaySecurity::StartTls => "TLS, certificate verified",
            RelaySecurity::Plain => "",
        };
        let mut client = connection.into_client();
        if self.relay.security == RelaySecurity::Plain {
            client.is_in_the_clear();
        }
        Ok((client, tls.to_owned()))
    }

    /// Tries the addresses in the order given, until one answers.
    async fn dial(&self) -> Result<(TcpStream, IpAddr), Broken> {
        let addresses: Vec<IpAddr> = match self.relay.host.trim_matches(['[', ']']).parse() {
            Ok(ip) => vec![ip],
            Err(_) => {
                let found = self.dns.addresses(&self.relay.host).await;
                found.map_err(|error| Broken::at("look-up", error))?.ips
            }
        };
        let mut last = Broken(format!("{} has no address", self.relay.host));
        for ip in addresses {
            match connect(SocketAddr::new(ip, self.relay.port)).await {
                Ok(stream) => return Ok((stream, ip)),
                Err(broken) => last = broken,
            }
        }
        Err(last)
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, Broken> {
        let name = ServerName::try_from(self.relay.host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| Broken::at("TLS", error))?;
        let stream = tokio::time::timeout(TLS_TIME, self.tls.connect(name, tcp))
            .await
            .map_err(|_| Broken("TLS: the handshake timed out".into()))?
            .map_err(|error| Broken::at("TLS", error))?;
        Ok(Box::new(stream))
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream, Broken> {
    match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Groups of commands and the end of a message are written as a whole.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(Broken::at(&format!("connection to {address}"), error)),
        Err(_) => Err(Broken(format!("connection to {address}: timed out"))),
    }
}

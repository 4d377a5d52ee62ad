//! The way to the relay host: look-up, connection, TLS, log-in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hub_wire::tls_connector;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::outbound::next_hop::Broken;
use crate::relay::{Connection, Stream};
use crate::settings::{Relay, RelaySecurity, Settings};

const CONNECT_TIME: Duration = Duration::from_secs(30);
const TLS_TIME: Duration = Duration::from_secs(30);
/// Addresses of the relay host that are tried.
const MAX_ADDRESSES: usize = 8;

/// How to reach the relay host; made once.
pub(crate) struct Dialer {
    relay: Relay,
    host_name: String,
    resolver: TokioResolver,
    tls: TlsConnector,
}

impl Dialer {
    pub(crate) fn new(relay: Relay, settings: &Settings) -> Result<Self, Broken> {
        let resolver = resolver(settings).map_err(|error| Broken::at("resolver", error))?;
        let tls = tls_connector(&settings.trust_roots).map_err(|error| Broken::at("trust roots", error))?;
        Ok(Self { relay, host_name: settings.host_name.clone(), resolver, tls })
    }

    /// The relay's name, for logs and reports.
    pub(crate) fn host(&self) -> &str {
        &self.relay.host
    }

    /// Connects, says EHLO, and logs in if so configured; tells what protects the connection. Every
    /// failure is temporary, a wrong password too: mail must not bounce because of the hub's
    /// configuration.
    pub(crate) async fn connect(&self) -> Result<(Connection, String), Broken> {
        let (tcp, ip) = self.dial().await?;
        let name = &self.host_name;
        let mut connection = match self.relay.security {
            RelaySecurity::ImplicitTls => Connection::greet(self.handshake(tcp).await?, name).await?,
            RelaySecurity::Plain => {
                let stream: Box<dyn Stream> = Box::new(tcp);
                Connection::greet(stream, name).await?
            }
            RelaySecurity::StartTls => {
                let tcp = Connection::greet(tcp, name).await?.start_tls().await?;
                Connection::hello(self.handshake(tcp).await?, name).await?
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
        Ok((connection, tls.to_owned()))
    }

    /// Tries the addresses in the order given, until one answers.
    async fn dial(&self) -> Result<(TcpStream, IpAddr), Broken> {
        let addresses: Vec<IpAddr> = match self.relay.host.trim_matches(['[', ']']).parse() {
            Ok(ip) => vec![ip],
            Err(_) => {
                let found = self.resolver.lookup_ip(self.relay.host.as_str()).await;
                let found =
                    found.map_err(|error| Broken::at(&format!("look-up of {}", self.relay.host), error))?;
                found.iter().take(MAX_ADDRESSES).collect()
            }
        };
        let mut last = Broken(format!("{} has no address", self.relay.host));
        for ip in addresses {
            let address = SocketAddr::new(ip, self.relay.port);
            match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, ip)),
                Ok(Err(error)) => last = Broken::at(&format!("connection to {address}"), error),
                Err(_) => last = Broken(format!("connection to {address}: timed out")),
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

fn resolver(settings: &Settings) -> Result<TokioResolver, Box<dyn std::error::Error + Send + Sync>> {
    let mut builder = match settings.resolver {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = address.port();
            }
            let server = NameServerConfig::new(address.ip(), true, connections.to_vec());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    builder.options_mut().timeout = settings.resolver_time;
    Ok(builder.build()?)
}

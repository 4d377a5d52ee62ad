//! Look-ups, with the one difference that matters to every method here: a name that has no such
//! record against a name server that did not tell.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver, TokioResolver};
use mail_auth::MessageAuthenticator;

/// Answers kept, each for its own time to live.
const CACHED_ANSWERS: u64 = 8192;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The name does not exist, or has no record of this type, or cannot be a name at all.
    Record,
    /// SERVFAIL, REFUSED, no answer in time …: another time the answer may be another.
    Answer,
}

/// The resolver that all checks share; mail-auth's own checks ask it too.
#[derive(Clone)]
pub(crate) struct Dns(pub(crate) MessageAuthenticator);

impl Dns {
    /// `server` is asked, else those of the system.
    pub(crate) fn new(server: Option<SocketAddr>, time: Duration) -> Result<Self, NetError> {
        let (config, mut options) = match server {
            Some(server) => (by_address(server), ResolverOpts::default()),
            None => read_system_conf()?,
        };
        options.timeout = time;
        options.attempts = 2;
        options.cache_size = CACHED_ANSWERS;
        let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self(MessageAuthenticator(builder.with_options(options).build()?)))
    }

    fn resolver(&self) -> &TokioResolver {
        &self.0.0
    }

    /// Each TXT record as one piece.
    pub(crate) async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, Missing> {
        let read = |data: &RData| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        };
        self.records(name, RecordType::TXT, read).await
    }

    /// Addresses of the family that `like` has.
    pub(crate) async fn addresses(&self, name: &str, like: IpAddr) -> Result<Vec<IpAddr>, Missing> {
        let kind = if like.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        let read = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        self.records(name, kind, read).await
    }

    /// Names of mail hosts, best first.
    pub(crate) async fn mail_hosts(&self, name: &str) -> Result<Vec<String>, Missing> {
        let read = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, text(&mx.exchange))),
            _ => None,
        };
        let mut hosts = self.records(name, RecordType::MX, read).await?;
        hosts.sort();
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// Names that an address leads to, in lower case.
    pub(crate) async fn names(&self, address: IpAddr) -> Result<Vec<String>, Missing> {
        let read = |data: &RData| match data {
            RData::PTR(name) => Some(text(name)),
            _ => None,
        };
        self.lookup(Name::from(address), RecordType::PTR, read).await
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, Missing> {
        // By labels, because SPF makes names of anything, colons and spaces too.
        let labels = name.strip_suffix('.').unwrap_or(name).split('.').map(str::as_bytes);
        let mut name = Name::from_labels(labels).map_err(|_| Missing::Record)?;
        // Otherwise the search list of this machine would be tried too.
        name.set_fqdn(true);
        self.lookup(name, kind, read).await
    }

    async fn lookup<T>(
        &self,
        name: Name,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, Missing> {
        let answer = self.resolver().lookup(name, kind).await.map_err(|error| match error {
            NetError::Dns(DnsError::NoRecordsFound(_)) => Missing::Record,
            _ => Missing::Answer,
        })?;
        let found: Vec<T> = answer.answers().iter().filter_map(|record| read(&record.data)).collect();
        if found.is_empty() { Err(Missing::Record) } else { Ok(found) }
    }
}

/// Without the dot at the end, in lower case, nothing escaped.
fn text(name: &Name) -> String {
    let labels: Vec<_> =
        name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    labels.join(".")
}

fn by_address(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    ResolverConfig::from_parts(None, Vec::new(), vec![server])
}

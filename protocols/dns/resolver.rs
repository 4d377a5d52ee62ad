//! hickory's resolvers, made from our settings.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::error::kind_of;
use crate::{Error, Settings};

/// "There is no such thing" is believed for so long at most: somebody may be about to repair it.
const NEGATIVE_TIME: Duration = Duration::from_secs(5 * 60);
/// Answers kept; some hundred bytes each.
const CACHED_ANSWERS: u64 = 8192;

pub(crate) fn plain(settings: &Settings) -> Result<TokioResolver, Error> {
    build(builder(settings))
}

/// Validates from the given trust anchor, or from the root's keys, which are compiled in.
pub(crate) fn validating(settings: &Settings) -> Result<TokioResolver, Error> {
    let anchors = match &settings.trust_anchor {
        Some(keys) => keys.parse().map_err(|_| Error::new("DNSSEC trust anchor", crate::Kind::Malformed))?,
        None => TrustAnchors::default(),
    };
    let mut builder = builder(settings).with_trust_anchor(Arc::new(anchors));
    // A CNAME on the way must be as secure as what it leads to.
    builder.options_mut().preserve_intermediates = true;
    build(builder)
}

fn build(builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, Error> {
    builder.build().map_err(|error| Error::new("resolver", kind_of(&error)))
}

fn builder(settings: &Settings) -> ResolverBuilder<TokioRuntimeProvider> {
    let system = || TokioResolver::builder_tokio().ok();
    let mut builder = match settings.server {
        Some(server) => one_server(server.ip(), server.port()),
        // Without a configuration there is supposed to be a server on the machine (resolv.conf(5)).
        None => system().unwrap_or_else(|| one_server(Ipv4Addr::LOCALHOST.into(), 53)),
    };
    let options = builder.options_mut();
    options.timeout = settings.time;
    options.negative_max_ttl = Some(NEGATIVE_TIME);
    options.cache_size = CACHED_ANSWERS;
    builder
}

fn one_server(ip: IpAddr, port: u16) -> ResolverBuilder<TokioRuntimeProvider> {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = port;
    }
    let server = NameServerConfig::new(ip, true, connections.to_vec());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

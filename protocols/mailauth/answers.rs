//! What mail-auth will want to know about a message, asked beforehand of the hub's own resolver.
//!
//! mail-auth takes a hickory resolver, and a cache that it looks into first. Left to itself it would
//! take a "no" without authority for an answer (RFC 2308 §2), and a forged signature for somebody's
//! carelessness. So everything that it can ask is in the cache: what is not, is not there.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use hickory_resolver::proto::op::ResponseCode;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::{DnsError, DnssecStatus, Error, RecordSet, ResolverCache, Txt};
use tokio::task::JoinSet;

use crate::dns::{Dns, Missing};

/// TXT records by name, in lower case and with the dot at the end.
#[derive(Default)]
pub(crate) struct Texts(HashMap<Box<str>, Txt>);

impl Texts {
    /// Asks for all names at once, each in its own time. Those that were asked before are left alone.
    pub(crate) async fn ask<T>(&mut self, dns: &Dns, names: impl IntoIterator<Item = String>)
    where
        T: TxtRecordParser + Into<Txt> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        for mut name in names {
            name.make_ascii_lowercase();
            let name = name.into_boxed_str();
            if self.0.contains_key(&name) {
                continue;
            }
            self.0.insert(name.clone(), absent());
            let dns = dns.clone();
            asked.spawn(async move {
                let text = match dns.in_time(dns.parsed::<T>(&name)).await {
                    Ok(record) => record.into(),
                    Err(Missing::Record) => absent(),
                    Err(Missing::Answer) => Txt::Error(Error::Dns(DnsError::Resolver("no answer".into()))),
                };
                (name, text)
            });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok((name, text)) = answer {
                self.0.insert(name, text);
            }
        }
    }

    /// There is such a record at this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|text| !matches!(text, Txt::Error(_)))
    }
}

fn absent() -> Txt {
    Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)))
}

impl ResolverCache<Box<str>, Txt> for Texts {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.0.get(name).cloned().unwrap_or_else(absent))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Whether the author's domain exists (RFC 9989 §4.7, `np`). mail-auth takes any set of addresses for
/// a yes; for a no it asks its resolver, which has just been told so.
pub(crate) struct Exists(pub(crate) bool);

impl ResolverCache<Box<str>, RecordSet<Ipv4Addr>> for Exists {
    fn get<Q>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.then(|| RecordSet { rrset: Arc::from([]), dnssec_status: DnssecStatus::Indeterminate })
    }

    fn remove<Q>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv4Addr>, _: Instant) {}
}

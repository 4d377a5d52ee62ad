//! Questions for one kind of record.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::error::kind_of;
use crate::{Dns, Error, Kind};

/// Texts of one name: SPF, DKIM, verification codes of this and that service.
const MAX_TEXTS: usize = 100;
/// Names of one address; RFC 7208 §4.6.4 looks at ten.
const MAX_NAMES: usize = 10;
/// TLSA records of one host: two keys, each in a few forms.
const MAX_TLSA: usize = 30;
/// A validated answer needs the keys of every zone above it.
const PATIENCE: u32 = 4;

/// RFC 6698 §2.1, unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

impl Dns {
    /// TXT records, the strings of each put together (RFC 7208 §3.3).
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let lookup = self.plain(name, RecordType::TXT).await?;
        let texts = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.take(MAX_TEXTS).collect())
    }

    /// Names of an address (PTR), without the dot at the end.
    pub async fn names(&self, ip: IpAddr) -> Result<Vec<String>, Error> {
        let lookup = self.plain(&Name::from(ip).to_ascii(), RecordType::PTR).await?;
        let names = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(without_dot(&name.0)),
            _ => None,
        });
        Ok(names.take(MAX_NAMES).collect())
    }

    /// TLSA records of a service, if they are secure: others say nothing (RFC 7672 §2.1.1). Empty
    /// also where there are none; an error means that there may be some.
    pub async fn tlsa(&self, port: u16, host: &str) -> Result<Vec<Tlsa>, Error> {
        let Some(resolver) = self.validator.get().await else { return Ok(Vec::new()) };
        let name = format!("_{port}._tcp.{host}");
        let lookup = match self.ask(resolver, &name, RecordType::TLSA).await {
            Ok(lookup) if is_secure(&lookup, RecordType::TLSA) => lookup,
            Ok(_) => return Ok(Vec::new()),
            Err(error) if error.is_absent() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        });
        Ok(records.take(MAX_TLSA).collect())
    }

    /// Any records, for questions that strangers choose: who sends mail decides what is asked about him.
    /// They are validated with [`Validation::On`] only: to prove a zone is work, and its owner decides how
    /// much (CVE-2023-50387).
    ///
    /// [`Validation::On`]: crate::Validation::On
    pub async fn records(&self, mut name: Name, kind: RecordType) -> Result<Lookup, Error> {
        // Otherwise the search list of this machine would be tried too.
        name.set_fqdn(true);
        let validating = if self.validator.is_always() { self.validator.get().await } else { None };
        self.ask_for(validating.unwrap_or(&self.plain), name, kind).await
    }

    /// The resolver itself, for a library that wants one. It does not validate.
    pub fn resolver(&self) -> &TokioResolver {
        &self.plain
    }

    pub(crate) async fn plain(&self, name: &str, kind: RecordType) -> Result<Lookup, Error> {
        self.ask(&self.plain, name, kind).await
    }

    /// Validated, if that is possible. Tells whether the answer is secure.
    pub(crate) async fn validated(&self, name: &str, kind: RecordType) -> Result<(Lookup, bool), Error> {
        match self.validator.get().await {
            Some(resolver) => {
                let lookup = self.ask(resolver, name, kind).await?;
                let secure = is_secure(&lookup, kind);
                Ok((lookup, secure))
            }
            None => Ok((self.plain(name, kind).await?, false)),
        }
    }

    async fn ask(&self, resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Lookup, Error> {
        match full_name(name) {
            Some(name) => self.ask_for(resolver, name, kind).await,
            None => Err(Error::new(question(name, kind), Kind::BadName)),
        }
    }

    async fn ask_for(&self, resolver: &TokioResolver, name: Name, kind: RecordType) -> Result<Lookup, Error> {
        let lookup = resolver.lookup(name.clone(), kind);
        let lookup =
            tokio::time::timeout(self.time * PATIENCE, lookup).await.unwrap_or(Err(NetError::Timeout));
        lookup.map_err(|error| Error::new(question(&name.to_ascii(), kind), kind_of(&error)))
    }
}

fn question(name: &str, kind: RecordType) -> String {
    format!("{kind} of {}", name.trim_end_matches('.'))
}

/// In A-labels, and complete: the machine's search list is for people.
pub(crate) fn full_name(name: &str) -> Option<Name> {
    if name.trim_matches('.').is_empty() {
        return None;
    }
    let parsed = if name.is_ascii() { Name::from_ascii(name) } else { Name::from_utf8(name) };
    let mut name = parsed.ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// In ASCII and lower case, as names are compared everywhere else.
pub(crate) fn without_dot(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// Whether every record of this kind, and every CNAME that led there, was proven.
pub(crate) fn is_secure(lookup: &Lookup, kind: RecordType) -> bool {
    let mut records =
        lookup.answers().iter().filter(|record| [kind, RecordType::CNAME].contains(&record.record_type()));
    let mut any = false;
    records.all(|record| {
        any = true;
        record.proof == Proof::Secure
    }) && any
}

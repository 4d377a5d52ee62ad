//! Look-ups, with the one difference that matters to every method here: a name that has no such
//! record against a name server that did not tell.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mail_auth::common::parse::TxtRecordParser;
use tokio::time::timeout;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The name does not exist, or has no record of this type, or cannot be a name at all.
    Record,
    /// SERVFAIL, REFUSED, no answer in time …: another time the answer may be another.
    Answer,
}

/// The hub's resolver, as the checks ask it.
#[derive(Clone)]
pub(crate) struct Dns {
    shared: Arc<hub_dns::Dns>,
    /// For one of several questions about a message.
    time: Duration,
}

impl Dns {
    pub(crate) fn new(shared: Arc<hub_dns::Dns>, time: Duration) -> Self {
        Self { shared, time }
    }

    pub(crate) fn with_time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// No signer's name server has a say in how long the others can be asked.
    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, Missing>>,
    ) -> Result<T, Missing> {
        timeout(self.time, answer).await.unwrap_or(Err(Missing::Answer))
    }

    /// mail-auth's own checks, which want a resolver. They are given answers of this one instead
    /// ([`crate::answers`]).
    pub(crate) fn checks(&self) -> mail_auth::MessageAuthenticator {
        mail_auth::MessageAuthenticator(self.shared.resolver().clone())
    }

    /// The first TXT record that is what it should be.
    pub(crate) async fn parsed<T: TxtRecordParser>(&self, name: &str) -> Result<T, Missing> {
        let records = self.txt(name).await?;
        records.iter().find_map(|record| T::parse(record).ok()).ok_or(Missing::Record)
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
        let name = Name::from_labels(labels).map_err(|_| Missing::Record)?;
        self.lookup(name, kind, read).await
    }

    async fn lookup<T>(
        &self,
        name: Name,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, Missing> {
        let answer = self.shared.records(name, kind).await.map_err(|error| match error.is_permanent() {
            true => Missing::Record,
            false => Missing::Answer,
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

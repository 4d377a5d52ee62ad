//! All checks of one message: what the connection tells while the message is still coming, then what
//! the message tells.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hub::{Address, AuthResult, SpfVerdict, Verdict};
use hub_dkim::{BodyHash, Set, State, Tags, hashes};
use mail_auth::AuthenticatedMessage;
use mail_auth::dkim::Canonicalization;
use tokio::time::timeout;

use crate::dns::{Dns, Missing};
use crate::dnsbl::List;
use crate::message::{parse, set_body, wanted};
use crate::spf::{Query, SpfAnswer, check_host};
use crate::{arc, dkim, dmarc, dnsbl, iprev};

/// For all look-ups of either half, unless said otherwise. RFC 7208 §4.6.4 asks for 20 seconds at least.
const MOST_TIME: Duration = Duration::from_secs(20);

/// Asks the name server. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    dns: Dns,
    host_name: String,
    most_time: Duration,
    lists: Arc<[List]>,
}

/// What a peer said before the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub peer: IpAddr,
    pub helo: String,
    /// `None` is the null reverse-path.
    pub reverse_path: Option<Address>,
}

/// What is known before the message.
#[derive(Clone, Debug)]
pub struct Sender {
    envelope: Envelope,
    verdict: Verdict,
    takes_no_mail: bool,
}

impl Sender {
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The domain of the reverse-path says that nobody there takes mail (RFC 7505 §4.2): no bounce could
    /// ever arrive, and no answer.
    pub fn takes_no_mail(&self) -> bool {
        self.takes_no_mail
    }
}

impl Authenticator {
    /// `host_name` is the hub's own, for its reports and for the macros of SPF.
    pub fn new(host_name: impl Into<String>, dns: Arc<hub_dns::Dns>) -> Self {
        Self {
            dns: Dns::new(dns, MOST_TIME / 2),
            host_name: host_name.into(),
            most_time: MOST_TIME,
            lists: Arc::default(),
        }
    }

    /// Sets the time for all look-ups of either half.
    #[must_use]
    pub fn with_time(self, most_time: Duration) -> Self {
        Self { dns: self.dns.with_time(most_time / 2), most_time, ..self }
    }

    /// Asks these lists about senders too.
    #[must_use]
    pub fn with_lists(self, lists: Vec<List>) -> Self {
        Self { lists: lists.into(), ..self }
    }

    pub(crate) fn dns(&self) -> &Dns {
        &self.dns
    }

    pub(crate) fn host_name(&self) -> &str {
        &self.host_name
    }

    /// iprev and SPF, which need no message.
    pub async fn sender(&self, envelope: Envelope) -> Sender {
        let mut verdict = Verdict::new(envelope.peer, envelope.helo.clone());
        let (path, domain) = match &envelope.reverse_path {
            Some(path) => (path.to_string(), path.domain().to_owned()),
            // RFC 7208 §2.4
            None => (format!("postmaster@{}", envelope.helo), envelope.helo.clone()),
        };
        let domain = ascii(&domain);
        let query = Query {
            ip: envelope.peer,
            domain: &domain,
            sender: &path,
            helo: &envelope.helo,
            receiver: &self.host_name,
        };
        let late = (AuthResult::TempError, None);
        let (iprev, spf, listed, takes_no_mail) = tokio::join!(
            async { timeout(self.most_time, iprev::check(&self.dns, envelope.peer)).await.unwrap_or(late) },
            self.spf(query),
            timeout(self.most_time, dnsbl::of_envelope(&self.dns, &self.lists, &envelope)),
            async {
                // Whatever goes wrong, nothing is known against the domain.
                envelope.reverse_path.is_some()
                    && timeout(self.most_time, self.has_null_mx(&domain)).await.unwrap_or(false)
            },
        );
        (verdict.iprev, verdict.ptr) = iprev;
        verdict.listed = listed.unwrap_or_default();
        if let Some(explanation) = &spf.explanation {
            // For the owner's eyes only: a stranger has written it (RFC 7208 §11.5).
            tracing::debug!(peer = %envelope.peer, domain, explanation, "SPF fails");
        }
        verdict.spf = SpfVerdict {
            result: spf.result,
            of_helo: envelope.reverse_path.is_none(),
            domain,
            aligned: false,
        };
        Sender { envelope, verdict, takes_no_mail }
    }

    async fn has_null_mx(&self, domain: &str) -> bool {
        let hosts = self.dns.mail_hosts(domain).await.unwrap_or_default();
        !hosts.is_empty() && hosts.iter().all(|host| host.trim_end_matches('.').is_empty())
    }

    /// `check_host` of RFC 7208 §4.
    pub async fn spf(&self, query: Query<'_>) -> SpfAnswer {
        let late = SpfAnswer { result: AuthResult::TempError, explanation: None };
        timeout(self.most_time, check_host(&self.dns, query)).await.unwrap_or(late)
    }

    /// True if DNS has this key record, whatever the spaces in it.
    pub async fn publishes(&self, name: &str, record: &str) -> bool {
        let records = timeout(self.most_time, self.dns.txt(&ascii(name))).await;
        let records = records.unwrap_or(Err(Missing::Answer)).unwrap_or_default();
        let key = |text: &[u8]| Tags::parse(text).and_then(|tags| tags.octets("p"));
        let wanted = key(record.as_bytes());
        wanted.is_some() && records.iter().any(|found| key(found) == wanted)
    }

    /// DKIM, ARC and DMARC. `header` ends with the empty line; the body is read only if something
    /// signs it. `now` in Unix seconds. Fails if the body cannot be read.
    pub async fn message(
        &self,
        sender: Sender,
        now: i64,
        header: &[u8],
        body: impl Iterator<Item = io::Result<Bytes>> + Send + 'static,
    ) -> io::Result<Verdict> {
        let Sender { envelope, mut verdict, .. } = sender;
        let Some(mut message) = parse(header, now) else { return Ok(verdict) };
        let chain = hub_dkim::read(&message.headers);
        let forms = wanted(&message, last_forms(&chain));
        let found = tokio::task::spawn_blocking(move || hashes(&forms, body)).await??;
        set_body(&mut message, &found);
        let authors = dmarc::author_domains(&message.from);
        let (keys, arc, listed) = tokio::join!(
            dkim::keys(&self.dns, &message),
            timeout(self.most_time, self.chain(&message, &chain, &found)),
            timeout(self.most_time, dnsbl::of_authors(&self.dns, &self.lists, &envelope, &authors)),
        );
        verdict.listed.extend(listed.unwrap_or_default());
        let signed = dkim::check(&self.dns, &message, &keys).await;
        verdict.dkim = signed.iter().map(dkim::verdict).collect();
        (verdict.arc, verdict.arc_sealer) = arc.unwrap_or((AuthResult::TempError, None));
        let (spf, signatures) = (&mut verdict.spf, &mut verdict.dkim);
        match timeout(self.most_time, dmarc::check(&self.dns, &message, &signed, spf, signatures)).await {
            Ok(dmarc) => verdict.dmarc = dmarc,
            Err(_) => verdict.dmarc.result = AuthResult::TempError,
        }
        Ok(verdict)
    }

    /// The result of the chain, and who sealed last.
    async fn chain(
        &self,
        message: &AuthenticatedMessage<'_>,
        state: &State<'_>,
        hashes: &[BodyHash],
    ) -> (AuthResult, Option<String>) {
        let chain = match state {
            State::Absent => return (AuthResult::None, None),
            State::Broken => return (AuthResult::Fail, None),
            State::Whole(chain) => chain,
        };
        let result = arc::verify(&self.dns, message, chain, hashes).await;
        let sealer = chain.last().and_then(|set| set.seal_tags.text("d")).filter(|_| result.is_pass());
        (result, sealer.map(str::to_ascii_lowercase))
    }
}

/// Canonical forms of the body that the last signature of a chain asks for.
fn last_forms(state: &State<'_>) -> Vec<Canonicalization> {
    let State::Whole(chain) = state else { return Vec::new() };
    let forms = chain.last().and_then(Set::canonicalizations).unwrap_or_default();
    forms.into_iter().map(|(_, body)| body).collect()
}

/// The form that DNS knows.
fn ascii(domain: &str) -> String {
    mail_auth::common::to_a_label(domain).into_owned()
}

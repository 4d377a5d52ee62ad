//! How sessions went, for the reports to the domains that mail goes to (RFC 8460 §4).

use std::net::IpAddr;

use hub::{Hub, TlsFailure, TlsPolicy, TlsSession, Unsecured};
use rustls::CertificateError;
use tokio::net::TcpStream;

use crate::Service;

/// Where sessions are counted.
#[derive(Clone)]
pub(crate) struct Reports(Option<Hub>);

/// What is reported about a host.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Where the mail is to go.
    pub(crate) domain: String,
    pub(crate) policy: TlsPolicy,
    /// What is wrong with the host under this policy, however the session goes.
    pub(crate) flaw: Option<Flaw>,
}

/// What is wrong, and a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) failure: TlsFailure,
    pub(crate) reason: String,
}

/// A connection on which TLS is tried.
pub(crate) struct Session<'a> {
    reports: &'a Reports,
    report: Option<&'a Report>,
    host: &'a str,
    from: Option<IpAddr>,
    to: Option<IpAddr>,
}

impl Reports {
    pub(crate) fn new(service: &Service) -> Self {
        Self(service.settings.tls_reports.then(|| service.hub.clone()))
    }

    /// `report`: what is to be reported about it, if anything is.
    pub(crate) fn session<'a>(
        &'a self,
        report: Option<&'a Report>,
        host: &'a str,
        tcp: &TcpStream,
    ) -> Session<'a> {
        let from = tcp.local_addr().ok().map(|address| address.ip());
        let to = tcp.peer_addr().ok().map(|address| address.ip());
        Session { reports: self, report, host, from, to }
    }

    /// Before any connection, the policy turned out not to work, for this host or at all (`host` is empty).
    pub(crate) fn failed(&self, domain: &str, policy: TlsPolicy, host: &str, flaw: Flaw) {
        let Flaw { failure, reason } = flaw;
        let unsecured = Unsecured { failure, from: None, to: None, host: host.to_owned(), reason };
        self.count(domain, TlsSession { policy, failure: Some(unsecured) });
    }

    fn count(&self, domain: &str, session: TlsSession) {
        if let Self(Some(hub)) = self {
            hub.count_tls_session(domain, &session);
        }
    }
}

impl Session<'_> {
    /// It came to this end.
    pub(crate) fn ended(&self, flaw: Option<Flaw>) {
        let Some(Report { domain, policy, flaw: known }) = self.report else { return };
        let unsecured = |Flaw { failure, reason }| Unsecured {
            failure,
            from: self.from,
            to: self.to,
            host: self.host.to_owned(),
            reason,
        };
        let failure = flaw.or_else(|| known.clone()).map(unsecured);
        self.reports.count(domain, TlsSession { policy: policy.clone(), failure });
    }
}

impl Flaw {
    pub(crate) fn new(failure: TlsFailure, reason: impl ToString) -> Self {
        Self { failure, reason: reason.to_string() }
    }

    /// Of a handshake (RFC 8460 §4.3.1).
    pub(crate) fn of(error: &rustls::Error) -> Self {
        let failure = match error {
            rustls::Error::InvalidCertificate(why) => match why {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    TlsFailure::CertificateExpired
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    TlsFailure::CertificateHostMismatch
                }
                // Signed by somebody else under a known name, by nobody known, or not what DANE names.
                CertificateError::ApplicationVerificationFailure
                | CertificateError::BadSignature
                | CertificateError::UnknownIssuer => TlsFailure::CertificateNotTrusted,
                _ => TlsFailure::ValidationFailure,
            },
            _ => TlsFailure::ValidationFailure,
        };
        Self::new(failure, error)
    }

    /// Of a handshake, as it comes through a stream.
    pub(crate) fn of_stream(error: &std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.map_or_else(|| Self::new(TlsFailure::ValidationFailure, error), Self::of)
    }
}

//! What went wrong with a question, and whether it will go wrong again.

use std::fmt;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::ResponseCode;

/// A question without the answer that was hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `MX of example.org`
    question: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name cannot be asked for: a label is too long, for example.
    BadName,
    /// DNSSEC: the signatures do not fit. An attack or a broken zone, and there is no telling which.
    Bogus,
    /// An answer that is none: garbage, or the name of another server (a lame delegation).
    Malformed,
    /// The name exists and has no such record.
    NoData,
    /// The domain says that it takes no mail (RFC 7505).
    NullMx,
    NxDomain,
    Refused,
    ServFail,
    Timeout,
    /// The name server could not be reached.
    Unreachable,
}

impl Kind {
    /// Whether to give up. Only who is responsible for a name can say that it has nothing; whatever
    /// else happens happens on the way there.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::BadName | Self::NoData | Self::NullMx | Self::NxDomain => true,
            Self::Bogus
            | Self::Malformed
            | Self::Refused
            | Self::ServFail
            | Self::Timeout
            | Self::Unreachable => false,
        }
    }
}

impl Error {
    pub(crate) fn new(question: impl Into<String>, kind: Kind) -> Self {
        Self { question: question.into(), kind }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn is_permanent(&self) -> bool {
        self.kind.is_permanent()
    }

    /// No such name, or no such record there.
    pub fn is_absent(&self) -> bool {
        matches!(self.kind, Kind::NoData | Kind::NxDomain)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            Kind::BadName => "this name cannot be in DNS",
            Kind::Bogus => "the answer's DNSSEC signatures are wrong",
            Kind::Malformed => "the answer makes no sense",
            Kind::NoData => "there is no such record",
            Kind::NullMx => "the domain takes no mail (null MX)",
            Kind::NxDomain => "there is no such domain",
            Kind::Refused => "the name server refused to answer",
            Kind::ServFail => "the name server failed to answer (SERVFAIL)",
            Kind::Timeout => "no answer in time",
            Kind::Unreachable => "the name server cannot be reached",
        };
        write!(f, "{}: {why}", self.question)
    }
}

/// What hickory says, in our words.
pub(crate) fn kind_of(error: &NetError) -> Kind {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            // RFC 2308 §2: the SOA record says who is responsible for the "no". Without it the answer is a
            // referral, or that of a router or portal which says no to everything.
            ResponseCode::NXDomain | ResponseCode::NoError if none.soa.is_none() => Kind::Malformed,
            ResponseCode::NXDomain => Kind::NxDomain,
            ResponseCode::NoError => Kind::NoData,
            _ => Kind::ServFail,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Kind::Refused,
        NetError::Dns(DnsError::ResponseCode(_)) => Kind::ServFail,
        // Too many iterations of NSEC3 make a zone insecure (RFC 9276 §3.2), not its answers wrong.
        NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. }) => {
            match response.response_code {
                ResponseCode::NXDomain => Kind::NxDomain,
                _ => Kind::NoData,
            }
        }
        NetError::Dns(DnsError::Nsec { .. } | DnsError::DnssecBogus) => Kind::Bogus,
        NetError::Timeout => Kind::Timeout,
        NetError::Busy | NetError::Io(_) | NetError::NoConnections => Kind::Unreachable,
        _ => Kind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::NoRecords;
    use hickory_resolver::proto::op::Query;

    use super::*;

    /// A name server that says no to everything must not bounce everything.
    #[test]
    fn rfc2308_2_a_no_without_authority_is_none() {
        for code in [ResponseCode::NXDomain, ResponseCode::NoError] {
            let none = NetError::Dns(DnsError::NoRecordsFound(NoRecords::new(Query::default(), code)));
            assert_eq!(kind_of(&none), Kind::Malformed, "{code}");
        }
    }
}

//! Where a message goes next, and what its sender demands of the way there.

use hub_storage::queue::Hop;

/// Where a message for somebody elsewhere goes next. Messages that demand different things of TLS are
/// sent over different connections, so they have different next hops.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NextHop {
    /// To the hosts that take mail for this domain (RFC 5321 §5.1).
    Mx(String, TlsDemand),
    /// To the one host that takes everything.
    Relay(TlsDemand),
}

/// What a sender demands of TLS on the way of a message (RFC 8689).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsDemand {
    /// Nothing of his own: what the receiving domain asks for is done.
    #[default]
    ByPolicy,
    /// `TLS-Required: No`: it shall arrive, whatever the domain asks for.
    NotRequired,
    /// REQUIRETLS of a bounce: passed on where that is possible. RFC 8689 §5: a bounce is not dropped
    /// for it.
    Preferred,
    /// REQUIRETLS: only to hosts that prove who they are, and promise the same.
    Required,
}

impl NextHop {
    const MX: &'static str = "mx";
    const RELAY: &'static str = "relay";

    /// Every kind there is, as stored.
    pub(crate) fn kinds() -> impl Iterator<Item = String> {
        let kinds = [Self::MX, Self::RELAY].into_iter();
        kinds.flat_map(|way| TlsDemand::ALL.map(|tls| format!("{way}{}", tls.suffix())))
    }

    pub fn tls(&self) -> TlsDemand {
        match self {
            Self::Mx(_, tls) | Self::Relay(tls) => *tls,
        }
    }

    pub(crate) fn stored(&self) -> Hop {
        let (way, name) = match self {
            Self::Mx(domain, _) => (Self::MX, domain.as_str()),
            Self::Relay(_) => (Self::RELAY, ""),
        };
        Hop { kind: format!("{way}{}", self.tls().suffix()), name: name.to_owned() }
    }

    /// `None` for a kind that only a newer hub knows.
    pub(crate) fn from_stored(hop: &Hop) -> Option<Self> {
        let end = hop.kind.find('+').unwrap_or(hop.kind.len());
        let (way, suffix) = hop.kind.split_at(end);
        let tls = TlsDemand::ALL.into_iter().find(|tls| tls.suffix() == suffix)?;
        match way {
            Self::MX => Some(Self::Mx(hop.name.clone(), tls)),
            Self::RELAY => Some(Self::Relay(tls)),
            _ => None,
        }
    }
}

impl TlsDemand {
    const ALL: [Self; 4] = [Self::ByPolicy, Self::NotRequired, Self::Preferred, Self::Required];

    /// RFC 8689 §4.1: REQUIRETLS of the envelope counts; without it, the header field does.
    pub(crate) fn of(require_tls: bool, is_bounce: bool, header: &[u8]) -> Self {
        let mut fields = hub_mime::header_values(header, "TLS-Required");
        match (require_tls, is_bounce) {
            (true, true) => Self::Preferred,
            (true, false) => Self::Required,
            (false, _) if fields.next().is_some_and(|value| value.trim().eq_ignore_ascii_case("no")) => {
                Self::NotRequired
            }
            (false, _) => Self::ByPolicy,
        }
    }

    /// Whether REQUIRETLS was given.
    pub fn is_required(self) -> bool {
        matches!(self, Self::Preferred | Self::Required)
    }

    /// Behind the stored kind of a next hop.
    fn suffix(self) -> &'static str {
        match self {
            Self::ByPolicy => "",
            Self::NotRequired => "+tls-no",
            Self::Preferred => "+tls-preferred",
            Self::Required => "+requiretls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_as_they_were_stored() {
        let mut kinds = Vec::new();
        for tls in TlsDemand::ALL {
            for hop in [NextHop::Mx("a.test".into(), tls), NextHop::Relay(tls)] {
                assert_eq!(NextHop::from_stored(&hop.stored()), Some(hop.clone()));
                kinds.push(hop.stored().kind);
            }
        }
        kinds.sort();
        let mut all: Vec<_> = NextHop::kinds().collect();
        all.sort();
        assert_eq!(all, kinds);
        for kind in ["", "x", "mx+", "mx+x", "twin", "+requiretls"] {
            assert_eq!(
                NextHop::from_stored(&Hop { kind: kind.into(), name: "a.test".into() }),
                None,
                "{kind}"
            );
        }
    }

    #[test]
    fn rfc8689_4_1_what_a_message_demands() {
        for (require_tls, is_bounce, header, expected) in [
            (false, false, "Subject: x\r\n\r\n", TlsDemand::ByPolicy),
            (false, false, "tls-required: NO \r\n\r\n", TlsDemand::NotRequired),
            (false, true, "TLS-Required: No\r\n\r\n", TlsDemand::NotRequired),
            (false, false, "TLS-Required: Yes\r\n\r\n", TlsDemand::ByPolicy),
            (true, false, "TLS-Required: No\r\n\r\n", TlsDemand::Required),
            (true, true, "\r\n", TlsDemand::Preferred),
        ] {
            assert_eq!(TlsDemand::of(require_tls, is_bounce, header.as_bytes()), expected, "{header:?}");
        }
    }
}

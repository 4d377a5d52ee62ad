//! What is known of the sender of a message that came from outside: plain data, found out by
//! whoever received it, for whoever decides where it goes.

use std::fmt;
use std::net::IpAddr;

/// The result of one method (RFC 8601 §2.7). Everything but `Pass` and `None` is a reason not to
/// believe what the method was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthResult {
    Fail,
    Neutral,
    /// Nothing to check: no record, no signature, no sender.
    #[default]
    None,
    /// What was published or signed cannot be used, and trying again will not help.
    PermError,
    /// Valid, but not by rules of this hub (a key that is too short, a message too large to check).
    Policy,
    Pass,
    SoftFail,
    /// DNS did not answer.
    TempError,
}

impl AuthResult {
    pub fn is_pass(self) -> bool {
        self == Self::Pass
    }
}

impl fmt::Display for AuthResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::PermError => "permerror",
            Self::Policy => "policy",
            Self::Pass => "pass",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
        })
    }
}

/// What the owner of a domain wants done with mail that only claims to come from there
/// (RFC 9989 §4.7), and what is to be done with this message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DmarcPolicy {
    #[default]
    None,
    Quarantine,
    Reject,
}

impl fmt::Display for DmarcPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        })
    }
}

/// SPF of the reverse-path, or of HELO where that is null (RFC 7208).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfVerdict {
    pub result: AuthResult,
    /// The domain that was asked, in lower case; empty if there was none.
    pub domain: String,
    /// It is the domain of HELO, because the reverse-path is null (RFC 7208 §2.4).
    pub of_helo: bool,
    /// The domain is in the same organisation as the author's.
    pub aligned: bool,
}

/// One DKIM signature (RFC 6376).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DkimVerdict {
    pub result: AuthResult,
    /// `d=`, in lower case.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// The domain is in the same organisation as the author's.
    pub aligned: bool,
}

/// DMARC of the author's domain (RFC 9989).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcVerdict {
    pub result: AuthResult,
    /// The domain in From, in lower case; of several the one that was answered for worst. Empty if From
    /// names nobody, or more domains than are looked at: that is a `PermError`.
    pub domain: String,
    /// What the domain publishes; what this hub does where there is none to ask.
    pub policy: DmarcPolicy,
    /// It wants to be told about mail that claims it (RFC 9990).
    pub wants_reports: bool,
}

/// An entry in a list of senders known for junk (RFC 5782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Where the list is in DNS.
    pub list: String,
    /// The address or domain that it has.
    pub subject: String,
    /// What this list has is refused; else it is only weighed.
    pub refuses: bool,
    /// What the list says about it: printable, but a stranger's words.
    pub reason: Option<String>,
}

/// Everything found out about one message. Made only for mail from other servers: what a twin sends
/// after a log-in, and what the hub itself says, has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who connected.
    pub peer: IpAddr,
    /// As the peer gave it.
    pub helo: String,
    /// The peer's name, if its address leads to the name and the name back (RFC 8601 §3).
    pub ptr: Option<String>,
    pub iprev: AuthResult,
    pub spf: SpfVerdict,
    /// In the order of the header; at most as many as were looked at.
    pub dkim: Vec<DkimVerdict>,
    /// The chain of RFC 8617.
    pub arc: AuthResult,
    /// Who sealed last, in lower case, if the chain is valid.
    pub arc_sealer: Option<String>,
    pub dmarc: DmarcVerdict,
    /// In the order of the lists.
    pub listed: Vec<Listing>,
    /// What is to be done with the message: what the author's domain wants, or this hub where that
    /// domain is its own. A message to reject is not delivered at all.
    pub action: DmarcPolicy,
}

impl Verdict {
    /// Before anything was found out.
    pub fn new(peer: IpAddr, helo: impl Into<String>) -> Self {
        Self {
            peer,
            helo: helo.into(),
            ptr: None,
            iprev: AuthResult::None,
            spf: SpfVerdict::default(),
            dkim: Vec::new(),
            arc: AuthResult::None,
            arc_sealer: None,
            dmarc: DmarcVerdict::default(),
            listed: Vec::new(),
            action: DmarcPolicy::None,
        }
    }

    /// True if the author's domain has authorised the message, with or without a DMARC record:
    /// then From can be believed.
    pub fn is_authentic(&self) -> bool {
        self.dmarc.result.is_pass()
            || (self.spf.result.is_pass() && self.spf.aligned)
            || self.dkim.iter().any(|signature| signature.result.is_pass() && signature.aligned)
    }

    /// True if the message does not seem to be from whom it says.
    pub fn is_suspicious(&self) -> bool {
        self.action == DmarcPolicy::Quarantine
    }

    /// True if a domain, in lower case, is known to have sent the message: by SPF of its reverse-path, or a
    /// signature of the domain or one above it.
    pub fn answers_for(&self, domain: &str) -> bool {
        let spf = &self.spf;
        let is_above = |above: &str| domain.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'));
        (spf.result.is_pass() && !spf.of_helo && spf.domain == domain)
            || self.dkim.iter().any(|signature| {
                signature.result.is_pass() && (signature.domain == domain || is_above(&signature.domain))
            })
    }

    /// Decides what is to be done. `is_ours`: the author's domain is one of this hub's.
    /// `is_passed_on`: the message says that it came over a mailing list.
    ///
    /// RFC 9989 §7.4: the wish to reject is not reason enough where a list may have changed the
    /// message; then it is put aside. A stranger who speaks for a domain of ours is put aside at
    /// least, whatever that domain publishes.
    pub fn decide(&mut self, is_ours: bool, is_passed_on: bool) {
        let wanted = match self.dmarc.result {
            AuthResult::Fail | AuthResult::PermError => self.dmarc.policy,
            _ => DmarcPolicy::None,
        };
        self.action = match wanted {
            DmarcPolicy::Reject if is_passed_on || self.arc.is_pass() => DmarcPolicy::Quarantine,
            DmarcPolicy::None if is_ours && !self.is_authentic() => DmarcPolicy::Quarantine,
            wanted => wanted,
        };
    }

    /// True if the author's domain wants something done with mail that fails, and DNS has not told
    /// whether this one does: another attempt of the sender can be decided (RFC 9989 §5.3.6).
    pub fn is_open(&self) -> bool {
        self.dmarc.result == AuthResult::TempError && self.dmarc.policy != DmarcPolicy::None
    }

    /// True if nobody answers for the message, or the author does not and the peer has no name that it
    /// would own up to. What DNS has not told is no reason to doubt.
    pub fn is_doubtful(&self) -> bool {
        let is_untold = |result: AuthResult| result == AuthResult::TempError;
        if is_untold(self.spf.result) || self.dkim.iter().any(|signature| is_untold(signature.result)) {
            return false;
        }
        let has_no_name = matches!(self.iprev, AuthResult::Fail | AuthResult::PermError);
        self.authenticated_domains().is_empty() || (has_no_name && !self.is_authentic())
    }

    /// Domains that have answered for the message, each once: those of valid signatures, then SPF's.
    pub fn authenticated_domains(&self) -> Vec<&str> {
        let signed = self.dkim.iter().filter(|signature| signature.result.is_pass());
        let mut domains: Vec<&str> = signed.map(|signature| signature.domain.as_str()).collect();
        if self.spf.result.is_pass() {
            domains.push(&self.spf.domain);
        }
        let mut seen = std::collections::HashSet::new();
        domains.retain(|domain| !domain.is_empty() && seen.insert(*domain));
        domains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(domain: &str, result: AuthResult, aligned: bool) -> DkimVerdict {
        DkimVerdict { result, domain: domain.into(), selector: "s".into(), aligned }
    }

    #[test]
    fn what_is_done() {
        use DmarcPolicy::{None as Leave, Quarantine, Reject};
        for (result, policy, is_ours, is_passed_on, action) in [
            (AuthResult::Fail, Reject, false, false, Reject),
            (AuthResult::Fail, Reject, true, false, Reject),
            (AuthResult::Fail, Reject, false, true, Quarantine),
            (AuthResult::Fail, Quarantine, false, true, Quarantine),
            (AuthResult::Fail, Leave, false, false, Leave),
            (AuthResult::Fail, Leave, true, false, Quarantine),
            (AuthResult::None, Leave, true, false, Quarantine),
            (AuthResult::None, Leave, false, false, Leave),
            (AuthResult::Pass, Reject, true, false, Leave),
            (AuthResult::TempError, Reject, false, false, Leave),
            (AuthResult::PermError, Reject, false, false, Reject),
            (AuthResult::PermError, Leave, false, false, Leave),
        ] {
            let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
            verdict.dmarc =
                DmarcVerdict { result, domain: "example.com".into(), policy, wants_reports: false };
            verdict.decide(is_ours, is_passed_on);
            assert_eq!(verdict.action, action, "{result} {policy} {is_ours} {is_passed_on}");
            assert_eq!(verdict.is_open(), result == AuthResult::TempError);
        }
    }

    #[test]
    fn who_is_doubted() {
        use AuthResult::{Fail, None as Nothing, Pass, PermError, SoftFail, TempError};
        for (spf, aligned, dkim, iprev, is) in [
            (Nothing, false, None, Pass, true),
            (SoftFail, false, Some(Fail), Pass, true),
            (Fail, false, Some(Pass), Pass, false),
            (Pass, true, None, Pass, false),
            (Pass, true, None, PermError, false),
            (Pass, false, None, PermError, true),
            (Pass, false, None, Fail, true),
            (Pass, false, None, TempError, false),
            (TempError, false, None, Pass, false),
            (Nothing, false, Some(TempError), Fail, false),
        ] {
            let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
            verdict.spf = SpfVerdict { result: spf, domain: "a.example".into(), of_helo: false, aligned };
            verdict.dkim = dkim.map(|result| signature("b.example", result, false)).into_iter().collect();
            verdict.iprev = iprev;
            assert_eq!(verdict.is_doubtful(), is, "{spf} {aligned} {dkim:?} {iprev}");
        }
    }

    #[test]
    fn who_answers_for_a_message() {
        let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
        assert!(!verdict.is_authentic());
        assert!(verdict.authenticated_domains().is_empty());

        verdict.dkim = vec![
            signature("a.example", AuthResult::Fail, true),
            signature("list.example", AuthResult::Pass, false),
            signature("list.example", AuthResult::Pass, false),
        ];
        verdict.spf =
            SpfVerdict { result: AuthResult::Pass, domain: "list.example".into(), ..SpfVerdict::default() };
        assert!(!verdict.is_authentic());
        assert_eq!(verdict.authenticated_domains(), ["list.example"]);

        verdict.dkim.push(signature("a.example", AuthResult::Pass, true));
        assert!(verdict.is_authentic());
        assert_eq!(verdict.authenticated_domains(), ["list.example", "a.example"]);
        for (domain, answered) in [
            ("list.example", true),
            ("a.example", true),
            ("mail.a.example", true),
            ("xa.example", false),
            ("example", false),
            ("", false),
        ] {
            assert_eq!(verdict.answers_for(domain), answered, "{domain}");
        }
        verdict.dkim.clear();
        verdict.spf.of_helo = true;
        assert!(!verdict.answers_for("list.example"), "HELO answers for no reverse-path");
    }
}

//! MTA-STS (RFC 8461): the policy that other servers fetch before they bring mail.

use super::of_host;
use crate::Service;
use crate::reply::{self, Reply};

pub(crate) const PATH: &str = "/.well-known/mta-sts.txt";
/// Where the policy of a domain is asked for, before its name.
const HOST: &str = "mta-sts.";

/// What a sender does that finds no certificate it can check (RFC 8461 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It keeps the mail back.
    Enforce,
    /// It forgets the policy (RFC 8461 §8.3).
    None,
    /// It says so in its reports (RFC 8460), and brings the mail all the same.
    #[default]
    Testing,
}

/// The policy of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(String);

impl Policy {
    /// RFC 8461 §3.2. A week old, it is asked for again.
    pub(crate) fn new(mode: Mode, mail_host: &str) -> Self {
        let mode = match mode {
            Mode::Enforce => "enforce",
            Mode::None => "none",
            Mode::Testing => "testing",
        };
        Self(format!("version: STSv1\r\nmode: {mode}\r\nmx: {mail_host}\r\nmax_age: 604800\r\n"))
    }

    /// `id=` of the DNS record (RFC 8461 §3.1): another policy has another one.
    pub fn id(&self) -> String {
        // FNV-1a: what is published must stay the same in every version of this program.
        let hash = self.0.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

pub(crate) async fn answer(service: &Service, host: &str) -> hub::Result<Reply> {
    let Some(domain) = host.strip_prefix(HOST) else { return Ok(reply::not_found()) };
    let policy = match of_host(&service.hub, domain).await? {
        Some(domain) => service.services.mta_sts(&domain.ascii),
        None => None,
    };
    Ok(match policy {
        Some(Policy(text)) => reply::document("text/plain; charset=utf-8", text),
        None => reply::not_found(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8461_3_1_another_policy_has_another_id() {
        let text = "version: STSv1\r\nmode: testing\r\nmx: mail.a.test\r\nmax_age: 604800\r\n";
        let one = Policy::new(Mode::Testing, "mail.a.test");
        assert_eq!(one.0, text);
        assert_ne!(one.id(), Policy::new(Mode::Testing, "mail.b.test").id());
        assert_ne!(one.id(), Policy::new(Mode::Enforce, "mail.a.test").id());
        assert_ne!(one.id(), Policy::new(Mode::None, "mail.a.test").id());
        assert_eq!(one.id(), Policy::new(Mode::Testing, "mail.a.test").id());
        assert!(one.id().len() <= 32 && one.id().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}

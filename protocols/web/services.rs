//! What this hub offers, under which names and ports: the one source of every answer to "where is
//! my mail?", whatever the words it is asked in.

use crate::discovery::mta_sts::{Mode, Policy};

/// Ports as the outside sees them; `None` for what is not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    pub http: Option<u16>,
    pub https: Option<u16>,
    pub imap: Option<u16>,
    pub imaps: Option<u16>,
    pub managesieve: Option<u16>,
    pub submission: Option<u16>,
    pub submissions: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The hub's configured name in ASCII; without one, each domain has its own (`mail.DOMAIN`).
    pub hostname: Option<String>,
    pub ports: Ports,
    /// What other servers are told about checking certificates; `None` while there are none that they can
    /// check.
    pub mta_sts_mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Imap,
    Submission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Implicit,
    StartTls,
}

/// One way in for a mail program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    pub protocol: Protocol,
    pub security: Security,
    pub port: u16,
}

impl Services {
    /// The host on which the twins of `domain` (in ASCII) find everything.
    pub fn host(&self, domain: &str) -> String {
        self.hostname.clone().unwrap_or_else(|| format!("mail.{domain}"))
    }

    /// What other servers are told about TLS before they bring mail; nothing while the certificate is one
    /// that only this hub vouches for.
    pub fn mta_sts(&self, domain: &str) -> Option<Policy> {
        let mode = self.mta_sts_mode.filter(|_| self.ports.https == Some(443));
        mode.map(|mode| Policy::new(mode, &self.host(domain)))
    }

    /// Every way to read and send mail; for each protocol, TLS from the first byte comes first
    /// (RFC 8314 §3).
    pub fn servers(&self) -> impl Iterator<Item = Server> + use<> {
        let Ports { imap, imaps, submission, submissions, .. } = self.ports;
        [
            (Protocol::Imap, Security::Implicit, imaps),
            (Protocol::Imap, Security::StartTls, imap),
            (Protocol::Submission, Security::Implicit, submissions),
            (Protocol::Submission, Security::StartTls, submission),
        ]
        .into_iter()
        .filter_map(|(protocol, security, port)| Some(Server { protocol, security, port: port? }))
    }

    /// The best way for one protocol, for forms with room for one only.
    pub fn best(&self, protocol: Protocol) -> Option<Server> {
        self.servers().find(|server| server.protocol == protocol)
    }

    /// `https://HOST`, with the port if it is not the usual one.
    pub fn https_origin(&self, host: &str) -> Option<String> {
        Some(match self.ports.https? {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order() {
        let mut services = Services {
            hostname: None,
            ports: Ports { imap: Some(143), imaps: Some(993), submission: Some(587), ..Ports::default() },
            mta_sts_mode: None,
        };
        assert_eq!(services.host("a.test"), "mail.a.test");
        let implicit = Server { protocol: Protocol::Imap, security: Security::Implicit, port: 993 };
        assert_eq!(services.best(Protocol::Imap), Some(implicit));
        let start_tls = Server { protocol: Protocol::Submission, security: Security::StartTls, port: 587 };
        assert_eq!(services.best(Protocol::Submission), Some(start_tls));
        assert_eq!(services.servers().count(), 3);

        services.hostname = Some("mx.b.test".to_owned());
        assert_eq!(services.host("a.test"), "mx.b.test");
    }

    #[test]
    fn origins() {
        for (port, expected) in
            [(None, None), (Some(443), Some("https://a.test")), (Some(2443), Some("https://a.test:2443"))]
        {
            let services = Services {
                hostname: None,
                ports: Ports { https: port, ..Ports::default() },
                mta_sts_mode: None,
            };
            assert_eq!(services.https_origin("a.test").as_deref(), expected);
        }
    }
}

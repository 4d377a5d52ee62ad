//! Which listeners there are, bound and described.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, anyhow};
use hub_config::{Endpoint, Listen, Networks, Proxy};
use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Https,
    Imap,
    Imaps,
    Lmtp,
    ManageSieve,
    Smtp,
    Submission,
    Submissions,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Lmtp,
        Self::Imap,
        Self::Imaps,
        Self::ManageSieve,
        Self::Http,
        Self::Https,
    ];

    /// The key in hub.toml, in the ready file and in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Lmtp => "lmtp",
            Self::ManageSieve => "managesieve",
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
        }
    }

    pub(crate) fn configured(self, listen: &Listen) -> &[Endpoint] {
        match self {
            Self::Http => &listen.http.0,
            Self::Https => &listen.https.0,
            Self::Imap => &listen.imap.0,
            Self::Imaps => &listen.imaps.0,
            Self::Lmtp => &listen.lmtp.0,
            Self::ManageSieve => &listen.managesieve.0,
            Self::Smtp => &listen.smtp.0,
            Self::Submission => &listen.submission.0,
            Self::Submissions => &listen.submissions.0,
        }
    }

    /// Proxies whose connections begin with a header.
    pub(crate) fn proxies(self, proxy: &Proxy) -> &Networks {
        match self {
            Self::Http => &proxy.http,
            Self::Https => &proxy.https,
            Self::Imap => &proxy.imap,
            Self::Imaps => &proxy.imaps,
            Self::Lmtp => &proxy.lmtp,
            Self::ManageSieve => &proxy.managesieve,
            Self::Smtp => &proxy.smtp,
            Self::Submission => &proxy.submission,
            Self::Submissions => &proxy.submissions,
        }
    }

    /// What a connection over a limit hears: RFC 9051 §7.1.5 with the code of RFC 5530, RFC 5321 §3.8.
    pub(crate) fn refusal(self) -> &'static str {
        match self {
            Self::Http | Self::Https => "",
            Self::Imap | Self::Imaps => "* BYE [LIMIT] Too many connections, please try again later\r\n",
            Self::ManageSieve => "BYE (TRYLATER) \"Too many connections\"\r\n",
            Self::Lmtp | Self::Smtp | Self::Submission | Self::Submissions => {
                "421 4.7.0 Too many connections, please try again later\r\n"
            }
        }
    }

    pub(crate) fn is_implicit_tls(self) -> bool {
        matches!(self, Self::Https | Self::Imaps | Self::Submissions)
    }
}

pub(crate) struct Bound {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
}

/// Binds what is configured, or one free loopback port for each kind.
pub(crate) fn bind(listen: &Listen, ephemeral: bool) -> Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for kind in Kind::ALL {
        if ephemeral {
            bound.push(bind_one(kind, Endpoint::At((Ipv4Addr::LOCALHOST, 0).into()))?);
        } else {
            for &endpoint in kind.configured(listen) {
                bound.push(bind_one(kind, endpoint)?);
            }
        }
    }
    Ok(bound)
}

fn bind_one(kind: Kind, endpoint: Endpoint) -> Result<Bound> {
    let listener = hub_wire::bind(&endpoint.candidates()).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "another program (or another twinhub) has this port",
            ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege: let systemd grant CAP_NET_BIND_SERVICE, or forward the port"
            }
            ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => "see listen in hub.toml",
        };
        anyhow!(error).context(format!("cannot listen on {endpoint} for {}: {advice}", kind.name()))
    })?;
    let address = listener.local_addr().context("a listener without address")?;
    Ok(Bound { kind, address, listener })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_config::Endpoints;

    #[tokio::test]
    async fn ephemeral_ports_are_on_loopback() {
        let bound = bind(&Listen::default(), true).expect("binds");
        assert_eq!(bound.iter().map(|bound| bound.kind).collect::<Vec<_>>(), Kind::ALL);
        assert!(bound.iter().all(|bound| bound.address.ip().is_loopback() && bound.address.port() != 0));
    }

    #[tokio::test]
    async fn configured_listeners_and_their_failures() {
        let none = Endpoints::default;
        let free = Endpoint::At((Ipv4Addr::LOCALHOST, 0).into());
        let mut listen = Listen {
            http: none(),
            https: none(),
            imap: Endpoints(vec![free, free]),
            imaps: none(),
            lmtp: none(),
            managesieve: none(),
            smtp: none(),
            submission: none(),
            submissions: none(),
        };
        let bound = bind(&listen, false).expect("binds");
        assert_eq!(bound.len(), 2);
        let in_use = Endpoint::At(bound[0].address);
        listen.imaps = Endpoints(vec![in_use]);
        let error = format!("{:#}", bind(&listen, false).err().expect("in use"));
        assert!(error.contains(&format!("cannot listen on {in_use} for imaps: another program")), "{error}");
    }
}

//! What the operator sees when the server starts: where everything is, what a mail program needs,
//! what to do next.

use anyhow::Result;
use hub::{Address, Hub, Secret};
use hub_certs::Certs;
use hub_web::{Protocol, Security, Server, Services};

use crate::listeners::{Bound, Kind};
use crate::setup::Setup;
use crate::{admin, data_dir};

pub(crate) struct Banner<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) hub: &'a Hub,
    pub(crate) certs: &'a Certs,
    pub(crate) bound: &'a [Bound],
    pub(crate) services: &'a Services,
    pub(crate) host_name: &'a str,
}

impl Banner<'_> {
    /// `newcomer` is a twin that was just made; its password is shown here and nowhere else.
    pub(crate) async fn text(&self, newcomer: Option<(Address, Secret)>) -> Result<String> {
        let mut out = self.settings();
        if self.certs.is_self_made() {
            out.push_str(&format!(
                "The certificate is the hub's own; mail programs accept it once they trust\n  {}\n",
                self.certs.authority().display()
            ));
        }
        if self.hub.twins().await.map_err(described)?.is_empty() {
            out.push_str(&self.first_steps(&self.hub.domains().await.map_err(described)?));
        }
        if let Some((address, password)) = newcomer {
            out.push_str(&format!(
                "\nThe first twin lives here now. Its password is shown this once:\n  user name   {address}\n  password    {}\n",
                password.expose()
            ));
        }
        Ok(out)
    }

    fn settings(&self) -> String {
        let mut out = format!(
            "\
Twin Hub {version} runs. Its data: {data}

Settings for mail programs
  server      localhost on this machine, {host_name} (or its address) from elsewhere
  user name   the whole mail address
  reading     IMAP        {imap}
  sending     SMTP        {submission}
{incoming}
",
            version = env!("CARGO_PKG_VERSION"),
            data = self.setup.data_dir.display(),
            host_name = self.host_name,
            imap = self.ways(Protocol::Imap),
            submission = self.ways(Protocol::Submission),
            incoming = match self.listening(Kind::Smtp).as_str() {
                "off" => "Mail from other servers is not taken: listen.smtp is off.".to_owned(),
                place => format!("Mail from other servers arrives on port {place}."),
            },
        );
        if let Some(port) = self.services.ports.https {
            out.push_str(&format!(
                "Mail programs find the settings by themselves over https, port {port}; `twinhub dns` says what DNS needs.\n"
            ));
        }
        out
    }

    /// "port 2993 with SSL/TLS, or port 2143 with STARTTLS"
    fn ways(&self, protocol: Protocol) -> String {
        let servers = self.services.servers().filter(|server| server.protocol == protocol);
        let ways: Vec<String> = servers.map(|server| self.way(server)).collect();
        if ways.is_empty() { "off".to_owned() } else { ways.join(", or ") }
    }

    fn way(&self, server: Server) -> String {
        let (kind, security) = match (server.protocol, server.security) {
            (Protocol::Imap, Security::Implicit) => (Kind::Imaps, "SSL/TLS"),
            (Protocol::Imap, Security::StartTls) => (Kind::Imap, "STARTTLS"),
            (Protocol::Submission, Security::Implicit) => (Kind::Submissions, "SSL/TLS"),
            (Protocol::Submission, Security::StartTls) => (Kind::Submission, "STARTTLS"),
        };
        let here = self.listening(kind);
        let port = server.port.to_string();
        // A listener on one address, or a forward in front; without one, another program listens.
        let place = match here.as_str() {
            "off" => String::new(),
            here if here == port => String::new(),
            here => format!(" (listening on {here})"),
        };
        format!("port {port} with {security}{place}")
    }

    fn listening(&self, kind: Kind) -> String {
        let of_kind = self.bound.iter().filter(|bound| bound.kind == kind);
        let places: Vec<String> = of_kind
            .map(|bound| match bound.address.ip() {
                ip if ip.is_unspecified() => bound.address.port().to_string(),
                _ => bound.address.to_string(),
            })
            .collect();
        if places.is_empty() { "off".to_owned() } else { places.join(", ") }
    }

    fn first_steps(&self, domains: &[String]) -> String {
        let domain = domains.first().map_or("example.org", String::as_str);
        let mut out = "\nNobody lives here yet. Make the first twin, in another terminal:\n".to_owned();
        let place = match data_dir::default_path() {
            Ok(path) if path == self.setup.data_dir => String::new(),
            _ => format!(" --data-dir {}", self.setup.data_dir.display()),
        };
        if domains.is_empty() {
            out.push_str(&format!("  twinhub{place} domain add {domain}\n"));
        }
        out.push_str(&format!("  twinhub{place} twin add alice@{domain}\n"));
        out
    }
}

fn described(error: hub::Error) -> anyhow::Error {
    anyhow::Error::msg(admin::explain(error))
}

//! From configuration and listeners to what the hub says of itself: [`Services`], from which come
//! discovery documents, DNS records and what `serve` prints.

use hub_config::{Config, MtaSts, Public};
use hub_web::{Ports, Services, StsMode};

use crate::listeners::{Bound, Kind};

/// As configured; for commands that run beside the server.
pub(crate) fn configured(config: &Config) -> Services {
    services(config, |kind| kind.configured(&config.listen).first().map(|endpoint| endpoint.port()))
}

/// As the server listens.
pub(crate) fn bound(config: &Config, bound: &[Bound]) -> Services {
    services(config, |kind| Some(bound.iter().find(|bound| bound.kind == kind)?.address.port()))
}

fn services(config: &Config, listening: impl Fn(Kind) -> Option<u16>) -> Services {
    let Public { http, https, imap, imaps, managesieve, submission, submissions } = config.public;
    // A port of 0 under [public] is one that the outside is not told.
    let port = |public: Option<u16>, kind| public.or_else(|| listening(kind)).filter(|&port| port != 0);
    // Others can check them, or soon can.
    let has_certificates = config.acme.agree_to_terms || !config.tls.certificates.is_empty();
    Services {
        hostname: config.general.hostname.as_deref().and_then(hub_certs::ascii_name),
        ports: Ports {
            http: port(http, Kind::Http),
            https: port(https, Kind::Https),
            imap: port(imap, Kind::Imap),
            imaps: port(imaps, Kind::Imaps),
            managesieve: port(managesieve, Kind::ManageSieve),
            submission: port(submission, Kind::Submission),
            submissions: port(submissions, Kind::Submissions),
        },
        mta_sts_mode: has_certificates.then_some(match config.tls.mta_sts {
            MtaSts::Enforce => StsMode::Enforce,
            MtaSts::None => StsMode::None,
            MtaSts::Testing => StsMode::Testing,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listeners::bind;
    use std::path::Path;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("hub.toml")).expect("valid")
    }

    #[test]
    fn public_ports_win() {
        let config =
            config("hostname = \"MX.ä.test\"\n[listen]\nimap = []\n[public]\nimaps = 993\nhttp = 0\n");
        let services = configured(&config);
        assert_eq!(services.hostname.as_deref(), Some("mx.xn--4ca.test"));
        let ports = services.ports;
        assert_eq!((ports.imaps, ports.imap, ports.http), (Some(993), None, None));
        assert_eq!((ports.https, ports.submission), (Some(2443), Some(2587)), "as they listen");
    }

    #[tokio::test]
    async fn what_listens_elsewhere_is_said() {
        let config = config("[public]\nimaps = 993\n");
        let listeners = bind(&config.listen, true).expect("binds");
        let ports = bound(&config, &listeners).ports;
        assert_eq!(ports.imaps, Some(993));
        let https = listeners.iter().find(|bound| bound.kind == Kind::Https).expect("bound");
        assert_eq!(ports.https, Some(https.address.port()));
    }
}

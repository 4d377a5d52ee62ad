//! `twinhub dns`: the records that a domain needs, as lines of a zone file (RFC 1035 §5.1).

mod records;

use std::path::PathBuf;

use anyhow::{Result, bail};

use hub_certs::Certificate;

use crate::admin::{Answer, Request};
use crate::setup::Setup;
use crate::text::print;
use crate::{commands, data_dir, services};

pub(crate) use records::{Data, Record, Sources, for_domain};

pub(crate) async fn run(setup: &Setup, domain: &str) -> Result<()> {
    let name = hub::normal_domain(domain).and_then(|name| hub_certs::ascii_name(&name));
    let Some(name) = name.filter(|name| name.contains('.')) else {
        bail!("\"{}\" is not a domain name", domain.escape_debug());
    };
    let hosted = hosted(setup).await?;
    // As it was added, which may be in Unicode.
    let hosted = hosted.into_iter().find(|domain| hub_certs::ascii_name(domain).as_ref() == Some(&name));
    let sources = sources(setup, &name, hosted.as_deref()).await?;
    print(&zone(setup, &name, hosted.is_some(), &sources))?;
    Ok(())
}

/// What the records of a domain (in ASCII, and as it is hosted) are made from.
pub(crate) async fn sources(setup: &Setup, domain: &str, hosted: Option<&str>) -> Result<Sources> {
    let host = services::configured(&setup.config).host(domain);
    let mut certificates = certificates(setup);
    Ok(Sources {
        relay: setup.config.relay.host.clone(),
        keys: match hosted {
            Some(hosted) => commands::keys(setup, hosted).await?,
            None => Vec::new(),
        },
        host_key: certificates.find(|certificate| certificate.fits(&host)).map(|found| found.key_hash),
    })
}

/// Those that are shown, the best first. The hub's own have a key that stays, so DNS can name it (DANE-EE
/// asks for no authority, RFC 7672 §3.1.1).
fn certificates(setup: &Setup) -> impl Iterator<Item = Certificate> {
    let mut files: Vec<(PathBuf, PathBuf)> =
        setup.config.tls.certificates.iter().map(|files| (files.chain.clone(), files.key.clone())).collect();
    if files.is_empty() {
        let folder = setup.certificate_folder();
        let ordered = setup.config.acme.agree_to_terms.then(|| hub_certs::acme::certificate_file(&folder));
        let own = ordered.into_iter().chain([folder.join("hub.pem")]);
        files = own.map(|file| (file.clone(), file)).collect();
    }
    files.into_iter().filter_map(|(chain, key)| Certificate::read(&chain, &key).ok())
}

/// Without a hub yet, nothing: records may be made before it.
async fn hosted(setup: &Setup) -> Result<Vec<String>> {
    if let data_dir::State::Absent | data_dir::State::Fresh = data_dir::examine(&setup.data_dir)? {
        return Ok(Vec::new());
    }
    let Answer::Domains(domains) = commands::answer(commands::look(setup, Request::DomainList).await?)?
    else {
        return commands::odd();
    };
    Ok(domains)
}

fn zone(setup: &Setup, domain: &str, is_hosted: bool, sources: &Sources) -> String {
    let services = services::configured(&setup.config);
    let host = services.host(domain);
    let mut out = format!("; What the zone of {domain} needs for Twin Hub {}.\n", env!("CARGO_PKG_VERSION"));
    if !is_hosted {
        out.push_str(&format!("; This hub does not host it yet: twinhub domain add {domain}\n"));
    }
    out.push_str(&format!(
        "; {host} needs the public address of this machine, for example:\n\
         ;   {host}. 3600 IN A 192.0.2.1\n\
         ;   {host}. 3600 IN AAAA 2001:db8::1\n\
         ; Other servers bring mail to port 25 there, and nowhere else.\n"
    ));
    if services.ports.https != Some(443) {
        out.push_str(
            "; Mail programs look for their settings on port 443 only: forward it, and say so under [public].\n",
        );
    }
    let mut heading = "";
    for record in for_domain(&services, domain, sources) {
        if record.why != heading {
            heading = record.why;
            out.push_str(&format!("\n; {heading}\n"));
        }
        out.push_str(&format!("{record}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_config::Config;

    fn setup(config: &str) -> Setup {
        Setup {
            config: Config::parse(config, std::path::Path::new("hub.toml")).expect("valid"),
            config_file: None,
            data_dir: "/nowhere".into(),
        }
    }

    #[test]
    fn a_zone_has_every_record_once() {
        let public = "[public]\nhttps = 443\nimaps = 993\nimap = 0\nsubmissions = 465\nsubmission = 587\nmanagesieve = 4190\n";
        let key = crate::admin::Key {
            selector: "rsa-1".into(),
            state: "signing".into(),
            record: format!("v=DKIM1; k=rsa; p={}", "A".repeat(300)),
            created_at: 0,
        };
        let sources = Sources { keys: vec![key], host_key: Some("ab".into()), ..Sources::default() };
        let text = zone(&setup(public), "a.test", true, &sources);
        let records: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).collect();
        assert_eq!(
            records,
            [
                "a.test. 3600 IN MX 10 mail.a.test.",
                "a.test. 3600 IN TXT \"v=spf1 mx -all\"",
                &format!(
                    "rsa-1._domainkey.a.test. 3600 IN TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"",
                    "A".repeat(237),
                    "A".repeat(63)
                ),
                "_dmarc.a.test. 3600 IN TXT \"v=DMARC1; p=quarantine; rua=mailto:postmaster@a.test\"",
                "_smtp._tls.a.test. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@a.test\"",
                "_25._tcp.mail.a.test. 3600 IN TLSA 3 1 1 ab",
                "_imaps._tcp.a.test. 3600 IN SRV 0 1 993 mail.a.test.",
                "_imap._tcp.a.test. 3600 IN SRV 0 0 0 .",
                "_submissions._tcp.a.test. 3600 IN SRV 0 1 465 mail.a.test.",
                "_submission._tcp.a.test. 3600 IN SRV 0 1 587 mail.a.test.",
                "_pop3s._tcp.a.test. 3600 IN SRV 0 0 0 .",
                "_pop3._tcp.a.test. 3600 IN SRV 0 0 0 .",
                "_sieve._tcp.a.test. 3600 IN SRV 0 1 4190 mail.a.test.",
                "_autodiscover._tcp.a.test. 3600 IN SRV 0 1 443 mail.a.test.",
                "autoconfig.a.test. 3600 IN CNAME mail.a.test.",
                "autodiscover.a.test. 3600 IN CNAME mail.a.test.",
                "_caldavs._tcp.a.test. 3600 IN SRV 0 1 443 mail.a.test.",
                "_caldavs._tcp.a.test. 3600 IN TXT \"path=/dav/\"",
                "_carddavs._tcp.a.test. 3600 IN SRV 0 1 443 mail.a.test.",
                "_carddavs._tcp.a.test. 3600 IN TXT \"path=/dav/\"",
            ]
        );
        assert!(!text.contains("twinhub domain add") && !text.contains("[public]"), "{text}");
        let text = zone(&setup("hostname = \"mx.b.test\""), "a.test", false, &Sources::default());
        assert!(text.contains("a.test. 3600 IN MX 10 mx.b.test.") && text.contains("[public]"), "{text}");
        assert!(text.contains("twinhub domain add a.test"), "{text}");
    }

    #[tokio::test]
    async fn names_are_checked() {
        for name in ["", "a", "a b.test", "[192.0.2.1]", "a..test"] {
            assert!(run(&setup(""), name).await.is_err(), "{name}");
        }
    }
}

//! The configuration's limits in the words of each protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use hub::Secret;
use hub_config::{Config, Dnsbl, Dnssec, Limits, Milter, MilterFailure, Networks, Relay, RelayTls, Resolver};
use hub_dns::{Dns, Validation};
use hub_mailauth::{List, Listed};

pub(crate) fn imap(limits: &Limits) -> hub_imap::Settings {
    hub_imap::Settings {
        command_time: limits.command_time,
        connections_per_account: limits.connections_per_account,
        failed_logins: limits.failed_logins,
        idle_keep_alive: limits.idle_keep_alive,
        idle_time: limits.idle_time,
        line_length: usize::try_from(limits.line_length.0).unwrap_or(usize::MAX),
        message_size: limits.message_size.0,
        time_before_login: limits.time_before_login,
        ..hub_imap::Settings::default()
    }
}

pub(crate) fn managesieve(limits: &Limits) -> hub_managesieve::Settings {
    hub_managesieve::Settings {
        command_time: limits.command_time,
        connections_per_account: limits.connections_per_account,
        failed_logins: limits.failed_logins,
        idle_time: limits.idle_time,
        time_before_login: limits.time_before_login,
    }
}

pub(crate) fn smtp(config: &Config, host_name: String) -> Result<hub_smtp::Settings> {
    let limits = &config.limits;
    let trust_roots = match &config.tls.trust_roots {
        Some(path) => hub_certs::authorities(path).context("tls.trust_roots")?,
        None => Vec::new(),
    };
    Ok(hub_smtp::Settings {
        host_name,
        max_message_size: limits.message_size.0,
        max_recipients: limits.recipients as usize,
        max_received: limits.hops,
        command_time: limits.command_time,
        time_before_login: limits.time_before_login,
        failed_logins: limits.failed_logins,
        lmtp_networks: config.lmtp.networks.clone(),
        lmtp_authserv_id: config.lmtp.authserv_id.clone(),
        rates: rates(config),
        content_filter: content_filter(&config.milter),
        relay: relay(&config.relay)?,
        exchange_port: config.outbound.port,
        tls_reports: config.outbound.tls_reports,
        policy_port: config.outbound.mta_sts_port,
        trust_roots,
        greylisting: config.authentication.greylisting,
        check_loopback: config.authentication.check_loopback,
        clock_scale: config.outbound.clock_scale,
    })
}

/// Lists of senders, in the order in which they are named to whom they concern.
pub(crate) fn lists(dnsbl: &Dnsbl) -> Vec<List> {
    let lists = [
        (&dnsbl.reject, Listed::Addresses, true),
        (&dnsbl.reject_domains, Listed::Domains, true),
        (&dnsbl.mark, Listed::Addresses, false),
        (&dnsbl.mark_domains, Listed::Domains, false),
    ];
    let list = |(zones, lists, refuses): (&Vec<String>, Listed, bool)| -> Vec<List> {
        zones.iter().map(|zone| List { zone: zone.to_ascii_lowercase(), lists, refuses }).collect()
    };
    lists.into_iter().flat_map(list).collect()
}

/// Whom no limit is for, besides this machine: who is named, and proxies.
pub(crate) fn spared(config: &Config) -> Networks {
    Networks([config.rates.spared_networks.0.clone(), config.proxy.all().0].concat())
}

fn rates(config: &Config) -> Arc<hub_smtp::Rates> {
    let rates = &config.rates;
    Arc::new(hub_smtp::Rates::new(&hub_smtp::RateSettings {
        spared: spared(config),
        from_address: rates.messages_from_address,
        from_domain: rates.messages_from_domain,
        connections_per_account: config.limits.connections_per_account,
        messages_hourly: rates.sent_per_hour,
        messages_daily: rates.sent_per_day,
        recipients_hourly: rates.recipients_per_hour,
        recipients_daily: rates.recipients_per_day,
    }))
}

fn content_filter(milter: &Milter) -> Option<hub_smtp::ContentFilter> {
    let address = milter.address.as_ref()?;
    let place = match address.starts_with('/') {
        true => hub_smtp::Place::Unix(address.into()),
        false => hub_smtp::Place::Inet(address.clone()),
    };
    let on_error = match milter.on_error {
        MilterFailure::Accept => hub_smtp::OnError::Accept,
        MilterFailure::TempFail => hub_smtp::OnError::TempFail,
    };
    let filter = hub_smtp::Filter { place, time: milter.time, whole_time: milter.time * 4 };
    Some(hub_smtp::ContentFilter { filter, on_error })
}

pub(crate) fn dns(resolver: &Resolver) -> Result<Dns> {
    let trust_anchor = match &resolver.trust_anchor {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("resolver.trust_anchor: {}", path.display()))?)
        }
        None => None,
    };
    let settings = hub_dns::Settings {
        server: resolver.address.map(|ip| SocketAddr::new(ip, resolver.port)),
        time: resolver.time,
        validation: match resolver.dnssec {
            Dnssec::Auto => Validation::Auto,
            Dnssec::Off => Validation::Off,
            Dnssec::On => Validation::On,
        },
        trust_anchor,
    };
    Dns::new(&settings).context("resolver")
}

fn relay(relay: &Relay) -> Result<Option<hub_smtp::Relay>> {
    let Some(host) = &relay.host else { return Ok(None) };
    let credentials = match (&relay.user, &relay.password_file) {
        (Some(user), Some(path)) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("relay.password_file: {}", path.display()))?;
            let password = text.lines().next().unwrap_or_default();
            if password.is_empty() {
                bail!("relay.password_file: {} has no password on its first line", path.display());
            }
            Some((user.clone(), Secret::new(password)))
        }
        _ => None,
    };
    let security = match relay.tls {
        RelayTls::Implicit => hub_smtp::RelaySecurity::ImplicitTls,
        RelayTls::None => hub_smtp::RelaySecurity::Plain,
        RelayTls::StartTls => hub_smtp::RelaySecurity::StartTls,
    };
    Ok(Some(hub_smtp::Relay { host: host.clone(), port: relay.port, security, credentials }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody but the owner can make the hub refuse these.
    #[test]
    fn no_limit_is_for_proxies_and_named_networks() {
        let text = "[rates]\nspared_networks = [\"192.0.2.0/24\"]\n[proxy]\nimaps = [\"198.51.100.7\"]\n";
        let config = Config::parse(text, std::path::Path::new("hub.toml")).expect("valid");
        let spared = spared(&config);
        for (ip, is) in [("192.0.2.9", true), ("198.51.100.7", true), ("198.51.100.8", false)] {
            assert_eq!(spared.contains(ip.parse().expect("an address")), is, "{ip}");
        }
    }

    #[test]
    fn the_relays_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\nsecond line\n").expect("writes");
        let mut settings = Relay {
            host: Some("smtp.example.net".into()),
            user: Some("me".into()),
            password_file: Some(file.clone()),
            ..Relay::default()
        };
        let made = relay(&settings).expect("read").expect("a relay");
        let (user, password) = made.credentials.expect("credentials");
        assert_eq!((user.as_str(), password.expose()), ("me", "hunter2"));

        std::fs::write(&file, "\n").expect("writes");
        assert!(relay(&settings).expect_err("empty").to_string().contains("has no password"));
        settings.password_file = Some(folder.path().join("none"));
        assert!(relay(&settings).is_err());
        settings.host = None;
        assert!(relay(&settings).expect("no relay").is_none());
    }
}

//! Values that are well-formed but would break the hub.

use std::net::IpAddr;
use std::time::Duration;

use crate::dnsbl::Dnsbl;
use crate::network::Network;
use crate::read::Reader;
use crate::sections::{Acme, Config, General, Limits, Relay, Tls, secs};
use crate::value::{RelayTls, Size};

impl Config {
    pub(crate) fn examine(&self, reader: &mut Reader<'_>) {
        let mut refuse_if = |wrong: bool, path: &str, why: &str| {
            if wrong {
                reader.refuse(path, why);
            }
        };
        general(&self.general, &mut refuse_if);
        acme(&self.acme, &self.tls, &mut refuse_if);
        limits(&self.limits, &mut refuse_if);
        refuse_if(self.resolver.time < Duration::from_millis(100), "resolver.time", "at least 100 ms");
        let scale = self.outbound.clock_scale;
        refuse_if(!(scale > 0.0 && scale <= 1000.0), "outbound.clock_scale", "more than 0 and at most 1000");
        relay(&self.relay, &mut refuse_if);
        refuse_if(
            self.authentication.greylisting > secs(3600),
            "authentication.greylisting",
            "at most 1 h: some servers give up, and people wait",
        );
        dnsbl(&self.dnsbl, &mut refuse_if);
        for (path, networks) in self.proxy.each() {
            let is_everybody = networks.0.iter().any(Network::is_everything);
            refuse_if(is_everybody, path, "everybody is in it, and could name himself as he likes");
        }
        let filter = self.milter.address.as_ref();
        refuse_if(
            filter.is_some_and(|place| !place.starts_with('/') && !place.contains(':')),
            "milter.address",
            "neither \"HOST:PORT\" nor a path",
        );
        refuse_if(self.milter.time < secs(1), "milter.time", "at least 1 s");
    }
}

fn general(general: &General, refuse_if: &mut dyn FnMut(bool, &str, &str)) {
    for domain in &general.domains {
        refuse_if(domain.contains(is_odd), "domains", &format!("\"{domain}\" is not a domain name"));
    }
    if let Some(name) = &general.hostname {
        refuse_if(name.contains(is_odd), "hostname", &format!("\"{name}\" is not a host name"));
    }
}

fn dnsbl(dnsbl: &Dnsbl, refuse_if: &mut dyn FnMut(bool, &str, &str)) {
    for (path, lists) in [
        ("dnsbl.reject", &dnsbl.reject),
        ("dnsbl.mark", &dnsbl.mark),
        ("dnsbl.reject_domains", &dnsbl.reject_domains),
        ("dnsbl.mark_domains", &dnsbl.mark_domains),
    ] {
        for name in lists {
            let is_name = name.contains('.') && !name.contains(is_odd);
            refuse_if(!is_name, path, &format!("\"{name}\" is not the name of a list in DNS"));
        }
    }
}

fn acme(acme: &Acme, tls: &Tls, refuse_if: &mut dyn FnMut(bool, &str, &str)) {
    refuse_if(
        acme.agree_to_terms && !tls.certificates.is_empty(),
        "acme.agree_to_terms",
        "tls.certificates are set; take one or the other",
    );
    refuse_if(!acme.directory.starts_with("https://"), "acme.directory", "not an https URL (RFC 8555 §6.1)");
    for name in &acme.names {
        refuse_if(
            name.contains(is_odd) || name.contains('*'),
            "acme.names",
            &format!("\"{name}\" is not a host name"),
        );
    }
    refuse_if(
        acme.contact.as_ref().is_some_and(|contact| !contact.contains('@') || contact.contains(':')),
        "acme.contact",
        "not a mail address",
    );
}

fn limits(limits: &Limits, refuse_if: &mut dyn FnMut(bool, &str, &str)) {
    refuse_if(
        limits.message_size < Size(64 << 10),
        "limits.message_size",
        "at least 64 KiB (RFC 5321 §4.5.3.1.7)",
    );
    // A message's size is kept in 32 bits.
    refuse_if(limits.message_size > Size(2 << 30), "limits.message_size", "at most 2 GiB");
    refuse_if(limits.recipients < 100, "limits.recipients", "at least 100 (RFC 5321 §4.5.3.1.8)");
    refuse_if(limits.connections == 0, "limits.connections", "at least 1");
    refuse_if(limits.connections_per_address == 0, "limits.connections_per_address", "at least 1");
    refuse_if(limits.connections_per_account == 0, "limits.connections_per_account", "at least 1");
    refuse_if(limits.failed_logins == 0, "limits.failed_logins", "at least 1");
    refuse_if(
        limits.time_before_login < secs(5),
        "limits.time_before_login",
        "at least 5 s: people's networks are slow",
    );
    refuse_if(limits.idle_time < secs(60), "limits.idle_time", "at least 1 min");
    refuse_if(limits.command_time < secs(10), "limits.command_time", "at least 10 s");
    refuse_if(limits.line_length < Size(8 << 10), "limits.line_length", "at least 8 KiB (RFC 7162 §4)");
    refuse_if(
        limits.line_length > Size(16 << 20),
        "limits.line_length",
        "at most 16 MiB: each connection may use that much memory",
    );
    refuse_if(limits.hops < 100, "limits.hops", "at least 100 (RFC 5321 §6.3)");
}

fn relay(relay: &Relay, refuse_if: &mut dyn FnMut(bool, &str, &str)) {
    refuse_if(
        relay.user.is_some() && relay.password_file.is_none(),
        "relay.user",
        "relay.password_file is missing",
    );
    refuse_if(
        relay.password_file.is_some() && relay.user.is_none(),
        "relay.password_file",
        "relay.user is missing",
    );
    refuse_if(
        relay.user.is_some() && relay.tls == RelayTls::None && !is_local(relay.host.as_deref()),
        "relay.tls",
        "a password must not cross the network without TLS",
    );
}

/// Characters that no host name or domain has, in whatever script.
fn is_odd(c: char) -> bool {
    c.is_whitespace() || matches!(c, '@' | '/' | ':' | '"' | '[')
}

fn is_local(host: Option<&str>) -> bool {
    host.is_none_or(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    })
}

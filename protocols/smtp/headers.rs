//! Header fields that we write (pure).

use std::net::IpAddr;

use hub::{Address, normal_domain};
use hub_civil::rfc5322_date;

/// The TLS connection, as Received tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Like `TLSv1.3`.
    pub(crate) version: &'static str,
    /// Like `TLS_AES_256_GCM_SHA384`.
    pub(crate) cipher: Option<&'static str>,
}

/// The command that a conversation began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Ehlo,
    Helo,
    Lhlo,
}

/// How a message came in.
#[derive(Clone, Debug)]
pub(crate) struct Trace<'a> {
    /// Our own name.
    pub(crate) host_name: &'a str,
    /// The argument of EHLO or HELO.
    pub(crate) helo: &'a str,
    pub(crate) greeted: Greeting,
    pub(crate) peer: IpAddr,
    pub(crate) tls: Option<Tls>,
    pub(crate) authenticated: bool,
    pub(crate) smtputf8: bool,
    pub(crate) id: &'a str,
    /// The recipient, if it is the only one: naming one of several would disclose a blind copy
    /// (RFC 5321 §7.2).
    pub(crate) recipient: Option<&'a Address>,
    /// Unix seconds.
    pub(crate) at: i64,
}

/// The Received field (RFC 5321 §4.4), with its line end.
pub(crate) fn received(trace: &Trace<'_>) -> String {
    let mut out = format!("Received: from {}", client(trace));
    match trace.tls {
        Some(Tls { version, cipher: Some(cipher) }) => {
            out.push_str(&format!("\r\n\t(using {version} with cipher {cipher})"));
        }
        Some(Tls { version, cipher: None }) => out.push_str(&format!("\r\n\t(using {version})")),
        None => {}
    }
    out.push_str(&format!(
        "\r\n\tby {} with {} id {}",
        trace.host_name,
        protocol(trace.greeted, trace.smtputf8, trace.tls.is_some(), trace.authenticated),
        trace.id
    ));
    if let Some(recipient) = trace.recipient {
        out.push_str(&format!("\r\n\tfor <{recipient}>"));
    }
    out.push_str(&format!(";\r\n\t{}\r\n", rfc5322_date(trace.at, 0)));
    out
}

/// `Extended-Domain`. A twin's own device is not named: its address tells where the twin is
/// (RFC 5321 §7.6 leaves that to the site); the log has it.
fn client(trace: &Trace<'_>) -> String {
    if trace.authenticated {
        return format!("{} (authenticated)", trace.host_name);
    }
    let literal = address_literal(trace.peer);
    match normal_domain(trace.helo) {
        Some(_) => format!("{} ({literal})", trace.helo),
        None => format!("{literal} ({literal}) (HELO {})", trace.helo),
    }
}

/// The `with` keyword (RFC 3848, RFC 6531 §4.3): LMTP or SMTP, with UTF8 before, S for TLS and A for
/// AUTH behind.
pub(crate) fn protocol(greeted: Greeting, utf8: bool, tls: bool, authenticated: bool) -> String {
    let name = match (greeted, utf8) {
        (Greeting::Helo, _) => return "SMTP".to_owned(),
        (Greeting::Ehlo, false) => "ESMTP",
        (Greeting::Ehlo, true) => "UTF8SMTP",
        (Greeting::Lhlo, false) => "LMTP",
        (Greeting::Lhlo, true) => "UTF8LMTP",
    };
    let secure = if tls { "S" } else { "" };
    let logged_in = if authenticated { "A" } else { "" };
    format!("{name}{secure}{logged_in}")
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
pub(crate) fn address_literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(recipient: Option<&Address>) -> Trace<'_> {
        Trace {
            host_name: "mail.example.org",
            helo: "client.example",
            greeted: Greeting::Ehlo,
            peer: "192.0.2.1".parse().expect("an address"),
            tls: None,
            authenticated: false,
            smtputf8: false,
            id: "T1-1-1",
            recipient,
            at: 1_795_341_600,
        }
    }

    #[test]
    fn rfc5321_4_4_received() {
        let alice = Address::parse("alice@example.org").expect("an address");
        assert_eq!(
            received(&trace(Some(&alice))),
            "Received: from client.example ([192.0.2.1])\r\n\
             \tby mail.example.org with ESMTP id T1-1-1\r\n\
             \tfor <alice@example.org>;\r\n\
             \tSun, 22 Nov 2026 10:00:00 +0000\r\n"
        );
        let tls = Tls { version: "TLSv1.3", cipher: Some("TLS_AES_256_GCM_SHA384") };
        let v6 = "2001:db8::1".parse().expect("an address");
        assert_eq!(
            received(&Trace { tls: Some(tls), peer: v6, helo: "my:pc", ..trace(None) }),
            "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) (HELO my:pc)\r\n\
             \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\
             \tby mail.example.org with ESMTPS id T1-1-1;\r\n\
             \tSun, 22 Nov 2026 10:00:00 +0000\r\n"
        );
        let submitted = received(&Trace { tls: Some(tls), authenticated: true, ..trace(None) });
        assert!(submitted.starts_with("Received: from mail.example.org (authenticated)\r\n"));
        assert!(submitted.contains(" with ESMTPSA id "));
        assert!(!submitted.contains("192.0.2.1"));
    }

    #[test]
    fn rfc3848_protocol_names() {
        for (greeted, utf8, tls, authenticated, name) in [
            (Greeting::Helo, true, true, true, "SMTP"),
            (Greeting::Ehlo, false, false, false, "ESMTP"),
            (Greeting::Ehlo, false, true, true, "ESMTPSA"),
            (Greeting::Ehlo, true, false, false, "UTF8SMTP"),
            (Greeting::Ehlo, true, false, true, "UTF8SMTPA"),
            (Greeting::Lhlo, false, false, false, "LMTP"),
            (Greeting::Lhlo, true, true, false, "UTF8LMTPS"),
        ] {
            assert_eq!(protocol(greeted, utf8, tls, authenticated), name);
        }
    }
}

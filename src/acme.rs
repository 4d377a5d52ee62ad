//! The configuration's part about a public authority, in the words of `hub_certs::acme`.

use anyhow::{Context as _, Result};
use hub_certs::acme::{Method, Settings};
use hub_config::{AcmeChallenge, Config};

use crate::listeners::Kind;

/// `None` if it is not switched on.
pub(crate) fn settings(config: &Config) -> Result<Option<Settings>> {
    let acme = &config.acme;
    if !acme.agree_to_terms {
        return Ok(None);
    }
    let trust_roots = match &config.tls.trust_roots {
        Some(path) => hub_certs::authorities(path).context("tls.trust_roots")?,
        None => Vec::new(),
    };
    Ok(Some(Settings {
        directory: acme.directory.clone(),
        contact: acme.contact.clone(),
        names: acme.names.clone(),
        trust_roots,
        methods: methods(config),
    }))
}

/// Without a listener for plain HTTP the proof by file can only fail, and so on.
fn methods(config: &Config) -> Vec<Method> {
    let (http, tls) = (Method::Http01, Method::TlsAlpn01);
    let listens = |kind: Kind| !kind.configured(&config.listen).is_empty();
    match config.acme.challenge {
        AcmeChallenge::Http01 => vec![http],
        AcmeChallenge::TlsAlpn01 => vec![tls],
        AcmeChallenge::Any => match (listens(Kind::Http), listens(Kind::Https)) {
            (true, false) => vec![http],
            (false, true) => vec![tls],
            _ => vec![http, tls],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn only_what_listens_is_tried() {
        for (text, expected) in [
            ("", Some(vec![Method::Http01, Method::TlsAlpn01])),
            ("challenge = \"tls-alpn-01\"", Some(vec![Method::TlsAlpn01])),
            ("challenge = \"http-01\"\n[listen]\nhttp = []", Some(vec![Method::Http01])),
            ("[listen]\nhttp = []", Some(vec![Method::TlsAlpn01])),
            ("[listen]\nhttps = []", Some(vec![Method::Http01])),
        ] {
            let text = format!("[acme]\nagree_to_terms = true\n{text}\n");
            let config = Config::parse(&text, Path::new("hub.toml")).expect("valid");
            let settings = settings(&config).expect("no files");
            assert_eq!(settings.map(|settings| settings.methods), expected, "{text}");
        }
        assert!(settings(&Config::default()).expect("no files").is_none(), "off unless agreed to");
    }
}

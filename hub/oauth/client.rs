//! Programs that register themselves (RFC 7591): a name and the places to which a browser may be sent back.
//! All are public clients (RFC 6749 §2.1): a secret in a program that everybody has is none.

use hub_storage::oauth as rows;
use tracing::info;
use url::{Host, Url};

use super::token;
use crate::{Error, Hub, Result};

/// Programs that are registered at most; those unused for half a year are forgotten.
const CLIENTS: i64 = 10_000;
/// Redirection URIs of a program at most.
const REDIRECT_URIS: usize = 10;
/// Bytes of one at most.
const URI_LENGTH: usize = 512;
/// Characters of a name at most.
const NAME_LENGTH: usize = 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub redirect_uris: Vec<String>,
}

impl Hub {
    /// Registers a program. `Invalid` (about its redirection URIs), `Limit`.
    pub async fn register_client(&self, name: &str, redirect_uris: Vec<String>) -> Result<Client> {
        if redirect_uris.len() > REDIRECT_URIS {
            return Err(Error::Invalid(format!(
                "at most {REDIRECT_URIS} redirection URIs can be registered"
            )));
        }
        for uri in &redirect_uris {
            check_redirect_uri(uri).map_err(|why| Error::Invalid(format!("redirection URI: {why}")))?;
        }
        let client = Client { id: token::new_code()?, name: shown_name(name), redirect_uris };
        let row = rows::ClientRow {
            id: client.id.clone(),
            name: client.name.clone(),
            redirect_uris: client.redirect_uris.join(" "),
        };
        self.0.storage.transact([], move |tx| Box::pin(rows::add_client(tx, row, CLIENTS))).await?;
        info!(client = client.id, program = client.name, "a program registered itself");
        Ok(client)
    }

    /// `NotFound`.
    pub async fn oauth_client(&self, id: &str) -> Result<Client> {
        let row = self.0.storage.oauth_client(id).await?.ok_or(Error::NotFound("client"))?;
        let redirect_uris = row.redirect_uris.split_whitespace().map(str::to_owned).collect();
        Ok(Client { id: row.id, name: row.name, redirect_uris })
    }
}

impl Client {
    /// Where the browser is sent back to: what the request names, if it is registered. One that names none
    /// means the only one (RFC 6749 §3.1.2.3).
    pub fn redirection(&self, named: Option<&str>) -> Option<String> {
        match (named, self.redirect_uris.as_slice()) {
            (Some(named), registered) => {
                registered.iter().any(|one| is_same(one, named)).then(|| named.to_owned())
            }
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

/// Compared as they are written (RFC 9700 §4.1.3), but for the port on loopback, which a program cannot know
/// beforehand (RFC 8252 §7.3).
fn is_same(registered: &str, named: &str) -> bool {
    if registered == named {
        return true;
    }
    match (without_loopback_port(registered), without_loopback_port(named)) {
        (Some(registered), Some(named)) => registered == named,
        _ => false,
    }
}

/// What stands before and behind the port of `http://127.0.0.1:PORT/…`; `None` for all other URIs.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    ["http://127.0.0.1", "http://[::1]", "http://localhost"].into_iter().find_map(|host| {
        let rest = uri.strip_prefix(host)?;
        let Some(rest) = rest.strip_prefix(':') else {
            return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest));
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (port, rest) = rest.split_at(end);
        let is_number = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        is_number.then_some((host, rest))
    })
}

/// https; http on loopback; a scheme of the program's own, which has a dot (RFC 8252 §7.1), so that neither
/// `javascript:` nor `data:` is one.
fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > URI_LENGTH {
        return Err("it is too long");
    }
    if !uri.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
        return Err("it has characters that a URI has not");
    }
    if uri.contains('#') {
        return Err("it has a fragment (RFC 6749 §3.1.2)");
    }
    let url = Url::parse(uri).map_err(|_| "it is none")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user");
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback => Ok(()),
        "http" => Err("http is for 127.0.0.1 and [::1] only"),
        scheme if scheme.contains('.') => Ok(()),
        _ => Err("its scheme must be https, http on loopback, or have a dot, such as com.example.app"),
    }
}

/// Without what could make it look like something else: controls, and marks that turn the text around.
fn shown_name(name: &str) -> String {
    let is_shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown: String = name.chars().filter(is_shown).take(NAME_LENGTH).collect();
    match shown.trim() {
        "" => "A program without a name".to_owned(),
        shown => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_of_programs() {
        for (uri, is_one) in [
            ("https://app.test/back?x=1", true),
            ("https://app.test:8443/back", true),
            ("http://127.0.0.1/back", true),
            ("http://[::1]:7000/back", true),
            ("http://localhost:7000/", true),
            ("com.example.app:/oauth2redirect/example-provider", true),
            ("http://app.test/back", false),
            ("http://127.0.0.1.app.test/", false),
            ("https://app.test/back#x", false),
            ("https://user@app.test/", false),
            ("https://app.test/a b", false),
            ("https://app.test/\\evil", false),
            ("https:///", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("app:/back", false),
            ("/back", false),
            ("", false),
        ] {
            assert_eq!(check_redirect_uri(uri).is_ok(), is_one, "{uri}");
        }
        assert!(check_redirect_uri(&format!("https://a.test/{}", "x".repeat(URI_LENGTH))).is_err());
    }

    #[test]
    fn redirections_are_the_registered_ones() {
        let client = |uris: &[&str]| Client {
            id: String::new(),
            name: String::new(),
            redirect_uris: uris.iter().map(ToString::to_string).collect(),
        };
        let cases: [(&[&str], Option<&str>, bool); 15] = [
            (&["https://a.test/x"], Some("https://a.test/x"), true),
            (&["https://a.test/x"], Some("https://a.test/x/"), false),
            (&["https://a.test/x"], Some("https://a.test/X"), false),
            (&["https://a.test/x"], Some("https://a.test/x?y"), false),
            (&["https://a.test/x"], Some("https://a.test:443/x"), false),
            (&["https://a.test/x"], Some("https://a.test.evil/x"), false),
            (&["https://a.test/x"], None, true),
            (&["https://a.test/x", "https://a.test/y"], None, false),
            (&[], None, false),
            // RFC 8252 §7.3
            (&["http://127.0.0.1/x"], Some("http://127.0.0.1:51004/x"), true),
            (&["http://[::1]:1/x"], Some("http://[::1]:61023/x"), true),
            (&["http://127.0.0.1/x"], Some("http://127.0.0.1:51004/y"), false),
            (&["http://127.0.0.1/x"], Some("http://[::1]:51004/x"), false),
            (&["http://127.0.0.1/x"], Some("http://127.0.0.1:80@evil.test/x"), false),
            (&["http://127.0.0.1/x"], Some("http://127.0.0.1:+80/x"), false),
        ];
        for (registered, named, is_registered) in cases {
            let redirection = client(registered).redirection(named);
            assert_eq!(redirection.is_some(), is_registered, "{registered:?} {named:?}");
        }
    }

    #[test]
    fn names_are_what_they_look_like() {
        assert_eq!(shown_name("Mail\u{202e}liaM\n "), "MailliaM");
        assert_eq!(shown_name(" \u{200b}"), "A program without a name");
        assert_eq!(shown_name(&"x".repeat(100)).len(), NAME_LENGTH);
    }
}

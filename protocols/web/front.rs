//! The page at `/`: what this is, and where a mail program finds it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{self, HeaderValue};
use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};

use crate::discovery::{self, Domain, apple};
use crate::reply::{self, Reply};
use crate::services::{Protocol, Security};
use crate::{Service, Services};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:38em;margin:3em auto;padding:0 1em;\
color:#222;background:#fff}h1{font-size:1.6em}table{border-collapse:collapse;margin:1em 0}\
th,td{text-align:left;padding:.3em 1.2em .3em 0;border-bottom:1px solid #ddd}\
input,button{font:inherit;padding:.3em .6em}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}th,td{border-color:#444}}";

/// Nothing but this page's own style and form: no script, no frame, nothing from elsewhere.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(crate) async fn answer(service: &Service, host: &str) -> hub::Result<Reply> {
    let domain = discovery::of_host(&service.hub, host).await?;
    let mut reply = reply::document("text/html; charset=utf-8", page(&service.services, domain.as_ref()));
    reply::set(&mut reply, header::CONTENT_SECURITY_POLICY, POLICY.clone());
    reply::set(&mut reply, header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(reply)
}

fn page(services: &Services, domain: Option<&Domain>) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Twin Hub</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Twin Hub</h1>\n\
         <p>This is a hub: a server that keeps the mail of the people who live on it, their <i>twins</i>. \
         Mail is read with a mail program; your files are <a href=\"/files/\">here</a>.</p>\n"
    );
    match domain {
        Some(domain) => settings(&mut out, services, domain),
        None => out.push_str(
            "<p>The settings for mail programs are on this page under the name of your own domain, \
             <code>https://mail.<i>your domain</i>/</code>.</p>\n",
        ),
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn settings(out: &mut String, services: &Services, domain: &Domain) {
    let (name, host) = (escape(domain.name.as_str()), services.host(&domain.ascii));
    let host = escape(host.as_str());
    out.push_str(&format!(
        "<h2>Settings for mail programs</h2>\n<p>Most programs find these by themselves from an address at \
         {name}. The user name is the whole mail address.</p>\n<table>\n\
         <tr><th>For</th><th>Server</th><th>Port</th><th>Security</th></tr>\n"
    ));
    for server in services.servers() {
        let what = match server.protocol {
            Protocol::Imap => "reading (IMAP)",
            Protocol::Submission => "sending (SMTP)",
        };
        let security = match server.security {
            Security::Implicit => "SSL/TLS",
            Security::StartTls => "STARTTLS",
        };
        let port = server.port;
        out.push_str(&format!("<tr><td>{what}</td><td>{host}</td><td>{port}</td><td>{security}</td></tr>\n"));
    }
    out.push_str(&format!(
        "</table>\n<h2>iPhone, iPad and Mac</h2>\n<form action=\"{path}\" method=\"get\">\n\
         <label>Mail address <input type=\"email\" name=\"email\" placeholder=\"you@{name}\" required></label>\n\
         <button>Get the configuration profile</button>\n</form>\n\
         <p>It holds no password; the device asks for it.</p>\n",
        path = apple::PATH,
    ));
}

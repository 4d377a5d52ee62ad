//! The words for people: pages without script, which may be in no frame and send forms to nowhere but here and
//! back to the program.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::Scopes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};

use crate::reply::{self, Reply};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:30em;margin:3em auto;padding:0 1em;\
color:#222;background:#fff}h1{font-size:1.4em}label{display:block;margin:.6em 0}\
input:not([type=checkbox]){display:block;width:100%;box-sizing:border-box}input,button{font:inherit;padding:.4em .6em}\
button{margin:1em .6em 0 0}.problem{color:#b00020}code{font-size:1.2em}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}.problem{color:#ff8a80}}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| BASE64_STANDARD.encode(Sha256::digest(STYLE)));

/// What a twin is asked.
pub(crate) struct Consent<'a> {
    /// Where the answer goes.
    pub(crate) action: &'static str,
    /// What the answer says besides.
    pub(crate) hidden: Vec<(&'static str, &'a str)>,
    pub(crate) program: &'a str,
    /// Where the answer leads to, for a person; HTML.
    pub(crate) note: String,
    pub(crate) scopes: Scopes,
    /// Whom the program takes the twin for.
    pub(crate) login: &'a str,
    /// Why it is asked again.
    pub(crate) problem: Option<&'a str>,
    /// Where a browser may go on to from the form (CSP's form-action counts redirects).
    pub(crate) leads_to: Option<String>,
}

impl Consent<'_> {
    pub(crate) fn page(&self, status: StatusCode) -> Reply {
        let program = escape(self.program);
        let mut out = format!("<h1>Let “{program}” in?</h1>\n<p>{}</p>\n", self.note);
        problem(&mut out, self.problem);
        out.push_str(&format!("<form action=\"{}\" method=\"post\">\n", self.action));
        for (name, value) in &self.hidden {
            out.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(*value)));
        }
        out.push_str("<p>It would be able to:</p>\n");
        for (name, words) in self.scopes.described() {
            out.push_str(&format!(
                "<label><input type=\"checkbox\" name=\"allow\" value=\"{name}\" checked> {words}</label>\n"
            ));
        }
        out.push_str(&format!(
            "<label>Mail address <input name=\"login\" autocomplete=\"username\" value=\"{}\" required></label>\n\
             <label>Password <input type=\"password\" name=\"password\" autocomplete=\"current-password\" \
             required></label>\n\
             <button name=\"decision\" value=\"allow\">Allow</button>\n\
             <button name=\"decision\" value=\"deny\" formnovalidate>Refuse</button>\n</form>\n",
            escape(self.login),
        ));
        document(status, &out, self.leads_to.as_deref())
    }
}

/// Asks for the code that a device shows (RFC 8628 §3.3).
pub(crate) fn user_code(status: StatusCode, why: Option<&str>) -> Reply {
    let mut out = String::from("<h1>Connect a device</h1>\n");
    problem(&mut out, why);
    out.push_str(
        "<form action=\"/oauth/device\" method=\"get\">\n\
         <label>The code that your device shows <input name=\"user_code\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"20\" required autofocus></label>\n\
         <button>Go on</button>\n</form>\n",
    );
    document(status, &out, None)
}

pub(crate) fn done(text: &str) -> Reply {
    document(StatusCode::OK, &format!("<h1>Done</h1>\n<p>{}</p>\n", escape(text)), None)
}

pub(crate) fn failure(status: StatusCode, text: &str) -> Reply {
    document(status, &format!("<h1>This does not work</h1>\n<p>{}</p>\n", escape(text)), None)
}

fn problem(out: &mut String, why: Option<&str>) {
    if let Some(why) = why {
        out.push_str(&format!("<p class=\"problem\" role=\"alert\">{}</p>\n", escape(why)));
    }
}

fn document(status: StatusCode, content: &str, leads_to: Option<&str>) -> Reply {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Twin Hub</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{content}</body>\n</html>\n"
    );
    let mut reply = reply::with_content(status, "text/html; charset=utf-8", html);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH,
        leads_to.unwrap_or_default()
    );
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    // Clickjacking (RFC 9700 §4.16), for browsers that do not know frame-ancestors.
    reply::set(&mut reply, header::X_FRAME_OPTIONS, "DENY");
    // Not "no-referrer": the form's Origin would be null. No other site learns what stands in the address.
    reply::set(&mut reply, header::REFERRER_POLICY, "same-origin");
    reply
}

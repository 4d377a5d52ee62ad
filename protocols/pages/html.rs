//! How a page is written: everything that is not ours goes through [`escape`].

use hub_civil::{Civil, Date};
use hub_wire::http;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::{Reply, SCRIPT, STYLE};

/// No script but ours, nothing inline, nothing from elsewhere; what twins have stored is shown in frames that
/// have rules of their own.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; frame-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; script-src 'nonce-";

pub(crate) struct Page {
    body: String,
    title: String,
    nonce: Option<String>,
}

impl Page {
    /// With its title as heading.
    pub(crate) fn new(title: &str) -> Self {
        let mut page = Self::without_heading(title);
        page.raw(&format!("<main><h1>{}</h1>", escape(title)));
        page
    }

    /// Begins with what comes above the heading.
    pub(crate) fn without_heading(title: &str) -> Self {
        Self { body: String::new(), title: title.to_owned(), nonce: None }
    }

    /// Markup of ours.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    /// The page has a form that sends files: a script shows how far it is.
    pub(crate) fn with_script(&mut self) {
        // Without a nonce there is no script, and the page works all the same.
        self.nonce = hub::Secret::generate().ok().map(|secret| secret.expose().to_owned());
    }

    pub(crate) fn reply(self, status: StatusCode) -> Reply {
        let nonce = self.nonce.as_deref().unwrap_or("none");
        let script = match &self.nonce {
            Some(nonce) => format!("<script src=\"{SCRIPT}\" nonce=\"{nonce}\" defer></script>"),
            None => String::new(),
        };
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\">\
             <title>{title}</title><link rel=\"stylesheet\" href=\"{STYLE}\">{script}</head>\n\
             <body>{body}</main></body></html>\n",
            title = escape(&self.title),
            body = self.body,
        );
        let mut reply = Response::new(http::full(html));
        *reply.status_mut() = status;
        let policy = format!("{POLICY}{nonce}'");
        set(&mut reply, header::CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut reply, header::CONTENT_SECURITY_POLICY, &policy);
        set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        // A link's address is its secret: no other site is told it. To ours it goes, since browsers name no
        // origin to whom they send no referrer.
        set(&mut reply, header::REFERRER_POLICY, "same-origin");
        set(&mut reply, header::CACHE_CONTROL, "no-store");
        set(&mut reply, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        reply
    }
}

pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

/// For text and for attributes in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Marks that turn text around would make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// For people: three digits and a unit.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A `time` element, in UTC.
pub(crate) fn time(unix_seconds: i64) -> String {
    let civil = Civil::of(unix_seconds.clamp(0, 253_402_300_799));
    let Date { year, month, day } = civil.date;
    let date = format!("{year:04}-{month:02}-{day:02}");
    format!("<time datetime=\"{date}T{}Z\">{date} {:02}:{:02}</time>", civil.time(), civil.hour, civil.minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_escaped() {
        assert_eq!(escape("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
        assert_eq!(escape("a\u{202e}gpj.exe"), "a\u{fffd}gpj.exe");
    }

    #[test]
    fn sizes_and_times() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (123_456, "123 kB"),
            (5_000_000_000, "5.0 GB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(time(0), "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00</time>");
    }
}

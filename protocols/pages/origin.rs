//! Whether a form was sent by a page of ours. Browsers send no cookie with what another site has caused
//! (`SameSite=Strict`); this is the second lock on the same door, and the one that keeps another site from
//! logging somebody in.

use hub_content::text;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{StatusCode, Uri};

use crate::status::Refusal;

/// Every browser names the origin of a page that sends a form.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    // HTTP/2 has the host in the URI.
    let host = uri.authority().map(|host| host.as_str()).or_else(|| text(headers, &header::HOST));
    let own = match of(headers) {
        Some(origin) => origin.authority().map(|origin| origin.as_str()) == host,
        None => {
            text(headers, &HeaderName::from_static("sec-fetch-site")) == Some("same-origin")
                && !headers.contains_key(header::ORIGIN)
        }
    };
    match own {
        true => Ok(()),
        false => Err(Refusal::Status(
            StatusCode::FORBIDDEN,
            "Nothing was done",
            "The form was not sent from a page of this server. Open the page here and try again.",
        )),
    }
}

/// `Origin: https://HOST[:PORT]`
pub(crate) fn of(headers: &HeaderMap) -> Option<Uri> {
    let origin: Uri = text(headers, &header::ORIGIN)?.parse().ok()?;
    origin.scheme().is_some().then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_our_own_pages_send_forms() {
        for (fields, fits) in [
            (&[("origin", "https://hub.test")][..], true),
            (&[("origin", "http://hub.test")], true),
            (&[("origin", "https://evil.test")], false),
            (&[("origin", "https://hub.test:8443")], false),
            (&[("origin", "https://hub.test.evil.test")], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[], false),
        ] {
            let mut headers: HeaderMap = fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            headers.insert(header::HOST, HeaderValue::from_static("hub.test"));
            assert_eq!(check(&Uri::from_static("/files/"), &headers).is_ok(), fits, "{fields:?}");
        }
    }
}

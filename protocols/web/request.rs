//! What handlers want to know of a request: whom it was sent to, its query, its small body.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Request, StatusCode, Uri, header};

use crate::reply::{Reply, sentence};

/// Time for a whole small body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The host that the client meant, lower case, without port. RFC 9112 §3.2: a request without, or
/// with several, is refused, as is one whose host is none.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    // HTTP/2 has it in `:authority` (RFC 9113 §8.3.1); in an absolute URI it wins (RFC 9112 §3.2.2).
    if let Some(authority) = uri.authority() {
        return Some(authority.host().to_ascii_lowercase());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    let has_user = authority.as_str().contains('@');
    (!has_user && !authority.host().is_empty()).then(|| authority.host().to_ascii_lowercase())
}

/// The value of a query parameter, whatever the case of its name: Outlook writes `Email`.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query()?.as_bytes();
    form_urlencoded::parse(query)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

/// The body, if it is at most `limit` bytes and comes in time.
pub(crate) async fn small_body<B>(request: Request<B>, limit: usize) -> Result<Bytes, Reply>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match tokio::time::timeout(BODY_TIME, Limited::new(request.into_body(), limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(sentence(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."))
        }
        Ok(Err(_)) => Err(sentence(StatusCode::BAD_REQUEST, "The request broke off.")),
        Err(_) => Err(sentence(StatusCode::REQUEST_TIMEOUT, "The request took too long.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn hosts() {
        let cases: [(&str, &[&str], Option<&str>); 10] = [
            ("/", &["A.test"], Some("a.test")),
            ("/", &["a.test:2443"], Some("a.test")),
            ("/", &["[::1]:80"], Some("[::1]")),
            ("http://B.test:80/", &["a.test"], Some("b.test")),
            ("/", &[], None),
            ("/", &["a.test", "b.test"], None),
            ("/", &[""], None),
            ("/", &["user@a.test"], None),
            ("/", &["a b"], None),
            ("/", &["a.test/x"], None),
        ];
        for (uri, hosts, expected) in cases {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_str(host).expect("a value"));
            }
            assert_eq!(host(&uri.parse().expect(uri), &headers).as_deref(), expected, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn parameters() {
        for (uri, expected) in [
            ("/?emailaddress=a%40b.test&x=1", Some("a@b.test")),
            ("/?x&EmailAddress=a+b%2Bc@d.test", Some("a b+c@d.test")),
            ("/?emailaddress", Some("")),
            ("/?emailaddress=%ff", Some("\u{fffd}")),
            ("/?email=a", None),
            ("/", None),
        ] {
            assert_eq!(parameter(&uri.parse().expect(uri), "emailaddress").as_deref(), expected, "{uri}");
        }
    }
}

//! From a path to the file that answers it.

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::discovery::{apple, autoconfig, autodiscover, mta_sts};
use crate::reply::{self, Reply, sentence};
use crate::{Service, challenge, front, redirect, request, status};

/// Longest path with query; a mail address in it is at most some hundred bytes.
const MAX_URI: usize = 8 << 10;

/// Bytes of a body that nobody wants; more are not waited for.
const MAX_UNWANTED: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Http,
    Https,
}

/// What is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    AcmeChallenge,
    Apple,
    Autoconfig,
    Autodiscover,
    AutodiscoverJson,
    Front,
    MtaSts,
}

impl Page {
    fn at(path: &str) -> Option<Self> {
        // Outlook writes /Autodiscover/Autodiscover.xml, /autodiscover/autodiscover.xml and mixtures;
        // in the JSON form an address may follow as a further segment.
        let lower = path.to_ascii_lowercase();
        match path {
            "/" => Some(Self::Front),
            mta_sts::PATH => Some(Self::MtaSts),
            apple::PATH => Some(Self::Apple),
            // Below autoconfig.DOMAIN, and below the domain itself.
            "/mail/config-v1.1.xml" | "/.well-known/autoconfig/mail/config-v1.1.xml" => {
                Some(Self::Autoconfig)
            }
            _ if challenge::token(path).is_some() => Some(Self::AcmeChallenge),
            _ if lower == autodiscover::PATH => Some(Self::Autodiscover),
            _ if autodiscover::is_json_path(&lower) => Some(Self::AutodiscoverJson),
            _ => None,
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Self::AcmeChallenge
            | Self::Apple
            | Self::Autoconfig
            | Self::AutodiscoverJson
            | Self::Front
            | Self::MtaSts => "GET, HEAD",
            Self::Autodiscover => "POST",
        }
    }

    /// Thunderbird and K-9 ask for autoconfig by http too, and certificate authorities for proofs
    /// (RFC 8555 §8.3); everything else can follow a redirect.
    fn is_for_plain_http(self) -> bool {
        matches!(self, Self::AcmeChallenge | Self::Autoconfig)
    }
}

pub(crate) async fn answer<B>(service: &Service, door: Door, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let is_head = request.method() == Method::HEAD;
    let reply = match Page::at(request.uri().path()) {
        Some(Page::Autodiscover) => route(service, door, request).await,
        _ => route(service, door, without_body(request).await).await,
    };
    let mut reply = reply.unwrap_or_else(|error| status::of(&error));
    if is_head {
        remove_body(&mut reply);
    }
    reply
}

async fn route<B>(service: &Service, door: Door, request: Request<B>) -> hub::Result<Reply>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let uri = request.uri();
    if uri.path_and_query().is_some_and(|text| text.as_str().len() > MAX_URI) {
        return Ok(sentence(StatusCode::URI_TOO_LONG, "The address is too long."));
    }
    let Some(host) = request::host(uri, request.headers()) else {
        return Ok(sentence(StatusCode::BAD_REQUEST, "The request does not say which host it is for."));
    };
    let page = Page::at(uri.path());
    let is_redirected = door == Door::Http && !page.is_some_and(Page::is_for_plain_http);
    let elsewhere = service.services.https_origin(&host).filter(|_| is_redirected);
    // Before a redirect: Thunderbird tries `PUT /` to find out whether a calendar can be kept there.
    // But Outlook looks by GET for a redirect to the page that takes POST.
    if let Some(page) = page
        && !page.methods().split(", ").any(|method| method == request.method().as_str())
        && !(page == Page::Autodiscover && elsewhere.is_some())
    {
        return Ok(reply::method_not_allowed(page.methods()));
    }
    if let Some(origin) = elsewhere {
        return Ok(redirect::to(&origin, request.method(), uri));
    }
    match page {
        None => Ok(reply::not_found()),
        Some(Page::AcmeChallenge) => Ok(challenge::answer(service, uri.path())),
        Some(Page::Apple) => apple::answer(service, uri).await,
        Some(Page::Autoconfig) => autoconfig::answer(service, &host, uri).await,
        Some(Page::Autodiscover) => autodiscover::answer(service, request).await,
        Some(Page::AutodiscoverJson) => autodiscover::answer_json(service, &host, uri).await,
        Some(Page::Front) => front::answer(service, &host).await,
        Some(Page::MtaSts) => mta_sts::answer(service, &host).await,
    }
}

/// Reads what of a body nobody wants, within limits: a client that is still sending would get a reset
/// connection or stream instead of its answer (curl says "error in the HTTP/2 framing layer"). One
/// that asks first (RFC 9110 §10.1.1) has not sent anything yet.
async fn without_body<B>(request: Request<B>) -> Request<Empty<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if !body.is_end_stream() && !head.headers.contains_key(header::EXPECT) {
        // Too much, too slow or broken off: the answer may still arrive.
        let _ = request::small_body(Request::new(body), MAX_UNWANTED).await;
    }
    Request::from_parts(head, Empty::new())
}

/// RFC 9110 §9.3.2: the same header fields, no content.
fn remove_body(reply: &mut Reply) {
    let length = reply.body().size_hint().exact().unwrap_or_default();
    reply::set(reply, header::CONTENT_LENGTH, HeaderValue::from(length));
    *reply.body_mut() = Full::default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/", Some(Page::Front)),
            ("/mail/config-v1.1.xml", Some(Page::Autoconfig)),
            ("/.well-known/autoconfig/mail/config-v1.1.xml", Some(Page::Autoconfig)),
            ("/autodiscover/autodiscover.xml", Some(Page::Autodiscover)),
            ("/Autodiscover/Autodiscover.xml", Some(Page::Autodiscover)),
            ("/AutoDiscover/AutoDiscover.xml", Some(Page::Autodiscover)),
            ("/autodiscover/autodiscover.json", Some(Page::AutodiscoverJson)),
            ("/autodiscover/autodiscover.json/v1.0/a@b.test", Some(Page::AutodiscoverJson)),
            ("/autodiscover/autodiscover.jsonp", None),
            ("/apple.mobileconfig", Some(Page::Apple)),
            ("/mail/config-v1.1.xml/", None),
            ("//", None),
            ("/.well-known/acme-challenge/a-B_9", Some(Page::AcmeChallenge)),
            ("/.well-known/acme-challenge/", None),
            ("/.well-known/acme-challenge/a/b", None),
            ("/../mail/config-v1.1.xml", None),
            ("*", None),
        ] {
            assert_eq!(Page::at(path), expected, "{path}");
        }
    }
}

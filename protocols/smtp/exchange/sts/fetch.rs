//! Gets a policy (RFC 8461 §3.3).

use bytes::Bytes;
use hub::TlsFailure;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};

use super::MAX_POLICY;
use crate::exchange::sessions::Flaw;
use hub_https::{Https, Trouble};

pub(super) async fn policy(https: &Https, domain: &str) -> Result<String, Flaw> {
    let absent = |why: String| Flaw::new(TlsFailure::StsPolicyFetchError, why);
    let host = format!("mta-sts.{domain}");
    let request = Request::get("/.well-known/mta-sts.txt");
    let answer = https.ask(&host, request, Bytes::new(), MAX_POLICY).await;
    let answer = answer.map_err(|trouble| match trouble {
        Trouble::Absent(why) => absent(why),
        // RFC 8460 §4.3.2.2: a certificate that is no good is another failure than a website that is away.
        Trouble::Unproven(why) => Flaw::new(TlsFailure::StsWebpkiInvalid, why),
    })?;
    if answer.status() != StatusCode::OK {
        return Err(absent(format!("the answer is {}", answer.status())));
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
        return Err(absent("the answer is not text/plain".to_owned()));
    }
    String::from_utf8(answer.into_body().into()).map_err(|error| absent(error.to_string()))
}

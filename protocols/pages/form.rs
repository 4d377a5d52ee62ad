//! Short forms (`application/x-www-form-urlencoded`).

use std::time::Duration;

use bytes::Bytes;
use hub_wire::http::Body;
use hub_wire::small_body::{self, BodyFailure};
use hyper::StatusCode;

use crate::status::Refusal;

/// Time in which some of a body must come.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// Of a body that nobody wants: a browser looks at the answer only when it has sent everything.
const UNWANTED: usize = 16 << 20;

pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Empty if it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }
}

pub(crate) async fn read(body: &mut Body, most: usize) -> Result<Fields, Refusal> {
    let mut content = Vec::new();
    while let Some(piece) = next(body).await? {
        if content.len() + piece.len() > most {
            return Err(Refusal::Status(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Nothing was done",
                "There is too much in the form. Write less.",
            ));
        }
        content.extend_from_slice(&piece);
    }
    let pairs = form_urlencoded::parse(&content);
    Ok(Fields(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
}

/// The next piece of a body.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    small_body::next(body, SILENCE).await.map_err(|why| {
        let what = match why {
            BodyFailure::Late => "It took too long",
            BodyFailure::Broken | BodyFailure::Long => "The connection broke off",
        };
        Refusal::Status(StatusCode::REQUEST_TIMEOUT, what, "Please try again.")
    })
}

/// Takes what is left of a body, so that the answer is seen.
pub(crate) async fn drain(body: Body) {
    small_body::drain_up_to(body, UNWANTED, SILENCE).await;
}

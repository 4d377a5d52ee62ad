//! GET and HEAD: bodies out, whole or in ranges (RFC 9110 §9.3.1, §14).

pub(crate) use hub_content::{http_date, set_validators};
use hyper::StatusCode;

use crate::Call;
use crate::path::Place;
use crate::reply::{Reply, sentence};
use crate::shares::Spot;
use crate::status::Refusal;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = match (&call.spot, &call.location.place) {
        (Spot::Tree(_), _) | (_, Place::Nothing) => call.target()?,
        _ => return Ok(folder()),
    };
    let conditions = call.conditions()?;
    if !conditions.lists.is_empty() {
        files.check(&path, &conditions).await?;
    }
    match files.open(&path).await {
        Ok(file) => Ok(hub_content::answer(&call.head.method, &call.head.headers, file).await?),
        Err(hub::Error::Invalid(_)) => {
            let node = files.lookup(&path).await?;
            let mut reply = folder();
            set_validators(&mut reply, &node);
            Ok(reply)
        }
        Err(error) => Err(error.into()),
    }
}

/// RFC 4918 §9.4 leaves open what a collection says.
fn folder() -> Reply {
    sentence(
        StatusCode::OK,
        "This is a folder. Open it with a file manager: its address is that of this page.",
    )
}

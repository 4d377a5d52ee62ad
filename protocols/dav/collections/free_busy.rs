//! `free-busy-query` (RFC 4791 §7.10): when the twin is busy, without why.

use hub::ical::free_busy;
use hyper::StatusCode;

use super::Target;
use super::query::{bad, time_range};
use super::report::searched;
use crate::Call;
use crate::path::Within;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{CALDAV, Element};

/// `<!ELEMENT free-busy-query (time-range)>` (RFC 4791 §9.11)
pub(super) async fn answer(call: &Call, target: &Target, root: &Element) -> Result<Reply, Refusal> {
    let range = root.child(CALDAV, "time-range").ok_or_else(|| bad("There is no time-range."))?;
    // RFC 4791 §9.11: both ends.
    if range.attribute("start").and(range.attribute("end")).is_none() {
        return Err(bad("A time range lacks its start or its end."));
    }
    let range = time_range(range)?;
    let mut calendars = searched(call, target).await?;
    // Asked about all of them, those do not count that the twin has said do not.
    if target.at == Within::Home {
        calendars.retain(|calendar| !calendar.facts.is_transparent);
    }
    let owner = match &target.guest {
        Some(guest) => vec![format!("mailto:{}", guest.owner)],
        None => call.account.calendar_user_addresses().await?,
    };
    let owner: Vec<String> = owner.iter().map(|address| address.to_lowercase()).collect();
    let busy = target.collections.busy(&calendars, &owner, range.from, range.to).await?;
    let text = free_busy((range.from, range.to), hub::unix_now(), &busy, &[], &[]);
    Ok(reply::with_content(StatusCode::OK, "text/calendar; charset=utf-8", text))
}

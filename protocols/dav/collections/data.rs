//! `calendar-data` (RFC 4791 §9.6) and `address-data` (RFC 6352 §10.4): what of an object a report shows.

use bytes::Bytes;
use hub::collections::Item;
use hub::ical::{CardVersion, CardView, Properties, Recurrences, Selection, TimeRange, View, Zone};
use hyper::StatusCode;

use super::query::{bad, time_range};
use crate::Call;
use crate::head;
use crate::props::MOST_INSTANCES;
use crate::status::Refusal;
use crate::xml::{CALDAV, CARDDAV, Element};

/// Instances that one answer may expand objects to.
const MOST_IN_ALL: usize = 200_000;

/// What is shown of each object.
pub(super) enum Wanted {
    Whole,
    Calendar { view: View, floating: Zone, left: usize },
    Card(CardView),
}

/// An object as it is shown.
pub(super) enum Shown {
    Text(String),
    /// It has more instances than are expanded.
    TooMuch,
}

impl Wanted {
    /// From the `prop` of a report; `None` if no content is asked for. `floating` is the clock for
    /// times without a zone.
    pub(super) fn of(call: &Call, root: &Element, floating: Zone) -> Result<Option<Self>, Refusal> {
        let Some(prop) = root.dav_child("prop") else { return Ok(None) };
        if let Some(data) = prop.child(CALDAV, "calendar-data") {
            check_type(data, "text/calendar", &["2.0"], CALDAV, "supported-calendar-data")?;
            // RFC 7809 §3.1.1
            let without_zones =
                head::named(&call.head.headers, "caldav-timezones").is_some_and(|field| field == "F");
            let view = view(data, without_zones)?;
            return Ok(Some(match view.is_whole() {
                true => Self::Whole,
                false => Self::Calendar { view, floating, left: MOST_IN_ALL },
            }));
        }
        let Some(data) = prop.child(CARDDAV, "address-data") else { return Ok(None) };
        check_type(data, "text/vcard", &["3.0", "4.0"], CARDDAV, "supported-address-data")?;
        let view = card_view(data);
        Ok(Some(if view.is_whole() { Self::Whole } else { Self::Card(view) }))
    }

    /// Makes what is shown of these, on a thread where that may take its time.
    pub(super) async fn shown(self, contents: Vec<(Item, Bytes)>) -> hub::Result<(Vec<(Item, Shown)>, Self)> {
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        if let Self::Whole = self {
            let shown = contents.into_iter().map(|(item, data)| (item, Shown::Text(text(&data)))).collect();
            return Ok((shown, self));
        }
        let mut wanted = self;
        hub::apart(move || {
            let shown = contents.into_iter().map(|(item, data)| {
                let shown = match &mut wanted {
                    Self::Whole => Shown::Text(text(&data)),
                    Self::Card(view) => Shown::Text(view.of(&data).unwrap_or_else(|| text(&data))),
                    Self::Calendar { view, floating, left } => {
                        match view.of(&data, floating, (*left).min(MOST_INSTANCES)) {
                            Ok(shown) => {
                                *left -= shown.instances;
                                Shown::Text(shown.text)
                            }
                            Err(_) => Shown::TooMuch,
                        }
                    }
                };
                (item, shown)
            });
            (shown.collect(), wanted)
        })
        .await
    }
}

/// The type that is asked for is one that there is.
fn check_type(
    data: &Element,
    media_type: &str,
    versions: &[&str],
    namespace: &'static str,
    condition: &'static str,
) -> Result<(), Refusal> {
    let is_type = data.attribute("content-type").is_none_or(|wanted| wanted.eq_ignore_ascii_case(media_type));
    let is_version = data.attribute("version").is_none_or(|wanted| versions.contains(&wanted));
    match is_type && is_version {
        true => Ok(()),
        false => Err(Refusal::Of(StatusCode::FORBIDDEN, namespace, condition)),
    }
}

/// `<!ELEMENT calendar-data (comp?, (expand | limit-recurrence-set)?, limit-freebusy-set?)>`
fn view(data: &Element, without_zones: bool) -> Result<View, Refusal> {
    let range = |local| data.child(CALDAV, local).map(whole_range).transpose();
    let recurrences = match (range("expand")?, range("limit-recurrence-set")?) {
        (Some(range), None) => Recurrences::Expand(range),
        (None, Some(range)) => Recurrences::Limit(range),
        (None, None) => Recurrences::All,
        (Some(_), Some(_)) => return Err(bad("expand and limit-recurrence-set exclude each other.")),
    };
    let selection = data.child(CALDAV, "comp").map(selection);
    Ok(View { recurrences, free_busy: range("limit-freebusy-set")?, selection, without_zones })
}

/// RFC 4791 §9.6.5: both ends must be there.
fn whole_range(element: &Element) -> Result<TimeRange, Refusal> {
    match element.attribute("start").and(element.attribute("end")) {
        Some(_) => time_range(element),
        None => Err(bad("A time range lacks its start or its end.")),
    }
}

/// `<!ELEMENT comp ((allprop | prop*), (allcomp | comp*))>` (RFC 4791 §9.6.1)
fn selection(comp: &Element) -> Selection {
    let properties = match comp.child(CALDAV, "allprop") {
        Some(_) => Properties::All,
        None => Properties::These(properties(comp, CALDAV)),
    };
    let components = match comp.child(CALDAV, "allcomp") {
        Some(_) => None,
        None => Some(comp.children_of(CALDAV, "comp").map(selection).collect()),
    };
    Selection { name: name(comp), properties, components }
}

fn card_view(data: &Element) -> CardView {
    let version = match data.attribute("version") {
        Some("4.0") => Some(CardVersion::V4),
        // RFC 6352 §10.4: 3.0 if nothing is said. Apple's programs say nothing, and know nothing newer.
        _ => Some(CardVersion::V3),
    };
    let named = properties(data, CARDDAV);
    let properties = match data.child(CARDDAV, "allprop") {
        None if !named.is_empty() => Properties::These(named),
        _ => Properties::All,
    };
    CardView { version, properties }
}

/// `<!ELEMENT prop EMPTY>`, with the attributes `name` and `novalue`
fn properties(parent: &Element, namespace: &str) -> Vec<(String, bool)> {
    let property = |prop: &Element| (name(prop), prop.attribute("novalue") == Some("yes"));
    parent.children_of(namespace, "prop").map(property).collect()
}

fn name(element: &Element) -> String {
    element.attribute("name").unwrap_or_default().to_ascii_uppercase()
}

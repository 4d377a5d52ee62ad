//! Cards: what is stored, and what it is found by.

use hub_ical::Document;
use hub_storage::items::{ItemIndex, ItemKind};

use crate::collections::calendar::Read;
use crate::collections::item::{Refusal, UID};

/// UIDs of cards without one.
pub(super) const BY_NAME: &str = "name:";

/// RFC 5545 §3.1.4, RFC 6350 §3.1. Reports could not show anything else, and what a program then wrote
/// back would have lost its letters.
pub(super) const NOT_UTF_8: &str = "the text is not UTF-8";

/// RFC 6352 §5.1: one vCard. `name` is that of the item, for cards without UID, which older programs
/// write.
pub(super) fn read(bytes: &[u8], name: &str) -> Result<Read, Refusal> {
    let not_card = |why: &str| Refusal::NotCard(why.to_owned());
    if std::str::from_utf8(bytes).is_err() {
        return Err(not_card(NOT_UTF_8));
    }
    let document = Document::parse(bytes).map_err(|error| Refusal::NotCard(error.to_string()))?;
    let mut roots = document.roots();
    let (Some(card), None) = (roots.next(), roots.next()) else {
        return Err(not_card("there must be one VCARD"));
    };
    if card.name() != "VCARD" {
        return Err(not_card("there must be one VCARD"));
    }
    let version = card.first("VERSION").map(|property| property.text().trim().to_owned());
    if !matches!(version.as_deref(), Some("3.0" | "4.0")) {
        return Err(Refusal::CardVersion(version.unwrap_or_default().chars().take(20).collect()));
    }
    let uid = card.first("UID").map(|property| property.text().trim().to_owned()).unwrap_or_default();
    if uid.len() > UID {
        return Err(not_card("a UID has at most 1,000 bytes"));
    }
    // RFC 6350 §6.1.4, and what Apple's programs write into version 3.
    let is_group = ["KIND", "X-ADDRESSBOOKSERVER-KIND"]
        .iter()
        .filter_map(|kind| card.first(kind))
        .any(|property| property.value.trim().eq_ignore_ascii_case("group"));
    Ok(Read {
        is_scheduling: false,
        uid: if uid.is_empty() { format!("{BY_NAME}{name}") } else { uid },
        kind: if is_group { ItemKind::Group } else { ItemKind::Card },
        index: ItemIndex {
            first_at: i64::MIN,
            last_at: i64::MAX,
            text: super::query::folded(card),
            ..ItemIndex::default()
        },
    })
}

//! What kind of content it is.

use hub::collections::ItemKind;
pub(crate) use hub_content::media_type::of;

/// RFC 4791 §4.1, RFC 6352 §5.1
pub(crate) fn of_item(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Availability => "text/calendar; charset=utf-8; component=VAVAILABILITY",
        ItemKind::Card | ItemKind::Group => "text/vcard; charset=utf-8",
        ItemKind::Event => "text/calendar; charset=utf-8; component=VEVENT",
        ItemKind::FreeBusy => "text/calendar; charset=utf-8; component=VFREEBUSY",
        ItemKind::Journal => "text/calendar; charset=utf-8; component=VJOURNAL",
        ItemKind::Todo => "text/calendar; charset=utf-8; component=VTODO",
    }
}

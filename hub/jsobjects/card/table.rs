//! Which property of a card is which entry of which map of a JSContact object (RFC 9555 §2).

/// How the value of a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Several texts: an entry each.
    Texts,
    Text,
    Uri,
    /// A name and its units.
    Organization,
    Address,
    Date,
}

/// One property of a card that becomes an entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// The map of the object.
    pub(super) map: &'static str,
    /// What the value is called in the entry.
    pub(super) value: &'static str,
    /// The `kind` of the entry.
    pub(super) kind: Option<&'static str>,
    pub(super) form: Form,
}

const fn entry(
    name: &'static str,
    map: &'static str,
    value: &'static str,
    kind: Option<&'static str>,
    form: Form,
) -> Entry {
    Entry { name, map, value, kind, form }
}

/// Of several for one kind the first is written.
pub(super) static ENTRIES: &[Entry] = &[
    entry("ADR", "addresses", "", None, Form::Address),
    entry("BDAY", "anniversaries", "date", Some("birth"), Form::Date),
    entry("DEATHDATE", "anniversaries", "date", Some("death"), Form::Date),
    entry("ANNIVERSARY", "anniversaries", "date", Some("wedding"), Form::Date),
    entry("X-ANNIVERSARY", "anniversaries", "date", Some("wedding"), Form::Date),
    entry("CALURI", "calendars", "uri", Some("calendar"), Form::Uri),
    entry("FBURL", "calendars", "uri", Some("freeBusy"), Form::Uri),
    entry("KEY", "cryptoKeys", "uri", None, Form::Uri),
    entry("SOURCE", "directories", "uri", Some("entry"), Form::Uri),
    entry("ORG-DIRECTORY", "directories", "uri", Some("directory"), Form::Uri),
    entry("EMAIL", "emails", "address", None, Form::Text),
    entry("URL", "links", "uri", None, Form::Uri),
    entry("CONTACT-URI", "links", "uri", Some("contact"), Form::Uri),
    entry("PHOTO", "media", "uri", Some("photo"), Form::Uri),
    entry("LOGO", "media", "uri", Some("logo"), Form::Uri),
    entry("SOUND", "media", "uri", Some("sound"), Form::Uri),
    entry("NICKNAME", "nicknames", "name", None, Form::Texts),
    entry("NOTE", "notes", "note", None, Form::Text),
    entry("SOCIALPROFILE", "onlineServices", "uri", None, Form::Uri),
    entry("X-SOCIALPROFILE", "onlineServices", "uri", None, Form::Uri),
    entry("IMPP", "onlineServices", "uri", None, Form::Uri),
    entry("ORG", "organizations", "", None, Form::Organization),
    entry("EXPERTISE", "personalInfo", "value", Some("expertise"), Form::Text),
    entry("HOBBY", "personalInfo", "value", Some("hobby"), Form::Text),
    entry("INTEREST", "personalInfo", "value", Some("interest"), Form::Text),
    entry("TEL", "phones", "number", None, Form::Text),
    entry("LANG", "preferredLanguages", "language", None, Form::Text),
    entry("CALADRURI", "schedulingAddresses", "uri", None, Form::Uri),
    entry("TITLE", "titles", "name", Some("title"), Form::Text),
    entry("ROLE", "titles", "name", Some("role"), Form::Text),
];

/// Properties with one text that are properties of the object.
pub(super) static SINGLE: &[(&str, &str)] = &[
    ("KIND", "kind"),
    ("X-ADDRESSBOOKSERVER-KIND", "kind"),
    ("LANGUAGE", "language"),
    ("PRODID", "prodId"),
    ("UID", "uid"),
];

/// Properties with a moment.
pub(super) static MOMENTS: &[(&str, &str)] = &[("CREATED", "created"), ("REV", "updated")];

/// Maps whose entries are parts of their own.
pub(super) fn is_map(property: &str) -> bool {
    ENTRIES.iter().any(|entry| entry.map == property) || matches!(property, "members" | "relatedTo")
}

pub(super) fn named(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
}

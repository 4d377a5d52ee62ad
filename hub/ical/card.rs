//! What of a card is shown (RFC 6352 §10.4), and the same card in the other version of vCard: 3.0 (RFC
//! 2426) or 4.0 (RFC 6350). What differs between them is translated, everything else stays.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::document::{Component, Document};
use crate::property::{Parameter, Property};
use crate::text::Text;
use crate::view::Properties;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardVersion {
    V3,
    V4,
}

impl CardVersion {
    fn text(self) -> &'static str {
        match self {
            Self::V3 => "3.0",
            Self::V4 => "4.0",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::V3, Self::V4].into_iter().find(|version| version.text() == text)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardView {
    /// As it is, if it is `None`.
    pub version: Option<CardVersion>,
    pub properties: Properties,
}

impl CardView {
    /// Whether cards are shown as they are.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Shows a card; `None` if there is nothing to be changed of it, or it cannot be read.
    pub fn of(&self, data: &[u8]) -> Option<String> {
        let document = Document::parse(data).ok()?;
        let card = document.roots().next()?;
        let version = card.first("VERSION").and_then(|version| CardVersion::named(version.value.trim()));
        let into = self.version.filter(|wanted| version.is_some_and(|version| version != *wanted));
        if into.is_none() && self.properties == Properties::All {
            return None;
        }
        let first_choices = first_choices(&card);
        let mut text = Text::default();
        text.begin(card.name());
        for (line, property) in card.lines() {
            let Some(shown) = self.properties.line(line, property) else { continue };
            match (into, property) {
                (Some(into), Some(property)) if shown == line => {
                    text.line(translated(line, &property, into, &first_choices).as_ref());
                }
                _ => text.line(&shown),
            }
        }
        if into == Some(CardVersion::V3) && self.properties == Properties::All {
            required_by_3(&card, &mut text);
        }
        text.end(card.name());
        Some(text.finish())
    }
}

/// For each name of properties, the lowest `PREF` (RFC 6350 §5.3): 3.0 knows only one that is preferred.
fn first_choices(card: &Component<'_>) -> BTreeMap<String, u8> {
    let mut lowest = BTreeMap::new();
    for property in card.properties() {
        if let Some(number) = property.parameter("PREF").and_then(|number| number.parse::<u8>().ok()) {
            let place = lowest.entry(property.name.to_ascii_uppercase()).or_insert(number);
            *place = number.min(*place);
        }
    }
    lowest
}

/// RFC 2426 §3.1.2: N must be there; in 4.0 it need not. Programs show those as nameless that have an
/// empty one.
fn required_by_3(card: &Component<'_>, text: &mut Text) {
    if card.first("N").is_some() {
        return;
    }
    let full = card.first("FN").map(|name| name.text().trim().to_owned()).unwrap_or_default();
    let (given, family) = full.rsplit_once(' ').unwrap_or((full.as_str(), ""));
    text.line(&format!("N:{};{};;;", escaped(family), escaped(given.trim())));
}

/// `text` (RFC 2426 §4)
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// Names that differ. Groups of contacts are Apple's invention in 3.0.
const NAMES: &[(&str, &str)] =
    &[("X-ADDRESSBOOKSERVER-KIND", "KIND"), ("X-ADDRESSBOOKSERVER-MEMBER", "MEMBER")];
/// Properties whose value is a picture, a sound or a key.
const BINARY: &[&str] = &["KEY", "LOGO", "PHOTO", "SOUND"];

fn translated<'l>(
    line: &'l str,
    property: &Property<'l>,
    into: CardVersion,
    first_choices: &BTreeMap<String, u8>,
) -> Cow<'l, str> {
    let name = property.name.to_ascii_uppercase();
    if name == "VERSION" {
        return format!("VERSION:{}", into.text()).into();
    }
    let renamed = NAMES.iter().find_map(|(three, four)| match into {
        CardVersion::V3 => (name == *four).then_some(*three),
        CardVersion::V4 => (name == *three).then_some(*four),
    });
    let parameters: Vec<Parameter<'l>> = property.parameters().collect();
    let changed = match into {
        CardVersion::V3 => into_3(&name, property, parameters, first_choices.get(&name).copied()),
        CardVersion::V4 => into_4(&name, property, parameters),
    };
    let (parameters, value) = match (changed, renamed) {
        (Some(changed), _) => changed,
        (None, Some(_)) => (property.parameters().collect(), property.value.into()),
        (None, None) => return line.into(),
    };
    let mut out = property.group.map(|group| format!("{group}.")).unwrap_or_default();
    out.push_str(renamed.unwrap_or(property.name));
    parameters.iter().for_each(|parameter| write_parameter(&mut out, parameter));
    out.push(':');
    out.push_str(&value);
    out.into()
}

type Changed<'l> = Option<(Vec<Parameter<'l>>, Cow<'l, str>)>;

fn is(parameter: &Parameter<'_>, name: &str) -> bool {
    parameter.name.eq_ignore_ascii_case(name)
}

fn one(name: &'static str, value: impl Into<String>) -> Parameter<'static> {
    Parameter { name, values: vec![Cow::Owned(value.into())] }
}

/// `data:image/jpeg;base64,…` to `ENCODING=b;TYPE=JPEG`; the first of several by `PREF` to `TYPE=pref`, others
/// keep their number; `tel:` and `geo:` away where nothing else is in them.
fn into_3<'l>(
    name: &str,
    property: &Property<'l>,
    mut parameters: Vec<Parameter<'l>>,
    first_choice: Option<u8>,
) -> Changed<'l> {
    let mut is_changed = false;
    let mut value: Cow<'l, str> = property.value.into();
    let data = property.value.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let data = data.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data)));
    let is_simple = |text: &str| !text.contains(';');
    if BINARY.contains(&name)
        && let Some((media_type, data)) = data
    {
        parameters.retain(|parameter| !is(parameter, "VALUE") && !is(parameter, "MEDIATYPE"));
        let kind = match media_type {
            "application/pgp-keys" => "PGP".to_owned(),
            "application/pkix-cert" => "X509".to_owned(),
            _ => media_type.rsplit('/').next().unwrap_or_default().to_ascii_uppercase(),
        };
        parameters.push(one("ENCODING", "b"));
        parameters.push(one("TYPE", kind));
        (value, is_changed) = (data.into(), true);
    } else if BINARY.contains(&name) && !parameters.iter().any(|parameter| is(parameter, "VALUE")) {
        // RFC 2426 §3.1.4: else it would be bytes.
        parameters.push(one("VALUE", "uri"));
        is_changed = true;
    } else if name == "TEL"
        && let Some(number) = property.value.strip_prefix("tel:").filter(|one| is_simple(one))
    {
        parameters.retain(|parameter| !is(parameter, "VALUE"));
        (value, is_changed) = (number.into(), true);
    } else if name == "GEO"
        && let Some(place) = property.value.strip_prefix("geo:").filter(|one| is_simple(one))
    {
        (value, is_changed) = (place.replacen(',', ";", 1).into(), true);
    }
    let number = parameters.iter().find(|parameter| is(parameter, "PREF"));
    let number = number.and_then(|number| number.values.first()).map(|number| number.clone().into_owned());
    if let Some(number) = number {
        parameters.retain(|parameter| !is(parameter, "PREF"));
        parameters.push(match number.parse().ok() == first_choice {
            true => one("TYPE", "pref"),
            false => one("X-PREF", number),
        });
        is_changed = true;
    }
    is_changed.then_some((parameters, value))
}

/// The other way round; `TYPE=INTERNET` says nothing any more (RFC 6350 §6.4.2).
fn into_4<'l>(name: &str, property: &Property<'l>, mut parameters: Vec<Parameter<'l>>) -> Changed<'l> {
    let mut value: Cow<'l, str> = property.value.into();
    let mut is_changed = false;
    let encoding = parameters.iter().find(|parameter| is(parameter, "ENCODING"));
    let is_encoded = encoding
        .is_some_and(|encoding| encoding.values.iter().any(|one| matches!(&**one, "b" | "B" | "BASE64")));
    let is_binary = BINARY.contains(&name) && is_encoded;
    let mut format = None;
    let (mut preferred, mut dropped) = (false, false);
    for parameter in parameters.iter_mut().filter(|parameter| is(parameter, "TYPE")) {
        parameter.values.retain(|value| {
            let is_preferred = value.eq_ignore_ascii_case("pref");
            let is_empty = name == "EMAIL" && value.eq_ignore_ascii_case("internet");
            let is_place = ["home", "work"].iter().any(|place| value.eq_ignore_ascii_case(place));
            let is_format = is_binary && !is_preferred && !is_place && format.is_none();
            if is_format {
                format = Some(value.to_ascii_lowercase());
            }
            preferred |= is_preferred;
            dropped |= is_empty;
            !is_preferred && !is_empty && !is_format
        });
    }
    parameters.retain(|parameter| !parameter.values.is_empty());
    if is_binary {
        let media_type = match (name, format.as_deref()) {
            (_, Some(format)) if format.contains('/') => format.to_owned(),
            ("KEY", Some("pgp")) => "application/pgp-keys".to_owned(),
            ("KEY", Some("x509")) => "application/pkix-cert".to_owned(),
            ("KEY", _) => "application/octet-stream".to_owned(),
            ("SOUND", format) => format!("audio/{}", format.unwrap_or("basic")),
            (_, format) => format!("image/{}", format.unwrap_or("jpeg")),
        };
        parameters.retain(|parameter| !is(parameter, "ENCODING") && !is(parameter, "VALUE"));
        (value, is_changed) = (format!("data:{media_type};base64,{}", property.value).into(), true);
    }
    if name == "GEO"
        && let Some((latitude, longitude)) = property.value.split_once(';')
        && !latitude.contains(':')
    {
        (value, is_changed) = (format!("geo:{latitude},{longitude}").into(), true);
    }
    for parameter in parameters.iter_mut().filter(|parameter| is(parameter, "X-PREF")) {
        (parameter.name, is_changed) = ("PREF", true);
    }
    if preferred && !parameters.iter().any(|parameter| is(parameter, "PREF")) {
        parameters.push(one("PREF", "1"));
    }
    (is_changed || preferred || dropped).then_some((parameters, value))
}

/// `param = param-name "=" param-value *("," param-value)`, with RFC 6868's carets.
fn write_parameter(out: &mut String, parameter: &Parameter<'_>) {
    out.push(';');
    out.push_str(parameter.name);
    for (number, value) in parameter.values.iter().enumerate() {
        match (number, parameter.name) {
            (0, "") => {}
            (0, _) => out.push('='),
            _ => out.push(','),
        }
        let value = value.replace('^', "^^").replace('\n', "^n").replace('"', "^'");
        match value.contains([';', ':', ',']) {
            true => out.push_str(&format!("\"{value}\"")),
            false => out.push_str(&value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ann\r\nN:Ann;;;;\r\n\
        item1.EMAIL;TYPE=INTERNET,HOME,pref:a@example.org\r\nTEL;TYPE=cell:+1\r\n\
        PHOTO;ENCODING=b;TYPE=PNG:aGVsbG8=\r\nGEO:52.5;13.4\r\nX-ADDRESSBOOKSERVER-KIND:group\r\n\
        X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2\r\nX-OWN;P=\"a;b\":kept\r\nEND:VCARD\r\n";
    const FOUR: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:1\r\nFN:Ann\r\nN:Ann;;;;\r\n\
        item1.EMAIL;TYPE=HOME;PREF=1:a@example.org\r\nTEL;TYPE=cell:+1\r\n\
        PHOTO:data:image/png;base64,aGVsbG8=\r\nGEO:geo:52.5,13.4\r\nKIND:group\r\n\
        MEMBER:urn:uuid:2\r\nX-OWN;P=\"a;b\":kept\r\nEND:VCARD\r\n";

    fn into(version: CardVersion, card: &str) -> Option<String> {
        CardView { version: Some(version), ..CardView::default() }.of(card.as_bytes())
    }

    #[test]
    fn versions() {
        assert_eq!(into(CardVersion::V4, THREE).as_deref(), Some(FOUR));
        let back = THREE.replace("TYPE=INTERNET,HOME,pref", "TYPE=HOME;TYPE=pref");
        assert_eq!(into(CardVersion::V3, FOUR), Some(back));
        assert_eq!((into(CardVersion::V3, THREE), into(CardVersion::V4, FOUR)), (None, None));
    }

    #[test]
    fn a_name_is_made_where_it_must_be() {
        let card =
            "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A B\\, C\r\nTEL;VALUE=uri;PREF=1:tel:+1-5\r\nEND:VCARD\r\n";
        assert_eq!(
            into(CardVersion::V3, card).expect("another version"),
            "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A B\\, C\r\nTEL;TYPE=pref:+1-5\r\nN:C;A B\\,;;;\r\nEND:VCARD\r\n"
        );
    }

    /// What one version cannot say is kept for the way back.
    #[test]
    fn nothing_is_lost_on_the_way() {
        for line in [
            "TEL;PREF=1:+1\r\nTEL;PREF=2:+2",
            "TEL;VALUE=uri:tel:+1;ext=5",
            "GEO:geo:52.5,13.4;u=35",
            "PHOTO;TYPE=HOME;PREF=1:data:image/png;base64,aGVsbG8=",
            "KEY:data:application/pgp-keys;base64,aGVsbG8=",
        ] {
            let card = format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A\r\nN:A;;;;\r\n{line}\r\nEND:VCARD\r\n");
            let three = into(CardVersion::V3, &card).expect("another version");
            assert_eq!(into(CardVersion::V4, &three).as_deref(), Some(card.as_str()), "{three}");
        }
        let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nN:A;;;;\r\nPHOTO:https://a.test/p.png\r\nEND:VCARD\r\n";
        let three = into(CardVersion::V3, card).expect("another version");
        assert!(three.contains("PHOTO;VALUE=uri:https://a.test/p.png\r\n"), "{three}");
    }

    /// RFC 6352 §8.6.3
    #[test]
    fn some_properties() {
        let properties = Properties::These(vec![("VERSION".into(), false), ("FN".into(), false)]);
        let view = CardView { properties, version: None };
        let expected = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n";
        assert_eq!(view.of(THREE.as_bytes()).as_deref(), Some(expected));
    }
}

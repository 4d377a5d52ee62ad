use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{read, write};
use crate::Error;

fn card(lines: &str) -> String {
    let lines: Vec<&str> = lines.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\n{}\r\nEND:VCARD\r\n", lines.join("\r\n"))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// What lines say, without `@type` and `version`; and entries by themselves, for their keys are hashes.
fn said(lines: &str) -> Value {
    let mut said = read(card(lines).as_bytes()).expect("a card");
    said.remove("@type");
    said.remove("version");
    said.into()
}

fn only_entry(lines: &str, map: &str) -> Value {
    let said = said(lines);
    let entries = said[map].as_object().unwrap_or_else(|| panic!("{said}"));
    assert_eq!(entries.len(), 1, "{said}");
    entries.values().next().expect("one").clone()
}

/// RFC 9555 §2.4 to §2.16, its figures.
#[test]
fn rfc9555_2_lines_and_what_they_say() {
    for (line, map, expected) in [
        (
            "TEL;VALUE=uri;PREF=1;TYPE=\"voice,home\":tel:+1-555-555-5555;ext=5555",
            "phones",
            json!({ "contexts": { "private": true }, "features": { "voice": true }, "number": "tel:+1-555-555-5555;ext=5555", "pref": 1 }),
        ),
        (
            "EMAIL;TYPE=work:jqpublic@xyz.example.com",
            "emails",
            json!({ "contexts": { "work": true }, "address": "jqpublic@xyz.example.com" }),
        ),
        (
            "LANG;TYPE=work;PREF=1:en",
            "preferredLanguages",
            json!({ "contexts": { "work": true }, "language": "en", "pref": 1 }),
        ),
        (
            "IMPP;PREF=1:xmpp:alice@example.com",
            "onlineServices",
            json!({ "uri": "xmpp:alice@example.com", "pref": 1, "vCardName": "impp" }),
        ),
        (
            "SOCIALPROFILE;SERVICE-TYPE=Mastodon:https://example.com/@foo",
            "onlineServices",
            json!({ "service": "Mastodon", "uri": "https://example.com/@foo", "vCardName": "socialprofile" }),
        ),
        (
            "ORG;SORT-AS=\"ABC\":ABC\\, Inc.;North American Division;Marketing",
            "organizations",
            json!({ "name": "ABC, Inc.", "units": [{ "name": "North American Division" }, { "name": "Marketing" }], "sortAs": "ABC" }),
        ),
        ("TITLE:Research Scientist", "titles", json!({ "kind": "title", "name": "Research Scientist" })),
        ("ROLE:Project Leader", "titles", json!({ "kind": "role", "name": "Project Leader" })),
        (
            "NOTE;CREATED=20221123T150132Z;AUTHOR-NAME=\"John\":Office hours, 8:00",
            "notes",
            json!({ "note": "Office hours, 8:00", "author": { "name": "John" }, "vCardParams": { "created": "20221123T150132Z" } }),
        ),
        (
            "URL:https://example.org/restaurant.french/~chezchic.html",
            "links",
            json!({ "uri": "https://example.org/restaurant.french/~chezchic.html" }),
        ),
        (
            "CONTACT-URI;PREF=1:mailto:contact@example.com",
            "links",
            json!({ "kind": "contact", "uri": "mailto:contact@example.com", "pref": 1 }),
        ),
        (
            "PHOTO:https://www.example.com/pub/photos/jqpublic.gif",
            "media",
            json!({ "kind": "photo", "uri": "https://www.example.com/pub/photos/jqpublic.gif" }),
        ),
        (
            "ORG-DIRECTORY;INDEX=1:https://directory.mycompany.example.com",
            "directories",
            json!({ "kind": "directory", "uri": "https://directory.mycompany.example.com", "listAs": 1 }),
        ),
        (
            "FBURL;MEDIATYPE=text/calendar;PREF=1:https://calendar.example.com/busy/x",
            "calendars",
            json!({ "kind": "freeBusy", "uri": "https://calendar.example.com/busy/x", "mediaType": "text/calendar", "pref": 1 }),
        ),
        (
            "CALADRURI:mailto:janedoe@example.com",
            "schedulingAddresses",
            json!({ "uri": "mailto:janedoe@example.com" }),
        ),
        (
            "BDAY:19531015T231000Z",
            "anniversaries",
            json!({ "kind": "birth", "date": { "@type": "Timestamp", "utc": "1953-10-15T23:10:00Z" } }),
        ),
        ("DEATHDATE:1996", "anniversaries", json!({ "kind": "death", "date": { "year": 1996 } })),
        ("BDAY:--0412", "anniversaries", json!({ "kind": "birth", "date": { "month": 4, "day": 12 } })),
        (
            "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
            "anniversaries",
            json!({ "kind": "birth", "date": { "month": 4, "day": 12 },
         "vCardParams": { "x-apple-omit-year": "1604" } }),
        ),
        (
            "HOBBY;INDEX=1;LEVEL=high:reading",
            "personalInfo",
            json!({ "kind": "hobby", "level": "high", "listAs": 1, "value": "reading" }),
        ),
        (
            "ADR;CC=US;LABEL=\"54321 Oak St^nReston\":;;54321 Oak St;Reston;VA;20190;USA",
            "addresses",
            json!({ "countryCode": "US", "full": "54321 Oak St\nReston", "components": [
            { "kind": "name", "value": "54321 Oak St" }, { "kind": "locality", "value": "Reston" },
            { "kind": "region", "value": "VA" }, { "kind": "postcode", "value": "20190" }, { "kind": "country", "value": "USA" }] }),
        ),
        (
            "ADR:;;54321 Oak St;Reston;;;USA;;;;54321;Oak St;;;;;;",
            "addresses",
            json!({ "components": [{ "kind": "locality", "value": "Reston" }, { "kind": "country", "value": "USA" },
            { "kind": "number", "value": "54321" }, { "kind": "name", "value": "Oak St" }] }),
        ),
        (
            "item1.URL:https://a.example\nitem1.X-ABLabel:_$!<HomePage>!$_",
            "links",
            json!({ "uri": "https://a.example", "label": "HomePage", "vCardParams": { "group": "item1" } }),
        ),
    ] {
        assert_eq!(only_entry(line, map), expected, "{line}");
        // What is said again is said the same way, whoever reads it.
        let mut made = Map::new();
        made.insert(map.to_owned(), json!({ "k1": expected }));
        let text = write(None, &made).expect("written");
        let back = read(&text).expect("a card");
        assert_eq!(back[map]["k1"], expected, "{line}\n{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn rfc9555_2_names_and_sets() {
    assert_eq!(
        said(
            "FN:Mr. John Q. Public\\, Esq.\nN;SORT-AS=\"Stevenson,John Philip\":Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.;;Jr."
        ),
        json!({ "name": {
            "full": "Mr. John Q. Public, Esq.",
            "sortAs": { "surname": "Stevenson", "given": "John Philip" },
            "components": [
                { "kind": "title", "value": "Dr." }, { "kind": "given", "value": "John" },
                { "kind": "given2", "value": "Philip" }, { "kind": "given2", "value": "Paul" },
                { "kind": "surname", "value": "Stevenson" }, { "kind": "generation", "value": "Jr." },
                { "kind": "credential", "value": "M.D." }, { "kind": "credential", "value": "A.C.P." }],
        } })
    );
    assert_eq!(
        said(
            "FN;DERIVED=TRUE:x\nCATEGORIES:INTERNET,IETF\nKIND:group\nMEMBER:urn:uuid:1\nUID:urn:uuid:2\n\
              RELATED;TYPE=friend:urn:uuid:3\nREV:19951031T222710Z\nLANGUAGE:de-AT\nGRAMGENDER:neuter"
        ),
        json!({
            "keywords": { "INTERNET": true, "IETF": true }, "kind": "group", "members": { "urn:uuid:1": true },
            "uid": "urn:uuid:2", "relatedTo": { "urn:uuid:3": { "relation": { "friend": true } } },
            "updated": "1995-10-31T22:27:10Z", "language": "de-AT", "speakToAs": { "grammaticalGender": "neuter" },
        })
    );
    assert_eq!(said("FN;DERIVED=TRUE:x\nN:;;;;"), json!({}));
    assert_eq!(
        said("FN;DERIVED=TRUE:x\nitem1.X-FOO;X-BAR=a,b:r\\,aw")["vCardProps"],
        json!([["x-foo", { "x-bar": ["a", "b"], "group": "item1" }, "unknown", "r\\,aw"]])
    );
}

/// RFC 2426: as older programs write.
#[test]
fn version_3() {
    let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\nTEL;TYPE=CELL,pref:+1\r\n\
                PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nEND:VCARD\r\n";
    let mut object = read(text.as_bytes()).expect("a card");
    let photo = object["media"].as_object().and_then(|media| media.values().next()).cloned();
    assert_eq!(
        photo,
        Some(json!({ "kind": "photo", "mediaType": "image/jpeg", "uri": "data:image/jpeg;base64,/9j/4AAQ" }))
    );
    assert_eq!(object["kind"], "group");
    object["media"] = json!({ "p": { "kind": "photo", "uri": "data:image/png;base64,iVBO" } });
    object["phones"] = json!({ "t": { "number": "+2", "pref": 1 } });
    object.insert("members".into(), json!({ "urn:uuid:1": true }));
    let changed = String::from_utf8(write(Some(text.as_bytes()), &object).expect("written")).expect("text");
    assert_eq!(
        changed,
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\nX-ADDRESSBOOKSERVER-KIND:group\r\n\
         PHOTO;ENCODING=b;TYPE=PNG;PROP-ID=p:iVBO\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1\r\n\
         TEL;TYPE=pref;PROP-ID=t:+2\r\nEND:VCARD\r\n"
    );
}

/// What no line can say stands beside it, and gives way when somebody else changes the line.
#[test]
fn rfc9555_3_2_1_jsprop() {
    let wanted = object(json!({
        "uid": "1",
        "example.com:top": [1, { "a": null }],
        "name": { "isOrdered": true, "components": [{ "kind": "surname", "value": "Doe" }, { "kind": "given", "value": "Jane" }] },
        "emails": { "e1": { "@type": "EmailAddress", "address": "a@example.com", "example.com:x": { "y": 1 } } },
        "localizations": { "de": { "name/full": "Janne" } },
    }));
    let text = String::from_utf8(write(None, &wanted).expect("written")).expect("text");
    let mut back = read(text.as_bytes()).expect("a card");
    for name in ["uid", "example.com:top", "name", "localizations"] {
        assert_eq!(back[name], wanted[name], "{name}\n{text}");
    }
    assert_eq!(back["emails"]["e1"]["example.com:x"], json!({ "y": 1 }));
    let other = text.replace("N:Doe;Jane", "N:Roe;Jane");
    assert_ne!(other, text);
    back = read(other.as_bytes()).expect("a card");
    let surname = json!({ "kind": "surname", "value": "Roe" });
    assert!(back["name"]["components"].as_array().is_some_and(|list| list.contains(&surname)), "{other}");
    // Our own change takes the old word with it.
    back["name"] = json!({ "full": "X" });
    let again = String::from_utf8(write(Some(text.as_bytes()), &back).expect("written")).expect("text");
    assert!(!again.contains("JSPTR=name"), "{again}");
}

#[test]
fn a_card_always_has_a_name() {
    let text = |value: Value| String::from_utf8(write(None, &object(value)).expect("written")).expect("text");
    assert!(text(json!({ "emails": { "a": { "address": "x@y.z" } } })).contains("FN;DERIVED=TRUE:x@y.z\r\n"));
    assert!(text(json!({})).contains("FN;DERIVED=TRUE:\r\n"));
    let given = json!({ "name": { "components": [{ "kind": "given", "value": "Joe" }, { "kind": "surname", "value": "Bloggs" }] } });
    assert!(text(given).contains("FN;DERIVED=TRUE:Joe Bloggs\r\nN:Bloggs;Joe;;;\r\n"));
}

#[test]
fn objects_that_are_none() {
    for (value, path) in [
        (json!({ "@type": "Event" }), "@type"),
        (json!({ "emails": [] }), "emails"),
        (json!({ "emails": { "a": {} } }), "emails/a/address"),
        (json!({ "emails": { "a b": { "address": "x" } } }), "emails/a b"),
        (json!({ "emails": { "a": { "address": 1 } } }), "emails/a/address"),
        (json!({ "emails": { "a": { "address": "x", "pref": 0 } } }), "emails/a/pref"),
        (json!({ "emails": { "a": { "address": "x", "contexts": { "work": 1 } } } }), "emails/a/contexts"),
        (json!({ "name": "x" }), "name"),
        (json!({ "name": { "components": [{}] } }), "name/components"),
        (json!({ "updated": "yesterday" }), "updated"),
        (json!({ "anniversaries": { "a": { "kind": "birth", "date": {} } } }), "anniversaries/a/date"),
        (json!({ "uid": 1 }), "uid"),
    ] {
        let error = write(None, &object(value.clone())).expect_err(path);
        assert!(matches!(&error, Error::Property(found, _) if found == path), "{value}: {error}");
    }
    assert!(matches!(read(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), Err(Error::Text(_))));
}

/// Texts cannot bring lines of their own.
#[test]
fn no_line_comes_in_with_a_value() {
    let bad = "x\r\nNOTE:y";
    let wanted = object(json!({
        "uid": bad, "kind": bad, "members": { bad: true }, "relatedTo": { bad: { "relation": { bad: true } } },
        "emails": { "a": { "address": bad, "label": bad, "vCardParams": { "x-y": bad, bad: "1", "group": bad } } },
        "links": { "a": { "uri": bad, "mediaType": bad } },
        "vCardProps": [["x-a", { "x-b": bad }, "unknown", bad], [bad, {}, "unknown", "1"], ["end", {}, "unknown", "VCARD"]],
        bad: bad,
    }));
    let text = String::from_utf8(write(None, &wanted).expect("written")).expect("text");
    assert!(!text.lines().any(|line| line.starts_with("NOTE")), "{text}");
    assert!(read(text.as_bytes()).is_ok());
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        "EMAIL(;TYPE=(work|HOME|x|internet))?:[a-z]{1,5}@[a-z]{1,5}",
        "TEL(;TYPE=(cell|\"voice,home\"))?(;PREF=[1-9])?:[0-9;, ]{1,8}",
        "N(;SORT-AS=a)?:[a-z]{0,4};[a-z,]{0,6};;;[a-z,]{0,3}",
        "(ORG|ADR|NICKNAME|CATEGORIES):[a-z;,\\\\]{0,12}",
        "(item[1-3]\\.)?(URL|X-ABLABEL|X-FOO|NOTE)(;X-P=[a-z]{0,3})?:[a-z:/.]{0,9}",
        "(BDAY|ANNIVERSARY|REV|UID|KIND|FN|MEMBER):[-0-9TZ]{0,12}",
        "JSPROP;JSPTR=\"[a-z]{0,6}(/[a-z0-9]{0,2}){0,2}\":[\"{}\\[\\]0-9:a]{0,8}",
        "[a-z;:=\"]{0,10}",
    ];
    prop::collection::vec(line, 0..12)
}

proptest! {
    /// An object that was not changed changes no byte, and a change takes only its own lines.
    #[test]
    fn what_is_not_touched_stays(lines in lines(), folded in any::<bool>()) {
        let fold = if folded { "\r\n " } else { "" };
        let body: String = lines.iter().map(|line| format!("{}{fold}\r\n", line)).collect();
        let text = format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\nEMAIL;PROP-ID=mine:a@b\r\n{body}END:VCARD\r\n");
        let Ok(mut object) = read(text.as_bytes()) else { return Ok(()) };
        if super::check::check(&object).is_err() {
            return Ok(());
        }
        prop_assert_eq!(String::from_utf8(write(Some(text.as_bytes()), &object).expect("written")).expect("text"), text.clone());
        prop_assume!(!lines.iter().any(|line| line.contains("JSPROP")));
        let mine = object["emails"]["mine"].as_object_mut().expect("it is there");
        mine.insert("address".into(), "new@b".into());
        let changed = String::from_utf8(write(Some(text.as_bytes()), &object).expect("written")).expect("text");
        prop_assert_eq!(&changed, &text.replace("EMAIL;PROP-ID=mine:a@b", "EMAIL;PROP-ID=mine:new@b"));
        prop_assert_eq!(read(changed.as_bytes()).expect("a card"), object);
    }

    /// What is written is read back.
    #[test]
    fn objects_come_back(
        address in "[ -~\n]{0,20}", note in "\\PC{0,40}", key in "[A-Za-z0-9_-]{1,8}", pref in 1u64..=100,
        extra in "[a-z./~]{1,8}", given in "\\PC{1,8}",
    ) {
        prop_assume!(!["address", "label", "pref", "contexts"].contains(&extra.as_str()));
        let wanted = object(json!({
            "emails": { &key: { "address": address, "pref": pref, "label": note } },
            "notes": { &key: { "note": note } },
            "name": { "components": [{ "kind": "given", "value": given }], "full": note },
            "organizations": { &key: { "name": address } },
            format!("example.com:{extra}"): { "a": [note, 1] },
        }));
        let text = write(None, &wanted).expect("written");
        let back = read(&text).expect("a card");
        for (name, value) in &wanted {
            let mut found = back.get(name).cloned().unwrap_or_default();
            if let Some(entry) = found.get_mut(&key).and_then(Value::as_object_mut) {
                entry.remove("vCardParams");
            }
            prop_assert_eq!(&found, value, "{}", name);
        }
    }
}

//! FETCH: data items, sections and modifiers.

use super::command::{Fetch, Item, Portion, Section, SectionName};
use super::cursor::{Cursor, is_atom_char};
use super::search::partial_range;
use super::{Error, Result, sequence_set};

/// Most data items of one FETCH. Thunderbird asks for four; webmail for a part each.
const ITEM_LIMIT: usize = 1000;
/// Deepest part number, as deep as the MIME scanner goes.
const DEPTH_LIMIT: usize = 100;

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP
/// fetch-att) ")") [SP fetch-modifiers]`
pub(super) fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Result<Fetch> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mut items = Vec::new();
    if cursor.peek() == Some(b'(') {
        // Macros stand alone in the grammar; inside a list they cost nothing to understand.
        cursor.list(ITEM_LIMIT, |cursor| fetch_att(cursor, &mut items))?;
    } else {
        fetch_att(cursor, &mut items)?;
    }
    let mut fetch = Fetch { set, uid, items, changed_since: None, partial: None, vanished: false };
    cursor.spaces();
    if cursor.peek() == Some(b'(') {
        cursor.list(8, |cursor| {
            match cursor.keyword()?.as_str() {
                // iPhone Mail 16.5 sends 0, which the grammar does not have
                // (modern-email/defects#29): everything has changed since.
                "CHANGEDSINCE" => {
                    cursor.space()?;
                    fetch.changed_since = Some(cursor.number()?);
                }
                // RFC 9394 §3.3
                "PARTIAL" if uid => {
                    cursor.space()?;
                    fetch.partial = Some(partial_range(cursor)?);
                }
                "VANISHED" => fetch.vanished = true,
                _ => return Err(Error::Bad("Unknown FETCH modifier")),
            }
            Ok(())
        })?;
    }
    Ok(fetch)
}

/// `"(" fetch-att *(SP fetch-att) ")"`
pub(super) fn items(cursor: &mut Cursor<'_>) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    cursor.list(ITEM_LIMIT, |cursor| fetch_att(cursor, &mut items))?;
    Ok(items)
}

fn fetch_att(cursor: &mut Cursor<'_>, items: &mut Vec<Item>) -> Result<()> {
    let name: String = cursor
        .take_while(|b| is_atom_char(b) && !matches!(b, b'[' | b'<'))
        .iter()
        .map(|b| char::from(b.to_ascii_uppercase()))
        .collect();
    let fast = [Item::Flags, Item::InternalDate, Item::Size];
    let whole =
        |name, portion, peek| Item::Section(Section { name, path: Vec::new(), portion, partial: None, peek });
    let item = match name.as_str() {
        "BINARY" => section(cursor, SectionName::Binary, false)?,
        "BINARY.PEEK" => section(cursor, SectionName::Binary, true)?,
        "BINARY.SIZE" => {
            cursor.expect(b'[', "A section is missing")?;
            let path = section_part(cursor)?;
            cursor.expect(b']', "A section is malformed")?;
            Item::BinarySize(path)
        }
        "BODY" if cursor.peek() == Some(b'[') => section(cursor, SectionName::Body, false)?,
        "BODY.PEEK" => section(cursor, SectionName::Body, true)?,
        "BODY" => Item::Body,
        "ALL" | "FULL" | "FAST" => {
            items.extend(fast);
            if name != "FAST" {
                items.push(Item::Envelope);
            }
            if name == "FULL" {
                items.push(Item::Body);
            }
            return Ok(());
        }
        "BODYSTRUCTURE" => Item::BodyStructure,
        "EMAILID" => Item::EmailId,
        "ENVELOPE" => Item::Envelope,
        "FLAGS" => Item::Flags,
        "INTERNALDATE" => Item::InternalDate,
        "MODSEQ" => Item::Modseq,
        "PREVIEW" => {
            preview_modifiers(cursor)?;
            Item::Preview
        }
        "RFC822" => whole(SectionName::Rfc822, Portion::All, false),
        // Outlook still sends it (emersion/go-imap#657); it is from RFC 1176.
        "RFC822.PEEK" => whole(SectionName::Rfc822, Portion::All, true),
        // RFC 3501 §6.4.5: like BODY.PEEK[HEADER], it does not set \Seen.
        "RFC822.HEADER" => whole(SectionName::Rfc822Header, Portion::Header, true),
        "RFC822.TEXT" => whole(SectionName::Rfc822Text, Portion::Text, false),
        "RFC822.TEXT.PEEK" => whole(SectionName::Rfc822Text, Portion::Text, true),
        "RFC822.SIZE" => Item::Size,
        "SAVEDATE" => Item::SaveDate,
        "THREADID" => Item::ThreadId,
        "UID" => Item::Uid,
        _ => return Err(Error::Bad("Unknown FETCH item")),
    };
    items.push(item);
    Ok(())
}

/// `[SP "(" preview-mod *(SP preview-mod) ")"]`, `preview-mod = "LAZY"` (RFC 8970 §6). What else
/// stands in parentheses behind the item modifies FETCH.
fn preview_modifiers(cursor: &mut Cursor<'_>) -> Result<()> {
    let mut ahead = cursor.clone();
    ahead.spaces();
    if ahead.eat(b'(') && ahead.eat_keyword("LAZY") {
        cursor.spaces();
        cursor.list(8, |cursor| match cursor.eat_keyword("LAZY") {
            true => Ok(()),
            false => Err(Error::Bad("Unknown PREVIEW modifier")),
        })?;
    }
    Ok(())
}

/// `[section-part]`, `section-part = nz-number *("." nz-number)`; takes the dot in front of a
/// `section-text` too.
fn section_part(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
    let mut path = Vec::new();
    while cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
        let number = u32::try_from(cursor.number()?).ok().filter(|&number| number > 0);
        path.push(number.ok_or(Error::Bad("A part number is malformed"))?);
        if path.len() > DEPTH_LIMIT {
            return Err(Error::Limit("A part number is too deep"));
        }
        if !cursor.eat(b'.') {
            break;
        }
        if cursor.peek() == Some(b']') {
            return Err(Error::Bad("A section is malformed"));
        }
    }
    Ok(path)
}

/// `section = "[" [section-spec] "]"` and `["<" number "." nz-number ">"]`;
/// `section-binary = "[" [section-part] "]"`
pub(super) fn section(cursor: &mut Cursor<'_>, name: SectionName, peek: bool) -> Result<Item> {
    cursor.expect(b'[', "A section is missing")?;
    let path = section_part(cursor)?;
    let mut portion = Portion::All;
    if cursor.peek() != Some(b']') && name == SectionName::Body {
        portion = section_text(cursor, !path.is_empty())?;
    }
    cursor.expect(b']', "A section is malformed")?;
    let mut partial = None;
    if cursor.eat(b'<') {
        let offset = cursor.number()?;
        cursor.expect(b'.', "A partial range is malformed")?;
        let length = cursor.number()?;
        cursor.expect(b'>', "A partial range is malformed")?;
        if length == 0 {
            return Err(Error::Bad("A partial range must not be empty"));
        }
        partial = Some((offset, length));
    }
    Ok(Item::Section(Section { name, path, portion, partial, peek }))
}

/// `section-text = section-msgtext / "MIME"`,
/// `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`
fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Result<Portion> {
    let word = cursor.take_while(|b| b.is_ascii_alphabetic() || b == b'.').to_ascii_uppercase();
    let not = match word.as_slice() {
        b"HEADER" => return Ok(Portion::Header),
        b"TEXT" => return Ok(Portion::Text),
        b"MIME" if of_part => return Ok(Portion::Mime),
        b"HEADER.FIELDS" => false,
        b"HEADER.FIELDS.NOT" => true,
        _ => return Err(Error::Bad("A section is malformed")),
    };
    cursor.space()?;
    let names = cursor.list(ITEM_LIMIT, |cursor| {
        let name = cursor.astring()?;
        // It is repeated in the answer: nothing but a header field name (RFC 5322 §2.2).
        if name.is_empty() || !name.iter().all(|&b| b.is_ascii_graphic() && b != b':') {
            return Err(Error::Bad("A header field name is malformed"));
        }
        Ok(name.into_owned())
    })?;
    Ok(Portion::Fields { names, not })
}

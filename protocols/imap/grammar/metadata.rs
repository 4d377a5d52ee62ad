//! GETMETADATA and SETMETADATA (RFC 5464 §5), the METADATA option of LIST (RFC 9590).

use super::command::{Command, Depth, GetMetadata, SetMetadata};
use super::cursor::Cursor;
use super::{Error, Result};

/// Most entries of one command: as many as a mailbox can have.
const ENTRY_LIMIT: usize = 100;
/// Longest entry name; they are stored and repeated.
const LONGEST_ENTRY: usize = 256;

/// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`. The examples of
/// RFC 5464 §4.2 have the options behind the mailbox, and entries without parentheses; clients follow
/// either.
pub(super) fn get(cursor: &mut Cursor<'_>) -> Result<Command> {
    let mut get = GetMetadata::default();
    cursor.space()?;
    let options_first = cursor.peek() == Some(b'(');
    if options_first {
        options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.mailbox = cursor.mailbox_or_none()?;
    cursor.space()?;
    if !options_first && cursor.peek() == Some(b'(') && !is_entry_list(cursor) {
        options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.entries = entries(cursor)?;
    while !cursor.is_at_end() && get.entries.len() < ENTRY_LIMIT {
        cursor.space()?;
        get.entries.push(entry(cursor)?);
    }
    Ok(Command::GetMetadata(get))
}

/// True if the list that begins here is one of entries: options do not begin with a slash.
fn is_entry_list(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.eat(b'(');
    ahead.spaces();
    ahead.astring().is_ok_and(|first| first.starts_with(b"/"))
}

/// `maxsize-opt = "MAXSIZE" SP number`, `scope-opt = "DEPTH" SP ("0" / "1" / "infinity")`
fn options(cursor: &mut Cursor<'_>, get: &mut GetMetadata) -> Result<()> {
    cursor.list(8, |cursor| {
        let option = cursor.keyword()?;
        cursor.space()?;
        match option.as_str() {
            "DEPTH" => {
                get.depth = match cursor.keyword()?.as_str() {
                    "0" => Depth::Itself,
                    "1" => Depth::Children,
                    "INFINITY" => Depth::All,
                    _ => return Err(Error::Bad("DEPTH is 0, 1 or infinity")),
                }
            }
            "MAXSIZE" => get.max_size = Some(cursor.number()?),
            _ => return Err(Error::Bad("Unknown GETMETADATA option")),
        }
        Ok(())
    })?;
    Ok(())
}

/// `setmetadata = "SETMETADATA" SP mailbox SP entry-values`
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox_or_none()?;
    cursor.space()?;
    let values = cursor.list(ENTRY_LIMIT, |cursor| {
        let entry = entry(cursor)?;
        // RFC 5464 §3.2: a scope and a name at least; the products' own lie below their token.
        let least = if entry.split('/').nth(2) == Some("vendor") { 4 } else { 2 };
        if entry.split('/').skip(1).count() < least {
            return Err(Error::Bad("The entry name is too short"));
        }
        cursor.space()?;
        let value = if cursor.eat_keyword("NIL") { None } else { Some(cursor.string()?.into_owned()) };
        Ok((entry, value))
    })?;
    if values.is_empty() {
        return Err(Error::Bad("An entry is missing"));
    }
    Ok(Command::SetMetadata(SetMetadata { mailbox, values }))
}

/// `entries = entry / "(" entry *(SP entry) ")"`
pub(super) fn entries(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let entries =
        if cursor.peek() == Some(b'(') { cursor.list(ENTRY_LIMIT, entry)? } else { vec![entry(cursor)?] };
    if entries.is_empty() { Err(Error::Bad("An entry is missing")) } else { Ok(entries) }
}

/// `entry = astring`, in lower case, because it is the same in any (RFC 5464 §3.2).
fn entry(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = cursor.astring()?;
    let malformed = Error::Bad("An entry name is malformed");
    let allowed = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'*' | b'%');
    if !name.iter().copied().all(allowed) || name.len() > LONGEST_ENTRY {
        return Err(malformed);
    }
    let name: String = name.iter().map(|b| char::from(b.to_ascii_lowercase())).collect();
    let mut components = name.split('/');
    let is_scoped = components.next() == Some("") && matches!(components.next(), Some("private" | "shared"));
    if is_scoped && components.all(|component| !component.is_empty()) { Ok(name) } else { Err(malformed) }
}

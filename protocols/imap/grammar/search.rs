//! SEARCH keys and result options (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 5267, RFC 7162,
//! RFC 8474, RFC 8514, RFC 9394), CANCELUPDATE.

use super::command::{Key, Partial, Returns, Search};
use super::cursor::Cursor;
use super::date::date;
use super::{Error, Result, is_atom_char, sequence_set, system_flag};
use hub::Flags;

/// Deepest nesting of parentheses, NOT and OR.
const DEPTH_LIMIT: usize = 50;
/// Most keys of one program.
const KEY_LIMIT: usize = 1000;

/// `search = "SEARCH" [SP "RETURN" SP "(" … ")"] [SP "CHARSET" SP charset] 1*(SP search-key)`
pub(super) fn search(cursor: &mut Cursor<'_>, uid: bool) -> Result<Search> {
    cursor.space()?;
    let returns = result_options(cursor)?;
    let mut other_charset = false;
    if cursor.eat_keyword("CHARSET") {
        cursor.space()?;
        other_charset = charset(cursor)? != "UTF-8";
    }
    Ok(Search { uid, returns, other_charset, key: program(cursor)? })
}

/// `["RETURN" SP "(" … ")" SP]`
pub(super) fn result_options(cursor: &mut Cursor<'_>) -> Result<Option<Returns>> {
    if !cursor.eat_keyword("RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    let returns = return_options(cursor)?;
    cursor.space()?;
    Ok(Some(returns))
}

/// `"CANCELUPDATE" 1*(SP quoted)` (RFC 5267 §5)
pub(super) fn cancel_update(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut tags = Vec::new();
    while tags.is_empty() || !cursor.is_at_end() {
        cursor.space()?;
        if tags.len() >= KEY_LIMIT {
            return Err(Error::Limit("Too many tags"));
        }
        tags.push(String::from_utf8_lossy(&cursor.string()?).into_owned());
    }
    Ok(tags)
}

/// `charset SP`, in upper case. All text is taken for UTF-8, of which US-ASCII is a part.
pub(super) fn charset(cursor: &mut Cursor<'_>) -> Result<&'static str> {
    let charset = match cursor.astring()?.to_ascii_uppercase().as_slice() {
        b"UTF-8" => "UTF-8",
        b"US-ASCII" | b"ASCII" => "US-ASCII",
        _ => return Err(Error::BadCharset),
    };
    cursor.space()?;
    Ok(charset)
}

/// `search-key *(SP search-key)`
pub(super) fn program(cursor: &mut Cursor<'_>) -> Result<Key> {
    let mut budget = KEY_LIMIT;
    let mut keys = vec![key(cursor, 0, &mut budget)?];
    while !cursor.is_at_end() {
        cursor.space()?;
        if cursor.is_at_end() {
            break;
        }
        keys.push(key(cursor, 0, &mut budget)?);
    }
    Ok(and(keys))
}

fn return_options(cursor: &mut Cursor<'_>) -> Result<Returns> {
    let mut returns = Returns::default();
    cursor.list(16, |cursor| {
        match cursor.keyword()?.as_str() {
            "ALL" => returns.all = true,
            // A hint (RFC 5267 §4.2): what is worth to be kept is kept anyway.
            "CONTEXT" => {}
            "COUNT" => returns.count = true,
            "MAX" => returns.max = true,
            "MIN" => returns.min = true,
            "PARTIAL" => {
                cursor.space()?;
                // RFC 9394 §3.1
                if returns.partial.replace(partial_range(cursor)?).is_some() {
                    return Err(Error::Bad("PARTIAL stands only once"));
                }
            }
            "SAVE" => returns.save = true,
            "UPDATE" => returns.update = true,
            _ => return Err(Error::Bad("Unknown SEARCH return option")),
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: `RETURN ()` is `RETURN (ALL)`; CONTEXT and UPDATE ask for no result of their own.
    if (Returns { update: false, ..returns }) == Returns::default() {
        returns.all = true;
    }
    if returns.all && returns.partial.is_some() {
        return Err(Error::Bad("PARTIAL and ALL exclude each other"));
    }
    Ok(returns)
}

/// `partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number`
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Result<Partial> {
    let from_end = cursor.peek() == Some(b'-');
    let number = |cursor: &mut Cursor<'_>| {
        if from_end {
            cursor.expect(b'-', MALFORMED_RANGE)?;
        }
        let number = u32::try_from(cursor.number()?).ok().filter(|&number| number > 0);
        number.ok_or(Error::Bad(MALFORMED_RANGE))
    };
    let first = number(cursor)?;
    cursor.expect(b':', MALFORMED_RANGE)?;
    Ok(Partial { first, last: number(cursor)?, from_end })
}

const MALFORMED_RANGE: &str = "A partial range is malformed";

fn and(mut keys: Vec<Key>) -> Key {
    match keys.len() {
        1 => keys.remove(0),
        _ => Key::And(keys),
    }
}

fn key(cursor: &mut Cursor<'_>, depth: usize, budget: &mut usize) -> Result<Key> {
    if depth > DEPTH_LIMIT {
        return Err(Error::Limit("The search is nested too deeply"));
    }
    *budget = budget.checked_sub(1).ok_or(Error::Limit("The search has too many keys"))?;
    if cursor.peek() == Some(b'(') {
        let keys = cursor.list(KEY_LIMIT, |cursor| key(cursor, depth + 1, budget))?;
        if keys.is_empty() {
            return Err(Error::Bad("A search list is empty"));
        }
        return Ok(and(keys));
    }
    if cursor.peek().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'*' | b'$')) {
        return Ok(Key::Sequence(sequence_set(cursor)?));
    }
    let word = cursor.keyword()?;
    let field = |cursor: &mut Cursor<'_>, name: &str| Ok(Key::Header(name.to_owned(), argument(cursor)?));
    match word.as_str() {
        "ALL" => Ok(Key::All),
        "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => {
            Ok(Key::Flags(system_flag(&word).unwrap_or(Flags::NONE)))
        }
        "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
            Ok(not(Key::Flags(system_flag(&word[2..]).unwrap_or(Flags::NONE))))
        }
        // Nothing is ever \Recent here (see SELECT), so NEW is nothing and OLD is everything.
        "NEW" | "RECENT" => Ok(Key::Never),
        "OLD" => Ok(Key::All),
        "BCC" => field(cursor, "Bcc"),
        "CC" => field(cursor, "Cc"),
        "FROM" => field(cursor, "From"),
        "SUBJECT" => field(cursor, "Subject"),
        "TO" => field(cursor, "To"),
        "HEADER" => {
            let name = argument(cursor)?;
            Ok(Key::Header(name, argument(cursor)?))
        }
        "BODY" => Ok(Key::Body(argument(cursor)?)),
        "TEXT" => Ok(Key::Text(argument(cursor)?)),
        "KEYWORD" => Ok(Key::Keyword(flag_keyword(cursor)?)),
        "UNKEYWORD" => Ok(not(Key::Keyword(flag_keyword(cursor)?))),
        "BEFORE" => Ok(Key::Before(date_argument(cursor)?)),
        "ON" => Ok(Key::On(date_argument(cursor)?)),
        "SINCE" => Ok(Key::Since(date_argument(cursor)?)),
        "SAVEDBEFORE" => Ok(Key::SavedBefore(date_argument(cursor)?)),
        "SAVEDON" => Ok(Key::SavedOn(date_argument(cursor)?)),
        "SAVEDSINCE" => Ok(Key::SavedSince(date_argument(cursor)?)),
        // RFC 8514 §4.3: every mailbox does.
        "SAVEDATESUPPORTED" => Ok(Key::All),
        "SENTBEFORE" => Ok(Key::SentBefore(date_argument(cursor)?)),
        "SENTON" => Ok(Key::SentOn(date_argument(cursor)?)),
        "SENTSINCE" => Ok(Key::SentSince(date_argument(cursor)?)),
        "LARGER" => Ok(Key::Larger(number_argument(cursor)?)),
        "SMALLER" => Ok(Key::Smaller(number_argument(cursor)?)),
        "OLDER" => Ok(Key::Older(interval(cursor)?)),
        "YOUNGER" => Ok(Key::Younger(interval(cursor)?)),
        "MODSEQ" => modseq(cursor),
        "EMAILID" => Ok(object_id(&argument(cursor)?, 'E').map_or(Key::Never, Key::EmailId)),
        "THREADID" => Ok(object_id(&argument(cursor)?, 'T').map_or(Key::Never, Key::ThreadId)),
        "UID" => {
            cursor.space()?;
            Ok(Key::Uid(sequence_set(cursor)?))
        }
        "NOT" => {
            cursor.space()?;
            Ok(not(key(cursor, depth + 1, budget)?))
        }
        "OR" => {
            cursor.space()?;
            let first = key(cursor, depth + 1, budget)?;
            cursor.space()?;
            Ok(Key::Or(Box::new(first), Box::new(key(cursor, depth + 1, budget)?)))
        }
        _ => Err(Error::Bad("Unknown search key")),
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

/// Text to look for. Bytes that are not UTF-8 are in no charset that we take.
fn argument(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.space()?;
    String::from_utf8(cursor.astring()?.into_owned()).map_err(|_| Error::BadCharset)
}

/// `objectid` (RFC 8474 §7) as this server makes them: a letter and a number, written in one way.
fn object_id(id: &str, letter: char) -> Option<i64> {
    let digits = id.strip_prefix(letter)?;
    digits.parse().ok().filter(|number: &i64| number.to_string() == digits)
}

fn flag_keyword(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.space()?;
    Ok(String::from_utf8_lossy(cursor.atom()?).into_owned())
}

fn date_argument(cursor: &mut Cursor<'_>) -> Result<i64> {
    cursor.space()?;
    date(cursor)
}

fn number_argument(cursor: &mut Cursor<'_>) -> Result<u64> {
    cursor.space()?;
    cursor.number()
}

/// RFC 5032 §3: `nz-number` seconds.
fn interval(cursor: &mut Cursor<'_>) -> Result<u64> {
    match number_argument(cursor)? {
        0 => Err(Error::Bad("An interval must not be 0")),
        seconds => Ok(seconds),
    }
}

/// `"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 §3.1.5). We keep
/// one modseq per message, so the entry does not matter.
fn modseq(cursor: &mut Cursor<'_>) -> Result<Key> {
    cursor.space()?;
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        cursor.take_while(is_atom_char);
        cursor.space()?;
    }
    Ok(Key::Modseq(cursor.number()?))
}

//! The grammar of commands (RFC 9051 §9, RFC 3501 §9 and extensions): text → [`Command`].
//!
//! `imap-codec` decodes what it knows ([`codec`]). The commands whose grammar was extended in ways
//! it does not know, or that clients send in forms it refuses, are read here: all that name mailboxes,
//! SEARCH with RETURN, `$` and deep nesting, FETCH with
//! RFC822.PEEK, EMAILID and CHANGEDSINCE 0, STORE, COPY and MOVE with `$`, and the head of APPEND,
//! whose literals are never in memory. Tests hold both to the same meaning where both accept.

mod append;
mod codec;
pub(crate) mod command;
mod cursor;
pub(crate) mod date;
mod fetch;
mod list;
mod mailbox;
mod metadata;
mod notify;
mod search;
mod sort;
mod url;

pub(crate) use append::{Next, Piece, Segment, Within, append, append_more};
pub(crate) use cursor::is_atom_char;
pub(crate) use url::{MessageUrl, message_url};

use command::{Change, Command, FlagList, SequenceSet, Store};
use cursor::Cursor;
use hub::Flags;

use crate::names::Names;

/// Why a command was not understood. Never repeats what the client sent: before login it could be
/// a browser talking to us for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    Bad(&'static str),
    /// A charset other than UTF-8 and US-ASCII, or text that is not in it.
    BadCharset,
    /// A documented limit.
    Limit(&'static str),
    /// The mailbox name cannot exist here.
    Name,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Most elements of a list in a command.
const LIST_LIMIT: usize = 10_000;
/// Longest flag name taken; they are stored and repeated often.
const LONGEST_KEYWORD: usize = 100;

/// Splits `tag SP command` (`tag = 1*<any ASTRING-CHAR except "+">`); `None` if there is no tag.
/// A tag without a command gives an empty rest.
pub(crate) fn split_tag(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|&b| !(is_atom_char(b) || b == b']') || b == b'+').unwrap_or(text.len());
    let tag = std::str::from_utf8(&text[..end]).ok().filter(|tag| !tag.is_empty() && tag.len() <= 64)?;
    match text.get(end) {
        Some(b' ') => Some((tag, &text[end + 1..])),
        None | Some(b'\r') => Some((tag, &[])),
        _ => None,
    }
}

/// Parses a whole command, literals inline, its CRLF included; mailbox names are written as `names`.
pub(crate) fn parse(text: &[u8], names: Names) -> Result<Command> {
    let (_, arguments) = split_tag(text).ok_or(Error::Bad("A tag is missing"))?;
    let mut cursor = Cursor::with_names(arguments, names);
    let Ok(verb) = cursor.keyword() else { return Err(Error::Bad("A command is missing")) };
    let uid = verb == "UID";
    let verb = if uid {
        cursor.space()?;
        cursor.keyword()?
    } else {
        verb
    };
    let command = match (verb.as_str(), uid) {
        ("FETCH", _) => Command::Fetch(fetch::fetch(&mut cursor, uid)?),
        ("SEARCH", _) => Command::Search(search::search(&mut cursor, uid)?),
        ("SORT", _) => Command::Sort(sort::sort(&mut cursor, uid)?),
        ("THREAD", _) => Command::Thread(sort::thread(&mut cursor, uid)?),
        ("STORE", _) => Command::Store(store(&mut cursor, uid)?),
        ("COPY" | "MOVE", _) => {
            cursor.space()?;
            let set = sequence_set(&mut cursor)?;
            cursor.space()?;
            Command::Copy { set, uid, mailbox: cursor.mailbox()?, moves: verb == "MOVE" }
        }
        ("EXPUNGE", true) => {
            cursor.space()?;
            Command::Expunge { uids: Some(sequence_set(&mut cursor)?) }
        }
        (_, true) => return Err(Error::Bad("Unknown UID command")),
        ("CANCELUPDATE", _) => Command::CancelUpdate(search::cancel_update(&mut cursor)?),
        ("COMPRESS", _) => {
            cursor.space()?;
            Command::Compress { algorithm: cursor.keyword()? }
        }
        ("CREATE", _) => list::create(&mut cursor)?,
        ("DELETE", _) => mailbox::delete(&mut cursor)?,
        ("EXAMINE" | "SELECT", _) => mailbox::select(&mut cursor, verb == "EXAMINE")?,
        ("GETQUOTAROOT", _) => mailbox::get_quota_root(&mut cursor)?,
        ("GETMETADATA", _) => metadata::get(&mut cursor)?,
        ("NOTIFY", _) => notify::notify(&mut cursor)?,
        ("SETMETADATA", _) => metadata::set(&mut cursor)?,
        ("DELETEACL" | "GETACL" | "LISTRIGHTS" | "MYRIGHTS" | "SETACL", _) => {
            mailbox::acl(&mut cursor, &verb)?
        }
        ("LIST", _) => Command::List(list::list(&mut cursor)?),
        ("LSUB", _) => mailbox::lsub(&mut cursor)?,
        ("RENAME", _) => mailbox::rename(&mut cursor)?,
        ("SUBSCRIBE" | "UNSUBSCRIBE", _) => mailbox::subscribe(&mut cursor, verb == "SUBSCRIBE")?,
        ("STATUS", _) => {
            cursor.space()?;
            let mailbox = cursor.mailbox()?;
            cursor.space()?;
            Command::Status { mailbox, items: list::status_items(&mut cursor)? }
        }
        ("STARTTLS", _) => Command::StartTls,
        _ => return codec::decode(text),
    };
    cursor.end()?;
    Ok(command)
}

/// True for the commands that may carry a literal before login.
pub(crate) fn may_have_literal_before_login(text: &[u8]) -> bool {
    let Some((_, arguments)) = split_tag(text) else { return false };
    let verb = Cursor::new(arguments).keyword().unwrap_or_default();
    matches!(verb.as_str(), "AUTHENTICATE" | "ID" | "LOGIN")
}

/// `sequence-set = (seq-number / seq-range) *("," …) / "$"`
fn sequence_set(cursor: &mut Cursor<'_>) -> Result<SequenceSet> {
    if cursor.eat(b'$') {
        return Ok(SequenceSet::Saved);
    }
    let mut ranges = Vec::new();
    loop {
        let first = seq_number(cursor)?;
        let last = if cursor.eat(b':') { seq_number(cursor)? } else { first };
        ranges.push((first, last));
        if !cursor.eat(b',') {
            return Ok(SequenceSet::Ranges(ranges));
        }
    }
}

/// `seq-number = nz-number / "*"`
fn seq_number(cursor: &mut Cursor<'_>) -> Result<u32> {
    if cursor.eat(b'*') {
        return Ok(SequenceSet::LAST);
    }
    match u32::try_from(cursor.number()?) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(Error::Bad("A sequence set is malformed")),
    }
}

/// `store = "STORE" SP sequence-set [SP store-modifiers] SP store-att-flags` (RFC 4466 §2.5,
/// RFC 7162 §3.1.3).
fn store(cursor: &mut Cursor<'_>, uid: bool) -> Result<Store> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.peek() == Some(b'(') {
        cursor.list(8, |cursor| {
            if !cursor.eat_keyword("UNCHANGEDSINCE") {
                return Err(Error::Bad("Unknown STORE modifier"));
            }
            cursor.space()?;
            unchanged_since = Some(cursor.number()?);
            Ok(())
        })?;
        cursor.space()?;
    }
    let change = match cursor.peek() {
        Some(b'+') => Change::Add,
        Some(b'-') => Change::Remove,
        _ => Change::Replace,
    };
    if change != Change::Replace {
        cursor.eat(b'+');
        cursor.eat(b'-');
    }
    let silent = match cursor.keyword()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Error::Bad("STORE changes FLAGS, +FLAGS or -FLAGS")),
    };
    cursor.space()?;
    let mut flags = FlagList::default();
    if cursor.peek() == Some(b'(') {
        cursor.list(LIST_LIMIT, |cursor| flag(cursor, &mut flags))?;
    } else {
        loop {
            flag(cursor, &mut flags)?;
            cursor.spaces();
            if cursor.is_at_end() {
                break;
            }
        }
    }
    Ok(Store { set, uid, change, silent, unchanged_since, flags })
}

/// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword`. Other flags
/// with a backslash cannot be set by clients and are passed over: `\Recent` is sent by some when
/// they copy a message's flags.
fn flag(cursor: &mut Cursor<'_>, flags: &mut FlagList) -> Result<()> {
    if cursor.eat(b'\\') {
        let name = cursor.keyword()?;
        flags.system = flags.system | system_flag(&name).unwrap_or(Flags::NONE);
        return Ok(());
    }
    let name = std::str::from_utf8(cursor.atom()?).map_err(|_| Error::Bad("A flag is malformed"))?;
    if name.len() > LONGEST_KEYWORD {
        return Err(Error::Limit("A keyword has more than 100 characters"));
    }
    if !flags.keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        flags.keywords.push(name.to_owned());
    }
    Ok(())
}

fn system_flag(name: &str) -> Option<Flags> {
    Some(match name {
        "ANSWERED" => Flags::ANSWERED,
        "DELETED" => Flags::DELETED,
        "DRAFT" => Flags::DRAFT,
        "FLAGGED" => Flags::FLAGGED,
        "SEEN" => Flags::SEEN,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

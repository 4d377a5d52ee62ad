//! The head of APPEND, which ends where a message literal begins (RFC 9051 §6.3.12, RFC 3502).

use super::command::{AppendHead, FlagList};
use super::cursor::Cursor;
use super::{Error, LIST_LIMIT, Result, date, flag};
use crate::names::{MailboxName, Names};

/// How a command line that is ended by a literal's announcement looks like.
#[derive(Debug)]
pub(crate) enum AppendPart {
    /// The literal belongs to the mailbox name, or this is no APPEND at all.
    Argument,
    /// The literal is a message.
    Message(AppendHead),
}

/// Looks at `tag SP "APPEND" …` up to and including a literal's announcement.
pub(crate) fn append_head(text: &[u8], names: Names) -> Result<AppendPart> {
    let Some((_, arguments)) = super::split_tag(text) else { return Ok(AppendPart::Argument) };
    let mut cursor = Cursor::with_names(arguments, names);
    if !cursor.eat_keyword("APPEND") {
        return Ok(AppendPart::Argument);
    }
    cursor.space()?;
    if is_announcement(cursor.rest()) {
        return Ok(AppendPart::Argument);
    }
    let mailbox = Some(cursor.mailbox()?);
    options(&mut cursor, mailbox).map(AppendPart::Message)
}

/// Looks at what stands between two messages of a MULTIAPPEND. At the end of the command it is
/// empty: then `None`.
pub(crate) fn append_more(text: &[u8]) -> Result<Option<AppendHead>> {
    let mut cursor = Cursor::new(text);
    if cursor.end().is_ok() {
        return Ok(None);
    }
    options(&mut Cursor::new(text), None).map(Some)
}

/// `[SP flag-list] [SP date-time] SP literal` and nothing behind the announcement.
fn options(cursor: &mut Cursor<'_>, mailbox: Option<MailboxName>) -> Result<AppendHead> {
    cursor.space()?;
    let mut flags = FlagList::default();
    if cursor.peek() == Some(b'(') {
        cursor.list(LIST_LIMIT, |cursor| flag(cursor, &mut flags))?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(date::date_time(&cursor.string()?)?);
        cursor.space()?;
    }
    if !is_announcement(cursor.rest()) {
        return Err(Error::Bad("APPEND takes flags, a date and a literal"));
    }
    Ok(AppendHead { mailbox, flags, date })
}

/// `["~"] "{" number64 ["+"] "}" CRLF` and no literal behind it.
fn is_announcement(rest: &[u8]) -> bool {
    let rest = rest.strip_prefix(b"~").unwrap_or(rest);
    let inside = rest.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}\r\n"));
    let digits = inside.map(|inside| inside.strip_suffix(b"+").unwrap_or(inside));
    digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

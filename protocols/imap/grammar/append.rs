//! APPEND and REPLACE, whose literals are streamed: what stands between them (RFC 9051 §6.3.12,
//! RFC 3502, CATENATE of RFC 4469, UTF8 of RFC 6855 §4, RFC 8508).
//!
//! The text between two literals is a [`Segment`]. What it means depends on where the literal before
//! it stood ([`Within`]).

use super::command::{AppendHead, FlagList, Replaces, SequenceSet, Target};
use super::cursor::Cursor;
use super::{Error, LIST_LIMIT, Result, date, flag};
use crate::names::Names;

/// Most pieces of one segment: at each URL that is a literal the segment is read from its beginning.
const PIECE_LIMIT: usize = 2000;

/// What the command says up to its next literal, or its end.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) next: Next,
}

#[derive(Debug)]
pub(crate) enum Piece {
    /// A message begins.
    Message(AppendHead),
    /// CATENATE's URL: bytes of the account's own messages.
    Url(Vec<u8>),
}

#[derive(Debug)]
pub(crate) enum Next {
    /// The literal belongs to an argument: with it the segment can be read again.
    Argument,
    /// The literal is content of the message.
    Content(Within),
    /// The command is complete.
    End,
}

/// Where a literal with content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Catenate,
    /// `UTF8 (~{42}`
    CatenateUtf8,
    Messages,
    MessagesUtf8,
}

/// Looks at the beginning of a command. `None` if it is neither APPEND nor REPLACE.
///
/// `append = "APPEND" SP mailbox 1*append-message`,
/// `replace = "REPLACE" SP seq-number SP mailbox append-message`
pub(crate) fn append(text: &[u8], names: Names) -> Result<Option<Segment>> {
    let Some((_, arguments)) = super::split_tag(text) else { return Ok(None) };
    let mut cursor = Cursor::with_names(arguments, names);
    let uid = cursor.eat_keyword("UID");
    if uid {
        cursor.spaces();
    }
    let mut replaces = None;
    if cursor.eat_keyword("REPLACE") {
        cursor.space()?;
        let number = super::seq_number(&mut cursor)?;
        replaces = Some(Replaces { message: SequenceSet::Ranges(vec![(number, number)]), uid });
    } else if uid || !cursor.eat_keyword("APPEND") {
        return Ok(None);
    }
    cursor.space()?;
    if is_announcement(cursor.rest()) {
        return Ok(Some(Segment { pieces: Vec::new(), next: Next::Argument }));
    }
    let target = Target { mailbox: cursor.mailbox()?, replaces };
    segment(&mut cursor, At::Message(Some(target))).map(Some)
}

/// Looks at what follows a literal with content.
pub(crate) fn append_more(text: &[u8], within: Within) -> Result<Segment> {
    let mut cursor = Cursor::new(text);
    if matches!(within, Within::CatenateUtf8 | Within::MessagesUtf8) {
        cursor.expect(b')', "UTF8 takes one literal in parentheses")?;
    }
    let at = match within {
        Within::Catenate | Within::CatenateUtf8 => At::PartEnd,
        Within::Messages | Within::MessagesUtf8 => At::MessageEnd,
    };
    segment(&mut cursor, at)
}

/// What comes next.
enum At {
    /// `append-message = [SP flag-list] [SP date-time] SP append-data`
    Message(Option<Target>),
    /// `cat-part = "TEXT" SP literal / "URL" SP astring / utf8-literal`
    Part,
    /// `*(SP cat-part) ")"`
    PartEnd,
    /// `*append-message CRLF`
    MessageEnd,
}

/// A loop, because a client may send thousands of messages made of URLs on one line.
fn segment(cursor: &mut Cursor<'_>, mut at: At) -> Result<Segment> {
    let mut pieces = Vec::new();
    let next = loop {
        if pieces.len() > PIECE_LIMIT {
            return Err(Error::Limit("CATENATE has too many parts between two texts"));
        }
        at = match at {
            At::Message(target) => {
                let head = head(cursor, target)?;
                let catenate = head.catenate;
                pieces.push(Piece::Message(head));
                if !catenate {
                    break content(cursor, Within::Messages, Within::MessagesUtf8)?;
                }
                cursor.expect(b'(', "CATENATE takes parts in parentheses")?;
                At::Part
            }
            At::Part if cursor.eat_keyword("URL") => {
                cursor.space()?;
                if is_announcement(cursor.rest()) {
                    break Next::Argument;
                }
                pieces.push(Piece::Url(cursor.astring()?.into_owned()));
                At::PartEnd
            }
            At::Part => {
                if cursor.eat_keyword("TEXT") {
                    cursor.space()?;
                }
                break content(cursor, Within::Catenate, Within::CatenateUtf8)?;
            }
            At::PartEnd if cursor.eat(b')') => At::MessageEnd,
            At::PartEnd => {
                cursor.space()?;
                At::Part
            }
            At::MessageEnd if cursor.clone().end().is_ok() => break Next::End,
            At::MessageEnd => At::Message(None),
        };
    };
    Ok(Segment { pieces, next })
}

/// `[SP flag-list] [SP date-time] SP ["CATENATE" SP]`
fn head(cursor: &mut Cursor<'_>, target: Option<Target>) -> Result<AppendHead> {
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
    let catenate = cursor.eat_keyword("CATENATE");
    if catenate {
        cursor.space()?;
    }
    Ok(AppendHead { target, flags, date, catenate })
}

/// `literal / literal8 / utf8-literal`, `utf8-literal = "UTF8" SP "(" literal8 ")"`
fn content(cursor: &mut Cursor<'_>, plain: Within, utf8: Within) -> Result<Next> {
    let mut within = plain;
    if cursor.eat_keyword("UTF8") {
        cursor.space()?;
        cursor.expect(b'(', "UTF8 takes one literal in parentheses")?;
        within = utf8;
    }
    match is_announcement(cursor.rest()) {
        true => Ok(Next::Content(within)),
        false => Err(Error::Bad("APPEND takes flags, a date and a literal")),
    }
}

/// `["~"] "{" number64 ["+"] "}" CRLF` and no literal behind it.
fn is_announcement(rest: &[u8]) -> bool {
    let rest = rest.strip_prefix(b"~").unwrap_or(rest);
    let inside = rest.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}\r\n"));
    let digits = inside.map(|inside| inside.strip_suffix(b"+").unwrap_or(inside));
    digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

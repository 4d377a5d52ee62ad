//! LIST with its extensions (RFC 5258 §6, RFC 5819, RFC 6154 §6, RFC 8440, RFC 9590), STATUS items, CREATE … USE.

use super::command::{Command, List, StatusItem};
use super::cursor::Cursor;
use super::{Error, Result, metadata};

/// Most patterns of one LIST.
const PATTERN_LIMIT: usize = 20;

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<List> {
    let mut list = List::default();
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        cursor.list(16, |cursor| {
            match cursor.keyword()?.as_str() {
                "RECURSIVEMATCH" => list.recursive_match = true,
                "REMOTE" => {} // there are none
                "SPECIAL-USE" => list.select_special_use = true,
                "SUBSCRIBED" => list.select_subscribed = true,
                _ => return Err(Error::Bad("Unknown LIST selection option")),
            }
            Ok(())
        })?;
        // RFC 5258 §3: RECURSIVEMATCH cannot be the only one.
        if list.recursive_match && !list.select_subscribed && !list.select_special_use {
            return Err(Error::Bad("RECURSIVEMATCH needs another selection option"));
        }
        cursor.space()?;
    }
    list.reference = cursor.reference()?;
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = cursor.list(PATTERN_LIMIT, Cursor::pattern)?;
    } else {
        list.patterns.push(cursor.pattern()?);
    }
    cursor.spaces();
    if !cursor.is_at_end() {
        if !cursor.eat_keyword("RETURN") {
            return Err(Error::Bad("Unknown LIST option"));
        }
        list.extended = true;
        cursor.space()?;
        cursor.list(16, |cursor| {
            match cursor.keyword()?.as_str() {
                "CHILDREN" => list.return_children = true,
                "METADATA" => {
                    cursor.space()?;
                    list.metadata = Some(metadata::entries(cursor)?);
                }
                "MYRIGHTS" => list.my_rights = true,
                "SPECIAL-USE" => {} // always returned
                "STATUS" => {
                    cursor.space()?;
                    list.status = Some(status_items(cursor)?);
                }
                "SUBSCRIBED" => list.return_subscribed = true,
                _ => return Err(Error::Bad("Unknown LIST return option")),
            }
            Ok(())
        })?;
    }
    Ok(list)
}

/// `"(" status-att *(SP status-att) ")"`
pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>> {
    cursor.list(32, |cursor| {
        Ok(match cursor.keyword()?.as_str() {
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "DELETED" => StatusItem::Deleted,
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            "HIGHESTMODSEQ" => StatusItem::HighestModseq,
            "MAILBOXID" => StatusItem::MailboxId,
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "SIZE" => StatusItem::Size,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            _ => return Err(Error::Bad("Unknown STATUS item")),
        })
    })
}

/// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    let mut uses = Vec::new();
    cursor.spaces();
    if cursor.peek() == Some(b'(') {
        cursor.list(4, |cursor| {
            if !cursor.eat_keyword("USE") {
                return Err(Error::Bad("Unknown CREATE parameter"));
            }
            cursor.space()?;
            uses = cursor.list(16, |cursor| {
                cursor.expect(b'\\', "A use attribute is malformed")?;
                cursor.keyword()
            })?;
            Ok(())
        })?;
    }
    Ok(Command::Create { mailbox, uses })
}

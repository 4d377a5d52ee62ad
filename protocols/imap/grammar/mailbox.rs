//! Commands about one mailbox: SELECT and EXAMINE with their parameters, DELETE, RENAME, SUBSCRIBE,
//! LSUB, GETQUOTAROOT, and those of RFC 4314. `imap-codec` refuses names in UTF-8, which RFC 9051 §5.1 and RFC 6855 §3 allow.

use super::command::{Command, Resync, Select};
use super::cursor::Cursor;
use super::{Error, Result, sequence_set};

/// `select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]` (RFC 4466 §2.4);
/// `select-param = "CONDSTORE" / "QRESYNC" SP "(" … ")"` (RFC 7162 §7).
pub(super) fn select(cursor: &mut Cursor<'_>, read_only: bool) -> Result<Command> {
    cursor.space()?;
    let mut select = Select { mailbox: cursor.mailbox()?, read_only, condstore: false, qresync: None };
    cursor.spaces();
    if cursor.peek() == Some(b'(') {
        cursor.list(8, |cursor| {
            match cursor.keyword()?.as_str() {
                "CONDSTORE" => select.condstore = true,
                "QRESYNC" => {
                    cursor.space()?;
                    select.qresync = Some(resync(cursor)?);
                }
                _ => return Err(Error::Bad("Unknown SELECT parameter")),
            }
            Ok(())
        })?;
    }
    Ok(Command::Select(select))
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"` (RFC 7162 §3.2.5).
fn resync(cursor: &mut Cursor<'_>) -> Result<Resync> {
    let malformed = Error::Bad("QRESYNC takes UIDVALIDITY, a modseq and UIDs");
    cursor.expect(b'(', "QRESYNC takes a list")?;
    let uid_validity = u32::try_from(cursor.number()?).map_err(|_| malformed)?;
    cursor.space()?;
    let mut resync = Resync { uid_validity, modseq: cursor.number()?, known: None };
    cursor.spaces();
    if !matches!(cursor.peek(), Some(b'(' | b')')) {
        resync.known = Some(sequence_set(cursor)?);
        cursor.spaces();
    }
    if cursor.eat(b'(') {
        // seq-match-data = "(" known-sequence-set SP known-uid-set ")"
        sequence_set(cursor)?;
        cursor.space()?;
        sequence_set(cursor)?;
        cursor.expect(b')', "The sequence match data are malformed")?;
    }
    cursor.expect(b')', "A parenthesis is missing")?;
    Ok(resync)
}

/// `delete = "DELETE" SP mailbox`
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    Ok(Command::Delete { mailbox: cursor.mailbox()? })
}

/// `rename = "RENAME" SP mailbox SP mailbox`
pub(super) fn rename(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    let from = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Rename { from, to: cursor.mailbox()? })
}

/// `subscribe = "SUBSCRIBE" SP mailbox`
pub(super) fn subscribe(cursor: &mut Cursor<'_>, subscribed: bool) -> Result<Command> {
    cursor.space()?;
    Ok(Command::Subscribe { mailbox: cursor.mailbox()?, subscribed })
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    let reference = cursor.reference()?;
    cursor.space()?;
    Ok(Command::Lsub { reference, pattern: cursor.pattern()? })
}

/// `getquotaroot = "GETQUOTAROOT" SP mailbox` (RFC 9208 §7)
pub(super) fn get_quota_root(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    Ok(Command::GetQuotaRoot { mailbox: cursor.mailbox()? })
}

/// `"MYRIGHTS" SP mailbox`, `"GETACL" SP mailbox`, `"LISTRIGHTS" SP mailbox SP identifier`; SETACL and
/// DELETEACL are refused whatever follows the mailbox (RFC 4314 §7).
pub(super) fn acl(cursor: &mut Cursor<'_>, verb: &str) -> Result<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    Ok(match verb {
        "GETACL" => Command::GetAcl { mailbox },
        "MYRIGHTS" => Command::MyRights { mailbox },
        _ => {
            cursor.space()?;
            let identifier = String::from_utf8_lossy(&cursor.astring()?).into_owned();
            if verb == "LISTRIGHTS" {
                return Ok(Command::ListRights { mailbox, identifier });
            }
            if verb == "SETACL" {
                cursor.space()?;
                cursor.astring()?;
            }
            Command::ChangeAcl
        }
    })
}

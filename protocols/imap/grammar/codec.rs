//! What `imap-codec` decodes, turned into our [`Command`]. The only file that knows its types, so
//! that a new release is met here alone.

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_types::command::{CommandBody, SelectParameter};
use imap_types::core::AString;
use imap_types::mailbox::{ListMailbox, Mailbox};
use imap_types::sequence::{SeqOrUid, Sequence, SequenceSet as CodecSet};

use super::command::{Command, Hidden, Resync, Select, SequenceSet};
use super::{Error, Result};
use crate::names::{MailboxName, decode as decode_name};
use hub::Secret;

pub(super) fn decode(text: &[u8]) -> Result<Command> {
    const MALFORMED: Error = Error::Bad("Unknown command or malformed arguments");
    let command = match CommandCodec::default().decode(text) {
        Ok((b"", command)) => command,
        // Trailing spaces are tolerated; inside a literal there are none to cut.
        _ if text.ends_with(b" \r\n") => {
            let kept = text.trim_ascii_end();
            return decode(&[kept, b"\r\n".as_slice()].concat());
        }
        _ => return Err(MALFORMED),
    };
    Ok(match command.body {
        CommandBody::Authenticate { mechanism, initial_response } => Command::Authenticate {
            mechanism: mechanism.to_string(),
            initial: initial_response.map(|response| Hidden(response.declassify().to_vec())),
        },
        CommandBody::Capability => Command::Capability,
        CommandBody::Check => Command::Check,
        CommandBody::Close => Command::Close,
        CommandBody::Delete { mailbox } => Command::Delete { mailbox: name(&mailbox)? },
        CommandBody::Enable { capabilities } => Command::Enable(
            capabilities.as_ref().iter().map(|name| name.to_string().to_uppercase()).collect(),
        ),
        CommandBody::Examine { mailbox, parameters } => select(&mailbox, true, parameters)?,
        CommandBody::Expunge => Command::Expunge { uids: None },
        CommandBody::GetQuota { root } => Command::GetQuota { root: root.as_ref().to_vec() },
        CommandBody::GetQuotaRoot { mailbox } => Command::GetQuotaRoot { mailbox: name(&mailbox)? },
        CommandBody::Id { parameters } => Command::Id(
            parameters
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| {
                    let value =
                        value.0.as_ref().map(|value| String::from_utf8_lossy(value.as_ref()).into_owned());
                    (String::from_utf8_lossy(key.as_ref()).into_owned(), value.unwrap_or_default())
                })
                .collect(),
        ),
        CommandBody::Idle => Command::Idle,
        CommandBody::Login { username, password } => {
            Command::Login { name: utf8(&username)?, password: Secret::new(utf8(password.declassify())?) }
        }
        CommandBody::Logout => Command::Logout,
        CommandBody::Lsub { reference, mailbox_wildcard } => Command::Lsub {
            reference: pattern(mailbox_bytes(&reference))?,
            pattern: match &mailbox_wildcard {
                ListMailbox::Token(token) => pattern(token.as_ref())?,
                ListMailbox::String(string) => pattern(string.as_ref())?,
            },
        },
        CommandBody::Namespace => Command::Namespace,
        CommandBody::Noop => Command::Noop,
        CommandBody::Rename { from, to } => Command::Rename { from: name(&from)?, to: name(&to)? },
        CommandBody::Select { mailbox, parameters } => select(&mailbox, false, parameters)?,
        CommandBody::SetQuota { .. } => Command::SetQuota,
        CommandBody::Subscribe { mailbox } => {
            Command::Subscribe { mailbox: name(&mailbox)?, subscribed: true }
        }
        CommandBody::Unselect => Command::Unselect,
        CommandBody::Unsubscribe { mailbox } => {
            Command::Subscribe { mailbox: name(&mailbox)?, subscribed: false }
        }
        // Read by our own grammar, or an extension that we do not offer.
        _ => return Err(MALFORMED),
    })
}

fn select(mailbox: &Mailbox<'_>, read_only: bool, parameters: Vec<SelectParameter>) -> Result<Command> {
    let mut select = Select { mailbox: name(mailbox)?, read_only, condstore: false, qresync: None };
    for parameter in parameters {
        match parameter {
            SelectParameter::CondStore => select.condstore = true,
            SelectParameter::QResync { uid_validity, mod_sequence_value, known_uids, .. } => {
                select.qresync = Some(Resync {
                    uid_validity: uid_validity.get(),
                    modseq: mod_sequence_value.get(),
                    known: known_uids.map(|known| set(&known)),
                });
            }
        }
    }
    Ok(Command::Select(select))
}

pub(super) fn set(set: &CodecSet) -> SequenceSet {
    let number = |number: &SeqOrUid| match number {
        SeqOrUid::Value(value) => value.get(),
        SeqOrUid::Asterisk => SequenceSet::LAST,
    };
    let ranges = set.0.as_ref().iter().map(|sequence| match sequence {
        Sequence::Single(one) => (number(one), number(one)),
        Sequence::Range(first, last) => (number(first), number(last)),
    });
    SequenceSet::Ranges(ranges.collect())
}

fn mailbox_bytes<'a>(mailbox: &'a Mailbox<'a>) -> &'a [u8] {
    match mailbox {
        Mailbox::Inbox => b"INBOX",
        Mailbox::Other(other) => other.inner().as_ref(),
    }
}

pub(super) fn name(mailbox: &Mailbox<'_>) -> Result<MailboxName> {
    MailboxName::parse(mailbox_bytes(mailbox)).ok_or(Error::Name)
}

fn pattern(bytes: &[u8]) -> Result<String> {
    decode_name(bytes).filter(|name| name.len() <= 1000).ok_or(Error::Name)
}

fn utf8(text: &AString<'_>) -> Result<String> {
    String::from_utf8(text.as_ref().to_vec()).map_err(|_| Error::Bad("The text is not UTF-8"))
}

//! What `imap-codec` decodes, turned into our [`Command`]. The only file that knows its types, so
//! that a new release is met here alone.

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_types::command::CommandBody;
use imap_types::core::AString;

use super::command::{Command, Hidden};
use super::{Error, Result};
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
        CommandBody::Enable { capabilities } => Command::Enable(
            capabilities.as_ref().iter().map(|name| name.to_string().to_uppercase()).collect(),
        ),
        CommandBody::Expunge => Command::Expunge { uids: None },
        CommandBody::GetQuota { root } => Command::GetQuota { root: root.as_ref().to_vec() },
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
        CommandBody::Namespace => Command::Namespace,
        CommandBody::Noop => Command::Noop,
        CommandBody::SetQuota { .. } => Command::SetQuota,
        CommandBody::Unselect => Command::Unselect,
        // Read by our own grammar, or an extension that we do not offer.
        _ => return Err(MALFORMED),
    })
}

fn utf8(text: &AString<'_>) -> Result<String> {
    String::from_utf8(text.as_ref().to_vec()).map_err(|_| Error::Bad("The text is not UTF-8"))
}

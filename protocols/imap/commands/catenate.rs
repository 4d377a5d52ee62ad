//! URLs of CATENATE (RFC 4469): bytes of the account's own messages, found and copied.

use std::ops::Range;
use std::sync::Arc;

use hub::{Account, EmailId, Message, Snapshot, Spool};
use hub_mime::{Part, SummaryView, header_fields};

use super::Failure;
use crate::body::{Layout, Source, cut, fields_within, locate};
use crate::content::PIECE;
use crate::conversation::Conversation;
use crate::grammar::command::Portion;
use crate::grammar::{MessageUrl, message_url};
use crate::names::MailboxName;
use crate::status::Reply;

/// Bytes that a URL names.
pub(super) enum Found {
    /// Chosen header fields.
    Fields(Vec<u8>),
    Range(Box<Message>, Range<u64>),
}

/// What the last URL led to: those of one command mostly name parts of one message, which is then
/// looked up once.
#[derive(Default)]
pub(super) struct Sources {
    mailbox: Option<(Option<MailboxName>, Arc<Snapshot>)>,
    message: Option<(EmailId, Message)>,
}

/// Finds what a URL names, in the selected mailbox if it names none. Sets no `\Seen` (RFC 4469 §3).
pub(super) async fn find(c: &mut Conversation, sources: &mut Sources, url: &[u8]) -> Result<Found, Failure> {
    let bad = || Failure::from(bad_url(url));
    let named = message_url(url).ok_or_else(bad)?;
    let snapshot = mailbox(c, sources, &named).await?.ok_or_else(bad)?;
    if named.uid_validity.is_some_and(|validity| validity != snapshot.uid_validity) {
        return Err(bad());
    }
    let record = snapshot.get(snapshot.lower_bound(named.uid)).filter(|record| record.uid == named.uid);
    let email = record.ok_or_else(bad)?.email;
    let account = c.session.user()?.account.clone();
    let message = match &sources.message {
        Some((known, message)) if *known == email => message.clone(),
        _ => {
            let message = account.messages().fetch(&[email]).await?.pop().flatten().ok_or_else(bad)?;
            sources.message = Some((email, message.clone()));
            message
        }
    };
    section(&account, message, &named).await?.ok_or_else(bad)
}

/// The mailbox of the URL, if it is there.
async fn mailbox(
    c: &mut Conversation,
    sources: &mut Sources,
    url: &MessageUrl,
) -> Result<Option<Arc<Snapshot>>, Failure> {
    if let Some((name, snapshot)) = &sources.mailbox
        && *name == url.mailbox
    {
        return Ok(Some(Arc::clone(snapshot)));
    }
    let id = match &url.mailbox {
        None => match c.session.selected() {
            Ok((_, selected)) => selected.mailbox,
            Err(_) => return Ok(None),
        },
        Some(name) => match c.session.user()?.account.messages().mailbox(name.as_str()).await {
            Ok(info) if info.selectable => info.id,
            Ok(_) | Err(hub::Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    let snapshot = c.session.user()?.account.messages().open(id).await?.snapshot();
    sources.mailbox = Some((url.mailbox.clone(), Arc::clone(&snapshot)));
    Ok(Some(snapshot))
}

/// The bytes of it; `None` if there is no such section.
async fn section(account: &Account, message: Message, url: &MessageUrl) -> Result<Option<Found>, Failure> {
    let Some(summary) = SummaryView::new(&message.summary) else { return Ok(None) };
    let parts: Vec<Part> = summary.parts().collect();
    let layout = Layout {
        prefix: message.prefix.len() as u64,
        header: summary.header_length(),
        size: message.size(),
        parts: &parts,
        // A rare command; one way is enough.
        listed: None,
    };
    match (locate(&url.section, &layout), &url.section.portion) {
        (Source::Bytes(range), _) => {
            let range = cut(range, url.section.partial);
            Ok(Some(Found::Range(Box::new(message), range)))
        }
        (Source::Fields(range), Portion::Fields { names, not }) => {
            let opened = account.messages().open_message(&message).await?;
            let block = opened.read(fields_within(range)).await?;
            let fields = header_fields(&block, names, *not);
            let kept = cut(0..fields.len() as u64, url.section.partial);
            Ok(Some(Found::Fields(fields[kept.start as usize..kept.end as usize].to_vec())))
        }
        _ => Ok(None),
    }
}

impl Found {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Fields(bytes) => bytes.len() as u64,
            Self::Range(_, range) => range.end - range.start,
        }
    }

    /// Copies exactly [`Found::size`] bytes to the end of `spool`.
    pub(super) async fn copy(self, account: &Account, spool: &mut Spool) -> Result<(), Failure> {
        match self {
            Self::Fields(bytes) => spool.write(&bytes).await.map_err(hub::Error::from)?,
            Self::Range(message, range) => {
                let opened = account.messages().open_message(&message).await?;
                let mut at = range.start;
                while at < range.end {
                    let bytes = opened.read(at..range.end.min(at + PIECE)).await?;
                    if bytes.is_empty() {
                        return Err(Reply::no("UNAVAILABLE", "A message could not be read").into());
                    }
                    spool.write(&bytes).await.map_err(hub::Error::from)?;
                    at += bytes.len() as u64;
                }
            }
        }
        Ok(())
    }
}

/// A longer URL is not said again: a line has its limits too.
const LONGEST_URL: usize = 1000;

/// `"BADURL" SP url-resp-text`; the URL only if it fits there.
fn bad_url(url: &[u8]) -> Reply {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b']' | b'\\');
    let shown = if (1..=LONGEST_URL).contains(&url.len()) && url.iter().all(fits) {
        String::from_utf8_lossy(url)
    } else {
        "?".into()
    };
    Reply::no("BADURL", "The URL names nothing that is here").with_code(format!("BADURL {shown}"))
}

//! APPEND, MULTIAPPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 8508; APPENDUID of
//! RFC 4315 §3).
//!
//! A message goes to the spool piece by piece. Whether a literal may come at all (mailbox, size, quota)
//! is said before the `+`; of a client that does not wait, the bytes are skipped and counted.
//!
//! RFC 6855 §4 wants 8-bit header fields refused unless they come as UTF8. They are taken all the
//! same, as they are from SMTP: mbsync or an import could never finish with a mailbox that has one.

use std::time::{SystemTime, UNIX_EPOCH};

use hub::{Appended, Flags, IdSet, MailboxId, NewMessage, Spool, Uid};
use tracing::info;

use super::flags::bits;
use super::listing::say_normalised;
use super::{Failure, Outcome, catenate, target};
use crate::conversation::Conversation;
use crate::encode;
use crate::framing::Announcement;
use crate::grammar::Piece;
use crate::grammar::command::{AppendHead, Replaces, Target};
use crate::input::Step;
use crate::link::Stop;
use crate::status::Reply;

/// Messages of one MULTIAPPEND: all of them wait for the last, the small ones in memory.
const MOST_MESSAGES: usize = 1000;

/// What has arrived of the command.
#[derive(Default)]
struct Arrived {
    place: Option<Place>,
    messages: Vec<NewMessage>,
    /// The message that is being put together.
    draft: Option<Draft>,
    /// Of all messages.
    bytes: u64,
    sources: catenate::Sources,
}

/// Where the messages go.
struct Place {
    mailbox: MailboxId,
    /// REPLACE: what goes away, and its size.
    replaces: Option<(MailboxId, Uid)>,
    freed: u64,
}

struct Draft {
    spool: Spool,
    size: u64,
    flags: Flags,
    received_at: i64,
    catenate: bool,
}

/// State: Authenticated, Selected; REPLACE: Selected (RFC 8508 §3.5). `pieces` and `literal` are
/// the first segment of the command.
pub(crate) async fn append(
    c: &mut Conversation,
    mut pieces: Vec<Piece>,
    mut literal: Option<Announcement>,
) -> Outcome {
    let mut arrived = Arrived::default();
    loop {
        let prepared = prepare(c, &mut arrived, pieces, literal).await;
        let Some(announced) = literal else {
            prepared?;
            return keep(c, arrived).await;
        };
        match prepared {
            Ok(()) => content(c, &mut arrived, announced).await?,
            Err(Failure::Refuse(reply)) => return Err(refuse(c, announced, reply).await),
            Err(failure) => return Err(failure),
        }
        (pieces, literal) = loop {
            match c.link.step().await? {
                Step::Append { pieces, literal, .. } => break (pieces, literal),
                // A URL as a literal.
                Step::Continue => c.link.say("+ OK"),
                Step::Refuse { refusal, .. } => return Err(Reply::from(refusal).into()),
                Step::Close(why) => return Err(Stop::Bye(why).into()),
                // Nothing else comes between two literals.
                _ => return Err(Reply::bad("APPEND takes a literal").into()),
            }
        };
    }
}

/// Takes what stands before a literal, and says whether that may come.
async fn prepare(
    c: &mut Conversation,
    arrived: &mut Arrived,
    pieces: Vec<Piece>,
    literal: Option<Announcement>,
) -> Result<(), Failure> {
    for piece in pieces {
        match piece {
            Piece::Message(head) => {
                finish(c, arrived).await?;
                begin(c, arrived, head).await?;
            }
            Piece::Url(url) => {
                let section = catenate::find(c, &mut arrived.sources, &url).await?;
                allow(c, arrived, section.size()).await?;
                let account = c.session.user()?.account.clone();
                if let Some(draft) = &mut arrived.draft {
                    section.copy(&account, &mut draft.spool).await?;
                }
            }
        }
    }
    let Some(announced) = literal else { return Ok(()) };
    if announced.size == 0 && arrived.draft.as_ref().is_some_and(|draft| !draft.catenate) {
        // RFC 3502 §3: so a client gives up.
        return Err(Reply::no("CANNOT", "The message is empty").into());
    }
    allow(c, arrived, announced.size).await
}

/// A message begins.
async fn begin(c: &mut Conversation, arrived: &mut Arrived, head: AppendHead) -> Result<(), Failure> {
    if let Some(Target { mailbox, replaces }) = &head.target {
        let (replaces, freed) = match replaces {
            Some(replaces) => replaced(c, replaces)?,
            None => (None, 0),
        };
        let info = target(&c.session.user()?.account, mailbox).await?;
        arrived.place = Some(Place { mailbox: info.id, replaces, freed });
        say_normalised(c, mailbox, &info.path).await?;
    } else if arrived.place.as_ref().is_some_and(|place| place.replaces.is_some()) {
        return Err(Reply::bad("REPLACE takes one message").into());
    }
    if arrived.messages.len() == MOST_MESSAGES {
        return Err(Reply::no("LIMIT", "There are too many messages in one command").into());
    }
    let flags = bits(c.session.user()?, &head.flags, true).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    arrived.draft = Some(Draft {
        spool: c.service.hub.spool(),
        size: 0,
        flags,
        received_at: head.date.unwrap_or(now),
        catenate: head.catenate,
    });
    Ok(())
}

/// The message that REPLACE takes away, and its size.
fn replaced(c: &mut Conversation, replaces: &Replaces) -> Result<(Option<(MailboxId, Uid)>, u64), Failure> {
    let (_, selected) = c.session.selected()?;
    if selected.read_only {
        return Err(Reply::no("READ-ONLY", "The mailbox was opened with EXAMINE").into());
    }
    let ranges = selected.view.resolve(&replaces.message, replaces.uid, &selected.saved)?;
    let record = ranges.first().and_then(|&(index, _)| selected.view.get(index));
    let record = record.ok_or_else(|| Reply::no("NONEXISTENT", "There is no message to replace"))?;
    Ok((Some((selected.mailbox, record.uid)), record.size.into()))
}

/// Counts bytes that are to come, if there is room for them.
async fn allow(c: &mut Conversation, arrived: &mut Arrived, size: u64) -> Result<(), Failure> {
    let limit = c.service.settings.message_size;
    let Some(draft) = &mut arrived.draft else { return Err(Reply::bad("A message is missing").into()) };
    draft.size = draft.size.saturating_add(size);
    if draft.size > limit {
        return Err(hub::Error::TooLarge { limit }.into());
    }
    arrived.bytes = arrived.bytes.saturating_add(size);
    let freed = arrived.place.as_ref().map_or(0, |place| place.freed);
    let account = c.session.user()?.account.id();
    // Asked of the hub, not of the account: without a quota no row need be read.
    c.service.hub.room_for(&[account], arrived.bytes.saturating_sub(freed)).await?;
    Ok(())
}

/// Takes a literal.
async fn content(
    c: &mut Conversation,
    arrived: &mut Arrived,
    announced: Announcement,
) -> Result<(), Failure> {
    let Some(draft) = &mut arrived.draft else { return Err(Reply::bad("A message is missing").into()) };
    c.link.input.accept_literal();
    if announced.waits {
        c.link.say("+ OK");
    }
    let mut broken = None;
    loop {
        match c.link.step().await? {
            Step::Chunk(bytes) if broken.is_none() => {
                // A full disk is no reason to lose step: the rest is read and dropped.
                broken = Spool::write(&mut draft.spool, &bytes).await.err();
            }
            Step::Chunk(_) => {}
            Step::LiteralEnd => break,
            Step::Close(why) => return Err(Stop::Bye(why).into()),
            _ => return Err(Reply::bad("A message was expected").into()),
        }
    }
    match broken {
        Some(error) => Err(skip(c, hub::Error::from(error).into()).await),
        None => Ok(()),
    }
}

/// The message is complete.
async fn finish(c: &mut Conversation, arrived: &mut Arrived) -> Result<(), Failure> {
    let Some(draft) = arrived.draft.take() else { return Ok(()) };
    if draft.size == 0 {
        return Err(Reply::no("CANNOT", "The message is empty").into());
    }
    let incoming = c.service.hub.examine(draft.spool).await?;
    let (flags, received_at) = (draft.flags, draft.received_at);
    arrived.messages.push(NewMessage { incoming, flags, received_at });
    Ok(())
}

/// Refuses the announced literal; of a client that does not wait, the rest is skipped first.
async fn refuse(c: &mut Conversation, announced: Announcement, reply: Reply) -> Failure {
    if c.link.input.refuse_literal(announced) {
        return reply.into();
    }
    skip(c, reply).await
}

/// Reads the command to its end, to fail with `reply`.
async fn skip(c: &mut Conversation, reply: Reply) -> Failure {
    loop {
        match c.link.step().await {
            Ok(Step::Append { literal: None, .. } | Step::Refuse { .. } | Step::Skipped) => {
                return reply.into();
            }
            Ok(Step::Append { literal: Some(announced), .. }) if c.link.input.refuse_literal(announced) => {
                return reply.into();
            }
            // A URL that nobody will look at; the client waits all the same.
            Ok(Step::Continue) => c.link.say("+ OK"),
            Ok(Step::Close(why)) => return Stop::Bye(why).into(),
            Ok(_) => {}
            Err(stop) => return stop.into(),
        }
    }
}

/// All messages have arrived: one commit.
async fn keep(c: &mut Conversation, mut arrived: Arrived) -> Outcome {
    finish(c, &mut arrived).await?;
    let Arrived { place, mut messages, bytes, .. } = arrived;
    let Some(Place { mailbox, replaces, .. }) = place.filter(|_| !messages.is_empty()) else {
        return Err(Reply::bad("APPEND takes a message").into());
    };
    let (conn, count) = (c.connection(), messages.len());
    let user = c.session.user()?;
    let kept = match (replaces, messages.pop()) {
        (Some(old), Some(message)) => user.account.messages().replace(old, mailbox, message).await,
        (_, last) => {
            messages.extend(last);
            user.account.messages().append(mailbox, messages).await
        }
    };
    let Appended { uid_validity, uids } = match kept {
        Ok(appended) => appended,
        Err(hub::Error::NotFound("mailbox")) => {
            return Err(Reply::no("TRYCREATE", "There is no such mailbox").into());
        }
        Err(error) => return Err(error.into()),
    };
    let replaced = replaces.is_some();
    info!(conn, twin = %user.account.handle(), mailbox = %mailbox, count, bytes, replaced, "messages appended");
    let mut code = format!("APPENDUID {uid_validity} ").into_bytes();
    let uids: IdSet = uids.into_iter().map(u64::from).collect();
    encode::set(&mut code, &uids);
    let code = String::from_utf8_lossy(&code).into_owned();
    if replaced {
        // RFC 8508 §3.2: before the EXPUNGE, which comes with the news before the reply.
        c.link.say(&format!("* OK [{code}] The replacement is there"));
        return Ok(Reply::ok("Replaced"));
    }
    Ok(Reply::ok("Appended").with_code(code))
}

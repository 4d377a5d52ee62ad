//! APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502, APPENDUID of RFC 4315 §3).
//!
//! A message goes to the spool chunk by chunk. Whether it may come at all (mailbox, size, quota) is
//! said before the `+`; of a client that does not wait, the bytes are skipped and counted.

use std::time::{SystemTime, UNIX_EPOCH};

use hub::{Appended, IdSet, MailboxId, NewMessage, Spool};
use tracing::info;

use super::flags::bits;
use super::listing::say_normalised;
use super::{Failure, Outcome, target};
use crate::conversation::Conversation;
use crate::encode;
use crate::framing::Announcement;
use crate::grammar::command::AppendHead;
use crate::input::Step;
use crate::link::Stop;
use crate::status::Reply;

/// Messages of one MULTIAPPEND: all of them wait for the last, the small ones in memory.
const MOST_MESSAGES: usize = 1000;

/// What has arrived of the command.
#[derive(Default)]
struct Arrived {
    mailbox: Option<MailboxId>,
    messages: Vec<NewMessage>,
    bytes: u64,
}

/// State: Authenticated, Selected. `head` and `announced` are those of the first message.
pub(crate) async fn append(c: &mut Conversation, head: AppendHead, announced: Announcement) -> Outcome {
    let mut arrived = Arrived::default();
    let mut next = Some((head, announced));
    loop {
        if let Some((head, announced)) = next.take()
            && let Err(failure) = message(c, &mut arrived, head, announced).await
        {
            return Err(failure);
        }
        match c.link.step().await? {
            Step::Message { head, announced, .. } => next = Some((head, announced)),
            Step::AppendEnd => return keep(c, arrived).await,
            Step::Refuse { refusal, .. } => return Err(Reply::from(refusal).into()),
            Step::Close(why) => return Err(Stop::Bye(why).into()),
            // Nothing else comes between two messages.
            _ => return Err(Reply::bad("APPEND takes a literal").into()),
        }
    }
}

/// Takes one message, or refuses it and with it the command.
async fn message(
    c: &mut Conversation,
    arrived: &mut Arrived,
    head: AppendHead,
    announced: Announcement,
) -> Result<(), Failure> {
    let allowed = allow(c, arrived, &head, announced.size).await;
    let flags = match allowed {
        Ok(()) => bits(c.session.user()?, &head.flags, true).await,
        Err(reply) => Err(reply),
    };
    let flags = match flags {
        Ok(flags) => flags,
        Err(reply) => return refuse(c, announced, reply).await,
    };
    c.link.input.accept_message();
    if announced.waits {
        c.link.say("+ OK");
    }
    let mut spool = c.service.hub.spool();
    let mut broken = None;
    loop {
        match c.link.step().await? {
            Step::Chunk(bytes) if broken.is_none() => {
                // A full disk is no reason to lose step: the rest is read and dropped.
                broken = Spool::write(&mut spool, &bytes).await.err();
            }
            Step::Chunk(_) => {}
            Step::MessageEnd => break,
            Step::Close(why) => return Err(Stop::Bye(why).into()),
            _ => return Err(Reply::bad("A message was expected").into()),
        }
    }
    if let Some(error) = broken {
        return finish(c, hub::Error::from(error).into()).await;
    }
    let incoming = match c.service.hub.examine(spool).await {
        Ok(incoming) => incoming,
        Err(error) => return finish(c, error.into()).await,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    arrived.bytes += announced.size;
    arrived.messages.push(NewMessage { incoming, flags, received_at: head.date.unwrap_or(now) });
    Ok(())
}

/// Everything that can be known before the bytes come.
async fn allow(
    c: &mut Conversation,
    arrived: &mut Arrived,
    head: &AppendHead,
    size: u64,
) -> Result<(), Reply> {
    let limit = c.service.settings.message_size;
    let user = c.session.user()?;
    let account = user.account.id();
    if let Some(name) = &head.mailbox {
        let info = target(&user.account, name).await?;
        arrived.mailbox = Some(info.id);
        say_normalised(c, name, &info.path).await?;
    }
    if size == 0 {
        // RFC 3502 §3: so a client gives up.
        return Err(Reply::no("CANNOT", "The message is empty"));
    }
    if size > limit {
        return Err(hub::Error::TooLarge { limit }.into());
    }
    if arrived.messages.len() == MOST_MESSAGES {
        return Err(Reply::no("LIMIT", "There are too many messages in one command"));
    }
    // Asked of the hub, not of the account: without a quota no row need be read.
    let bytes = arrived.bytes.saturating_add(size);
    c.service.hub.room_for(&[account], bytes).await?;
    Ok(())
}

/// Refuses the announced message; of a client that does not wait, the rest is skipped first.
async fn refuse(c: &mut Conversation, announced: Announcement, reply: Reply) -> Result<(), Failure> {
    if c.link.input.refuse_message(announced) {
        return Err(reply.into());
    }
    finish(c, reply).await
}

/// Reads the command to its end and fails with `reply`.
async fn finish(c: &mut Conversation, reply: Reply) -> Result<(), Failure> {
    loop {
        match c.link.step().await? {
            Step::AppendEnd | Step::Refuse { .. } => return Err(reply.into()),
            Step::Message { announced, .. } if c.link.input.refuse_message(announced) => {
                return Err(reply.into());
            }
            Step::Close(why) => return Err(Stop::Bye(why).into()),
            _ => {}
        }
    }
}

/// All messages have arrived: one commit.
async fn keep(c: &mut Conversation, arrived: Arrived) -> Outcome {
    let Some(mailbox) = arrived.mailbox.filter(|_| !arrived.messages.is_empty()) else {
        return Err(Reply::bad("APPEND takes a message").into());
    };
    let conn = c.connection();
    let (count, bytes) = (arrived.messages.len(), arrived.bytes);
    let user = c.session.user()?;
    let Appended { uid_validity, uids } =
        match user.account.messages().append(mailbox, arrived.messages).await {
            Ok(appended) => appended,
            Err(hub::Error::NotFound(_)) => {
                return Err(Reply::no("TRYCREATE", "There is no such mailbox").into());
            }
            Err(error) => return Err(error.into()),
        };
    info!(conn, twin = %user.account.handle(), mailbox = %mailbox, count, bytes, "messages appended");
    let mut code = format!("APPENDUID {uid_validity} ").into_bytes();
    let uids: IdSet = uids.into_iter().map(u64::from).collect();
    encode::set(&mut code, &uids);
    let reply = Reply::ok("Appended");
    Ok(match String::from_utf8(code) {
        Ok(code) => reply.with_code(code),
        Err(_) => reply,
    })
}

//! The hub's end of a transfer. Who reaches it owns the hub: it listens on no network.

use std::io;

use bytes::BytesMut;
use hub::{
    Account, Address, Error, Flags, Hub, IdSet, Imported, Keywords, MailboxId, Message, NewMessage, Record,
    Role, Spool,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::info;

use crate::collect::{self, Collecting};
use crate::frames::{Ask, Link, MAX_PIECE, Mailbox, Told};
use crate::objects;

/// Messages that wait for a commit, the small ones in memory.
const MOST_WAITING: usize = 1000;
/// Messages looked up at a time for an export, and the size up to which they are read together.
const SLICE: usize = 100;
const SMALL: u64 = 64 << 10;

const SYSTEM_FLAGS: [(&str, Flags); 5] = [
    ("\\Answered", Flags::ANSWERED),
    ("\\Deleted", Flags::DELETED),
    ("\\Draft", Flags::DRAFT),
    ("\\Flagged", Flags::FLAGGED),
    ("\\Seen", Flags::SEEN),
];

/// Serves one transfer until the courier is gone. What was not committed then, is forgotten.
pub async fn keep<S: AsyncRead + AsyncWrite + Unpin>(hub: &Hub, stream: S) -> io::Result<()> {
    let mut link = Link::new(stream);
    let Some((Ask::Open { twin }, _)) = link.receive().await? else { return Ok(()) };
    let mut keeper = match open(hub, &twin).await {
        Ok(account) => {
            let (spool, file) = (hub.spool(), BytesMut::new());
            Keeper {
                hub,
                account,
                target: None,
                spool,
                batch: Vec::new(),
                lost: Vec::new(),
                file,
                collecting: None,
            }
        }
        Err(error) => return fail(&mut link, error).await,
    };
    match keeper.mailboxes().await {
        Ok(mailboxes) => link.send(&Told::Mailboxes(mailboxes), &[]).await?,
        Err(error) => return fail(&mut link, error).await,
    }
    link.flush().await?;
    while let Some((ask, piece)) = link.receive().await? {
        let answered = match ask {
            Ask::Export { path } => keeper.export(&path, &mut link).await,
            Ask::ExportObjects { kind, collection } => {
                objects::send(&keeper.account, kind, &collection, &mut link).await.map(Some)
            }
            ask => keeper.answer(ask, &piece).await.map_err(Trouble::from),
        };
        match answered {
            Ok(None) => {}
            Ok(Some(told)) => {
                link.send(&told, &[]).await?;
                link.flush().await?;
            }
            Err(Trouble::Hub(error)) => return fail(&mut link, error).await,
            Err(Trouble::Link(error)) => return Err(error),
        }
    }
    Ok(())
}

async fn open(hub: &Hub, twin: &str) -> hub::Result<Account> {
    hub.account_for_owner(&Address::parse(twin)?).await
}

async fn fail<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>, error: Error) -> io::Result<()> {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    link.send(&Told::Failed(text), &[]).await?;
    link.flush().await
}

pub(crate) enum Trouble {
    Hub(Error),
    Link(io::Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Link(error)
    }
}

/// Where messages go, and from what source.
struct Target {
    /// Not there yet, or not any more; made with the first message.
    mailbox: Option<MailboxId>,
    path: String,
    role: Option<Role>,
    source: String,
}

struct Keeper<'a> {
    hub: &'a Hub,
    account: Account,
    target: Option<Target>,
    spool: Spool,
    batch: Vec<Imported>,
    lost: Vec<String>,
    /// Of events or contacts, or one of them, as far as it has come.
    file: BytesMut,
    collecting: Option<Collecting>,
}

impl Keeper<'_> {
    async fn mailboxes(&self) -> hub::Result<Vec<Mailbox>> {
        let infos = self.account.messages().mailboxes().await?;
        let shown = infos.into_iter().filter(|info| info.selectable).map(|info| Mailbox {
            path: info.path,
            role: info.role.map(|role| role.name().to_owned()),
            messages: u64::from(info.total),
        });
        Ok(shown.collect())
    }

    async fn answer(&mut self, ask: Ask, piece: &[u8]) -> hub::Result<Option<Told>> {
        match ask {
            Ask::Folder { source, path, role } => {
                if !self.batch.is_empty() {
                    return Err(Error::Invalid("messages of another mailbox wait for a commit".to_owned()));
                }
                let known = self.folder(source, &path, role.as_deref()).await?;
                return Ok(Some(Told::Known(known.ranges().to_vec())));
            }
            Ask::Bytes => self.spool.write(piece).await?,
            Ask::Message { number, flags, received_at } => {
                let spool = std::mem::replace(&mut self.spool, self.hub.spool());
                if self.batch.len() == MOST_WAITING {
                    return Err(Error::Invalid("too many messages before a commit".to_owned()));
                }
                let incoming = self.hub.examine(spool).await?;
                let flags = self.flags(&flags).await?;
                let message = NewMessage { incoming, flags, received_at };
                self.batch.push(Imported { number, message });
            }
            Ask::Abandon => self.spool = self.hub.spool(),
            Ask::Commit => return self.commit().await.map(Some),
            Ask::Collections { kind } => return objects::names(&self.account, kind).await.map(Some),
            Ask::FileBytes => objects::add(&mut self.file, piece)?,
            Ask::Objects { kind, collection } => {
                return objects::keep(&self.account, kind, &collection, &mut self.file).await.map(Some);
            }
            Ask::Collection { kind, source, collection } => {
                let (collecting, known) = Collecting::begin(&self.account, kind, source, collection).await?;
                self.collecting = Some(collecting);
                return Ok(Some(Told::Known(known.ranges().to_vec())));
            }
            Ask::ObjectBytes => collect::piece(&mut self.file, piece),
            Ask::Object { name, number } => {
                let collecting = self.collecting.as_mut().ok_or_else(no_collection)?;
                collecting.add(name, number, &mut self.file).await?;
            }
            Ask::CommitObjects => {
                return self.collecting.as_mut().ok_or_else(no_collection)?.end().await.map(Some);
            }
            Ask::Open { .. } | Ask::Export { .. } | Ask::ExportObjects { .. } => {
                return Err(Error::Invalid("that was asked before".to_owned()));
            }
        }
        Ok(None)
    }

    /// The mailbox with the role, if there is one; else that of the path. An empty one is made for a
    /// new source only: what its owner removed since stays away, unless there is more to come.
    async fn folder(&mut self, source: String, path: &str, role: Option<&str>) -> hub::Result<IdSet> {
        let messages = self.account.messages();
        let role = role.and_then(|name| Role::ALL.into_iter().find(|role| role.name() == name));
        let known = messages.imported(&source).await?;
        let infos = messages.mailboxes().await?;
        let of_role = infos.iter().find(|info| role.is_some() && info.role == role);
        let mailbox = match of_role {
            Some(info) => Some(info.id),
            None => match messages.mailbox(path).await {
                Ok(info) => Some(info).filter(|info| info.selectable).map(|info| info.id),
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
        };
        let is_new = known.is_none();
        let mut target = Target { mailbox, path: path.to_owned(), role, source };
        if is_new {
            let mailbox = self.mailbox(&mut target).await?;
            self.account.messages().import(mailbox, &target.source, Vec::new()).await?;
        }
        self.target = Some(target);
        Ok(known.unwrap_or_default())
    }

    async fn mailbox(&self, target: &mut Target) -> hub::Result<MailboxId> {
        if let Some(mailbox) = target.mailbox {
            return Ok(mailbox);
        }
        let made = self.account.messages().create(&target.path, target.role).await?;
        target.mailbox = Some(made.id);
        Ok(made.id)
    }

    async fn commit(&mut self) -> hub::Result<Told> {
        let batch = std::mem::take(&mut self.batch);
        let Some(mut target) = self.target.take() else {
            return Err(Error::Invalid("no mailbox was named".to_owned()));
        };
        let mailbox = self.mailbox(&mut target).await?;
        let kept = self.account.messages().import(mailbox, &target.source, batch).await?;
        info!(twin = %self.account.handle(), %mailbox, count = kept, "messages imported");
        self.target = Some(target);
        Ok(Told::Kept { messages: kept as u64, lost_keywords: std::mem::take(&mut self.lost) })
    }

    /// Keywords beyond what an account can have are lost, and said to be; the message is not.
    async fn flags(&mut self, names: &[String]) -> hub::Result<Flags> {
        let mut flags = Flags::NONE;
        let mut keywords = Vec::new();
        for name in names {
            match SYSTEM_FLAGS.iter().find(|(system, _)| system.eq_ignore_ascii_case(name)) {
                Some((_, flag)) => flags = flags | *flag,
                None if is_keyword(name) => keywords.push(name.as_str()),
                None => {}
            }
        }
        if keywords.is_empty() {
            return Ok(flags);
        }
        let messages = self.account.messages();
        match messages.keyword_flags(&keywords, true).await {
            Ok(found) => Ok(flags | found),
            Err(Error::Limit(_)) => {
                let known = messages.keywords().await?;
                let unknown = keywords.iter().filter(|name| known.flag(name).is_none());
                self.lost.extend(unknown.map(|name| (*name).to_owned()));
                Ok(flags | messages.keyword_flags(&keywords, false).await?)
            }
            Err(error) => Err(error),
        }
    }

    /// Streams a mailbox as it is at this moment.
    async fn export<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        path: &str,
        link: &mut Link<S>,
    ) -> Result<Option<Told>, Trouble> {
        let messages = self.account.messages();
        let mailbox = messages.mailbox(path).await?;
        let snapshot = messages.open(mailbox.id).await?.snapshot();
        let keywords = messages.keywords().await?;
        let mut records = snapshot.iter().copied();
        loop {
            let slice: Vec<Record> = records.by_ref().take(SLICE).collect();
            if slice.is_empty() {
                return Ok(Some(Told::End));
            }
            let ids: Vec<_> = slice.iter().map(|record| record.email).collect();
            // One that is gone since was expunged by another session.
            let found = slice.iter().zip(messages.fetch(&ids).await?);
            let found: Vec<(&Record, Message)> =
                found.filter_map(|(record, message)| Some((record, message?))).collect();
            let is_small = |message: &Message| message.size() <= SMALL;
            let small: Vec<(&Message, u64)> =
                found.iter().filter(|(_, m)| is_small(m)).map(|(_, m)| (m, u64::MAX)).collect();
            let mut small = messages.read_starts(&small).await?.into_iter();
            for (record, message) in &found {
                let told = Told::Message {
                    flags: flag_names(record.flags, &keywords),
                    received_at: record.received_at,
                    size: message.size(),
                };
                link.send(&told, &[]).await?;
                match is_small(message).then(|| small.next()).flatten() {
                    Some(bytes) if bytes.is_empty() => {}
                    Some(bytes) => link.send(&Told::Bytes, &bytes).await?,
                    None => self.send_large(message, link).await?,
                }
            }
        }
    }

    async fn send_large<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        message: &Message,
        link: &mut Link<S>,
    ) -> Result<(), Trouble> {
        let opened = self.account.messages().open_message(message).await?;
        let mut at = 0;
        while at < message.size() {
            let piece = opened.read(at..at + MAX_PIECE as u64).await?;
            at += piece.len() as u64;
            link.send(&Told::Bytes, &piece).await?;
        }
        Ok(())
    }
}

fn no_collection() -> Error {
    Error::Invalid("no collection was named".to_owned())
}

fn flag_names(flags: Flags, keywords: &Keywords) -> Vec<String> {
    let system = SYSTEM_FLAGS.iter().filter(|(_, flag)| flags.contains(*flag));
    let own = flags.keyword_positions().filter_map(|n| keywords.0.get(n).cloned());
    system.map(|(name, _)| (*name).to_owned()).chain(own).collect()
}

/// `flag-keyword = "$MDNSent" / … / atom` (RFC 9051 §9), of a reasonable length.
fn is_keyword(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
}

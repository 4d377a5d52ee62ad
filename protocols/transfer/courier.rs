//! The command's end of a transfer.

use std::collections::HashSet;

use hub::IdSet;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Error;
use crate::frames::{Ask, Collection, Link, MAX_PIECE, Mailbox, Told};
use crate::objects::{Objects, ObjectsKept};

/// One commit of the hub, and one round trip, for so many messages or bytes.
const BATCH: u64 = 250;
const BATCH_BYTES: u64 = 8 << 20;

/// Brings messages to the keeper, and fetches them from it.
pub struct Courier<S> {
    link: Link<S>,
    pub mailboxes: Vec<Mailbox>,
    /// Messages and bytes since the last commit.
    waiting: u64,
    waiting_bytes: u64,
    /// Numbers since the last commit: what is lost with it comes again.
    uncommitted: Vec<u64>,
    known: IdSet,
    lost_keywords: HashSet<String>,
}

/// A message on its way out; its bytes follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub flags: Vec<String>,
    pub received_at: i64,
    pub size: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Courier<S> {
    /// `stream` leads to [`crate::keep`].
    pub async fn open(stream: S, twin: &str) -> Result<Self, Error> {
        let mut courier = Self {
            link: Link::new(stream),
            mailboxes: Vec::new(),
            waiting: 0,
            waiting_bytes: 0,
            uncommitted: Vec::new(),
            known: IdSet::new(),
            lost_keywords: HashSet::new(),
        };
        match courier.ask(&Ask::Open { twin: twin.to_owned() }).await? {
            Told::Mailboxes(mailboxes) => courier.mailboxes = mailboxes,
            _ => return Err(odd()),
        }
        Ok(courier)
    }

    /// Begins with a mailbox of the source; afterwards [`Courier::knows`] tells what is there.
    pub async fn folder(&mut self, source: &str, path: &str, role: Option<&str>) -> Result<(), Error> {
        let role = role.map(str::to_owned);
        let ask = Ask::Folder { source: source.to_owned(), path: path.to_owned(), role };
        let Told::Known(ranges) = self.ask(&ask).await? else { return Err(odd()) };
        self.learn(ranges);
        Ok(())
    }

    /// True if the source's message of this number was imported before.
    pub fn knows(&self, number: u64) -> bool {
        self.known.contains(number)
    }

    pub async fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(MAX_PIECE) {
            self.link.send(&Ask::Bytes, piece).await.map_err(lost)?;
        }
        self.waiting_bytes += bytes.len() as u64;
        Ok(())
    }

    /// The bytes sent are a message. Returns how many messages were committed by it.
    pub async fn message(&mut self, number: u64, flags: Vec<String>, received_at: i64) -> Result<u64, Error> {
        self.link.send(&Ask::Message { number, flags, received_at }, &[]).await.map_err(lost)?;
        self.uncommitted.push(number);
        self.waiting += 1;
        if self.waiting < BATCH && self.waiting_bytes < BATCH_BYTES {
            return Ok(0);
        }
        self.commit().await
    }

    /// Returns how many messages were committed.
    pub async fn commit(&mut self) -> Result<u64, Error> {
        if self.waiting == 0 {
            return Ok(0);
        }
        let Told::Kept { lost_keywords, .. } = self.ask(&Ask::Commit).await? else { return Err(odd()) };
        self.lost_keywords.extend(lost_keywords);
        for number in self.uncommitted.drain(..) {
            self.known.insert(number);
        }
        self.waiting_bytes = 0;
        Ok(std::mem::take(&mut self.waiting))
    }

    /// Forgets the message that is not complete: the source broke in the middle of it.
    pub async fn abandon(&mut self) -> Result<(), Error> {
        self.link.send(&Ask::Abandon, &[]).await.map_err(lost)
    }

    /// Begins with a collection of the source; afterwards [`Courier::knows`] tells what is there.
    pub async fn collection(
        &mut self,
        kind: Objects,
        source: &str,
        collection: Collection,
    ) -> Result<(), Error> {
        let ask = Ask::Collection { kind, source: source.to_owned(), collection };
        let Told::Known(ranges) = self.ask(&ask).await? else { return Err(odd()) };
        self.learn(ranges);
        Ok(())
    }

    fn learn(&mut self, ranges: Vec<(u64, u64)>) {
        self.known = IdSet::new();
        for (first, last) in ranges {
            self.known.insert_range(first, last);
        }
    }

    /// An object of a collection.
    pub async fn object(&mut self, name: &str, number: u64, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(MAX_PIECE) {
            self.send(&Ask::ObjectBytes, piece).await?;
        }
        self.send(&Ask::Object { name: name.to_owned(), number }, &[]).await
    }

    /// Tells what became of the objects since the last time.
    pub async fn commit_objects(&mut self) -> Result<ObjectsKept, Error> {
        match self.ask(&Ask::CommitObjects).await? {
            Told::Objects(kept) => Ok(kept),
            _ => Err(odd()),
        }
    }

    /// Keywords for which the account had no room.
    pub fn lost_keywords(&self) -> impl Iterator<Item = &str> {
        self.lost_keywords.iter().map(String::as_str)
    }

    /// Begins with all messages of a mailbox.
    pub async fn export(&mut self, path: &str) -> Result<(), Error> {
        self.link.send(&Ask::Export { path: path.to_owned() }, &[]).await.map_err(lost)?;
        self.link.flush().await.map_err(lost)
    }

    /// The next message of [`Courier::export`]; its bytes come from [`Courier::piece`].
    pub async fn exported(&mut self) -> Result<Option<Exported>, Error> {
        match self.told().await? {
            (Told::Message { flags, received_at, size }, _) => {
                Ok(Some(Exported { flags, received_at, size }))
            }
            (Told::End, _) => Ok(None),
            _ => Err(odd()),
        }
    }

    /// The next bytes of a message; there are as many as its size says.
    pub async fn piece(&mut self) -> Result<Vec<u8>, Error> {
        match self.told().await? {
            (Told::Bytes, piece) if !piece.is_empty() => Ok(piece),
            _ => Err(odd()),
        }
    }

    pub(crate) async fn send(&mut self, ask: &Ask, piece: &[u8]) -> Result<(), Error> {
        self.link.send(ask, piece).await.map_err(lost)
    }

    pub(crate) async fn ask(&mut self, ask: &Ask) -> Result<Told, Error> {
        self.ask_for(ask).await.map(|(told, _)| told)
    }

    /// With the piece that comes with the answer.
    pub(crate) async fn ask_for(&mut self, ask: &Ask) -> Result<(Told, Vec<u8>), Error> {
        self.send(ask, &[]).await?;
        self.link.flush().await.map_err(lost)?;
        self.told().await
    }

    pub(crate) async fn told(&mut self) -> Result<(Told, Vec<u8>), Error> {
        match self.link.receive().await.map_err(lost)? {
            Some((Told::Failed(why), _)) => Err(Error::Hub(why)),
            Some(told) => Ok(told),
            None => Err(Error::Hub("it stopped".to_owned())),
        }
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::Hub(format!("the connection to it is lost: {error}"))
}

pub(crate) fn odd() -> Error {
    Error::Hub("it gave an answer to another question; is it of the same version as this command?".to_owned())
}

//! What courier and keeper say to each other: a header in JSON and, with `Bytes`, a piece of a message.
//! Both are parts of one program, of one version.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream};

use crate::objects::{Objects, ObjectsKept};

/// The numbers of a million messages that are hashes take some 40 MB.
const MAX_HEADER: u32 = 128 << 20;
/// Bytes of one piece.
pub(crate) const MAX_PIECE: usize = 256 << 10;

/// From the courier.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// First of all: whose mail it is. Answered with `Mailboxes`.
    Open { twin: String },
    /// What follows goes into this mailbox, which is made if the source is new. Answered with `Known`.
    Folder { source: String, path: String, role: Option<String> },
    /// A piece of the message that is being sent.
    Bytes,
    /// The message is complete.
    Message { number: u64, flags: Vec<String>, received_at: i64 },
    /// Forget the pieces since the last `Message`.
    Abandon,
    /// Keep what was sent. Answered with `Kept`.
    Commit,
    /// All messages of a mailbox, please. Answered with `Message` and `Bytes` for each, and `End`.
    Export { path: String },
    /// The names of calendars or address books, please. Answered with `Collections`.
    Collections { kind: Objects },
    /// A piece of a file of events or contacts.
    FileBytes,
    /// The file is complete: it goes into this collection. Answered with `Objects`.
    Objects { kind: Objects, collection: String },
    /// What follows goes into this collection, which is made if it is not there. Answered with `Known`.
    Collection { kind: Objects, source: String, collection: Collection },
    /// A piece of the object that is being sent.
    ObjectBytes,
    /// The object is complete.
    Object { name: String, number: u64 },
    /// Keep what was sent. Answered with `Objects`.
    CommitObjects,
    /// All of a collection as a file, please. Answered with `Bytes` and `End`.
    ExportObjects { kind: Objects, collection: String },
}

/// From the keeper.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Told {
    Mailboxes(Vec<Mailbox>),
    /// Numbers of a source's messages that are there already, as ranges.
    Known(Vec<(u64, u64)>),
    Kept {
        messages: u64,
        /// Names for which the account has no room (it can have 55).
        lost_keywords: Vec<String>,
    },
    Message {
        flags: Vec<String>,
        received_at: i64,
        size: u64,
    },
    Bytes,
    End,
    Collections(Vec<String>),
    Objects(ObjectsKept),
    /// A sentence. The conversation is over.
    Failed(String),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mailbox {
    pub path: String,
    /// As in JMAP (RFC 8621 §2): `sent`, `trash` …
    pub role: Option<String>,
    pub messages: u64,
}

/// A calendar or an address book as another server has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// The last segment of its URL.
    pub name: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub color: Option<String>,
    pub position: Option<i64>,
    /// As iCalendar text.
    pub time_zone: Option<String>,
    /// Names; empty if the server does not say.
    pub components: Vec<String>,
}

/// One end of the stream.
pub(crate) struct Link<S> {
    stream: BufStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: BufStream::new(stream) }
    }

    pub(crate) async fn send(&mut self, header: &impl Serialize, piece: &[u8]) -> io::Result<()> {
        let header = serde_json::to_vec(header)?;
        let length = u32::try_from(header.len()).ok().filter(|&length| length <= MAX_HEADER);
        let length = length.ok_or_else(|| odd("a frame is too large"))?;
        let piece_length = u32::try_from(piece.len()).map_err(|_| odd("a piece is too large"))?;
        self.stream.write_u32(length).await?;
        self.stream.write_u32(piece_length).await?;
        self.stream.write_all(&header).await?;
        self.stream.write_all(piece).await
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.stream.flush().await
    }

    /// `None` if the other end is gone, in good order.
    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<u8>)>> {
        let length = match self.stream.read_u32().await {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let piece_length = self.stream.read_u32().await? as usize;
        if length > MAX_HEADER || piece_length > MAX_PIECE {
            return Err(odd("a frame is too large"));
        }
        let header = self.exactly(length as usize).await?;
        let piece = self.exactly(piece_length).await?;
        Ok(Some((serde_json::from_slice(&header)?, piece)))
    }

    /// Grows with what comes, not with what was announced.
    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length.min(MAX_PIECE));
        (&mut self.stream).take(length as u64).read_to_end(&mut bytes).await?;
        if bytes.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

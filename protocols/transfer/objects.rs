//! Files of calendars (.ics) and contacts (.vcf), in and out: the courier's side and the keeper's.

use bytes::BytesMut;
use hub::collections::{Collections, MOST_FILE};
use hub::{Account, Error as HubError};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::courier::{Courier, odd};
use crate::frames::{Ask, Link, MAX_PIECE, Told};
use crate::keeper::Trouble;
use crate::{Error, Progress};

/// What is in the file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objects {
    Calendars,
    Contacts,
}

impl Objects {
    pub(crate) fn of(self, account: &Account) -> Collections {
        match self {
            Self::Calendars => account.calendars(),
            Self::Contacts => account.address_books(),
        }
    }

    /// Where they go if nothing else is said: one that every twin has.
    pub fn usual_collection(self) -> &'static str {
        match self {
            Self::Calendars => "calendar",
            Self::Contacts => "contacts",
        }
    }

    /// The file for a collection; names have no slash in them.
    pub fn file_name(self, collection: &str) -> String {
        let name = match collection.strip_prefix('.') {
            Some(rest) => format!("%2E{}", rest.replace('%', "%25")),
            None => collection.replace('%', "%25"),
        };
        match self {
            Self::Calendars => format!("{name}.ics"),
            Self::Contacts => format!("{name}.vcf"),
        }
    }
}

/// What became of a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ObjectsKept {
    pub stored: u64,
    pub unchanged: u64,
    /// UIDs of those that were not taken, and why.
    pub refused: Vec<(String, String)>,
}

/// Brings a file to a collection, which is made if it is not there.
pub async fn import<S: AsyncRead + AsyncWrite + Unpin>(
    kind: Objects,
    mut file: impl AsyncRead + Unpin,
    collection: &str,
    courier: &mut Courier<S>,
    progress: &mut impl Progress,
) -> Result<ObjectsKept, Error> {
    progress.mailbox(collection);
    let mut piece = vec![0; MAX_PIECE];
    loop {
        let length = file.read(&mut piece).await.map_err(Error::file("the file"))?;
        if length == 0 {
            break;
        }
        courier.send(&Ask::FileBytes, &piece[..length]).await?;
        progress.bytes(length as u64);
    }
    match courier.ask(&Ask::Objects { kind, collection: collection.to_owned() }).await? {
        Told::Objects(kept) => {
            progress.done(kept.stored + kept.unchanged);
            Ok(kept)
        }
        _ => Err(odd()),
    }
}

/// The names of all collections.
pub async fn collections<S: AsyncRead + AsyncWrite + Unpin>(
    kind: Objects,
    courier: &mut Courier<S>,
) -> Result<Vec<String>, Error> {
    match courier.ask(&Ask::Collections { kind }).await? {
        Told::Collections(names) => Ok(names),
        _ => Err(odd()),
    }
}

/// Writes a collection into a file.
pub async fn export<S: AsyncRead + AsyncWrite + Unpin>(
    kind: Objects,
    collection: &str,
    mut file: impl AsyncWrite + Unpin,
    courier: &mut Courier<S>,
    progress: &mut impl Progress,
) -> Result<(), Error> {
    progress.mailbox(collection);
    let mut told = courier.ask_for(&Ask::ExportObjects { kind, collection: collection.to_owned() }).await?;
    loop {
        match told {
            (Told::Bytes, piece) => {
                file.write_all(&piece).await.map_err(Error::file("the file"))?;
                progress.bytes(piece.len() as u64);
            }
            (Told::End, _) => break,
            _ => return Err(odd()),
        }
        told = courier.told().await?;
    }
    file.flush().await.map_err(Error::file("the file"))
}

/// The keeper's side: what was sent so far is the file.
pub(crate) async fn keep(
    account: &Account,
    kind: Objects,
    collection: &str,
    file: &mut BytesMut,
) -> hub::Result<Told> {
    let collections = kind.of(account);
    match collections.find(collection).await {
        Err(HubError::NotFound(_)) => {
            collections.create(collection, Default::default()).await?;
        }
        found => drop(found?),
    }
    let done = collections.bring_in(collection, std::mem::take(file).freeze()).await?;
    let refused = done.refused.into_iter().map(|(uid, why)| (uid, why.to_string())).collect();
    Ok(Told::Objects(ObjectsKept { stored: done.stored, unchanged: done.unchanged, refused }))
}

/// Adds to the file that is coming.
pub(crate) fn add(file: &mut BytesMut, piece: &[u8]) -> hub::Result<()> {
    if file.len() + piece.len() > MOST_FILE {
        return Err(HubError::TooLarge { limit: MOST_FILE as u64 });
    }
    file.extend_from_slice(piece);
    Ok(())
}

pub(crate) async fn names(account: &Account, kind: Objects) -> hub::Result<Told> {
    let all = kind.of(account).list().await?;
    Ok(Told::Collections(all.into_iter().map(|one| one.name).collect()))
}

pub(crate) async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    account: &Account,
    kind: Objects,
    collection: &str,
    link: &mut Link<S>,
) -> Result<Told, Trouble> {
    let mut out = kind.of(account).take_out(collection).await?;
    while let Some(piece) = out.next().await? {
        for piece in piece.chunks(MAX_PIECE) {
            link.send(&Told::Bytes, piece).await?;
        }
    }
    Ok(Told::End)
}

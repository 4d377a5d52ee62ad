//! Writing a file.

use std::sync::Arc;

use hub_storage::files::{self, Content, NewNode, NodeRow};
use hub_storage::{Error as Refusal, Result as Decision, Spool, Tx};

use crate::files::change::{Found, Work};
use crate::files::sharing::By;
use crate::files::{Conditions, FilePath, Files, Placed};
use crate::{Error, Result};

/// A body of up to so many bytes is rather taken and then refused than asked about beforehand.
const SMALL: u64 = 64 << 10;

/// What is known of a file besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct FileMetadata {
    /// A media type with its parameters; what is none is dropped.
    pub content_type: String,
    /// Unix seconds; now, if `None`.
    pub modified_at: Option<i64>,
    pub created_at: Option<i64>,
    /// `ALGORITHM:hex`; what is none is dropped.
    pub checksum: String,
}

/// A file that is arriving. Dropping it forgets it.
pub struct Upload {
    files: Files,
    path: FilePath,
    conditions: Conditions,
    spool: Spool,
    /// Bytes that fit into the quota, as it was at the beginning; with what is used and the limit.
    room: Option<(u64, u64, u64)>,
}

impl Files {
    /// Begins to write the file at `path`. What would be refused at the end is refused now, so that nobody
    /// sends gigabytes in vain: `Conflict` if its folder does not exist, `Exists` if a folder is there,
    /// `Stale`, `Locked`, `OverQuota` if `expected` bytes do not fit. (A few bytes are refused at the
    /// end.) Nothing can be seen before [`Upload::finish`].
    pub async fn begin(
        &self,
        path: &FilePath,
        expected: Option<u64>,
        conditions: Conditions,
    ) -> Result<Upload> {
        self.begin_with(path, expected, conditions, 0).await
    }

    /// The same; `freed` bytes of the owner will go in exchange for the file.
    pub(super) async fn begin_with(
        &self,
        path: &FilePath,
        expected: Option<u64>,
        conditions: Conditions,
        freed: u64,
    ) -> Result<Upload> {
        let mut room = None;
        if expected.is_none_or(|bytes| bytes > SMALL) {
            let given_back = match self.by {
                By::Owner => self.may_begin(path, &conditions).await?,
                // For others it is decided at the end.
                By::Grant | By::Link(_) => 0,
            };
            if let (used, Some(limit)) = self.quota().await? {
                let free = (limit + given_back + freed).saturating_sub(used);
                if expected.is_some_and(|bytes| bytes > free) {
                    return Err(Error::OverQuota { used, limit });
                }
                room = Some((free, used, limit));
            }
        }
        let (files, path, spool) = (self.clone(), path.clone(), self.storage().spool());
        Ok(Upload { files, path, conditions, spool, room })
    }

    /// Asks what [`Upload::finish`] is going to ask. Returns the bytes that it would give back.
    async fn may_begin(&self, path: &FilePath, conditions: &Conditions) -> Result<u64> {
        let work = self.work();
        let found = self.check_now(path, conditions).await?;
        work.may_put(&found, conditions)?;
        let is_kept = work.settings.versions > 0;
        Ok(found.node().filter(|_| !is_kept).map_or(0, |node| node.size))
    }
}

impl Upload {
    /// Adds bytes. `OverQuota` as soon as the file cannot fit any more; `Unavailable` if the disk is
    /// full.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        if let Some((free, used, limit)) = self.room
            && self.spool.len() + chunk.len() as u64 > free
        {
            return Err(Error::OverQuota { used, limit });
        }
        Ok(self.spool.write(chunk).await?)
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.spool.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spool.is_empty()
    }

    /// Puts the file in its place. What was there becomes a version of it, if it had content. Errors as
    /// of [`Files::begin`].
    pub async fn finish(self, metadata: FileMetadata) -> Result<Placed> {
        self.finish_instead_of(None, metadata).await
    }

    /// The same; what is at the path of `parts`, in other files of the owner, goes in the same commit, so
    /// its bytes do not count beside the new ones. `NotFound` if it has gone.
    pub(super) async fn finish_instead_of(
        self,
        parts: Option<(Work, FilePath)>,
        metadata: FileMetadata,
    ) -> Result<Placed> {
        let content = match self.spool.is_empty() {
            true => Content::Empty,
            false => Content::New(Arc::new(self.spool.finish().await?)),
        };
        let (files, path, conditions) = (self.files, self.path, self.conditions);
        let (work, bytes) = (files.work(), content.memory());
        let (at, new) = (path.clone(), content.in_memory());
        let placed = files
            .storage()
            .transact_writing(files.owner, bytes, move |tx| {
                Box::pin(async move {
                    let found = work.find_to_add(tx, &path).await?;
                    work.check(tx, &found, &conditions).await?;
                    work.may_put(&found, &conditions)?;
                    let Some((others, parts)) = parts else {
                        return work.put(tx, &found, content, metadata).await;
                    };
                    let parts = others.find(tx, &parts).await?;
                    let bytes = parts.existing()?.size;
                    others.throw_away(tx, &parts).await?;
                    // They are given back by and by, but it is settled that they are.
                    tx.lend_bytes(work.account, bytes)?;
                    let placed = work.put(tx, &found, content, metadata).await?;
                    tx.claim_back_bytes(work.account, bytes)?;
                    Ok(placed)
                })
            })
            .await?;
        let placed = files.placed(placed);
        if let (Some(blob), Some(bytes)) = (placed.node.blob, new) {
            files.hub.0.recent.keep_start(blob, &bytes);
        }
        if placed.created {
            files.remember_new(&at, &placed.node);
        }
        Ok(placed)
    }
}

impl Work {
    /// `Exists` if a folder is there, `Conflict`, `Held`.
    pub(super) fn may_put(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        match found.node() {
            Some(node) if node.is_folder => Err(Refusal::Exists("folder")),
            Some(_) if !self.access.may_write() => Err(Refusal::Exists("file")),
            Some(_) => self.may_change(found, conditions),
            None => found.place().and_then(|_| self.may_change_members(found, conditions)),
        }
    }

    /// Gives the file that was found this content, or makes it.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        found: &Found,
        content: Content,
        metadata: FileMetadata,
    ) -> Decision<(NodeRow, bool)> {
        let now = crate::unix_now();
        let old = found.node();
        let created_at = metadata.created_at.or(old.map(|node| node.created_at)).unwrap_or(now);
        let content_type = match media_type(&metadata.content_type) {
            // Whoever does not say what it is leaves it to be what it was.
            "" => old.map_or_else(String::new, |node| node.content_type.clone()),
            named => named.to_owned(),
        };
        let new = NewNode {
            is_folder: false,
            content,
            content_type,
            checksum: checksum(&metadata.checksum).to_owned(),
            created_at,
            modified_at: metadata.modified_at.unwrap_or(now),
        };
        match old {
            Some(old) => {
                let versions = self.settings.versions;
                let node = files::replace(tx, self.account, &found.above(), old, new, versions).await?;
                Ok((node, false))
            }
            None => Ok((files::create(tx, self.account, &found.place()?, new).await?, true)),
        }
    }
}

/// A media type (RFC 9110 §8.3.1), or nothing: it is going to be sent as a header field.
///
/// ```abnf
/// media-type = type "/" subtype parameters
/// ```
pub(super) fn media_type(text: &str) -> &str {
    let is_token = |text: &str| {
        let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_token_byte)
    };
    let text = text.trim();
    let name = text.split(';').next().unwrap_or_default().trim_end();
    let is_type = name.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    let is_field = text.len() <= 255 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_type && is_field { text } else { "" }
}

/// `ALGORITHM:digest` in visible ASCII, or nothing.
fn checksum(text: &str) -> &str {
    let is_checksum =
        text.len() <= 255 && text.contains(':') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_checksum { text } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_media_types_are_kept() {
        for (text, kept) in [
            ("text/plain", "text/plain"),
            (" text/html; charset=\"utf-8\" ", "text/html; charset=\"utf-8\""),
            ("text", ""),
            ("/plain", ""),
            ("text/plain\r\nSet-Cookie: a=b", ""),
            ("text/plain; a=\u{fc}", ""),
            ("te xt/plain", ""),
            ("", ""),
        ] {
            assert_eq!(media_type(text), kept, "{text:?}");
        }
        assert_eq!(checksum("SHA1:da39a3ee"), "SHA1:da39a3ee");
        assert_eq!(checksum("SHA1:da39\n"), "");
        assert_eq!(checksum("da39"), "");
    }
}

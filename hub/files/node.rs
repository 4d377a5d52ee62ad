//! A file or folder as it is now.

use hub_storage::files::{NodeId, NodeRow};
use hub_storage::{AccountId, BlobId, Modseq};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File,
    Folder,
}

/// A file or folder.
#[derive(Clone, Debug)]
pub struct Node {
    /// Never another's; stays the same wherever the node is moved.
    pub id: NodeId,
    pub kind: NodeKind,
    /// As it was written; empty for the top.
    pub name: String,
    /// Bytes of a file; of all files below a folder.
    pub size: u64,
    /// Files and folders below, and itself.
    pub nodes: u64,
    /// A media type as the client named it; empty if it did not.
    pub content_type: String,
    /// Unix seconds, as everywhere.
    pub created_at: i64,
    pub modified_at: i64,
    /// A strong entity tag (RFC 9110 §8.8.3) without quotes. A file's tells its content, wherever the file
    /// is moved. A folder's is another one as soon as anything below is.
    pub etag: String,
    /// The last change of it; of a folder, or of anything below.
    pub modseq: Modseq,
    /// As the client named it (`SHA1:…`); empty if it did not.
    pub checksum: String,
    /// It has dead properties.
    pub has_properties: bool,
    pub(crate) blob: Option<BlobId>,
}

impl Node {
    pub fn is_folder(&self) -> bool {
        self.kind == NodeKind::Folder
    }
}

/// Makes entity tags. Two twins with the same file see different ones, and nobody can tell from one
/// what the hub calls the content: an etag must not tell whether others have it.
#[derive(Clone, Copy)]
pub(crate) struct Etags {
    key: [u8; 32],
}

impl Etags {
    pub(crate) fn new(storage: &hub_storage::Storage) -> Self {
        Self { key: storage.secret_for("Twin Hub: entity tags of files") }
    }

    pub(crate) fn of(&self, account: AccountId, row: &NodeRow) -> String {
        if row.is_folder {
            return format!("{:x}-{:x}", row.id.0, row.tree);
        }
        self.of_content(account, row.blob)
    }

    pub(crate) fn of_content(&self, account: AccountId, blob: Option<BlobId>) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&account.0.to_be_bytes()).update(blob.as_ref().map_or(&[], |id| &id.0[..]));
        let mut tag = [0; 16];
        hasher.finalize_xof().fill(&mut tag);
        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
        tag.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte)]).collect()
    }

    pub(crate) fn node(&self, account: AccountId, row: NodeRow) -> Node {
        Node {
            etag: self.of(account, &row),
            id: row.id,
            kind: if row.is_folder { NodeKind::Folder } else { NodeKind::File },
            name: if row.parent == NodeId(0) { String::new() } else { row.name },
            size: row.size,
            nodes: row.nodes,
            content_type: row.content_type,
            created_at: row.created_at,
            modified_at: row.modified_at,
            modseq: row.tree,
            checksum: row.checksum,
            has_properties: row.properties > 0,
            blob: row.blob,
        }
    }
}

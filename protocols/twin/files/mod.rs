//! Files as draft-ietf-jmap-filenode-14 has them, which the capability says (`specRevision`): the draft moves. They
//! are those that WebDAV and the pages show; what is deleted goes into the trash, and is gone for clients.

pub(crate) mod node;
mod node_query;
mod node_set;

use hub::Account;
use hub::files::{FilePath, Node, NodeId, OpenFile};
use serde_json::{Value, json};

use crate::ids::{BlobId, BlobOf};

const REVISION: &str = "draft-ietf-jmap-filenode-14";
/// Properties that a query can sort by.
const SORT_OPTIONS: [&str; 6] = ["name", "type", "size", "created", "modified", "nodeType"];

/// What the account can do with files (§2.1).
pub(crate) fn capability() -> Value {
    json!({
        "specRevision": REVISION,
        // One more than there can be folders above.
        "maxFileNodeDepth": FilePath::LEVELS,
        "maxSizeFileNodeName": 255,
        "forbiddenNameChars": "/\u{0}",
        "forbiddenNodeNames": [".", ".."],
        "fileNodeQuerySortOptions": SORT_OPTIONS,
        "mayCreateTopLevelFileNode": true,
        "caseInsensitiveNames": false,
        "webTrashUrl": null,
        "webUrlTemplate": null,
        "webWriteUrlTemplate": null,
    })
}

/// A number that stands for the content: FNV-1a of its entity tag.
fn number(node: &Node) -> u32 {
    node.etag.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What a file holds now. Under another content it has another id.
fn blob_id(node: &Node) -> BlobId {
    BlobId { of: BlobOf::File(node.id), parts: vec![number(node)] }
}

/// What a blob id of a file stands for. `NotFound` also if the file has other content by now.
pub(crate) async fn content(account: &Account, id: NodeId, parts: &[u32]) -> hub::Result<OpenFile> {
    let files = account.files();
    let found = files.located(&[id]).await?.pop().map(|located| located.node);
    let node = found.filter(|node| !node.is_folder() && *parts == [number(node)]);
    files.open_node(node.ok_or(hub::Error::NotFound("blob"))?).await
}

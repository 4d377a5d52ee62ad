//! Making, replacing and moving nodes, with what that means for the folders above.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::blobs::StagedBlob;
use crate::changes::{Change, Kind};
use crate::db::values;
use crate::files::{NodeId, NodeRow, blob_value, versions};
use crate::mail::append::refer;
use crate::mail::reclaim::release;
use crate::tx::Tx;
use crate::{AccountId, BlobId, IdSet, Result};

/// Where a node is to be.
#[derive(Clone, Debug)]
pub struct Place {
    /// All folders above, from the top of the account's tree down to the one it is in.
    pub above: Vec<NodeId>,
    /// The name in NFC, and as it was written.
    pub key: String,
    pub name: String,
}

impl Place {
    /// The folder that it is in.
    pub fn parent(&self) -> NodeId {
        self.above.last().copied().unwrap_or(NodeId::REMOVED)
    }
}

/// A file's bytes.
#[derive(Clone)]
pub enum Content {
    Empty,
    /// The bytes of another file or version of this hub.
    Kept {
        blob: BlobId,
        size: u64,
    },
    New(Arc<StagedBlob>),
}

impl Content {
    pub fn size(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Kept { size, .. } => *size,
            Self::New(blob) => blob.size(),
        }
    }

    /// The bytes, if they are in memory.
    pub fn in_memory(&self) -> Option<Bytes> {
        match self {
            Self::New(blob) => blob.in_memory().cloned(),
            Self::Empty | Self::Kept { .. } => None,
        }
    }

    /// How many bytes are in memory.
    pub fn memory(&self) -> usize {
        self.in_memory().map_or(0, |bytes| bytes.len())
    }

    fn blob(&self) -> Option<BlobId> {
        match self {
            Self::Empty => None,
            Self::Kept { blob, .. } => Some(*blob),
            Self::New(blob) => Some(blob.id()),
        }
    }
}

/// What a node is made of.
#[derive(Clone)]
pub struct NewNode {
    pub is_folder: bool,
    pub content: Content,
    pub content_type: String,
    pub checksum: String,
    pub created_at: i64,
    pub modified_at: i64,
}

/// Makes a node where nothing is. `OverQuota`.
pub async fn create(tx: &mut Tx, account: AccountId, place: &Place, new: NewNode) -> Result<NodeRow> {
    let id = NodeId(tx.take_ids(account, 1)?);
    let modseq = tx.modseq(account)?;
    let size = new.content.size();
    tx.take_bytes(account, size)?;
    add_reference(tx, &new.content).await?;
    let node = NodeRow {
        id,
        parent: place.parent(),
        key: place.key.clone(),
        name: place.name.clone(),
        is_folder: new.is_folder,
        blob: new.content.blob(),
        size,
        nodes: 1,
        content_type: new.content_type,
        checksum: new.checksum,
        created_at: new.created_at,
        modified_at: new.modified_at,
        changed: modseq,
        placed: modseq,
        tree: modseq,
        properties: 0,
    };
    insert(tx, account, &node);
    let mut effect = Effect::default();
    effect.on(&place.above, size as i64, 1);
    effect.write(tx, account)?;
    tx.changed(Change::Files { account, modseq, only_new: true });
    tx.journal(account, Kind::File, 0, only(id), IdSet::new(), IdSet::new());
    Ok(node)
}

/// The nodes that every account has from the start.
pub(crate) fn add_tops(tx: &mut Tx, account: AccountId) {
    let tops = [
        (NodeId::FILES, "files"),
        (NodeId::TRASH, "trash"),
        (NodeId::UPLOADS, "uploads"),
        (NodeId::REMOVED, "removed"),
    ];
    for (id, key) in tops {
        let node = NodeRow {
            id,
            parent: NodeId(0),
            key: key.to_owned(),
            name: String::new(),
            is_folder: true,
            blob: None,
            size: 0,
            nodes: 1,
            content_type: String::new(),
            checksum: String::new(),
            created_at: tx.now,
            modified_at: tx.now,
            changed: 1,
            placed: 1,
            tree: 1,
            properties: 0,
        };
        insert(tx, account, &node);
    }
}

fn insert(tx: &mut Tx, account: AccountId, node: &NodeRow) {
    let row = values![
        account,
        node.id.0,
        node.parent.0,
        node.key.as_str(),
        node.name.as_str(),
        node.is_folder,
        blob_value(node.blob),
        node.size,
        node.nodes,
        node.content_type.as_str(),
        node.checksum.as_str(),
        node.created_at,
        node.modified_at,
        node.changed,
        node.placed,
        node.tree,
        node.properties
    ];
    let sql =
        "INSERT INTO file_node (account, id, parent, key, name, folder, blob, size, nodes, content_type,
           checksum, created_at, modified_at, changed, placed, tree, properties) VALUES {values}";
    tx.connection.defer_many(sql, vec![row]);
}

/// Gives a file other content; what it had becomes a version, of which `versions` are kept. `OverQuota`.
pub async fn replace(
    tx: &mut Tx,
    account: AccountId,
    above: &[NodeId],
    old: &NodeRow,
    new: NewNode,
    versions: usize,
) -> Result<NodeRow> {
    let modseq = tx.modseq(account)?;
    let size = new.content.size();
    if old.size > 0 && versions > 0 && old.blob != new.content.blob() {
        versions::keep_version(tx, account, old.id, old, versions).await?;
    } else {
        tx.give_back_bytes(account, old.size)?;
        let (now, blobs) = (tx.now, old.blob.into_iter().collect());
        release(&mut tx.connection, now, blobs).await?;
    }
    tx.take_bytes(account, size)?;
    add_reference(tx, &new.content).await?;
    let node = NodeRow {
        blob: new.content.blob(),
        size,
        content_type: new.content_type,
        checksum: new.checksum,
        created_at: new.created_at,
        modified_at: new.modified_at,
        changed: modseq,
        tree: modseq,
        ..old.clone()
    };
    let sql = "UPDATE file_node SET blob = $3, size = $4, content_type = $5, checksum = $6, created_at = $7,
          modified_at = $8, changed = $9, tree = $9 WHERE account = $1 AND id = $2";
    let row = values![
        account,
        node.id.0,
        blob_value(node.blob),
        size,
        node.content_type.as_str(),
        node.checksum.as_str(),
        node.created_at,
        node.modified_at,
        modseq
    ];
    tx.connection.defer(sql, row);
    let mut effect = Effect::default();
    effect.within(above, size as i64 - old.size as i64);
    effect.apply(tx, account)?;
    tx.journal(account, Kind::File, 0, IdSet::new(), only(node.id), IdSet::new());
    Ok(node)
}

/// Moves a node with all that is in it: one row, and the counters above. The new name must be free.
pub async fn move_to(
    tx: &mut Tx,
    account: AccountId,
    node: &NodeRow,
    from: &[NodeId],
    to: &Place,
) -> Result<NodeRow> {
    let modseq = tx.modseq(account)?;
    note_gone(tx, account, node)?;
    let moved = NodeRow {
        parent: to.parent(),
        key: to.key.clone(),
        name: to.name.clone(),
        changed: modseq,
        placed: modseq,
        tree: modseq,
        ..node.clone()
    };
    let sql = "UPDATE file_node SET parent = $3, key = $4, name = $5, changed = $6, placed = $6, tree = $6
         WHERE account = $1 AND id = $2";
    let row = values![account, node.id.0, moved.parent.0, to.key.as_str(), to.name.as_str(), modseq];
    tx.connection.defer(sql, row);
    let (size, nodes) = (node.size as i64, node.nodes as i64);
    let mut effect = Effect::default();
    effect.on(from, -size, -nodes);
    effect.on(&to.above, size, nodes);
    effect.apply(tx, account)?;
    tx.journal(account, Kind::File, 0, IdSet::new(), only(node.id), IdSet::new());
    Ok(moved)
}

/// Takes a node with all that is in it away for good. Its bytes are given back by and by.
pub async fn remove(tx: &mut Tx, account: AccountId, node: &NodeRow, above: &[NodeId]) -> Result<()> {
    let key = node.id.0.to_string();
    let to = Place { above: vec![NodeId::REMOVED], name: key.clone(), key };
    move_to(tx, account, node, above, &to).await.map(drop)
}

/// Remembers that a name is no longer where it was. Nobody synchronises the trash.
fn note_gone(tx: &mut Tx, account: AccountId, node: &NodeRow) -> Result<()> {
    if node.parent == NodeId::TRASH {
        return Ok(());
    }
    let (now, modseq, id) = (tx.now, tx.modseq(account)?, tx.take_ids(account, 1)?);
    let sql = "INSERT INTO file_gone (account, parent, key, id, name, node, folder, modseq, gone_at)
         VALUES {values} ON CONFLICT (account, parent, key) DO UPDATE
         SET id = excluded.id, name = excluded.name, modseq = excluded.modseq, gone_at = excluded.gone_at,
           node = CASE WHEN excluded.node = file_gone.node THEN excluded.node ELSE 0 END,
           folder = CASE WHEN file_gone.folder = 1 THEN 1 ELSE excluded.folder END";
    let row = values![
        account,
        node.parent.0,
        node.key.as_str(),
        id,
        node.name.as_str(),
        node.id.0,
        node.is_folder,
        modseq,
        now
    ];
    tx.connection.defer_many(sql, vec![row]);
    Ok(())
}

async fn add_reference(tx: &mut Tx, content: &Content) -> Result<()> {
    match content {
        Content::Empty => Ok(()),
        Content::New(blob) => refer(tx, vec![(blob, 1)]).await,
        Content::Kept { blob, .. } => {
            let sql = "UPDATE blob SET refs = refs + 1, unused_at = 0 WHERE hash = $1";
            tx.connection.defer(sql, values![*blob]);
            Ok(())
        }
    }
}

pub(super) fn only(id: NodeId) -> IdSet {
    std::iter::once(id.0 as u64).collect()
}

/// What a change means for the folders above.
#[derive(Default)]
pub(super) struct Effect(BTreeMap<NodeId, Difference>);

#[derive(Default)]
struct Difference {
    size: i64,
    nodes: i64,
    /// Something in the folder itself has come or gone.
    is_touched: bool,
}

impl Effect {
    /// Something has come into the last of these folders, or gone.
    pub(super) fn on(&mut self, above: &[NodeId], size: i64, nodes: i64) {
        self.add(above, size, nodes);
        if let Some(parent) = above.last() {
            self.0.entry(*parent).or_default().is_touched = true;
        }
    }

    /// Something in these folders is other than before.
    pub(super) fn within(&mut self, above: &[NodeId], size: i64) {
        self.add(above, size, 0);
    }

    fn add(&mut self, above: &[NodeId], size: i64, nodes: i64) {
        for id in above {
            let difference = self.0.entry(*id).or_default();
            difference.size += size;
            difference.nodes += nodes;
        }
    }

    /// Writes it down, and tells those who listen.
    pub(super) fn apply(self, tx: &mut Tx, account: AccountId) -> Result<()> {
        self.write(tx, account)?;
        let modseq = tx.modseq(account)?;
        tx.changed(Change::Files { account, modseq, only_new: false });
        Ok(())
    }

    pub(super) fn write(self, tx: &mut Tx, account: AccountId) -> Result<()> {
        let (now, modseq) = (tx.now, tx.modseq(account)?);
        let row = |(id, difference): (NodeId, Difference)| {
            let touched_at = if difference.is_touched { now } else { 0 };
            values![account, id.0, modseq, difference.size, difference.nodes, touched_at]
        };
        let sql = "UPDATE file_node SET tree = v.column3, size = size + v.column4, nodes = nodes + v.column5,
               modified_at = CASE WHEN v.column6 > 0 THEN v.column6 ELSE modified_at END
             FROM (VALUES {values}) AS v WHERE account = v.column1 AND id = v.column2";
        tx.connection.defer_many(sql, self.0.into_iter().map(row).collect());
        Ok(())
    }
}

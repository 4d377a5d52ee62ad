//! The log of what this hub has said of its twins, a domain's each: others can check that it says the same to
//! everybody, and takes nothing back.

use std::collections::HashMap;

use hub_identity::Hash as RecordHash;
use hub_merkle::{self as merkle, Checkpoint, Hash, Node, Part};
use hub_storage::{Tx, twin_log as rows};

use crate::{Error, Hub, Result};

/// Leaves that are appended at once.
const AT_ONCE: usize = 500;

type Known = HashMap<Node, Hash>;

/// Puts versions behind what a domain's log has. Returns the number of the first of these leaves.
pub(crate) async fn append(tx: &mut Tx, domain: &str, versions: &[RecordHash]) -> hub_storage::Result<u64> {
    debug_assert!(versions.len() <= AT_ONCE, "{} leaves at once", versions.len());
    let size = rows::extend(tx, domain, versions.len() as u64).await?;
    let known = known(rows::nodes(tx, domain, &places(&[merkle::edge(size)])).await?);
    let leaves: Vec<Hash> = versions.iter().map(|version| merkle::leaf_hash(&version.0)).collect();
    let made = merkle::appended(size, &leaves, |node| known.get(&node).copied());
    let made = made.ok_or_else(|| hub_storage::Error::damaged("the log of a domain has holes"))?;
    let row = |(node, hash): (Node, Hash)| {
        let (level, position) = place(node);
        (level, position, hash.to_vec())
    };
    rows::put(tx, domain, made.into_iter().map(row).collect());
    Ok(size)
}

fn place(node: Node) -> (i64, i64) {
    // A log of more than 2^63 leaves takes longer than the universe is old.
    (i64::from(node.level), i64::try_from(node.position).unwrap_or(i64::MAX))
}

fn places(parts: &[Part]) -> Vec<(i64, i64)> {
    parts.iter().flat_map(|part| part.0.iter().copied().map(place)).collect()
}

fn known(rows: Vec<rows::NodeRow>) -> Known {
    let node = |(level, position, hash): rows::NodeRow| {
        let node = Node { level: u8::try_from(level).ok()?, position: u64::try_from(position).ok()? };
        Some((node, Hash::try_from(hash).ok()?))
    };
    rows.into_iter().filter_map(node).collect()
}

impl Hub {
    /// The head of a domain's log, not signed yet.
    pub async fn log_head(&self, domain: &str) -> Result<Checkpoint> {
        let size = self.0.storage.twin_log_size(domain).await?;
        let root = self.log_hashes(domain, &[merkle::edge(size)]).await?[0];
        Ok(Checkpoint { domain: domain.to_owned(), size, root })
    }

    /// What proves that a log begins with its first `old` leaves. `NotFound` if it has fewer.
    pub async fn log_consistency(&self, head: &Checkpoint, old: u64) -> Result<Vec<Hash>> {
        let parts = merkle::consistency(old, head.size).ok_or(Error::NotFound("checkpoint"))?;
        self.log_hashes(&head.domain, &parts).await
    }

    pub(crate) async fn log_inclusion(&self, head: &Checkpoint, leaf: u64) -> Result<Vec<Hash>> {
        let parts = merkle::inclusion(leaf, head.size).ok_or(Error::NotFound("leaf"))?;
        self.log_hashes(&head.domain, &parts).await
    }

    /// True if somebody shows a head of one of our logs that we have not: then another has our key.
    pub async fn is_foreign_head(&self, shown: &Checkpoint) -> Result<bool> {
        let size = self.0.storage.twin_log_size(&shown.domain).await?;
        if shown.size > size {
            return Ok(true);
        }
        Ok(self.log_hashes(&shown.domain, &[merkle::edge(shown.size)]).await?[0] != shown.root)
    }

    async fn log_hashes(&self, domain: &str, parts: &[Part]) -> Result<Vec<Hash>> {
        let known = known(self.0.storage.twin_log_nodes(domain, &places(parts)).await?);
        let hashes = parts.iter().map(|part| part.hash(|node| known.get(&node).copied()));
        hashes.collect::<Option<_>>().ok_or_else(|| {
            tracing::error!(domain, "the log of a domain has holes");
            Error::Unavailable(hub_storage::Error::Busy)
        })
    }
}

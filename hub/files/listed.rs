//! What folders list, in memory: file managers and synchronising programs ask for the same ones again
//! and again, and making rows of the database's answer takes longer than writing them down as XML.
//!
//! A folder's row has the modseq of the last change of anything below. A listing is true as long as
//! that is the same, so nothing here need be forgotten: what is old is asked for by nobody.

use std::sync::Arc;

use hub_storage::files::NodeId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::files::Node;
use crate::{AccountId, Modseq};

/// Memory for all of them, in bytes.
const BUDGET: u64 = 8 << 20;
/// Larger folders are read each time: one of them would push out hundreds.
const MOST_NODES: usize = 2_000;
/// What an entry costs besides its nodes.
const OVERHEAD: u64 = 100;

#[derive(Clone)]
struct Listed {
    /// The state of the folder then.
    modseq: Modseq,
    nodes: Arc<[Node]>,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<(AccountId, NodeId), Listed> for Weigh {
    fn weight(&self, _: &(AccountId, NodeId), listed: &Listed) -> u64 {
        let text =
            |node: &Node| node.name.len() + node.content_type.len() + node.checksum.len() + node.etag.len();
        OVERHEAD + listed.nodes.iter().map(|node| (size_of::<Node>() + text(node)) as u64).sum::<u64>()
    }
}

pub(crate) struct Listings(Cache<(AccountId, NodeId), Listed, Weigh>);

impl Default for Listings {
    fn default() -> Self {
        Self(Cache::with_weighter(1000, BUDGET, Weigh))
    }
}

impl Listings {
    /// What lies in a folder that has this modseq.
    pub(super) fn get(&self, account: AccountId, folder: NodeId, modseq: Modseq) -> Option<Arc<[Node]>> {
        let listed = self.0.get(&(account, folder))?;
        (listed.modseq == modseq).then_some(listed.nodes)
    }
}

/// A listing that is gathered page by page.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) folder: NodeId,
    pub(super) modseq: Modseq,
    nodes: Vec<Node>,
    /// There are too many.
    is_over: bool,
}

impl Gathering {
    pub(super) fn of(folder: &Node) -> Self {
        Self { folder: folder.id, modseq: folder.modseq, nodes: Vec::new(), is_over: false }
    }

    /// Of a listing that does not begin at the beginning: nothing is kept of it.
    pub(super) fn of_a_part(folder: &Node) -> Self {
        Self { is_over: true, ..Self::of(folder) }
    }

    pub(super) fn add(&mut self, page: &[Node]) {
        self.is_over |= self.nodes.len() + page.len() > MOST_NODES;
        match self.is_over {
            true => self.nodes = Vec::new(),
            false => self.nodes.extend_from_slice(page),
        }
    }

    /// That was all. It was read after the folder had its modseq: if it is newer, nobody will ask for it.
    pub(super) fn keep(self, account: AccountId, listings: &Listings) {
        if !self.is_over {
            let listed = Listed { modseq: self.modseq, nodes: self.nodes.into() };
            listings.0.insert((account, self.folder), listed);
        }
    }
}

//! The shape of the tree: which nodes a step needs, and how their hashes are put together.

use aws_lc_rs::digest::{Context, SHA256};

pub type Hash = [u8; 32];

/// A complete subtree: the leaves from `position << level` on, `1 << level` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    pub level: u8,
    pub position: u64,
}

/// Some leaves in a row as the complete subtrees that they consist of, from left to right; their sizes fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part(pub Vec<Node>);

/// RFC 9162 §2.1.1: 0x00 before a leaf, 0x01 before two nodes, so that none passes for the other.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

pub(crate) fn parent(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(pieces: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    pieces.iter().for_each(|piece| context.update(piece));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The root of an empty tree: the hash of nothing.
const EMPTY: &[&[u8]] = &[];

impl Part {
    /// The leaves `start..end` of a subtree that begins at `start`.
    fn of(start: u64, end: u64) -> Self {
        let (mut nodes, mut start) = (Vec::new(), start);
        while start < end {
            let level = (end - start).ilog2();
            nodes.push(Node { level: level as u8, position: start >> level });
            start += 1 << level;
        }
        Self(nodes)
    }

    /// Their common hash, given those of the subtrees. `None` if one is missing.
    pub fn hash(&self, known: impl Fn(Node) -> Option<Hash>) -> Option<Hash> {
        let mut nodes = self.0.iter().rev();
        let Some(last) = nodes.next() else { return Some(hash(EMPTY)) };
        nodes.try_fold(known(*last)?, |right, node| Some(parent(&known(*node)?, &right)))
    }
}

/// All leaves of a tree of this size: what its root, and the next leaf, are made of.
pub fn edge(size: u64) -> Part {
    Part::of(0, size)
}

/// The root of a tree of this size.
pub fn root(size: u64, known: impl Fn(Node) -> Option<Hash>) -> Option<Hash> {
    edge(size).hash(known)
}

/// Complete subtrees that come to be when leaves are put behind the first `size`, given the hashes of the
/// [`edge`] before.
pub fn appended(
    size: u64,
    leaves: &[Hash],
    known: impl Fn(Node) -> Option<Hash>,
) -> Option<Vec<(Node, Hash)>> {
    let mut made: Vec<(Node, Hash)> = Vec::new();
    let mut edge: Vec<(Node, Hash)> =
        edge(size).0.into_iter().map(|node| Some((node, known(node)?))).collect::<Option<_>>()?;
    for (position, leaf) in (size..).zip(leaves) {
        let mut new = (Node { level: 0, position }, *leaf);
        made.push(new);
        // Two complete neighbours of one size are one of the next.
        while let Some((left, hash)) = edge.pop_if(|(left, _)| left.level == new.0.level) {
            let node = Node { level: left.level + 1, position: left.position / 2 };
            new = (node, parent(&hash, &new.1));
            made.push(new);
        }
        edge.push(new);
    }
    Some(made)
}

/// RFC 9162 §2.1.3.1: what proves that a leaf is in the first `size`; each part is one hash of the proof.
/// `None` if it is not.
pub fn inclusion(leaf: u64, size: u64) -> Option<Vec<Part>> {
    if leaf >= size {
        return None;
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if leaf < middle {
            path.push(Part::of(middle, end));
            end = middle;
        } else {
            path.push(Part::of(start, middle));
            start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// RFC 9162 §2.1.4.1: what proves that the first `old` leaves are as they were in the first `size`. `None` if
/// there are fewer than that.
pub fn consistency(old: u64, size: u64) -> Option<Vec<Part>> {
    if old > size {
        return None;
    }
    if old == 0 || old == size {
        return Some(Vec::new());
    }
    let (mut start, mut end, mut path, mut is_known) = (0, size, Vec::new(), true);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(Part::of(middle, end));
            end = middle;
        } else {
            path.push(Part::of(start, middle));
            start = middle;
            is_known = false;
        }
    }
    // Whoever knows the old root need not be told it.
    if !is_known {
        path.push(Part::of(start, end));
    }
    path.reverse();
    Some(path)
}

/// The largest power of two smaller than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

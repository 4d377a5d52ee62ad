//! An append-only log that others can check: the Merkle tree of RFC 6962 and 9162, which nodes of it are to
//! be kept and read, and its head as a signed note.
//!
//! Pure: hashes go in, hashes come out. It must not know storage, sockets or a clock.
//!
//! - RFC 9162 §2.1 (tree, proofs and how to verify them; RFC 6962 has the same tree)
//! - C2SP tlog-checkpoint and signed-note (heads)
//!
//! Kept are the hashes of **complete subtrees** only, which never change: about two for each leaf. What a
//! proof needs of the ragged right edge is folded from them.

mod checkpoint;
mod proof;
mod tree;

pub use checkpoint::Checkpoint;
pub use proof::{is_consistent, is_included};
pub use tree::{Hash, Node, Part, appended, consistency, edge, inclusion, leaf_hash, root};

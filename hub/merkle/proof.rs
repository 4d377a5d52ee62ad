//! How a proof is verified, by who has nothing of the tree but roots.

use crate::tree::{Hash, parent};

/// RFC 9162 §2.1.3.2: true if the leaf with this hash is the one at `index` of the tree.
pub fn is_included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = parent(step, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = parent(&hash, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// RFC 9162 §2.1.4.2: true if the tree with the new root begins with the tree with the old one.
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old, old_root), (size, new_root)) = (old, new);
    if old == 0 || old == size {
        // Every tree begins with the empty one.
        return proof.is_empty() && (old == 0 || old_root == new_root);
    }
    if old > size {
        return false;
    }
    let mut proof = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { proof.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut before, mut after) = (*first, *first);
    for step in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            (before, after) = (parent(step, &before), parent(step, &after));
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            after = parent(&after, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && before == *old_root && after == *new_root
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::*;

    /// A log as a hub keeps it.
    #[derive(Default)]
    struct Log {
        size: u64,
        nodes: HashMap<Node, Hash>,
    }

    impl Log {
        fn of(entries: &[Vec<u8>]) -> Self {
            let mut log = Self::default();
            // In pieces of growing size.
            let (mut rest, mut piece) = (entries, 1);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                let leaves: Vec<Hash> = now.iter().map(|entry| leaf_hash(entry)).collect();
                let made =
                    appended(log.size, &leaves, |node| log.nodes.get(&node).copied()).expect("the edge");
                log.nodes.extend(made);
                log.size += leaves.len() as u64;
                (rest, piece) = (later, piece + 1);
            }
            log
        }

        fn root(&self, size: u64) -> Hash {
            root(size, |node| self.nodes.get(&node).copied()).expect("nodes")
        }

        fn hashes(&self, parts: Vec<Part>) -> Vec<Hash> {
            let hash = |part: Part| part.hash(|node| self.nodes.get(&node).copied()).expect("nodes");
            parts.into_iter().map(hash).collect()
        }
    }

    /// RFC 9162 §2.1.1, word for word.
    fn merkle_tree_hash(entries: &[Vec<u8>]) -> Hash {
        match entries {
            [] => edge(0).hash(|_| None).expect("nothing is needed"),
            [entry] => leaf_hash(entry),
            _ => {
                let mut k = 1;
                while k * 2 < entries.len() {
                    k *= 2;
                }
                parent(&merkle_tree_hash(&entries[..k]), &merkle_tree_hash(&entries[k..]))
            }
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
            .collect()
    }

    /// The test vectors of the reference implementation of RFC 6962 (certificate-transparency,
    /// merkletree/merkle_tree_test.cc): eight entries, the roots of all trees of them.
    #[test]
    fn rfc6962_roots() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let log = Log::of(&entries.map(hex));
        for (size, expected) in (0..).zip(roots) {
            assert_eq!(log.root(size).to_vec(), hex(expected), "{size}");
        }
    }

    /// The same set's proofs.
    #[test]
    fn rfc6962_proofs() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let log = Log::of(&entries.map(hex));
        let check = |parts: Vec<Part>, expected: &[&str]| {
            let hashes: Vec<Vec<u8>> = log.hashes(parts).iter().map(|hash| hash.to_vec()).collect();
            assert_eq!(hashes, expected.iter().map(|hash| hex(hash)).collect::<Vec<_>>());
        };
        check(inclusion(0, 1).expect("in it"), &[]);
        check(
            inclusion(0, 8).expect("in it"),
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        );
        check(
            inclusion(5, 8).expect("in it"),
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        );
        check(
            inclusion(2, 3).expect("in it"),
            &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        );
        check(consistency(1, 1).expect("in it"), &[]);
        check(
            consistency(6, 8).expect("in it"),
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        );
        check(
            consistency(2, 5).expect("in it"),
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        );
        assert_eq!((inclusion(8, 8), consistency(9, 8)), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_proven_verifies_and_nothing_else(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 1..70),
            a: prop::sample::Index,
            b: prop::sample::Index,
            flip: prop::sample::Index,
        ) {
            let (log, size) = (Log::of(&entries), entries.len() as u64);
            let root = log.root(size);
            prop_assert_eq!(root, merkle_tree_hash(&entries));
            prop_assert!(log.nodes.len() < 2 * entries.len());
            let index = a.index(entries.len()) as u64;
            let leaf = leaf_hash(&entries[index as usize]);
            let proof = log.hashes(inclusion(index, size).expect("in it"));
            prop_assert!(is_included(&leaf, index, size, &proof, &root));
            prop_assert!(!is_included(&leaf_hash(b"another"), index, size, &proof, &root));
            prop_assert!(!is_included(&leaf, index, size, &proof, &leaf_hash(b"another")));
            let old = b.index(entries.len() + 1) as u64;
            let old_root = log.root(old);
            prop_assert_eq!(old_root, merkle_tree_hash(&entries[..old as usize]));
            let steps = log.hashes(consistency(old, size).expect("in it"));
            prop_assert!(is_consistent((old, &old_root), (size, &root), &steps));
            if old > 0 {
                prop_assert!(!is_consistent((old, &leaf_hash(b"another")), (size, &root), &steps));
                prop_assert!(!is_consistent((old, &old_root), (size, &leaf_hash(b"another")), &steps));
            }
            let flipped = |proof: &[Hash]| {
                let mut wrong = proof.to_vec();
                wrong[flip.index(proof.len())][0] ^= 1;
                wrong
            };
            if !proof.is_empty() {
                prop_assert!(!is_included(&leaf, index, size, &flipped(&proof), &root));
            }
            if !steps.is_empty() {
                prop_assert!(!is_consistent((old, &old_root), (size, &root), &flipped(&steps)));
            }
        }

        #[test]
        fn nothing_that_is_sent_breaks_a_verifier(
            index: u64, size: u64, old: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..70), root: [u8; 32],
        ) {
            prop_assert!(!is_included(&[7; 32], index, size, &proof, &root));
            prop_assert!(old == 0 || !is_consistent((old, &[7; 32]), (size, &root), &proof));
        }
    }
}

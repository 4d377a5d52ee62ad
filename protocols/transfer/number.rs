//! Numbers for messages whose source has none.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// A message is known by its bytes; of equal ones, the first, the second and so on are told apart.
/// So a file may be moved, and messages added and removed, and each of them is still imported once.
#[derive(Default)]
pub(crate) struct Numbers(HashMap<u64, u64>);

impl Numbers {
    pub(crate) fn of(&mut self, parts: &[&[u8]]) -> u64 {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        let first = number(&hasher.clone().finalize());
        let count = self.0.entry(first).or_default();
        *count += 1;
        if *count == 1 {
            return first;
        }
        hasher.update(count.to_be_bytes());
        number(&hasher.finalize())
    }
}

/// 63 bits: the database's integers are signed.
fn number(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_messages_are_told_apart() {
        let (mut first, mut second) = (Numbers::default(), Numbers::default());
        let found: Vec<u64> = [&b"a"[..], b"b", b"a"].iter().map(|body| first.of(&[body])).collect();
        assert!(found[0] != found[1] && found[0] != found[2]);
        assert_eq!(
            [second.of(&[b"", b"a"]), second.of(&[b"a"]), second.of(&[b"b"])],
            [found[0], found[2], found[1]]
        );
    }
}

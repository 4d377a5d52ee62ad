//! Terms of the search index: the three bytes at every place of a folded text, hashed to 16 bits,
//! with headers and bodies apart.
//!
//! If a text contains a needle it has all the needle's terms. What has them all may contain it: the
//! text decides.

use super::texts::{Place, Sink};

/// Terms of a header begin here; below are those of a body.
const HEADER: u32 = hub_storage::TERMS / 2;

/// Terms of a needle that are asked for. Each costs a few KB of reading per segment, and eight
/// leave next to nothing over.
const ASKED: usize = 8;

/// Any three bytes to 16 bits.
fn hash(three: u32) -> u32 {
    // The golden ratio in 32 bits; the upper half of a product depends on all bits.
    three.wrapping_mul(0x9e37_79b9) >> 16
}

const fn offset(place: Place) -> u32 {
    match place {
        Place::Body => 0,
        Place::Header => HEADER,
    }
}

/// The terms that a text must have at this place to contain the folded needle; none if the needle
/// is too short to have one.
pub(super) fn of_needle(needle: &str, place: Place) -> Vec<u32> {
    let mut threes: Vec<&[u8]> = needle.as_bytes().windows(3).collect();
    threes.sort_by_key(|three| std::cmp::Reverse(three.iter().map(|byte| rarity(*byte)).sum::<u32>()));
    threes.truncate(ASKED);
    let term = |three: &[u8]| {
        offset(place) + hash(three.iter().fold(0, |joined, byte| joined << 8 | u32::from(*byte)))
    };
    let mut terms: Vec<u32> = threes.into_iter().map(term).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// How telling a byte is, roughly, in text of any language.
fn rarity(byte: u8) -> u32 {
    match byte {
        b' ' | b'a' | b'd' | b'e' | b'h' | b'i' | b'l' | b'n' | b'o' | b'r' | b's' | b't' => 0,
        b'0'..=b'9' | b'j' | b'k' | b'q' | b'v'..=b'z' | 0x80.. => 2,
        _ => 1,
    }
}

/// Gathers the terms of one message.
pub(super) struct Terms {
    bits: Vec<u64>,
    offset: u32,
    /// The last two bytes, and how many of them this text has had.
    last: u32,
    seen: usize,
}

impl Terms {
    pub(super) fn new() -> Self {
        Self { bits: vec![0; hub_storage::TERMS as usize / 64], offset: 0, last: 0, seen: 0 }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.bits.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}

impl Sink for Terms {
    fn begin(&mut self, place: Place) {
        self.offset = offset(place);
        self.seen = 0;
    }

    fn piece(&mut self, folded: &str) {
        let bytes = folded.as_bytes();
        let (first, rest) = bytes.split_at(bytes.len().min(2 - self.seen));
        self.seen += first.len();
        let mut three = first.iter().fold(self.last, |joined, byte| joined << 8 | u32::from(*byte));
        for byte in rest {
            three = (three << 8 | u32::from(*byte)) & 0xff_ffff;
            let term = self.offset + hash(three);
            self.bits[term as usize / 64] |= 1 << (term % 64);
        }
        self.last = three & 0xffff;
    }

    fn is_satisfied(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What the index rests on.
        #[test]
        fn a_text_has_the_terms_of_what_it_contains(
            text in "[ -~äöü世界]{0,60}", start in 0usize..60, end in 0usize..60, cut in 0usize..60, header: bool,
        ) {
            let place = if header { Place::Header } else { Place::Body };
            let text = hub_mime::fold(&text);
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let (start, end, cut) = (boundary(start.min(end)), boundary(start.max(end)), boundary(cut));
            let mut terms = Terms::new();
            terms.begin(place);
            terms.piece(&text[..cut]);
            terms.piece(&text[cut..]);
            let all: Vec<u32> = terms.iter().collect();
            prop_assert!(of_needle(&text[start..end], place).iter().all(|term| all.binary_search(term).is_ok()));
        }
    }

    #[test]
    fn places_are_apart() {
        let mut terms = Terms::new();
        terms.begin(Place::Header);
        terms.piece("needle");
        terms.begin(Place::Body);
        terms.piece("other");
        let all: Vec<u32> = terms.iter().collect();
        assert_eq!(all.len(), 4 + 3);
        assert!(of_needle("needle", Place::Header).iter().all(|term| all.contains(term)));
        assert!(of_needle("needle", Place::Body).iter().all(|term| !all.contains(term)));
    }

    #[test]
    fn short_needles_have_none() {
        assert!(of_needle("", Place::Body).is_empty());
        assert!(of_needle("ab", Place::Body).is_empty());
        assert_eq!(of_needle("abc", Place::Body).len(), 1);
        assert!(of_needle(&"needle in a haystack ".repeat(10), Place::Body).len() <= ASKED);
    }
}

//! The twin's own dictionary: in how many good and in how many junk messages each token was.
//!
//! It is bounded twice. Rare tokens give way when there are too many, and when many messages were
//! learned all counts are halved, so that what was learned lately counts more.

use hub_storage::varint::{put_varint, take_varint};
use std::collections::HashMap;

use super::tokens::Tokens;

/// Tokens at most; 10 bytes of memory each, about half of that in the database.
const MOST_TOKENS: usize = 50_000;
/// Messages after which counts are halved.
const OLD: u32 = 4_000;
const VERSION: u8 = 1;

/// What a message is to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Good,
    Junk,
}

/// A message to be learned: what it was taken for before, and what it is.
pub(crate) struct Lesson {
    pub(crate) tokens: Tokens,
    pub(crate) before: Option<Class>,
    pub(crate) now: Option<Class>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    token: u32,
    good: u16,
    junk: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Messages learned.
    good: u32,
    junk: u32,
    /// Ascending by token.
    counts: Vec<Count>,
}

/// Changes to a count.
#[derive(Clone, Copy, Default)]
struct Change {
    good: i32,
    junk: i32,
}

impl Change {
    fn add(&mut self, class: Option<Class>, by: i32) {
        match class {
            Some(Class::Good) => self.good += by,
            Some(Class::Junk) => self.junk += by,
            None => {}
        }
    }
}

impl Words {
    pub(crate) fn good(&self) -> u32 {
        self.good
    }

    pub(crate) fn junk(&self) -> u32 {
        self.junk
    }

    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Learns messages, or takes back what was learned of them. Returns true if counts were halved:
    /// then nothing that was learned before can be taken back.
    pub(crate) fn learn(&mut self, lessons: &[Lesson]) -> bool {
        let mut total = Change::default();
        let mut changes: HashMap<u32, Change> = HashMap::new();
        for lesson in lessons {
            total.add(lesson.before, -1);
            total.add(lesson.now, 1);
            for token in lesson.tokens.iter() {
                let change = changes.entry(token).or_default();
                change.add(lesson.before, -1);
                change.add(lesson.now, 1);
            }
        }
        self.good = self.good.saturating_add_signed(total.good);
        self.junk = self.junk.saturating_add_signed(total.junk);
        self.merge(changes);
        self.forget_rare();
        let is_old = self.good.saturating_add(self.junk) > OLD;
        if is_old {
            self.halve();
        }
        is_old
    }

    fn merge(&mut self, changes: HashMap<u32, Change>) {
        let mut changes: Vec<(u32, Change)> = changes.into_iter().collect();
        changes.sort_unstable_by_key(|(token, _)| *token);
        let old = std::mem::take(&mut self.counts);
        self.counts.reserve(old.len() + changes.len());
        let mut old = old.into_iter().peekable();
        for (token, change) in changes {
            while let Some(count) = old.next_if(|count| count.token < token) {
                self.counts.push(count);
            }
            let before = old.next_if(|count| count.token == token);
            let Count { good, junk, .. } = before.unwrap_or_default();
            let count = Count { token, good: changed(good, change.good), junk: changed(junk, change.junk) };
            if (count.good, count.junk) != (0, 0) {
                self.counts.push(count);
            }
        }
        self.counts.extend(old);
        self.counts.shrink_to_fit();
    }

    /// The rarest go first, half of those equally rare at a time.
    fn forget_rare(&mut self) {
        let mut rarity = 1;
        while self.counts.len() > MOST_TOKENS {
            for half in 0..2 {
                self.counts.retain(|count| count.total() > rarity || count.token % 2 == half);
                if self.counts.len() <= MOST_TOKENS / 8 * 7 {
                    return;
                }
            }
            rarity += 1;
        }
    }

    fn halve(&mut self) {
        self.good /= 2;
        self.junk /= 2;
        for count in &mut self.counts {
            count.good /= 2;
            count.junk /= 2;
        }
        self.counts.retain(|count| count.total() > 0);
    }

    /// How probable it is that a message with this token is junk, if both are equally frequent; and in
    /// how many messages it was. `None` for what was never seen.
    pub(super) fn probability(&self, token: u32) -> Option<(f64, f64)> {
        let at = self.counts.binary_search_by_key(&token, |count| count.token).ok()?;
        let count = self.counts[at];
        let share = |part: u16, all: u32| f64::from(part) / f64::from(all.max(1));
        let (good, junk) = (share(count.good, self.good), share(count.junk, self.junk));
        (good + junk > 0.0).then(|| (junk / (good + junk), f64::from(count.total())))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.counts.len() * 5);
        out.push(VERSION);
        put_varint(&mut out, u64::from(self.good));
        put_varint(&mut out, u64::from(self.junk));
        let mut before = 0;
        for count in &self.counts {
            put_varint(&mut out, u64::from(count.token - before));
            put_varint(&mut out, u64::from(count.good));
            put_varint(&mut out, u64::from(count.junk));
            before = count.token;
        }
        out
    }

    /// `None` if the bytes are damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, mut rest) = bytes.split_first()? else { return None };
        let mut number = || take_varint(&mut rest);
        let (good, junk) = (u32::try_from(number()?).ok()?, u32::try_from(number()?).ok()?);
        let mut words = Self { good, junk, counts: Vec::new() };
        let mut before = 0u32;
        while !rest.is_empty() {
            let mut number = || take_varint(&mut rest);
            let token = before.checked_add(u32::try_from(number()?).ok()?)?;
            let good = u16::try_from(number()?).ok()?;
            let junk = u16::try_from(number()?).ok()?;
            words.counts.push(Count { token, good, junk });
            before = token;
        }
        let is_sound =
            words.counts.len() <= MOST_TOKENS && words.counts.is_sorted_by(|a, b| a.token < b.token);
        is_sound.then_some(words)
    }
}

impl Count {
    fn total(self) -> u32 {
        u32::from(self.good) + u32::from(self.junk)
    }
}

fn changed(count: u16, by: i32) -> u16 {
    u16::try_from(i32::from(count).saturating_add(by).max(0)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lesson(tokens: &[u32], before: Option<Class>, now: Option<Class>) -> Lesson {
        Lesson { tokens: tokens.iter().copied().collect(), before, now }
    }

    fn class() -> impl Strategy<Value = Class> {
        prop_oneof![Just(Class::Good), Just(Class::Junk)]
    }

    proptest! {
        #[test]
        fn what_is_learned_and_taken_back_was_never_there(
            known in proptest::collection::vec((proptest::collection::vec(0u32..200, 0..20), class()), 0..20),
            tokens in proptest::collection::vec(0u32..400, 0..40),
            (as_this, as_that) in (class(), class()),
        ) {
            let mut words = Words::default();
            let lessons: Vec<_> = known.iter().map(|(t, c)| lesson(t, None, Some(*c))).collect();
            words.learn(&lessons);
            let before = words.clone();
            words.learn(&[lesson(&tokens, None, Some(as_this))]);
            words.learn(&[lesson(&tokens, Some(as_this), Some(as_that))]);
            words.learn(&[lesson(&tokens, Some(as_that), None)]);
            prop_assert_eq!(&words, &before);
            prop_assert_eq!(Words::decode(&words.encode()), Some(words));
        }

        #[test]
        fn damaged_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Words::decode(&bytes);
        }
    }

    #[test]
    fn the_dictionary_is_bounded_and_keeps_what_is_frequent() {
        let mut words = Words::default();
        let frequent: Vec<u32> = (0..1_000).map(|n| n * 4_000_000).collect();
        for round in 0..40u32 {
            let rare = (0..1_500).map(|n| (round * 1_500 + n).wrapping_mul(2_654_435_761));
            let tokens: Vec<u32> = frequent.iter().copied().chain(rare).collect();
            words.learn(&[lesson(&tokens, None, Some(Class::Junk))]);
            assert!(words.len() <= MOST_TOKENS);
        }
        assert!(frequent.iter().all(|token| words.probability(*token).is_some()));
        assert!(words.encode().len() <= words.len() * 6 + 16);
    }

    #[test]
    fn counts_are_halved_when_much_was_learned() {
        let mut words = Words::default();
        for n in 0..OLD {
            assert!(!words.learn(&[lesson(&[1, n + 10], None, Some(Class::Junk))]));
        }
        assert!(words.learn(&[lesson(&[1], None, Some(Class::Good))]));
        assert_eq!((words.good(), words.junk()), (0, OLD / 2));
        assert_eq!(words.len(), 1, "what was seen once is forgotten");
    }
}

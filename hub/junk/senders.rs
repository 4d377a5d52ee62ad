//! What a twin's mail says of those who send it: how many of their messages were good and junk, and
//! whether the twin writes to them.
//!
//! Only authenticated names are counted, because anybody can write any other into From: the domain
//! that vouches for a message, and the author's address in it. Names are kept as hashes.

use super::words::Class;
use hub_storage::varint::{put_varint, take_varint};

/// Senders of one twin that are remembered; who was not heard of for longest is forgotten first, and
/// of these those that the twin never wrote to.
const MOST: usize = 4_096;
const VERSION: u8 = 1;

/// Hash of an address or of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SenderKey(u64);

impl SenderKey {
    pub(crate) fn address(address: &str) -> Self {
        Self(super::fnv(address.to_lowercase().bytes()))
    }

    pub(crate) fn domain(domain: &str) -> Self {
        Self(super::fnv(b"@".iter().copied().chain(domain.to_lowercase().bytes())))
    }
}

/// Messages by class, and messages sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reputation {
    pub(crate) good: u16,
    pub(crate) junk: u16,
    pub(crate) sent: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sender {
    key: SenderKey,
    reputation: Reputation,
    /// Days since 1970.
    last: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Senders(Vec<Sender>);

impl Senders {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them the twin has written to.
    pub(crate) fn correspondents(&self) -> usize {
        self.0.iter().filter(|sender| sender.reputation.sent > 0).count()
    }

    pub(crate) fn of(&self, key: SenderKey) -> Reputation {
        let at = self.0.binary_search_by_key(&key, |sender| sender.key);
        at.map(|at| self.0[at].reputation).unwrap_or_default()
    }

    /// The twin has sent a message to this address on this day.
    pub(crate) fn wrote_to(&mut self, key: SenderKey, day: u32) {
        let sender = self.entry(key, day);
        sender.reputation.sent = sender.reputation.sent.saturating_add(1);
    }

    /// A message of this sender was taken for `before` and is `now`.
    pub(crate) fn learn(&mut self, key: SenderKey, before: Option<Class>, now: Option<Class>, day: u32) {
        let Reputation { good, junk, .. } = &mut self.entry(key, day).reputation;
        match before {
            Some(Class::Good) => *good = good.saturating_sub(1),
            Some(Class::Junk) => *junk = junk.saturating_sub(1),
            None => {}
        }
        let count = match now {
            Some(Class::Good) => good,
            Some(Class::Junk) => junk,
            None => return,
        };
        *count = count.saturating_add(1);
    }

    fn entry(&mut self, key: SenderKey, day: u32) -> &mut Sender {
        let at = match self.0.binary_search_by_key(&key, |sender| sender.key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, Sender { key, reputation: Reputation::default(), last: day });
                at
            }
        };
        let sender = &mut self.0[at];
        sender.last = sender.last.max(day);
        sender
    }

    /// Keeps within bounds; to be called before it is written.
    pub(crate) fn tidy(&mut self) {
        self.0.retain(|sender| sender.reputation != Reputation::default());
        if self.0.len() <= MOST {
            return;
        }
        self.0.sort_unstable_by_key(|sender| std::cmp::Reverse((sender.reputation.sent > 0, sender.last)));
        self.0.truncate(MOST / 8 * 7);
        self.0.sort_unstable_by_key(|sender| sender.key);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for Sender { key, reputation, last } in &self.0 {
            out.extend_from_slice(&key.0.to_be_bytes());
            for number in [u32::from(reputation.good), reputation.junk.into(), reputation.sent.into(), *last]
            {
                put_varint(&mut out, u64::from(number));
            }
        }
        out
    }

    /// `None` if the bytes are damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, mut rest) = bytes.split_first()? else { return None };
        let mut senders = Vec::new();
        while let Some((key, after)) = rest.split_first_chunk::<8>() {
            rest = after;
            let mut number = || u16::try_from(take_varint(&mut rest)?).ok();
            let reputation = Reputation { good: number()?, junk: number()?, sent: number()? };
            let last = u32::try_from(take_varint(&mut rest)?).ok()?;
            senders.push(Sender { key: SenderKey(u64::from_be_bytes(*key)), reputation, last });
        }
        let is_sound = rest.is_empty() && senders.is_sorted_by(|a, b| a.key < b.key);
        is_sound.then_some(Self(senders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_learned_can_be_taken_back() {
        let mut senders = Senders::default();
        let shop = SenderKey::domain("Shop.example");
        senders.learn(shop, None, Some(Class::Junk), 20_000);
        senders.learn(shop, Some(Class::Junk), Some(Class::Good), 20_001);
        assert_eq!(senders.of(SenderKey::domain("shop.example")), Reputation { good: 1, junk: 0, sent: 0 });
        assert_eq!(senders.of(SenderKey::address("shop.example")), Reputation::default());
        senders.learn(shop, Some(Class::Good), None, 20_001);
        senders.tidy();
        assert_eq!(senders.len(), 0);
    }

    #[test]
    fn correspondents_are_kept_longest() {
        let mut senders = Senders::default();
        let friend = SenderKey::address("friend@old.example");
        senders.wrote_to(friend, 100);
        for n in 0..10_000u32 {
            senders.learn(SenderKey::domain(&format!("d{n}.example")), None, Some(Class::Good), 1_000 + n);
        }
        senders.tidy();
        assert_eq!((senders.len(), senders.correspondents()), (MOST / 8 * 7, 1));
        assert_eq!(senders.of(friend).sent, 1);
        assert_eq!(senders.of(SenderKey::domain("d9999.example")).good, 1);
        assert_eq!(senders.of(SenderKey::domain("d0.example")).good, 0);
        assert!(senders.encode().len() < 16 * MOST);
    }

    proptest! {
        #[test]
        fn senders_are_read_back(names in proptest::collection::vec(("[a-e]{1,2}", 0u32..50_000), 0..30)) {
            let mut senders = Senders::default();
            for (name, day) in names {
                senders.wrote_to(SenderKey::address(&name), day);
            }
            prop_assert_eq!(Senders::decode(&senders.encode()), Some(senders));
        }

        #[test]
        fn damaged_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Senders::decode(&bytes);
        }
    }
}

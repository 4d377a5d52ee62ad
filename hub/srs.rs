//! The sender rewriting scheme: a message that is passed on leaves with a reverse-path of ours, so that
//! SPF holds, and a bounce to it finds home. Pure.
//!
//! ```text
//! SRS0=hash=day=domain=local@ours              of local@domain
//! SRS1=hash=first==hash=day=domain=local@ours  of SRS0=hash=day=domain=local@first
//! ```
//! The hash keeps strangers from sending through us, the day makes an address useless after a while. An
//! address that was rewritten before is not wrapped again and again: SRS1 only names who did it first,
//! and a bounce goes there.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Address, Result};

/// Characters of a hash: 40 bits, which nobody can guess through a mail server. In letters without
/// case, because some servers change it.
const HASH: usize = 8;
/// Days that an address of ours is good for: longer than any queue keeps a message.
const GOOD_FOR: i64 = 21;
/// Days are counted modulo two characters.
const DAYS: i64 = 32 * 32;
/// RFC 4648 §6
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Rewrites for one domain of ours.
pub struct Srs {
    key: [u8; 32],
    domain: String,
}

impl Srs {
    pub fn new(key: [u8; 32], domain: &str) -> Self {
        Self { key, domain: domain.to_owned() }
    }

    /// True if it looks like a rewritten address, whoever made it.
    pub fn is_rewritten(address: &Address) -> bool {
        ["SRS0", "SRS1"].iter().any(|tag| tagged(address.local(), tag).is_some())
    }

    /// The reverse-path of a message that is passed on, at `now` in Unix seconds. `Invalid` if it
    /// becomes too long for an address (RFC 5321 §4.5.3.1.1), or needs quotation marks.
    pub fn forward(&self, reverse_path: &Address, now: i64) -> Result<Address> {
        if reverse_path.domain() == self.domain {
            return Ok(reverse_path.clone());
        }
        let (local, domain) = (reverse_path.local(), reverse_path.domain());
        let rewritten = match (tagged(local, "SRS0"), tagged(local, "SRS1")) {
            // The separator after the tag is the first forwarder's choice; it stays.
            (Some(rest), _) => self.second(domain, rest),
            // hash=first=rest: the hash was another's.
            (None, Some(rest)) => match rest[1..].splitn(3, '=').collect::<Vec<_>>()[..] {
                [_, first, rest] => self.second(first, rest),
                _ => self.first(local, domain, now),
            },
            (None, None) => self.first(local, domain, now),
        };
        Address::parse(&format!("{rewritten}@{}", self.domain))
    }

    /// Who is behind an address of ours; `None` if it is not one, is forged, or too old.
    pub fn reverse(&self, address: &Address, now: i64) -> Option<Address> {
        if address.domain() != self.domain {
            return None;
        }
        let local = address.local();
        if let Some(rest) = tagged(local, "SRS0").and_then(|rest| rest.strip_prefix('=')) {
            let [hash, day, domain, local] = rest.splitn(4, '=').collect::<Vec<_>>()[..] else { return None };
            let is_good = self.hash(&[day, domain, local]).eq_ignore_ascii_case(hash) && is_fresh(day, now);
            return is_good.then(|| Address::parse(&format!("{local}@{domain}")).ok())?;
        }
        let rest = tagged(local, "SRS1").and_then(|rest| rest.strip_prefix('='))?;
        let [hash, first, rest] = rest.splitn(3, '=').collect::<Vec<_>>()[..] else { return None };
        let is_good = self.hash(&[first, rest]).eq_ignore_ascii_case(hash);
        is_good.then(|| Address::parse(&format!("SRS0{rest}@{first}")).ok())?
    }

    fn first(&self, local: &str, domain: &str, now: i64) -> String {
        let day = day(now);
        let hash = self.hash(&[&day, domain, local]);
        format!("SRS0={hash}={day}={domain}={local}")
    }

    fn second(&self, first: &str, rest: &str) -> String {
        let hash = self.hash(&[first, rest]);
        format!("SRS1={hash}={first}={rest}")
    }

    /// Of all parts in lower case, since the way back may change case.
    fn hash(&self, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part.to_lowercase().as_bytes());
            mac.update(&[0]);
        }
        let bytes = mac.finalize().into_bytes();
        let bits = bytes.iter().take(5).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..HASH).rev().map(|n| char::from(BASE32[(bits >> (5 * n) & 31) as usize])).collect()
    }
}

/// What stands behind a tag, with the separator that follows it.
fn tagged<'a>(local: &'a str, tag: &str) -> Option<&'a str> {
    let (head, rest) = local.split_at_checked(tag.len())?;
    (head.eq_ignore_ascii_case(tag) && rest.starts_with(['=', '-', '+'])).then_some(rest)
}

fn day(now: i64) -> String {
    let day = now.div_euclid(86_400).rem_euclid(DAYS) as usize;
    [BASE32[day / 32], BASE32[day % 32]].map(char::from).iter().collect()
}

fn is_fresh(text: &str, now: i64) -> bool {
    let digit = |byte: &u8| BASE32.iter().position(|known| known.eq_ignore_ascii_case(byte));
    let [high, low] = text.as_bytes() else { return false };
    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
    let then = (high * 32 + low) as i64;
    let age = (now.div_euclid(86_400) - then).rem_euclid(DAYS);
    // A day ahead: clocks differ.
    age <= GOOD_FOR || age == DAYS - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_564_800;
    const DAY: i64 = 86_400;

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    fn srs(domain: &str) -> Srs {
        Srs::new([7; 32], domain)
    }

    #[test]
    fn there_and_back() {
        let ours = srs("b.example");
        for path in ["alice@a.example", "a=b+c@a.example", "SRS0x@a.example"] {
            let path = address(path);
            let rewritten = ours.forward(&path, NOW).expect("rewritten");
            assert_eq!(rewritten.domain(), "b.example");
            assert!(rewritten.local().starts_with("SRS0="), "{rewritten}");
            assert_eq!(ours.reverse(&rewritten, NOW + GOOD_FOR * DAY).as_ref(), Some(&path), "{rewritten}");
            assert_eq!(ours.reverse(&rewritten, NOW + (GOOD_FOR + 1) * DAY), None, "too old");
            let lower = address(&rewritten.key());
            assert_eq!(ours.reverse(&lower, NOW).map(|back| back.key()), Some(path.key()), "{lower}");
        }
        let own = address("bob@b.example");
        assert_eq!(ours.forward(&own, NOW).expect("as it is"), own);
    }

    #[test]
    fn a_chain_goes_back_to_who_was_first() {
        let (first, second, third) = (srs("b.example"), srs("c.example"), srs("d.example"));
        let path = address("alice@a.example");
        let once = first.forward(&path, NOW).expect("rewritten");
        let twice = second.forward(&once, NOW).expect("rewritten");
        let thrice = third.forward(&twice, NOW).expect("rewritten");
        assert!(twice.local().starts_with("SRS1=") && thrice.local().starts_with("SRS1="), "{thrice}");
        assert_eq!(third.reverse(&thrice, NOW).as_ref(), Some(&once), "past c.example");
        assert_eq!(second.reverse(&twice, NOW).as_ref(), Some(&once));
        assert_eq!(first.reverse(&once, NOW), Some(path));
    }

    #[test]
    fn forgeries_lead_nowhere() {
        let ours = srs("b.example");
        let good = ours.forward(&address("alice@a.example"), NOW).expect("rewritten");
        for forged in [
            good.to_string().replace("alice", "eve"),
            good.to_string().replace("a.example", "e.example"),
            good.to_string().replace("b.example", "e.example"),
            "SRS0=AAAAAAAA=AA=a.example=alice@b.example".into(),
            "SRS0=AAAAAAAA@b.example".into(),
            "SRS1=AAAAAAAA=x@b.example".into(),
            "SRS1=AAAAAAAA=a.example==A=A=b.example=c@b.example".into(),
            "SRS0@b.example".into(),
            "alice@b.example".into(),
        ] {
            assert_eq!(ours.reverse(&address(&forged), NOW), None, "{forged}");
        }
        assert_eq!(Srs::new([8; 32], "b.example").reverse(&good, NOW), None, "another hub's key");
        let long = address(&format!("{}@a.example", "x".repeat(60)));
        assert!(ours.forward(&long, NOW).is_err());
    }
}

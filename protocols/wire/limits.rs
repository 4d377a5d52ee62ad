//! How much one address may ask for: connections at a time and per minute, and log-in attempts after
//! failed ones; and how many connections one account has. Everything here has a
//! fixed size, whatever strangers do.

mod accounts;
mod buckets;

pub use accounts::{AccountPlace, AccountPlaces};
pub use buckets::{Buckets, Rate};

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{ListenOptions, Networks};

/// What is counted as one client: an IPv4 address, or an IPv6 /64, which is what one customer of a
/// provider gets at least (RFC 6177) and can change addresses within at will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// True for those whom no limit is for: this machine, and the owner's own networks.
pub fn is_spared(networks: &Networks, ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback() || networks.contains(ip)
}

/// Counts the open connections of one listener. At most `max_connections` clients are remembered.
#[derive(Clone)]
pub(crate) struct ConnectionLimits(Arc<Counts>);

struct Counts {
    max_connections: usize,
    max_per_address: usize,
    /// `None` is no limit.
    rate: Option<Buckets>,
    spared: Networks,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_client: HashMap<Client, usize>,
}

/// A connection's place under the limits; dropping it frees the place.
pub(crate) struct Place {
    counts: Arc<Counts>,
    client: Option<Client>,
}

impl ConnectionLimits {
    pub(crate) fn new(options: &ListenOptions) -> Self {
        Self(Arc::new(Counts {
            max_connections: options.max_connections,
            max_per_address: options.max_per_address,
            rate: Rate::per_minute(options.max_per_minute).map(Buckets::new),
            spared: options.spared.clone(),
            open: Mutex::default(),
        }))
    }

    /// Takes a place, or says which limit forbids it.
    pub(crate) fn enter(&self, ip: IpAddr) -> Result<Place, &'static str> {
        let mut place = self.enter_unnamed()?;
        place.name(ip)?;
        Ok(place)
    }

    /// The same for a proxy, who will say for whom.
    pub(crate) fn enter_unnamed(&self) -> Result<Place, &'static str> {
        let mut open = lock(&self.0.open);
        if open.total >= self.0.max_connections {
            return Err("connections of this listener");
        }
        open.total += 1;
        Ok(Place { counts: Arc::clone(&self.0), client: None })
    }
}

impl Place {
    /// Counts it for this address, or says which limit forbids it.
    pub(crate) fn name(&mut self, ip: IpAddr) -> Result<(), &'static str> {
        if is_spared(&self.counts.spared, ip) {
            return Ok(());
        }
        let client = Client::from(ip);
        if let Some(rate) = &self.counts.rate
            && rate.take(client, 1).is_err()
        {
            return Err("connections from one address within a minute");
        }
        let mut open = lock(&self.counts.open);
        let count = open.by_client.get(&client).copied().unwrap_or(0);
        if count >= self.counts.max_per_address {
            return Err("connections from one address");
        }
        open.by_client.insert(client, count + 1);
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.counts.open);
        open.total -= 1;
        if let Some(client) = self.client
            && let Some(count) = open.by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                open.by_client.remove(&client);
            }
        }
    }
}

/// Slows down the guessing of passwords: the more attempts failed from an address (or for an
/// account), the longer the next one has to wait. Nobody is locked out: the longest wait is
/// 15 seconds for an address and 2 seconds for an account (an attacker must not keep the owner
/// out), and loopback and other spared addresses, behind which a proxy may sit, never wait as
/// addresses.
///
/// The table has a fixed size (8,192 entries, 256 KiB); when a row of it is full, the entry with
/// the fewest failures gives way. Failures are forgotten ten minutes after the last one.
pub struct LoginDelay {
    spared: Networks,
    hasher: RandomState,
    started: Instant,
    slots: Mutex<Box<[Slot]>>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Keyed hash of who it is about; nobody outside can make two collide on purpose.
    fingerprint: u64,
    failures: u32,
    /// Time since `started`.
    last_failure: Duration,
}

const ROWS: usize = 2048;
const ROW: usize = 4;
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// A person mistypes once or twice.
const FREE_FAILURES: u32 = 2;
const LONGEST_FOR_ADDRESS: Duration = Duration::from_secs(15);
const LONGEST_FOR_ACCOUNT: Duration = Duration::from_secs(2);

impl Default for LoginDelay {
    fn default() -> Self {
        Self::new()
    }
}

impl LoginDelay {
    pub fn new() -> Self {
        Self::sparing(Networks::default())
    }

    /// Of addresses in these networks nobody ever waits.
    pub fn sparing(spared: Networks) -> Self {
        Self {
            spared,
            hasher: RandomState::new(),
            started: Instant::now(),
            slots: Mutex::new(vec![Slot::default(); ROWS * ROW].into_boxed_slice()),
        }
    }

    /// How long to wait before the next attempt from `ip` is looked at. Await it as a timer: it
    /// must cost the attacker time, not the server a thread.
    pub fn delay(&self, ip: IpAddr) -> Duration {
        self.delay_at(ip, self.started.elapsed())
    }

    /// Waits as long as earlier failures from `ip` or for `login` demand.
    pub async fn wait(&self, ip: Option<IpAddr>, login: &str) {
        let of_address = ip.map_or(Duration::ZERO, |ip| self.delay(ip));
        let delay = of_address.max(self.account_delay(login));
        // A sleep of nothing takes the timer's millisecond.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    pub fn failed(&self, ip: IpAddr) {
        self.failed_at(ip, self.started.elapsed());
    }

    pub fn succeeded(&self, ip: IpAddr) {
        self.forget(self.address(ip));
    }

    /// The same for a login name, whoever tries it from however many addresses.
    pub fn account_delay(&self, login: &str) -> Duration {
        let failures = self.failures(self.account(login), self.started.elapsed());
        penalty(failures).min(LONGEST_FOR_ACCOUNT)
    }

    pub fn account_failed(&self, login: &str) {
        self.count(self.account(login), self.started.elapsed());
    }

    pub fn account_succeeded(&self, login: &str) {
        self.forget(self.account(login));
    }

    fn delay_at(&self, ip: IpAddr, now: Duration) -> Duration {
        if is_spared(&self.spared, ip) {
            return Duration::ZERO;
        }
        penalty(self.failures(self.address(ip), now)).min(LONGEST_FOR_ADDRESS)
    }

    fn failed_at(&self, ip: IpAddr, now: Duration) {
        if !is_spared(&self.spared, ip) {
            self.count(self.address(ip), now);
        }
    }

    fn address(&self, ip: IpAddr) -> u64 {
        self.fingerprint(("address", Client::from(ip)))
    }

    fn account(&self, login: &str) -> u64 {
        self.fingerprint(("account", login.to_lowercase()))
    }

    fn fingerprint(&self, who: impl Hash) -> u64 {
        self.hasher.hash_one(who).max(1) // 0 is an empty slot
    }

    fn failures(&self, fingerprint: u64, now: Duration) -> u32 {
        let slots = lock(&self.slots);
        row(&slots, fingerprint)
            .iter()
            .find(|slot| slot.fingerprint == fingerprint)
            .map_or(0, |slot| slot.failures_at(now))
    }

    fn count(&self, fingerprint: u64, now: Duration) {
        let mut slots = lock(&self.slots);
        let row = row_mut(&mut slots, fingerprint);
        let at = row
            .iter()
            .position(|slot| slot.fingerprint == fingerprint)
            .or_else(|| (0..ROW).min_by_key(|&at| (row[at].failures_at(now), row[at].last_failure)))
            .unwrap_or(0);
        let before = if row[at].fingerprint == fingerprint { row[at].failures_at(now) } else { 0 };
        row[at] = Slot { fingerprint, failures: before.saturating_add(1), last_failure: now };
    }

    fn forget(&self, fingerprint: u64) {
        let mut slots = lock(&self.slots);
        for slot in row_mut(&mut slots, fingerprint) {
            if slot.fingerprint == fingerprint {
                *slot = Slot::default();
            }
        }
    }
}

impl Slot {
    fn failures_at(&self, now: Duration) -> u32 {
        if now.saturating_sub(self.last_failure) < FORGET_AFTER { self.failures } else { 0 }
    }
}

/// 1, 2, 4, 8 … seconds from the third failure on.
fn penalty(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None | Some(0) => Duration::ZERO,
        Some(n) => Duration::from_secs(1 << (n - 1).min(5)),
    }
}

fn row(slots: &[Slot], fingerprint: u64) -> &[Slot] {
    let start = (fingerprint % ROWS as u64) as usize * ROW;
    &slots[start..start + ROW]
}

fn row_mut(slots: &mut [Slot], fingerprint: u64) -> &mut [Slot] {
    let start = (fingerprint % ROWS as u64) as usize * ROW;
    &mut slots[start..start + ROW]
}

/// The counts stay right even if a holder panicked: each is changed in one step.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn limits(max_connections: usize, max_per_address: usize) -> ConnectionLimits {
        ConnectionLimits::new(&ListenOptions {
            name: "test",
            implicit_tls: None,
            max_connections,
            max_per_address,
            max_per_minute: 5,
            spared: Networks(Network::parse("198.51.100.0/25").into_iter().collect()),
            proxies: Networks::default(),
            refusal: "",
        })
    }

    #[test]
    fn connections_have_a_rate() {
        let limits = limits(100, 100);
        for _ in 0..5 {
            limits.enter(ip("192.0.2.1")).expect("below the limit");
        }
        let refused = limits.enter(ip("192.0.2.1")).err();
        assert_eq!(refused, Some("connections from one address within a minute"));
        limits.enter(ip("192.0.2.2")).expect("another address");
        for _ in 0..50 {
            limits.enter(ip("127.0.0.1")).expect("loopback");
            limits.enter(ip("198.51.100.3")).expect("a proxy of ours");
        }
    }

    #[test]
    fn connections_are_counted_by_address_and_in_all() {
        let limits = limits(5, 2);
        let first = limits.enter(ip("192.0.2.1")).expect("first");
        let _second = limits.enter(ip("::ffff:192.0.2.1")).expect("second");
        assert_eq!(limits.enter(ip("192.0.2.1")).err(), Some("connections from one address"));
        let _other = limits.enter(ip("192.0.2.2")).expect("another address");
        drop(first);
        let _again = limits.enter(ip("192.0.2.1")).expect("a place became free");
        let _one_64 = limits.enter(ip("2001:db8:0:1::1")).expect("IPv6");
        let _local = limits.enter(ip("127.0.0.1")).expect("fifth");
        assert_eq!(limits.enter(ip("198.51.100.1")).err(), Some("connections of this listener"));
    }

    #[test]
    fn ipv6_clients_are_networks_of_64_bits() {
        let limits = limits(100, 1);
        let _first = limits.enter(ip("2001:db8:0:1::1")).expect("first");
        assert!(limits.enter(ip("2001:db8:0:1:ffff::2")).is_err());
        assert!(limits.enter(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn loopback_is_bound_by_the_total_only() {
        let limits = limits(50, 1);
        let places: Vec<_> =
            (0..50).map(|n| limits.enter(ip(if n % 2 == 0 { "127.0.0.1" } else { "::1" }))).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(limits.enter(ip("127.0.0.1")).is_err());
        drop(places);
        let open = lock(&limits.0.open);
        assert_eq!((open.total, open.by_client.len()), (0, 0));
    }

    #[test]
    fn failures_make_the_next_attempt_wait_longer() {
        let delays = LoginDelay::new();
        let at = Duration::from_secs;
        let mut seen = Vec::new();
        for n in 0..9 {
            seen.push(delays.delay_at(ip("192.0.2.1"), at(n)).as_secs());
            delays.failed_at(ip("192.0.2.1"), at(n));
        }
        assert_eq!(seen, [0, 0, 0, 1, 2, 4, 8, 15, 15]);
        assert_eq!(delays.delay_at(ip("192.0.2.2"), at(9)), Duration::ZERO, "another address");
        assert_eq!(delays.delay_at(ip("192.0.2.1"), at(608)), Duration::ZERO, "forgotten");
        delays.failed_at(ip("192.0.2.1"), at(700));
        assert_eq!(delays.delay_at(ip("192.0.2.1"), at(700)), Duration::ZERO, "counted from one again");
    }

    #[test]
    fn success_clears_the_account_and_the_address() {
        let delays = LoginDelay::new();
        for _ in 0..20 {
            delays.failed(ip("2001:db8::1"));
            delays.account_failed("Alice@example.org");
        }
        assert_eq!(delays.delay(ip("2001:db8::ffff")), LONGEST_FOR_ADDRESS);
        assert_eq!(delays.account_delay("alice@EXAMPLE.org"), LONGEST_FOR_ACCOUNT);
        delays.succeeded(ip("2001:db8::2"));
        delays.account_succeeded("alice@example.org");
        assert_eq!(delays.delay(ip("2001:db8::1")), Duration::ZERO);
        assert_eq!(delays.account_delay("alice@example.org"), Duration::ZERO);
    }

    #[test]
    fn loopback_and_proxies_never_wait() {
        let delays = LoginDelay::sparing(Networks(Network::parse("198.51.100.3").into_iter().collect()));
        for _ in 0..100 {
            delays.failed(ip("127.0.0.1"));
            delays.failed(ip("::1"));
            delays.failed(ip("198.51.100.3"));
        }
        assert_eq!(delays.delay(ip("198.51.100.3")), Duration::ZERO);
        assert_eq!(delays.delay(ip("127.0.0.1")), Duration::ZERO);
        assert_eq!(delays.delay(ip("::1")), Duration::ZERO);
    }

    #[test]
    fn a_flood_of_addresses_does_not_clear_the_worst() {
        let delays = LoginDelay::new();
        for _ in 0..10 {
            delays.failed(ip("192.0.2.1"));
        }
        for n in 0..100_000u32 {
            delays.failed(IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + n)));
        }
        assert_eq!(delays.delay(ip("192.0.2.1")), LONGEST_FOR_ADDRESS);
        assert_eq!(lock(&delays.slots).len(), ROWS * ROW);
    }
}

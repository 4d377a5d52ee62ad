//! First contacts that nobody answers for, on a fresh SQLite storage.

use std::path::Path;
use std::time::Duration;

use hub::*;
use hub_storage::{Database, Options};

const NOW: i64 = 1_900_000_000;
const DELAY: Duration = Duration::from_secs(300);

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

async fn open(folder: &Path) -> Hub {
    let options = Options { data_dir: folder.to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    let settings = Settings::default();
    Hub::open(storage, settings).await.expect("opens")
}

/// Seconds that a message of a stranger has to wait.
async fn wait(hub: &Hub, peer: &str, sender: &str, accounts: &[AccountId], now: i64) -> Option<u64> {
    let verdict = Verdict::new(peer.parse().expect("an address"), "mx.example");
    let sender = Address::parse(sender).ok();
    let wait = hub.put_off(&verdict, sender.as_ref(), accounts, DELAY, now).await.expect("known");
    wait.map(|wait| wait.as_secs())
}

#[tokio::test]
async fn a_restart_delays_nobody_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let hub = open(folder.path()).await;
    let (alice, bob) = (AccountId(1), AccountId(2));
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW).await, Some(300));
    hub.close().await;
    drop(hub);

    let hub = open(folder.path()).await;
    assert_eq!(
        wait(&hub, "192.0.2.9", "a@far.test", &[alice], NOW + 60).await,
        Some(240),
        "the same network"
    );
    assert_eq!(wait(&hub, "192.0.2.1", "b@far.test", &[alice], NOW + 300).await, Some(300), "another sender");
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW + 300).await, None);
    hub.close().await;
    drop(hub);

    let hub = open(folder.path()).await;
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW + 301).await, None, "known");
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[bob], NOW + 301).await, Some(300), "not to bob");
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice, bob], NOW + 302).await, None, "to one of them");
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[bob], NOW + 303).await, None, "so to bob too");
    let month = 30 * 86_400;
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW + month).await, None, "still");
    assert_eq!(wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW + 2 * month).await, None, "from then on");
    assert_eq!(
        wait(&hub, "192.0.2.1", "a@far.test", &[alice], NOW + 4 * month).await,
        Some(300),
        "forgotten"
    );
}

#[tokio::test]
async fn whom_somebody_answers_for_comes_in_at_once() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let hub = open(folder.path()).await;
    let sender = address("a@far.test");
    let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
    verdict.spf.result = AuthResult::Pass;
    verdict.spf.domain = "far.test".into();
    let accounts = [AccountId(1)];
    let put_off = async |verdict: &Verdict, delay| {
        hub.put_off(verdict, Some(&sender), &accounts, delay, NOW).await.expect("known")
    };
    assert_eq!(put_off(&verdict, DELAY).await, None);
    verdict.spf.result = AuthResult::Fail;
    assert_eq!(put_off(&verdict, Duration::ZERO).await, None, "switched off");
    assert_eq!(put_off(&verdict, DELAY).await, Some(DELAY));
    assert_eq!(hub.put_off(&verdict, Some(&sender), &[], DELAY, NOW).await.expect("known"), None);
}

/// A flood of first contacts fills no memory, and makes nobody wait for ever.
#[tokio::test]
async fn a_flood_of_strangers_ends_the_waiting() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let hub = open(folder.path()).await;
    let mut put_off = 0;
    for n in 0..1_500u32 {
        let sender = format!("{}@far.test", "x".repeat(1 + n as usize % 50));
        let peer = std::net::Ipv4Addr::from(0xc000_0000 + (n / 50) * 256).to_string();
        put_off += u32::from(wait(&hub, &peer, &sender, &[AccountId(1)], NOW).await.is_some());
    }
    assert_eq!(put_off, 1_000);
}

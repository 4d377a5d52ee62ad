//! Who the hub's twins are.

use hub::identity::{History, Merged, Record, SecretKey};
use hub::*;
use hub_storage::Database;
use hub_storage::twins as rows;

struct Place {
    hub: Hub,
    storage: Storage,
    directory: tempfile::TempDir,
}

async fn storage(directory: &tempfile::TempDir) -> Storage {
    let options = hub_storage::Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
    Storage::open(options).await.expect("opens")
}

async fn place() -> Place {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let storage = storage(&directory).await;
    let hub = Hub::open(storage.clone(), Settings::default()).await.expect("opens");
    for domain in ["example.org", "ä.example"] {
        hub.add_domain(domain).await.expect("added");
    }
    Place { hub, storage, directory }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

impl Place {
    async fn add(&self, text: &str) -> AccountId {
        self.hub.add_twin(&address(text), &Secret::new("secret")).await.expect("added")
    }

    async fn history(&self, text: &str) -> History {
        self.hub.twin_identity(&address(text)).await.expect("an identity").history
    }
}

#[tokio::test]
async fn a_twin_has_an_identity_from_the_start() {
    let place = place().await;
    place.add("Alice@example.org").await;
    place.add("bob@ä.example").await;
    let (alice, bob) = (place.history("alice@example.org").await, place.history("bob@ä.example").await);
    assert_eq!(alice.handle().as_str(), "alice@example.org");
    assert_eq!(bob.handle().as_str(), "bob@xn--4ca.example", "as DNS has it");
    assert_ne!(alice.id(), bob.id());
    let record = alice.current();
    assert_eq!((record.seq(), &record.draft().hubs[..]), (1, &["example.org".to_owned()][..]));
    assert!(record.to_canonical().len() < 1024, "{}", record.to_canonical());
    // An address that cannot be a handle is one of a mailbox all the same.
    place.add("c+d@example.org").await;
    let none = place.hub.twin_identity(&address("c+d@example.org")).await;
    assert!(matches!(none, Err(Error::NotFound("identity"))));
    // Who comes back is somebody else.
    place.hub.remove_twin(&address("alice@example.org")).await.expect("removed");
    place.add("alice@example.org").await;
    assert_ne!(place.history("alice@example.org").await.id(), alice.id());
}

#[tokio::test]
async fn twins_of_an_older_hub_get_theirs_at_its_first_start() {
    let place = place().await;
    let (alice, bob) = (place.add("alice@example.org").await, place.add("bob@example.org").await);
    let before = place.history("bob@example.org").await;
    let forget = place.storage.transact([alice], move |tx| Box::pin(rows::remove_all_of(tx, alice)));
    forget.await.expect("forgotten");
    place.hub.close().await;
    drop((place.hub, place.storage));
    let storage = storage(&place.directory).await;
    let hub = Hub::open(storage.clone(), Settings::default()).await.expect("opens");
    let alice = hub.twin_identity(&address("alice@example.org")).await.expect("an identity");
    assert_eq!(alice.history.handle().as_str(), "alice@example.org");
    let after = hub.twin_identity(&address("bob@example.org")).await.expect("an identity");
    assert_eq!(after.history, before, "nobody gets another");
    assert_eq!(storage.twin_identity(bob).await.expect("read").expect("there").id, before.id().to_string());
}

#[tokio::test]
async fn a_recovery_key_outranks_the_hub() {
    let place = place().await;
    place.add("alice@example.org").await;
    let alice = address("alice@example.org");
    let words = place.hub.make_recovery_key(&alice, false).await.expect("made");
    let again = place.hub.make_recovery_key(&alice, false).await;
    assert!(matches!(again, Err(Error::Exists("recovery key"))));
    let history = place.history("alice@example.org").await;
    let recovery = SecretKey::from_words(&words).expect("a key").public();
    assert_eq!(history.current().draft().rotate[0], recovery);
    let identity = place.hub.twin_identity(&alice).await.expect("an identity");
    assert!(identity.recovery_at.is_some());

    // The hub gives the twin new keys, which the twin does not stand by.
    let merged = place.hub.rotate_identity(&alice, None, None).await.expect("rotated");
    assert_eq!(merged, Merged::Extended(1));
    let rotated = place.history("alice@example.org").await;
    assert_ne!(rotated.signing_keys(), history.signing_keys());
    assert_eq!(rotated.current().draft().rotate[0], recovery, "the recovery key stays");
    let merged = place.hub.rotate_identity(&alice, Some(&words), Some(2)).await.expect("overruled");
    assert_eq!(merged, Merged::Overruled(3));
    let rescued = place.history("alice@example.org").await;
    assert_eq!((rescued.id(), rescued.current().seq()), (history.id(), 3));
    assert_ne!(rescued.current().hash(), rotated.current().hash());
    let keys = &rescued.current().draft().rotate;
    assert_eq!((keys.len(), keys[0]), (2, recovery));
    assert!(!keys.contains(&history.current().draft().rotate[1]), "the hub's old key is worth nothing");
    // What the hub does now, it does with its new key.
    place.hub.rotate_identity(&alice, None, None).await.expect("rotated");

    let none = "abandon ".repeat(23) + "art";
    let stranger = place.hub.rotate_identity(&alice, Some(&none.parse().expect("words")), None).await;
    assert!(matches!(stranger, Err(Error::Forbidden(_))));
    let nowhere = place.hub.rotate_identity(&alice, Some(&words), Some(99)).await;
    assert!(matches!(nowhere, Err(Error::NotFound("version"))));
}

#[tokio::test]
async fn a_record_that_ends_soon_is_renewed() {
    let place = place().await;
    let account = place.add("alice@example.org").await;
    let mut row = place.storage.twin_identity(account).await.expect("read").expect("there");
    let before = place.history("alice@example.org").await;
    place.hub.renew_identities().await.expect("looked");
    assert_eq!(place.history("alice@example.org").await, before, "not yet");
    let mut draft = before.current().draft().clone();
    draft.expires_at = draft.time + 30 * 86_400;
    let key = SecretKey::from_seed(&row.rotation_seed).expect("a key");
    let record: Record = before.current().next(&draft, &key).expect("a record");
    row.expires_at = draft.expires_at;
    let change = place.storage.transact([account], move |tx| {
        Box::pin(async move { rows::change(tx, &row, 1, (2, 0), record.to_canonical().as_bytes()).await })
    });
    change.await.expect("changed");
    place.hub.renew_identities().await.expect("renewed");
    let after = place.history("alice@example.org").await;
    assert_eq!((after.current().seq(), after.signing_keys()), (3, before.signing_keys()));
    assert!(after.current().draft().expires_at > draft.expires_at + 300 * 86_400);
    place.hub.renew_identities().await.expect("looked");
    assert_eq!(place.history("alice@example.org").await, after, "once");
}

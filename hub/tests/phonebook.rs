//! What hubs tell each other of their twins, and what of it is believed. The hub that is asked is a real one;
//! what comes between is the test's.

use std::path::Path;

use hub::identity::{Handle, Object, SecretKey, TwinId, Value};
use hub::*;
use hub_storage::Database;
use hub_storage::twins as rows;

const API: &str = "https://hub.example.net/twin/v1";
const BOB: &str = "bob@example.net";

struct Place {
    hub: Hub,
    storage: Storage,
    key: SecretKey,
    directory: tempfile::TempDir,
}

async fn open(directory: &Path) -> (Hub, Storage) {
    let options = hub_storage::Options { data_dir: directory.to_owned(), database: Database::Sqlite };
    let storage = Storage::open(options).await.expect("opens");
    (Hub::open(storage.clone(), Settings::default()).await.expect("opens"), storage)
}

async fn place(twins: &[&str]) -> Place {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (hub, storage) = open(directory.path()).await;
    let place = Place { hub, storage, key: SecretKey::generate().expect("a key"), directory };
    for twin in twins {
        place.add(twin).await;
    }
    place
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn handle(text: &str) -> Handle {
    text.parse().expect("a handle")
}

impl Place {
    async fn add(&self, twin: &str) {
        let twin = address(twin);
        if !self.hub.hosts_domain(twin.domain()).await.expect("read") {
            self.hub.add_domain(twin.domain()).await.expect("added");
        }
        self.hub.add_twin(&twin, &Secret::new("secret")).await.expect("added");
    }

    async fn id(&self, twin: &str) -> TwinId {
        self.hub.twin_identity(&address(twin)).await.expect("an identity").id()
    }

    async fn descriptor(&self) -> String {
        self.hub.descriptor("example.net", API, &[self.key.public()]).await.expect("a descriptor")
    }

    /// What this hub answers about Bob.
    async fn entry(&self, since: u64) -> String {
        self.hub.phonebook_entry(BOB, since, &self.key).await.expect("an entry")
    }

    /// Knows the hub of example.net from now on.
    async fn meet(&self, other: &Self) -> PeerHub {
        let peer = self.hub.believe_descriptor("example.net", other.descriptor().await.as_bytes()).await;
        peer.expect("believed")
    }

    async fn peer(&self) -> PeerHub {
        self.hub.peer_hub("example.net").await.expect("read").expect("known")
    }

    async fn believe(&self, text: &str) -> Result<PeerTwin> {
        let peer = self.peer().await;
        self.hub.believe_entry(&peer, &handle(BOB), text.as_bytes(), None).await
    }

    /// What is said when it is refused.
    async fn refusal(&self, text: &str) -> String {
        match self.believe(text).await {
            Err(Error::Refused(why)) => why,
            other => panic!("it was not refused: {other:?}"),
        }
    }
}

/// Another answer, in canonical form again.
fn changed(text: &str, change: impl FnOnce(&mut Object)) -> String {
    let value = Value::parse(text.as_bytes()).expect("JSON");
    let mut object = value.as_object().expect("an object").clone();
    change(&mut object);
    object.to_canonical()
}

#[tokio::test]
async fn a_twin_of_another_hub_is_known_and_followed() {
    let (ours, theirs) = (place(&["alice@example.org"]).await, place(&["carol@example.net", BOB]).await);
    let peer = ours.meet(&theirs).await;
    assert_eq!((peer.api(), peer.size(), peer.note()), (Some(API), 0, ""));
    assert!(ours.hub.peer_twin(&handle(BOB)).await.expect("read").is_none());
    let twin = ours.believe(&theirs.entry(0).await).await.expect("believed");
    assert_eq!(twin.history.id(), theirs.id(BOB).await);
    assert!(twin.is_fresh && !twin.is_pinned);
    assert_eq!(ours.peer().await.size(), 2);

    // Others come, Bob's keys change: the log has grown, the record follows.
    theirs.add("dave@example.net").await;
    theirs.hub.rotate_identity(&address(BOB), None, None).await.expect("rotated");
    let twin = ours.believe(&theirs.entry(2).await).await.expect("believed");
    assert_eq!(twin.history.current().seq(), 2);
    let known = ours.hub.peer_twin(&handle(BOB)).await.expect("read").expect("known");
    assert_eq!(known.history, twin.history);
    assert_eq!(ours.peer().await.size(), 4);
    // By id, too; and the same answer again changes nothing.
    let by_id =
        theirs.hub.phonebook_entry(&twin.history.id().to_string(), 4, &theirs.key).await.expect("an entry");
    ours.believe(&by_id).await.expect("believed");
    assert_eq!(ours.peer().await.size(), 4);
}

#[tokio::test]
async fn who_is_hidden_is_as_who_does_not_exist() {
    let place = place(&[BOB]).await;
    let id = place.id(BOB).await.to_string();
    place.hub.hide_twin(&address(BOB), true).await.expect("hidden");
    for name in [BOB, id.as_str(), "nobody@example.net", "", "x", "BOB@example.net"] {
        let answer = place.hub.phonebook_entry(name, 0, &place.key).await;
        assert!(matches!(answer, Err(Error::NotFound("twin"))), "{name}: {answer:?}");
    }
    place.hub.hide_twin(&address(BOB), false).await.expect("shown");
    assert!(place.hub.phonebook_entry(&id, 0, &place.key).await.is_ok());
}

/// Hostile hub: altered record, wrong twin key, swapped proof, another hub's signature.
#[tokio::test]
async fn an_answer_that_was_tampered_with() {
    let (ours, theirs) = (place(&[]).await, place(&["carol@example.net", BOB]).await);
    ours.meet(&theirs).await;
    let entry = theirs.entry(0).await;
    let carol = theirs.hub.phonebook_entry("carol@example.net", 0, &theirs.key).await.expect("an entry");
    assert!(ours.refusal(&carol).await.contains("about another handle"));
    let stranger = SecretKey::generate().expect("a key");
    let signed = theirs.hub.phonebook_entry(BOB, 0, &stranger).await.expect("an entry");
    assert!(ours.refusal(&signed).await.contains("is not signed by its hub"));
    let leaf = changed(&entry, |object| object.set("leaf", Value::Integer(0)));
    assert!(ours.refusal(&leaf).await.contains("is not in its log"));
    let proof = changed(&entry, |object| object.set("proof", Value::Array(Vec::new())));
    assert!(ours.refusal(&proof).await.contains("is not in its log"));
    let forged = entry.replace("\"custody\":\"hub\"", "\"custody\":\"device\"");
    assert!(ours.believe(&forged).await.is_err(), "a changed record");
    for nonsense in ["", "{}", "[]", "{\"records\":[]}", &entry[1..], &" ".repeat(LONGEST_ENTRY + 1)] {
        assert!(matches!(ours.believe(nonsense).await, Err(Error::Invalid(_))), "{nonsense:.40}");
    }
    let many = changed(&entry, |object| object.set("consistency", Value::Array(vec!["".into(); 1000])));
    assert!(matches!(ours.believe(&many).await, Err(Error::Invalid(_))));
    assert!(ours.hub.peer_twin(&handle(BOB)).await.expect("read").is_none(), "nothing was believed");
    ours.believe(&entry).await.expect("believed");
}

/// Hostile hub: an older record version, a forked record.
#[tokio::test]
async fn a_record_that_does_not_follow() {
    let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
    ours.meet(&theirs).await;
    let account = theirs.storage.accounts().await.expect("read")[0].id;
    let row = theirs.storage.twin_identity(account).await.expect("read").expect("there");
    let genesis = theirs.storage.twin_records(account).await.expect("read").remove(0).record;
    theirs.hub.rotate_identity(&address(BOB), None, None).await.expect("rotated");
    ours.believe(&theirs.entry(0).await).await.expect("believed");
    // Another second version, by the same key: the hub's database is put back, and goes another way.
    let put_back = theirs.storage.transact([account], move |tx| {
        Box::pin(async move { rows::change(tx, &row, 2, (1, 0), &genesis).await })
    });
    put_back.await.expect("put back");
    let why = ours.refusal(&theirs.entry(2).await).await;
    assert!(why.contains("version 2 was seen before, and this is an older one"), "{why}");
    theirs.hub.rotate_identity(&address(BOB), None, None).await.expect("rotated");
    let why = ours.refusal(&theirs.entry(2).await).await;
    assert!(why.contains("another version 2 than the one that is known"), "{why}");
    let known = ours.hub.peer_twin(&handle(BOB)).await.expect("read").expect("known");
    assert_eq!(known.history.current().seq(), 2, "what was believed stays");
}

/// Hostile hub: the recovery key of a twin overrules what its hub has signed, at its peers, too.
#[tokio::test]
async fn an_overruled_version_is_given_up() {
    let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
    ours.meet(&theirs).await;
    let words = theirs.hub.make_recovery_key(&address(BOB), false).await.expect("made");
    theirs.hub.rotate_identity(&address(BOB), None, None).await.expect("rotated");
    let stolen = ours.believe(&theirs.entry(0).await).await.expect("believed");
    theirs.hub.rotate_identity(&address(BOB), Some(&words), Some(2)).await.expect("overruled");
    let rescued = ours.believe(&theirs.entry(ours.peer().await.size()).await).await.expect("believed");
    assert_eq!((stolen.history.current().seq(), rescued.history.current().seq()), (3, 3));
    assert_ne!(stolen.history.signing_keys(), rescued.history.signing_keys());
    let known = ours.hub.peer_twin(&handle(BOB)).await.expect("read").expect("known");
    assert_eq!(known.history, rescued.history);
}

/// Hostile hub: a forked log. Two copies of a hub with one key go different ways.
#[tokio::test]
async fn two_histories_of_one_log() {
    for is_longer in [false, true] {
        let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
        let mut other = place(&[BOB]).await;
        other.key = SecretKey::from_seed(theirs.key.seed()).expect("a key");
        if is_longer {
            other.add("carol@example.net").await;
        }
        ours.meet(&theirs).await;
        ours.believe(&theirs.entry(0).await).await.expect("believed");
        let why = ours.refusal(&other.entry(ours.peer().await.size()).await).await;
        assert!(why.contains("the hub of example.net is not believed"), "{why}");
        assert!(why.contains(if is_longer { "does not go on" } else { "two logs of one length" }), "{why}");
        // From now on nothing of it is, the truth neither, until somebody says so.
        assert!(ours.refusal(&theirs.entry(1).await).await.contains("is not believed"));
        let descriptor = theirs.descriptor().await;
        let again = ours.hub.believe_descriptor("example.net", descriptor.as_bytes()).await;
        assert!(matches!(again, Err(Error::Refused(_))));
        ours.hub.forget_peer_hub("example.net").await.expect("forgotten");
        ours.meet(&theirs).await;
        ours.believe(&theirs.entry(0).await).await.expect("believed");
    }
}

/// Whoever is shown a head that the hub itself has not made can tell the hub.
#[tokio::test]
async fn a_hub_recognises_its_own_heads() {
    let (theirs, other) = (place(&[BOB]).await, place(&["carol@example.net", BOB]).await);
    let head = theirs.hub.log_head("example.net").await.expect("a head");
    theirs.add("dave@example.net").await;
    assert!(!theirs.hub.is_foreign_head(&head).await.expect("looked"), "an older one of ours");
    let foreign = other.hub.log_head("example.net").await.expect("a head");
    assert_eq!(foreign.size, 2);
    assert!(theirs.hub.is_foreign_head(&foreign).await.expect("looked"));
    let longer = Checkpoint { size: 9, ..head };
    assert!(theirs.hub.is_foreign_head(&longer).await.expect("looked"));
}

/// Hostile hub: inconsistent checkpoint, and answers that cross each other.
#[tokio::test]
async fn a_log_must_go_on_from_where_it_was() {
    let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
    let first = ours.meet(&theirs).await;
    ours.believe(&theirs.entry(0).await).await.expect("believed");
    let before = theirs.entry(1).await;
    for n in 0..5 {
        theirs.add(&format!("twin{n}@example.net")).await;
    }
    let after = theirs.entry(1).await;
    let unproven = changed(&after, |object| object.set("consistency", Value::Array(Vec::new())));
    let spy = place(&[]).await;
    spy.meet(&theirs).await;
    spy.believe(&before).await.expect("believed");
    assert!(spy.refusal(&unproven).await.contains("does not go on"));

    ours.believe(&after).await.expect("believed");
    // An answer to a question that was asked earlier arrives late: no crime, but no proof either.
    assert!(matches!(ours.believe(&before).await, Err(Error::Stale)));
    assert_eq!(ours.peer().await.size(), 6);
    // And a look-up that began before others had seen more begins again.
    let late = ours.hub.believe_entry(&first, &handle(BOB), theirs.entry(0).await.as_bytes(), None).await;
    assert!(late.is_ok());
    theirs.add("late@example.net").await;
    let late = ours.hub.believe_entry(&first, &handle(BOB), theirs.entry(0).await.as_bytes(), None).await;
    assert!(matches!(late, Err(Error::Stale)));
}

/// Hostile hub: wrong hub key, descriptor downgrade.
#[tokio::test]
async fn a_descriptor_that_changes() {
    let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
    ours.meet(&theirs).await;
    ours.believe(&theirs.entry(0).await).await.expect("believed");
    // Suddenly there is no hub any more.
    let peer = ours.hub.believe_no_hub("example.net").await.expect("noted");
    assert_eq!(peer.api(), Some(API), "who had a hub has it");
    assert!(
        matches!(ours.hub.believe_no_twin(&handle(BOB)).await, Ok(Found::Gone(_))),
        "nor is a twin forgotten"
    );
    // A key that was not there is not believed, not even beside the old one: nobody says whose it is.
    let next = SecretKey::generate().expect("a key");
    let both = [theirs.key.public(), next.public()];
    let descriptor = theirs.hub.descriptor("example.net", API, &both).await.expect("a descriptor");
    let refused = ours.hub.believe_descriptor("example.net", descriptor.as_bytes()).await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("a key that it did not have"), "{refused}");

    let good = theirs.descriptor().await;
    for (from, to) in [
        ("https://hub.example.net", "http://hub.example.net"),
        ("https://hub.example.net", "https://127.0.0.1"),
        ("https://hub.example.net", "https://[::1]"),
        ("https://hub.example.net", "https://user@hub.example.net"),
        ("/twin/v1", "/twin/v1/"),
        ("/twin/v1", "/twin/v1?x"),
        ("/twin/v1", "/twin/v1#x"),
        ("\"domain\":\"example.net\"", "\"domain\":\"example.com\""),
        ("twin-hub/1", "twin-hub/2"),
        ("\"keys\":[", "\"keys\":[\"x\","),
        ("{", "[{"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let refused = place(&[]).await.hub.believe_descriptor("example.net", bad.as_bytes()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad}");
    }
    let long = format!("{}{good}", " ".repeat(LONGEST_DESCRIPTOR));
    assert!(place(&[]).await.hub.believe_descriptor("example.net", long.as_bytes()).await.is_err());
}

/// Hostile hub: another twin under a known handle; and what the owner of the hub can do.
#[tokio::test]
async fn a_handle_stays_with_its_twin() {
    let (ours, theirs) = (place(&[]).await, place(&[BOB]).await);
    ours.meet(&theirs).await;
    let first = ours.believe(&theirs.entry(0).await).await.expect("believed").history.id();
    theirs.hub.remove_twin(&address(BOB)).await.expect("removed");
    theirs.add(BOB).await;
    let second = theirs.id(BOB).await;
    let entry = theirs.entry(1).await;
    assert!(ours.refusal(&entry).await.contains("it is no record of this twin"));
    let peer = ours.peer().await;
    let pin = async |id| ours.hub.believe_entry(&peer, &handle(BOB), entry.as_bytes(), Some(id)).await;
    assert!(matches!(pin(first).await, Err(Error::Refused(why)) if why.contains(&second.to_string())));
    assert!(pin(second).await.expect("believed").is_pinned);
    let known = ours.hub.peer_twin(&handle(BOB)).await.expect("read").expect("known");
    assert_eq!((known.history.id(), known.is_pinned), (second, true));
    assert!(ours.believe(&theirs.entry(2).await).await.expect("believed").is_pinned, "it stays pinned");
}

#[tokio::test]
async fn a_log_outlives_its_hub_and_its_twins() {
    let place = place(&[BOB, "carol@example.net", "dave@example.org"]).await;
    place.hub.remove_twin(&address("carol@example.net")).await.expect("removed");
    let before = place.hub.log_head("example.net").await.expect("a head");
    assert_eq!(before.size, 2, "what was said stays said");
    let Place { hub, storage, directory, .. } = place;
    // Twins that are older than identities are put into the log all at once.
    let accounts = storage.accounts().await.expect("read");
    for account in accounts.iter().map(|account| account.id) {
        let forget = storage.transact([account], move |tx| Box::pin(rows::remove_all_of(tx, account)));
        forget.await.expect("forgotten");
    }
    hub.close().await;
    drop((hub, storage));
    let (hub, _storage) = open(directory.path()).await;
    let after = hub.log_head("example.net").await.expect("a head");
    assert_eq!((after.size, hub.log_head("example.org").await.expect("a head").size), (3, 2));
    let proof = hub.log_consistency(&after, before.size).await.expect("a proof");
    assert!(!proof.is_empty());
    assert!(matches!(hub.log_consistency(&after, 4).await, Err(Error::NotFound(_))));
    let key = SecretKey::generate().expect("a key");
    assert!(matches!(hub.log_answer("example.com", 0, &key).await, Err(Error::NotFound("domain"))));
    assert!(
        hub.log_answer("example.net", 1, &key).await.expect("an answer").contains("example.net/twins\\n3\\n")
    );
}

//! Keys and records of twins.

use super::{Place, account};
use crate::peers::{self, HubRow};
use crate::twins::{self, IdentityRow};
use crate::{AccountId, Error, Storage, accounts, twin_log};

fn identity(account: AccountId) -> IdentityRow {
    IdentityRow {
        account,
        id: format!("tw1{}", account.0),
        handle: "alice@example.org".into(),
        rotation_seed: vec![1; 32],
        signing_seed: vec![2; 32],
        recovery_at: 0,
        expires_at: 100,
        hidden: false,
        created_at: 7,
    }
}

async fn seqs(storage: &Storage, account: AccountId) -> Vec<u64> {
    storage.twin_records(account).await.expect("read").iter().map(|record| record.seq).collect()
}

pub(super) async fn records_of_twins_are_kept_in_order(place: Place) {
    let storage = place.open().await;
    let (alice, bob) = (account(&storage, "alice", 0).await.0, account(&storage, "bob", 0).await.0);
    let names = |rows: Vec<(AccountId, String)>| rows.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    let without = storage.without_identity(AccountId(0), 10).await.expect("read");
    assert_eq!(names(without), ["alice@example.org", "bob@example.org"]);
    let rows = vec![(identity(alice), b"{1}".to_vec(), 4), (identity(bob), b"{b}".to_vec(), 5)];
    let add = storage.transact([], |tx| {
        Box::pin(async move {
            twins::add(tx, rows);
            Ok(())
        })
    });
    add.await.expect("added");
    assert!(storage.without_identity(AccountId(0), 10).await.expect("read").is_empty());
    assert!(storage.twin_identity(alice).await.expect("read") == Some(identity(alice)));

    let change = async |expected, seq, text: &'static [u8]| {
        let row = IdentityRow {
            signing_seed: vec![seq as u8; 32],
            recovery_at: 5,
            expires_at: 200 + seq as i64,
            ..identity(alice)
        };
        storage
            .transact([alice], move |tx| {
                Box::pin(async move { twins::change(tx, &row, expected, (seq, seq + 10), text).await })
            })
            .await
    };
    change(1, 2, b"{2}").await.expect("changed");
    assert!(matches!(change(1, 2, b"{x}").await, Err(Error::Stale)), "somebody was quicker");
    change(2, 3, b"{3}").await.expect("changed");
    assert_eq!(seqs(&storage, alice).await, [1, 2, 3]);
    change(3, 2, b"{4}").await.expect("overruled");
    assert_eq!(seqs(&storage, alice).await, [1, 2]);
    assert_eq!(storage.identities_ending(101, 10).await.expect("read"), [bob]);
    assert_eq!(storage.identities_ending(203, 10).await.expect("read"), [bob, alice]);
    assert_eq!(storage.identities_ending(203, 1).await.expect("read"), [bob]);
    let records = storage.twin_records(alice).await.expect("read");
    assert_eq!((records[0].record.as_slice(), records[1].record.as_slice()), (&b"{1}"[..], &b"{4}"[..]));
    let row = storage.twin_identity(alice).await.expect("read").expect("there");
    assert_eq!((row.signing_seed, row.recovery_at), (vec![2; 32], 5));

    let shown = async |name: &str| {
        let records = storage.shown_records(name).await.expect("read");
        records.iter().map(|record| record.leaf).collect::<Vec<_>>()
    };
    let id = identity(alice).id;
    assert_eq!((shown(&id).await, shown("carol@example.org").await), (vec![4, 12], vec![]));
    let hide = async |account, hidden| {
        storage.transact([], move |tx| Box::pin(twins::hide(tx, account, hidden))).await
    };
    hide(alice, true).await.expect("hidden");
    assert!(shown(&id).await.is_empty());
    assert_eq!(shown("alice@example.org").await, [5], "bob's row has the same handle here");
    hide(alice, false).await.expect("shown");
    assert_eq!(shown(&id).await, [4, 12]);
    assert!(matches!(hide(AccountId(999), true).await, Err(Error::NotFound("identity"))));

    storage
        .transact([alice], move |tx| Box::pin(accounts::remove_account(tx, alice)))
        .await
        .expect("removed");
    assert!(storage.twin_identity(alice).await.expect("read").is_none());
    assert!(shown(&id).await.is_empty());
    assert_eq!((seqs(&storage, alice).await, seqs(&storage, bob).await), (vec![], vec![1]));
}

pub(super) async fn logs_of_domains_grow(place: Place) {
    let storage = place.open().await;
    let extend = async |domain: &'static str, nodes: Vec<twin_log::NodeRow>| {
        let extend = storage.transact([], move |tx| {
            Box::pin(async move {
                let before = twin_log::extend(tx, domain, 2).await?;
                let known = twin_log::nodes(tx, domain, &[(0, 0), (9, 9)]).await?;
                twin_log::put(tx, domain, nodes);
                Ok((before, known))
            })
        });
        extend.await.expect("extended")
    };
    assert_eq!(storage.twin_log_size("a.example").await.expect("read"), 0);
    assert_eq!(extend("a.example", vec![(0, 0, vec![1]), (0, 1, vec![2])]).await, (0, vec![]));
    assert_eq!(extend("b.example", vec![(0, 0, vec![9])]).await, (0, vec![]), "each has its own");
    assert_eq!(extend("a.example", vec![(1, 0, vec![3])]).await, (2, vec![(0, 0, vec![1])]));
    assert_eq!(storage.twin_log_size("a.example").await.expect("read"), 4);
    let mut nodes = storage.twin_log_nodes("a.example", &[(1, 0), (0, 1), (0, 7)]).await.expect("read");
    nodes.sort();
    assert_eq!(nodes, [(0, 1, vec![2]), (1, 0, vec![3])]);
}

pub(super) async fn other_hubs_and_their_twins_are_known(place: Place) {
    let storage = place.open().await;
    assert_eq!(storage.peer_hub("a.example").await.expect("read"), None);
    let mut hub =
        HubRow { domain: "a.example".into(), api: "https://a.example/x".into(), ..HubRow::default() };
    let put = async |hub: &HubRow| {
        let hub = hub.clone();
        storage
            .transact([], move |tx| Box::pin(async move { peers::put_hub(tx, &hub).await }))
            .await
            .expect("kept");
    };
    put(&hub).await;
    hub.keys = "ed25519:x".into();
    (hub.checked_at, hub.size, hub.root, hub.note, hub.trouble) = (7, 3, vec![1; 32], "n".into(), "t".into());
    put(&hub).await;
    assert_eq!(storage.peer_hub("a.example").await.expect("read"), Some(hub));
    storage.transact([], |tx| Box::pin(peers::forget_hub(tx, "a.example"))).await.expect("forgotten");
    assert_eq!(storage.peer_hub("a.example").await.expect("read"), None);

    let record = |seq, seen_at| peers::RecordRow { seq, seen_at, record: vec![seq as u8] };
    let mut twin =
        peers::TwinRow { handle: "a@a.example".into(), id: "tw1a".into(), checked_at: 5, pinned: false };
    let put = async |twin: &peers::TwinRow, from, records: Vec<peers::RecordRow>| {
        let twin = twin.clone();
        let put = storage
            .transact([], move |tx| Box::pin(async move { peers::put_twin(tx, &twin, from, records).await }));
        put.await.expect("kept");
    };
    put(&twin, 1, vec![record(1, 1), record(2, 1)]).await;
    (twin.checked_at, twin.pinned) = (6, true);
    put(&twin, 2, vec![record(2, 6), record(3, 6)]).await;
    put(&twin, 4, Vec::new()).await;
    assert_eq!(storage.peer_twin("a@a.example").await.expect("read"), Some(twin));
    let records = storage.peer_records("tw1a").await.expect("read");
    assert_eq!(records, [record(1, 1), record(2, 6), record(3, 6)]);
    assert_eq!(storage.peer_twin("b@a.example").await.expect("read"), None);
}

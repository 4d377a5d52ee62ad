//! Keys and records of twins.

use super::{Place, account};
use crate::twins::{self, IdentityRow};
use crate::{AccountId, Error, Storage, accounts};

fn identity(account: AccountId) -> IdentityRow {
    IdentityRow {
        account,
        id: format!("tw1{}", account.0),
        handle: "alice@example.org".into(),
        rotation_seed: vec![1; 32],
        signing_seed: vec![2; 32],
        recovery_at: 0,
        expires_at: 100,
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
    let rows = vec![(identity(alice), b"{1}".to_vec()), (identity(bob), b"{b}".to_vec())];
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
                Box::pin(async move { twins::change(tx, &row, expected, seq, text).await })
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

    storage
        .transact([alice], move |tx| Box::pin(accounts::remove_account(tx, alice)))
        .await
        .expect("removed");
    assert!(storage.twin_identity(alice).await.expect("read").is_none());
    assert_eq!((seqs(&storage, alice).await, seqs(&storage, bob).await), (vec![], vec![1]));
}

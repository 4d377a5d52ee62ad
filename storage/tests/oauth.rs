//! Programs, what they were granted, their tokens.

use super::{Place, account};
use crate::oauth::{self, Access, ClientRow, NewGrant, Rotation};
use crate::{AccountId, Storage, accounts};

fn grant(family: u8, expires_at: i64) -> NewGrant {
    NewGrant {
        client: "c".into(),
        client_name: "Program".into(),
        scopes: 5,
        family: [family; 16],
        refresh: [family; 32],
        expires_at,
        access: Access { hash: [family; 32], scopes: 1, expires_at },
    }
}

async fn add(storage: &Storage, account: AccountId, grant: NewGrant, most: i64) -> i64 {
    storage
        .transact([account], move |tx| Box::pin(oauth::add_grant(tx, account, grant, most)))
        .await
        .expect("added")
}

const LATE: i64 = 1 << 40;

pub(super) async fn programs_register_within_a_limit(place: Place) {
    let storage = place.open().await;
    let add = async |id: &str| {
        let row = ClientRow { id: id.into(), name: "P".into(), redirect_uris: "a:/ b:/".into() };
        storage.transact([], move |tx| Box::pin(oauth::add_client(tx, row, 2))).await
    };
    add("one").await.expect("room");
    add("two").await.expect("room");
    assert!(matches!(add("three").await, Err(crate::Error::Limit(_))));
    let read = storage.oauth_client("two").await.expect("read").expect("there");
    assert_eq!((read.name.as_str(), read.redirect_uris.as_str()), ("P", "a:/ b:/"));
    assert!(storage.oauth_client("three").await.expect("read").is_none());
    // What nobody has used for half a year gives way.
    storage.reclaim(1 << 40).await.expect("reclaimed");
    add("three").await.expect("room");
}

pub(super) async fn grants_are_kept_with_their_tokens(place: Place) {
    let storage = place.open().await;
    let alice = account(&storage, "alice", 0).await.0;
    let first = add(&storage, alice, grant(1, LATE), 2).await;
    let (found, access) = storage.oauth_access([1; 32]).await.expect("read").expect("there");
    assert_eq!((found.account, found.id, found.scopes, found.client.as_str()), (alice, first, 5, "c"));
    assert_eq!((access.scopes, access.expires_at), (1, LATE));
    assert!(storage.oauth_access([2; 32]).await.expect("read").is_none());

    let rotate = async |expected: u8, refresh: u8| {
        let rotation = Rotation { refresh: [refresh; 32], prior: [expected; 32], expires_at: LATE + 1 };
        let access = Access { hash: [refresh + 100; 32], scopes: 4, expires_at: LATE };
        let rotate = storage.transact([], move |tx| {
            Box::pin(oauth::rotate(tx, (alice, first), vec![expected; 32], rotation, access))
        });
        rotate.await
    };
    rotate(1, 2).await.expect("the last one");
    assert!(matches!(rotate(1, 3).await, Err(crate::Error::Stale)), "not the last one any more");
    let of_family = storage.oauth_grant_of_family(&[1; 16]).await.expect("read").expect("there");
    assert_eq!(
        (of_family.refresh, of_family.prior, of_family.expires_at),
        (vec![2; 32], vec![1; 32], LATE + 1)
    );
    assert!(storage.oauth_access([1; 32]).await.expect("read").is_some(), "it lives as long as it was to");
    assert!(storage.oauth_access([102; 32]).await.expect("read").is_some());
    assert!(storage.oauth_access([103; 32]).await.expect("read").is_none(), "nothing of what failed");

    storage.transact([], move |tx| Box::pin(oauth::note_use(tx, alice, first, "::1"))).await.expect("noted");
    let listed = storage.oauth_grants(alice).await.expect("listed");
    assert_eq!((listed.len(), listed[0].last_peer.as_str()), (1, "::1"));
    assert!(listed[0].last_used_at > 0);

    add(&storage, alice, grant(2, LATE), 2).await;
    let third = add(&storage, alice, grant(3, LATE), 2).await;
    let ids: Vec<i64> = storage.oauth_grants(alice).await.expect("listed").iter().map(|row| row.id).collect();
    assert_eq!((ids.len(), ids.contains(&first)), (2, false), "the oldest gives way");
    assert!(storage.oauth_access([102; 32]).await.expect("read").is_none(), "with its tokens");

    let remove =
        async || storage.transact([], move |tx| Box::pin(oauth::remove_grant(tx, alice, third))).await;
    remove().await.expect("removed");
    assert!(matches!(remove().await, Err(crate::Error::NotFound(_))));
    assert!(storage.oauth_access([3; 32]).await.expect("read").is_none());
}

pub(super) async fn tokens_expire_and_go_with_their_account(place: Place) {
    let storage = place.open().await;
    let (alice, bob) = (account(&storage, "alice", 0).await.0, account(&storage, "bob", 0).await.0);
    add(&storage, alice, grant(1, 1000), 9).await;
    add(&storage, alice, grant(2, LATE), 9).await;
    add(&storage, bob, grant(3, LATE), 9).await;
    storage.reclaim(1000).await.expect("reclaimed");
    assert!(storage.oauth_access([1; 32]).await.expect("read").is_none());
    assert!(storage.oauth_grant_of_family(&[1; 16]).await.expect("read").is_none());
    storage
        .transact([alice], move |tx| Box::pin(accounts::set_password(tx, alice, "another", b"")))
        .await
        .expect("set");
    assert!(storage.oauth_access([2; 32]).await.expect("read").is_none(), "it goes with the password");
    assert!(storage.oauth_access([3; 32]).await.expect("read").is_some(), "another's");
    add(&storage, alice, grant(2, LATE), 9).await;
    storage
        .transact([alice], move |tx| Box::pin(accounts::remove_account(tx, alice)))
        .await
        .expect("removed");
    assert!(storage.oauth_access([2; 32]).await.expect("read").is_none());
    assert!(storage.oauth_grant_of_family(&[2; 16]).await.expect("read").is_none());
    assert!(storage.oauth_access([3; 32]).await.expect("read").is_some(), "another's");
}

//! Accounts that are no people.

use super::{Place, account};
use crate::accounts::remove_account;
use crate::rooms::{RoomKind, RoomRow, set_free_busy_access, set_room};

pub(super) async fn rooms_are_accounts(place: Place) {
    let storage = place.open().await;
    let (alice, _) = account(&storage, "alice", 0).await;
    let (big, _) = account(&storage, "big", 0).await;
    let set = async |kind, name: &'static str| {
        let set =
            storage.transact([big], move |tx| Box::pin(async move { set_room(tx, big, kind, name).await }));
        set.await.expect("set");
    };
    set(RoomKind::Resource, "Beamer").await;
    set(RoomKind::Room, "Big room").await;
    let handle = "big@example.org".to_owned();
    let room = RoomRow { account: big, handle, kind: RoomKind::Room, name: "Big room".into() };
    assert_eq!(storage.rooms().await.expect("read"), std::slice::from_ref(&room));
    assert_eq!(storage.room(big).await.expect("read"), Some(room));
    assert_eq!(storage.room(alice).await.expect("read"), None);
    assert_eq!(storage.free_busy_access(big).await.expect("read"), 0);
    for access in [2, 3] {
        let set = storage
            .transact([big], move |tx| Box::pin(async move { set_free_busy_access(tx, big, access).await }));
        set.await.expect("set");
        assert_eq!(storage.free_busy_access(big).await.expect("read"), access);
    }
    storage.transact([big], move |tx| Box::pin(remove_account(tx, big))).await.expect("removed");
    assert_eq!(storage.rooms().await.expect("read"), []);
}

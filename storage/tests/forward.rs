//! Aliases that lead to other addresses.

use super::{Place, account};
use crate::forward::{self, ForwardRow, Target};

pub(super) async fn an_alias_leads_to_accounts_and_addresses(place: Place) {
    let storage = place.open().await;
    let alice = account(&storage, "alice", 0).await.0;
    let add = async |target: &'static str| {
        let add = storage.transact([], move |tx| {
            Box::pin(async move {
                let key = target.to_lowercase();
                forward::add(tx, ("alice@example.org", "Alice@example.org"), (&key, target)).await
            })
        });
        add.await
    };
    add("Bob@far.test").await.expect("added");
    add("carol@far.test").await.expect("added");
    assert!(matches!(add("BOB@far.test").await, Err(crate::Error::Exists(_))));
    let address = |text: &str| Target::Address(text.into());
    assert_eq!(
        storage.targets("alice@example.org").await.expect("read"),
        [address("Bob@far.test"), address("carol@far.test"), Target::Account(alice)]
    );
    assert!(storage.targets("nobody@example.org").await.expect("read").is_empty());
    let remove = async || {
        let remove = storage.transact([], |tx| {
            Box::pin(async move { forward::remove(tx, "alice@example.org", "bob@far.test").await })
        });
        remove.await
    };
    remove().await.expect("removed");
    assert!(matches!(remove().await, Err(crate::Error::NotFound(_))));
    let left = ForwardRow { written: "Alice@example.org".into(), target: "carol@far.test".into() };
    assert_eq!(storage.forwards().await.expect("read"), [left]);
}

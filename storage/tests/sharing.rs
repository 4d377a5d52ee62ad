//! Grants and links: found by who has them, as long as what they are of is not in the trash.

use super::Place as Database;
use crate::files::{self, Content, NewLink, NewNode, NodeId, NodeRow, Place};
use crate::items::{self, CollectionFacts, CollectionId, CollectionKind, NewCollectionGrant, REVOKED};
use crate::{AccountId, Error, Storage};

async fn account(storage: &Storage, name: &str) -> AccountId {
    super::account(storage, name, 0).await.0
}

async fn folder(storage: &Storage, account: AccountId, above: &[NodeId], name: &str) -> NodeRow {
    let place = Place { above: above.to_vec(), key: name.to_owned(), name: name.to_owned() };
    let new = NewNode {
        is_folder: true,
        content: Content::Empty,
        content_type: String::new(),
        checksum: String::new(),
        created_at: 1,
        modified_at: 1,
    };
    let made = storage.transact([account], move |tx| {
        Box::pin(async move { files::create(tx, account, &place, new).await })
    });
    made.await.expect("made")
}

async fn names(storage: &Storage, grantee: AccountId) -> Vec<(String, String)> {
    let rows = storage.files_granted(grantee).await.expect("read");
    let mut names: Vec<_> = rows.into_iter().map(|(row, handle)| (handle, row.node.name)).collect();
    names.sort();
    names
}

pub(super) async fn grants_are_found_from_both_sides(place: Database) {
    let storage = place.open().await;
    let (alice, bob, carol) =
        (account(&storage, "alice").await, account(&storage, "bob").await, account(&storage, "carol").await);
    let outer = folder(&storage, alice, &[NodeId::FILES], "outer").await;
    let inner = folder(&storage, alice, &[NodeId::FILES, outer.id], "inner").await;
    let other = folder(&storage, carol, &[NodeId::FILES], "other").await;
    for (owner, node, grantee) in [(alice, inner.id, bob), (alice, outer.id, carol), (carol, other.id, bob)] {
        let grant = storage.transact([owner], move |tx| {
            Box::pin(async move { files::grant(tx, owner, node, grantee, 1, 10).await })
        });
        grant.await.expect("granted");
    }
    let handle = async |id| storage.account(id).await.expect("read").expect("there").handle;
    let from = |handle: &str, name: &str| (handle.to_owned(), name.to_owned());
    let (alices, carols, bobs) = (handle(alice).await, handle(carol).await, handle(bob).await);
    assert_eq!(names(&storage, bob).await, [from(&alices, "inner"), from(&carols, "other")]);
    assert_eq!(names(&storage, carol).await, [from(&alices, "outer")]);
    assert!(names(&storage, alice).await.is_empty());
    let own = storage.file_grants(alice).await.expect("read");
    let mut own: Vec<_> = own.iter().map(|(row, handle)| (handle.as_str(), row.node.name.as_str())).collect();
    own.sort_unstable();
    assert_eq!(own, [(bobs.as_str(), "inner"), (carols.as_str(), "outer")]);

    let names_of =
        storage.file_names(alice, &[inner.id, outer.id, inner.id, NodeId(99)]).await.expect("read");
    let inner_names: Vec<&str> = names_of[&inner.id].iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!((&inner_names[1..], names_of[&inner.id][0].0), (&["outer", "inner"][..], NodeId::FILES));
    assert_eq!((names_of[&outer.id].len(), names_of.len()), (2, 2));

    let link =
        NewLink { node: inner.id, token: vec![1; 32], access: 1, password: String::new(), expires_at: 0 };
    let add = storage
        .transact([alice], move |tx| Box::pin(async move { files::add_link(tx, alice, link, 10).await }));
    let id = add.await.expect("made");
    let found = storage.file_link(&[1; 32]).await.expect("read").expect("there");
    assert_eq!((found.owner, found.id, found.node.id), (alice, id, inner.id));
    assert!(storage.file_link(&[2; 32]).await.expect("read").is_none());

    let outer = storage.file_path(alice, NodeId::FILES, &["outer".to_owned()]).await.expect("read");
    let outer = outer.last().expect("there").clone();
    let trash = storage.transact([alice], move |tx| {
        Box::pin(async move { files::trash(tx, alice, &outer, &[NodeId::FILES], "outer").await })
    });
    trash.await.expect("deleted");
    assert_eq!(names(&storage, bob).await, [from(&carols, "other")]);
    assert!(names(&storage, carol).await.is_empty());
    let revoke = storage
        .transact([carol], move |tx| Box::pin(async move { files::revoke(tx, carol, other.id, bob).await }));
    revoke.await.expect("revoked");
    assert!(names(&storage, bob).await.is_empty());
}

async fn grant(storage: &Storage, new: NewCollectionGrant, most: usize) -> Result<(), Error> {
    let grant = storage.transact([new.owner, new.grantee], move |tx| {
        Box::pin(async move { items::grant_collection(tx, new, most).await })
    });
    grant.await
}

/// Names, access and status of what a twin was granted.
async fn granted(storage: &Storage, grantee: AccountId) -> Vec<(String, i64, i64)> {
    let rows = storage.collections_granted(grantee).await.expect("read");
    rows.into_iter().map(|row| (row.name, row.grant.access, row.grant.status)).collect()
}

pub(super) async fn collections_are_granted_and_described(place: Database) {
    let storage = place.open().await;
    let (alice, bob) = (account(&storage, "alice").await, account(&storage, "bob").await);
    let kind = CollectionKind::Calendar;
    let facts = CollectionFacts { components: 3, ..CollectionFacts::default() };
    let make = storage.transact([alice], move |tx| {
        Box::pin(async move { items::create_collection(tx, alice, kind, "work", &facts, 10).await })
    });
    let work = make.await.expect("made");
    let new = NewCollectionGrant {
        owner: alice,
        collection: work,
        grantee: bob,
        kind,
        access: 1,
        status: 0,
        news: 1,
        summary: "Work".to_owned(),
    };
    grant(&storage, new.clone(), 1).await.expect("granted");
    let proxy = NewCollectionGrant { collection: CollectionId::ALL, ..new.clone() };
    assert!(matches!(grant(&storage, proxy, 1).await, Err(Error::Limit(_))));
    grant(&storage, NewCollectionGrant { access: 2, ..new.clone() }, 1).await.expect("changed");
    assert_eq!(granted(&storage, bob).await, [("work".to_owned(), 2, 0)]);
    assert!(granted(&storage, alice).await.is_empty());
    let own = storage.collection_grants(alice).await.expect("read");
    assert_eq!((own.len(), own[0].components), (1, 3));

    let link = own[0].grant.link;
    let describe = storage.transact([alice, bob], move |tx| {
        Box::pin(async move {
            let facts = CollectionFacts { color: "#000000".to_owned(), ..CollectionFacts::default() };
            items::describe_grant(tx, bob, link, &facts).await?;
            let set = vec![("urn:x".to_owned(), "p".to_owned(), Some("<p/>".to_owned()))];
            items::patch_properties(tx, bob, link, set).await?;
            let there = items::granted_collection(tx, bob, link).await?.expect("there");
            assert_eq!((there.0.id, there.1.facts.color.as_str()), (work, "#000000"));
            items::settle_grant(tx, (alice, work, bob), 1, 2).await
        })
    });
    describe.await.expect("described");
    let (row, seen) = storage.granted_collection(bob, link).await.expect("read").expect("there");
    assert_eq!((row.name.as_str(), seen.status, seen.news, seen.facts.is_transparent), ("work", 1, 2, false));
    assert_eq!(storage.granted_collections(bob).await.expect("read").len(), 1);
    assert_eq!(storage.item_properties(bob, &[link]).await.expect("read").len(), 1);

    // Whoever it was granted to hears that it has gone, and what it said of it goes, too.
    let remove = storage.transact([alice], move |tx| {
        Box::pin(async move { items::remove_collection(tx, alice, work).await })
    });
    remove.await.expect("removed");
    assert_eq!(granted(&storage, bob).await, [(String::new(), 2, REVOKED)]);
    assert!(storage.granted_collections(bob).await.expect("read").is_empty());
    assert!(storage.item_properties(bob, &[link]).await.expect("read").is_empty());
    let forget = storage.transact([alice, bob], move |tx| {
        Box::pin(async move {
            assert!(items::grant_of(tx, alice, work, bob).await?.is_some());
            items::forget_grant(tx, alice, work, bob).await?;
            items::forget_grant(tx, alice, work, bob).await
        })
    });
    assert!(matches!(forget.await, Err(Error::NotFound(_))));
}

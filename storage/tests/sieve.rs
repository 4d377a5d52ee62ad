//! Scripts and what their runs have noted.

use super::{Place, account};
use crate::{Error, sieve};

pub(super) async fn scripts_are_kept(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let put = |name: &'static str, text: &'static str| {
        let storage = storage.clone();
        async move {
            let put = storage.transact([id], move |tx| Box::pin(sieve::put(tx, id, name, text)));
            put.await.expect("written");
        }
    };
    let activate = |name: Option<&'static str>| {
        let storage = storage.clone();
        async move { storage.transact([id], move |tx| Box::pin(sieve::activate(tx, id, name))).await }
    };
    put("a", "keep;").await;
    put("b", "stop;").await;
    activate(Some("a")).await.expect("active");
    activate(Some("b")).await.expect("active");
    assert!(matches!(activate(Some("c")).await, Err(Error::NotFound(_))));
    put("b", "discard;").await;
    let rename = storage.transact([id], move |tx| Box::pin(sieve::rename(tx, id, "b", "z")));
    rename.await.expect("renamed");
    let names = |rows: Vec<sieve::ScriptRow>| -> Vec<(String, bool, String)> {
        rows.into_iter().map(|row| (row.name, row.is_active, row.text)).collect()
    };
    let row = |name: &str, is_active, text: &str| (name.to_owned(), is_active, text.to_owned());
    let all = storage.scripts(id).await.expect("read");
    assert_eq!(names(all), [row("a", false, "keep;"), row("z", true, "discard;")]);
    activate(None).await.expect("none");
    let remove = storage.transact([id], move |tx| Box::pin(sieve::remove(tx, id, "a")));
    remove.await.expect("removed");
    assert_eq!(names(storage.scripts(id).await.expect("read")), [row("z", false, "discard;")]);
    assert_eq!(storage.script(id, "a").await.expect("read"), None);
}

pub(super) async fn what_runs_have_noted_expires(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let now = 1_000;
    let far = i64::MAX;
    let note = |hash: u8, until: i64| {
        let storage = storage.clone();
        async move {
            let hashes = [(vec![hash; 32], until)];
            let note =
                storage.transact([id], move |tx| Box::pin(async move { sieve::note(tx, id, &hashes).await }));
            note.await.expect("noted");
        }
    };
    note(1, far).await;
    note(2, now).await;
    let asked = [vec![1; 32], vec![2; 32], vec![3; 32]];
    let seen = storage.seen(id, &asked, now).await.expect("read");
    assert_eq!(seen, [vec![1; 32]].into());
    assert!(storage.seen(id, &asked, far).await.expect("read").is_empty());
    // Noting again lasts as long as it says now.
    note(1, now).await;
    assert!(storage.seen(id, &asked, now).await.expect("read").is_empty());
}

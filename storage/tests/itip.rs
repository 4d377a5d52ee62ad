//! iTIP messages on their way.

use super::{Place, account};
use crate::itip::{self, ItipKey, NewItip};
use crate::{AccountId, Storage};

fn message(uid: &str, recipients: &[&str]) -> NewItip {
    let recipients = recipients.iter().map(|one| (*one).to_owned()).collect();
    NewItip { uid: uid.into(), sender: "a@b".into(), recipients, data: b"BEGIN:VCALENDAR".to_vec() }
}

async fn settle(storage: &Storage, key: ItipKey, status: &'static str) -> bool {
    let settle =
        storage.transact([], move |tx| Box::pin(async move { itip::settle(tx, &key, status).await }));
    settle.await.expect("settled")
}

pub(super) async fn itip_messages_are_told_once(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let push = storage.transact([id], move |tx| {
        Box::pin(async move {
            let messages = [message("1", &["x@y", "z@y"]), message("2", &[""])];
            itip::push(tx, id, &messages, 100).await
        })
    });
    let ids = push.await.expect("noted");
    let due = async |now| storage.itip_due(now, 10).await.expect("read");
    assert_eq!((due(99).await, due(100).await), (Vec::new(), ids.clone()));
    let mut messages = storage.itip_messages(&ids).await.expect("read");
    messages.sort_by_key(|message| message.id);
    assert_eq!(messages.iter().map(|one| one.recipients.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((messages[0].uid.as_str(), messages[0].data.as_slice()), ("1", &b"BEGIN:VCALENDAR"[..]));

    let key =
        |message: usize, to: &str| ItipKey { account: id, message: ids[message].1, recipient: to.into() };
    assert!(settle(&storage, key(0, "x@y"), "1.2").await);
    assert!(!settle(&storage, key(0, "x@y"), "5.1").await, "somebody else did it");
    assert_eq!(storage.itip_to_tell(10).await.expect("read"), [(id, "1".to_owned())]);
    let later = key(0, "z@y");
    let put_off =
        storage.transact([], move |tx| Box::pin(async move { itip::put_off(tx, &later, 200).await }));
    put_off.await.expect("put off");
    assert_eq!(due(100).await, ids[1..]);
    let of_z = storage.itip_messages(&ids[..1]).await.expect("read").remove(0);
    assert_eq!(of_z.recipients, [("z@y".to_owned(), 1)]);

    let done = storage.itip_done(id, "1").await.expect("read");
    assert_eq!(done, [(key(0, "x@y"), "1.2".to_owned())]);
    forget(&storage, vec![key(0, "x@y")]).await;
    assert_eq!(storage.itip_messages(&ids[..1]).await.expect("read").len(), 1, "one is still to be told");
    assert!(settle(&storage, key(0, "z@y"), "1.1").await && settle(&storage, key(1, ""), "1.2").await);
    forget(&storage, vec![key(0, "z@y"), key(1, "")]).await;
    assert_eq!(storage.itip_messages(&ids).await.expect("read"), []);
    assert_eq!(storage.itip_to_tell(10).await.expect("read"), Vec::<(AccountId, String)>::new());
}

async fn forget(storage: &Storage, keys: Vec<ItipKey>) {
    let forget = storage.transact([], move |tx| Box::pin(async move { itip::forget(tx, &keys).await }));
    forget.await.expect("forgotten");
}

//! Calendars and address books, and what lies in them.

use super::{Place, account};
use crate::items::alarms::{AlarmSource, DueAlarm, move_on};
use crate::items::{
    self, CollectionFacts, CollectionId, CollectionKind, ItemIndex, ItemKind, ItemRow, NewItem, ScheduleTag,
    TimeWindow,
};
use crate::{AccountId, Error, Since, Storage};

const CALENDAR: CollectionKind = CollectionKind::Calendar;

async fn calendar(storage: &Storage, account: AccountId, name: &str) -> Result<CollectionId, Error> {
    let name = name.to_owned();
    let make = storage.transact([account], move |tx| {
        Box::pin(async move {
            let facts = CollectionFacts { display_name: name.to_uppercase(), ..CollectionFacts::default() };
            items::create_collection(tx, account, CALENDAR, &name, &facts, 3).await
        })
    });
    make.await
}

fn new(name: &str, data: &str, occurrences: &[(i64, i64)]) -> NewItem {
    let index = ItemIndex {
        first_at: occurrences.iter().map(|one| one.0).min().unwrap_or(i64::MIN),
        last_at: occurrences.iter().map(|one| one.1).max().unwrap_or(i64::MAX),
        occurrences: occurrences.to_vec(),
        is_open: occurrences.is_empty(),
        text: data.to_uppercase(),
        ..ItemIndex::default()
    };
    let (name, uid) = (name.to_owned(), format!("uid of {name}"));
    let (etag, tag) = (data.as_bytes().to_vec(), ScheduleTag::Absent);
    NewItem { name, uid, kind: ItemKind::Event, etag, data: data.into(), index, tag }
}

async fn put(storage: &Storage, account: AccountId, collection: CollectionId, item: NewItem) -> ItemRow {
    let put = storage.transact([account], move |tx| {
        Box::pin(async move {
            let existing = items::existing(tx, account, collection, &item.name, &item.uid).await?;
            items::put(tx, account, collection, existing.named.as_ref(), item).await
        })
    });
    put.await.expect("put")
}

async fn bytes(storage: &Storage, account: AccountId) -> u64 {
    storage.account(account).await.expect("read").expect("exists").bytes
}

pub(super) async fn items_are_kept_and_found(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (home, work) = (
        calendar(&storage, id, "home").await.expect("made"),
        calendar(&storage, id, "work").await.expect("made"),
    );
    assert!(matches!(calendar(&storage, id, "home").await, Err(Error::Exists(_))));
    calendar(&storage, id, "more").await.expect("made");
    assert!(matches!(calendar(&storage, id, "most").await, Err(Error::Limit(_))));
    let rows = storage.collections(id, CALENDAR).await.expect("read");
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["home", "more", "work"]);
    assert_eq!(rows[0].facts.display_name, "HOME");
    assert_eq!(storage.collections(id, CollectionKind::AddressBook).await.expect("read"), []);

    let day = |n: i64| (n * 86_400, n * 86_400 + 3600);
    let first = put(&storage, id, home, new("a.ics", "hello 100%", &[day(10), day(17)])).await;
    put(&storage, id, home, new("b.ics", "other", &[day(50)])).await;
    put(&storage, id, home, new("task.ics", "undated", &[])).await;
    put(&storage, id, work, new("a.ics", "at work", &[day(10)])).await;
    assert_eq!(bytes(&storage, id).await, 10 + 5 + 7 + 7);

    let again = put(&storage, id, home, new("a.ics", "Hello", &[day(20)])).await;
    assert_eq!((again.id, again.created_at), (first.id, first.created_at));
    assert!(again.changed > first.changed);
    assert_eq!(bytes(&storage, id).await, 5 + 5 + 7 + 7);
    let listed = storage.items(id, home, "a.ics", 10).await.expect("read");
    assert_eq!(listed.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["b.ics", "task.ics"]);
    let named = storage.items_named(id, home, &["a.ics", "nothing"]).await.expect("read");
    assert_eq!(named, std::slice::from_ref(&again));
    assert_eq!(storage.item_data(id, &[again.id]).await.expect("read"), [(again.id, b"Hello".to_vec())]);
    let within = async |from: i64, to: i64| {
        let window = TimeWindow { from: from * 86_400, to: to * 86_400 };
        let found = storage.items_within(id, home, window).await.expect("read");
        let mut names: Vec<_> = found.into_iter().map(|item| item.name).collect();
        names.sort();
        names
    };
    assert_eq!(within(10, 18).await, ["task.ics"], "what was replaced is no longer there");
    assert_eq!(within(20, 21).await, ["a.ics", "task.ics"]);
    assert_eq!(within(0, 100).await, ["a.ics", "b.ics", "task.ics"]);
    let texts = async |text: &str| {
        let found = storage.items_with_text(id, home, text, "UNDATED").await.expect("read");
        let mut names: Vec<_> = found.into_iter().map(|item| item.name).collect();
        names.sort();
        names
    };
    assert_eq!(texts("ELL").await, ["a.ics", "task.ics"]);
    assert_eq!(texts("%").await, ["task.ics"], "no wildcards");
    assert_eq!(texts("O_HER").await, ["task.ics"]);
}

pub(super) async fn items_are_moved_and_removed(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 100).await;
    let (home, work) = (
        calendar(&storage, id, "home").await.expect("made"),
        calendar(&storage, id, "work").await.expect("made"),
    );
    let item = put(&storage, id, home, new("a.ics", "data", &[(0, 60)])).await;
    let too_much = new("b.ics", &"x".repeat(97), &[]);
    let refused = storage
        .transact([id], move |tx| Box::pin(async move { items::put(tx, id, home, None, too_much).await }));
    assert!(matches!(refused.await, Err(Error::OverQuota { .. })));

    let from = item.clone();
    let moved = storage
        .transact([id], move |tx| Box::pin(async move { items::move_to(tx, id, &from, work, "c.ics").await }))
        .await
        .expect("moved");
    assert_eq!((moved.id, moved.name.as_str(), moved.collection), (item.id, "c.ics", work));
    assert_eq!(storage.items_named(id, work, &["c.ics"]).await.expect("read"), std::slice::from_ref(&moved));
    // For who looks at all calendars at once it is where it was.
    let journal = storage.item_journal(id, CALENDAR, item.changed).await.expect("read").expect("known");
    let [row] = journal.rows.as_slice() else { panic!("{journal:?}") };
    assert!(row.created.is_empty() && row.destroyed.is_empty(), "{row:?}");
    assert_eq!(row.updated.iter().collect::<Vec<_>>(), [item.id.0 as u64]);
    assert_eq!(storage.collections_modseq(id, CALENDAR).await.expect("read"), moved.changed);
    let window = TimeWindow { from: 0, to: 100 };
    assert_eq!(storage.items_within(id, home, window).await.expect("read"), []);
    assert_eq!(storage.items_within(id, work, window).await.expect("read").len(), 1);

    storage
        .transact([id], move |tx| Box::pin(async move { items::remove(tx, id, work, &[moved]).await }))
        .await
        .expect("removed");
    assert_eq!(bytes(&storage, id).await, 0);
    assert_eq!(storage.item_data(id, &[item.id]).await.expect("read"), []);

    let last = put(&storage, id, home, new("d.ics", "data", &[(0, 60)])).await;
    storage
        .transact([id], move |tx| Box::pin(async move { items::remove_collection(tx, id, home).await }))
        .await
        .expect("removed");
    assert_eq!(bytes(&storage, id).await, 0);
    assert_eq!(storage.collection(id, CALENDAR, "home").await.expect("read"), None);
    let journal = storage.item_journal(id, CALENDAR, last.changed).await.expect("read").expect("known");
    let destroyed: Vec<u64> = journal.rows.iter().flat_map(|row| row.destroyed.iter()).collect();
    assert_eq!(destroyed, [last.id.0 as u64], "what was in it has gone with it");
    let journal = storage.collection_journal(id, CALENDAR, last.changed).await.expect("read").expect("known");
    assert!(journal.rows.iter().any(|row| row.destroyed.contains(home.0 as u64)));
    assert!(storage.collections_modseq(id, CALENDAR).await.expect("read") > last.changed);
}

/// RFC 6578: a client that follows page by page ends up with what is there, whatever happens meanwhile.
pub(super) async fn items_are_synchronised(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let home = calendar(&storage, id, "home").await.expect("made");
    for n in 0..7 {
        put(&storage, id, home, new(&format!("{n}.ics"), "data", &[])).await;
    }
    let page = async |since: Option<Since>| {
        storage.item_changes(id, home, since, 3).await.expect("read").expect("known")
    };
    let mut known = std::collections::BTreeMap::new();
    let mut state = None;
    for round in 0..20 {
        let changes = page(state).await;
        state = Some(changes.state);
        for change in changes.changes {
            known.insert(change.name, change.row.map(|row| row.changed));
        }
        match round {
            0 => drop(put(&storage, id, home, new("0.ics", "other", &[])).await),
            1 => {
                let rows = storage.items_named(id, home, &["1.ics", "6.ics"]).await.expect("read");
                let remove = storage.transact([id], move |tx| {
                    Box::pin(async move { items::remove(tx, id, home, &rows).await })
                });
                remove.await.expect("removed");
            }
            2 => drop(put(&storage, id, home, new("6.ics", "again", &[])).await),
            _ if !changes.has_more => break,
            _ => {}
        }
    }
    known.retain(|_, row| row.is_some());
    let there = storage.items(id, home, "", 100).await.expect("read");
    let there = there.into_iter().map(|row| (row.name, Some(row.changed))).collect();
    assert_eq!(known, there);
    assert_eq!(page(state).await.changes, [], "nothing more");

    let future = Some(Since::all(state.expect("a state").modseq + 1));
    assert_eq!(storage.item_changes(id, home, future, 3).await.expect("read"), None);
    storage.transact([], |tx| Box::pin(items::trim(tx, i64::MAX))).await.expect("trimmed");
    assert_eq!(storage.item_changes(id, home, Some(Since::all(1)), 3).await.expect("read"), None, "too old");
    assert!(page(state).await.changes.is_empty(), "a newer state is still good");
    let begins = page(None).await;
    assert!(begins.has_more && page(Some(begins.state)).await.changes.len() == 3, "who begins now goes on");
}

pub(super) async fn items_have_properties_and_are_indexed_anew(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let home = calendar(&storage, id, "home").await.expect("made");
    let set =
        |name: &str, value: Option<&str>| ("DAV:".to_owned(), name.to_owned(), value.map(str::to_owned));
    let patch = vec![set("a", Some("1")), set("b", Some("2")), set("a", None)];
    let count = storage
        .transact([id], move |tx| {
            Box::pin(async move { items::patch_properties(tx, id, home.0, patch).await })
        })
        .await;
    assert_eq!(count.expect("set"), (1, 6));
    let rows = storage.item_properties(id, &[home.0, 99]).await.expect("read");
    assert_eq!(
        rows.iter().map(|row| (row.name.as_str(), row.value.as_str())).collect::<Vec<_>>(),
        [("b", "2")]
    );

    let item = put(&storage, id, home, new("a.ics", "data", &[])).await;
    let due = storage.items_to_index(1, 10).await.expect("read");
    assert_eq!(due.iter().map(|(account, item)| (*account, item.id)).collect::<Vec<_>>(), [(id, item.id)]);
    let index = ItemIndex {
        is_open: true,
        indexed_from: -1000,
        indexed_to: 1000,
        occurrences: vec![(10, 20)],
        ..ItemIndex::default()
    };
    let stale = ItemRow { changed: item.changed - 1, ..item.clone() };
    for (row, found) in [(stale, 1), (item, 0)] {
        let anew = [(id, row, index.clone())];
        storage
            .transact([], move |tx| Box::pin(async move { items::reindex(tx, &anew).await }))
            .await
            .expect("indexed");
        assert_eq!(storage.items_to_index(1, 10).await.expect("read").len(), found);
    }
    let window = TimeWindow { from: 30, to: 40 };
    assert_eq!(
        storage.items_within(id, home, window).await.expect("read"),
        [],
        "the index knows that it is not there"
    );
}

pub(super) async fn scheduling_objects_have_tags(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let home = calendar(&storage, id, "home").await.expect("made");
    let mut tags = Vec::new();
    for (data, tag) in [
        ("plain", ScheduleTag::Absent),
        ("invites", ScheduleTag::Fresh),
        ("answered", ScheduleTag::Same),
        ("invites more", ScheduleTag::Fresh),
    ] {
        tags.push(put(&storage, id, home, NewItem { tag, ..new("a", data, &[]) }).await.schedule_tag);
    }
    assert!(tags[0] == 0 && tags[1] > 0 && tags[2] == tags[1] && tags[3] > tags[2], "{tags:?}");
    let rows = storage.items_with_uid(id, "uid of a").await.expect("read");
    assert_eq!(
        rows.iter().map(|(row, name)| (row.schedule_tag, name.as_str())).collect::<Vec<_>>(),
        [(tags[3], "home")]
    );
    for n in 0..3 {
        put(&storage, id, home, new(&n.to_string(), "x", &[])).await;
    }
    let oldest =
        storage.transact([id], move |tx| Box::pin(async move { items::beyond(tx, id, home, 3).await }));
    assert_eq!(oldest.await.expect("read").iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a"]);
}

pub(super) async fn alarms_are_due_once(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let home = calendar(&storage, id, "home").await.expect("made");
    let with = |name: &str, alarm_at| {
        let new = new(name, name, &[]);
        NewItem { index: ItemIndex { alarm_at, ..new.index.clone() }, ..new }
    };
    let far = i64::MAX - 1;
    let first = put(&storage, id, home, with("a", Some(100))).await;
    put(&storage, id, home, with("b", Some(far))).await;
    assert_eq!(storage.next_alarm_at().await.expect("read"), Some(100));
    assert_eq!(storage.alarms_due(99, 10).await.expect("read"), []);
    let [due] = storage.alarms_due(100, 10).await.expect("read")[..] else { panic!("one is due") };
    assert_eq!(due, DueAlarm { account: id, item: first.id, due_at: 100, done_to: due.done_to });
    let source = storage.alarm_source(id, first.id).await.expect("read");
    assert_eq!(source, Some(AlarmSource { data: with("a", None).data, time_zone: String::new() }));
    let move_on = async |due, done_to, next| {
        storage
            .transact([], move |tx| Box::pin(async move { move_on(tx, due, done_to, next).await }))
            .await
            .expect("done")
    };
    assert!(move_on(due, 120, Some(150)).await && !move_on(due, 120, None).await, "it was done by then");
    assert_eq!(storage.next_alarm_at().await.expect("read"), Some(150));
    // What is due stays so, whatever is stored before somebody looks.
    for alarm_at in [Some(far), None] {
        put(&storage, id, home, with("a", alarm_at)).await;
        let still = DueAlarm { due_at: 150, done_to: 120, ..due };
        assert_eq!(storage.alarms_due(200, 10).await.expect("read"), [still]);
    }
    assert!(move_on(DueAlarm { due_at: 150, done_to: 120, ..due }, 160, Some(far - 1)).await);
    put(&storage, id, home, with("a", None)).await;
    assert_eq!(storage.next_alarm_at().await.expect("read"), Some(far));
    let gone = storage.items_named(id, home, &["b"]).await.expect("read");
    let remove =
        storage.transact([id], move |tx| Box::pin(async move { items::remove(tx, id, home, &gone).await }));
    remove.await.expect("removed");
    assert_eq!(storage.next_alarm_at().await.expect("read"), None);
}

//! What the storage promises, on whatever database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(super) use super::contacts::contacts_are_known_until_they_expire;
pub(super) use super::dkim::keys_are_kept_until_removed;
pub(super) use super::emails::{
    an_email_is_found_in_all_its_places, uploads_wait_for_their_use, what_is_sent_is_noted,
};
pub(super) use super::facts::summaries_are_read_in_one_scan;
pub(super) use super::file_texts::contents_are_read_once;
pub(super) use super::files::a_random_course_of_files_equals_its_model;
pub(super) use super::forward::an_alias_leads_to_accounts_and_addresses;
pub(super) use super::group::{
    a_refused_append_leaves_nothing_to_the_next_job, an_aborted_reader_leaves_no_transaction,
    what_an_undone_job_has_locked_is_locked_anew,
};
pub(super) use super::imports::an_import_is_noted_once;
pub(super) use super::items::{
    alarms_are_due_once, items_are_kept_and_found, items_are_moved_and_removed, items_are_synchronised,
    items_have_properties_and_are_indexed_anew, scheduling_objects_have_tags,
};
pub(super) use super::itip::itip_messages_are_told_once;
pub(super) use super::junk::what_a_filter_learned_is_kept_and_goes_with_its_account;
pub(super) use super::metadata::annotations_follow_their_mailbox;
pub(super) use super::oauth::{
    grants_are_kept_with_their_tokens, programs_register_within_a_limit,
    tokens_expire_and_go_with_their_account,
};
pub(super) use super::queue::*;
pub(super) use super::read::save_dates_are_told_by_uid;
pub(super) use super::replace::a_replacement_is_one_commit;
pub(super) use super::reports::{a_report_is_kept_once, what_happens_is_counted_until_reported};
pub(super) use super::rooms::rooms_are_accounts;
pub(super) use super::scattered::scattered_sets_are_exact;
pub(super) use super::sharing::{collections_are_granted_and_described, grants_are_found_from_both_sides};
pub(super) use super::sieve::{scripts_are_kept, what_runs_have_noted_expires};
pub(super) use super::terms::{an_interrupted_index_is_smaller_not_wrong, terms_lead_to_emails};
pub(super) use super::transport::policies_are_kept_until_they_expire;
pub(super) use super::twins::{
    logs_of_domains_grow, other_hubs_and_their_twins_are_known, records_of_twins_are_kept_in_order,
};
use super::{Ear, Place, account, email};
use crate::messages::{change_flags, copy, expunge, move_to};
use crate::{
    AccountId, Change, Edit, Error, Flags, IdSet, Kind, MailboxId, MailboxRow, Record, Storage, accounts,
    mailboxes,
};

const INBOX: MailboxId = MailboxId::INBOX;

pub(super) async fn records(storage: &Storage, account: AccountId, mailbox: MailboxId) -> Vec<Record> {
    storage.mailbox_index(account, mailbox).await.expect("index").records
}

pub(super) async fn uids(storage: &Storage, account: AccountId, mailbox: MailboxId) -> Vec<u32> {
    records(storage, account, mailbox).await.iter().map(|r| r.uid).collect()
}

/// The mailbox's counters must be what counting its rows gives.
pub(super) async fn assert_counters(storage: &Storage, account: AccountId) {
    let (rows, _) = storage.mailboxes(account).await.expect("mailboxes");
    let mut bytes = 0;
    for row in rows.iter().filter(|row| row.selectable) {
        let records = records(storage, account, row.id).await;
        let unseen = records.iter().filter(|r| !r.flags.contains(Flags::SEEN)).count();
        let size: u64 = records.iter().map(|r| u64::from(r.size)).sum();
        assert_eq!((row.total, row.unseen), (records.len() as u32, unseen as u32), "{}", row.name);
        assert_eq!(row.bytes, size, "{}", row.name);
        assert!(records.iter().all(|r| r.uid < row.uid_next && r.modseq <= row.modseq));
        bytes += size;
    }
    let account = storage.account(account).await.expect("account").expect("exists");
    assert_eq!(account.bytes, bytes);
}

pub(super) async fn appended_messages_are_read_back(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let random: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let bodies = [b"".to_vec(), b"hello\r\n".repeat(1_000), random];
    let mut emails = Vec::new();
    for body in &bodies {
        emails.push(email(&storage, id, body).await);
    }
    let appended = storage.append(emails).await.expect("appended");
    assert_eq!(appended.iter().map(|a| a.uid).collect::<Vec<_>>(), [1, 2, 3]);

    let ids: Vec<_> = appended.iter().map(|a| a.email).collect();
    let mut stored = storage.emails(id, &ids).await.expect("read");
    stored.sort_by_key(|email| email.id);
    let blobs: Vec<_> = stored.iter().map(|email| (email.blob, usize::MAX)).collect();
    assert_eq!(storage.read_starts(&blobs).await.expect("read"), bodies);
    for (email, body) in stored.iter().zip(&bodies) {
        assert_eq!(&email.prefix[..], b"Received: by test\r\n");
        assert_eq!(&email.summary[..], b"summary");
        assert_eq!(email.blob_size, body.len() as u64);
        let (from, to) = (body.len() / 3, body.len() / 3 + 10);
        let expected = &body[from..to.min(body.len())];
        assert_eq!(storage.read_blob(email.blob, from as u64, 10).await.expect("range"), expected);
        assert_eq!(storage.read_blob(email.blob, 1 << 40, 10).await.expect("past the end"), "");
    }
    for record in records(&storage, id, INBOX).await {
        assert_eq!(record.size as usize, bodies[record.uid as usize - 1].len() + 19);
        assert_eq!(record.received_at, 1_000);
    }
    assert_counters(&storage, id).await;
}

pub(super) async fn a_group_is_all_or_nothing(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 1_000).await;
    let small = email(&storage, id, &[b'x'; 400]).await;
    let refused = storage.append(vec![small.clone(), small.clone(), small.clone()]).await;
    assert!(matches!(refused, Err(Error::OverQuota { used: 0, limit: 1_000 })), "{refused:?}");
    assert!(uids(&storage, id, INBOX).await.is_empty());
    storage.append(vec![small.clone(), small.clone()]).await.expect("fits");
    assert!(matches!(storage.append(vec![small]).await, Err(Error::OverQuota { used: 838, .. })));
    let nowhere = crate::NewEmail { mailbox: MailboxId(77), ..email(&storage, id, b"").await };
    assert!(matches!(storage.append(vec![nowhere]).await, Err(Error::NotFound(_))));
    let nobody = email(&storage, AccountId(77), b"").await;
    assert!(matches!(storage.append(vec![nobody]).await, Err(Error::NotFound(_))));
    assert_counters(&storage, id).await;
}

pub(super) async fn one_refused_job_does_not_touch_its_neighbours(place: Place) {
    let storage = place.open().await;
    let (full, _) = account(&storage, "full", 10).await;
    let (roomy, _) = account(&storage, "roomy", 0).await;
    let mut jobs = tokio::task::JoinSet::new();
    for n in 0..60 {
        let storage = storage.clone();
        jobs.spawn(async move {
            match n % 3 {
                0 => storage.append(vec![email(&storage, full, b"too much").await]).await.map(drop),
                1 => storage.append(vec![email(&storage, roomy, b"fine").await]).await.map(drop),
                _ => {
                    let fails = storage.transact([roomy], move |tx| {
                        Box::pin(async move {
                            accounts::set_quota(tx, roomy, 1).await?;
                            mailboxes::create(tx, roomy, MailboxRow::ROOT, "Half", None, true).await?;
                            Err::<(), _>(Error::Limit("on purpose"))
                        })
                    });
                    fails.await
                }
            }
        });
    }
    let results = jobs.join_all().await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 20);
    assert_eq!(uids(&storage, roomy, INBOX).await, (1..=20).collect::<Vec<_>>());
    assert!(uids(&storage, full, INBOX).await.is_empty());
    let (rows, _) = storage.mailboxes(roomy).await.expect("mailboxes");
    assert!(rows.iter().all(|row| row.name != "Half"));
    assert_eq!(storage.account(roomy).await.expect("read").expect("exists").quota, 0);
    assert_counters(&storage, roomy).await;
}

pub(super) async fn flags_change_by_one_rule(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"x").await;
    storage.append(vec![message; 10]).await.expect("appended");
    let before = records(&storage, id, INBOX).await[0].modseq;
    let change = |set: Flags, clear: Flags, range: (u64, u64), since: Option<u64>| {
        let storage = storage.clone();
        async move {
            let uids = IdSet::range(range.0, range.1);
            storage
                .transact([id], move |tx| {
                    Box::pin(async move { change_flags(tx, id, INBOX, &uids, set, clear, since).await })
                })
                .await
                .expect("changed")
        }
    };
    change(Flags::SEEN | Flags::keyword(54), Flags::NONE, (3, 5), None).await;
    assert_counters(&storage, id).await;
    let after = records(&storage, id, INBOX).await;
    assert_eq!(after.iter().filter(|r| r.flags == (Flags::SEEN | Flags::keyword(54))).count(), 3);
    assert!(after[2].modseq > before && after[1].modseq == before);

    // Nothing to change: the modseq stays.
    let modseq = after[2].modseq;
    change(Flags::SEEN, Flags::NONE, (3, 3), None).await;
    assert_eq!(records(&storage, id, INBOX).await[2].modseq, modseq);

    // RFC 7162 §3.1.3: those changed since are left alone and reported.
    let failed = change(Flags::FLAGGED, Flags::SEEN, (1, 100), Some(before)).await;
    assert_eq!(failed, IdSet::range(3, 5));
    let after = records(&storage, id, INBOX).await;
    assert!(after[2].flags.contains(Flags::SEEN) && !after[2].flags.contains(Flags::FLAGGED));
    assert!(after[0].flags.contains(Flags::FLAGGED));
    change(Flags::NONE, Flags(i64::MAX as u64), (1, 100), None).await;
    assert!(records(&storage, id, INBOX).await.iter().all(|r| r.flags.is_empty()));
    assert_counters(&storage, id).await;
}

pub(super) async fn copies_moves_and_expunges_keep_the_counters(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"12345").await;
    storage.append(vec![message; 6]).await.expect("appended");
    let copied = storage
        .transact([id], move |tx| {
            Box::pin(async move { copy(tx, id, INBOX, &IdSet::range(2, 3), other).await })
        })
        .await
        .expect("copied");
    assert_eq!((copied.from, copied.to), (IdSet::range(2, 3), IdSet::range(1, 2)));
    assert_counters(&storage, id).await;
    let moved = storage
        .transact([id], move |tx| {
            Box::pin(async move { move_to(tx, id, INBOX, &IdSet::range(5, 99), other).await })
        })
        .await
        .expect("moved");
    assert_eq!((moved.from, moved.to), (IdSet::range(5, 6), IdSet::range(3, 4)));
    assert_eq!(uids(&storage, id, INBOX).await, [1, 2, 3, 4]);
    assert_counters(&storage, id).await;

    // A moved message is the same e-mail; a copied one too.
    let (left, right) = (records(&storage, id, INBOX).await, records(&storage, id, other).await);
    assert_eq!(left[1].email, right[0].email);

    let removed = storage
        .transact([id], move |tx| {
            Box::pin(async move {
                change_flags(tx, id, INBOX, &IdSet::range(2, 4), Flags::DELETED, Flags::NONE, None).await?;
                expunge(tx, id, INBOX, &IdSet::range(1, 3), Flags::DELETED).await
            })
        })
        .await
        .expect("expunged");
    assert_eq!(removed, IdSet::range(2, 3));
    assert_eq!(uids(&storage, id, INBOX).await, [1, 4]);
    assert_counters(&storage, id).await;
    // Still lying in the other mailbox, so not gone.
    assert_eq!(storage.emails(id, &[right[0].email]).await.expect("read").len(), 1);
    let none = storage
        .transact([id], move |tx| {
            Box::pin(async move { move_to(tx, id, INBOX, &IdSet::range(50, 60), other).await })
        })
        .await
        .expect("nothing to move is no error");
    assert!(none.from.is_empty() && none.to.is_empty());
}

pub(super) async fn mailboxes_form_a_tree(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let create = |parent: MailboxId, name: &'static str| {
        let storage = storage.clone();
        async move {
            storage
                .transact([id], move |tx| Box::pin(mailboxes::create(tx, id, parent, name, None, true)))
                .await
        }
    };
    let child = create(other, "Child").await.expect("created");
    assert!(matches!(create(other, "Child").await, Err(Error::Exists(_))));
    let find = |name: &'static str| {
        let storage = storage.clone();
        async move {
            let (rows, _) = storage.mailboxes(id).await.expect("mailboxes");
            rows.into_iter().find(|row| row.name == name).expect(name)
        }
    };
    let first = find("Child").await.uid_validity;
    let row = find("Other").await;
    storage
        .transact([id], move |tx| Box::pin(async move { mailboxes::delete(tx, id, &row, true).await }))
        .await
        .expect("deleted");
    let bare = find("Other").await;
    assert!(!bare.selectable && bare.id != other);
    assert_eq!(find("Child").await.parent, bare.id);
    let row = find("Child").await;
    storage
        .transact([id], move |tx| Box::pin(async move { mailboxes::delete(tx, id, &row, false).await }))
        .await
        .expect("deleted");
    create(bare.id, "Child").await.expect("created again");
    assert!(find("Child").await.uid_validity > first);
    assert_ne!(find("Child").await.id, child);
    storage
        .transact([id], move |tx| {
            Box::pin(async move { mailboxes::rename(tx, id, bare.id, MailboxRow::ROOT, "New").await })
        })
        .await
        .expect("renamed");
    assert_eq!(find("New").await.id, bare.id);
    storage
        .transact([id], move |tx| Box::pin(mailboxes::subscribe(tx, id, "New/Child", true)))
        .await
        .expect("subscribed");
    assert!(storage.mailboxes(id).await.expect("read").1.contains(&"New/Child".to_owned()));
    let taken = storage
        .transact([id], move |tx| {
            Box::pin(async move { mailboxes::rename(tx, id, bare.id, MailboxRow::ROOT, "INBOX").await })
        })
        .await;
    assert!(matches!(taken, Err(Error::Exists(_))));
}

pub(super) async fn equal_content_is_kept_once_and_reclaimed(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let random: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_246_822_519) >> 11) as u8).collect();
    for _ in 0..2 {
        storage.append(vec![email(&storage, id, &random).await]).await.expect("appended");
    }
    let files = || storage.store().old_files(0).expect("listed").len();
    assert_eq!(files(), 1, "the second file is not needed");
    // Staged and dropped: the file goes at once.
    drop(email(&storage, id, &random[1..]).await);
    assert_eq!(files(), 1);

    let blob =
        storage.emails(id, &[records(&storage, id, INBOX).await[0].email]).await.expect("read")[0].blob;
    let remove = |uid: u64| {
        let storage = storage.clone();
        async move {
            storage
                .transact([id], move |tx| {
                    Box::pin(
                        async move { expunge(tx, id, INBOX, &IdSet::range(uid, uid), Flags::NONE).await },
                    )
                })
                .await
                .expect("expunged")
        }
    };
    let now = crate::unix_now();
    remove(1).await;
    while storage.reclaim(now + 4_000).await.expect("reclaimed") {}
    while storage.reclaim(now + 8_000).await.expect("reclaimed") {}
    assert_eq!(storage.read_blob(blob, 0, 5).await.expect("one reference left"), random[..5]);
    remove(2).await;
    while storage.reclaim(now).await.expect("reclaimed") {}
    assert_eq!(files(), 1, "readable until the grace period is over");
    while storage.reclaim(now + 4_000).await.expect("reclaimed") {}
    while storage.reclaim(now + 8_000).await.expect("reclaimed") {}
    assert_eq!(files(), 0);
    assert!(storage.read_blob(blob, 0, 5).await.is_err());
}

pub(super) async fn a_deleted_mailbox_is_emptied_later(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let message = crate::NewEmail { mailbox: other, ..email(&storage, id, b"x").await };
    for _ in 0..3 {
        storage.append(vec![message.clone(); 400]).await.expect("appended");
    }
    let emails: Vec<_> = records(&storage, id, other).await.iter().map(|r| r.email).collect();
    let (rows, _) = storage.mailboxes(id).await.expect("mailboxes");
    let row = rows.into_iter().find(|row| row.id == other).expect("there");
    storage
        .transact([id], move |tx| Box::pin(async move { mailboxes::delete(tx, id, &row, false).await }))
        .await
        .expect("deleted");
    assert_eq!(storage.account(id).await.expect("read").expect("exists").bytes, 0, "given back at once");
    assert!(matches!(storage.mailbox_index(id, other).await, Err(Error::NotFound(_))));
    assert!(matches!(storage.append(vec![message]).await, Err(Error::NotFound(_))));
    let now = crate::unix_now();
    while storage.reclaim(now).await.expect("reclaimed") {}
    while storage.reclaim(now + 4_000).await.expect("reclaimed") {}
    assert!(storage.emails(id, &emails).await.expect("read").is_empty());
    assert_counters(&storage, id).await;
}

pub(super) async fn concurrent_appends_get_gapless_uids(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    // Whoever listens can rebuild the mailbox from what it is told, in order.
    let heard: Arc<Mutex<BTreeMap<u32, (Flags, u64)>>> = Arc::default();
    let ear = Arc::clone(&heard);
    storage.listen(Box::new(Ear(move |changes: Vec<Change>| {
        let mut heard = crate::locked(&ear);
        for change in changes {
            let Change::Messages { mailbox: INBOX, modseq, edit, .. } = change else { continue };
            match edit {
                Edit::Added(records) => heard.extend(records.iter().map(|r| (r.uid, (r.flags, r.modseq)))),
                Edit::Removed(uids) => heard.retain(|uid, _| !uids.contains(u64::from(*uid))),
                Edit::Flags { uids, set, clear, .. } => {
                    for (_, (flags, changed)) in
                        heard.iter_mut().filter(|(uid, _)| uids.contains(u64::from(**uid)))
                    {
                        let next = (*flags & !clear) | set;
                        if next != *flags {
                            (*flags, *changed) = (next, modseq);
                        }
                    }
                }
            }
        }
    })));
    let mut jobs = tokio::task::JoinSet::new();
    for n in 0..40u64 {
        let storage = storage.clone();
        jobs.spawn(async move {
            for round in 0..10 {
                let body = format!("{n} {round}");
                storage.append(vec![email(&storage, id, body.as_bytes()).await]).await.expect("appended");
                let uids = IdSet::range(n * 5, n * 5 + 7);
                storage
                    .transact([id], move |tx| {
                        Box::pin(async move {
                            match round % 3 {
                                0 => change_flags(tx, id, INBOX, &uids, Flags::SEEN, Flags::NONE, None).await,
                                1 => {
                                    change_flags(tx, id, INBOX, &uids, Flags::FLAGGED, Flags::SEEN, None)
                                        .await
                                }
                                _ => move_to(tx, id, INBOX, &IdSet::range(n, n), other).await.map(|c| c.from),
                            }
                        })
                    })
                    .await
                    .expect("changed");
            }
        });
    }
    jobs.join_all().await;
    let index = storage.mailbox_index(id, INBOX).await.expect("index");
    assert_eq!(index.uid_next, 401);
    let truth: BTreeMap<u32, (Flags, u64)> =
        index.records.iter().map(|r| (r.uid, (r.flags, r.modseq))).collect();
    assert_eq!(*crate::locked(&heard), truth);
    assert_counters(&storage, id).await;
}

pub(super) async fn everything_survives_a_restart(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let large = vec![b'y'; 1_000_000];
    storage.append(vec![email(&storage, id, b"small").await]).await.expect("appended");
    storage.append(vec![email(&storage, id, &large).await]).await.expect("appended");
    let before = records(&storage, id, INBOX).await;
    assert!(matches!(place.try_open().await, Err(Error::Locked(_))), "one hub per directory");
    storage.close().await;
    assert!(matches!(storage.append(vec![]).await, Err(Error::Busy)));
    drop(storage);

    let storage = place.open().await;
    assert_eq!(records(&storage, id, INBOX).await, before);
    let stored = storage.emails(id, &[before[1].email]).await.expect("read");
    assert_eq!(storage.read_starts(&[(stored[0].blob, usize::MAX)]).await.expect("read")[0], large);
    let next = storage.append(vec![email(&storage, id, b"next").await]).await.expect("appended");
    assert_eq!(next[0].uid, 3);
    assert!(records(&storage, id, INBOX).await[2].modseq > before[1].modseq);
}

pub(super) async fn threads_are_joined_by_references(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (other, _) = account(&storage, "bob", 0).await;
    let with_keys = async |account, keys: &[i64]| {
        let base = email(&storage, account, b"x").await;
        let email = crate::NewEmail { thread_keys: keys.to_vec(), ..base };
        let appended = storage.append(vec![email]).await.expect("appended");
        storage.emails(account, &[appended[0].email]).await.expect("read")[0].thread
    };
    let first = with_keys(id, &[1]).await;
    let reply = with_keys(id, &[2, 1]).await;
    let reply_to_reply = with_keys(id, &[3, 2]).await;
    let another = with_keys(id, &[4]).await;
    assert_eq!((reply, reply_to_reply), (first, first));
    assert_ne!(another, first);
    // A parent that arrives after its reply.
    let child = with_keys(id, &[6, 5]).await;
    assert_eq!(with_keys(id, &[5]).await, child);
    assert_ne!(with_keys(other, &[1]).await, 0);
}

pub(super) async fn a_removed_account_leaves_nothing(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (other, _) = account(&storage, "bob", 0).await;
    let shared = b"in both accounts".repeat(10);
    for account in [id, other] {
        storage.append(vec![email(&storage, account, &shared).await]).await.expect("appended");
    }
    storage.append(vec![email(&storage, id, &vec![b'z'; 900_000]).await]).await.expect("appended");
    storage.transact([id], move |tx| Box::pin(accounts::remove_account(tx, id))).await.expect("removed");
    assert!(storage.account(id).await.expect("read").is_none());
    assert!(matches!(storage.append(vec![email(&storage, id, b"").await]).await, Err(Error::NotFound(_))));
    while storage.reclaim(crate::unix_now() + 4_000).await.expect("reclaimed") {}
    assert!(storage.store().old_files(0).expect("listed").is_empty());
    let left = storage.emails(other, &[records(&storage, other, INBOX).await[0].email]).await.expect("read");
    assert_eq!(
        storage.read_starts(&[(left[0].blob, usize::MAX)]).await.expect("bob's is still there")[0],
        shared
    );
    let again = account(&storage, "alice", 0).await.0;
    assert!(again > other, "ids are never reused");
}

pub(super) async fn the_journal_folds_changes(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"x").await;
    storage.append(vec![message.clone(); 5]).await.expect("appended");
    let since = storage.mailbox_index(id, INBOX).await.expect("index").modseq;
    storage.append(vec![message; 2]).await.expect("appended");
    storage
        .transact([id], move |tx| {
            Box::pin(async move {
                change_flags(tx, id, INBOX, &IdSet::range(4, 6), Flags::SEEN, Flags::NONE, None).await?;
                let gone: IdSet = [2, 7].into_iter().collect();
                expunge(tx, id, INBOX, &gone, Flags::NONE).await
            })
        })
        .await
        .expect("changed");
    let folded = storage.changes_since(id, Kind::Uid, INBOX.0, since).await.expect("read").expect("kept");
    assert_eq!(folded.created, IdSet::range(6, 6));
    assert_eq!(folded.updated, IdSet::range(4, 5));
    assert_eq!(folded.destroyed, IdSet::range(2, 2));
    let nothing =
        storage.changes_since(id, Kind::Uid, INBOX.0, folded.modseq).await.expect("read").expect("kept");
    assert!(nothing.created.is_empty() && nothing.updated.is_empty() && nothing.destroyed.is_empty());

    // Half a year later the journal has been trimmed, and says so.
    storage.reclaim(crate::unix_now() + 200 * 24 * 3600).await.expect("trimmed");
    assert_eq!(storage.changes_since(id, Kind::Uid, INBOX.0, since).await.expect("read"), None);
}

pub(super) async fn a_packed_copy_and_the_journal_give_the_rows(place: Place) {
    let storage = place.open().await;
    let (id, other) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"x").await;
    storage.append(vec![message.clone(); 200]).await.expect("appended");
    let index = storage.mailbox_index(id, INBOX).await.expect("index");
    let packed = crate::packed::pack(index.records.iter()).expect("packed");
    let modseq = index.modseq;
    storage
        .transact([id], move |tx| Box::pin(crate::packed::save(tx, id, INBOX, modseq, packed)))
        .await
        .expect("saved");
    let changes: [(&str, IdSet); 5] = [
        ("flag", IdSet::range(10, 20)),
        ("expunge", IdSet::range(15, 17)),
        ("move", IdSet::range(1, 3)),
        ("append", IdSet::new()),
        ("flag", IdSet::range(1, u64::from(u32::MAX))),
    ];
    for (what, uids) in changes {
        let message = message.clone();
        storage
            .transact([id], move |tx| {
                Box::pin(async move {
                    match what {
                        "flag" => {
                            change_flags(tx, id, INBOX, &uids, Flags::SEEN, Flags::NONE, None).await.map(drop)
                        }
                        "expunge" => expunge(tx, id, INBOX, &uids, Flags::NONE).await.map(drop),
                        "move" => move_to(tx, id, INBOX, &uids, other).await.map(drop),
                        _ => crate::append_within(tx, &[message]).await.map(drop),
                    }
                })
            })
            .await
            .expect("changed");
        let mut reader = storage.reader().await.expect("reader");
        let rows =
            crate::mail::read::rows(&mut reader, id, INBOX, 1, u64::from(u32::MAX)).await.expect("rows");
        drop(reader);
        assert_eq!(records(&storage, id, INBOX).await, rows, "{what}");
    }
    // Too old for the journal: all rows are read.
    storage.reclaim(crate::unix_now() + 200 * 24 * 3600).await.expect("trimmed");
    assert_eq!(records(&storage, id, INBOX).await.len(), 195);
    assert_counters(&storage, id).await;
}

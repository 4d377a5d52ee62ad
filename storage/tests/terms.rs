//! The index from terms to e-mails.

use std::collections::BTreeMap;

use super::{Place, account, email};
use crate::messages::{change_flags, expunge};
use crate::{AccountId, Corpus, EmailId, Flags, IdSet, MailboxId, Storage, TERMS, TermBatch, accounts};

/// Terms of a message, by its number: common ones, rarer ones, the lowest and the highest.
fn terms_of(number: i64) -> Vec<u32> {
    let number = number as u32;
    let mut terms = vec![0, 5 + number % 2, 1_000 + number % 7, 70_000 + number % 50, TERMS - 1];
    terms.extend((0..40).map(|n| (number * 2_654_435 + n * 40_503) % (TERMS - 20_000) + 10_000));
    terms.sort_unstable();
    terms.dedup();
    terms
}

async fn index(storage: &Storage, account: AccountId, limit: usize) {
    let listed = storage.unindexed(account, Corpus::Mail, limit).await.expect("listed");
    let mut batch = TermBatch::new();
    for (id, _) in listed {
        match id % 11 {
            // Unreadable: stays unknown.
            0 => batch.pass(id),
            _ => batch.push(id, terms_of(id)),
        }
    }
    storage.index_terms(account, Corpus::Mail, batch).await.expect("indexed");
}

async fn assert_answers(storage: &Storage, account: AccountId, alive: &[EmailId]) {
    let questions: Vec<Vec<u32>> =
        vec![vec![], vec![0], vec![5], vec![6, 1_003], vec![5, 6], vec![70_021, TERMS - 1], vec![9]];
    let answer = storage.candidates(account, Corpus::Mail, &questions).await.expect("answered");
    let known = alive.iter().filter(|id| id.0 % 11 != 0);
    for id in known.clone() {
        assert!(answer.indexed.contains(id.0 as u64), "{id}");
        let terms = terms_of(id.0);
        for (question, matching) in questions.iter().zip(&answer.matching) {
            let expected = question.iter().all(|term| terms.contains(term));
            assert_eq!(matching.contains(id.0 as u64), expected, "{id} {question:?}");
        }
    }
    assert!(alive.iter().filter(|id| id.0 % 11 == 0).all(|id| !answer.indexed.contains(id.0 as u64)));
}

async fn append(storage: &Storage, account: AccountId, count: usize) -> Vec<EmailId> {
    let message = email(storage, account, b"x").await;
    let appended = storage.append(vec![message; count]).await.expect("appended");
    appended.into_iter().map(|appended| appended.email).collect()
}

pub(crate) async fn terms_lead_to_emails(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (other, _) = account(&storage, "bob", 0).await;
    assert_answers(&storage, id, &[]).await;
    let mut alive = Vec::new();
    let others = append(&storage, other, 3).await;
    index(&storage, other, 10).await;
    for size in [70, 1, 2, 3, 40, 5, 6, 7, 8, 9, 10] {
        alive.extend(append(&storage, id, size).await);
        index(&storage, id, 1_000).await;
        assert!(storage.unindexed(id, Corpus::Mail, 10).await.expect("listed").is_empty());
        assert_answers(&storage, id, &alive).await;
        while storage.merge_terms(id, Corpus::Mail).await.expect("merged") {
            assert_answers(&storage, id, &alive).await;
        }
    }
    assert_answers(&storage, other, &others).await;

    // What is gone is left out of merged segments.
    let uids = IdSet::range(1, 120);
    storage
        .transact([id], move |tx| {
            Box::pin(async move {
                change_flags(tx, id, MailboxId::INBOX, &uids, Flags::DELETED, Flags::NONE, None).await?;
                expunge(tx, id, MailboxId::INBOX, &uids, Flags::DELETED).await
            })
        })
        .await
        .expect("expunged");
    while storage.reclaim(crate::unix_now() + 10_000).await.expect("reclaimed") {}
    let alive = alive.split_off(120);
    while storage.merge_terms(id, Corpus::Mail).await.expect("merged") {}
    assert_answers(&storage, id, &alive).await;
    let known = storage.candidates(id, Corpus::Mail, &[]).await.expect("answered").indexed;
    assert!(known.min() >= alive.first().map(|id| id.0 as u64), "{:?}", known.min());

    storage.forget_terms(id, Corpus::Mail).await.expect("forgotten");
    storage.clean_index(id, Corpus::Mail).await.expect("cleaned");
    assert_eq!(storage.unindexed(id, Corpus::Mail, 1_000).await.expect("listed").len(), alive.len());
    index(&storage, id, 20).await;
    assert_answers(&storage, id, &alive[..20]).await;

    storage.transact([id], move |tx| Box::pin(accounts::remove_account(tx, id))).await.expect("removed");
    assert!(storage.candidates(id, Corpus::Mail, &[]).await.expect("answered").indexed.is_empty());
    let mut late = TermBatch::new();
    late.push(alive[0].0, [1]);
    assert!(
        storage.index_terms(id, Corpus::Mail, late).await.is_err(),
        "nothing of a removed account is written"
    );
    assert_eq!(blocks(&storage).await.keys().collect::<Vec<_>>(), [&other.0]);
}

/// Rows of the index per account.
async fn blocks(storage: &Storage) -> BTreeMap<i64, i64> {
    let mut reader = storage.reader().await.expect("reader");
    let rows = reader
        .query("SELECT account, COUNT(*) FROM term_block GROUP BY account", Vec::new(), |row| {
            Ok((row.int(0)?, row.int(1)?))
        })
        .await;
    rows.expect("counted").into_iter().collect()
}

/// Work that is dropped at any point leaves a correct index, and the next round clears up.
pub(crate) async fn an_interrupted_index_is_smaller_not_wrong(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let mut alive = Vec::new();
    for steps in 0..40 {
        alive.extend(append(&storage, id, 3).await);
        let work = async {
            index(&storage, id, 1_000).await;
            while storage.merge_terms(id, Corpus::Mail).await.expect("merged") {}
        };
        let mut work = std::pin::pin!(work);
        for _ in 0..steps {
            tokio::select! {
                biased;
                () = &mut work => break,
                () = tokio::task::yield_now() => {}
            }
        }
        let known = storage.candidates(id, Corpus::Mail, &[]).await.expect("answered").indexed;
        let indexed: Vec<EmailId> = alive.iter().copied().filter(|id| known.contains(id.0 as u64)).collect();
        let all: Vec<EmailId> = alive.iter().copied().filter(|id| id.0 % 11 != 0).collect();
        assert_eq!(indexed, all[..indexed.len()], "indexed in order, without holes");
        assert_answers(&storage, id, &indexed).await;
    }
    storage.clean_index(id, Corpus::Mail).await.expect("cleaned");
    index(&storage, id, 1_000).await;
    while storage.merge_terms(id, Corpus::Mail).await.expect("merged") {}
    assert_answers(&storage, id, &alive).await;
    let rows = blocks(&storage).await;
    assert!(rows.values().all(|rows| *rows <= 8 * 16), "{rows:?}: what was not completed is left");
}

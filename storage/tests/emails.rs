//! E-mails of an account as wholes, and what the native API keeps besides.

use std::sync::Arc;

use super::cases::records;
use super::{Place, account, email};
use crate::submissions::{IdentityRow, SubmissionRow, VacationRow};
use crate::{EmailId, IdSet, Kind, MailboxId, mailboxes, messages, submissions, uploads};

const INBOX: MailboxId = MailboxId::INBOX;

pub(super) async fn an_email_is_found_in_all_its_places(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let (other, _) = account(&storage, "bob", 0).await;
    let message = email(&storage, id, b"x").await;
    let appended = storage.append(vec![message; 3]).await.expect("appended");
    storage.append(vec![email(&storage, other, b"x").await]).await.expect("appended");
    let before = storage.heads(id).await.expect("heads");
    let emails: Vec<EmailId> = appended.iter().map(|one| one.email).collect();
    let (first, second) = storage
        .transact([id], move |tx| {
            Box::pin(async move {
                let root = crate::MailboxRow::ROOT;
                let archive = mailboxes::create(tx, id, root, "Archive", None, true).await?;
                messages::copy(tx, id, INBOX, &IdSet::range(1, 1), archive).await?;
                let gone = crate::Flags::NONE;
                messages::expunge(tx, id, INBOX, &IdSet::range(2, 2), gone).await?;
                Ok((INBOX, archive))
            })
        })
        .await
        .expect("done");
    let places = storage.email_places(id, &emails).await.expect("read");
    let found: Vec<_> = places.iter().map(|placed| (placed.record.email, placed.mailbox)).collect();
    assert_eq!(found, [(emails[0], first), (emails[0], second), (emails[2], first)]);

    let mut all = storage.threads_above(id, EmailId(0)).await.expect("read");
    all.sort_unstable();
    assert_eq!(all.iter().map(|(email, _)| *email).collect::<Vec<_>>(), emails);
    assert_eq!(storage.threads_above(id, emails[1]).await.expect("read").len(), 1);
    let threads =
        storage.journal_since(id, Kind::Thread, 0, before.modseq).await.expect("read").expect("known");
    assert_eq!(threads.rows.len(), 1, "a thread has lost an e-mail");
    let after = storage.heads(id).await.expect("heads");
    assert!(after.email > before.email && after.mailbox > before.mailbox);
    assert_eq!(records(&storage, id, INBOX).await.len(), 2);
}

pub(super) async fn uploads_wait_for_their_use(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let put = async |bytes: &[u8]| {
        let mut spool = storage.spool();
        spool.write(bytes).await.expect("written");
        let blob = Arc::new(spool.finish().await.expect("finished"));
        let put = storage
            .transact([id], move |tx| Box::pin(async move { uploads::put(tx, id, &blob, (2, 1_000)).await }));
        put.await.expect("kept")
    };
    let (first, second) = (put(b"first").await, put(&[b'x'; 700]).await);
    let (row, body) = storage.upload(id, first).await.expect("read").expect("there");
    assert_eq!((row.size, body.read(0, 10).await.expect("read").as_ref()), (5, &b"first"[..]));
    // A third is too many, and the second too large beside it.
    let third = put(&[b'y'; 400]).await;
    assert!(storage.upload(id, first).await.expect("read").is_none());
    assert!(storage.upload(id, second).await.expect("read").is_none());
    assert!(storage.upload(id, third).await.expect("read").is_some());
    let later = crate::unix_now() + 25 * 3_600;
    while storage.reclaim(later).await.expect("reclaimed") {}
    assert!(storage.upload(id, third).await.expect("read").is_none());
}

pub(super) async fn what_is_sent_is_noted(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let before = storage.heads(id).await.expect("heads");
    let identity = IdentityRow { id: -1, email: "a@x".to_owned(), ..IdentityRow::default() };
    let sent = SubmissionRow {
        id: 0,
        identity: 0,
        email: EmailId(7),
        thread: 7,
        queued: 9,
        is_canceled: false,
        sent_at: crate::unix_now(),
        mail_from: "a@x".to_owned(),
        local: String::new(),
        remote: "b@y\n".to_owned(),
    };
    let vacation = VacationRow { is_enabled: true, plain: "away".to_owned(), ..VacationRow::default() };
    let (noted, away) = (sent.clone(), vacation.clone());
    let (identity_id, sent_id) = storage
        .transact([id], move |tx| {
            Box::pin(async move {
                let identity_id = submissions::put_identity(tx, id, &identity).await?;
                let changed = IdentityRow { id: identity_id, name: "A".to_owned(), ..identity };
                submissions::put_identity(tx, id, &changed).await?;
                submissions::set_vacation(tx, id, &away).await?;
                submissions::set_vacation(tx, id, &away).await?;
                Ok((identity_id, submissions::add_submission(tx, id, &noted).await?))
            })
        })
        .await
        .expect("done");
    let identities = storage.identities(id).await.expect("read");
    assert_eq!(
        identities.iter().map(|row| (row.id, row.name.as_str())).collect::<Vec<_>>(),
        [(identity_id, "A")]
    );
    assert_eq!(storage.submissions(id, 10).await.expect("read"), [SubmissionRow { id: sent_id, ..sent }]);
    assert_eq!(storage.vacation(id).await.expect("read"), vacation);
    let after = storage.heads(id).await.expect("heads");
    assert!(after.identity > before.identity && after.submission > before.submission);
    assert_eq!(after.email, before.email);
    storage
        .transact([id], move |tx| {
            Box::pin(async move {
                submissions::cancel_submission(tx, id, sent_id).await?;
                submissions::remove_identity(tx, id, identity_id).await
            })
        })
        .await
        .expect("done");
    assert!(storage.submissions(id, 10).await.expect("read")[0].is_canceled);
    assert!(storage.identities(id).await.expect("read").is_empty());
    storage
        .transact([id], move |tx| Box::pin(submissions::remove_submission(tx, id, sent_id)))
        .await
        .expect("removed");
    assert!(storage.submissions(id, 10).await.expect("read").is_empty());
}

//! Reading what the index does not hold.

use super::{Place, account, email};
use crate::MailboxId;

/// RFC 8514: what is not there has none.
pub(super) async fn save_dates_are_told_by_uid(place: Place) {
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let emails = vec![email(&storage, id, b"one").await, email(&storage, id, b"two").await];
    storage.append(emails).await.expect("appended");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let mut dates = storage.saved_at(id, MailboxId::INBOX, &[2, 7, 1]).await.expect("read");
    dates.sort_unstable();
    assert_eq!(dates.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2]);
    let age = |saved_at: i64| now.as_secs() as i64 - saved_at;
    assert!(dates.iter().all(|(_, saved_at)| (-60..600).contains(&age(*saved_at))), "{dates:?}");
}

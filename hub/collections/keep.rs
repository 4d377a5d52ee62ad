//! The index of occurrences moves on with time.

use hub_storage::items as rows;

use crate::collections::calendar;
use crate::{Result, Storage, unix_now};

/// Whatever is indexed for less than this from now on is indexed anew.
const AHEAD: i64 = 2 * 366 * 24 * 3600;
/// Objects at a time.
const SLICE: usize = 100;

/// Brings one slice of the index up to date. Returns true if there may be more.
pub(crate) async fn keep_indexed(storage: &Storage) -> Result<bool> {
    let now = unix_now();
    let due = storage.items_to_index(now + AHEAD, SLICE).await?;
    let count = due.len();
    let read = move || {
        let index = |(account, item): (_, rows::StoredItem)| {
            // What cannot be read any more, after a change of the reader, is looked at itself.
            let index = calendar::read(&item.data, now).map(|read| read.index).unwrap_or_default();
            let index = match index.indexed_to > now + AHEAD || !index.is_open {
                true => index,
                false => {
                    rows::ItemIndex { is_open: true, indexed_from: i64::MAX, indexed_to: i64::MAX, ..index }
                }
            };
            (account, item.row, index)
        };
        due.into_iter().map(index).collect::<Vec<_>>()
    };
    for (account, item, index) in crate::apart(read).await? {
        storage
            .transact([account], move |tx| {
                Box::pin(async move { rows::reindex(tx, account, &item, &index).await })
            })
            .await?;
    }
    Ok(count == SLICE)
}

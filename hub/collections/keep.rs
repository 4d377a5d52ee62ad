//! The index of occurrences moves on with time.

use hub_storage::AccountId;
use hub_storage::items::{self, ItemIndex, ItemRow};

use crate::collections::calendar;
use crate::collections::query::portions;
use crate::{Result, Storage, unix_now};

/// Whatever is indexed for less than this from now on is indexed anew.
const AHEAD: i64 = 2 * 366 * 24 * 3600;
/// Objects of one commit.
const SLICE: usize = 100;

/// Brings one slice of the index up to date. Returns true if there may be more.
pub(crate) async fn keep_indexed(storage: &Storage) -> Result<bool> {
    let now = unix_now();
    let due = storage.items_to_index(now + AHEAD, SLICE).await?;
    let count = due.len();
    let mut anew = Vec::with_capacity(count);
    for of_account in due.chunk_by(|one, next| one.0 == next.0) {
        let rows: Vec<ItemRow> = of_account.iter().map(|(_, row)| row.clone()).collect();
        for rows in portions(&rows) {
            anew.append(&mut indexes(storage, of_account[0].0, rows, now).await?);
        }
    }
    if anew.is_empty() {
        return Ok(false);
    }
    storage.transact([], move |tx| Box::pin(async move { items::reindex(tx, &anew).await })).await?;
    Ok(count == SLICE)
}

async fn indexes(
    storage: &Storage,
    account: AccountId,
    rows: &[ItemRow],
    now: i64,
) -> Result<Vec<(AccountId, ItemRow, ItemIndex)>> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let data = storage.item_data(account, &ids).await?;
    let rows = rows.to_vec();
    crate::apart(move || {
        let index = |(id, data): (_, Vec<u8>)| {
            let row = rows.iter().find(|row| row.id == id)?.clone();
            // What cannot be read any more, after a change of the reader, is looked at itself.
            let index = calendar::read(&data, now).map_or_else(|_| calendar::always(), |read| read.index);
            Some((account, row, index))
        };
        data.into_iter().filter_map(index).collect()
    })
    .await
}

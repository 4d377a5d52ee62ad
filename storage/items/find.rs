//! What may be what somebody looks for: the bytes decide.

use crate::db::{Row, values};
use crate::items::{CollectionId, ITEM_COLUMNS, ItemRow, item_columns, item_row};
use crate::{AccountId, Result, Storage};

/// No occurrence in the index is longer, in seconds.
const LONGEST: i64 = 31 * 24 * 3600;

/// From a moment on and before another, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    pub from: i64,
    pub to: i64,
}

impl Storage {
    /// Items of a collection that may happen within a window, in any order.
    pub async fn items_within(
        &self,
        account: AccountId,
        collection: CollectionId,
        window: TimeWindow,
    ) -> Result<Vec<ItemRow>> {
        // What is indexed for the window by its occurrences; what is not, by its bounds.
        let sql = concat!(
            "WITH found (id) AS (
               SELECT item FROM item_occurrence
               WHERE account = $1 AND collection = $2 AND start_at < $4 AND start_at >= $5 AND end_at >= $3
               UNION
               SELECT id FROM item
               WHERE account = $1 AND collection = $2 AND is_open = 1 AND first_at < $4 AND last_at >= $3
                 AND (indexed_from > $3 OR indexed_to < $4))
             SELECT ",
            item_columns!(),
            " FROM found CROSS JOIN item i WHERE i.account = $1 AND i.id = found.id"
        );
        let TimeWindow { from, to } = window;
        let values = values![account, collection.0, from, to, from.saturating_sub(LONGEST)];
        self.reader().await?.query(sql, values, item_row).await
    }

    /// Items of a collection whose folded text has another in it, or is `always`, in any order.
    pub async fn items_with_text(
        &self,
        account: AccountId,
        collection: CollectionId,
        text: &str,
        always: &str,
    ) -> Result<Vec<ItemRow>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            " FROM item i CROSS JOIN item_data d
              WHERE i.account = $1 AND i.collection = $2 AND d.account = $1 AND d.id = i.id
                AND (d.text LIKE $3 ESCAPE '\\' OR d.text = $4)"
        );
        let mut pattern = String::with_capacity(text.len() + 2);
        pattern.push('%');
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        self.reader().await?.query(sql, values![account, collection.0, pattern, always], item_row).await
    }

    /// Items of any account whose index ends before a moment, `most` at most.
    pub async fn items_to_index(&self, before: i64, most: usize) -> Result<Vec<(AccountId, ItemRow)>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            ", i.account FROM item i WHERE i.is_open = 1 AND i.indexed_to < $1 ORDER BY i.indexed_to LIMIT $2"
        );
        let item = |row: Row<'_>| Ok((AccountId(row.int(ITEM_COLUMNS)?), item_row(row)?));
        self.reader().await?.query(sql, values![before, most as i64], item).await
    }
}

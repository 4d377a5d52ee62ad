//! Who has brought mail before, as far as that is asked; what a contact is, is `hub`'s to say.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{Result, Storage};

/// Times in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactRow {
    pub id: i64,
    /// When it was first seen.
    pub since: i64,
    /// It was let in once.
    pub passed: bool,
    pub expires_at: i64,
}

impl Storage {
    /// Those of these contacts that are known and have not expired.
    pub async fn contacts(&self, ids: &[i64], now: i64) -> Result<Vec<ContactRow>> {
        let rows = ids.iter().map(|id| values![*id, now]).collect();
        let row = |row: Row<'_>| {
            let (id, since, passed) = (row.int(0)?, row.int(1)?, row.int(2)? != 0);
            Ok(ContactRow { id, since, passed, expires_at: row.int(3)? })
        };
        self.reader()
            .await?
            .query_many(
                "SELECT c.id, c.since, c.passed, c.expires_at
                 FROM (VALUES {values}) AS v CROSS JOIN contact c
                 WHERE c.id = v.column1 AND c.expires_at >= v.column2",
                rows,
                row,
            )
            .await
    }
}

/// Keeps contacts in place of what was known of them. What has expired goes, and of more than `most`
/// those that would expire first.
pub async fn keep(tx: &mut Tx, rows: &[ContactRow], most: i64) -> Result<()> {
    let now = tx.now;
    tx.connection.execute("DELETE FROM contact WHERE expires_at < $1", values![now]).await?;
    let template = "INSERT INTO contact (id, since, passed, expires_at) VALUES {values}
        ON CONFLICT (id) DO UPDATE SET since = excluded.since, passed = excluded.passed,
          expires_at = excluded.expires_at";
    let row = |row: &ContactRow| values![row.id, row.since, i64::from(row.passed), row.expires_at];
    tx.connection.execute_many(template, rows.iter().map(row).collect()).await?;
    let sql = "DELETE FROM contact WHERE expires_at <
        (SELECT expires_at FROM contact ORDER BY expires_at DESC LIMIT 1 OFFSET $1)";
    tx.connection.execute(sql, values![most]).await.map(drop)
}

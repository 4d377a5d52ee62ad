//! What the journal tells of all collections of a kind at once.

use std::collections::BTreeMap;

use crate::changes::{Journal, JournalRow, Kind};
use crate::db::values;
use crate::items::CollectionKind;
use crate::{AccountId, IdSet, Modseq, Result, Storage};

impl Storage {
    /// The last change of collections of a kind, or of anything that lies in them.
    pub async fn collections_modseq(&self, account: AccountId, kind: CollectionKind) -> Result<Modseq> {
        // What was forgotten may have been a collection that has gone.
        let sql = "SELECT a.journal_floor,
               (SELECT COALESCE(MAX(modseq), 0) FROM collection WHERE account = $1 AND kind = $2),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 6 AND container = $2)
             FROM account a WHERE a.id = $1";
        let last = self
            .reader()
            .await?
            .first(sql, values![account, kind as i64], |row| {
                Ok(row.int(0)?.max(row.int(1)?).max(row.int(2)?) as u64)
            })
            .await?;
        last.ok_or(crate::Error::NotFound("account"))
    }

    /// What became of the collections of a kind. `None` if it was trimmed above `since`.
    pub async fn collection_journal(
        &self,
        account: AccountId,
        kind: CollectionKind,
        since: Modseq,
    ) -> Result<Option<Journal>> {
        self.journal_since(account, Kind::Collection, kind as i64, since).await
    }

    /// What became of the items of all collections of a kind, those that have gone included. An item that
    /// went from one to another is updated. `None` if it was trimmed above `since`.
    pub async fn item_journal(
        &self,
        account: AccountId,
        kind: CollectionKind,
        since: Modseq,
    ) -> Result<Option<Journal>> {
        let Some(of_collections) = self.collection_journal(account, kind, since).await? else {
            return Ok(None);
        };
        let mut containers: IdSet =
            self.collections(account, kind).await?.iter().map(|row| row.id.0 as u64).collect();
        of_collections.rows.iter().for_each(|row| containers.extend(&row.destroyed));
        let sql = "SELECT j.modseq, j.created, j.updated, j.destroyed
             FROM (VALUES {values}) AS v CROSS JOIN journal j
             WHERE j.account = v.column1 AND j.kind = 7 AND j.container = v.column2 AND j.modseq > v.column3";
        let rows = containers.iter().map(|container| values![account, container, since]).collect();
        let rows = self
            .reader()
            .await?
            .query_many(sql, rows, |row| {
                let set = |column| -> Result<IdSet> {
                    IdSet::decode(&row.bytes(column)?)
                        .ok_or_else(|| crate::Error::damaged("a journal row is damaged"))
                };
                let modseq = row.int(0)? as u64;
                Ok(JournalRow { modseq, created: set(1)?, updated: set(2)?, destroyed: set(3)? })
            })
            .await?;
        Ok(Some(Journal { rows: together(rows), modseq: of_collections.modseq }))
    }
}

/// A row for each commit, in order.
fn together(rows: Vec<JournalRow>) -> Vec<JournalRow> {
    let mut commits: BTreeMap<Modseq, JournalRow> = BTreeMap::new();
    for row in rows {
        let commit = commits
            .entry(row.modseq)
            .or_insert_with(|| JournalRow { modseq: row.modseq, ..JournalRow::default() });
        commit.created.extend(&row.created);
        commit.updated.extend(&row.updated);
        commit.destroyed.extend(&row.destroyed);
    }
    for commit in commits.values_mut() {
        let moved: IdSet = commit.created.iter().filter(|id| commit.destroyed.contains(*id)).collect();
        let others = |set: &IdSet| set.iter().filter(|id| !moved.contains(*id)).collect::<IdSet>();
        (commit.created, commit.destroyed) = (others(&commit.created), others(&commit.destroyed));
        commit.updated.extend(&moved);
    }
    commits.into_values().collect()
}

//! The texts of files' contents, as searches look into them: one row per content and account, however
//! many files have it.

use std::collections::HashMap;

use crate::db::{Row, values};
use crate::files::NodeId;
use crate::mail::read::ranges;
use crate::tx::Tx;
use crate::{AccountId, BlobId, Error, IdSet, Modseq, Result, Storage, zip};

/// Where the text of a content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// It has none.
    Nothing,
    /// The content itself is the text; so many bytes of it.
    Itself(u64),
    /// It was taken out of it.
    Beside(String),
}

/// What is known of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownText {
    /// What the index knows it as.
    pub id: i64,
    pub blob: BlobId,
    pub has_text: bool,
}

const NOTHING: i64 = 0;
const ITSELF: i64 = 1;
const BESIDE: i64 = 2;

const SELECT_UNREAD: &str = "SELECT f.blob, f.size FROM (VALUES {values}) AS v CROSS JOIN file_node f
    WHERE f.account = v.column1 AND f.id BETWEEN v.column2 AND v.column3 AND f.folder = 0 AND f.size > 0
      AND NOT EXISTS (SELECT 1 FROM file_text t WHERE t.blob = f.blob AND t.account = f.account)";

const SELECT_TEXTS: &str = "SELECT t.id, t.blob, t.form, t.size, t.text
    FROM (VALUES {values}) AS v CROSS JOIN file_text t WHERE t.account = v.column1 AND t.id = v.column2";

impl Storage {
    /// Those of these contents that were looked at for this account.
    pub async fn known_texts(&self, account: AccountId, blobs: &[BlobId]) -> Result<Vec<KnownText>> {
        let sql = "SELECT t.id, t.blob, t.form FROM (VALUES {values}) AS v CROSS JOIN file_text t
             WHERE t.blob = v.column2 AND t.account = v.column1";
        let rows = blobs.iter().map(|blob| values![account, *blob]).collect();
        let known = |row: Row<'_>| {
            Ok(KnownText { id: row.int(0)?, blob: row.blob_id(1)?, has_text: row.int(2)? != NOTHING })
        };
        self.reader().await?.query_many(sql, rows, known).await
    }

    /// Some texts by their ids, in any order.
    pub async fn texts(&self, account: AccountId, ids: &[i64]) -> Result<Vec<(i64, BlobId, TextForm)>> {
        let rows = ids.iter().map(|id| values![account, *id]).collect();
        let mut reader = self.reader().await?;
        reader.query_many(SELECT_TEXTS, rows, |row| Ok((row.int(0)?, row.blob_id(1)?, form(row)?))).await
    }

    /// Keeps what was found out about contents. What is not there any more is left out.
    pub async fn add_texts(&self, account: AccountId, texts: Vec<(BlobId, TextForm)>) -> Result<()> {
        self.transact([account], move |tx| Box::pin(add(tx, account, texts))).await
    }

    /// Up to when an account's files were looked at, and up to where there is something to look at.
    pub async fn files_read(&self, account: AccountId) -> Result<(Modseq, Modseq)> {
        let sql = "SELECT files_read, modseq FROM account WHERE id = $1";
        let map = |row: Row<'_>| Ok((row.int(0)? as u64, row.int(1)? as u64));
        let found = self.reader().await?.first(sql, values![account], map).await?;
        found.ok_or(Error::NotFound("account"))
    }

    pub async fn set_files_read(&self, account: AccountId, modseq: Modseq) -> Result<()> {
        let sql = "UPDATE account SET files_read = $2 WHERE id = $1";
        self.transact([], move |tx| {
            Box::pin(async move { tx.connection.execute(sql, values![account, modseq]).await.map(drop) })
        })
        .await
    }

    /// The next nodes after this one, by id.
    pub async fn nodes_after(&self, account: AccountId, after: NodeId, most: usize) -> Result<IdSet> {
        let sql = "SELECT id FROM file_node WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3";
        let values = values![account, after.0, most as i64];
        let ids = self.reader().await?.query(sql, values, |row| row.int(0)).await?;
        Ok(ids.into_iter().map(|id| id as u64).collect())
    }

    /// Contents of these nodes that nobody has looked at yet, with their sizes.
    pub async fn unread_contents(&self, account: AccountId, nodes: &IdSet) -> Result<HashMap<BlobId, u64>> {
        let rows = ranges(account, nodes);
        let map = |row: Row<'_>| Ok((row.blob_id(0)?, row.int(1)? as u64));
        Ok(self.reader().await?.query_many(SELECT_UNREAD, rows, map).await?.into_iter().collect())
    }
}

/// From the columns of [`SELECT_TEXTS`].
fn form(row: Row<'_>) -> Result<TextForm> {
    let size = row.int(3)? as u64;
    match row.int(2)? {
        NOTHING => Ok(TextForm::Nothing),
        ITSELF => Ok(TextForm::Itself(size)),
        _ => {
            let damaged = || Error::damaged("the text of a file is damaged");
            let text = zip::unpack(row.slice(4)?, size as usize).map_err(|_| damaged())?;
            String::from_utf8(text).map(TextForm::Beside).map_err(|_| damaged())
        }
    }
}

async fn add(tx: &mut Tx, account: AccountId, texts: Vec<(BlobId, TextForm)>) -> Result<()> {
    // `NotFound` if the account was removed meanwhile: nothing of it may be left.
    tx.account(account)?;
    let first = tx.take_ids(account, texts.len() as i64)?;
    let mut rows = Vec::with_capacity(texts.len());
    for (id, (blob, text)) in (first..).zip(texts) {
        let (form, size, packed) = match text {
            TextForm::Nothing => (NOTHING, 0, Vec::new()),
            TextForm::Itself(size) => (ITSELF, size, Vec::new()),
            TextForm::Beside(text) => {
                let packed = zip::pack(text.as_bytes()).map_err(Error::io("cannot compress a text"))?;
                (BESIDE, text.len() as u64, packed)
            }
        };
        rows.push(values![blob, account, id, form, size, packed]);
    }
    let sql = "INSERT INTO file_text (blob, account, id, form, size, text)
         SELECT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6
         FROM (VALUES {values}) AS v WHERE EXISTS (SELECT 1 FROM blob b WHERE b.hash = v.column1)
         ON CONFLICT (blob, account) DO NOTHING";
    tx.connection.execute_many(sql, rows).await.map(drop)
}

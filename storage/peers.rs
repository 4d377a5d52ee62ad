//! What is known of other hubs and their twins.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{Result, Storage};

/// The hub of another domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubRow {
    pub domain: String,
    /// Empty: the domain has no hub.
    pub api: String,
    /// Public keys, separated by spaces.
    pub keys: String,
    pub checked_at: i64,
    /// Of the last head of its log: leaves, root, and the signed note. Empty if none was seen.
    pub size: u64,
    pub root: Vec<u8>,
    pub note: String,
    /// What it was caught at; empty for nothing.
    pub trouble: String,
}

/// A twin of another hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinRow {
    pub handle: String,
    pub id: String,
    pub checked_at: i64,
    /// The owner of this hub says so.
    pub pinned: bool,
}

/// One version of a record, and when it was seen first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    pub seq: u64,
    pub seen_at: i64,
    pub record: Vec<u8>,
}

impl Storage {
    pub async fn peer_hub(&self, domain: &str) -> Result<Option<HubRow>> {
        let sql = "SELECT domain, api, keys, checked_at, size, root, note, trouble
            FROM peer_hub WHERE domain = $1";
        let hub = |row: Row<'_>| {
            Ok(HubRow {
                domain: row.text(0)?,
                api: row.text(1)?,
                keys: row.text(2)?,
                checked_at: row.int(3)?,
                size: row.int(4)? as u64,
                root: row.bytes(5)?,
                note: row.text(6)?,
                trouble: row.text(7)?,
            })
        };
        self.reader().await?.first(sql, values![domain], hub).await
    }

    pub async fn peer_twin(&self, handle: &str) -> Result<Option<TwinRow>> {
        let sql = "SELECT handle, id, checked_at, pinned FROM peer_twin WHERE handle = $1";
        let twin = |row: Row<'_>| {
            Ok(TwinRow {
                handle: row.text(0)?,
                id: row.text(1)?,
                checked_at: row.int(2)?,
                pinned: row.int(3)? != 0,
            })
        };
        self.reader().await?.first(sql, values![handle], twin).await
    }

    /// All versions of the record of another hub's twin.
    pub async fn peer_records(&self, id: &str) -> Result<Vec<RecordRow>> {
        let sql = "SELECT seq, seen_at, record FROM peer_record WHERE id = $1 ORDER BY seq";
        let record = |row: Row<'_>| {
            Ok(RecordRow { seq: row.int(0)? as u64, seen_at: row.int(1)?, record: row.bytes(2)? })
        };
        self.reader().await?.query(sql, values![id], record).await
    }
}

/// Keeps what is known of a hub, in the place of what was; but at what it was caught stays, and so does the
/// longest log: two look-ups may be at it at a time.
pub async fn put_hub(tx: &mut Tx, hub: &HubRow) -> Result<()> {
    let sql = "INSERT INTO peer_hub (domain, api, keys, checked_at, size, root, note, trouble)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (domain) DO UPDATE SET api = excluded.api, keys = excluded.keys,
          checked_at = excluded.checked_at,
          size = CASE WHEN excluded.size >= peer_hub.size THEN excluded.size ELSE peer_hub.size END,
          root = CASE WHEN excluded.size >= peer_hub.size THEN excluded.root ELSE peer_hub.root END,
          note = CASE WHEN excluded.size >= peer_hub.size THEN excluded.note ELSE peer_hub.note END,
          trouble = CASE WHEN excluded.trouble = '' THEN peer_hub.trouble ELSE excluded.trouble END";
    let row = values![
        hub.domain.as_str(),
        hub.api.as_str(),
        hub.keys.as_str(),
        hub.checked_at,
        hub.size,
        hub.root.clone(),
        hub.note.as_str(),
        hub.trouble.as_str()
    ];
    tx.connection.execute(sql, row).await.map(drop)
}

/// Keeps a twin, and the versions of its record from `from` on in the place of any others from there on.
pub async fn put_twin(tx: &mut Tx, twin: &TwinRow, from: u64, records: Vec<RecordRow>) -> Result<()> {
    let sql = "INSERT INTO peer_twin (handle, id, checked_at, pinned) VALUES ($1, $2, $3, $4)
        ON CONFLICT (handle) DO UPDATE SET id = excluded.id, checked_at = excluded.checked_at,
          pinned = CASE WHEN excluded.id = peer_twin.id AND peer_twin.pinned = 1 THEN 1 ELSE excluded.pinned END";
    let row = values![twin.handle.as_str(), twin.id.as_str(), twin.checked_at, i64::from(twin.pinned)];
    tx.connection.execute(sql, row).await?;
    let sql = "DELETE FROM peer_record WHERE id = $1 AND seq >= $2";
    tx.connection.execute(sql, values![twin.id.as_str(), from]).await?;
    let row = |record: RecordRow| values![twin.id.as_str(), record.seq, record.seen_at, record.record];
    let rows = records.into_iter().map(row).collect();
    tx.connection.defer_many("INSERT INTO peer_record (id, seq, seen_at, record) VALUES {values}", rows);
    Ok(())
}

/// Forgets a hub: what is found next is believed as if it were the first. Its twins stay known.
pub async fn forget_hub(tx: &mut Tx, domain: &str) -> Result<()> {
    tx.connection.execute("DELETE FROM peer_hub WHERE domain = $1", values![domain]).await.map(drop)
}

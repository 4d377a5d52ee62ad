//! Who accounts are to other hubs: their keys and all versions of their signed records.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

/// An account's identity. It has no `Debug`: there are keys in it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityRow {
    pub account: AccountId,
    pub id: String,
    /// As the record has it.
    pub handle: String,
    /// Ed25519 private keys, 32 octets each.
    pub rotation_seed: Vec<u8>,
    pub signing_seed: Vec<u8>,
    /// When the words of a recovery key were shown, Unix seconds; 0 is never.
    pub recovery_at: i64,
    /// The end of the last version of the record.
    pub expires_at: i64,
    /// Other hubs are told that there is no such twin.
    pub hidden: bool,
    pub created_at: i64,
}

/// One version of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    pub seq: u64,
    /// When it came to be here, Unix seconds.
    pub made_at: i64,
    /// Which leaf of the log of its domain it is.
    pub leaf: u64,
    pub record: Vec<u8>,
}

fn identity_row(row: Row<'_>) -> Result<IdentityRow> {
    Ok(IdentityRow {
        account: AccountId(row.int(0)?),
        id: row.text(1)?,
        handle: row.text(2)?,
        rotation_seed: row.bytes(3)?,
        signing_seed: row.bytes(4)?,
        recovery_at: row.int(5)?,
        expires_at: row.int(6)?,
        hidden: row.int(7)? != 0,
        created_at: row.int(8)?,
    })
}

fn record_row(row: Row<'_>) -> Result<RecordRow> {
    let (seq, leaf) = (row.int(0)? as u64, row.int(2)? as u64);
    Ok(RecordRow { seq, made_at: row.int(1)?, leaf, record: row.bytes(3)? })
}

impl Storage {
    pub async fn twin_identity(&self, account: AccountId) -> Result<Option<IdentityRow>> {
        let sql =
            "SELECT account, id, handle, rotation_seed, signing_seed, recovery_at, expires_at, hidden, created_at
            FROM twin_identity WHERE account = $1";
        self.reader().await?.first(sql, values![account], identity_row).await
    }

    /// All versions of an account's record, in their order.
    pub async fn twin_records(&self, account: AccountId) -> Result<Vec<RecordRow>> {
        let sql = "SELECT seq, made_at, leaf, record FROM twin_record WHERE account = $1 ORDER BY seq";
        self.reader().await?.query(sql, values![account], record_row).await
    }

    /// All versions of the record that other hubs are shown under a handle or an id, in their order. Nothing for
    /// a hidden twin, found in the same way as for one that does not exist.
    pub async fn shown_records(&self, name: &str) -> Result<Vec<RecordRow>> {
        let sql = "SELECT r.seq, r.made_at, r.leaf, r.record FROM twin_identity t CROSS JOIN twin_record r
            WHERE t.id = $1 AND t.hidden = 0 AND r.account = t.account ORDER BY r.seq";
        let by_handle =
            "SELECT r.seq, r.made_at, r.leaf, r.record FROM twin_identity t CROSS JOIN twin_record r
            WHERE t.handle = $1 AND t.hidden = 0 AND r.account = t.account ORDER BY r.seq";
        let sql = if name.contains('@') { by_handle } else { sql };
        self.reader().await?.query(sql, values![name], record_row).await
    }

    /// Accounts behind `after` that have no identity, with their primary addresses.
    pub async fn without_identity(&self, after: AccountId, limit: u32) -> Result<Vec<(AccountId, String)>> {
        let sql = "SELECT a.id, a.handle FROM account a WHERE a.id > $1
              AND NOT EXISTS (SELECT 1 FROM twin_identity t WHERE t.account = a.id)
            ORDER BY a.id LIMIT $2";
        let account = |row: Row<'_>| Ok((AccountId(row.int(0)?), row.text(1)?));
        self.reader().await?.query(sql, values![after, limit], account).await
    }

    /// Accounts whose records end before `time`; those that end first.
    pub async fn identities_ending(&self, time: i64, limit: u32) -> Result<Vec<AccountId>> {
        let sql = "SELECT account FROM twin_identity WHERE expires_at < $1 ORDER BY expires_at LIMIT $2";
        let account = |row: Row<'_>| Ok(AccountId(row.int(0)?));
        self.reader().await?.query(sql, values![time, limit], account).await
    }
}

/// Gives accounts their identities, each with the first version of its record and the leaf that it is.
pub fn add(tx: &mut Tx, identities: Vec<(IdentityRow, Vec<u8>, u64)>) {
    let (mut rows, mut records) = (Vec::new(), Vec::new());
    let now = tx.now;
    for (identity, record, leaf) in identities {
        records.push(values![identity.account, 1_i64, now, leaf, record]);
        rows.push(values![
            identity.account,
            identity.id,
            identity.handle,
            identity.rotation_seed,
            identity.signing_seed,
            identity.recovery_at,
            identity.expires_at,
            i64::from(identity.hidden),
            identity.created_at
        ]);
    }
    tx.connection.defer_many(
        "INSERT INTO twin_identity (account, id, handle, rotation_seed, signing_seed, recovery_at, expires_at, hidden, created_at)
         VALUES {values}",
        rows,
    );
    tx.connection
        .defer_many("INSERT INTO twin_record (account, seq, made_at, leaf, record) VALUES {values}", records);
}

/// Puts a version behind those up to `last`, in the place of any others, and the keys that go with it.
/// `Stale` if the last version is another one by now.
pub async fn change(
    tx: &mut Tx,
    identity: &IdentityRow,
    expected: u64,
    (seq, leaf): (u64, u64),
    record: &[u8],
) -> Result<()> {
    let (account, now) = (identity.account, tx.now);
    let sql = "SELECT seq FROM twin_record WHERE account = $1 ORDER BY seq DESC LIMIT 1";
    let last = tx.connection.first(sql, values![account], |row| row.int(0)).await?;
    if last != i64::try_from(expected).ok() {
        return Err(Error::Stale);
    }
    let sql = "DELETE FROM twin_record WHERE account = $1 AND seq >= $2";
    tx.connection.execute(sql, values![account, seq]).await?;
    let sql = "INSERT INTO twin_record (account, seq, made_at, leaf, record) VALUES ($1, $2, $3, $4, $5)";
    tx.connection.execute(sql, values![account, seq, now, leaf, record.to_vec()]).await?;
    let sql =
        "UPDATE twin_identity SET rotation_seed = $2, signing_seed = $3, recovery_at = $4, expires_at = $5
        WHERE account = $1";
    let keys = values![
        account,
        identity.rotation_seed.clone(),
        identity.signing_seed.clone(),
        identity.recovery_at,
        identity.expires_at
    ];
    tx.connection.execute(sql, keys).await.map(drop)
}

/// Hides a twin from other hubs, or shows it.
pub async fn hide(tx: &mut Tx, account: AccountId, hidden: bool) -> Result<()> {
    let sql = "UPDATE twin_identity SET hidden = $2 WHERE account = $1";
    match tx.connection.execute(sql, values![account, i64::from(hidden)]).await? {
        0 => Err(Error::NotFound("identity")),
        _ => Ok(()),
    }
}

pub async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    for sql in ["DELETE FROM twin_record WHERE account = $1", "DELETE FROM twin_identity WHERE account = $1"]
    {
        tx.connection.execute(sql, values![account]).await?;
    }
    Ok(())
}

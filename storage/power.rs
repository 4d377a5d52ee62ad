//! What a crash may take: changes of flags of the last moment ([`crate::Storage::change_flags`]).
//!
//! Clients may have seen the modseq of such a change. It must not be given to another change, or
//! they would never ask for that one (RFC 7162 §3.1: mod-sequences only grow). So after an unclean
//! end all accounts go on some way above.

use crate::Result;
use crate::db::{Connection, values};

/// More changes than an account can have had in the time that may be lost.
const SKIP: i64 = 1 << 20;

/// At the start, before anybody sees a modseq.
pub(crate) async fn begin(connection: &mut Connection) -> Result<()> {
    let running = "SELECT value FROM setting WHERE name = $1";
    if connection.first(running, values!["running_on"], |row| row.bytes(0)).await?.is_some() {
        tracing::warn!("the hub did not end in good order; flags of the last moment may be older");
        connection.execute("UPDATE account SET modseq = modseq + $1", values![SKIP]).await?;
        return Ok(());
    }
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2)";
    connection.execute(sql, values!["running_on", Vec::new()]).await.map(drop)
}

/// At a clean end.
pub(crate) async fn end(connection: &mut Connection) -> Result<()> {
    connection.execute("DELETE FROM setting WHERE name = $1", values!["running_on"]).await.map(drop)
}

//! What a power cut may take: changes of flags of the last moment ([`crate::Storage::transact_soon`]).
//!
//! Clients may have seen the modseq of such a change. It must not be given to another change, or
//! they would never ask for that one (RFC 7162 §3.1: mod-sequences only grow). So after an unclean
//! end of the machine all accounts go on some way above.

use crate::Result;
use crate::db::{Connection, values};

/// More commits than an account can have had in the time that may be lost.
const SKIP: i64 = 1 << 20;

/// Where the kernel names the present run of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// At the start, before anybody sees a modseq.
pub(crate) async fn begin(connection: &mut Connection) -> Result<()> {
    let boot = std::fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned()).unwrap_or_default();
    begin_on(connection, &boot).await
}

/// `boot` names this run of the machine; empty if that is not known.
pub(crate) async fn begin_on(connection: &mut Connection, boot: &str) -> Result<()> {
    let running = "SELECT value FROM setting WHERE name = $1";
    let before = connection.first(running, values!["running_on"], |row| row.bytes(0)).await?;
    if let Some(before) = before
        && (boot.is_empty() || before != boot.as_bytes())
    {
        tracing::warn!("the machine went down while the hub ran; flags of the last moment may be older");
        connection.execute("UPDATE account SET modseq = modseq + $1", values![SKIP]).await?;
    }
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
    connection.execute(sql, values!["running_on", boot.as_bytes()]).await.map(drop)
}

/// At a clean end.
pub(crate) async fn end(connection: &mut Connection) -> Result<()> {
    connection.execute("DELETE FROM setting WHERE name = $1", values!["running_on"]).await.map(drop)
}

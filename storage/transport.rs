//! What is known of the way to other domains: their MTA-STS policies.

use crate::db::values;
use crate::tx::Tx;
use crate::{Result, Storage};

/// A policy that a domain published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicyRow {
    pub domain: String,
    pub id: String,
    pub policy: String,
    /// Unix seconds.
    pub expires_at: i64,
}

impl Storage {
    pub async fn sts_policy(&self, domain: &str) -> Result<Option<StsPolicyRow>> {
        let sql = "SELECT domain, id, policy, expires_at FROM sts_policy WHERE domain = $1";
        self.reader()
            .await?
            .first(sql, values![domain], |row| {
                Ok(StsPolicyRow {
                    domain: row.text(0)?,
                    id: row.text(1)?,
                    policy: row.text(2)?,
                    expires_at: row.int(3)?,
                })
            })
            .await
    }
}

/// Keeps a policy in place of the domain's last one; what has expired goes.
pub async fn keep_sts_policy(tx: &mut Tx, row: &StsPolicyRow) -> Result<()> {
    let now = tx.now;
    let sql = "DELETE FROM sts_policy WHERE expires_at < $1";
    tx.connection.execute(sql, values![now]).await?;
    let sql = "INSERT INTO sts_policy (domain, id, policy, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (domain) DO UPDATE SET id = excluded.id, policy = excluded.policy,
          expires_at = excluded.expires_at";
    let values = values![row.domain.as_str(), row.id.as_str(), row.policy.as_str(), row.expires_at];
    tx.connection.execute(sql, values).await.map(drop)
}

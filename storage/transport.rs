//! What is known of the way to other domains: their MTA-STS policies, and how connections went.

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

/// How often something happened on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsResultRow {
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    pub domain: String,
    pub policy: String,
    pub host: String,
    /// Empty for success.
    pub result: String,
    pub sessions: i64,
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

    /// Results of days before this one, in order.
    pub async fn tls_results_before(&self, day: i64) -> Result<Vec<TlsResultRow>> {
        let sql = "SELECT day, domain, policy, host, result, sessions FROM tls_result WHERE day < $1
            ORDER BY day, domain, policy, host, result";
        self.reader()
            .await?
            .query(sql, values![day], |row| {
                Ok(TlsResultRow {
                    day: row.int(0)?,
                    domain: row.text(1)?,
                    policy: row.text(2)?,
                    host: row.text(3)?,
                    result: row.text(4)?,
                    sessions: row.int(5)?,
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

/// Adds to what was counted before.
pub async fn count_tls_results(tx: &mut Tx, rows: &[TlsResultRow]) -> Result<()> {
    let rows = rows.iter().map(|row| {
        values![
            row.day,
            row.domain.as_str(),
            row.policy.as_str(),
            row.host.as_str(),
            row.result.as_str(),
            row.sessions
        ]
    });
    tx.connection
        .execute_many(
            "INSERT INTO tls_result (day, domain, policy, host, result, sessions) VALUES {values}
             ON CONFLICT (day, domain, policy, host, result)
               DO UPDATE SET sessions = tls_result.sessions + excluded.sessions",
            rows.collect(),
        )
        .await
        .map(drop)
}

/// Forgets a domain's results of one day: they were reported, or nobody wants to know.
pub async fn forget_tls_results(tx: &mut Tx, day: i64, domain: &str) -> Result<()> {
    let sql = "DELETE FROM tls_result WHERE day = $1 AND domain = $2";
    tx.connection.execute(sql, values![day, domain]).await.map(drop)
}

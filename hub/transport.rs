//! What is known of the way to other domains. Only kept here: who sends mail decides what it means.

use hub_storage::transport;

use crate::{Hub, Result};

pub use hub_storage::transport::{StsPolicyRow as StsPolicy, TlsResultRow as TlsResult};

impl Hub {
    /// The last MTA-STS policy of a domain, be it expired.
    pub async fn sts_policy(&self, domain: &str) -> Result<Option<StsPolicy>> {
        Ok(self.0.storage.sts_policy(domain).await?)
    }

    pub async fn keep_sts_policy(&self, policy: StsPolicy) -> Result<()> {
        let storage = &self.0.storage;
        let kept = storage
            .transact([], move |tx| Box::pin(async move { transport::keep_sts_policy(tx, &policy).await }));
        Ok(kept.await?)
    }

    /// Adds to the counts of TLS sessions (RFC 8460).
    pub async fn count_tls_results(&self, results: Vec<TlsResult>) -> Result<()> {
        let storage = &self.0.storage;
        let counted = storage.transact([], move |tx| {
            Box::pin(async move { transport::count_tls_results(tx, &results).await })
        });
        Ok(counted.await?)
    }

    /// What was counted on days before this one.
    pub async fn tls_results_before(&self, day: i64) -> Result<Vec<TlsResult>> {
        Ok(self.0.storage.tls_results_before(day).await?)
    }

    pub async fn forget_tls_results(&self, day: i64, domain: String) -> Result<()> {
        let storage = &self.0.storage;
        let forgotten = storage.transact([], move |tx| {
            Box::pin(async move { transport::forget_tls_results(tx, day, &domain).await })
        });
        Ok(forgotten.await?)
    }
}

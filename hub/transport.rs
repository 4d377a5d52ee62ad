//! What is known of the way to other domains. Only kept here: who sends mail decides what it means.

use hub_storage::transport;

use crate::{Hub, Result};

pub use hub_storage::transport::StsPolicyRow as StsPolicy;

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
}

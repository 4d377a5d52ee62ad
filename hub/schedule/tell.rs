//! What became of messages, in the sender's copy (RFC 6638 §3.2.9).

use std::collections::BTreeMap;

use hub_itip::{CalendarUser, with_statuses};
use hub_storage::items as rows;
use hub_storage::items::{ItemRow, NewItem, ScheduleTag};
use hub_storage::itip::{self, ItipKey};

use super::ATTEMPTS;
use crate::{AccountId, Error, Hub, Result};

impl Hub {
    /// Writes down what became of messages about an object. Its schedule tag stays: only the server
    /// has changed it.
    pub(super) async fn tell(&self, account: AccountId, uid: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let done = self.0.storage.itip_done(account, uid).await?;
            if done.is_empty() {
                return Ok(());
            }
            let statuses: BTreeMap<CalendarUser, String> = done
                .iter()
                .filter(|(key, _)| !key.recipient.is_empty())
                .map(|(key, status)| (CalendarUser::new(&key.recipient), status.clone()))
                .collect();
            let told = self.told(account, uid, statuses).await?;
            let keys: Vec<ItipKey> = done.into_iter().map(|(key, _)| key).collect();
            let written = match self.write_told(account, told, keys.clone()).await {
                // The copy stays as it is: to try again would only keep others waiting.
                Err(Error::OverQuota { .. } | Error::NotFound(_)) => {
                    self.write_told(account, None, keys).await?
                }
                written => written?,
            };
            if written {
                return Ok(());
            }
        }
        Err(Error::Stale)
    }

    /// The sender's copy with statuses, if there still is one.
    async fn told(
        &self,
        account: AccountId,
        uid: &str,
        statuses: BTreeMap<CalendarUser, String>,
    ) -> Result<Option<(ItemRow, NewItem)>> {
        let found = self.0.storage.items_with_uid(account, uid).await?;
        let Some((row, _)) = found.into_iter().find(|(row, _)| row.schedule_tag > 0) else { return Ok(None) };
        let Some((_, data)) = self.0.storage.item_data(account, &[row.id]).await?.pop() else {
            return Ok(None);
        };
        if statuses.is_empty() {
            return Ok(None);
        }
        let Ok(object) = crate::apart(move || with_statuses(&data, &statuses)).await? else {
            return Ok(None);
        };
        let new = self.calendars_of(account).read(&row.name, object.into()).await?;
        Ok(new.ok().map(|new| (row, NewItem { tag: ScheduleTag::Same, ..new })))
    }

    /// False if the copy was changed meanwhile.
    async fn write_told(
        &self,
        account: AccountId,
        told: Option<(ItemRow, NewItem)>,
        keys: Vec<ItipKey>,
    ) -> Result<bool> {
        let write = self.0.storage.transact([account], move |tx| {
            Box::pin(async move {
                if let Some((row, new)) = told {
                    let existing = rows::existing(tx, account, row.collection, &row.name, "").await?;
                    if existing.named.as_ref() != Some(&row) {
                        return Ok(false);
                    }
                    if new.etag != row.etag {
                        rows::put(tx, account, row.collection, Some(&row), new).await?;
                    }
                }
                itip::forget(tx, &keys).await?;
                Ok(true)
            })
        });
        Ok(write.await?)
    }
}

//! When a twin is busy, by what is in its calendars.

use hub_ical::{Busy, Zone};
use hub_storage::items::{ItemId, TimeWindow};

use crate::collections::query::portions;
use crate::collections::{Collection, Collections, calendar};
use crate::{Error, Result};

/// Times of one answer, after those that touch have become one.
const MOST: usize = 20_000;

impl Collections {
    /// The times within `from..to` (Unix seconds) at which these calendars keep the twin busy, in order.
    /// `owner` are its calendar user addresses, in lower case: what it has declined does not count.
    /// `Limit` if there are too many.
    pub async fn busy(
        &self,
        calendars: &[Collection],
        owner: &[String],
        from: i64,
        to: i64,
    ) -> Result<Vec<Busy>> {
        self.busy_besides("", calendars, owner, (from, to)).await
    }

    /// The same without an object, by its UID.
    pub(crate) async fn busy_besides(
        &self,
        uid: &str,
        calendars: &[Collection],
        owner: &[String],
        (from, to): (i64, i64),
    ) -> Result<Vec<Busy>> {
        let mut all = Vec::new();
        for one in calendars {
            let floating = calendar::zone_of(&one.facts.time_zone).unwrap_or(Zone::UTC);
            let window = TimeWindow { from, to };
            let mut rows = self.storage().items_within(self.account, one.id, window).await?;
            rows.retain(|row| row.uid != uid);
            for rows in portions(&rows) {
                let ids: Vec<ItemId> = rows.iter().map(|row| row.id).collect();
                let data = self.storage().item_data(self.account, &ids).await?;
                let (owner, floating) = (owner.to_vec(), floating.clone());
                all = crate::apart(move || {
                    for (_, data) in data {
                        all.append(&mut hub_ical::busy_times(&data, &owner, from, to, &floating));
                        // One object may have thousands.
                        if all.len() > MOST {
                            all = hub_ical::merged(all);
                        }
                        if all.len() > MOST {
                            return Err(Error::Limit("busy times of one answer; ask for a shorter time"));
                        }
                    }
                    Ok(all)
                })
                .await??;
            }
        }
        Ok(hub_ical::merged(all))
    }
}

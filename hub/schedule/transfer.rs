//! COPY and MOVE of what others are invited by (RFC 6638 §3.2.3).

use super::{NotAllowed, ScheduleOutcome};
use crate::collections::{Collections, Item, Overwrite, PutOutcome};
use crate::{Error, Precondition, Result};

impl Collections {
    /// Copies an item as [`Collections::copy_item`] does. `Forbidden` for a scheduling object: there would
    /// be two of it; and onto one, for nobody would be told that it is gone.
    pub async fn copy_scheduled(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: Overwrite,
        mut preconditions: Vec<Precondition>,
    ) -> Result<ScheduleOutcome> {
        let source = self.item(self.find(from.0).await?.id, from.1).await?;
        if source.schedule_tag.is_some() {
            return Err(Error::Forbidden("others are invited by this; it cannot be there twice"));
        }
        self.check_overwritten(&source, to).await?;
        // It must still be what was looked at.
        preconditions.push(Precondition::Match(vec![source.etag]));
        Ok(outcome(self.copy_item(from, to, overwrite, preconditions).await?))
    }

    /// Moves an item as [`Collections::move_item`] does: others need not know where it lies. `Forbidden`
    /// onto a scheduling object.
    pub async fn move_scheduled(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: Overwrite,
        preconditions: Vec<Precondition>,
    ) -> Result<ScheduleOutcome> {
        let source = self.item(self.find(from.0).await?.id, from.1).await?;
        if source.schedule_tag.is_some() {
            let found = self.storage().items_with_uid(self.account(), &source.uid).await?;
            let other = found.into_iter().find(|(row, _)| row.schedule_tag > 0 && row.id != source.id);
            if let Some((row, calendar)) = other {
                return Ok(ScheduleOutcome::NotAllowed(NotAllowed::Taken(calendar, row.name)));
            }
        }
        self.check_overwritten(&source, to).await?;
        Ok(outcome(self.move_item(from, to, overwrite, preconditions).await?))
    }

    async fn check_overwritten(&self, source: &Item, to: (&str, &str)) -> Result<()> {
        let there = self.items_named(self.find(to.0).await?.id, &[to.1]).await?;
        match there.iter().any(|item| item.id != source.id && item.schedule_tag.is_some()) {
            true => Err(Error::Forbidden("others are invited by what is there; it is to be removed first")),
            false => Ok(()),
        }
    }
}

fn outcome(put: PutOutcome) -> ScheduleOutcome {
    match put {
        PutOutcome::Refused(refusal) => ScheduleOutcome::Refused(refusal),
        PutOutcome::Stored(placed) => ScheduleOutcome::Stored { placed, is_as_sent: true },
    }
}

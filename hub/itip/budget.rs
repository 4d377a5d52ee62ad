//! What may still be said about a change: a small change of a large object with many guests would
//! otherwise become any amount of mail.

use crate::calendar::Calendar;
use crate::text::Block;
use crate::{Error, MOST_BYTES};

pub(crate) struct Budget {
    left: usize,
    /// Of the message that is written now.
    recipients: usize,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self { left: MOST_BYTES, recipients: 1 }
    }

    /// Begins a message, which has the zones of the object in it.
    pub(crate) fn message(&mut self, source: &Calendar, recipients: usize) -> Result<(), Error> {
        self.recipients = recipients;
        source.zones().try_for_each(|zone| self.spend(zone))
    }

    /// To be asked before a component is copied into the message.
    pub(crate) fn spend(&mut self, block: &Block) -> Result<(), Error> {
        let bytes = block.size().saturating_mul(self.recipients);
        self.left = self.left.checked_sub(bytes).ok_or(Error::TooMany("bytes to be sent"))?;
        Ok(())
    }
}

//! How much may still be added to an object: whoever writes a short message could otherwise have a large
//! component copied any number of times.

use crate::apply::Ignored;
use crate::calendar::Calendar;
use crate::text::Block;
use crate::{MOST_COMPONENTS, MOST_OBJECT};

pub(super) struct Room {
    bytes: usize,
    components: usize,
}

impl Room {
    pub(super) fn beside(stored: &Calendar) -> Self {
        let bytes: usize = stored.components.iter().map(|component| component.block.size()).sum();
        Self {
            bytes: MOST_OBJECT.saturating_sub(bytes),
            components: MOST_COMPONENTS.saturating_sub(stored.components.len()),
        }
    }

    /// For at most so many components.
    pub(super) fn at_most(self, components: usize) -> Self {
        Self { components: self.components.min(components), ..self }
    }

    /// To be asked before a component is added that is made of these.
    pub(super) fn take<'b>(&mut self, blocks: impl IntoIterator<Item = &'b Block>) -> Result<(), Ignored> {
        let bytes: usize = blocks.into_iter().map(Block::size).sum();
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Ignored::TooMuch)?;
        self.components = self.components.checked_sub(1).ok_or(Ignored::TooMuch)?;
        Ok(())
    }
}

//! How far somebody knows what changes: RFC 6578's sync-token, without the words around it.

use std::fmt;
use std::str::FromStr;

use hub_storage::Since;

use crate::{Error, Modseq, Result};

/// A state of files, a calendar or an address book that somebody knows: what a sync-token says. Written as `123`, or as
/// `123-45-0` between two pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SyncState(pub(crate) Since);

impl SyncState {
    /// All that had happened by then.
    pub(crate) fn all(modseq: Modseq) -> Self {
        Self(Since::all(modseq))
    }
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Since { modseq, id: i64::MAX, .. } => write!(f, "{modseq}"),
            Since { modseq, id, began } => write!(f, "{modseq}-{id}-{began}"),
        }
    }
}

impl FromStr for SyncState {
    type Err = Error;

    /// `Stale` if nobody ever got such a state.
    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_number).ok_or(Error::Stale)
        };
        let numbers = text.split('-').map(number).collect::<Result<Vec<i64>>>()?;
        match *numbers.as_slice() {
            [modseq] => Ok(Self(Since::all(modseq as u64))),
            [modseq, id, began] => Ok(Self(Since { modseq: modseq as u64, id, began: began as u64 })),
            _ => Err(Error::Stale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_written_and_read() {
        for (text, known) in
            [("0", true), ("123", true), ("123-45-7", true), ("", false), ("-", false), ("12-3", false)]
        {
            let state = text.parse::<SyncState>().ok();
            assert_eq!(state.map(|state| state.to_string()), known.then(|| text.to_owned()), "{text}");
        }
        for text in ["+1", "1-+2-3", "-1", "1--2", "1-2-3-4", "99999999999999999999", "1 "] {
            assert!(text.parse::<SyncState>().is_err(), "{text}");
        }
    }
}

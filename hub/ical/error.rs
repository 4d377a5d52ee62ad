//! Why a text is no calendar object or card.

use crate::document::MAX_DEPTH;
use crate::lines::MAX_LINES;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("there is text outside of every component")]
    Outside,
    #[error("components are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("there are more than {MAX_LINES} lines")]
    TooManyLines,
    #[error("BEGIN and END of {0:?} do not match")]
    Unbalanced(String),
}

impl Error {
    pub(crate) fn unbalanced(name: &str) -> Self {
        Self::Unbalanced(name.chars().take(40).collect())
    }
}

//! Why a record is not believed.

use thiserror::Error;

use crate::JsonError;

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("it is no record of this twin")]
    AnotherTwin,
    #[error("it does not follow on the version before it")]
    Broken,
    #[error(
        "it is another version {0} than the one that is known, and no key of a higher rank says so in time"
    )]
    Forked(u64),
    #[error("its time lies in the future")]
    FromTheFuture,
    #[error("it is not JSON as records have it")]
    Json(#[from] JsonError),
    #[error("its {0} is malformed")]
    Malformed(&'static str),
    #[error("version {0} was seen before, and this is an older one")]
    RolledBack(u64),
    #[error("its id is not the hash of its first version")]
    WrongId,
    #[error("no key that may rotate it has signed it")]
    Unsigned,
}

//! JMAP's core (RFC 8620): what all types share.

pub(crate) mod arguments;
pub(crate) mod changes;
pub(crate) mod error;
pub(crate) mod get;
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod patch;
pub(crate) mod pointer;
pub(crate) mod query;
pub(crate) mod references;
pub(crate) mod request;
pub(crate) mod set;

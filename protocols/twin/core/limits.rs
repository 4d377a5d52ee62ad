//! The limits that the session tells (RFC 8620 §2), and those that JSON needs besides.

/// Octets of one upload.
pub(crate) const MAX_SIZE_UPLOAD: u64 = 50_000_000;
pub(crate) const MAX_CONCURRENT_UPLOAD: usize = 4;
/// Octets of one request to the API.
pub(crate) const MAX_SIZE_REQUEST: usize = 10_000_000;
pub(crate) const MAX_CONCURRENT_REQUESTS: usize = 8;
pub(crate) const MAX_CALLS_IN_REQUEST: usize = 64;
pub(crate) const MAX_OBJECTS_IN_GET: usize = 1_000;
pub(crate) const MAX_OBJECTS_IN_SET: usize = 500;

/// Objects and arrays within each other. A filter is as deep as that at most.
pub(crate) const MAX_DEPTH: usize = 64;
/// Octets that all back-references of a request bring in: each may double what the one before it did.
pub(crate) const MAX_REFERENCED: usize = MAX_SIZE_REQUEST;
/// Octets of body values in the answer to one method.
pub(crate) const MAX_BODY_VALUES: usize = 32 << 20;
/// Event streams of one account, besides its requests.
pub(crate) const MAX_EVENT_STREAMS: usize = 64;
/// Ids that a query gives without a limit of the client's.
pub(crate) const MAX_QUERY: usize = 10_000;
/// Octets of the texts that one `/get` of cards or events reads.
pub(crate) const MAX_TEXTS: u64 = 64 << 20;

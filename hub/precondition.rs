//! What a client asks to be true before something is changed (RFC 9110 §13.1). Decided within the
//! transaction of the change.

/// Entity tags are without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// `If-Match: *`
    Exists,
    /// `If-Match`
    Match(Vec<String>),
    /// `If-None-Match`
    NoneMatch(Vec<String>),
    /// `If-None-Match: *`
    NotExists,
    /// `If-Unmodified-Since`, Unix seconds
    UnmodifiedSince(i64),
}

impl Precondition {
    /// `etag` is that of what is there, if anything is.
    pub(crate) fn holds(&self, etag: Option<&str>, modified_at: i64) -> bool {
        let is_among = |etags: &[String]| etag.is_some_and(|etag| etags.iter().any(|one| one == etag));
        match self {
            Self::Exists => etag.is_some(),
            Self::Match(etags) => is_among(etags),
            Self::NoneMatch(etags) => !is_among(etags),
            Self::NotExists => etag.is_none(),
            Self::UnmodifiedSince(time) => etag.is_none() || modified_at <= *time,
        }
    }
}

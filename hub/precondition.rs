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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_of_rfc_9110() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        for (precondition, there, absent) in [
            (Precondition::Exists, true, false),
            (Precondition::NotExists, false, true),
            (Precondition::Match(tags(&["x", "a"])), true, false),
            (Precondition::Match(tags(&["x"])), false, false),
            (Precondition::NoneMatch(tags(&["x", "a"])), false, true),
            (Precondition::NoneMatch(tags(&["x"])), true, true),
            (Precondition::UnmodifiedSince(100), true, true),
            (Precondition::UnmodifiedSince(99), false, true),
        ] {
            assert_eq!(precondition.holds(Some("a"), 100), there, "{precondition:?}");
            assert_eq!(precondition.holds(None, 0), absent, "{precondition:?}");
        }
    }
}

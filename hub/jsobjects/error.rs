/// Why something is not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is none of this kind.
    #[error("the text cannot be read: {0}")]
    Text(String),
    /// Of the object, by its path; why.
    #[error("{0} {1}")]
    Property(String, &'static str),
}

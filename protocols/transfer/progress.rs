//! What a transfer tells the person who waits for it.

pub trait Progress {
    /// So many messages were found that must be looked at.
    fn found(&mut self, messages: u64);

    /// A mailbox is begun.
    fn mailbox(&mut self, path: &str);

    /// Messages that are done: kept, or known from an earlier run.
    fn done(&mut self, messages: u64);

    /// Bytes of messages that went over.
    fn bytes(&mut self, bytes: u64);

    /// Something the person should know.
    fn note(&mut self, text: &str);
}

/// For those who do not look.
impl Progress for () {
    fn found(&mut self, _messages: u64) {}

    fn mailbox(&mut self, _path: &str) {}

    fn done(&mut self, _messages: u64) {}

    fn bytes(&mut self, _bytes: u64) {}

    fn note(&mut self, _text: &str) {}
}

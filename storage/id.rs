//! Identifiers and small values that every room uses. None is ever reused.

use std::fmt;

/// A twin's account. Every key in the database begins with it, so that an account is the unit
/// of sharding, backup, export and move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// A mailbox within its account (also RFC 8474 MAILBOXID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxId(pub i64);

impl MailboxId {
    /// Every account has its INBOX under this id from the start.
    pub const INBOX: Self = Self(1);
}

/// A message within its account, whatever mailboxes it lies in (RFC 8474 EMAILID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailId(pub i64);

/// IMAP unique identifier within a mailbox (RFC 9051 §2.3.1.1). Never 0.
pub type Uid = u32;

/// IMAP UIDVALIDITY of a mailbox (RFC 9051 §2.3.1.1). Never 0.
pub type UidValidity = u32;

/// The account's change counter: one step per commit that touches the account. IMAP MODSEQ, DAV
/// sync-token and the API's state are spellings of it. Fits in 63 bits (RFC 7162 §3.1).
pub type Modseq = u64;

/// Keyed hash of a blob's content: equal content shares storage, yet the id tells nobody who
/// lacks the hub's key whether some content exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Lowercase hexadecimal, 64 characters: the file name of a large blob.
    pub fn to_hex(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            use fmt::Write;
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({}…)", &self.to_hex()[..12])
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

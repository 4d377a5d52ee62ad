//! What is kept beside a message so that it need not be parsed again.

/// Facts about one message, made once by the scanner. All offsets count from the first byte of the
/// message as received (without the prefix that the hub puts in front).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Length of the message in bytes.
    pub size: u64,
    /// Length of the header block including the empty line that ends it.
    pub header_length: u64,
    /// IMAP ENVELOPE (RFC 9051 §7.5.2), parentheses included, 7-bit, ready for the wire.
    pub envelope: Vec<u8>,
    /// IMAP BODYSTRUCTURE (extensible form), parentheses included, 7-bit, ready for the wire.
    pub body_structure: Vec<u8>,
    /// The MIME tree in depth-first order; the first entry is the message's own top part.
    pub parts: Vec<Part>,
    /// Decoded header text (RFC 2047 resolved, UTF-8): what SEARCH FROM, SUBJECT … looks at.
    pub subject: String,
    pub from: String,
    pub to: String,
    pub cc: String,
    pub bcc: String,
    /// Message-ID without angle brackets; empty if there is none.
    pub message_id: String,
    /// In-Reply-To and References ids without angle brackets, oldest first, at most 100.
    pub references: Vec<String>,
    /// How many of `references`, from the front, stand in References; the others only in
    /// In-Reply-To. RFC 5256 §3 threads by those in References if there are any.
    pub in_references: u32,
    /// Date header as Unix seconds; `None` if missing or unreadable.
    pub sent_at: Option<i64>,
    /// Zone of the Date header, in minutes east of UTC; 0 without a date.
    pub sent_zone: i16,
    /// First 256 characters of readable text (RFC 8970 PREVIEW).
    pub preview: String,
    /// Number of Received header fields, for loop detection (RFC 5321 §6.3).
    pub received_count: u32,
    /// Addresses (lower-cased domain) of From and Sender, for "who may send as whom".
    pub author_addresses: Vec<String>,
    /// Values of Delivered-To header fields.
    pub delivered_to: Vec<String>,
    /// Fields that clients list messages by, as they stand in the header block (see [`crate::are_listed`]);
    /// `None` if they must be looked up there.
    pub listed_fields: Option<Vec<u8>>,
}

impl Summary {
    /// The day of the Date header as it was written, zone ignored, in days since 1970-01-01: what
    /// SEARCH SENTON compares (RFC 9051 §6.4.4).
    pub fn sent_day(&self) -> Option<i64> {
        sent_day(self.sent_at, self.sent_zone)
    }
}

pub(crate) fn sent_day(sent_at: Option<i64>, sent_zone: i16) -> Option<i64> {
    Some(sent_at?.saturating_add(i64::from(sent_zone) * 60).div_euclid(86_400))
}

/// One node of the MIME tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub kind: PartKind,
    /// Depth in the tree; 0 is the message itself. Children follow their parent.
    pub depth: u16,
    /// Start of the part's MIME header (for the top part: 0).
    pub header_start: u64,
    /// Start of the part's body, after the empty line.
    pub body_start: u64,
    /// End of the part's body (exclusive), without the line break before the boundary.
    pub body_end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Anything without children.
    Leaf,
    /// A message/rfc822 (or message/global) part: its one child is the embedded message's top part,
    /// whose header_start is this part's body_start.
    Message,
    Multipart,
}

//! What a client can ask for.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use hub::{Flags, Secret, SortCriterion, ThreadAlgorithm};

use crate::names::MailboxName;
use crate::notify::Notify;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    // Any state (RFC 9051 §6.1)
    Capability,
    Id(Vec<(String, String)>),
    Logout,
    Noop,
    // Not authenticated (§6.2)
    Authenticate { mechanism: String, initial: Option<Hidden> },
    Login { name: String, password: Secret },
    StartTls,
    // Authenticated (§6.3). APPEND is no variant: its literals are streamed, see `AppendHead`.
    // ChangeAcl is SETACL or DELETEACL (RFC 4314). Notify is `supported` if all of its events are known here.
    ChangeAcl,
    Compress { algorithm: String },
    Create { mailbox: MailboxName, uses: Vec<String> },
    Delete { mailbox: MailboxName },
    Enable(Vec<String>),
    GetAcl { mailbox: MailboxName },
    GetMetadata(GetMetadata),
    GetQuota { root: Vec<u8> },
    GetQuotaRoot { mailbox: MailboxName },
    Idle,
    List(List),
    ListRights { mailbox: MailboxName, identifier: String },
    Lsub { reference: String, pattern: String },
    MyRights { mailbox: MailboxName },
    Namespace,
    Notify { notify: Notify, status: bool, supported: bool },
    Rename { from: MailboxName, to: MailboxName },
    Select(Select),
    SetMetadata(SetMetadata),
    SetQuota,
    Status { mailbox: MailboxName, items: Vec<StatusItem> },
    Subscribe { mailbox: MailboxName, subscribed: bool },
    // Selected (§6.4). CancelUpdate has the tags of searches (RFC 5267 §4.3.5).
    CancelUpdate(Vec<String>),
    Check,
    Close,
    Copy { set: SequenceSet, uid: bool, mailbox: MailboxName, moves: bool },
    Expunge { uids: Option<SequenceSet> },
    Fetch(Fetch),
    Search(Search),
    Sort(Sort),
    Store(Store),
    Thread(Thread),
    Unselect,
}

/// Bytes that may hold a password; never printed.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) Vec<u8>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// SELECT or EXAMINE (RFC 9051 §6.3.2, RFC 7162 §3.1.8, §3.2.5).
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) mailbox: MailboxName,
    pub(crate) read_only: bool,
    pub(crate) condstore: bool,
    pub(crate) qresync: Option<Resync>,
}

/// `QRESYNC (uidvalidity modseq [known-uids])`. The sequence match data that may follow are only a
/// hint for servers that forget what was expunged; they are read and not needed.
#[derive(Clone, Debug)]
pub(crate) struct Resync {
    pub(crate) uid_validity: u32,
    pub(crate) modseq: u64,
    pub(crate) known: Option<SequenceSet>,
}

/// `sequence-set`, of sequence numbers or UIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SequenceSet {
    /// Ranges in any order and overlapping, as sent; [`SequenceSet::LAST`] is `*`.
    Ranges(Vec<(u32, u32)>),
    /// `$`: what the last SEARCH RETURN (SAVE) found (RFC 5182).
    Saved,
}

impl SequenceSet {
    /// `*`; 0 is neither a sequence number nor a UID.
    pub(crate) const LAST: u32 = 0;
}

/// LIST with its extensions (RFC 5258, RFC 5819, RFC 6154).
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) reference: String,
    pub(crate) patterns: Vec<String>,
    pub(crate) select_subscribed: bool,
    pub(crate) select_special_use: bool,
    pub(crate) recursive_match: bool,
    /// Any extended syntax was used.
    pub(crate) extended: bool,
    pub(crate) return_children: bool,
    pub(crate) return_subscribed: bool,
    pub(crate) status: Option<Vec<StatusItem>>,
    /// RFC 8440
    pub(crate) my_rights: bool,
    /// Entries (RFC 9590).
    pub(crate) metadata: Option<Vec<String>>,
}

/// GETMETADATA (RFC 5464 §4.2). Entries are in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct GetMetadata {
    /// `None`: the server's annotations, which are the account's here.
    pub(crate) mailbox: Option<MailboxName>,
    pub(crate) entries: Vec<String>,
    pub(crate) depth: Depth,
    pub(crate) max_size: Option<u64>,
}

/// How far below an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    #[default]
    Itself,
    Children,
    All,
}

/// SETMETADATA (RFC 5464 §4.3). A value of `None` removes the entry.
#[derive(Clone, Debug)]
pub(crate) struct SetMetadata {
    pub(crate) mailbox: Option<MailboxName>,
    pub(crate) values: Vec<(String, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusItem {
    AppendLimit,
    Deleted,
    DeletedStorage,
    HighestModseq,
    MailboxId,
    Messages,
    Recent,
    Size,
    UidNext,
    UidValidity,
    Unseen,
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) set: SequenceSet,
    pub(crate) uid: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) changed_since: Option<u64>,
    pub(crate) partial: Option<Partial>,
    pub(crate) vanished: bool,
}

/// A message data item to fetch (RFC 9051 §6.4.5, RFC 3501 §6.4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Length of a part's decoded body (RFC 3516 §4.2).
    BinarySize(Vec<u32>),
    Body,
    BodyStructure,
    EmailId,
    Envelope,
    Flags,
    InternalDate,
    Modseq,
    /// RFC 8970. LAZY makes no difference: previews are made at delivery.
    Preview,
    /// RFC 8514.
    SaveDate,
    /// Bytes of the message.
    Section(Section),
    Size,
    ThreadId,
    Uid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// How the answer names it.
    pub(crate) name: SectionName,
    /// Part numbers, empty for the message itself.
    pub(crate) path: Vec<u32>,
    pub(crate) portion: Portion,
    /// `<offset.length>`
    pub(crate) partial: Option<(u64, u64)>,
    /// Does not set `\Seen`.
    pub(crate) peek: bool,
}

impl Section {
    /// It is about a body, not about a header alone.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.portion, Portion::All | Portion::Text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionName {
    /// Without its transfer encoding (RFC 3516).
    Binary,
    Body,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
}

/// `section-text`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    All,
    Fields { names: Vec<Vec<u8>>, not: bool },
    Header,
    Mime,
    Text,
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) set: SequenceSet,
    pub(crate) uid: bool,
    pub(crate) change: Change,
    pub(crate) silent: bool,
    pub(crate) unchanged_since: Option<u64>,
    pub(crate) flags: FlagList,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
    Replace,
}

/// Flags as the client named them; which bit a keyword has is the account's affair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlagList {
    pub(crate) system: Flags,
    pub(crate) keywords: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) uid: bool,
    /// `None`: answer with an untagged SEARCH, else with ESEARCH (RFC 4731).
    pub(crate) returns: Option<Returns>,
    /// A charset was named that is not UTF-8.
    pub(crate) other_charset: bool,
    pub(crate) key: Key,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returns {
    pub(crate) all: bool,
    pub(crate) count: bool,
    pub(crate) max: bool,
    pub(crate) min: bool,
    pub(crate) partial: Option<Partial>,
    pub(crate) save: bool,
    /// Later changes of the results are told (RFC 5267 §4.3).
    pub(crate) update: bool,
}

/// `partial-range` (RFC 9394 §4), as the client wrote it: it is repeated in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partial {
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Counted from the last result, which is -1.
    pub(crate) from_end: bool,
}

impl Partial {
    /// Which of `count` results are meant.
    pub(crate) fn window(self, count: usize) -> Range<usize> {
        let low = (self.first.min(self.last) as usize - 1).min(count);
        let high = (self.first.max(self.last) as usize).min(count);
        if self.from_end { count - high..count - low } else { low..high }
    }
}

impl Display for Partial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.from_end { "-" } else { "" };
        write!(f, "{sign}{}:{sign}{}", self.first, self.last)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Sort {
    pub(crate) criteria: Vec<SortCriterion>,
    pub(crate) search: Search,
}

#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) algorithm: ThreadAlgorithm,
    pub(crate) search: Search,
}

/// A search key (RFC 9051 §6.4.4). Dates are days since 1970-01-01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    All,
    And(Vec<Self>),
    Before(i64),
    Body(String),
    /// The number in the id: an id in another form is on no message.
    EmailId(i64),
    Flags(Flags),
    Header(String, String),
    Keyword(String),
    Larger(u64),
    Modseq(u64),
    Never,
    Not(Box<Self>),
    /// Received at least so many seconds ago (RFC 5032).
    Older(u64),
    On(i64),
    Or(Box<Self>, Box<Self>),
    /// Put into the mailbox (RFC 8514).
    SavedBefore(i64),
    SavedOn(i64),
    SavedSince(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    Sequence(SequenceSet),
    Since(i64),
    Smaller(u64),
    Text(String),
    /// The number in the id.
    ThreadId(i64),
    Uid(SequenceSet),
    Younger(u64),
}

/// What comes before a message of APPEND or REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508).
#[derive(Clone, Debug)]
pub(crate) struct AppendHead {
    /// `None` behind the first message of a MULTIAPPEND.
    pub(crate) target: Option<Target>,
    pub(crate) flags: FlagList,
    /// Unix seconds.
    pub(crate) date: Option<i64>,
    /// The message is put together from parts (RFC 4469).
    pub(crate) catenate: bool,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) mailbox: MailboxName,
    /// REPLACE: the message of the selected mailbox that goes away.
    pub(crate) replaces: Option<Replaces>,
}

/// One message, by its number or UID.
#[derive(Clone, Debug)]
pub(crate) struct Replaces {
    pub(crate) message: SequenceSet,
    pub(crate) uid: bool,
}

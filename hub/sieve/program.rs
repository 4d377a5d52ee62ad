//! A compiled script: every argument in its place, every extension asked for.

use std::sync::Arc;

use crate::comparator::Comparator;
use crate::matching::MatchType;
use crate::text::{Text, Variable};

/// A script and all scripts that it includes.
#[derive(Debug)]
pub struct Program {
    /// The first one is the script itself.
    pub(crate) scripts: Vec<Script>,
    /// Octets of the texts that it was made of; what it takes in memory is a few times that.
    pub(crate) size: usize,
}

impl Program {
    /// Octets of the texts that it was made of.
    pub fn size(&self) -> usize {
        self.size
    }
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) commands: Vec<Statement>,
}

#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) command: Command,
}

#[derive(Debug)]
pub(crate) enum Command {
    AddHeader { name: Text, value: Text, last: bool },
    ChangeFlags { change: FlagChange, variable: Option<Variable>, flags: Vec<Text> },
    DeleteHeader(Box<DeleteHeader>),
    Discard,
    Error(Text),
    FileInto(Box<FileInto>),
    If { branches: Vec<(Test, Vec<Statement>)>, otherwise: Vec<Statement> },
    Include { script: Included, once: bool },
    Keep { flags: Option<Vec<Text>> },
    Redirect { address: Text, copy: bool },
    Reject { reason: Text, extended: bool },
    Return,
    Set { variable: Variable, value: Text, modifiers: Vec<Modifier> },
    Stop,
    Vacation(Box<Vacation>),
}

/// Where the included script is in [`Program::scripts`].
#[derive(Debug)]
pub(crate) enum Included {
    Missing { name: String, optional: bool },
    Script(usize),
}

/// RFC 5232 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagChange {
    Add,
    Remove,
    Set,
}

/// RFC 5293 §5.
#[derive(Debug)]
pub(crate) struct DeleteHeader {
    pub(crate) name: Text,
    pub(crate) index: Option<Index>,
    pub(crate) matching: Matching,
    /// Any value, if there are none.
    pub(crate) values: Option<Keys>,
}

#[derive(Debug)]
pub(crate) struct FileInto {
    pub(crate) mailbox: Text,
    pub(crate) copy: bool,
    /// RFC 5490 §3.2.
    pub(crate) create: bool,
    pub(crate) flags: Option<Vec<Text>>,
    /// RFC 8579 §4.
    pub(crate) special_use: Option<Text>,
}

/// RFC 5230 §4.
#[derive(Debug)]
pub(crate) struct Vacation {
    pub(crate) seconds: u64,
    pub(crate) subject: Option<Text>,
    pub(crate) from: Option<Text>,
    pub(crate) addresses: Vec<Text>,
    pub(crate) mime: bool,
    pub(crate) handle: Option<Text>,
    pub(crate) reason: Text,
}

/// RFC 5229 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    Length,
    Lower,
    LowerFirst,
    QuoteRegex,
    QuoteWildcard,
    Upper,
    UpperFirst,
}

#[derive(Debug)]
pub(crate) enum Test {
    Address {
        index: Option<Index>,
        part: AddressPart,
        matching: Matching,
        headers: Vec<Text>,
        keys: Keys,
    },
    AllOf(Vec<Self>),
    AnyOf(Vec<Self>),
    Body {
        of: BodyTransform,
        matching: Matching,
        keys: Keys,
    },
    /// RFC 5260 §4; without a header, the date of now.
    Date {
        header: Option<(Text, Option<Index>)>,
        zone: Zone,
        part: Text,
        matching: Matching,
        keys: Keys,
    },
    Duplicate(Box<Duplicate>),
    Envelope {
        part: AddressPart,
        matching: Matching,
        fields: Vec<Text>,
        keys: Keys,
    },
    Environment {
        item: Text,
        matching: Matching,
        keys: Keys,
    },
    Exists(Vec<Text>),
    Fixed(bool),
    HasFlag {
        variables: Vec<Variable>,
        matching: Matching,
        flags: Keys,
    },
    /// RFC 5463 §4, known when the script is compiled.
    Have(bool),
    Header {
        index: Option<Index>,
        matching: Matching,
        headers: Vec<Text>,
        keys: Keys,
    },
    MailboxExists(Vec<Text>),
    Not(Box<Self>),
    Size {
        over: bool,
        limit: u64,
    },
    SpecialUseExists {
        mailbox: Option<Text>,
        flags: Vec<Text>,
    },
    String {
        matching: Matching,
        sources: Vec<Text>,
        keys: Keys,
    },
}

/// RFC 5260 §6: the n-th field of a name, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) number: u64,
    /// From the end.
    pub(crate) last: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matching {
    pub(crate) comparator: Comparator,
    pub(crate) kind: MatchType,
}

/// Keys of a test; regular expressions without variables are compiled beforehand.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) texts: Vec<Text>,
    /// As many as texts, for `:regex`; else none.
    pub(crate) compiled: Vec<Option<Arc<regex::Regex>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AddressPart {
    #[default]
    All,
    Detail,
    Domain,
    LocalPart,
    User,
}

/// RFC 5173 §5.
#[derive(Debug)]
pub(crate) enum BodyTransform {
    Content(Vec<Text>),
    Raw,
    Text,
}

#[derive(Debug)]
pub(crate) enum Zone {
    /// The hub's own.
    Local,
    /// The one that the date was written in.
    Original,
    At(Text),
}

/// RFC 7352 §3.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) handle: Option<Text>,
    pub(crate) id: UniqueId,
    pub(crate) seconds: u64,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum UniqueId {
    Header(Text),
    Value(Text),
}

//! The table of all types and what can be done with them. Dispatch, capabilities and the tests that go
//! through all methods are made from it.

use std::pin::Pin;

use hub::Scopes;
use serde_json::{Map, Value};

use crate::capability::Capability;
use crate::contacts::{book, card};
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::files::node;
use crate::mail::{email, email_set, identity, mailbox, query, snippet, submission, thread, vacation};
use crate::{blobs, quota};

/// The part of a method's name behind the slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Changes,
    Copy,
    Echo,
    Get,
    Import,
    Lookup,
    Parse,
    Query,
    QueryChanges,
    Set,
    Upload,
}

impl Verb {
    /// It changes objects, or makes some.
    const fn changes(self) -> bool {
        match self {
            Self::Copy | Self::Import | Self::Set | Self::Upload => true,
            Self::Changes
            | Self::Echo
            | Self::Get
            | Self::Lookup
            | Self::Parse
            | Self::Query
            | Self::QueryChanges => false,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Copy => "copy",
            Self::Echo => "echo",
            Self::Get => "get",
            Self::Import => "import",
            Self::Lookup => "lookup",
            Self::Parse => "parse",
            Self::Query => "query",
            Self::QueryChanges => "queryChanges",
            Self::Set => "set",
            Self::Upload => "upload",
        }
    }
}

/// What a token must cover to read objects of a type and to change them; passwords cover everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    read: Scopes,
    write: Scopes,
}

/// Blobs are not listed by type: who may read one depends on what it is a part of (`blob::open`).
const FREE: Rights = Rights { read: Scopes::NONE, write: Scopes::NONE };
const CONTACTS: Rights = Rights { read: Scopes::CONTACTS_READ, write: Scopes::CONTACTS_WRITE };
const FILES: Rights = Rights { read: Scopes::FILES_READ, write: Scopes::FILES_WRITE };
const MAIL: Rights = Rights { read: Scopes::MAIL_READ, write: Scopes::MAIL_WRITE };
/// Who could send what it cannot read would send it to itself.
const SENDING: Rights = Rights { read: Scopes::MAIL_READ, write: Scopes::MAIL_READ.and(Scopes::MAIL_SEND) };

/// What a method says: its own answer, and those of methods that it has called (RFC 8621 §7.5).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answers {
    pub(crate) own: Map<String, Value>,
    pub(crate) more: Vec<(&'static str, Map<String, Value>)>,
}

impl From<Map<String, Value>> for Answers {
    fn from(own: Map<String, Value>) -> Self {
        Self { own, more: Vec::new() }
    }
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = MethodResult<Answers>> + Send + 'a>>;
pub(crate) type Run = for<'a> fn(&'a mut Context, Arguments) -> Running<'a>;

pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) capability: Capability,
    pub(crate) rights: Rights,
    /// Whose state is pushed to clients (RFC 8620 §7), if any.
    pub(crate) pushed: Option<StateOf>,
    pub(crate) verbs: &'static [(Verb, Run)],
}

/// What types with one state share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateOf {
    Contacts,
    Files,
    Identities,
    Mail,
    Submissions,
    Vacation,
}

impl Type {
    pub(crate) fn needs(&self, verb: Verb) -> Scopes {
        if verb.changes() { self.rights.write } else { self.rights.read }
    }

    /// There are objects of it, with ids of their own.
    pub(crate) fn has_objects(&self) -> bool {
        self.has(Verb::Get) && (self.has(Verb::Changes) || self.has(Verb::Set))
    }

    pub(crate) fn has(&self, verb: Verb) -> bool {
        self.verbs.iter().any(|(known, _)| *known == verb)
    }
}

/// A function of a type as an entry of the table.
macro_rules! run {
    ($verb:ident, $function:path) => {{
        fn run(context: &mut Context, arguments: Arguments) -> Running<'_> {
            Box::pin(async move { Ok($function(context, arguments).await?.into()) })
        }
        (Verb::$verb, run as Run)
    }};
}

pub(crate) static TYPES: &[Type] = &[
    Type {
        name: "Core",
        capability: Capability::Core,
        rights: FREE,
        pushed: None,
        verbs: &[run!(Echo, echo)],
    },
    // RFC 8620 §6.3.
    Type {
        name: "Blob",
        capability: Capability::Core,
        rights: FREE,
        pushed: None,
        verbs: &[run!(Copy, copy)],
    },
    Type {
        name: "Blob",
        capability: Capability::Blob,
        rights: FREE,
        pushed: None,
        verbs: &[run!(Upload, blobs::upload), run!(Get, blobs::get), run!(Lookup, blobs::lookup)],
    },
    Type {
        name: "Mailbox",
        capability: Capability::Mail,
        rights: MAIL,
        pushed: Some(StateOf::Mail),
        verbs: &[
            run!(Get, mailbox::get),
            run!(Changes, mailbox::changes),
            run!(Query, mailbox::query),
            run!(QueryChanges, mailbox::query_changes),
            run!(Set, mailbox::set),
        ],
    },
    Type {
        name: "Thread",
        capability: Capability::Mail,
        rights: MAIL,
        pushed: Some(StateOf::Mail),
        verbs: &[run!(Get, thread::get), run!(Changes, thread::changes)],
    },
    Type {
        name: "Email",
        capability: Capability::Mail,
        rights: MAIL,
        pushed: Some(StateOf::Mail),
        verbs: &[
            run!(Get, email::get),
            run!(Changes, email::changes),
            run!(Query, query::query),
            run!(QueryChanges, query::query_changes),
            run!(Set, email_set::set),
            run!(Copy, copy),
            run!(Import, email_set::import),
            run!(Parse, email_set::parse),
        ],
    },
    Type {
        name: "SearchSnippet",
        capability: Capability::Mail,
        rights: MAIL,
        pushed: None,
        verbs: &[run!(Get, snippet::get)],
    },
    Type {
        name: "Identity",
        capability: Capability::Submission,
        rights: MAIL,
        pushed: Some(StateOf::Identities),
        verbs: &[run!(Get, identity::get), run!(Changes, identity::changes), run!(Set, identity::set)],
    },
    Type {
        name: "EmailSubmission",
        capability: Capability::Submission,
        rights: SENDING,
        pushed: Some(StateOf::Submissions),
        verbs: &[
            run!(Get, submission::get),
            run!(Changes, submission::changes),
            run!(Query, submission::query),
            run!(QueryChanges, submission::query_changes),
            run!(Set, submission::set),
        ],
    },
    Type {
        name: "VacationResponse",
        capability: Capability::VacationResponse,
        rights: MAIL,
        pushed: Some(StateOf::Vacation),
        verbs: &[run!(Get, vacation::get), run!(Set, vacation::set)],
    },
    Type {
        name: "AddressBook",
        capability: Capability::Contacts,
        rights: CONTACTS,
        pushed: Some(StateOf::Contacts),
        verbs: &[run!(Get, book::get), run!(Changes, book::changes), run!(Set, book::set)],
    },
    Type {
        name: "ContactCard",
        capability: Capability::Contacts,
        rights: CONTACTS,
        pushed: Some(StateOf::Contacts),
        verbs: &[
            run!(Get, card::get),
            run!(Changes, card::changes),
            run!(Query, card::query),
            run!(QueryChanges, card::query_changes),
            run!(Set, card::set),
            run!(Copy, copy),
        ],
    },
    Type {
        name: "FileNode",
        capability: Capability::FileNode,
        rights: FILES,
        pushed: Some(StateOf::Files),
        verbs: &[
            run!(Get, node::get),
            run!(Changes, node::changes),
            run!(Query, node::query),
            run!(QueryChanges, node::query_changes),
            run!(Set, node::set),
            run!(Copy, copy),
        ],
    },
    Type {
        name: "Quota",
        capability: Capability::Quota,
        rights: FREE,
        pushed: None,
        verbs: &[
            run!(Get, quota::get),
            run!(Changes, quota::changes),
            run!(Query, quota::query),
            run!(QueryChanges, quota::query_changes),
        ],
    },
];

/// RFC 8620 §4.
async fn echo(_: &mut Context, arguments: Arguments) -> MethodResult<Map<String, Value>> {
    Ok(arguments.into_inner())
}

/// The method of that name, if its capability is used and the log-in covers it.
pub(crate) fn find(name: &str, context: &Context) -> MethodResult<Run> {
    let (type_name, verb) = name.split_once('/').ok_or(MethodErrorKind::UnknownMethod)?;
    let known =
        TYPES.iter().filter(|known| known.name == type_name && context.using.contains(&known.capability));
    let method = known
        .flat_map(|known| known.verbs.iter().map(move |(verb, run)| (known, *verb, *run)))
        .find(|(_, known, _)| known.name() == verb);
    let (known, verb, run) = method.ok_or(MethodErrorKind::UnknownMethod)?;
    let needed = known.needs(verb);
    match context.account.require(needed) {
        Ok(()) => Ok(run),
        Err(_) => {
            Err(MethodError::new(MethodErrorKind::Forbidden, format!("The token does not cover {needed}.")))
        }
    }
}

/// `/copy` (RFC 8620 §5.4): a login reaches one account, and nothing is copied to where it is.
pub(crate) async fn copy(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let from = arguments.required_string("fromAccountId")?;
    if from == context.account_id {
        let why = "is the account to copy to";
        return Err(MethodError::argument("fromAccountId", why));
    }
    Err(MethodErrorKind::FromAccountNotFound.into())
}

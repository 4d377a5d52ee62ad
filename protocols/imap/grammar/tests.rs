use super::command::*;
use super::*;
use crate::names::MailboxName;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_types::command::{CommandBody, FetchModifier, StoreModifier};
use imap_types::fetch::{
    Macro, MacroOrMessageDataItemNames as Items, MessageDataItemName as Name, Section as CodecSection,
};
use imap_types::flag::{Flag, StoreResponse, StoreType};
use imap_types::mailbox::Mailbox;
use imap_types::search::SearchKey;
use imap_types::sequence::{SeqOrUid, Sequence, SequenceSet as CodecSet};
use imap_types::status::StatusDataItemName;
use proptest::prelude::*;

fn parsed(text: &str) -> Result<Command> {
    parse(format!("a1 {text}\r\n").as_bytes(), Names::Utf7)
}

fn codec_set(set: &CodecSet) -> SequenceSet {
    let number = |number: &SeqOrUid| match number {
        SeqOrUid::Value(value) => value.get(),
        SeqOrUid::Asterisk => SequenceSet::LAST,
    };
    let ranges = set.0.as_ref().iter().map(|sequence| match sequence {
        Sequence::Single(one) => (number(one), number(one)),
        Sequence::Range(first, last) => (number(first), number(last)),
    });
    SequenceSet::Ranges(ranges.collect())
}

fn codec_name(mailbox: &Mailbox<'_>) -> Option<MailboxName> {
    let bytes = match mailbox {
        Mailbox::Inbox => b"INBOX",
        Mailbox::Other(other) => other.inner().as_ref(),
    };
    MailboxName::parse(bytes, Names::Utf7)
}

/// What `imap-codec` makes of a command that our own grammar reads too; `None` if it refuses it.
fn by_codec(text: &str) -> Option<Command> {
    let text = format!("a1 {text}\r\n");
    let Ok((b"", command)) = CommandCodec::default().decode(text.as_bytes()) else { return None };
    Some(match command.body {
        CommandBody::Fetch { sequence_set, macro_or_item_names, uid, modifiers } => {
            let items = match macro_or_item_names {
                Items::Macro(Macro::Fast) => vec![Item::Flags, Item::InternalDate, Item::Size],
                Items::Macro(Macro::All) => vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope],
                Items::Macro(_) => {
                    vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body]
                }
                Items::MessageDataItemNames(names) => names.iter().map(item).collect::<Option<_>>()?,
            };
            let mut fetch = Fetch {
                set: codec_set(&sequence_set),
                uid,
                items,
                changed_since: None,
                partial: None,
                vanished: false,
            };
            for modifier in modifiers {
                match modifier {
                    FetchModifier::ChangedSince(modseq) => fetch.changed_since = Some(modseq.get()),
                    FetchModifier::Vanished => fetch.vanished = true,
                }
            }
            Command::Fetch(fetch)
        }
        CommandBody::Store { sequence_set, kind, response, flags, uid, modifiers } => Command::Store(Store {
            set: codec_set(&sequence_set),
            uid,
            change: match kind {
                StoreType::Add => Change::Add,
                StoreType::Remove => Change::Remove,
                StoreType::Replace => Change::Replace,
            },
            silent: response == StoreResponse::Silent,
            unchanged_since: modifiers
                .iter()
                .map(|StoreModifier::UnchangedSince(modseq)| *modseq)
                .next_back(),
            flags: flag_list(&flags),
        }),
        CommandBody::Copy { sequence_set, mailbox, uid } => {
            Command::Copy { set: codec_set(&sequence_set), uid, mailbox: codec_name(&mailbox)?, moves: false }
        }
        CommandBody::Move { sequence_set, mailbox, uid } => {
            Command::Copy { set: codec_set(&sequence_set), uid, mailbox: codec_name(&mailbox)?, moves: true }
        }
        CommandBody::ExpungeUid { sequence_set } => Command::Expunge { uids: Some(codec_set(&sequence_set)) },
        CommandBody::Status { mailbox, item_names } => Command::Status {
            mailbox: codec_name(&mailbox)?,
            items: item_names.iter().map(status_item).collect::<Option<_>>()?,
        },
        CommandBody::Search { charset: _, criteria, uid } => {
            let mut keys: Vec<Key> = criteria.as_ref().iter().map(key).collect::<Option<_>>()?;
            let key = if keys.len() == 1 { keys.remove(0) } else { Key::And(keys) };
            Command::Search(Search { uid, returns: None, other_charset: false, key })
        }
        _ => return None,
    })
}

fn flag_list(flags: &[Flag<'_>]) -> FlagList {
    let mut list = FlagList::default();
    for flag in flags {
        match flag {
            Flag::Answered => list.system = list.system | Flags::ANSWERED,
            Flag::Deleted => list.system = list.system | Flags::DELETED,
            Flag::Draft => list.system = list.system | Flags::DRAFT,
            Flag::Flagged => list.system = list.system | Flags::FLAGGED,
            Flag::Seen => list.system = list.system | Flags::SEEN,
            Flag::Extension(_) => {}
            Flag::Keyword(name) => list.keywords.push(name.as_ref().to_owned()),
        }
    }
    list
}

fn item(name: &Name<'_>) -> Option<Item> {
    let whole = |name, portion, peek| {
        Some(Item::Section(Section { name, path: Vec::new(), portion, partial: None, peek }))
    };
    match name {
        Name::Body => Some(Item::Body),
        Name::BodyExt { section, partial, peek } => {
            let path = |part: &imap_types::fetch::Part| {
                part.0.as_ref().iter().map(|number| number.get()).collect::<Vec<_>>()
            };
            let of = |part: &Option<imap_types::fetch::Part>| part.as_ref().map(path).unwrap_or_default();
            let fields = |names: &[imap_types::core::AString<'_>], not| Portion::Fields {
                names: names.iter().map(|name| name.as_ref().to_vec()).collect(),
                not,
            };
            let (path, portion) = match section {
                None => (Vec::new(), Portion::All),
                Some(CodecSection::Part(part)) => (path(part), Portion::All),
                Some(CodecSection::Header(part)) => (of(part), Portion::Header),
                Some(CodecSection::HeaderFields(part, names)) => (of(part), fields(names.as_ref(), false)),
                Some(CodecSection::HeaderFieldsNot(part, names)) => (of(part), fields(names.as_ref(), true)),
                Some(CodecSection::Text(part)) => (of(part), Portion::Text),
                Some(CodecSection::Mime(part)) => (path(part), Portion::Mime),
            };
            Some(Item::Section(Section {
                name: SectionName::Body,
                path,
                portion,
                partial: partial.map(|(offset, length)| (offset.into(), length.get().into())),
                peek: *peek,
            }))
        }
        Name::BodyStructure => Some(Item::BodyStructure),
        Name::Envelope => Some(Item::Envelope),
        Name::Flags => Some(Item::Flags),
        Name::InternalDate => Some(Item::InternalDate),
        Name::ModSeq => Some(Item::Modseq),
        Name::Rfc822 => whole(SectionName::Rfc822, Portion::All, false),
        Name::Rfc822Header => whole(SectionName::Rfc822Header, Portion::Header, true),
        Name::Rfc822Size => Some(Item::Size),
        Name::Rfc822Text => whole(SectionName::Rfc822Text, Portion::Text, false),
        Name::Uid => Some(Item::Uid),
        _ => None,
    }
}

fn status_item(name: &StatusDataItemName) -> Option<StatusItem> {
    Some(match name {
        StatusDataItemName::Messages => StatusItem::Messages,
        StatusDataItemName::Recent => StatusItem::Recent,
        StatusDataItemName::UidNext => StatusItem::UidNext,
        StatusDataItemName::UidValidity => StatusItem::UidValidity,
        StatusDataItemName::Unseen => StatusItem::Unseen,
        StatusDataItemName::Deleted => StatusItem::Deleted,
        StatusDataItemName::DeletedStorage => StatusItem::DeletedStorage,
        StatusDataItemName::HighestModSeq => StatusItem::HighestModseq,
        StatusDataItemName::Size => StatusItem::Size,
    })
}

fn key(key: &SearchKey<'_>) -> Option<Key> {
    let text = |text: &imap_types::core::AString<'_>| {
        String::from_utf8(text.as_ref().to_vec()).expect("the test sends UTF-8")
    };
    let header = |name: &str, value| Some(Key::Header(name.to_owned(), text(value)));
    let days = |date: &imap_types::datetime::NaiveDate| {
        let date = date.as_ref().to_string(); // ISO 8601
        let part = |range: std::ops::Range<usize>| date[range].parse::<i64>().expect("a number");
        let month = hub_civil::MONTHS[part(5..7) as usize - 1];
        let text = format!("{}-{month}-{}", &date[8..10], &date[0..4]);
        date::date(&mut Cursor::new(text.as_bytes())).expect("a date")
    };
    let not = |key| Some(Key::Not(Box::new(key)));
    match key {
        SearchKey::And(keys) => {
            let mut keys = keys.as_ref().iter().map(self::key).collect::<Option<Vec<_>>>()?;
            Some(if keys.len() == 1 { keys.remove(0) } else { Key::And(keys) })
        }
        SearchKey::SequenceSet(set) => Some(Key::Sequence(codec_set(set))),
        SearchKey::All | SearchKey::Old => Some(Key::All),
        SearchKey::New | SearchKey::Recent => Some(Key::Never),
        SearchKey::Answered => Some(Key::Flags(Flags::ANSWERED)),
        SearchKey::Deleted => Some(Key::Flags(Flags::DELETED)),
        SearchKey::Draft => Some(Key::Flags(Flags::DRAFT)),
        SearchKey::Flagged => Some(Key::Flags(Flags::FLAGGED)),
        SearchKey::Seen => Some(Key::Flags(Flags::SEEN)),
        SearchKey::Unanswered => not(Key::Flags(Flags::ANSWERED)),
        SearchKey::Undeleted => not(Key::Flags(Flags::DELETED)),
        SearchKey::Undraft => not(Key::Flags(Flags::DRAFT)),
        SearchKey::Unflagged => not(Key::Flags(Flags::FLAGGED)),
        SearchKey::Unseen => not(Key::Flags(Flags::SEEN)),
        SearchKey::Bcc(value) => header("Bcc", value),
        SearchKey::Cc(value) => header("Cc", value),
        SearchKey::From(value) => header("From", value),
        SearchKey::Subject(value) => header("Subject", value),
        SearchKey::To(value) => header("To", value),
        SearchKey::Header(name, value) => Some(Key::Header(text(name), text(value))),
        SearchKey::Body(value) => Some(Key::Body(text(value))),
        SearchKey::Text(value) => Some(Key::Text(text(value))),
        SearchKey::Before(date) => Some(Key::Before(days(date))),
        SearchKey::On(date) => Some(Key::On(days(date))),
        SearchKey::Since(date) => Some(Key::Since(days(date))),
        SearchKey::SentBefore(date) => Some(Key::SentBefore(days(date))),
        SearchKey::SentOn(date) => Some(Key::SentOn(days(date))),
        SearchKey::SentSince(date) => Some(Key::SentSince(days(date))),
        SearchKey::Keyword(name) => Some(Key::Keyword(name.as_ref().to_owned())),
        SearchKey::Unkeyword(name) => not(Key::Keyword(name.as_ref().to_owned())),
        SearchKey::Larger(size) => Some(Key::Larger(u64::from(*size))),
        SearchKey::Smaller(size) => Some(Key::Smaller(u64::from(*size))),
        SearchKey::Not(inner) => not(self::key(inner)?),
        SearchKey::Or(a, b) => Some(Key::Or(Box::new(self::key(a)?), Box::new(self::key(b)?))),
        SearchKey::Uid(set) => Some(Key::Uid(codec_set(set))),
        _ => None,
    }
}

/// Commands that both read: they must mean the same.
#[test]
fn our_grammar_agrees_with_imap_codec() {
    for text in [
        "FETCH 1 FLAGS",
        "FETCH 1:*,5,*:3 (FLAGS UID)",
        "UID FETCH 1 ALL",
        "FETCH 1 FULL",
        "FETCH 1 FAST",
        "FETCH 2 BODY",
        "FETCH 2 BODY[]",
        "FETCH 2 (BODY.PEEK[1.2.HEADER.FIELDS.NOT (X \"Y\")]<0.100> BODYSTRUCTURE)",
        "FETCH 2 (BODY[HEADER] BODY[TEXT] BODY[1.MIME] BODY[3] BODY[4.TEXT]<7.1>)",
        "FETCH 2 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE ENVELOPE INTERNALDATE MODSEQ)",
        "FETCH 1:5 (UID FLAGS) (CHANGEDSINCE 12345)",
        "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
        "STORE 2:4 +FLAGS (\\Deleted)",
        "UID STORE * FLAGS.SILENT (\\Seen $Junk)",
        "STORE 1 -FLAGS.SILENT \\Answered \\Draft",
        "STORE 1 FLAGS ()",
        "STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
        "COPY 2:4 MEETING",
        "UID COPY 2:4 \"Entw&APw-rfe\"",
        "MOVE 1 inbox",
        "UID MOVE 42:69 foo",
        "UID EXPUNGE 3000:3002",
        "STATUS blurdybloop (UIDNEXT MESSAGES)",
        "STATUS inbox (SIZE HIGHESTMODSEQ UIDVALIDITY UNSEEN RECENT DELETED DELETED-STORAGE)",
        "SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "SEARCH CHARSET UTF-8 TEXT {6}\r\nмат",
        "SEARCH (OR SEEN UNDELETED) UID 1:*,7 3 HEADER X-Foo \"\"",
        "UID SEARCH OLD NEW RECENT ALL LARGER 3 SMALLER 9 KEYWORD $x UNKEYWORD y",
        "SEARCH ON 1-Jan-2020 BEFORE 29-Feb-2020 SENTON 1-Jan-1970 SENTSINCE \"3-Mar-2020\" SENTBEFORE 4-Apr-2020",
        "SEARCH BCC a CC b TO c SUBJECT d BODY e",
    ] {
        let codec = by_codec(text).unwrap_or_else(|| panic!("imap-codec refuses {text}"));
        let ours = parsed(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(format!("{ours:?}"), format!("{codec:?}"), "{text}");
    }
}

/// What `imap-codec` refuses and clients send all the same.
#[test]
fn extended_commands() {
    let check = |text: &str, expected: &str| {
        assert!(by_codec(text).is_none(), "imap-codec reads {text} now: use it");
        let command = parsed(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert!(format!("{command:?}").contains(expected), "{text}: {command:?}");
    };
    // emersion/go-imap#657: Outlook.
    check("FETCH 1 RFC822.PEEK", "name: Rfc822, path: [], portion: All, partial: None, peek: true");
    // modern-email/defects#29: iPhone Mail 16.5.
    check("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)", "changed_since: Some(0)");
    check("FETCH 1 PREVIEW (LAZY)", "items: [Preview], changed_since: None");
    check("FETCH 1 (PREVIEW (LAZY) SAVEDATE)", "items: [Preview, SaveDate]");
    check("FETCH 1 PREVIEW (CHANGEDSINCE 5)", "items: [Preview], changed_since: Some(5)");
    check(
        "FETCH 1 (BINARY[1.2]<0.5> BINARY.PEEK[] BINARY.SIZE[3])",
        "name: Binary, path: [1, 2], portion: All, partial: Some((0, 5)), peek: false",
    );
    check("FETCH 1 (binary.peek[] binary.size[3])", "peek: true }), BinarySize([3])]");
    check("FETCH $ (EMAILID THREADID)", "set: Saved, uid: false, items: [EmailId, ThreadId]");
    check("STORE $ +FLAGS \\Seen", "set: Saved");
    check("UID MOVE $ Trash", "set: Saved");
    check(
        "SEARCH RETURN (MIN COUNT) ALL",
        "Some(Returns { all: false, count: true, max: false, min: true, partial: None, save: false, update: false })",
    );
    check("SEARCH RETURN () UNSEEN", "Some(Returns { all: true");
    check("SEARCH RETURN (UPDATE CONTEXT) UNSEEN", "Some(Returns { all: true");
    check("SEARCH RETURN (CONTEXT COUNT) UNSEEN", "Some(Returns { all: false, count: true");
    check("CANCELUPDATE \"B01\" \"B02\"", "CancelUpdate([\"B01\", \"B02\"])");
    check("SEARCH RETURN (SAVE) CHARSET UTF-8 $ EMAILID E1", "Sequence(Saved), EmailId(1)");
    // Ids that no message can have.
    check("SEARCH OR THREADID T01 EMAILID M1", "Or(Never, Never)");
    check("SEARCH RETURN (PARTIAL -1:-100) SAVEDON 1-Jan-1970", "first: 1, last: 100, from_end: true");
    check("UID SORT RETURN (COUNT) (REVERSE DATE) utf-8 ALL", "key: Date, reverse: true");
    check("UID FETCH 1:* FLAGS (PARTIAL 1:2 CHANGEDSINCE 3)", "partial: Some(Partial { first: 1");
    check(
        "UID SEARCH OLDER 259200 MODSEQ \"/flags/\\\\draft\" all 620162338",
        "[Older(259200), Modseq(620162338)]",
    );
    check("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"*\"", "recursive_match: true");
    check("LIST \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")", "patterns: [\"INBOX\", \"Drafts\", \"Sent/%\"]");
    check("LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (UNSEEN))", "status: Some([Unseen])");
    check("LIST \"\" % RETURN (CHILDREN SUBSCRIBED)", "return_children: true, return_subscribed: true");
    check("CREATE MyDrafts (USE (\\Drafts))", "uses: [\"DRAFTS\"]");
    check("STATUS INBOX (MAILBOXID APPENDLIMIT)", "[MailboxId, AppendLimit]");
    check(&format!("SEARCH {}SEEN{}", "(".repeat(40), ")".repeat(40)), "Flags");
}

#[test]
fn commands_of_the_codec() {
    let check = |text: &str, expected: &str| {
        let command = parsed(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let command = format!("{command:?}");
        assert!(command.contains(expected), "{text}: {command}");
        assert!(!command.contains("sesame"), "a password is printed");
    };
    check("CAPABILITY", "Capability");
    check("noop", "Noop");
    check("LOGOUT  ", "Logout");
    check("LOGIN fred \"open sesame\"", "name: \"fred\"");
    check("LOGIN {4}\r\nfred {6}\r\nsesame", "name: \"fred\"");
    check("LOGIN \"fred\" \"sésame\"", "Login");
    check("AUTHENTICATE PLAIN", "mechanism: \"PLAIN\", initial: None");
    check("AUTHENTICATE SCRAM-SHA-256 =", "mechanism: \"SCRAM-SHA-256\", initial: Some");
    check("AUTHENTICATE PLAIN AGZyZWQAc2VzYW1l", "initial: Some");
    check("SELECT inbox", "MailboxName(\"INBOX\"), read_only: false, condstore: false");
    check(
        "EXAMINE \"Entw&APw-rfe\" (CONDSTORE)",
        "MailboxName(\"Entwürfe\"), read_only: true, condstore: true",
    );
    check(
        "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
        "Resync { uid_validity: 67890007, modseq: 20050715194045000, known: Some(Ranges([(41, 41), (43, 211), (214, 541)]))",
    );
    check("SELECT a (QRESYNC (1 2 1:9 (1,3 5,7)) CONDSTORE)", "known: Some(Ranges([(1, 9)]))");
    check(
        "SELECT a (QRESYNC (1 2 (1 5)))",
        "condstore: false, qresync: Some(Resync { uid_validity: 1, modseq: 2, known: None",
    );
    check(
        "GETMETADATA \"\" /shared/comment",
        "mailbox: None, entries: [\"/shared/comment\"], depth: Itself, max_size: None",
    );
    check(
        "GETMETADATA (DEPTH infinity MAXSIZE 9) inbox (/PRIVATE/a /private/b)",
        "entries: [\"/private/a\", \"/private/b\"], depth: All, max_size: Some(9)",
    );
    check("GETMETADATA \"INBOX\" (MAXSIZE 1024) (/shared/comment /private/comment)", "max_size: Some(1024)");
    check(
        "GETMETADATA \"INBOX\" /private/comment /shared/comment",
        "[\"/private/comment\", \"/shared/comment\"]",
    );
    check(
        "SETMETADATA INBOX (/private/comment {3}\r\na\r\n /shared/comment NIL)",
        "[(\"/private/comment\", Some([97, 13, 10])), (\"/shared/comment\", None)]",
    );
    check(
        "SETMETADATA \"\" (/private/vendor/x/y ~{1}\r\n\0)",
        "mailbox: None, values: [(\"/private/vendor/x/y\", Some([0]))]",
    );
    check(
        "LIST \"\" % RETURN (MYRIGHTS METADATA (/shared/color) CHILDREN)",
        "my_rights: true, metadata: Some([\"/shared/color\"])",
    );
    check("MYRIGHTS inbox", "MyRights");
    check("LISTRIGHTS ~/Mail/saved smith", "identifier: \"smith\"");
    check("SETACL INBOX/Drafts Byron +lrswikda", "ChangeAcl");
    check("DELETEACL INBOX Fred", "ChangeAcl");
    check(
        "NOTIFY NONE",
        "Notify { notify: Notify { selected: None, groups: [] }, status: false, supported: true }",
    );
    // RFC 5465 §3.1, the second group completed: it breaks the rule of §5.
    check(
        "notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree Lists (MessageNew MessageExpunge))",
        "groups: [Group { mailboxes: Subtree([\"Lists\"]), events: Events { expunge: true, flags: false, metadata: false, names: false, new: true",
    );
    check(
        "NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))",
        "delayed: true, events: Events { expunge: true, flags: true",
    );
    check(
        "NOTIFY SET (mailboxes (inbox \"a b\") NONE) (personal (MailboxName))",
        "Mailboxes([\"INBOX\", \"a b\"])",
    );
    check("NOTIFY SET (subscribed (MessageNew MessageExpunge AnnotationChange))", "supported: false");
    check("ENABLE CONDSTORE X-UNKNOWN", "[\"CONDSTORE\", \"X-UNKNOWN\"]");
    check("ID (\"name\" \"Thunderbird\" \"os\" NIL)", "(\"name\", \"Thunderbird\"), (\"os\", \"\")");
    check("ID NIL", "Id([])");
    check("LSUB \"\" \"*\"", "reference: \"\", pattern: \"*\"");
    check("LSUB \"#news.\" comp.%", "pattern: \"comp.%\"");
    check("RENAME Inbox \"a b\"", "from: MailboxName(\"INBOX\"), to: MailboxName(\"a b\")");
    check("SUBSCRIBE x", "subscribed: true");
    check("UNSUBSCRIBE x", "subscribed: false");
    check("DELETE x", "Delete");
    check("CREATE x", "uses: []");
    check("GETQUOTA \"\"", "GetQuota { root: [] }");
    check("GETQUOTAROOT INBOX", "GetQuotaRoot");
    check("SETQUOTA \"\" (STORAGE 512)", "SetQuota");
    check("NAMESPACE", "Namespace");
    check("IDLE", "Idle");
    check("CHECK", "Check");
    check("CLOSE", "Close");
    check("UNSELECT", "Unselect");
    check("EXPUNGE", "Expunge { uids: None }");
    check("STARTTLS", "StartTls");
}

#[test]
fn malformed_commands_are_refused_without_echo() {
    let check = |text: &str, expected: Error| assert_eq!(parsed(text).expect_err(text), expected, "{text}");
    let deep = "(".repeat(60) + "SEEN" + &")".repeat(60);
    check(&format!("SEARCH {deep}"), Error::Limit("The search is nested too deeply"));
    check(&format!("SEARCH {}SEEN", "NOT ".repeat(60)), Error::Limit("The search is nested too deeply"));
    check(&format!("SEARCH{}", " SEEN".repeat(1001)), Error::Limit("The search has too many keys"));
    check("FETCH 1 BINARY[1.MIME]", Error::Bad("A section is malformed"));
    check("FETCH 1 BINARY[HEADER]", Error::Bad("A section is malformed"));
    check("FETCH 1 BINARY", Error::Bad("A section is missing"));
    check("FETCH 1 BINARY.SIZE[1]<0.5>", Error::Bad("There is more than the command takes"));
    check("SEARCH CHARSET ISO-8859-1 TEXT x", Error::BadCharset);
    check("SEARCH TEXT {1}\r\n\u{e9}", Error::BadCharset);
    check("SEARCH", Error::Bad("A space or an argument is missing"));
    check("FETCH 1 BODY[1.]", Error::Bad("A section is malformed"));
    check("FETCH 1 BODY[MIME]", Error::Bad("A section is malformed"));
    check("FETCH 1 BODY[0]", Error::Bad("A part number is malformed"));
    check("FETCH 1 BODY[]<0.0>", Error::Bad("A partial range must not be empty"));
    check("FETCH 1 BODY[HEADER.FIELDS ({3}\r\na\r\n)]", Error::Bad("A header field name is malformed"));
    check("FETCH 0 FLAGS", Error::Bad("A sequence set is malformed"));
    check("FETCH 4294967296 FLAGS", Error::Bad("A sequence set is malformed"));
    check("STORE 1 FLAGS", Error::Bad("A space or an argument is missing"));
    check(
        &format!("STORE 1 FLAGS {}", "x".repeat(101)),
        Error::Limit("A keyword has more than 100 characters"),
    );
    check("UID NOOP", Error::Bad("Unknown UID command"));
    check("XYZZY <script>", Error::Bad("Unknown command or malformed arguments"));
    check("SELECT {2}\r\na\x01", Error::Name);
    check("SELECT a b c", Error::Bad("There is more than the command takes"));
    for entry in [
        "/comment",
        "/private",
        "/private/",
        "/private//a",
        "/private/a/",
        "private/a",
        "/other/a",
        "/private/a*",
        "/shared/vendor/x",
    ] {
        assert!(parsed(&format!("SETMETADATA INBOX ({entry} x)")).is_err(), "{entry}");
    }
    for groups in [
        "(selected (MessageNew))",
        "(selected (FlagChange))",
        "(selected (MessageNew MessageExpunge MailboxName))",
        "(selected NONE) (selected-delayed NONE)",
        "(personal (MessageNew (UID) MessageExpunge))",
        "(selected (MessageNew MessageExpunge)",
        "(nobody NONE)",
        "",
    ] {
        assert!(parsed(&format!("NOTIFY SET {groups}")).is_err(), "{groups}");
    }
    check("SELECT a (X)", Error::Bad("Unknown SELECT parameter"));
    check("SELECT a (QRESYNC (1 2 3", Error::Bad("A parenthesis is missing"));
    check("LOGOUT now", Error::Bad("Unknown command or malformed arguments"));
    assert_eq!(parse(b"\r\n", Names::Utf7).expect_err("no tag"), Error::Bad("A tag is missing"));
    assert_eq!(parse(b"a\r\n", Names::Utf7).expect_err("no command"), Error::Bad("A command is missing"));
    assert_eq!(
        parse(b"GET / HTTP/1.1\r\n", Names::Utf7).expect_err("HTTP"),
        Error::Bad("Unknown command or malformed arguments")
    );
}

#[test]
fn heads_of_append() {
    let check = |text: &str, expected: &str| {
        let found = format!("{:?}", append(text.as_bytes(), Names::Utf7));
        assert!(found.contains(expected), "{text:?}: {found}");
    };
    check("a APPEND INBOX {310}\r\n", "mailbox: MailboxName(\"INBOX\"), replaces: None");
    check("a APPEND saved (\\Seen $x) {310+}\r\n", "keywords: [\"$x\"]");
    check("a APPEND saved () \" 7-Feb-1994 22:25:00 -0800\" ~{310}\r\n", "date: Some(760688700)");
    check("a append {5}\r\n", "next: Argument");
    check("a append {5}\r\nInbox {7}\r\n", "MailboxName(\"INBOX\")");
    check("a LOGIN {5}\r\n", "Ok(None)");
    check("a UID FETCH 1 {5}\r\n", "Ok(None)");
    check("a APPEND x UTF8 (~{5}\r\n", "next: Content(MessagesUtf8)");
    check("a APPEND x CATENATE (URL /a TEXT {5}\r\n", "Url([47, 97])], next: Content(Catenate)");
    check("a APPEND x CATENATE (URL \"/a\" URL b) CATENATE (URL c)\r\n", "next: End");
    check("a APPEND x CATENATE (URL {5}\r\n", "next: Argument");
    check("a APPEND x CATENATE (UTF8 (~{5}\r\n", "next: Content(CatenateUtf8)");
    check("a REPLACE 4 Drafts (\\Seen) {5}\r\n", "message: Ranges([(4, 4)]), uid: false");
    check("a UID REPLACE * Drafts {5}\r\n", "message: Ranges([(0, 0)]), uid: true");
    check("a UID APPEND x {5}\r\n", "Ok(None)");
    check("a REPLACE 1:2 Drafts {5}\r\n", "Err(");
    check("a APPEND x CATENATE ()\r\n", "Err(");
    check("a APPEND x CATENATE (URL a) y\r\n", "Err(");
    check("a APPEND x\r\n", "Err(");
    let many = |count| format!("a APPEND x {}\r\n", "CATENATE (URL a) ".repeat(count).trim_end());
    check(&many(1000), "next: End");
    check(&many(4000), "Err(Limit(");
    check("a APPEND x y {5}\r\n", "Err(");
    check("a APPEND x (\\Seen {5}\r\n", "Err(");
    let check = |within, text: &str, expected: &str| {
        let found = format!("{:?}", append_more(text.as_bytes(), within));
        assert!(found.contains(expected), "{text:?}: {found}");
    };
    check(Within::Messages, "\r\n", "pieces: [], next: End");
    check(Within::Messages, " (\\Flagged) {12}\r\n", "Message(AppendHead { target: None");
    check(Within::Messages, " garbage\r\n", "Err");
    check(Within::Messages, "{12}\r\n", "Err");
    check(Within::MessagesUtf8, ")\r\n", "next: End");
    check(Within::MessagesUtf8, "\r\n", "Err");
    check(Within::Catenate, ")\r\n", "next: End");
    check(Within::Catenate, " URL a TEXT {3}\r\n", "next: Content(Catenate)");
    check(Within::Catenate, ") {3}\r\n", "next: Content(Messages)");
    check(Within::Catenate, "\r\n", "Err");
    check(Within::CatenateUtf8, ") TEXT {3}\r\n", "next: Content(Catenate)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn arbitrary_commands_do_not_panic(
        verb in prop_oneof![
            Just("FETCH 1 "), Just("SEARCH "), Just("STORE 1 "), Just("LIST "), Just("UID "), Just("APPEND "), Just("APPEND x CATENATE (URL "),
            Just("CREATE "), Just("STATUS "), Just("LOGIN "), Just("SELECT "), Just("ID "), Just("")
        ],
        rest in "[ ()\\[\\]{}\"\\\\.:,*$<>+a-zA-Z0-9%~\\-\r\n\u{e9}]{0,40}",
    ) {
        let text = format!("a {verb}{rest}\r\n");
        for names in [Names::Utf7, Names::Utf8] {
            let _ = parse(text.as_bytes(), names);
        }
        let _ = append(text.as_bytes(), Names::Utf7);
        for within in [Within::Catenate, Within::CatenateUtf8, Within::Messages, Within::MessagesUtf8] {
            let _ = append_more(rest.as_bytes(), within);
        }
    }
}

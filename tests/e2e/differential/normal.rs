//! Answers in a form that may be compared: what RFCs leave to the server is taken out.
//!
//! Numbers that each server chooses (UIDVALIDITY, MODSEQ) become `n`; texts, the order of FETCH items
//! and the split of one message's data over several responses do not count; sequence numbers are
//! those from before the command, whatever was expunged in its course; flags that a server offers or
//! `\Recent`, which RFC 9051 has dropped, are not compared.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::imap_client::{Reply, Value, parse};

/// What was answered to one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// `OK`, `NO` or `BAD`.
    pub(crate) status: String,
    /// The response code of the tagged response.
    code: String,
    /// The untagged responses, sorted.
    lines: Vec<String>,
}

impl Answer {
    /// Response codes of refusals are compared if both say one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let codes_may_differ = self.status != "OK" && (self.code.is_empty() || other.code.is_empty());
        self.status == other.status
            && self.lines == other.lines
            && (self.code == other.code || codes_may_differ)
    }

    /// One line for the end and one for each response.
    pub(crate) fn lines(&self) -> Vec<String> {
        let end = format!("{} {}", self.status, self.code).trim_end().to_owned();
        std::iter::once(end).chain(self.lines.iter().cloned()).collect()
    }
}

/// Makes the answer to `command` comparable.
pub(crate) fn answer(command: &str, reply: &Reply) -> Answer {
    let command = command.to_ascii_uppercase();
    let asks_uid = command.contains("UID") && !command.starts_with("UID SEARCH");
    let asks_attributes = !command.contains("RETURN") && command.starts_with("LIST \"");
    let asks_children = asks_attributes || command.contains("CHILDREN");
    let asks_uses = asks_attributes || command.contains("SPECIAL-USE");
    let selects = command.starts_with("SELECT") || command.starts_with("EXAMINE");
    let asks_modseq = command.contains("CONDSTORE") || command.contains("QRESYNC");
    let mut collected =
        Collected { asks_uid, asks_modseq, asks_children, asks_uses, selects, ..Collected::default() };
    for line in &reply.untagged {
        collected.take(line);
    }
    let code = reply.text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(code, _)| code);
    Answer {
        status: reply.status.clone(),
        code: code.map(response_code).unwrap_or_default(),
        lines: collected.lines(),
    }
}

#[derive(Default)]
struct Collected {
    /// The client identifies messages by UID.
    asks_uid: bool,
    /// The client wants to know HIGHESTMODSEQ, which we always say (RFC 7162 §3.1.2.1).
    asks_modseq: bool,
    /// Whether there are mailboxes below is said anyway, or asked for (RFC 5258 §4).
    asks_children: bool,
    /// The same of special uses; macOS asks for them by nothing (mjl-/mox#66).
    asks_uses: bool,
    /// PERMANENTFLAGS are said now, and perhaps when there is a new keyword.
    selects: bool,
    /// Numbers before the command of messages that are gone.
    removed: BTreeSet<u32>,
    vanished: BTreeSet<u32>,
    exists: Option<String>,
    /// Number before the command → item → value.
    fetched: BTreeMap<u32, BTreeMap<String, String>>,
    others: Vec<String>,
}

impl Collected {
    fn take(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["*", number, "EXPUNGE"] => {
                let original = self.original(number.parse().expect("a sequence number"));
                self.removed.insert(original);
            }
            ["*", number, "EXISTS"] => self.exists = Some((*number).to_owned()),
            ["*", _, "RECENT"] | ["*", "CAPABILITY" | "ID", ..] => {}
            ["*", number, "FETCH", ..] => self.fetch(number.parse().expect("a sequence number"), line),
            ["*", "OK", "[HIGHESTMODSEQ", ..] if !self.asks_modseq => {}
            ["*", "OK", "[PERMANENTFLAGS", ..] if !self.selects => {}
            ["*", "OK", ..] => self.others.extend(untagged_code(&text)),
            ["*", "VANISHED", "(EARLIER)", set] => self.others.push(format!("EARLIER {}", expanded(set))),
            ["*", "VANISHED", set] => self.vanished.extend(numbers(set)),
            ["*", "FLAGS", ..] | ["+", ..] => {}
            ["*", word @ ("LIST" | "LSUB"), ..] => {
                self.others.push(self.list(word, line));
            }
            ["*", "STATUS", ..] => self.others.push(status(line)),
            ["*", "SEARCH", ..] => self.others.push(search(&text)),
            ["*", "ESEARCH", ..] => self.others.push(extended_search(line)),
            ["*", rest @ ..] => self.others.push(rest.join(" ")),
            _ => self.others.push(text.into_owned()),
        }
    }

    /// The number that a message had before the command.
    fn original(&self, mut number: u32) -> u32 {
        for &removed in &self.removed {
            if removed <= number {
                number += 1;
            }
        }
        number
    }

    fn fetch(&mut self, number: u32, line: &[u8]) {
        let number = self.original(number);
        let values = parse(line);
        let Some(Value::List(items)) = values.get(3) else { panic!("no list of items: {values:?}") };
        for pair in items.chunks(2) {
            let [name, value] = pair else { panic!("an item without a value: {items:?}") };
            let name = item_name(name.atom());
            let value = match (name.as_str(), value) {
                // Nobody is told a UID too many (RFC 3501 §6.4.8), and some clients need it.
                ("UID", _) if !self.asks_uid => continue,
                ("MODSEQ", _) => "n".to_owned(),
                // The server chooses the words of it, and when a message was saved is no business of the test.
                ("PREVIEW" | "SAVEDATE", Value::Text(text)) if !text.is_empty() => "text".to_owned(),
                // There is no such part: nothing, or nothing of it.
                (part, Value::Atom(nil)) if is_section(part) && nil == "NIL" => "\"\"".to_owned(),
                ("FLAGS", Value::List(flags)) => sorted(flags.iter().map(canonical)),
                (_, value) => canonical(value),
            };
            self.fetched.entry(number).or_default().insert(name, value);
        }
    }

    /// Attributes that say whether something is new are the server's choice (RFC 9051 §7.3.1).
    fn list(&self, word: &str, line: &[u8]) -> String {
        let values = parse(line);
        let [_, _, Value::List(attributes), delimiter, name, more @ ..] = &values[..] else {
            panic!("not a LIST response: {values:?}")
        };
        let counts = |attribute: &String| match attribute.as_str() {
            "\\Marked" | "\\Unmarked" | "\\UnMarked" => false,
            "\\HasChildren" | "\\HasNoChildren" => self.asks_children,
            "\\Archive" | "\\Drafts" | "\\Junk" | "\\Sent" | "\\Trash" => self.asks_uses,
            _ => true,
        };
        let name = match name {
            Value::Atom(name) => name.clone(),
            name => String::from_utf8_lossy(name.text()).into_owned(),
        };
        let more: Vec<String> = more.iter().map(|value| canonical(value).replace('"', "")).collect();
        let attributes = sorted(attributes.iter().map(canonical).filter(counts));
        format!("{word} ({attributes}) {} {name} {}", canonical(delimiter), more.join(" "))
    }

    fn lines(self) -> Vec<String> {
        let mut lines = self.others;
        lines.sort();
        if !self.removed.is_empty() {
            lines.push(format!("EXPUNGE {:?}", self.removed));
        }
        if !self.vanished.is_empty() {
            lines.push(format!("VANISHED {:?}", self.vanished));
        }
        lines.extend(self.exists.map(|exists| format!("EXISTS {exists}")));
        for (number, items) in self.fetched {
            let items: Vec<String> =
                items.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
            lines.push(format!("FETCH {number} {}", items.join(" ")));
        }
        lines
    }
}

/// In upper case and without the quotation marks that a field name may have.
fn item_name(name: &str) -> String {
    name.to_ascii_uppercase().replace('"', "")
}

fn is_section(item: &str) -> bool {
    item.starts_with("BODY[") || item.starts_with("BINARY[")
}

/// A long string is shown by its length and a hash.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Atom(atom) => atom.clone(),
        Value::List(list) => format!("({})", list.iter().map(canonical).collect::<Vec<_>>().join(" ")),
        Value::Text(text) if text.len() > 2000 => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            format!("{} octets, {:x}", text.len(), hasher.finish())
        }
        Value::Text(text) => format!("\"{}\"", text.escape_ascii()),
    }
}

fn sorted(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.filter(|word| word != "\\Recent").collect();
    words.sort();
    words.join(" ")
}

/// `* OK [CODE …] text`; without a code it is only a text.
fn untagged_code(line: &str) -> Option<String> {
    let (code, _) = line.strip_prefix("* OK [")?.split_once(']')?;
    let code = response_code(code);
    if code.is_empty() {
        return None;
    }
    Some(format!("OK {code}"))
}

/// The code without what the server chooses.
fn response_code(code: &str) -> String {
    let words: Vec<&str> = code.split(' ').collect();
    match words.as_slice() {
        ["UIDVALIDITY" | "HIGHESTMODSEQ", _] => format!("{} n", words[0]),
        ["APPENDUID", _, uids] => format!("APPENDUID n {}", expanded(uids)),
        ["COPYUID", _, from, to] => format!("COPYUID n {} {}", expanded(from), expanded(to)),
        ["MODIFIED", set] => format!("MODIFIED {}", expanded(set)),
        ["PERMANENTFLAGS", ..] => {
            let flags = words[1..].iter().map(|flag| flag.trim_matches(['(', ')']).to_owned());
            format!("PERMANENTFLAGS {}", sorted(flags.filter(|flag| flag.starts_with('\\'))))
        }
        ["CAPABILITY" | "CLIENTBUG" | "MAILBOXID", ..] => String::new(),
        ["BADCHARSET", ..] => "BADCHARSET".to_owned(),
        _ => code.to_owned(),
    }
}

fn status(line: &[u8]) -> String {
    let values = parse(line);
    let [_, _, name, Value::List(items)] = &values[..] else { panic!("not a STATUS response: {values:?}") };
    let items = items.chunks(2).map(|pair| match pair[0].atom() {
        name @ ("UIDVALIDITY" | "HIGHESTMODSEQ") => format!("{name} n"),
        name => format!("{name} {}", canonical(&pair[1])),
    });
    format!("STATUS {} ({})", canonical(name).trim_matches('"'), sorted(items))
}

fn search(line: &str) -> String {
    let (found, modseq) = line.split_once(" (MODSEQ").map_or((line, ""), |(found, _)| (found, " MODSEQ n"));
    let found: BTreeSet<u32> = found.split(' ').skip(2).filter_map(|number| number.parse().ok()).collect();
    format!("SEARCH {found:?}{modseq}")
}

fn extended_search(line: &[u8]) -> String {
    let values = parse(line);
    // After the correlator.
    let mut rest = values[2..].iter().skip_while(|value| matches!(value, Value::List(_)));
    let mut items = BTreeSet::new();
    while let Some(name) = rest.next() {
        let mut value = || rest.next().expect("a value");
        items.insert(match name.atom() {
            "UID" => "UID".to_owned(),
            "MODSEQ" => {
                value();
                "MODSEQ n".to_owned()
            }
            "ALL" => format!("ALL {}", in_order(value().atom())),
            "PARTIAL" => match value().list() {
                [range, found] => format!("PARTIAL {} {}", range.atom(), in_order(found.atom())),
                other => panic!("not a range and what is in it: {other:?}"),
            },
            name => format!("{name} {}", value().atom()),
        });
    }
    format!("ESEARCH {items:?}")
}

/// The numbers of a set as they stand, which SORT gives a meaning (RFC 5267 §3.2).
fn in_order(set: &str) -> String {
    let ranges = set.split(',').filter(|&range| range != "NIL").map(numbers);
    format!("{:?}", ranges.flatten().collect::<Vec<u32>>())
}

/// All numbers of a set.
fn numbers(set: &str) -> BTreeSet<u32> {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let range = |range: &str| match range.split_once(':') {
        Some((first, last)) => number(first).min(number(last))..=number(first).max(number(last)),
        None => number(range)..=number(range),
    };
    set.split(',').flat_map(range).collect()
}

fn expanded(set: &str) -> String {
    format!("{:?}", numbers(set))
}

#[test]
fn answers_are_made_comparable() {
    let reply = Reply {
        untagged: [
            "* 2 FETCH (FLAGS (\\Seen \\Recent) UID 7)",
            "* 1 EXPUNGE",
            "* 1 FETCH (UID 7 RFC822.SIZE 3)",
            "* 1 EXPUNGE",
            "* SEARCH 3 2 (MODSEQ 9)",
            "* OK [HIGHESTMODSEQ 9] Highest",
            "* OK Still here",
        ]
        .map(|line| line.as_bytes().to_vec())
        .to_vec(),
        status: "OK".to_owned(),
        text: "[MODIFIED 7,9:10] done".to_owned(),
    };
    let expected = [
        "OK MODIFIED {7, 9, 10}",
        "SEARCH {2, 3} MODSEQ n",
        "EXPUNGE {1, 2}",
        "FETCH 2 FLAGS \\Seen RFC822.SIZE 3 UID 7",
    ];
    assert_eq!(answer("UID FETCH 7 FLAGS", &reply).lines(), expected);
}

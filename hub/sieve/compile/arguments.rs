//! Reading the arguments of a command or test, tagged ones first (RFC 5228 §2.6).

use super::Compiler;
use crate::capability::Capability;
use crate::comparator::Comparator;
use crate::error::Position;
use crate::matching::{MatchType, Relation, regex};
use crate::program::{AddressPart, Index, Keys, Matching};
use crate::syntax::{Argument, Value};
use crate::text::Text;

/// The arguments that are left of one command or test. What is wrong is noted with the compiler; the
/// reader goes on with a stand-in, so that all mistakes are told at once.
pub(super) struct Arguments<'n> {
    name: &'n str,
    at: Position,
    rest: std::slice::Iter<'n, Argument>,
    /// Something was wrong: what was read is of no use.
    pub(super) failed: bool,
    /// Tags that were there, to tell those that come twice.
    seen: Vec<&'n str>,
}

/// Tagged arguments that many tests have.
#[derive(Default)]
pub(super) struct Common {
    comparator: Option<Comparator>,
    kind: Option<MatchType>,
    part: Option<AddressPart>,
    index: Option<u64>,
    last: Option<Position>,
}

/// Which of them a test has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Match,
    MatchAndPart,
    MatchAndIndex,
    All,
}

impl<'n> Arguments<'n> {
    pub(super) fn new(name: &'n str, at: Position, arguments: &'n [Argument]) -> Self {
        Self { name, at, rest: arguments.iter(), failed: false, seen: Vec::new() }
    }

    /// Where the command or test begins.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    pub(super) fn fail(&mut self, compiler: &mut Compiler<'_>, at: Position, what: impl Into<String>) {
        self.failed = true;
        compiler.mistake(at, what);
    }

    /// The next tag and its place, as long as tags come.
    pub(super) fn tag(&mut self, compiler: &mut Compiler<'_>) -> Option<(&'n str, Position)> {
        let Argument { at, value: Value::Tag(tag) } = self.rest.as_slice().first()? else { return None };
        self.rest.next();
        if self.seen.contains(&tag.as_str()) {
            self.fail(compiler, *at, format!(":{tag} is there twice"));
        }
        self.seen.push(tag);
        Some((tag, *at))
    }

    pub(super) fn unknown_tag(&mut self, compiler: &mut Compiler<'_>, tag: &str, at: Position) {
        let what = format!("{} has no argument :{tag}", self.name);
        self.fail(compiler, at, what);
    }

    /// True if the script has asked for what the tag needs.
    pub(super) fn need(
        &mut self,
        compiler: &mut Compiler<'_>,
        capability: Capability,
        tag: &str,
        at: Position,
    ) {
        if !compiler.need(capability, at, &format!(":{tag}")) {
            self.failed = true;
        }
    }

    /// Takes a tag that belongs to several tests; false if it is none of them.
    pub(super) fn common(
        &mut self,
        compiler: &mut Compiler<'_>,
        common: &mut Common,
        takes: Takes,
        (tag, at): (&str, Position),
    ) -> bool {
        let with_part = matches!(takes, Takes::MatchAndPart | Takes::All);
        let with_index = matches!(takes, Takes::MatchAndIndex | Takes::All);
        let part = match tag {
            "all" => Some((AddressPart::All, None)),
            "detail" => Some((AddressPart::Detail, Some(Capability::SubAddress))),
            "domain" => Some((AddressPart::Domain, None)),
            "localpart" => Some((AddressPart::LocalPart, None)),
            "user" => Some((AddressPart::User, Some(Capability::SubAddress))),
            _ => None,
        };
        let (kind, needs) = match tag {
            "contains" => (Some(MatchType::Contains), None),
            "count" => (Some(MatchType::Count(Relation::Eq)), Some(Capability::Relational)),
            "is" => (Some(MatchType::Is), None),
            "matches" => (Some(MatchType::Matches), None),
            "regex" => (Some(MatchType::Regex), Some(Capability::Regex)),
            "value" => (Some(MatchType::Value(Relation::Eq)), Some(Capability::Relational)),
            _ => (None, None),
        };
        if let Some((part, needs)) = part.filter(|_| with_part) {
            if let Some(needs) = needs {
                self.need(compiler, needs, tag, at);
            }
            if common.part.replace(part).is_some() {
                self.fail(compiler, at, "an address has only one part at a time");
            }
        } else if let Some(kind) = kind {
            if let Some(needs) = needs {
                self.need(compiler, needs, tag, at);
            }
            let kind = match kind {
                MatchType::Count(_) => MatchType::Count(self.relation(compiler)),
                MatchType::Value(_) => MatchType::Value(self.relation(compiler)),
                other => other,
            };
            if common.kind.replace(kind).is_some() {
                self.fail(compiler, at, "a test has only one match type");
            }
        } else if tag == "comparator" {
            common.comparator = Some(self.comparator(compiler));
        } else if tag == "index" && with_index {
            self.need(compiler, Capability::Index, tag, at);
            let number = self.number(compiler);
            if number == 0 {
                self.fail(compiler, at, ":index counts from 1");
            }
            common.index = Some(number);
        } else if tag == "last" && with_index {
            common.last = Some(at);
        } else {
            return false;
        }
        true
    }

    fn relation(&mut self, compiler: &mut Compiler<'_>) -> Relation {
        let (raw, at) = self.plain_string(compiler);
        Relation::from_name(&raw).unwrap_or_else(|| {
            self.fail(compiler, at, format!("{raw:?} is none of gt, ge, lt, le, eq, ne"));
            Relation::Eq
        })
    }

    fn comparator(&mut self, compiler: &mut Compiler<'_>) -> Comparator {
        let (raw, at) = self.plain_string(compiler);
        let Some((comparator, needs)) = Comparator::from_name(&raw) else {
            self.fail(compiler, at, format!("there is no comparator {raw:?} here"));
            return Comparator::default();
        };
        if let Some(needs) = needs
            && !compiler.need(needs, at, &format!("the comparator {raw:?}"))
        {
            self.failed = true;
        }
        comparator
    }

    /// What the common arguments say together.
    pub(super) fn matching(&mut self, compiler: &mut Compiler<'_>, common: &Common) -> Matching {
        let kind = common.kind.unwrap_or_default();
        let numeric_count = matches!(kind, MatchType::Count(_)) && common.comparator.is_none();
        let comparator = match common.comparator {
            Some(comparator) => comparator,
            None if numeric_count => Comparator::AsciiNumeric,
            None => Comparator::default(),
        };
        let needs_substrings = matches!(kind, MatchType::Contains | MatchType::Matches | MatchType::Regex);
        if needs_substrings && !comparator.has_substrings() {
            let what = "i;ascii-numeric can only say whether numbers are equal or in which order they are";
            self.fail(compiler, self.at, what);
        }
        Matching { comparator, kind }
    }

    pub(super) fn index(&mut self, compiler: &mut Compiler<'_>, common: &Common) -> Option<Index> {
        match (common.index, common.last) {
            (Some(number), last) => Some(Index { number, last: last.is_some() }),
            (None, Some(at)) => {
                self.fail(compiler, at, ":last needs :index");
                None
            }
            (None, None) => None,
        }
    }

    /// A string that no variable can change, decoded.
    pub(super) fn plain_string(&mut self, compiler: &mut Compiler<'_>) -> (String, Position) {
        let (text, at) = self.string(compiler);
        match text {
            Text::Literal(text) => (text, at),
            Text::Template(_) => {
                self.fail(compiler, at, "no variable can stand here");
                (String::new(), at)
            }
        }
    }

    pub(super) fn string(&mut self, compiler: &mut Compiler<'_>) -> (Text, Position) {
        match self.rest.next() {
            Some(Argument { at, value: Value::String(raw) }) => (self.text(compiler, raw, *at), *at),
            other => {
                let at = other.map_or(self.at, |argument| argument.at);
                let what = format!("{} needs a string here", self.name);
                self.fail(compiler, at, what);
                (Text::Literal(String::new()), at)
            }
        }
    }

    fn text(&mut self, compiler: &mut Compiler<'_>, raw: &str, at: Position) -> Text {
        let before = compiler.mistakes.len();
        let text = compiler.text(raw, at);
        self.failed |= compiler.mistakes.len() > before;
        text
    }

    /// `string-list`; a single string is one too (RFC 5228 §2.4.2.1).
    pub(super) fn strings(&mut self, compiler: &mut Compiler<'_>) -> Vec<(Text, Position)> {
        match self.rest.next() {
            Some(Argument { at, value: Value::String(raw) }) => vec![(self.text(compiler, raw, *at), *at)],
            Some(Argument { value: Value::Strings(raws), .. }) => {
                raws.iter().map(|(raw, at)| (self.text(compiler, raw, *at), *at)).collect()
            }
            other => {
                let at = other.map_or(self.at, |argument| argument.at);
                let what = format!("{} needs a list of strings here", self.name);
                self.fail(compiler, at, what);
                Vec::new()
            }
        }
    }

    pub(super) fn texts(&mut self, compiler: &mut Compiler<'_>) -> Vec<Text> {
        self.strings(compiler).into_iter().map(|(text, _)| text).collect()
    }

    /// Names of header fields: what could be none is a mistake (RFC 5228 §2.4.2.2).
    pub(super) fn header_names(&mut self, compiler: &mut Compiler<'_>) -> Vec<Text> {
        let names = self.strings(compiler);
        for (name, at) in &names {
            if let Some(name) = name.literal()
                && !is_header_name(name)
            {
                self.fail(compiler, *at, format!("{name:?} is no name of a header field"));
            }
        }
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// Keys for a match; regular expressions are compiled here, unless they have variables.
    pub(super) fn keys(&mut self, compiler: &mut Compiler<'_>, matching: Matching) -> Keys {
        let texts = self.strings(compiler);
        let mut compiled = Vec::new();
        if matching.kind == MatchType::Regex {
            for (text, at) in &texts {
                compiler.regexes += 1;
                if compiler.regexes > compiler.limits.regexes {
                    let most = compiler.limits.regexes;
                    self.fail(compiler, *at, format!("a script has at most {most} regular expressions"));
                    break;
                }
                let key = text.literal().map(|raw| regex(raw, matching.comparator, compiler.limits.regex));
                match key.transpose() {
                    Ok(key) => compiled.push(key.map(std::sync::Arc::new)),
                    Err(why) => self.fail(compiler, *at, why),
                }
            }
        }
        Keys { texts: texts.into_iter().map(|(text, _)| text).collect(), compiled }
    }

    pub(super) fn number(&mut self, compiler: &mut Compiler<'_>) -> u64 {
        match self.rest.next() {
            Some(Argument { value: Value::Number(number), .. }) => *number,
            other => {
                let at = other.map_or(self.at, |argument| argument.at);
                let what = format!("{} needs a number here", self.name);
                self.fail(compiler, at, what);
                0
            }
        }
    }

    /// How many arguments are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may be left.
    pub(super) fn end(&mut self, compiler: &mut Compiler<'_>) {
        if let Some(argument) = self.rest.next() {
            let what = match &argument.value {
                Value::Tag(tag) => format!(":{tag} must stand before the other arguments of {}", self.name),
                _ => format!("{} has too many arguments", self.name),
            };
            self.fail(compiler, argument.at, what);
        }
    }
}

impl Common {
    pub(super) fn set_index(&mut self, number: u64) {
        self.index = Some(number);
    }

    pub(super) fn part(&self) -> AddressPart {
        self.part.unwrap_or_default()
    }
}

/// `field-name = 1*ftext` (RFC 5322 §2.2)
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

//! Tests and their arguments.

use super::Compiler;
use super::arguments::{Arguments, Common, Takes};
use super::commands::is_special_use;
use crate::capability::{Capability, is_known};
use crate::program::{BodyTransform, Duplicate, Test, UniqueId, Zone};
use crate::syntax::TestNode;
use crate::text::Text;

/// RFC 7352 §3.1: how long an id is remembered, and at most.
const DUPLICATE_SECONDS: u64 = 7 * 86_400;

impl Compiler<'_> {
    /// `None` after a mistake.
    pub(crate) fn test(&mut self, node: &TestNode) -> Option<Test> {
        if let Some(needs) = needs(&node.name)
            && !self.need(needs, node.at, &node.name)
        {
            return None;
        }
        let mut arguments = Arguments::new(&node.name, node.at, &node.arguments);
        let test = match node.name.as_str() {
            "allof" | "anyof" | "not" => self.combined(node),
            "address" => self.address(&mut arguments),
            "body" => self.body(&mut arguments),
            "currentdate" => self.date(&mut arguments, false),
            "date" => self.date(&mut arguments, true),
            "duplicate" => self.duplicate(&mut arguments),
            "envelope" => self.envelope(&mut arguments),
            "environment" => self.environment(&mut arguments),
            "exists" => Some(Test::Exists(arguments.header_names(self))),
            "false" => Some(Test::Fixed(false)),
            "hasflag" => self.has_flag(&mut arguments),
            "header" => self.header(&mut arguments),
            "ihave" => self.have(&mut arguments),
            "mailboxexists" => Some(Test::MailboxExists(arguments.texts(self))),
            "size" => self.size(&mut arguments),
            "specialuse_exists" => self.special_use_exists(&mut arguments),
            "string" => self.string(&mut arguments),
            "true" => Some(Test::Fixed(true)),
            name => {
                self.mistake(node.at, format!("there is no test {name:?}"));
                return None;
            }
        };
        arguments.end(self);
        if let Some(inner) = node.tests.first()
            && !matches!(node.name.as_str(), "allof" | "anyof" | "not")
        {
            arguments.fail(self, inner.at, format!("{} takes no other test", node.name));
        }
        test.filter(|_| !arguments.failed)
    }

    fn combined(&mut self, node: &TestNode) -> Option<Test> {
        let mut tests = Vec::with_capacity(node.tests.len());
        for inner in &node.tests {
            let test = self.test(inner);
            // RFC 5463 §4: what follows may need what is not there.
            if node.name == "allof" && matches!(test, Some(Test::Have(false))) {
                return test;
            }
            tests.push(test);
        }
        // RFC 5228 §5: a list stands in parentheses, a single test does not.
        let takes = if node.name == "not" { "one test" } else { "a list of tests in parentheses" };
        if node.is_list == (node.name == "not") || node.tests.is_empty() {
            self.mistake(node.at, format!("{} takes {takes}", node.name));
            return None;
        }
        let mut tests = tests.into_iter().collect::<Option<Vec<Test>>>()?;
        match node.name.as_str() {
            "allof" => Some(Test::AllOf(tests)),
            "anyof" => Some(Test::AnyOf(tests)),
            _ => match tests.pop()? {
                Test::Have(have) => Some(Test::Have(!have)),
                test => Some(Test::Not(Box::new(test))),
            },
        }
    }

    /// Reads the tags that several tests have; `own` takes those of one test, and says whether it did.
    fn tags(
        &mut self,
        arguments: &mut Arguments<'_>,
        takes: Takes,
        mut own: impl FnMut(&mut Self, &mut Arguments<'_>, &str, crate::error::Position) -> bool,
    ) -> Common {
        let mut common = Common::default();
        while let Some((tag, at)) = arguments.tag(self) {
            if !own(self, arguments, tag, at) && !arguments.common(self, &mut common, takes, (tag, at)) {
                arguments.unknown_tag(self, tag, at);
            }
        }
        common
    }

    fn address(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::All, |_, _, _, _| false);
        let (matching, index) = (arguments.matching(self, &common), arguments.index(self, &common));
        let headers = arguments.header_names(self);
        let keys = arguments.keys(self, matching);
        Some(Test::Address { index, part: common.part(), matching, headers, keys })
    }

    fn header(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::MatchAndIndex, |_, _, _, _| false);
        let (matching, index) = (arguments.matching(self, &common), arguments.index(self, &common));
        let headers = arguments.header_names(self);
        let keys = arguments.keys(self, matching);
        Some(Test::Header { index, matching, headers, keys })
    }

    fn envelope(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::MatchAndPart, |_, _, _, _| false);
        let matching = arguments.matching(self, &common);
        let fields = arguments.strings(self);
        for (field, at) in &fields {
            let known =
                |field: &str| ["from", "to", "auth"].iter().any(|known| known.eq_ignore_ascii_case(field));
            if field.literal().is_some_and(|field| !known(field)) {
                arguments.fail(self, *at, "the envelope has \"from\" and \"to\"");
            }
        }
        let fields = fields.into_iter().map(|(field, _)| field).collect();
        let keys = arguments.keys(self, matching);
        Some(Test::Envelope { part: common.part(), matching, fields, keys })
    }

    fn environment(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::Match, |_, _, _, _| false);
        let matching = arguments.matching(self, &common);
        let (item, _) = arguments.string(self);
        let keys = arguments.keys(self, matching);
        Some(Test::Environment { item, matching, keys })
    }

    fn string(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::Match, |_, _, _, _| false);
        let matching = arguments.matching(self, &common);
        let sources = arguments.texts(self);
        let keys = arguments.keys(self, matching);
        Some(Test::String { matching, sources, keys })
    }

    /// RFC 5232 §4.
    fn has_flag(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let common = self.tags(arguments, Takes::Match, |_, _, _, _| false);
        let matching = arguments.matching(self, &common);
        let mut variables = Vec::new();
        if arguments.left() > 1 {
            for (name, at) in arguments.strings(self) {
                arguments.failed |= !self.need(Capability::Variables, at, "flags in a variable");
                match name.literal().and_then(|name| self.variable(name, at)) {
                    Some(variable) => variables.push(variable),
                    None => arguments.failed = true,
                }
            }
        }
        let flags = arguments.keys(self, matching);
        Some(Test::HasFlag { variables, matching, flags })
    }

    /// RFC 5173 §4.
    fn body(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let mut of = None;
        let common = self.tags(arguments, Takes::Match, |compiler, arguments, tag, at| {
            let transform = match tag {
                "content" => BodyTransform::Content(arguments.texts(compiler)),
                "raw" => BodyTransform::Raw,
                "text" => BodyTransform::Text,
                _ => return false,
            };
            if of.replace(transform).is_some() {
                arguments.fail(compiler, at, "only one of :raw, :content and :text can be chosen");
            }
            true
        });
        let matching = arguments.matching(self, &common);
        let keys = arguments.keys(self, matching);
        Some(Test::Body { of: of.unwrap_or(BodyTransform::Text), matching, keys })
    }

    /// RFC 5260 §4 and §5.
    fn date(&mut self, arguments: &mut Arguments<'_>, of_header: bool) -> Option<Test> {
        let mut zone = None;
        let takes = if of_header { Takes::MatchAndIndex } else { Takes::Match };
        let common = self.tags(arguments, takes, |compiler, arguments, tag, at| {
            let chosen = match tag {
                "originalzone" if of_header => Zone::Original,
                "zone" => {
                    let (text, at) = arguments.string(compiler);
                    if text.literal().is_some_and(|zone| crate::date::read_zone(zone).is_none()) {
                        arguments.fail(compiler, at, "a zone is like \"+0200\"");
                    }
                    Zone::At(text)
                }
                _ => return false,
            };
            if zone.replace(chosen).is_some() {
                arguments.fail(compiler, at, "only one of :zone and :originalzone can be chosen");
            }
            true
        });
        let (matching, index) = (arguments.matching(self, &common), arguments.index(self, &common));
        let header = match of_header {
            true => {
                let (name, at) = arguments.string(self);
                if name.literal().is_some_and(|name| !super::arguments::is_header_name(name)) {
                    arguments.fail(self, at, "this is no name of a header field");
                }
                Some((name, index))
            }
            false => None,
        };
        let (part, at) = arguments.string(self);
        if part.literal().is_some_and(|part| !crate::date::is_part(part)) {
            arguments.fail(self, at, "there is no such part of a date");
        }
        let keys = arguments.keys(self, matching);
        Some(Test::Date { header, zone: zone.unwrap_or(Zone::Local), part, matching, keys })
    }

    /// RFC 7352 §3.
    fn duplicate(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let (mut handle, mut id, mut seconds, mut last) = (None, None, DUPLICATE_SECONDS, false);
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "handle" => handle = Some(arguments.string(self).0),
                "header" | "uniqueid" => {
                    let (text, text_at) = arguments.string(self);
                    let chosen = if tag == "header" { UniqueId::Header(text) } else { UniqueId::Value(text) };
                    if let UniqueId::Header(Text::Literal(name)) = &chosen
                        && !super::arguments::is_header_name(name)
                    {
                        arguments.fail(self, text_at, "this is no name of a header field");
                    }
                    if id.replace(chosen).is_some() {
                        arguments.fail(self, at, ":header and :uniqueid exclude each other");
                    }
                }
                "last" => last = true,
                "seconds" => seconds = arguments.number(self).min(DUPLICATE_SECONDS),
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let id = id.unwrap_or_else(|| UniqueId::Header(Text::Literal("message-id".into())));
        Some(Test::Duplicate(Box::new(Duplicate { handle, id, seconds, last })))
    }

    fn size(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let mut over = None;
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "over" | "under" if over.is_none() => over = Some(tag == "over"),
                "over" | "under" => arguments.fail(self, at, ":over and :under exclude each other"),
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let limit = arguments.number(self);
        if over.is_none() && !arguments.failed {
            arguments.fail(self, arguments.at(), "size needs :over or :under");
        }
        Some(Test::Size { over: over?, limit })
    }

    /// RFC 8579 §4.
    fn special_use_exists(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let mailbox = (arguments.left() > 1).then(|| arguments.string(self).0);
        let flags = arguments.strings(self);
        for (flag, at) in &flags {
            if flag.literal().is_some_and(|flag| !is_special_use(flag)) {
                arguments.fail(self, *at, "this is no special-use flag");
            }
        }
        Some(Test::SpecialUseExists { mailbox, flags: flags.into_iter().map(|(flag, _)| flag).collect() })
    }

    /// RFC 5463 §4: what is there can be used from here on.
    fn have(&mut self, arguments: &mut Arguments<'_>) -> Option<Test> {
        let names = arguments.strings(self);
        let mut have = true;
        for (name, at) in &names {
            match name.literal() {
                // RFC 5463 §4: they change how the script is read.
                Some("encoded-character" | "variables") => {
                    arguments.fail(self, *at, "this extension must be asked for with require");
                }
                Some(name) => have &= is_known(name),
                None => arguments.fail(self, *at, "no variable can stand here"),
            }
        }
        if have {
            names.iter().filter_map(|(name, _)| name.literal()).for_each(|name| {
                self.required.add(name);
            });
        }
        Some(Test::Have(have))
    }
}

/// What a test belongs to.
fn needs(test: &str) -> Option<Capability> {
    Some(match test {
        "body" => Capability::Body,
        "currentdate" | "date" => Capability::Date,
        "duplicate" => Capability::Duplicate,
        "envelope" => Capability::Envelope,
        "environment" => Capability::Environment,
        "hasflag" => Capability::Imap4Flags,
        "ihave" => Capability::Ihave,
        "mailboxexists" => Capability::Mailbox,
        "specialuse_exists" => Capability::SpecialUse,
        "string" => Capability::Variables,
        _ => return None,
    })
}

//! Commands and their arguments.

use super::arguments::{Arguments, Common, Takes, is_header_name};
use super::{Compiler, Location};
use crate::address::read_address;
use crate::capability::Capability;
use crate::error::Position;
use crate::program::{Command, DeleteHeader, FileInto, FlagChange, Included, Modifier, Vacation};
use crate::syntax::CommandNode;
use crate::text::{Text, Variable, is_identifier};

const DAY: u64 = 86_400;
/// RFC 5230 §4.1 leaves the bounds of `:days` to the site.
const MOST_DAYS: u64 = 365;
const USUAL_DAYS: u64 = 7;

impl Compiler<'_> {
    /// `None` after a mistake, or for what is done with once it is compiled.
    pub(super) fn command(&mut self, node: &CommandNode) -> Option<Command> {
        if let Some(needs) = needs(&node.name)
            && !self.need(needs, node.at, &node.name)
        {
            return None;
        }
        let mut arguments = Arguments::new(&node.name, node.at, &node.arguments);
        let command = match node.name.as_str() {
            "addheader" => self.add_header(&mut arguments),
            "deleteheader" => self.delete_header(&mut arguments),
            "discard" => Some(Command::Discard),
            "ereject" => Some(Command::Reject { reason: arguments.string(self).0, extended: true }),
            "error" => Some(Command::Error(arguments.string(self).0)),
            "fileinto" => self.file_into(&mut arguments),
            "global" => self.global(&mut arguments),
            "include" => self.include(&mut arguments),
            "keep" => self.keep(&mut arguments),
            "redirect" => self.redirect(&mut arguments),
            "reject" => Some(Command::Reject { reason: arguments.string(self).0, extended: false }),
            "require" => {
                arguments.fail(self, node.at, "require must stand before all other commands");
                arguments.texts(self);
                None
            }
            "return" => Some(Command::Return),
            "addflag" => self.change_flags(&mut arguments, FlagChange::Add),
            "removeflag" => self.change_flags(&mut arguments, FlagChange::Remove),
            "setflag" => self.change_flags(&mut arguments, FlagChange::Set),
            "set" => self.set(&mut arguments),
            "stop" => Some(Command::Stop),
            "vacation" => self.vacation(&mut arguments),
            name => {
                self.mistake(node.at, format!("there is no command {name:?}"));
                return None;
            }
        };
        arguments.end(self);
        if let Some(test) = node.tests.first() {
            arguments.fail(self, test.at, format!("{} takes no test", node.name));
        }
        if node.block.is_some() {
            arguments.fail(self, node.at, format!("{} takes no block", node.name));
        }
        command.filter(|_| !arguments.failed)
    }

    fn keep(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut flags = None;
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "flags" => flags = Some(self.flags(arguments, at)),
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        Some(Command::Keep { flags })
    }

    fn flags(&mut self, arguments: &mut Arguments<'_>, at: Position) -> Vec<Text> {
        arguments.need(self, Capability::Imap4Flags, "flags", at);
        arguments.texts(self)
    }

    fn file_into(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let (mut copy, mut create, mut flags, mut special_use) = (false, false, None, None);
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "copy" => {
                    arguments.need(self, Capability::Copy, tag, at);
                    copy = true;
                }
                "create" => {
                    arguments.need(self, Capability::Mailbox, tag, at);
                    create = true;
                }
                "flags" => flags = Some(self.flags(arguments, at)),
                "specialuse" => {
                    arguments.need(self, Capability::SpecialUse, tag, at);
                    let (text, at) = arguments.string(self);
                    if text.literal().is_some_and(|flag| !is_special_use(flag)) {
                        arguments.fail(self, at, "this is no special-use flag");
                    }
                    special_use = Some(text);
                }
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let (mailbox, _) = arguments.string(self);
        Some(Command::FileInto(Box::new(FileInto { mailbox, copy, create, flags, special_use })))
    }

    fn redirect(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut copy = false;
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "copy" => {
                    arguments.need(self, Capability::Copy, tag, at);
                    copy = true;
                }
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let (address, at) = arguments.string(self);
        if let Some(raw) = address.literal()
            && read_address(raw).is_none()
        {
            arguments.fail(self, at, format!("{raw:?} is no mail address"));
        }
        Some(Command::Redirect { address, copy })
    }

    /// RFC 5232 §3.
    fn change_flags(&mut self, arguments: &mut Arguments<'_>, change: FlagChange) -> Option<Command> {
        let mut variable = None;
        if arguments.left() > 1 {
            let (name, at) = arguments.plain_string(self);
            arguments.failed |= !self.need(Capability::Variables, at, "flags in a variable");
            variable = Some(self.variable(&name, at)?);
        }
        Some(Command::ChangeFlags { change, variable, flags: arguments.texts(self) })
    }

    /// RFC 5229 §4.
    fn set(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut modifiers: Vec<Modifier> = Vec::new();
        while let Some((tag, at)) = arguments.tag(self) {
            let modifier = match tag {
                "length" => Modifier::Length,
                "lower" => Modifier::Lower,
                "lowerfirst" => Modifier::LowerFirst,
                "quotewildcard" => Modifier::QuoteWildcard,
                "quoteregex" if self.required.has(Capability::Regex) => Modifier::QuoteRegex,
                "upper" => Modifier::Upper,
                "upperfirst" => Modifier::UpperFirst,
                _ => {
                    arguments.unknown_tag(self, tag, at);
                    continue;
                }
            };
            // RFC 5229 §4.1: of those with the same precedence there can be one only.
            if modifiers.iter().any(|other| other.precedence() == modifier.precedence()) {
                arguments.fail(self, at, format!(":{tag} cannot stand beside another modifier of its kind"));
            }
            modifiers.push(modifier);
        }
        modifiers.sort_unstable_by_key(|modifier| std::cmp::Reverse(modifier.precedence()));
        let (name, at) = arguments.plain_string(self);
        let (value, _) = arguments.string(self);
        let variable = self.variable(&name, at)?;
        if let Variable::Local(name) = &variable {
            self.locals.insert(name.clone());
        }
        Some(Command::Set { variable, value, modifiers })
    }

    /// RFC 5293 §4.
    fn add_header(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut last = false;
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "last" => last = true,
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let name = self.field_name(arguments);
        let (value, _) = arguments.string(self);
        Some(Command::AddHeader { name, value, last })
    }

    fn field_name(&mut self, arguments: &mut Arguments<'_>) -> Text {
        let (name, at) = arguments.string(self);
        if let Some(raw) = name.literal()
            && !is_header_name(raw)
        {
            arguments.fail(self, at, format!("{raw:?} is no name of a header field"));
        }
        name
    }

    /// RFC 5293 §5.
    fn delete_header(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut common = Common::default();
        while let Some((tag, at)) = arguments.tag(self) {
            // Here :index needs no extension of its own.
            let taken = if tag == "index" {
                common.set_index(arguments.number(self));
                true
            } else {
                arguments.common(self, &mut common, Takes::MatchAndIndex, (tag, at))
            };
            if !taken {
                arguments.unknown_tag(self, tag, at);
            }
        }
        let matching = arguments.matching(self, &common);
        let index = arguments.index(self, &common);
        let name = self.field_name(arguments);
        let values = match arguments.left() {
            0 => None,
            _ => Some(arguments.keys(self, matching)),
        };
        Some(Command::DeleteHeader(Box::new(DeleteHeader { name, index, matching, values })))
    }

    /// RFC 5230 §4.
    fn vacation(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let mut seconds = None;
        let (mut subject, mut from, mut addresses) = (None, None, Vec::new());
        let (mut mime, mut handle) = (false, None);
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "addresses" => addresses = arguments.texts(self),
                "days" | "seconds" if seconds.is_some() => {
                    arguments.fail(self, at, ":days and :seconds exclude each other");
                    arguments.number(self);
                }
                "days" => seconds = Some(arguments.number(self).clamp(1, MOST_DAYS) * DAY),
                "from" => from = Some(self.sender(arguments)),
                "handle" => handle = Some(arguments.string(self).0),
                "mime" => mime = true,
                "seconds" => {
                    arguments.need(self, Capability::VacationSeconds, tag, at);
                    seconds = Some(arguments.number(self).min(MOST_DAYS * DAY));
                }
                "subject" => subject = Some(arguments.string(self).0),
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let (reason, _) = arguments.string(self);
        let seconds = seconds.unwrap_or(USUAL_DAYS * DAY);
        Some(Command::Vacation(Box::new(Vacation {
            seconds,
            subject,
            from,
            addresses,
            mime,
            handle,
            reason,
        })))
    }

    /// RFC 5230 §4.3: a mistake if it is no address.
    fn sender(&mut self, arguments: &mut Arguments<'_>) -> Text {
        let (from, at) = arguments.string(self);
        if let Some(raw) = from.literal()
            && read_address(raw).is_none()
        {
            arguments.fail(self, at, format!("{raw:?} is no mail address"));
        }
        from
    }

    /// RFC 6609 §3.2.
    fn include(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        let (mut once, mut optional, mut location) = (false, false, Location::Personal);
        while let Some((tag, at)) = arguments.tag(self) {
            match tag {
                "global" => location = Location::Global,
                "once" => once = true,
                "optional" => optional = true,
                "personal" => {}
                _ => arguments.unknown_tag(self, tag, at),
            }
        }
        let (name, at) = arguments.plain_string(self);
        if arguments.failed {
            return None;
        }
        match (self.include)(location, &name) {
            Ok(Some(script)) => Some(Command::Include { script: Included::Script(script), once }),
            Ok(None) => Some(Command::Include { script: Included::Missing { name, optional }, once }),
            Err(why) => {
                arguments.fail(self, at, why);
                None
            }
        }
    }

    /// RFC 6609 §3.4: names of variables that mean the global ones from here on.
    fn global(&mut self, arguments: &mut Arguments<'_>) -> Option<Command> {
        arguments.failed |= !self.need(Capability::Variables, arguments.at(), "global");
        for (name, at) in arguments.strings(self) {
            match name.literal() {
                Some(name) if self.locals.contains(&name.to_ascii_lowercase()) => {
                    arguments.fail(self, at, format!("{name:?} was used before it was made global"));
                }
                Some(name) if is_identifier(name) => {
                    self.globals.insert(name.to_ascii_lowercase());
                }
                _ => arguments.fail(self, at, "this is no name for a variable"),
            }
        }
        None
    }
}

/// What a command belongs to.
fn needs(command: &str) -> Option<Capability> {
    Some(match command {
        "addflag" | "removeflag" | "setflag" => Capability::Imap4Flags,
        "addheader" | "deleteheader" => Capability::EditHeader,
        "ereject" => Capability::Ereject,
        "error" => Capability::Ihave,
        "fileinto" => Capability::FileInto,
        "global" | "include" | "return" => Capability::Include,
        "reject" => Capability::Reject,
        "set" => Capability::Variables,
        "vacation" => Capability::Vacation,
        _ => return None,
    })
}

/// `use-attr = "\" atom` (RFC 6154 §6)
pub(super) fn is_special_use(flag: &str) -> bool {
    flag.strip_prefix('\\')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
}

impl Modifier {
    /// RFC 5229 §4.1, RFC 5435 §6.
    fn precedence(self) -> u8 {
        match self {
            Self::Lower | Self::Upper => 40,
            Self::LowerFirst | Self::UpperFirst => 30,
            Self::QuoteRegex | Self::QuoteWildcard => 20,
            Self::Length => 10,
        }
    }
}

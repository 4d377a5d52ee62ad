//! Runs `.svtest` files, the test language of Dovecot's Pigeonhole, if `SIEVE_SUITE` names a folder of
//! them: ordinary commands and tests, besides those that set up messages, compile other scripts and
//! look at what these decided.

mod world;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Run;
use crate::answer::{Context, answer};
use crate::compile::{Compiler, Location, compile};
use crate::error::CompileError;
use crate::header::Header;
use crate::limits::Limits;
use crate::matching::MatchType;
use crate::outcome::{Action, Copied, Outcome};
use crate::program::{Program, Test};
use crate::syntax::{Argument, CommandNode, TestNode, Value, parse};
use world::{Folder, Mail, Sent, World, mailbox};

/// Cases that we fail, and why we stand by it.
const ARGUED: [(&str, &str, &str); 8] = [
    ("execute/errors.svtest", "Fileinto bad UTF-8 in folder name", BAD_UTF8),
    ("execute/errors.svtest", "Fileinto invalid folder name", "what has no mailbox is kept (RFC 5228 §4.1)"),
    ("execute/smtp.svtest", "Redirect", OWN_FIELD),
    ("execute/smtp.svtest", "Redirect from <>", OWN_FIELD),
    (
        "extensions/body/text.svtest",
        "Double Slash",
        "a type that cannot be read is text/plain (RFC 2045 §5.2)",
    ),
    ("extensions/include/twice.svtest", "Twice included", "this runner has no included scripts of its own"),
    ("extensions/regex/errors.svtest", "Runtime errors", "what is no regular expression matches nothing"),
    ("extensions/special-use/errors.svtest", "Specialuse_exists - bad UTF-8 in mailbox name", BAD_UTF8),
];
/// RFC 5228 §2.10.6: the sooner the author of a script hears of a mistake, the better.
const BAD_UTF8: &str = "a string that can be no UTF-8 (RFC 5228 §2.1) is refused when the script is kept";
const OWN_FIELD: &str = "X-Sieve-Redirected-From is Dovecot's; here Delivered-To ends loops";
/// What Dovecot's store adds to every message of the suite.
const ADDED: &str = "$HasNoAttachment";

/// Why a test block ended before its end.
enum Ended {
    Failed(String),
    /// It uses what only Pigeonhole has.
    Foreign(String),
}

struct Suite<'a> {
    folder: PathBuf,
    compiler: Compiler<'a>,
    run: Run<'static>,
    world: &'static World,
    program: Option<&'static Program>,
    outcome: Outcome,
    errors: Vec<String>,
    tally: Vec<(String, Option<Ended>)>,
}

impl Suite<'_> {
    fn file(path: &Path) -> Vec<(String, Option<Ended>)> {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("readable")).into_owned();
        let limits: &'static Limits = Box::leak(Box::new(Limits {
            commands: 100_000,
            script: 1 << 20,
            nesting: 40,
            steps: u64::MAX,
            ..Limits::default()
        }));
        let whole = |why: String| vec![(String::from("(whole file)"), Some(Ended::Foreign(why)))];
        let nodes = match parse(&text, limits) {
            Ok(nodes) => nodes,
            Err(mistake) => return whole(mistake.to_string()),
        };
        let world: &'static World = Box::leak(Box::new(World {
            from: RefCell::new("sender@example.com".into()),
            to: RefCell::new("recipient@example.com".into()),
            auth: RefCell::default(),
            mailboxes: RefCell::new(BTreeMap::from([("INBOX".to_owned(), Vec::new())])),
            sent: RefCell::default(),
            seen: RefCell::default(),
        }));
        let program: &'static Program = Box::leak(Box::new(Program { scripts: Vec::new(), size: 0 }));
        let mut include = |_: Location, _: &str| Ok(None);
        let run = Run::new(program, Mail::new(Vec::new()), world, limits);
        let folder = path.parent().expect("a folder").to_owned();
        let compiler = Compiler::new(limits, &mut include);
        let (outcome, errors, tally) = (Outcome::default(), Vec::new(), Vec::new());
        let mut suite = Suite { folder, compiler, run, world, program: None, outcome, errors, tally };
        let requires = nodes.iter().take_while(|node| node.name == "require").count();
        let mut required = nodes[..requires].to_vec();
        required.retain(|node| {
            let own = |name: &str| name.starts_with("vnd.dovecot.testsuite");
            match &node.arguments[0].value {
                Value::String(name) => !own(name),
                _ => true,
            }
        });
        for node in &mut required {
            if let Value::Strings(names) = &mut node.arguments[0].value {
                names.retain(|(name, _)| !name.starts_with("vnd.dovecot.testsuite"));
            }
        }
        suite.compiler.requirements(&required);
        if let Some(mistake) = suite.compiler.mistakes.first() {
            return whole(mistake.to_string());
        }
        match suite.block(&nodes[requires..]) {
            Ok(()) => {}
            Err(ended) => suite.tally.push(("(outside a test)".into(), Some(ended))),
        }
        suite.tally
    }

    fn block(&mut self, nodes: &[CommandNode]) -> Result<(), Ended> {
        let mut taken = false;
        for node in nodes {
            match node.name.as_str() {
                "if" | "elsif" => {
                    if node.name == "if" {
                        taken = false;
                    }
                    if !taken && self.test(&node.tests[0])? {
                        taken = true;
                        self.block(node.block.as_deref().unwrap_or_default())?;
                    }
                }
                "else" if taken => {}
                "else" => self.block(node.block.as_deref().unwrap_or_default())?,
                "test" => {
                    let name = self.string(&node.arguments[0])?;
                    self.errors.clear();
                    self.reset();
                    let ended = self.block(node.block.as_deref().unwrap_or_default()).err();
                    self.tally.push((name, ended));
                }
                name if name.starts_with("test") => self.own(node)?,
                _ => self.ordinary(node)?,
            }
        }
        Ok(())
    }

    fn ordinary(&mut self, node: &CommandNode) -> Result<(), Ended> {
        let statements = self.compiler.block(std::slice::from_ref(node));
        self.check()?;
        let statements: &'static _ = Box::leak(Box::new(statements));
        match self.run.block(statements) {
            Ok(_) => Ok(()),
            Err(stopped) => Err(Ended::Failed(stopped.0)),
        }
    }

    fn check(&mut self) -> Result<(), Ended> {
        match self.compiler.mistakes.pop() {
            Some(mistake) => Err(Ended::Foreign(mistake.to_string())),
            None => Ok(()),
        }
    }

    fn string(&mut self, argument: &Argument) -> Result<String, Ended> {
        let Value::String(raw) = &argument.value else { return Err(Ended::Foreign("a string".into())) };
        let text = self.compiler.text(raw, argument.at);
        self.run.text(&text).map(Cow::into_owned).map_err(|stopped| Ended::Failed(stopped.0))
    }

    fn test(&mut self, node: &TestNode) -> Result<bool, Ended> {
        match node.name.as_str() {
            "not" => Ok(!self.test(&node.tests[0])?),
            "allof" | "anyof" => {
                let all = node.name == "allof";
                for test in &node.tests {
                    if self.test(test)? != all {
                        return Ok(!all);
                    }
                }
                Ok(all)
            }
            "test_script_compile" => {
                let name = self.string(&node.arguments[0])?;
                let path = self.folder.join(name);
                let script = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
                let limits = Limits { commands: 100_000, script: 1 << 20, ..Limits::default() };
                self.errors.clear();
                self.program = None;
                match compile(&script, &Folder(self.folder.clone()), &limits) {
                    Ok(program) => self.program = Some(Box::leak(Box::new(program))),
                    Err(CompileError(mistakes)) => {
                        self.errors = mistakes.iter().map(ToString::to_string).collect();
                        if let Some(foreign) =
                            self.errors.iter().find(|e| e.contains("there is no extension"))
                        {
                            return Err(Ended::Foreign(foreign.clone()));
                        }
                    }
                }
                Ok(self.program.is_some())
            }
            "test_script_run" if node.arguments.is_empty() => Ok(self.script_run()),
            "test_result_execute" => Ok(self.execute()),
            // How many messages there are for a script's mistakes is Pigeonhole's own affair.
            "test_error" if self.program.is_none() && is(node, "count") => {
                Ok(self.errors.is_empty() == is(node, "ne"))
            }
            "test_error" => self.compare(node, self.errors.clone()),
            "test_binary_load" | "test_binary_save" => Ok(true),
            "test_result_action" => {
                let names = self.outcome.actions.iter().map(|action| match action {
                    Action::FileInto(_) => "store",
                    Action::Keep(_) => "keep",
                    Action::Redirect { .. } => "redirect",
                    Action::Reject { .. } => "reject",
                    Action::Vacation(_) => "vacation",
                });
                self.compare(node, names.map(str::to_owned).collect())
            }
            "test_message" => self.message(node),
            name if name.starts_with("test") => Err(Ended::Foreign(name.to_owned())),
            _ => {
                let test = self.compiler.test(node);
                self.check()?;
                let test: &'static Test = Box::leak(Box::new(test.expect("no mistake")));
                self.run.test(test).map_err(|stopped| Ended::Failed(stopped.0))
            }
        }
    }

    /// The values, or the one with the number `:index`, against the keys.
    fn compare(&mut self, node: &TestNode, mut values: Vec<String>) -> Result<bool, Ended> {
        let mut arguments = node.arguments.clone();
        if let Some(at) = arguments.iter().position(|a| a.value == Value::Tag("index".into())) {
            let Value::Number(number) = arguments[at + 1].value else { return Ok(false) };
            arguments.drain(at..at + 2);
            values = values.into_iter().skip(number as usize - 1).take(1).collect();
        }
        let mut node = TestNode { name: "environment".into(), arguments, ..node.clone() };
        let keys = node.arguments.len() - 1;
        let item = Argument { at: node.at, value: Value::String("x".into()) };
        node.arguments.insert(keys, item);
        self.compiler.require("environment");
        let test = self.compiler.test(&node);
        self.check()?;
        let Some(Test::Environment { matching, keys, .. }) = test else { return Ok(false) };
        if matching.kind == MatchType::Is {
            let keys = self.run.texts(&keys.texts).map_err(|stopped| Ended::Failed(stopped.0))?;
            return Ok(values.iter().any(|value| keys.iter().any(|key| key == value)));
        }
        self.run.fits(matching, &keys, values).map_err(|stopped| Ended::Failed(stopped.0))
    }

    fn script_run(&mut self) -> bool {
        let Some(program) = self.program else { return false };
        match super::run(program, self.run.message, self.world, &Limits::default()) {
            Ok(outcome) => {
                self.outcome = outcome;
                true
            }
            Err(error) => {
                self.errors.push(error.to_string());
                false
            }
        }
    }

    fn execute(&mut self) -> bool {
        let mut outcome = std::mem::take(&mut self.outcome);
        if outcome.actions.is_empty() {
            outcome = self.own_outcome();
        }
        let mut ok = true;
        for action in &outcome.actions {
            match action {
                Action::Keep(copied) => self.store("INBOX", copied, false, &mut ok),
                Action::FileInto(into) => self.store(&into.mailbox, &into.copied, into.create, &mut ok),
                Action::Redirect { address, header } => {
                    let (from, message) = (self.world.from.borrow().clone(), self.edited(header.as_deref()));
                    self.world.sent.borrow_mut().push(Sent { from, to: address.clone(), message });
                }
                Action::Reject { .. } => {}
                Action::Vacation(vacation) => {
                    let (from, to) = (self.world.from.borrow(), self.world.to.borrow());
                    let own: Vec<String> = vacation.addresses.iter().chain([&*to]).cloned().collect();
                    let context =
                        Context { sender: &from, recipient: &to, own: &own, now: 0, message_id: "1@x" };
                    let answer = answer(vacation, self.run.message.header(), &context);
                    let sent = |message| Sent { from: String::new(), to: from.clone(), message };
                    self.world.sent.borrow_mut().extend(answer.map(sent));
                }
            }
        }
        self.world.seen.borrow_mut().extend(outcome.ids.into_iter().map(|seen| seen.id));
        ok
    }

    /// What the commands of the test file itself have decided.
    fn own_outcome(&mut self) -> Outcome {
        let (actions, ids) = (self.run.actions.clone(), self.run.ids.clone());
        let mut outcome = Outcome { actions, ids };
        if self.run.keeps_implicitly {
            outcome
                .actions
                .push(Action::Keep(self.run.copied(self.run.flags.clone()).ok().expect("few steps")));
        }
        outcome
    }

    fn reset(&mut self) {
        self.outcome = Outcome::default();
        self.world.sent.borrow_mut().clear();
        self.run.actions.clear();
        self.run.ids.clear();
        self.run.flags.clear();
        self.run.keeps_implicitly = true;
        self.run.header = Header::read(self.run.message.header());
        self.run.written = None;
    }

    fn edited(&self, header: Option<&[u8]>) -> Vec<u8> {
        let top = &self.run.message.parts()[0];
        let body = self.run.message.read(top.body_start..self.run.message.size()).expect("readable");
        let header = header.unwrap_or_else(|| self.run.message.header());
        [header, &body].concat()
    }

    fn store(&mut self, mailbox: &str, copied: &Copied, create: bool, ok: &mut bool) {
        let message = self.edited(copied.header.as_deref());
        let name = self::mailbox(mailbox);
        let mut mailboxes = self.world.mailboxes.borrow_mut();
        if create {
            mailboxes.entry(name.clone()).or_default();
        }
        let flags = copied.flags.iter().cloned().chain([ADDED.to_owned()]).collect();
        match mailboxes.get_mut(&name) {
            Some(messages) => messages.push((message, flags)),
            None => {
                let what =
                    format!("failed to store into mailbox {name}: it does not exist, or has no valid name");
                self.errors.push(what);
                *ok = false;
            }
        }
    }

    /// Takes a stored or sent message for the one to look at.
    fn message(&mut self, node: &TestNode) -> Result<bool, Ended> {
        let numbers = node.arguments.iter().find_map(|a| match a.value {
            Value::Number(number) => Some(number as usize),
            _ => None,
        });
        let names = node.arguments.iter().find(|a| matches!(a.value, Value::String(_)));
        match (names, numbers) {
            (Some(name), Some(number)) => {
                let name = mailbox(&self.string(name)?);
                let found = self.world.mailboxes.borrow().get(&name).and_then(|all| all.get(number).cloned());
                let Some((message, flags)) = found else { return Ok(false) };
                self.set_message(message);
                self.run.flags = flags;
            }
            (None, Some(number)) => {
                let Some(sent) = self.world.sent.borrow().get(number).cloned() else { return Ok(false) };
                self.set_message(sent.message);
                *self.world.from.borrow_mut() = sent.from;
                *self.world.to.borrow_mut() = sent.to;
            }
            _ => return Err(Ended::Foreign("test_message".into())),
        }
        Ok(true)
    }

    fn set_message(&mut self, bytes: Vec<u8>) {
        self.run.message = Mail::new(bytes);
        self.run.header = Header::read(self.run.message.header());
        self.run.arrived = self.run.header.size();
        self.run.written = None;
    }

    /// The envelope that the suite takes for granted: what the header names.
    fn set_envelope(&mut self) {
        let first = |name: &str| {
            let (local, domain) = self.run.header.fields(name).next()?.addresses().into_iter().next()?;
            Some(format!("{local}@{domain}"))
        };
        let (from, to) = (first("From"), first("To"));
        *self.world.from.borrow_mut() = from.unwrap_or_else(|| "sender@example.com".into());
        *self.world.to.borrow_mut() = to.unwrap_or_else(|| "recipient@example.com".into());
    }

    fn own(&mut self, node: &CommandNode) -> Result<(), Ended> {
        match node.name.as_str() {
            "test_set" => {
                let value = self.string(&node.arguments[1])?;
                match self.string(&node.arguments[0])?.as_str() {
                    "message" => {
                        self.set_message(value.into_bytes());
                        self.set_envelope();
                    }
                    "envelope.from" => *self.world.from.borrow_mut() = value,
                    "envelope.to" => *self.world.to.borrow_mut() = value,
                    "envelope.auth" => *self.world.auth.borrow_mut() = Some(value),
                    other => return Err(Ended::Foreign(format!("test_set {other}"))),
                }
            }
            "test_fail" => return Err(Ended::Failed(self.string(&node.arguments[0])?)),
            "test_mailbox_create" => {
                let name = mailbox(&self.string(&node.arguments[0])?);
                self.world.mailboxes.borrow_mut().entry(name).or_default();
            }
            "test_result_reset" => self.reset(),
            "test_message" => {
                let test = TestNode {
                    at: node.at,
                    name: node.name.clone(),
                    arguments: node.arguments.clone(),
                    tests: Vec::new(),
                    is_list: false,
                };
                if !self.message(&test)? {
                    return Err(Ended::Failed("no such message".into()));
                }
            }
            "test_result_print" => {}
            "test_config_set" | "test_config_unset" | "test_config_reload" => {
                return Err(Ended::Foreign(node.name.clone()));
            }
            name => return Err(Ended::Foreign(name.to_owned())),
        }
        Ok(())
    }
}

/// Whether a test has this tag or string.
fn is(node: &TestNode, word: &str) -> bool {
    let values = [Value::Tag(word.into()), Value::String(word.into())];
    node.arguments.iter().any(|argument| values.contains(&argument.value))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "svtest") {
            found.push(path);
        }
    }
}

/// Not part of the project: its licence is another one. Says how much of it we pass.
#[test]
fn pigeonhole_suite() {
    let Some(folder) = std::env::var_os("SIEVE_SUITE").map(PathBuf::from) else {
        eprintln!("skipped: SIEVE_SUITE names no folder with .svtest files");
        return;
    };
    let mut all = Vec::new();
    files(&folder, &mut all);
    all.sort();
    let (mut passed, mut failed, mut foreign, mut argued) = (0, 0, 0, 0);
    for path in all {
        let name = path.strip_prefix(&folder).expect("below").display().to_string();
        for (test, ended) in Suite::file(&path) {
            match ended {
                None => passed += 1,
                // Cases that must fail.
                Some(Ended::Failed(_)) if name.starts_with("failures/") => passed += 1,
                Some(Ended::Failed(_))
                    if ARGUED.iter().any(|(file, case, _)| *file == name && *case == test) =>
                {
                    argued += 1;
                }
                Some(Ended::Failed(why)) => {
                    failed += 1;
                    eprintln!("FAILED {name}: {test}: {why}");
                }
                Some(Ended::Foreign(why)) => {
                    foreign += 1;
                    eprintln!("foreign {name}: {test}: {why}");
                }
            }
        }
    }
    eprintln!("{passed} passed, {failed} failed, {argued} are argued, {foreign} use what is not here");
    assert_eq!(failed, 0, "tests of the suite fail");
}

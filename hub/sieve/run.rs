//! The interpreter. It always ends: a program has no loops, and every step is counted.

mod actions;
mod body;
mod flags;
#[cfg(test)]
mod suite;
mod tests;
mod variables;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::RunError;
use crate::header::Header;
use crate::limits::Limits;
use crate::message::{Message, Surroundings};
use crate::outcome::{Action, Outcome, SeenId};
use crate::program::{Command, Included, Program, Statement};
use crate::text::{Piece, Text, Variable};

/// Runs a program over a message. An error means that the message is to be kept as it is (RFC 5228
/// §2.10.6) and nothing else done.
pub fn run(
    program: &Program,
    message: &dyn Message,
    around: &dyn Surroundings,
    limits: &Limits,
) -> Result<Outcome, RunError> {
    let mut run = Run::new(program, message, around, limits);
    match run.script(0).and_then(|_| run.keep_implicitly()) {
        Ok(()) => Ok(Outcome { actions: run.actions, ids: run.ids }),
        Err(Stopped(what)) => Err(RunError { line: run.line, what }),
    }
}

/// Octets of work that are one step.
const STEP: usize = 64;

/// Why a run cannot go on.
struct Stopped(String);

fn stopped(what: impl Into<String>) -> Stopped {
    Stopped(what.into())
}

type Result<T, E = Stopped> = std::result::Result<T, E>;

/// Whether the next command comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    /// The included script has ended (RFC 6609 §3.3).
    Return,
    Stop,
}

type Values = BTreeMap<String, String>;

struct Run<'a> {
    program: &'a Program,
    message: &'a dyn Message,
    around: &'a dyn Surroundings,
    limits: &'a Limits,
    /// Steps that are left.
    steps: u64,
    line: u32,
    header: Header,
    /// Octets of the header as it arrived.
    arrived: usize,
    /// The header as it was written last, as long as it has not changed again.
    written: Option<Arc<[u8]>>,
    globals: Values,
    /// Those of the script that is running.
    locals: Values,
    /// What the last wildcards matched.
    matches: Vec<String>,
    /// RFC 5232 §2: the internal variable.
    flags: Vec<String>,
    included: BTreeSet<usize>,
    depth: usize,
    keeps_implicitly: bool,
    actions: Vec<Action>,
    ids: Vec<SeenId>,
}

impl<'a> Run<'a> {
    fn new(
        program: &'a Program,
        message: &'a dyn Message,
        around: &'a dyn Surroundings,
        limits: &'a Limits,
    ) -> Self {
        let header = Header::read(message.header());
        Self {
            program,
            message,
            around,
            limits,
            steps: limits.steps,
            line: 0,
            arrived: header.size(),
            header,
            written: None,
            globals: Values::new(),
            locals: Values::new(),
            matches: Vec::new(),
            flags: Vec::new(),
            included: BTreeSet::new(),
            depth: 0,
            keeps_implicitly: true,
            actions: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// RFC 5228 §2.10.2.
    fn keep_implicitly(&mut self) -> Result<()> {
        if self.keeps_implicitly && !self.actions.iter().any(|action| matches!(action, Action::Keep(_))) {
            let keep = Action::Keep(self.copied(self.flags.clone())?);
            self.actions.push(keep);
        }
        Ok(())
    }

    /// Takes one step, and more for work on so many octets.
    fn step(&mut self, octets: usize) -> Result<()> {
        let cost = 1 + (octets / STEP) as u64;
        self.steps = self.steps.checked_sub(cost).ok_or_else(|| stopped("the script takes too long"))?;
        Ok(())
    }

    fn script(&mut self, number: usize) -> Result<Flow> {
        let program = self.program;
        let Some(script) = program.scripts.get(number) else { return Ok(Flow::Next) };
        self.block(&script.commands)
    }

    fn block(&mut self, statements: &'a [Statement]) -> Result<Flow> {
        for statement in statements {
            self.line = statement.line;
            self.step(0)?;
            match self.command(&statement.command)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn command(&mut self, command: &'a Command) -> Result<Flow> {
        match command {
            Command::AddHeader { name, value, last } => self.add_header(name, value, *last)?,
            Command::ChangeFlags { change, variable, flags } => {
                self.change_flags(*change, variable.as_ref(), flags)?;
            }
            Command::DeleteHeader(delete) => self.delete_header(delete)?,
            Command::Discard => self.keeps_implicitly = false,
            Command::Error(text) => return Err(Stopped(self.text(text)?.into_owned())),
            Command::FileInto(file_into) => self.file_into(file_into)?,
            Command::If { branches, otherwise } => {
                for (test, block) in branches {
                    if self.test(test)? {
                        return self.block(block);
                    }
                }
                return self.block(otherwise);
            }
            Command::Include { script, once } => return self.include(script, *once),
            Command::Keep { flags } => self.keep(flags.as_deref())?,
            Command::Redirect { address, copy } => self.redirect(address, *copy)?,
            Command::Reject { reason, extended } => self.reject(reason, *extended)?,
            Command::Return => return Ok(Flow::Return),
            Command::Set { variable, value, modifiers } => self.set(variable, value, modifiers)?,
            Command::Stop => return Ok(Flow::Stop),
            Command::Vacation(vacation) => self.vacation(vacation)?,
        }
        Ok(Flow::Next)
    }

    /// RFC 6609 §3.2.
    fn include(&mut self, included: &'a Included, once: bool) -> Result<Flow> {
        let number = match included {
            Included::Missing { optional: true, .. } => return Ok(Flow::Next),
            Included::Missing { name, .. } => {
                return Err(stopped(format!("there is no script {name:?} to include")));
            }
            Included::Script(number) => *number,
        };
        if !self.included.insert(number) && once {
            return Ok(Flow::Next);
        }
        if self.depth >= self.limits.include_depth {
            return Err(stopped("too many scripts include each other"));
        }
        self.depth += 1;
        let (line, outer) = (self.line, std::mem::take(&mut self.locals));
        let flow = self.script(number)?;
        self.locals = outer;
        self.line = line;
        self.depth -= 1;
        Ok(if flow == Flow::Stop { Flow::Stop } else { Flow::Next })
    }

    /// The string with what its variables stand for.
    fn text<'t>(&mut self, text: &'t Text) -> Result<Cow<'t, str>> {
        let pieces = match text {
            Text::Literal(text) => return Ok(Cow::Borrowed(text)),
            Text::Template(pieces) => pieces,
        };
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Variable(variable) => out.push_str(self.value(variable)),
            }
            if out.len() > self.limits.script {
                return Err(stopped("a string became too long"));
            }
        }
        self.step(out.len() + STEP * pieces.len())?;
        Ok(Cow::Owned(out))
    }

    fn texts<'t>(&mut self, texts: &'t [Text]) -> Result<Vec<Cow<'t, str>>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// Empty if it was never set (RFC 5229 §3).
    fn value(&self, variable: &Variable) -> &str {
        let value = match variable {
            Variable::Global(name) => self.globals.get(name),
            Variable::Local(name) => self.locals.get(name),
            Variable::Match(number) => self.matches.get(*number),
        };
        value.map_or("", String::as_str)
    }

    fn assign(&mut self, variable: &Variable, mut value: String) -> Result<()> {
        // RFC 5229 §6: a value that is too long is cut.
        let end = value.floor_char_boundary(self.limits.value);
        value.truncate(end);
        let (values, name) = match variable {
            Variable::Global(name) => (&mut self.globals, name),
            Variable::Local(name) => (&mut self.locals, name),
            Variable::Match(_) => return Err(stopped("match variables cannot be set")),
        };
        if values.len() >= self.limits.variables && !values.contains_key(name) {
            return Err(stopped(format!("a script has at most {} variables", self.limits.variables)));
        }
        values.insert(name.clone(), value);
        Ok(())
    }
}

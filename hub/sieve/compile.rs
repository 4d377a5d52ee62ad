//! From the grammar's tree to a program: which commands and tests there are, what they need, and where
//! they may stand.

mod arguments;
mod commands;
mod link;
mod tests;

pub(crate) use arguments::is_header_name;
pub use link::{Location, Scripts, compile, is_script_name};

use crate::capability::{Capability, Required};
use crate::error::{Mistake, Position};
use crate::limits::Limits;
use crate::program::{Command, Script, Statement, Test};
use crate::syntax::{CommandNode, Value};
use crate::text::{Globals, Text, Unusable, Variable, variable};

/// What is known while one script is compiled.
pub(crate) struct Compiler<'a> {
    limits: &'a Limits,
    required: Required,
    globals: Globals,
    /// Local variables that were set so far.
    locals: Globals,
    pub(crate) mistakes: Vec<Mistake>,
    /// Regular expressions so far.
    regexes: usize,
    /// Finds an included script's number in the program.
    include: Include<'a>,
}

/// Compiles one script; `include` compiles those that it includes.
fn compile_script(
    nodes: &[CommandNode],
    limits: &Limits,
    include: Include<'_>,
) -> Result<Script, Vec<Mistake>> {
    let mut compiler = Compiler::new(limits, include);
    let start = compiler.requirements(nodes);
    let commands = compiler.block(&nodes[start..]);
    match compiler.mistakes.is_empty() {
        true => Ok(Script { commands }),
        false => Err(compiler.mistakes),
    }
}

/// Compiles the script that is included, and gives its number.
type Include<'a> = &'a mut dyn FnMut(Location, &str) -> Result<Option<usize>, String>;

impl<'a> Compiler<'a> {
    pub(crate) fn new(limits: &'a Limits, include: Include<'a>) -> Self {
        let (required, globals) = (Required::default(), Globals::default());
        Self {
            limits,
            required,
            globals,
            locals: Globals::default(),
            mistakes: Vec::new(),
            regexes: 0,
            include,
        }
    }

    #[cfg(test)]
    pub(crate) fn require(&mut self, name: &str) {
        self.required.add(name);
    }

    fn mistake(&mut self, at: Position, what: impl Into<String>) {
        if self.mistakes.len() < self.limits.mistakes {
            self.mistakes.push(Mistake::new(at, what));
        }
    }

    /// `require` stands before everything else (RFC 5228 §3.2). Returns the number of commands that it
    /// takes.
    pub(crate) fn requirements(&mut self, nodes: &[CommandNode]) -> usize {
        let requires = nodes.iter().take_while(|node| node.name == "require").count();
        for node in &nodes[..requires] {
            let names: Vec<(&str, Position)> = match &node.arguments[..] {
                [argument] => match &argument.value {
                    Value::String(name) => vec![(name, argument.at)],
                    Value::Strings(names) => names.iter().map(|(name, at)| (name.as_str(), *at)).collect(),
                    Value::Number(_) | Value::Tag(_) => Vec::new(),
                },
                _ => Vec::new(),
            };
            if names.is_empty() || !node.tests.is_empty() || node.block.is_some() {
                self.mistake(node.at, "require takes one list of extensions");
            }
            for (name, at) in names {
                if !self.required.add(name) {
                    self.mistake(at, format!("there is no extension {name:?} here"));
                }
            }
        }
        requires
    }

    pub(crate) fn block(&mut self, nodes: &[CommandNode]) -> Vec<Statement> {
        let mut statements: Vec<Statement> = Vec::new();
        // An `if` takes the `elsif` and `else` that follow it.
        let mut open_if = false;
        for node in nodes {
            match node.name.as_str() {
                "elsif" | "else" => {
                    let before = statements.last_mut().filter(|_| open_if);
                    let Some(Statement { command: Command::If { branches, otherwise }, .. }) = before else {
                        self.mistake(node.at, format!("{} must follow if or elsif", node.name));
                        continue;
                    };
                    if node.name == "else" {
                        *otherwise = self.otherwise(node);
                        open_if = false;
                    } else if let Some(branch) = self.branch(node) {
                        branches.push(branch);
                    }
                }
                "if" => {
                    // Also one with a mistake takes what follows it.
                    let branches = self.branch(node).into_iter().collect();
                    let command = Command::If { branches, otherwise: Vec::new() };
                    statements.push(Statement { line: node.at.line, command });
                    open_if = true;
                }
                _ => {
                    open_if = false;
                    let command = self.command(node);
                    statements.extend(command.map(|command| Statement { line: node.at.line, command }));
                }
            }
        }
        statements
    }

    fn otherwise(&mut self, node: &CommandNode) -> Vec<Statement> {
        if !node.arguments.is_empty() || !node.tests.is_empty() {
            self.mistake(node.at, "else takes no test");
        }
        self.inner_block(node)
    }

    fn branch(&mut self, node: &CommandNode) -> Option<(Test, Vec<Statement>)> {
        if !node.arguments.is_empty() || node.tests.len() != 1 || node.is_list {
            self.mistake(node.at, format!("{} takes one test", node.name));
        }
        let test = node.tests.first().and_then(|test| self.test(test));
        // RFC 5463 §4: what needs an extension that is not there is not looked at.
        if matches!(test, Some(Test::Have(false))) {
            return Some((Test::Fixed(false), Vec::new()));
        }
        let block = self.inner_block(node);
        Some((test?, block))
    }

    fn inner_block(&mut self, node: &CommandNode) -> Vec<Statement> {
        match &node.block {
            Some(nodes) => self.block(nodes),
            None => {
                self.mistake(node.at, format!("{} needs a block in braces", node.name));
                Vec::new()
            }
        }
    }

    /// Notes that `what` needs an extension, if the script has not asked for it.
    fn need(&mut self, capability: Capability, at: Position, what: &str) -> bool {
        let has = self.required.has(capability);
        if !has {
            self.mistake(at, format!("{what} needs require {:?}", capability.name()));
        }
        has
    }

    pub(crate) fn text(&mut self, raw: &str, at: Position) -> Text {
        Text::read(raw, &self.required, &self.globals).unwrap_or_else(|why| {
            self.mistake(at, why);
            Text::Literal(String::new())
        })
    }

    /// A variable that is named, not referred to.
    fn variable(&mut self, name: &str, at: Position) -> Option<Variable> {
        let why = match variable(name, &self.required, &self.globals) {
            Ok(variable) => return Some(variable),
            Err(Unusable::NoName) => format!("{name:?} is no name for a variable"),
            Err(Unusable::Because(why)) => why,
        };
        self.mistake(at, why);
        None
    }
}

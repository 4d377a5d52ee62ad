//! The grammar that all commands and tests share (RFC 5228 §8.2): names, arguments, blocks. What they
//! mean is not looked at here.

use crate::error::{Mistake, Position};
use crate::lexer::{Lexer, Token};
use crate::limits::Limits;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    String(String),
    /// In brackets, with the place of each string.
    Strings(Vec<(String, Position)>),
    /// In lower case.
    Tag(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// `test = identifier arguments`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestNode {
    pub(crate) at: Position,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) tests: Vec<Self>,
    /// The tests stand in parentheses.
    pub(crate) is_list: bool,
}

/// `command = identifier arguments (";" / block)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandNode {
    pub(crate) at: Position,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) tests: Vec<TestNode>,
    /// The tests stand in parentheses.
    pub(crate) is_list: bool,
    pub(crate) block: Option<Vec<Self>>,
}

/// `start = commands`
pub(crate) fn parse(script: &str, limits: &Limits) -> Result<Vec<CommandNode>, Mistake> {
    if script.len() > limits.script {
        let what = format!("the script is larger than {} octets", limits.script);
        return Err(Mistake::new(Position { line: 1, column: 1 }, what));
    }
    let mut lexer = Lexer::new(script);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, left: limits.commands, nesting: limits.nesting };
    let commands = parser.commands(0)?;
    match parser.token {
        Token::End => Ok(commands),
        _ => Err(parser.unexpected("a command")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that comes next, and where.
    token: Token,
    at: Position,
    /// Commands and tests that may still come.
    left: usize,
    nesting: usize,
}

/// `arguments = *argument [ test / test-list ]`
struct Arguments {
    arguments: Vec<Argument>,
    tests: Vec<TestNode>,
    is_list: bool,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, Mistake> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn take(&mut self, mark: char) -> Result<bool, Mistake> {
        let is_next = self.token == Token::Mark(mark);
        if is_next {
            self.next()?;
        }
        Ok(is_next)
    }

    fn unexpected(&self, wanted: &str) -> Mistake {
        let found = match &self.token {
            Token::Identifier(name) => format!("{name:?}"),
            Token::Tag(name) => format!("\":{name}\""),
            Token::Number(number) => number.to_string(),
            Token::String(_) => "a string".into(),
            Token::Mark(mark) => format!("\"{mark}\""),
            Token::End => "the end of the script".into(),
        };
        Mistake::new(self.at, format!("expected {wanted}, found {found}"))
    }

    fn count(&mut self) -> Result<(), Mistake> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Mistake::new(self.at, "the script has too many commands and tests"))?;
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), Mistake> {
        if depth <= self.nesting {
            return Ok(());
        }
        Err(Mistake::new(self.at, format!("nested more than {} levels deep", self.nesting)))
    }

    fn commands(&mut self, depth: usize) -> Result<Vec<CommandNode>, Mistake> {
        self.check_depth(depth)?;
        let mut commands = Vec::new();
        while let Token::Identifier(_) = self.token {
            commands.push(self.command(depth)?);
        }
        Ok(commands)
    }

    fn command(&mut self, depth: usize) -> Result<CommandNode, Mistake> {
        self.count()?;
        let (at, name) = self.name()?;
        let Arguments { arguments, tests, is_list } = self.arguments(0)?;
        let block = match self.token {
            Token::Mark(';') => {
                self.next()?;
                None
            }
            Token::Mark('{') => {
                self.next()?;
                let commands = self.commands(depth + 1)?;
                if !self.take('}')? {
                    return Err(self.unexpected("a command or \"}\""));
                }
                Some(commands)
            }
            _ => return Err(self.unexpected("\";\" or an argument")),
        };
        Ok(CommandNode { at, name, arguments, tests, is_list, block })
    }

    fn name(&mut self) -> Result<(Position, String), Mistake> {
        let at = self.at;
        match self.next()? {
            Token::Identifier(name) => Ok((at, name)),
            _ => Err(Mistake::new(at, "expected a name")),
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Arguments, Mistake> {
        let mut arguments = Vec::new();
        loop {
            let at = self.at;
            let value = match self.token {
                Token::Number(_) | Token::String(_) | Token::Tag(_) => match self.next()? {
                    Token::Number(number) => Value::Number(number),
                    Token::String(text) => Value::String(text),
                    Token::Tag(name) => Value::Tag(name),
                    _ => return Err(Mistake::new(at, "expected an argument")),
                },
                Token::Mark('[') => Value::Strings(self.string_list()?),
                Token::Identifier(_) => {
                    let tests = vec![self.test(depth + 1)?];
                    return Ok(Arguments { arguments, tests, is_list: false });
                }
                Token::Mark('(') => {
                    let tests = self.test_list(depth + 1)?;
                    return Ok(Arguments { arguments, tests, is_list: true });
                }
                _ => return Ok(Arguments { arguments, tests: Vec::new(), is_list: false }),
            };
            self.count()?;
            arguments.push(Argument { at, value });
        }
    }

    fn test(&mut self, depth: usize) -> Result<TestNode, Mistake> {
        self.check_depth(depth)?;
        self.count()?;
        let (at, name) = self.name()?;
        let Arguments { arguments, tests, is_list } = self.arguments(depth)?;
        Ok(TestNode { at, name, arguments, tests, is_list })
    }

    /// `test-list = "(" test *("," test) ")"`
    fn test_list(&mut self, depth: usize) -> Result<Vec<TestNode>, Mistake> {
        self.next()?;
        let mut tests = vec![self.test(depth)?];
        while self.take(',')? {
            tests.push(self.test(depth)?);
        }
        if !self.take(')')? {
            return Err(self.unexpected("\",\" or \")\""));
        }
        Ok(tests)
    }

    /// `string-list = "[" string *("," string) "]"`
    fn string_list(&mut self) -> Result<Vec<(String, Position)>, Mistake> {
        self.next()?;
        let mut strings = Vec::new();
        loop {
            self.count()?;
            let at = self.at;
            match &mut self.token {
                Token::String(text) => strings.push((std::mem::take(text), at)),
                _ => return Err(self.unexpected("a string")),
            }
            self.next()?;
            if self.take(']')? {
                return Ok(strings);
            }
            if !self.take(',')? {
                return Err(self.unexpected("\",\" or \"]\""));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(script: &str) -> String {
        parse(script, &Limits::default()).expect_err(script).to_string()
    }

    #[test]
    fn commands_with_tests_and_blocks() {
        let commands = parse(
            "if anyof (not header :is \"a\" [\"b\", \"c\"], size :over 1K) { keep; } else {}",
            &Limits::default(),
        )
        .expect("parsed");
        let names: Vec<&str> = commands.iter().map(|command| command.name.as_str()).collect();
        assert_eq!(names, ["if", "else"]);
        assert_eq!(commands[0].tests[0].tests.len(), 2);
        assert_eq!(commands[0].block.as_ref().map(Vec::len), Some(1));
    }

    #[test]
    fn mistakes() {
        for (script, expected) in [
            ("keep", "line 1, column 5: expected \";\" or an argument, found the end of the script"),
            ("keep;\n;", "line 2, column 1: expected a command, found \";\""),
            (
                "if true { keep;",
                "line 1, column 16: expected a command or \"}\", found the end of the script",
            ),
            ("if header [\"a\" \"b\"] {}", "line 1, column 16: expected \",\" or \"]\", found a string"),
            ("if header [] {}", "line 1, column 12: expected a string, found \"]\""),
            ("if anyof (true; false) {}", "line 1, column 15: expected \",\" or \")\", found \";\""),
        ] {
            assert_eq!(mistake(script), expected);
        }
        assert!(mistake(&"if true {".repeat(16)).ends_with("nested more than 15 levels deep"));
        assert!(mistake(&format!("if {} true {{}}", "not ".repeat(16))).ends_with("levels deep"));
        assert!(mistake(&"if anyof (".repeat(60_000)).contains("larger than 65536 octets"));
        assert!(mistake(&"keep;".repeat(5_001)).contains("too many"));
    }
}

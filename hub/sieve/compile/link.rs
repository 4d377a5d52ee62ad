//! A script together with those that it includes (RFC 6609).

use std::cell::RefCell;

use super::compile_script;
use crate::error::{CompileError, Mistake};
use crate::limits::Limits;
use crate::program::{Program, Script};
use crate::syntax;

/// Where an included script lies (RFC 6609 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// The site's.
    Global,
    /// The user's own.
    Personal,
}

/// Where included scripts come from.
pub trait Scripts {
    /// The text of a script; `None` if there is none with that name.
    fn script(&self, location: Location, name: &str) -> Option<String>;
}

/// No other scripts.
impl Scripts for () {
    fn script(&self, _: Location, _: &str) -> Option<String> {
        None
    }
}

/// Compiles a script and all that it includes. A script that includes itself, in however many steps, is
/// a mistake.
pub fn compile(script: &str, scripts: &dyn Scripts, limits: &Limits) -> Result<Program, CompileError> {
    let linker = Linker { scripts, limits, state: RefCell::default() };
    linker.state.borrow_mut().scripts.push(None);
    let main = linker.compile(script, 0).map_err(CompileError)?;
    let mut state = linker.state.into_inner();
    state.scripts[0] = Some(main);
    let size = script.len() + state.size;
    Ok(Program { scripts: state.scripts.into_iter().flatten().collect(), size })
}

struct Linker<'a> {
    scripts: &'a dyn Scripts,
    limits: &'a Limits,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// `None`: being compiled, so whoever includes it goes round in a circle.
    scripts: Vec<Option<Script>>,
    /// The number of each script but the first.
    numbers: Vec<(Location, String)>,
    size: usize,
}

impl Linker<'_> {
    fn compile(&self, script: &str, depth: usize) -> Result<Script, Vec<Mistake>> {
        let nodes = syntax::parse(script, self.limits).map_err(|mistake| vec![mistake])?;
        let mut include = |location, name: &str| self.include(location, name, depth + 1);
        compile_script(&nodes, self.limits, &mut include)
    }

    fn include(&self, location: Location, name: &str, depth: usize) -> Result<Option<usize>, String> {
        if !is_script_name(name) {
            return Err(format!("{name:?} is no name of a script"));
        }
        let key = (location, name.to_owned());
        let known = self.state.borrow().numbers.iter().position(|known| *known == key).map(|at| at + 1);
        if let Some(number) = known {
            return match self.state.borrow().scripts.get(number) {
                Some(Some(_)) => Ok(Some(number)),
                _ => Err(format!("the script {name:?} includes itself")),
            };
        }
        if depth > self.limits.include_depth {
            return Err(format!("scripts are included more than {} levels deep", self.limits.include_depth));
        }
        // It may come before the script runs (RFC 6609 §3.2).
        let Some(text) = self.scripts.script(location, name) else { return Ok(None) };
        let number = {
            let mut state = self.state.borrow_mut();
            if state.numbers.len() >= self.limits.includes {
                return Err(format!("more than {} scripts are included", self.limits.includes));
            }
            state.numbers.push(key);
            state.scripts.push(None);
            state.size += text.len();
            state.scripts.len() - 1
        };
        let script = self.compile(&text, depth).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
            format!("the included script {name:?}: {first}")
        })?;
        self.state.borrow_mut().scripts[number] = Some(script);
        Ok(Some(number))
    }
}

/// Octets of a script's name; RFC 5804 §1.6 asks for 512 at least.
const NAME: usize = 512;

/// `True` for what can be the name of a script: RFC 5804 §1.6 bars controls, and RFC 6609 §3.2 what could
/// lead out of the place where scripts are kept.
pub fn is_script_name(name: &str) -> bool {
    let barred = |c: char| c.is_control() || matches!(c, '/' | '\u{2028}' | '\u{2029}');
    !name.is_empty() && name.len() <= NAME && !name.contains(barred) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Few;

    impl Scripts for Few {
        fn script(&self, location: Location, name: &str) -> Option<String> {
            let include = |name: &str| format!("require \"include\"; include {name:?};");
            match (location, name) {
                (Location::Personal, "self") => Some(include("self")),
                (Location::Personal, "there") => Some(include("back")),
                (Location::Personal, "back") => Some(include("there")),
                (Location::Personal, "twice") => Some(include("leaf") + "include \"leaf\";"),
                (Location::Personal, "leaf") => Some("keep;".into()),
                (Location::Personal, "wrong") => Some("keep".into()),
                (Location::Global, "site") => Some("stop;".into()),
                _ => None,
            }
        }
    }

    #[test]
    fn rfc6609_3_2_includes() {
        for (include, mistake) in [
            ("include \"twice\"; include :once \"leaf\"; include :global \"site\";", ""),
            ("include :optional \"none\"; include \"later\";", ""),
            ("include \"self\";", "the script \"self\" includes itself"),
            ("include \"there\";", "the script \"there\" includes itself"),
            ("include \"wrong\";", "the included script \"wrong\": line 1, column 5: "),
            ("include \"../x\";", "\"../x\" is no name of a script"),
        ] {
            let script = format!("require \"include\"; {include}");
            let text = match compile(&script, &Few, &Limits::default()) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            assert!(text.contains(mistake) && text.is_empty() == mistake.is_empty(), "{include}: {text}");
        }
    }
}

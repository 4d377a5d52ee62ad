//! Flags of the message (RFC 5232).

use super::{Result, Run, stopped};
use crate::program::FlagChange;
use crate::text::{Text, Variable};

/// Flags that a script may set; `\Recent` is the server's, and others there are none.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"];
/// Flags of one message at most, and octets of one.
const MOST: usize = 64;
const LENGTH: usize = 255;

impl Run<'_> {
    /// RFC 5232 §3.
    pub(super) fn change_flags(
        &mut self,
        change: FlagChange,
        variable: Option<&Variable>,
        flags: &[Text],
    ) -> Result<()> {
        let changed = self.read_flags(flags)?;
        let mut flags = match (change, variable) {
            (FlagChange::Set, _) => Vec::new(),
            (_, Some(variable)) => split(self.value(variable)),
            (_, None) => self.flags.clone(),
        };
        for flag in changed {
            let place = flags.iter().position(|known| known.eq_ignore_ascii_case(&flag));
            match (change, place) {
                (FlagChange::Add | FlagChange::Set, None) => flags.push(flag),
                (FlagChange::Remove, Some(place)) => drop(flags.remove(place)),
                _ => {}
            }
        }
        if flags.len() > MOST {
            return Err(stopped(format!("a message has at most {MOST} flags")));
        }
        match variable {
            Some(variable) => self.assign(variable, flags.join(" ")),
            None => {
                self.flags = flags;
                Ok(())
            }
        }
    }

    /// RFC 5232 §2: a string can name several, separated by spaces. Each comes once.
    pub(super) fn read_flags(&mut self, flags: &[Text]) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for text in self.texts(flags)? {
            self.step(text.len())?;
            add(&mut out, &text);
        }
        Ok(out)
    }

    /// The flags of these variables, or of the message.
    pub(super) fn flags_of(&mut self, variables: &[Variable]) -> Result<Vec<String>> {
        if variables.is_empty() {
            return Ok(self.flags.clone());
        }
        let mut out = Vec::new();
        for variable in variables {
            self.step(self.value(variable).len())?;
            add(&mut out, self.value(variable));
        }
        Ok(out)
    }
}

/// Each flag once, those that cannot be set left out.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    add(&mut out, text);
    out
}

fn add(out: &mut Vec<String>, text: &str) {
    for flag in text.split_ascii_whitespace() {
        if out.len() > MOST {
            return;
        }
        if is_flag(flag) && !out.iter().any(|known| known.eq_ignore_ascii_case(flag)) {
            out.push(flag.to_owned());
        }
    }
}

/// `flag-keyword = atom` (RFC 9051 §9), or one of the system flags.
fn is_flag(flag: &str) -> bool {
    let is_atom = |b: u8| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b);
    match flag.starts_with('\\') {
        true => SYSTEM.iter().any(|known| known.eq_ignore_ascii_case(flag)),
        false => flag.len() <= LENGTH && flag.bytes().all(is_atom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_split() {
        assert_eq!(split("\\Seen  $a \\SEEN \\recent b( \\Unknown $A"), ["\\Seen", "$a"]);
    }
}

//! For the fuzzer: any script, over one message.

use std::borrow::Cow;
use std::ops::Range;

use hub_mime::{Part, Scanner};

use crate::{Action, EnvelopeField, Limits, Message, Surroundings, compile, run};

const MESSAGE: &[u8] = b"From: Alice <alice@example.org>\r\nTo: bob+list@example.net\r\nSubject: a a a a a a b\r\n\
    Date: Mon, 20 Jul 2009 00:03:05 +0200\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n";

struct Sample(Vec<Part>);

impl Message for Sample {
    fn header(&self) -> &[u8] {
        MESSAGE
    }
    fn size(&self) -> u64 {
        MESSAGE.len() as u64
    }
    fn parts(&self) -> &[Part] {
        &self.0
    }
    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, String> {
        let (start, end) = (range.start as usize, range.end as usize);
        MESSAGE.get(start..end).map(Cow::Borrowed).ok_or_else(|| "beyond the message".into())
    }
}

impl Surroundings for Sample {
    fn now(&self) -> i64 {
        0
    }
    fn envelope(&self, _: EnvelopeField) -> Option<String> {
        Some("alice@example.org".into())
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
    fn mailbox_exists(&self, name: &str) -> bool {
        name == "INBOX"
    }
    fn special_use_exists(&self, _: Option<&str>, _: &str) -> bool {
        false
    }
    fn is_duplicate(&self, _: &str) -> bool {
        false
    }
}

/// Compiles and runs; asserts what always holds.
pub fn script(text: &str) {
    let limits = Limits { steps: 20_000, ..Limits::default() };
    let program = match compile(text, &(), &limits) {
        Ok(program) => program,
        Err(error) => {
            assert!((1..=limits.mistakes).contains(&error.0.len()), "{error}");
            return;
        }
    };
    let mut scanner = Scanner::new();
    scanner.feed(MESSAGE);
    let sample = Sample(scanner.finish().parts);
    let Ok(outcome) = run(&program, &sample, &sample, &limits) else { return };
    assert!(outcome.actions.len() <= limits.actions + 1);
    let redirects = outcome.actions.iter().filter(|action| matches!(action, Action::Redirect { .. }));
    assert!(redirects.count() <= limits.redirects);
}

#[cfg(test)]
mod tests {
    use super::script;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn scripts_of_any_kind_end(text in "(require \"(variables|fileinto)\";)?(if (not )?(true|header :matches \"subject\" \"[*?a]{1,9}\") \\{ (keep|stop|set \"a\" \"\\$\\{1\\}\\$\\{a\\}\"); \\}|[a-z\"{};:\\[\\]() ]{0,20}){0,5}") {
            script(&text);
        }
    }
}

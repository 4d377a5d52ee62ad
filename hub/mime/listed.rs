//! Header fields that clients ask for to list messages, kept beside the message as they stand in it:
//! the list of a mailbox of 100,000 then unpacks no message.
//!
//! What is kept answers `HEADER.FIELDS` of any of these fields with the same bytes as the whole block
//! would. What does not fit, or could be read in two ways, is not kept at all.

use crate::header::{is_space, split_field};

/// Bytes kept of one message. A message to hundreds of people is looked up when it is listed.
const MOST: usize = 8 * 1024;

/// What Thunderbird 140, K-9, mutt and Roundcube ask for in their lists, and what they have in common
/// with Apple Mail and Outlook. Fields that only say how the message came here are many and long.
fn is_listed(name: &[u8]) -> bool {
    let mut lower = [0; 27];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"bcc"
            | b"cc"
            | b"content-description"
            | b"content-type"
            | b"date"
            | b"disposition-notification-to"
            | b"from"
            | b"importance"
            | b"in-reply-to"
            | b"lines"
            | b"list-id"
            | b"list-post"
            | b"list-unsubscribe"
            | b"mail-followup-to"
            | b"mail-reply-to"
            | b"message-id"
            | b"newsgroups"
            | b"priority"
            | b"references"
            | b"reply-to"
            | b"resent-message-id"
            | b"sender"
            | b"subject"
            | b"to"
            | b"x-label"
            | b"x-priority"
    )
}

/// True if the listed fields tell all about fields of these names.
pub fn are_listed(names: &[impl AsRef<[u8]>]) -> bool {
    names.iter().all(|name| is_listed(name.as_ref()))
}

/// Gathers the listed fields of a header block, line by line.
#[derive(Default)]
pub(crate) struct ListedFields {
    raw: Vec<u8>,
    /// The last line's field is listed, and continuation lines belong to it.
    in_field: bool,
    seen_field: bool,
    given_up: bool,
}

impl ListedFields {
    /// Takes a line with its line break.
    pub(crate) fn line(&mut self, line: &[u8]) {
        if line.first().is_some_and(|&byte| is_space(byte)) {
            // It would continue the last field of the prefix.
            self.given_up |= !self.seen_field;
        } else {
            self.seen_field = true;
            self.in_field = split_field(line).is_some_and(|(name, _)| is_listed(name));
        }
        if self.in_field && !self.given_up {
            self.given_up = self.raw.len() + line.len() > MOST;
            self.raw.extend_from_slice(line);
        }
    }

    /// A line was too long to be kept.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// The fields; `None` if they are not all there.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.given_up).then_some(self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header_fields;
    use proptest::prelude::*;

    fn listed(block: &[u8]) -> Option<Vec<u8>> {
        let mut fields = ListedFields::default();
        block.split_inclusive(|&byte| byte == b'\n').for_each(|line| fields.line(line));
        fields.finish()
    }

    #[test]
    fn only_what_is_listed_is_kept() {
        let check = |block: &str, kept: Option<&str>| {
            let listed = listed(block.as_bytes());
            assert_eq!(listed.as_deref().map(String::from_utf8_lossy).as_deref(), kept, "{block:?}");
        };
        check(
            "Received: a\r\n b\r\nSUBJECT : c\r\n\td\r\nX: e\r\n f\r\nTo: g\n",
            Some("SUBJECT : c\r\n\td\r\nTo: g\n"),
        );
        check("no field\r\n more\r\nCc: a", Some("Cc: a"));
        check("", Some(""));
        check(" folded\r\nTo: a\r\n", None);
        check(&format!("To: {}\r\n", "x".repeat(MOST)), None);
        check(&"To: x\r\n".repeat(MOST / 7 + 1), None);
        check(&format!("Received: {}\r\nTo: a\r\n", "x".repeat(MOST)), Some("To: a\r\n"));
    }

    #[test]
    fn names_are_those_of_lists() {
        let thunderbird = "From To Cc Bcc Resent-Message-ID Subject Date Message-ID Priority X-Priority References \
            Newsgroups In-Reply-To Content-Type Reply-To List-Unsubscribe";
        assert!(are_listed(&thunderbird.split_ascii_whitespace().collect::<Vec<_>>()));
        assert!(!are_listed(&["From", "Received"]));
        assert!(!are_listed(&["disposition-notification-to-x"]));
    }

    proptest! {
        #[test]
        fn they_answer_like_the_block(block in "([A-C]: [a-z]{0,3}\r?\n|(To|cc|Date) ?:[a-z]{0,3}\r?\n|  x\r\n|[a-z]{1,4}\n){0,8}") {
            if let Some(kept) = listed(block.as_bytes()) {
                for names in [&["to"][..], &["CC", "date"], &["Subject", "To"], &[]] {
                    prop_assert_eq!(header_fields(&kept, names, false), header_fields(block.as_bytes(), names, false));
                }
            } else {
                prop_assert!(block.starts_with(' '));
            }
        }
    }
}

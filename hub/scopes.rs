//! What a program may do with a twin's things: a set of a few rights, as OAuth names them.

use std::fmt;

/// Rights of a log-in. Writing includes reading.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

/// A name as it stands in `scope` parameters (RFC 6749 §3.3), what it means, and what a person is asked.
const NAMED: [(&str, Scopes, &str); 9] = [
    ("mail:read", Scopes::MAIL_READ, "read your mail"),
    ("mail:write", Scopes::MAIL_WRITE, "read, change and delete your mail, and your rules about it"),
    ("mail:send", Scopes::MAIL_SEND, "send mail in your name"),
    ("calendars:read", Scopes::CALENDARS_READ, "read your calendars"),
    ("calendars:write", Scopes::CALENDARS_WRITE, "read and change your calendars"),
    ("contacts:read", Scopes::CONTACTS_READ, "read your contacts"),
    ("contacts:write", Scopes::CONTACTS_WRITE, "read and change your contacts"),
    ("files:read", Scopes::FILES_READ, "read your files"),
    ("files:write", Scopes::FILES_WRITE, "read, change and delete your files"),
];

impl Scopes {
    pub const NONE: Self = Self(0);
    pub const MAIL_READ: Self = Self(1);
    pub const MAIL_WRITE: Self = Self(1 | 1 << 1);
    pub const MAIL_SEND: Self = Self(1 << 2);
    pub const CALENDARS_READ: Self = Self(1 << 3);
    pub const CALENDARS_WRITE: Self = Self(1 << 3 | 1 << 4);
    pub const CONTACTS_READ: Self = Self(1 << 5);
    pub const CONTACTS_WRITE: Self = Self(1 << 5 | 1 << 6);
    pub const FILES_READ: Self = Self(1 << 7);
    pub const FILES_WRITE: Self = Self(1 << 7 | 1 << 8);
    /// Of whoever knows the password.
    pub const ALL: Self = Self((1 << 9) - 1);

    /// Every name there is.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        NAMED.into_iter().map(|(name, ..)| name)
    }

    /// `scope = scope-token *( SP scope-token )` (RFC 6749 §3.3). Names that mean nothing here are passed
    /// over, as §3.3 allows: programs ask for `offline_access` and the like everywhere.
    pub fn parse(text: &str) -> Self {
        let known = |word: &str| NAMED.into_iter().find(|(name, ..)| *name == word);
        text.split(' ').filter_map(known).fold(Self::NONE, |all, (_, one, _)| all.and(one))
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if anything at all may be changed or sent.
    pub const fn may_change(self) -> bool {
        let reads = Self::MAIL_READ.and(Self::CALENDARS_READ).and(Self::CONTACTS_READ).and(Self::FILES_READ);
        self.0 & !reads.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each right with the words for a person; reading is not named beside writing.
    pub fn described(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let names = NAMED.into_iter().filter(move |(_, one, _)| {
            let included = |(_, larger, _): &(_, Self, _)| larger != one && larger.contains(*one);
            self.contains(*one) && !NAMED.iter().any(|other| included(other) && self.contains(other.1))
        });
        names.map(|(name, _, words)| (name, words))
    }

    /// As it is kept.
    pub(crate) fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// Rights that do not exist any more are left out.
    pub(crate) fn from_number(number: i64) -> Self {
        Self(u16::try_from(number).unwrap_or_default()).common(Self::ALL)
    }
}

/// As a `scope` parameter.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, _)) in self.described().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written() {
        for (text, expected) in [
            ("mail:read", "mail:read"),
            ("mail:write", "mail:write"),
            ("mail:read mail:write", "mail:write"),
            ("files:read offline_access  mail:send", "mail:send files:read"),
            ("MAIL:read mail", ""),
            ("", ""),
        ] {
            assert_eq!(Scopes::parse(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn writing_includes_reading() {
        assert!(Scopes::MAIL_WRITE.contains(Scopes::MAIL_READ));
        assert!(!Scopes::MAIL_READ.contains(Scopes::MAIL_WRITE));
        assert!(!Scopes::MAIL_WRITE.contains(Scopes::MAIL_SEND));
        assert!(!Scopes::FILES_WRITE.contains(Scopes::MAIL_READ));
        assert!(Scopes::MAIL_SEND.may_change() && Scopes::CALENDARS_WRITE.may_change());
        assert!(!Scopes::parse("mail:read calendars:read contacts:read files:read").may_change());
    }

    #[test]
    fn everything_has_a_name() {
        let names: Vec<_> = Scopes::all_names().collect();
        assert_eq!(Scopes::parse(&names.join(" ")), Scopes::ALL);
        assert_eq!(Scopes::from_number(Scopes::ALL.number()), Scopes::ALL);
        assert_eq!(Scopes::from_number(-1), Scopes::NONE);
        assert_eq!(Scopes::from_number(0x7fff), Scopes::ALL);
    }
}

//! Message flags: eight bits of system flags and up to 55 keyword bits per account.

use std::ops::{BitAnd, BitOr, Not};

/// Flags of a message in its mailbox. Bits 0–7 are system flags; bit 8 + n is the account's n-th
/// keyword (see [`crate::mailboxes::add_keywords`]). Bit 63 stays clear: the database's integers are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u64);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const SEEN: Self = Self(1);
    pub const ANSWERED: Self = Self(2);
    pub const FLAGGED: Self = Self(4);
    pub const DELETED: Self = Self(8);
    pub const DRAFT: Self = Self(16);
    pub const SYSTEM: Self = Self(0xff);

    /// First keyword bit, and how many keywords an account can have.
    pub const FIRST_KEYWORD: u32 = 8;
    pub const MAX_KEYWORDS: usize = 55;

    /// The flag of the account's `n`-th keyword.
    pub const fn keyword(n: usize) -> Self {
        Self(1 << (Self::FIRST_KEYWORD as usize + n))
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Positions of the keyword bits that are set.
    pub fn keyword_positions(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX_KEYWORDS).filter(move |&n| self.contains(Self::keyword(n)))
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

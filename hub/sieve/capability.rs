//! Extensions that a script can ask for with `require` (RFC 5228 §3.2).

use std::collections::BTreeSet;

/// An extension that this interpreter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capability {
    Body,
    ComparatorNumeric,
    ComparatorUnicode,
    Copy,
    Date,
    Duplicate,
    EditHeader,
    EncodedCharacter,
    Envelope,
    Environment,
    Ereject,
    FileInto,
    Ihave,
    Imap4Flags,
    Include,
    Index,
    Mailbox,
    Regex,
    Reject,
    Relational,
    SpecialUse,
    SubAddress,
    Vacation,
    VacationSeconds,
    Variables,
}

const NAMES: [(&str, Capability); 25] = [
    ("body", Capability::Body),
    ("comparator-i;ascii-numeric", Capability::ComparatorNumeric),
    ("comparator-i;unicode-casemap", Capability::ComparatorUnicode),
    ("copy", Capability::Copy),
    ("date", Capability::Date),
    ("duplicate", Capability::Duplicate),
    ("editheader", Capability::EditHeader),
    ("encoded-character", Capability::EncodedCharacter),
    ("envelope", Capability::Envelope),
    ("environment", Capability::Environment),
    ("ereject", Capability::Ereject),
    ("fileinto", Capability::FileInto),
    ("ihave", Capability::Ihave),
    ("imap4flags", Capability::Imap4Flags),
    ("include", Capability::Include),
    ("index", Capability::Index),
    ("mailbox", Capability::Mailbox),
    ("regex", Capability::Regex),
    ("reject", Capability::Reject),
    ("relational", Capability::Relational),
    ("special-use", Capability::SpecialUse),
    ("subaddress", Capability::SubAddress),
    ("vacation", Capability::Vacation),
    ("vacation-seconds", Capability::VacationSeconds),
    ("variables", Capability::Variables),
];

/// Comparators that need not be asked for, though it is no mistake to do so (RFC 5228 §2.7.3).
const ALWAYS: [&str; 2] = ["comparator-i;octet", "comparator-i;ascii-casemap"];

/// The names of all extensions: what ManageSieve tells as `SIEVE` (RFC 5804 §1.7).
pub fn extensions() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

impl Capability {
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, capability)| *capability == self).map_or("", |(name, _)| name)
    }
}

/// What a script has asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required(BTreeSet<Capability>);

impl Required {
    /// False if there is no such extension.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        if ALWAYS.contains(&name) {
            return true;
        }
        let Some((_, capability)) = NAMES.iter().find(|(known, _)| *known == name) else { return false };
        self.0.insert(*capability);
        // RFC 6131 §2: the one implies the other.
        if *capability == Capability::VacationSeconds {
            self.0.insert(Capability::Vacation);
        }
        true
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

/// Whether a script could ask for `name` (RFC 5463 §4).
pub(crate) fn is_known(name: &str) -> bool {
    ALWAYS.contains(&name) || NAMES.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        assert_eq!(Capability::VacationSeconds.name(), "vacation-seconds");
        let mut required = Required::default();
        assert!(required.add("vacation-seconds") && required.has(Capability::Vacation));
        assert!(required.add("comparator-i;octet") && !required.add("frobnicate"));
        assert!(is_known("body") && !is_known("Body"));
    }
}

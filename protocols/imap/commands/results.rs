//! What a search has found, as SEARCH, SORT or ESEARCH responses (RFC 9051 §7.3.4, RFC 5256 §4,
//! RFC 5267 §3, RFC 9394 §3).

use hub::IdSet;

use crate::encode::{self, Buffer};
use crate::grammar::command::Returns;
use crate::session::Selected;

/// A message that was found.
pub(super) struct Found {
    /// What the answer calls it: its UID for the UID commands, else its sequence number.
    pub(super) number: u64,
    pub(super) uid: u64,
    pub(super) modseq: u64,
}

impl Found {
    /// The messages at these indexes of the view's base, in this order.
    pub(super) fn all(selected: &Selected, indexes: &[u32], uid: bool) -> Vec<Self> {
        let view = &selected.view;
        let found = |&index: &u32| {
            let record = view.base().get(index)?;
            let number = if uid { record.uid } else { view.index_of_base(index) + 1 };
            Some(Self { number: number.into(), uid: record.uid.into(), modseq: record.modseq })
        };
        indexes.iter().filter_map(found).collect()
    }
}

/// `* SEARCH *(SP number) [SP "(MODSEQ" SP number ")"]`, the same with SORT; due also without
/// matches (mjl-/mox bc62aae).
pub(super) fn write_plain(out: &mut Buffer, word: &str, found: &[Found], mentions_modseq: bool) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(word.as_bytes());
    for one in found {
        out.push(b' ');
        encode::number(out, one.number);
    }
    if let Some(modseq) = found.iter().map(|one| one.modseq).max().filter(|_| mentions_modseq) {
        out.extend_from_slice(b" (MODSEQ ");
        encode::number(out, modseq);
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n");
}

/// An ESEARCH response (RFC 4731 §3.1), also for SORT: then MIN is the first message of the order
/// and MAX the last (RFC 5267 §3.1).
pub(super) struct Answer<'a> {
    pub(super) tag: &'a str,
    pub(super) uid: bool,
    pub(super) returns: Returns,
    pub(super) mentions_modseq: bool,
}

impl Answer<'_> {
    /// The messages that the result options are about: with MIN, MAX and PARTIAL alone those, else
    /// all (RFC 5182 §2.4, RFC 7162 §3.1.10, RFC 9394 §3.2).
    fn named<'f>(&self, found: &'f [Found]) -> Vec<&'f Found> {
        let Returns { all, count, max, min, partial, .. } = self.returns;
        if all || count || !(max || min || partial.is_some()) {
            return found.iter().collect();
        }
        let window = partial.map_or(0..0, |partial| partial.window(found.len()));
        let is_named = |at: usize| window.contains(&at) || (min && at == 0) || (max && at + 1 == found.len());
        found.iter().enumerate().filter(|(at, _)| is_named(*at)).map(|(_, one)| one).collect()
    }

    /// What `$` refers to after RETURN (SAVE).
    pub(super) fn saved(&self, found: &[Found]) -> IdSet {
        let mut uids: Vec<u64> = self.named(found).into_iter().map(|one| one.uid).collect();
        uids.sort_unstable();
        uids.into_iter().collect()
    }

    /// `* ESEARCH (TAG "a1") [UID] [MIN n] [MAX n] [COUNT n] [MODSEQ n] [ALL set] [PARTIAL (range
    /// set)]`. The tag is a quoted string: an atom broke the new Outlook (mjl-/mox 2ae121e). With SAVE
    /// alone nothing is said (RFC 5182 §2.1).
    pub(super) fn write(&self, out: &mut Buffer, found: &[Found]) {
        let Returns { all, count, max, min, partial, .. } = self.returns;
        if !(all || count || max || min || partial.is_some()) {
            return;
        }
        write_head(out, self.tag, self.uid);
        let modseq = self.named(found).into_iter().map(|one| one.modseq).max();
        let items = [
            ("MIN", found.first().map(|one| one.number).filter(|_| min)),
            ("MAX", found.last().map(|one| one.number).filter(|_| max)),
            ("COUNT", count.then_some(found.len() as u64)),
            ("MODSEQ", modseq.filter(|_| self.mentions_modseq)),
        ];
        for (name, value) in items {
            if let Some(value) = value {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
                out.push(b' ');
                encode::number(out, value);
            }
        }
        if all && !found.is_empty() {
            out.extend_from_slice(b" ALL ");
            encode::runs(out, found.iter().map(|one| one.number));
        }
        if let Some(partial) = partial {
            out.extend_from_slice(format!(" PARTIAL ({partial} ").as_bytes());
            match &found[partial.window(found.len())] {
                [] => out.extend_from_slice(b"NIL"),
                part => encode::runs(out, part.iter().map(|one| one.number)),
            }
            out.push(b')');
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// `* ESEARCH (TAG "a1") [UID]`
pub(super) fn write_head(out: &mut Buffer, tag: &str, uid: bool) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    encode::string(out, tag.as_bytes());
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
}

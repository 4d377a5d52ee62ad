//! The fields of a chain, put in order (RFC 8617 §5.2, steps 1 to 3). Pure.

use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::Canonicalization;

use crate::body::BodyHash;
use crate::tags::Tags;

/// RFC 8617 §4.2.1: instances.
pub(crate) const MAX_SETS: usize = 50;

/// A field as it stands in the header: name, and value with its line end.
pub type Field<'m> = (&'m [u8], &'m [u8]);

#[derive(Clone, Debug)]
pub struct Set<'m> {
    pub results: Field<'m>,
    pub signature: Field<'m>,
    pub seal: Field<'m>,
    pub signature_tags: Tags<'m>,
    pub seal_tags: Tags<'m>,
}

/// Sets by instance, the first one first; at least one.
pub type Chain<'m> = Vec<Set<'m>>;

#[derive(Clone, Debug)]
pub enum State<'m> {
    Absent,
    Broken,
    /// As far as can be seen without keys.
    Whole(Chain<'m>),
}

/// Fields of one instance as they are found.
#[derive(Default)]
struct Slot<'m> {
    results: Option<Field<'m>>,
    signature: Option<(Field<'m>, Tags<'m>)>,
    seal: Option<(Field<'m>, Tags<'m>)>,
}

/// All fields of a header, up to the empty line; what has no colon is none.
pub fn fields(header: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut rest = header;
    while !rest.is_empty() && !rest.starts_with(b"\r\n") {
        let mut end = 0;
        // A line that begins with white space goes on with the field before it.
        loop {
            end = rest[end..].iter().position(|b| *b == b'\n').map_or(rest.len(), |at| end + at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, behind) = rest.split_at(end);
        if let Some(colon) = field.iter().position(|b| *b == b':') {
            fields.push((&field[..colon], &field[colon + 1..]));
        }
        rest = behind;
    }
    fields
}

pub fn read<'m>(header: &[Field<'m>]) -> State<'m> {
    let mut slots: Vec<Slot<'m>> = Vec::new();
    for field in header {
        let Some(place) = placed(*field, &mut slots) else { continue };
        if place.is_err() {
            return State::Broken;
        }
    }
    if slots.is_empty() {
        return State::Absent;
    }
    let sets: Option<Chain<'m>> = slots.into_iter().map(Slot::complete).collect();
    match sets {
        Some(sets) if is_continuous(&sets) => State::Whole(sets),
        _ => State::Broken,
    }
}

struct Misplaced;

/// `None` if the field is none of ours.
fn placed<'m>(field: Field<'m>, slots: &mut Vec<Slot<'m>>) -> Option<Result<(), Misplaced>> {
    let (name, value) = field;
    let is = |wanted: &str| name.trim_ascii_end().eq_ignore_ascii_case(wanted.as_bytes());
    let twice = |was_there: bool| if was_there { Err(Misplaced) } else { Ok(()) };
    let is_results = is("ARC-Authentication-Results");
    if !is_results && !is("ARC-Message-Signature") && !is("ARC-Seal") {
        return None;
    }
    // The rest of the results is no tag list.
    let head = if is_results { value.split(|b| *b == b';').next().unwrap_or_default() } else { value };
    let Some(tags) = Tags::parse(head) else { return Some(Err(Misplaced)) };
    let instance = tags.text("i").and_then(|i| i.parse().ok()).filter(|i| (1..=MAX_SETS).contains(i));
    let Some(instance) = instance else { return Some(Err(Misplaced)) };
    if slots.len() < instance {
        slots.resize_with(instance, Slot::default);
    }
    let slot = slots.get_mut(instance - 1)?;
    Some(twice(if is_results {
        slot.results.replace(field).is_some()
    } else if is("ARC-Seal") {
        slot.seal.replace((field, tags)).is_some()
    } else {
        slot.signature.replace((field, tags)).is_some()
    }))
}

impl<'m> Slot<'m> {
    /// One of each, and in each what it needs.
    fn complete(self) -> Option<Set<'m>> {
        let (signature, signature_tags) = self.signature?;
        let (seal, seal_tags) = self.seal?;
        let set = Set { results: self.results?, signature, seal, signature_tags, seal_tags };
        let has = |tags: &Tags<'_>, names: &[&str]| names.iter().all(|name| tags.text(name).is_some());
        let good = has(&set.signature_tags, &["a", "b", "bh", "d", "s"])
            && has(&set.seal_tags, &["a", "b", "d", "s", "cv"])
            // RFC 8617 §4.1.3: what a seal covers is not for it to say.
            && set.seal_tags.value("h").is_none()
            // A part of the body unsigned would let anything be put behind it.
            && set.signature_tags.value("l").is_none()
            // RFC 8617 §4.1.2: it does not sign seals.
            && set.signed_names()?.all(|name| !name.eq_ignore_ascii_case("arc-seal"));
        good.then_some(set)
    }
}

impl<'m> Set<'m> {
    /// `h=`; it must be there, and may be empty.
    pub fn signed_names(&self) -> Option<impl Iterator<Item = &'m str> + use<'m>> {
        let names = self.signature_tags.value("h")?.split(':').map(str::trim_ascii);
        Some(names.filter(|name| !name.is_empty()))
    }

    /// Of header and body. Without `c=` it is simple as in DKIM; ARC's own test suite means relaxed
    /// there, so that is tried too.
    pub fn canonicalizations(&self) -> Option<Vec<(Canonicalization, Canonicalization)>> {
        let form = |name: &str| match name.to_ascii_lowercase().as_str() {
            "relaxed" => Some(Canonicalization::Relaxed),
            "simple" => Some(Canonicalization::Simple),
            _ => None,
        };
        match self.signature_tags.value("c").map(|c| c.split_once('/').unwrap_or((c, "simple"))) {
            Some((header, body)) => Some(vec![(form(header)?, form(body)?)]),
            None => Some([Canonicalization::Simple, Canonicalization::Relaxed].map(|c| (c, c)).to_vec()),
        }
    }

    /// The body is the one that was signed, in the form given.
    pub fn signs(&self, form: Canonicalization, hashes: &[BodyHash]) -> bool {
        let signed = self.signature_tags.octets("bh");
        signed.is_some() && hashes.iter().any(|(of, hash)| *of == form && Some(hash) == signed.as_ref())
    }
}

/// RFC 8617 §4.1.3: SHA-256 only.
pub fn algorithm(tags: &Tags<'_>) -> Option<Algorithm> {
    match tags.text("a")?.to_ascii_lowercase().as_str() {
        "rsa-sha256" => Some(Algorithm::RsaSha256),
        "ed25519-sha256" => Some(Algorithm::Ed25519Sha256),
        _ => None,
    }
}

/// RFC 8617 §5.2 steps 2 and 3: every link but the first found the chain before it good.
fn is_continuous(sets: &[Set<'_>]) -> bool {
    sets.iter().enumerate().all(|(n, set)| {
        let wanted = if n == 0 { "none" } else { "pass" };
        set.seal_tags.text("cv").is_some_and(|cv| cv.eq_ignore_ascii_case(wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_header() {
        let header = b"A: b\r\n c\r\nnone\r\nD:\r\n\r\nE: body\r\n";
        assert_eq!(fields(header), [(&b"A"[..], &b" b\r\n c\r\n"[..]), (b"D", b"\r\n")]);
        assert_eq!(fields(b"A: b"), [(&b"A"[..], &b" b"[..])]);
        assert!(fields(b"\r\nA: b\r\n").is_empty() && fields(b"").is_empty());
    }
}

//! Looking for several needles in one pass over a message.

use memchr::memmem::Finder;

use super::texts::{Place, Sink};

/// What is looked for, and what has been found of it so far in one message.
#[derive(Clone)]
pub(super) struct Needles {
    finders: Vec<Finder<'static>>,
    /// Bytes of a piece that a match in the next one may begin with.
    overlap: usize,
    found: Found,
    place: Place,
    tail: Vec<u8>,
}

/// Which needles a message has, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) in_header: Vec<bool>,
    pub(crate) in_body: Vec<bool>,
}

impl Needles {
    /// For folded needles.
    pub(super) fn new(needles: &[String]) -> Self {
        Self {
            finders: needles.iter().map(|needle| Finder::new(needle).into_owned()).collect(),
            overlap: needles.iter().map(|needle| needle.len().saturating_sub(1)).max().unwrap_or(0),
            found: Found { in_header: vec![false; needles.len()], in_body: vec![false; needles.len()] },
            place: Place::Header,
            tail: Vec::new(),
        }
    }

    pub(super) fn into_found(self) -> Found {
        self.found
    }
}

impl Sink for Needles {
    fn begin(&mut self, place: Place) {
        self.place = place;
        self.tail.clear();
    }

    fn piece(&mut self, folded: &str) {
        let found = match self.place {
            Place::Body => &mut self.found.in_body,
            Place::Header => &mut self.found.in_header,
        };
        let joined;
        let haystack = if self.tail.is_empty() {
            folded.as_bytes()
        } else {
            joined = [&self.tail, folded.as_bytes()].concat();
            &joined
        };
        for (finder, found) in self.finders.iter().zip(found) {
            *found = *found || finder.find(haystack).is_some();
        }
        let tail = haystack[haystack.len() - haystack.len().min(self.overlap)..].to_vec();
        self.tail = tail;
    }

    fn is_satisfied(&self) -> bool {
        self.found.in_body.iter().all(|found| *found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_across_pieces_but_not_texts() {
        let check = |pieces: &[&str], needle: &str, expected: bool| {
            let mut needles = Needles::new(&[needle.to_owned(), "longer than that".to_owned()]);
            needles.begin(Place::Body);
            for piece in pieces {
                match *piece {
                    "|" => needles.begin(Place::Body),
                    piece => needles.piece(piece),
                }
            }
            let found = needles.into_found();
            assert_eq!((found.in_body[0], found.in_header[0]), (expected, false), "{needle} in {pieces:?}");
        };
        check(&["needle"], "needle", true);
        check(&["a nee", "dle b"], "needle", true);
        check(&["n", "e", "e", "d", "l", "e"], "needle", true);
        check(&["a nee", "|", "dle b"], "needle", false);
        check(&["a nee", "ddle b"], "needle", false);
        check(&[""], "", true);
        check(&[], "", false);
    }
}

//! The text of a component with some lines gone and others come.

use std::collections::{BTreeMap, BTreeSet};

use hub_ical::{Component, Piece, content_line};

/// Pieces of the component by their number, `BEGIN` being 0.
#[derive(Debug, Default)]
pub(crate) struct Edit {
    gone: BTreeSet<usize>,
    /// What stands before a piece.
    new: BTreeMap<usize, String>,
}

impl Edit {
    pub(crate) fn remove(&mut self, piece: usize) {
        self.gone.insert(piece);
    }

    /// Puts a logical line before a piece.
    pub(crate) fn insert(&mut self, before: usize, line: &str) {
        self.new.entry(before).or_default().push_str(&content_line(line));
    }

    pub(crate) fn apply(self, component: Component<'_>, out: &mut Vec<u8>) {
        for (number, piece) in component.pieces().enumerate() {
            if let Some(new) = self.new.get(&number) {
                out.extend_from_slice(new.as_bytes());
            }
            if !self.gone.contains(&number) {
                whole(piece, out);
            }
        }
    }
}

/// A piece as it came.
pub(crate) fn whole(piece: Piece<'_>, out: &mut Vec<u8>) {
    // Components are no deeper than `hub_ical` reads them.
    match piece {
        Piece::Component(component) => component.pieces().for_each(|piece| whole(piece, out)),
        Piece::Line { bytes, .. } => out.extend_from_slice(bytes),
    }
}

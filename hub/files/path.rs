//! Where a file or folder is.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::{Error, Result};

/// Bytes of a name, as everywhere else: what does not fit there could not be downloaded.
const NAME: usize = 255;
/// Of these, what is left for a number.
const NUMBER: usize = 15;

/// Names from the top down. Exists only well-formed: no name is empty, `.` or `..`, has a slash, a
/// NUL or another control character, or more than 255 bytes.
///
/// Two paths are the same if their names are in NFC: programs on macOS send decomposed names.
#[derive(Clone, Debug, Default)]
pub struct FilePath {
    names: Vec<String>,
    /// The names in NFC.
    keys: Vec<String>,
}

impl FilePath {
    /// Names of a path at most: walking down it is one statement, whose length they are.
    pub const LEVELS: usize = 60;
    /// Bytes of a path at most, slashes included.
    pub const BYTES: usize = 4096;

    /// The top.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of these names, as decoded from a URL. `Invalid`.
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut path = Self::root();
        for name in names {
            path = path.push(name.as_ref())?;
        }
        Ok(path)
    }

    /// `a/b/c`, with or without a slash at either end. `Invalid`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() { Ok(Self::root()) } else { Self::from_names(text.split('/')) }
    }

    /// The path of something in this folder. `Invalid`.
    pub fn join(&self, name: &str) -> Result<Self> {
        self.clone().push(name)
    }

    fn push(mut self, name: &str) -> Result<Self> {
        let invalid = |why: &str| Err(Error::Invalid(format!("a file name {why}")));
        if name.is_empty() || name == "." || name == ".." {
            return invalid("must not be empty, \".\" or \"..\"");
        }
        if name.contains('/') || name.chars().any(char::is_control) {
            return invalid("must have neither slashes nor control characters");
        }
        let key = key(name);
        if name.len() > NAME || key.len() > NAME {
            return invalid("has at most 255 bytes");
        }
        self.names.push(name.to_owned());
        self.keys.push(key);
        if self.names.len() > Self::LEVELS {
            return Err(Error::Invalid(format!("a path has at most {} names", Self::LEVELS)));
        }
        if self.names.iter().map(|name| name.len() + 1).sum::<usize>() > Self::BYTES {
            return Err(Error::Invalid(format!("a path has at most {} bytes", Self::BYTES)));
        }
        Ok(self)
    }

    /// Names as they were written.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The last name; `None` for the top.
    pub fn name(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// The folder that it is in; `None` for the top.
    pub fn parent(&self) -> Option<Self> {
        let above = self.names.len().checked_sub(1)?;
        Some(Self { names: self.names[..above].to_vec(), keys: self.keys[..above].to_vec() })
    }

    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// True for the path itself and everything below.
    pub fn contains(&self, other: &Self) -> bool {
        other.keys.starts_with(&self.keys)
    }

    /// The path from the folder `above` on; `None` if it is not in there.
    pub fn below(&self, above: &Self) -> Option<Self> {
        let from = above.names.len();
        above
            .contains(self)
            .then(|| Self { names: self.names[from..].to_vec(), keys: self.keys[from..].to_vec() })
    }

    /// Names in NFC.
    pub(crate) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The last name in NFC.
    pub(crate) fn key(&self) -> Option<&str> {
        self.keys.last().map(String::as_str)
    }
}

impl PartialEq for FilePath {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl Eq for FilePath {}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("/"))
    }
}

/// Names are the same if they are in NFC.
pub(super) fn key(name: &str) -> String {
    name.nfc().collect()
}

/// `a (2).txt`
pub(super) fn numbered(name: &str, number: usize) -> String {
    let (stem, extension) = match name.rfind('.').filter(|at| *at > 0 && name.len() - at < 16) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let stem = &stem[..stem.floor_char_boundary(NAME - NUMBER - extension.len())];
    format!("{stem} ({number}){extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_paths_exist() {
        for (text, names) in [
            ("", Some(0)),
            ("/", Some(0)),
            ("a", Some(1)),
            ("/a/b/", Some(2)),
            ("a b/ü.txt", Some(2)),
            ("...", Some(1)),
            ("._x", Some(1)),
            ("a\\b", Some(1)),
            ("//", Some(0)),
            ("a//b", None),
            ("a/./b", None),
            ("a/../b", None),
            ("a\0b", None),
            ("a\nb", None),
            ("a\u{85}b", None),
        ] {
            assert_eq!(FilePath::parse(text).ok().map(|path| path.names().len()), names, "{text:?}");
        }
        assert!(FilePath::from_names(["a/b"]).is_err(), "an encoded slash");
    }

    #[test]
    fn paths_are_bounded() {
        assert!(FilePath::parse(&"x".repeat(255)).is_ok());
        assert!(FilePath::parse(&"x".repeat(256)).is_err());
        assert!(FilePath::parse(&"ü".repeat(128)).is_err(), "256 bytes");
        assert!(FilePath::from_names(vec!["x"; FilePath::LEVELS]).is_ok());
        assert!(FilePath::from_names(vec!["x"; FilePath::LEVELS + 1]).is_err());
        assert!(FilePath::from_names(vec!["x".repeat(255); 16]).is_ok());
        assert!(FilePath::from_names(vec!["x".repeat(255); 17]).is_err());
    }

    #[test]
    fn spellings_of_a_name_are_one() {
        let (composed, decomposed) = (FilePath::parse("é/x").expect("a path"), "e\u{301}/x");
        let decomposed = FilePath::parse(decomposed).expect("a path");
        assert_eq!(composed, decomposed);
        assert_eq!(decomposed.to_string(), "e\u{301}/x");
        assert!(composed.parent().expect("a folder").contains(&decomposed));
        assert!(!decomposed.contains(&FilePath::parse("é").expect("a path")));
        assert!(!FilePath::parse("a").expect("a path").contains(&FilePath::parse("ab").expect("a path")));
    }

    #[test]
    fn names_that_clash_get_a_number() {
        let long = "ü".repeat(127);
        for (name, expected) in [
            ("a", "a (2)"),
            ("a.txt", "a (2).txt"),
            (".profile", ".profile (2)"),
            ("v1.2 of what we have written", "v1.2 of what we have written (2)"),
            (long.as_str(), &format!("{} (2)", "ü".repeat(120))),
        ] {
            let found = numbered(name, 2);
            assert_eq!(found, expected);
            assert!(FilePath::root().join(&found).is_ok());
        }
    }
}

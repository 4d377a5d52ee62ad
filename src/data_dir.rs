//! The data directory: which one, whether it is ours, and made if it is new.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Its presence says that the directory belongs to a hub.
const MARKER: &str = "twinhub-data";
/// Raised when a hub that knows only an older layout would do harm.
const LAYOUT: u32 = 1;

/// What may lie in a directory that is to become a data directory.
const HARMLESS: &[&str] = &["hub.toml", "lost+found"];

/// Where data lie if nobody says otherwise: for root /var/lib/twinhub, for others
/// $XDG_DATA_HOME/twinhub or ~/.local/share/twinhub, so that every command finds the same place
/// from wherever it is run.
pub(crate) fn default_path() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/twinhub"));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let share = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    let share = share.context("there is no home directory; say where data shall lie with --data-dir")?;
    Ok(share.join("twinhub"))
}

pub(crate) enum State {
    Absent,
    /// Empty, or only with files that do no harm: may become a data directory.
    Fresh,
    Ours,
}

/// Looks without changing anything. A directory with other things in it is an error.
pub(crate) fn examine(path: &Path) -> Result<State> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the data directory {}", path.display()));
        }
    };
    match fs::read_to_string(path.join(MARKER)) {
        Ok(text) => {
            let layout = text.split_whitespace().last().and_then(|word| word.parse::<u32>().ok());
            match layout {
                Some(1..=LAYOUT) => return Ok(State::Ours),
                Some(layout) => bail!(
                    "{} has layout {layout}, this twinhub knows {LAYOUT}: it was used by a newer twinhub; use that one",
                    path.display()
                ),
                None => {
                    bail!("{}: {MARKER} is damaged; was this a Twin Hub's data directory?", path.display())
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.join(MARKER).display()));
        }
    }
    for entry in entries {
        let name =
            entry.with_context(|| format!("cannot read the data directory {}", path.display()))?.file_name();
        let name = name.to_string_lossy();
        if !HARMLESS.contains(&name.as_ref()) {
            bail!(
                "{} is not a Twin Hub's data directory: it holds other things ({name}); nothing was changed. \
                 Choose an empty or new directory with --data-dir.",
                path.display()
            );
        }
    }
    Ok(State::Fresh)
}

/// Makes sure that `path` is a data directory, readable by its owner only where we make it.
pub(crate) fn ensure(path: &Path) -> Result<()> {
    let state = examine(path)?;
    if matches!(state, State::Ours) {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the data directory {}", path.display()))?;
    let text = format!("This folder is the data directory of a Twin Hub. Keep this file. Layout: {LAYOUT}\n");
    hub_certs::write_atomically(&path.join(MARKER), text.as_bytes(), 0o600)
        .with_context(|| format!("cannot write to the data directory {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("temporary directory")
    }

    #[test]
    fn made_private_and_recognised() {
        let folder = folder();
        let path = folder.path().join("a/b");
        assert!(matches!(examine(&path), Ok(State::Absent)));
        assert!(!path.exists(), "looking changes nothing");
        ensure(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o700);
        fs::write(path.join("hub.db"), "x").expect("writes");
        assert!(matches!(examine(&path), Ok(State::Ours)));
        ensure(&path).expect("ours already");
    }

    #[test]
    fn an_empty_directory_or_one_with_a_configuration_may_become_ours() {
        let folder = folder();
        assert!(matches!(examine(folder.path()), Ok(State::Fresh)));
        fs::write(folder.path().join("hub.toml"), "").expect("writes");
        assert!(matches!(examine(folder.path()), Ok(State::Fresh)));
        ensure(folder.path()).expect("made");
        assert!(matches!(examine(folder.path()), Ok(State::Ours)));
    }

    #[test]
    fn foreign_damaged_and_newer_directories_are_named_and_left_alone() {
        for (file, content, expected) in [
            ("thesis.tex", "x", "it holds other things (thesis.tex)"),
            ("hub.db", "x", "it holds other things (hub.db)"),
            (MARKER, "", "twinhub-data is damaged"),
            (MARKER, "Layout: 99\n", "was used by a newer twinhub"),
        ] {
            let folder = folder();
            fs::write(folder.path().join(file), content).expect("writes");
            let error = ensure(folder.path()).expect_err(expected).to_string();
            assert!(
                error.contains(expected) && error.contains(&folder.path().display().to_string()),
                "{error}"
            );
            assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1, "nothing was added");
        }
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        assert!(ensure(&file).is_err());
    }
}

//! Which of the nodes on one database this is.

use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Result};

/// The name of the node that works in a data directory: 32 hexadecimal digits, made once. It outlives
/// the process, so that a node which comes back after a crash knows the leases that were its own from
/// those of others.
pub(crate) fn name(data_dir: &Path) -> Result<String> {
    let path = data_dir.join("node");
    let failed = |what: &str| Error::io(format!("cannot {what} {}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(name) if name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()) => return Ok(name),
        // Empty after a power cut, or not there yet.
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read")(error)),
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::damaged(format!("no random numbers: {error}")))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, &name).map_err(failed("write"))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_name() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let first = name(folder.path()).expect("a name");
        assert_eq!(name(folder.path()).expect("a name"), first);
        std::fs::write(folder.path().join("node"), "").expect("written");
        assert_ne!(name(folder.path()).expect("a name"), first, "what was cut off is made anew");
        let other = tempfile::tempdir().expect("temporary directory");
        assert_ne!(name(other.path()).expect("a name"), name(folder.path()).expect("a name"));
    }
}

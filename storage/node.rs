//! Which of the nodes on one database this is, and which of its runs.

use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Result};

/// Hexadecimal digits of a node's name, and of a run of it.
const NODE: usize = 32;
const RUN: usize = 16;

/// The name of the node that works in a data directory, made once. It outlives the process, so that a
/// node which comes back after a crash knows the leases that were its own from those of others.
pub(crate) fn name(data_dir: &Path) -> Result<String> {
    let path = data_dir.join("node");
    let failed = |what: &str| Error::io(format!("cannot {what} {}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(name) if name.len() == NODE && name.bytes().all(|b| b.is_ascii_hexdigit()) => return Ok(name),
        // Empty after a power cut, or not there yet.
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read")(error)),
    }
    let name = random_digits(NODE)?;
    std::fs::write(&path, &name).map_err(failed("write"))?;
    Ok(name)
}

/// The name of a new run of a node. The data directory is locked, so there is never more than one that
/// is alive.
pub(crate) fn lessee(node: &str) -> Result<String> {
    Ok(format!("{node}{}", random_digits(RUN)?))
}

/// The first and the last of the names that a run of this lessee's node can have. All are of one length,
/// and of digits that every collation puts in the same order.
pub(crate) fn every_run(lessee: &str) -> (String, String) {
    let node = lessee.get(..NODE).unwrap_or(lessee);
    (format!("{node}{}", "0".repeat(RUN)), format!("{node}{}", "f".repeat(RUN)))
}

fn random_digits(count: usize) -> Result<String> {
    let mut random = vec![0; count / 2];
    getrandom::fill(&mut random).map_err(|error| Error::damaged(format!("no random numbers: {error}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
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

    #[test]
    fn every_run_has_a_name_of_its_own() {
        let [node, other] = ["a", "b"].map(|digit| digit.repeat(NODE));
        let run = lessee(&node).expect("a name");
        assert_ne!(lessee(&node).expect("a name"), run);
        let (first, last) = every_run(&run);
        assert!((&first..=&last).contains(&&run), "{run}");
        assert!(!(first..=last).contains(&lessee(&other).expect("a name")));
    }
}

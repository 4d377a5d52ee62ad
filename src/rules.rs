//! Scripts of the site: the files NAME.sieve of the folder that the configuration names, read at the
//! start.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use hub::Hub;
use tracing::warn;

use crate::admin;

/// Files that are looked at; the hub takes fewer.
const MOST: usize = 100;
/// Octets of one script.
const SIZE: u64 = 64 * 1024;

/// Gives the hub the scripts in `folder`.
pub(crate) async fn load(hub: &Hub, folder: &Path) -> Result<()> {
    let scripts = read(folder).with_context(|| format!("rules.global_scripts: {}", folder.display()))?;
    let mistakes =
        hub.set_site_scripts(scripts).await.map_err(|error| anyhow::anyhow!(admin::explain(error)));
    for mistake in mistakes.context("rules.global_scripts")? {
        warn!(mistake, "a script of the site cannot be used");
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder)?.take(MOST) {
        let path = entry?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sieve"));
        let Some(name) = name else { continue };
        let size = fs::metadata(&path)?.len();
        anyhow::ensure!(size <= SIZE, "{} is larger than 64 KiB", path.display());
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        scripts.push((name.to_owned(), text));
    }
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_the_files_with_the_ending() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::write(folder.path().join("spam.sieve"), "keep;").expect("written");
        fs::write(folder.path().join("README"), "no script").expect("written");
        assert_eq!(read(folder.path()).expect("read"), [("spam".to_owned(), "keep;".to_owned())]);
        fs::write(folder.path().join("large.sieve"), "#".repeat(70_000)).expect("written");
        assert!(read(folder.path()).is_err());
        assert!(read(&folder.path().join("none")).is_err());
    }
}

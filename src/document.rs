//! `twinhub document-text`: what the hub runs to read PDF and office files. A document that makes a
//! parser loop, or want more memory than there is, ends this process and nothing else.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use hub_documents::Kind;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Address space: the largest document that is read, some ten times.
const MEMORY: u64 = 1 << 30;
/// Processor time in seconds.
const TIME: u64 = 10;
/// Others are waiting for somebody.
const NICENESS: i32 = 10;

/// This program, also after it was replaced by a newer one.
pub(crate) fn reader() -> Option<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Some(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe().ok(),
    }
}

/// Reads a document from standard input and prints its text.
pub(crate) fn print_text() -> Result<()> {
    let limits = [(Resource::As, MEMORY), (Resource::Core, 0), (Resource::Cpu, TIME), (Resource::Fsize, 0)];
    for (resource, limit) in limits {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).context("cannot limit what reading a document may take")?;
    }
    rustix::process::nice(NICENESS).context("cannot let others go first")?;
    let mut document = Vec::new();
    std::io::stdin().lock().read_to_end(&mut document).context("cannot read the document")?;
    if let Some(kind) = Kind::of(&document) {
        let text = hub_documents::text(kind, &document);
        std::io::stdout().lock().write_all(text.as_bytes()).context("nobody reads the text")?;
    }
    Ok(())
}

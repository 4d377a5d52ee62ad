//! Folds SQLite's write-ahead log into the database beside the writer.
//!
//! Left to itself SQLite does it within a commit: every few hundred messages somebody waits tens of
//! milliseconds. Here a connection of its own copies pages while the writer goes on. Only the last
//! few, which came meanwhile, are the writer's: without readers in the way the log then begins
//! anew, so it neither grows nor needs new blocks of the file system, which cost a sync twice the time.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::db::{Connection, values};
use crate::open::Pools;
use crate::{Error, Result};

/// Pages in the log after which copying begins: some 80 messages one at a time.
const STEP: u64 = 1000;
/// Pages in the log after which it is to begin anew.
const RESTART: u64 = 4000;
/// Bytes of a page in the log, with its header.
const FRAME: u64 = 4096 + 24;
/// Pages that a commit writes besides those for bodies: rows, their indexes, counters, journal.
const PAGES_OF_A_COMMIT: u64 = 10;

/// How far the log is; shared by the writer and the task that copies.
#[derive(Clone, Default)]
pub(crate) struct Checkpoints(Arc<State>);

#[derive(Default)]
struct State {
    /// Pages written since copying last began; an estimate.
    written: AtomicU64,
    /// Pages in the log when copying last ended.
    log: AtomicU64,
    due: Notify,
}

impl Checkpoints {
    /// A commit with so many bytes in its statements was written.
    pub(crate) fn written(&self, bytes: usize) {
        let pages = PAGES_OF_A_COMMIT + bytes as u64 / 4096;
        if self.0.written.fetch_add(pages, Ordering::Relaxed) + pages >= STEP {
            self.0.due.notify_one();
        }
    }

    /// For the writer, between two groups: lets a long log begin anew.
    pub(crate) async fn restart_if_long(&self, writer: &mut Connection) {
        // Tried once after each copying: a reader may be in the way for long.
        if self.0.log.load(Ordering::Relaxed) >= RESTART {
            self.0.log.store(0, Ordering::Relaxed);
            self.copy(writer).await;
        }
    }

    async fn copy(&self, connection: &mut Connection) -> u64 {
        match copy(connection).await {
            Ok(log) => log,
            Err(error) => {
                // A full disk, perhaps. Nothing is lost: it is all in the log.
                tracing::warn!(error = %crate::chain(&error), "the write-ahead log could not be folded in");
                0
            }
        }
    }

    /// Copies whenever it is due; ends when aborted.
    pub(crate) async fn run(self, database: Pools) {
        loop {
            self.0.due.notified().await;
            self.0.written.store(0, Ordering::Relaxed);
            match database.checkpointer().await {
                Ok(Some(mut connection)) => {
                    let log = self.copy(&mut connection).await;
                    self.0.log.store(log, Ordering::Relaxed);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = %crate::chain(&error), "no connection to fold the write-ahead log in");
                }
            }
        }
    }
}

/// Returns the pages in the log.
async fn copy(connection: &mut Connection) -> Result<u64> {
    let log = connection.first("PRAGMA wal_checkpoint(PASSIVE)", values![], |row| row.int(1)).await?;
    Ok(log.unwrap_or(0).max(0) as u64)
}

/// Makes the log in the size that it is going to have, before SQLite opens it: a log whose header is
/// zero counts as empty (walIndexRecover; "WAL Reset" in SQLite's file format). To sync what lies in
/// blocks that are there already takes half the time, from the first commit on.
pub(crate) fn lay_out_log(database: &Path) -> Result<()> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    let mut file = match file {
        Ok(file) => file,
        // There is one, from a crash: it holds what was promised.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(Error::io("cannot make the write-ahead log")(error)),
    };
    let zeros = vec![0; 256 * 1024];
    let mut left = RESTART * FRAME;
    let filled = std::iter::from_fn(|| {
        let piece = left.min(zeros.len() as u64);
        left -= piece;
        (piece > 0).then(|| file.write_all(&zeros[..piece as usize]))
    })
    .collect::<std::io::Result<()>>();
    // Without room for it there is no need of it either: commits say what is the matter.
    if filled.and_then(|()| file.sync_all()).is_err() {
        drop(std::fs::remove_file(&path));
    }
    Ok(())
}

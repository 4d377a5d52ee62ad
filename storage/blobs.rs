//! Content-addressed, immutable blobs: small ones compressed in a row, large ones in files.
//!
//! A file is durable (data and directory entry) before the row that names it exists; a crash in
//! between leaves an orphan that the sweep removes. Reference counts change in the transaction of
//! whoever refers; what nobody refers to is reclaimed after a grace period.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::db::{Connection, Row, Value, values};
use crate::spool::TemporaryPath;
use crate::{BlobId, Error, Result, zip};

/// Largest stored size of a body inside the database: one sync for the whole delivery
/// (research: inline rows beat a file per message 4 to 16 times).
pub(crate) const INLINE: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain = 0,
    Zstd = 1,
}

/// Where blobs live and under which key they are hashed.
pub(crate) struct BlobStore {
    pub(crate) key: [u8; 32],
    blobs: PathBuf,
    spool: PathBuf,
    /// Makes names unique: start time and a count.
    run: u64,
    next: AtomicU64,
}

/// A blob whose bytes are complete and, if large, durable, but that nothing refers to yet.
pub struct StagedBlob {
    pub(crate) id: BlobId,
    pub(crate) size: u64,
    pub(crate) staged: Staged,
}

pub(crate) enum Staged {
    Inline { encoding: Encoding, data: Vec<u8>, plain: Bytes },
    File { place: String, path: Arc<KeptFile> },
}

/// A file in the blob directory. It is removed when the last holder drops it, unless a committed
/// row refers to it.
pub(crate) struct KeptFile {
    path: PathBuf,
    referred: std::sync::atomic::AtomicBool,
}

impl KeptFile {
    pub(crate) fn set_referred(&self) {
        self.referred.store(true, Ordering::Release);
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        if !self.referred.load(Ordering::Acquire) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl StagedBlob {
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes, if they are in memory.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.staged {
            Staged::Inline { plain, .. } => Some(plain),
            Staged::File { .. } => None,
        }
    }

    /// Reads a range; blocks on the disk for a large blob.
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        match &self.staged {
            Staged::Inline { plain, .. } => Ok(cut(plain, offset, length)),
            Staged::File { path, .. } => read_file(&path.path, offset, length),
        }
    }

    /// The row to insert with `refs` references.
    pub(crate) fn row(&self, refs: i64) -> Vec<Value> {
        match &self.staged {
            Staged::Inline { encoding, data, .. } => {
                values![self.id, self.size, refs, *encoding as i64, "", data.as_slice()]
            }
            Staged::File { place, .. } => values![self.id, self.size, refs, 0i64, place.as_str(), Vec::new()],
        }
    }

    pub(crate) fn place(&self) -> &str {
        match &self.staged {
            Staged::Inline { .. } => "",
            Staged::File { place, .. } => place,
        }
    }

    pub(crate) fn file(&self) -> Option<&Arc<KeptFile>> {
        match &self.staged {
            Staged::Inline { .. } => None,
            Staged::File { path, .. } => Some(path),
        }
    }
}

/// The statement that adds references to blobs, making those that do not exist. Existing content
/// keeps its place; RETURNING tells which.
pub(crate) const INSERT: &str = "INSERT INTO blob (hash, size, refs, encoding, place, data, unused_at)
    SELECT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, 0
    FROM (VALUES {values}) AS v WHERE true
    ON CONFLICT (hash) DO UPDATE SET refs = blob.refs + excluded.refs, unused_at = 0
    RETURNING hash, place";

impl BlobStore {
    /// Uses (and makes) `blobs/` and `spool/` in the data directory. What a crash left in the spool
    /// belongs to nobody and is removed.
    pub(crate) fn open(data_dir: &Path, key: [u8; 32], run: u64) -> Result<Self> {
        let store = Self {
            key,
            blobs: data_dir.join("blobs"),
            spool: data_dir.join("spool"),
            run,
            next: AtomicU64::new(1),
        };
        for dir in [&store.blobs, &store.spool] {
            std::fs::create_dir_all(dir).map_err(Error::io(format!("cannot create {}", dir.display())))?;
        }
        for entry in std::fs::read_dir(&store.spool).map_err(Error::io("cannot read the spool directory"))? {
            let path = entry.map_err(Error::io("cannot read the spool directory"))?.path();
            std::fs::remove_file(&path).map_err(Error::io(format!("cannot remove {}", path.display())))?;
        }
        let failed = |error| Error::io(format!("cannot sync {}", store.blobs.display()))(error);
        store.lay_out().map_err(failed)?;
        Ok(store)
    }

    /// Makes the folders of blob files beforehand: the first body in each would wait for one more sync.
    /// What cannot be made now is made then.
    fn lay_out(&self) -> std::io::Result<()> {
        for folder in 0..=u8::MAX {
            let _ = std::fs::create_dir(self.blobs.join(format!("{folder:02x}")));
        }
        File::open(&self.blobs)?.sync_all()
    }

    fn unique(&self) -> String {
        format!("{:x}-{:x}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn new_spool_path(&self) -> Result<PathBuf> {
        Ok(self.spool.join(self.unique()))
    }

    /// Makes a spool file a blob file: renamed, data synced, directory synced. Nothing refers to it before
    /// that, so the new name may come first: file systems with a journal then write it down together
    /// with the data, and the directory's own sync finds little to do.
    ///
    /// The name has a unique part, so that reclaiming an older copy of the same content can never
    /// remove this one.
    pub(crate) fn keep_file(
        &self,
        id: BlobId,
        file: &File,
        spool: TemporaryPath,
    ) -> Result<(String, KeptFile)> {
        let hex = id.to_hex();
        let place = format!("{}/{}-{}", &hex[..2], &hex[2..], self.unique());
        let directory = self.blobs.join(&hex[..2]);
        let path = self.blobs.join(&place);
        // From here on it goes if nobody comes to refer to it, or it cannot be synced.
        let kept = KeptFile { path: path.clone(), referred: false.into() };
        let keep = || -> std::io::Result<()> {
            if !directory.is_dir() {
                std::fs::create_dir_all(&directory)?;
                File::open(&self.blobs)?.sync_all()?;
            }
            std::fs::rename(&spool.0, &path)?;
            file.sync_all()?;
            File::open(&directory)?.sync_all()
        };
        keep().map_err(Error::io(format!("cannot keep a large body as {}", path.display())))?;
        Ok((place, kept))
    }

    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.blobs.join(place)
    }

    /// Blob files older than `age_seconds`, as places.
    pub(crate) fn old_files(&self, age_seconds: u64) -> Result<Vec<String>> {
        let read = |path: &Path| {
            std::fs::read_dir(path).map_err(Error::io(format!("cannot read {}", path.display())))
        };
        let mut places = Vec::new();
        for directory in read(&self.blobs)?.flatten().filter(|entry| entry.path().is_dir()) {
            for file in read(&directory.path())?.flatten() {
                let age =
                    file.metadata().ok().and_then(|m| m.modified().ok()).and_then(|at| at.elapsed().ok());
                if age.is_some_and(|age| age.as_secs() >= age_seconds)
                    && let (Some(a), Some(b)) = (directory.file_name().to_str(), file.file_name().to_str())
                {
                    places.push(format!("{a}/{b}"));
                }
            }
        }
        Ok(places)
    }

    pub(crate) fn remove_file(&self, place: &str) {
        if let Err(error) = std::fs::remove_file(self.path(place))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(place, %error, "cannot remove an unused blob file; the next sweep tries again");
        }
    }
}

/// A kept blob, opened for reading.
#[derive(Clone)]
pub(crate) enum Content {
    File(PathBuf),
    Plain(Bytes),
}

impl Content {
    /// At most `length` bytes from `offset`; fewer at the end.
    pub(crate) async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        match self {
            Self::Plain(bytes) => Ok(cut(bytes, offset, length)),
            Self::File(path) => {
                if let Some(bytes) = read_cached(path, offset, length) {
                    return Ok(bytes);
                }
                let path = path.clone();
                tokio::task::spawn_blocking(move || read_file(&path, offset, length))
                    .await
                    .map_err(|_| Error::Busy)?
            }
        }
    }
}

const SELECT: &str = "SELECT b.hash, b.size, b.encoding, b.place, b.data
    FROM (VALUES {values}) AS v CROSS JOIN blob b WHERE b.hash = v.column1";

/// Opens blobs for reading their first so many bytes, in any order; what does not exist is left out.
pub(crate) async fn open(
    connection: &mut Connection,
    store: &BlobStore,
    wanted: &HashMap<BlobId, usize>,
) -> Result<Vec<(BlobId, Content)>> {
    let rows = wanted.keys().map(|id| values![*id]).collect();
    connection
        .query_many(SELECT, rows, |row| {
            let id = row.blob_id(0)?;
            let place = row.text(3)?;
            if !place.is_empty() {
                return Ok((id, Content::File(store.path(&place))));
            }
            let most = wanted.get(&id).copied().unwrap_or(usize::MAX);
            Ok((id, Content::Plain(plain(row, 1, id, most)?)))
        })
        .await
}

/// A blob whose `size`, `encoding`, `place` and `data` stand in a row from `column` on.
pub(crate) fn content(row: Row<'_>, column: usize, id: BlobId, store: &BlobStore) -> Result<Content> {
    let place = row.text(column + 2)?;
    match place.is_empty() {
        true => Ok(Content::Plain(plain(row, column, id, usize::MAX)?)),
        false => Ok(Content::File(store.path(&place))),
    }
}

/// At most the first `most` bytes of a blob whose `size`, `encoding`, `place` and `data` stand in a row
/// from `column` on, if it has them itself.
pub(crate) fn plain(row: Row<'_>, column: usize, id: BlobId, most: usize) -> Result<Bytes> {
    let size = row.int(column)? as usize;
    if row.int(column + 1)? != Encoding::Zstd as i64 {
        return Ok(row.bytes(column + 3)?.into());
    }
    // Rows are only written by us and at most `spool::IN_MEMORY` long when unpacked.
    let plain = zip::unpack(row.slice(column + 3)?, size.min(most));
    Ok(plain.map_err(Error::io(format!("blob {} cannot be unpacked", id.to_hex())))?.into())
}

fn cut(bytes: &Bytes, offset: u64, length: usize) -> Bytes {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let end = start.saturating_add(length).min(bytes.len());
    bytes.slice(start..end)
}

/// Copying more than this would keep others waiting.
const QUICK: usize = 128 * 1024;

/// Reads what the operating system has in memory: to have another thread do it would take longer than
/// the reading. `None` if that thread must wait for the disk, or say what is wrong.
#[cfg(target_os = "linux")]
fn read_cached(path: &Path, offset: u64, length: usize) -> Option<Bytes> {
    use std::io::IoSliceMut;

    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::{ReadWriteFlags, preadv2};

    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = File::from(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?);
    let rest = file.metadata().ok()?.len().saturating_sub(offset);
    let length = length.min(usize::try_from(rest).unwrap_or(usize::MAX));
    if length > QUICK {
        return None;
    }
    let mut buffer = vec![0; length];
    let slices = &mut [IoSliceMut::new(&mut buffer)];
    let count = preadv2(&file, slices, offset, ReadWriteFlags::NOWAIT).ok()?;
    (count == length).then(|| buffer.into())
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &Path, _: u64, _: usize) -> Option<Bytes> {
    None
}

fn read_file(path: &Path, offset: u64, length: usize) -> Result<Bytes> {
    let read = || -> std::io::Result<Bytes> {
        let file = File::open(path)?;
        let rest = file.metadata()?.len().saturating_sub(offset);
        let mut buffer = vec![0; length.min(usize::try_from(rest).unwrap_or(usize::MAX))];
        file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer.into())
    };
    read().map_err(Error::io(format!("cannot read {}", path.display())))
}

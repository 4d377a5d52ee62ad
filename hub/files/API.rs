// ---- path.rs
/// Where a file or folder is: names from the top down. Exists only well-formed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FilePath;
impl FilePath {
    pub const LEVELS: usize = 60;
    pub const BYTES: usize = 4096;
    pub fn root() -> Self;
    /// Names as decoded from a URL. `Invalid`: empty, `.`, `..`, with `/`, NUL or another control
    /// character, not 1 to 255 bytes; too many or too long together.
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self>;
    /// `a/b/c`, with or without a slash at either end.
    pub fn parse(text: &str) -> Result<Self>;
    pub fn join(&self, name: &str) -> Result<Self>;
    pub fn names(&self) -> impl Iterator<Item = &str>;
    pub fn name(&self) -> Option<&str>;
    pub fn parent(&self) -> Option<Self>;
    pub fn is_root(&self) -> bool;
    /// True for the path itself and everything below (names compared in NFC).
    pub fn contains(&self, other: &Self) -> bool;
}
impl Display // a/b/c

// ---- node.rs
#[derive(Clone, Debug)]
pub struct Node {
    pub id: NodeId,            // NodeId(pub i64)
    pub kind: NodeKind,        // File | Folder
    pub name: String,          // as it was written; "" for the top
    /// Bytes of a file; of everything below, for a folder.
    pub size: u64,
    /// As the client said, validated; "" if it did not.
    pub content_type: String,
    pub created_at: i64,       // Unix seconds
    pub modified_at: i64,
    /// Strong, without quotes, [0-9a-f-]. Of a file: of its content, the same wherever it is moved. Of a folder: changes when anything below does.
    pub etag: String,
    /// The commit that changed it last; of a folder, or anything below.
    pub modseq: Modseq,
    /// As the client sent it (`SHA1:…`); "" if it did not.
    pub checksum: String,
    pub has_properties: bool,  // dead ones
}
impl Node { pub fn is_folder(&self) -> bool }

// ---- conditions.rs
/// Under which conditions an operation takes place, decided in its transaction.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// All must hold, for the resource that the operation is asked of (the source of COPY and MOVE); else `Stale`.
    pub preconditions: Vec<Precondition>,
    /// RFC 4918 §10.4: one list must hold if there are any; else `Stale`. At most 64 lists and terms.
    pub lists: Vec<IfList>,
    /// Lock tokens that were submitted, wherever in the header they stand.
    pub tokens: Vec<LockToken>,
}
pub enum Precondition { Exists /* If-Match: * */, Match(Vec<String>), NotExists /* If-None-Match: * */, NoneMatch(Vec<String>), UnmodifiedSince(i64) }
pub struct IfList { pub of: StateOf, pub terms: Vec<IfTerm> }
pub enum StateOf { /// the resource of the request
    Target, Path(FilePath), /// no file of this twin: has neither locks nor etag
    Elsewhere }
pub enum IfTerm { Etag { not: bool, etag: String }, Token { not: bool, token: LockToken } }

// ---- read.rs
impl Listing { /// The next page, up to 500; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Node>>>; }
pub struct Walked { /// Below the folder that was asked for, `a/b/c`
    pub path: String, pub node: Node }
impl Walk { pub async fn next(&mut self) -> Result<Option<Vec<Walked>>>; }
pub struct OpenFile { pub node: Node, .. }
impl OpenFile { /// At most `length` bytes from `offset` on; fewer at the end. 128 KiB are a good length.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes>; }

// ---- upload.rs
#[derive(Clone, Debug, Default)]
pub struct FileMetadata {
    /// `type/subtype; …`; anything that is not a media type is dropped.
    pub content_type: String,
    pub modified_at: Option<i64>, pub created_at: Option<i64>,
    /// `ALGORITHM:hex`, at most 255 bytes of ASCII; dropped otherwise.
    pub checksum: String,
}
impl Upload {
    /// `OverQuota` as soon as the file cannot fit any more, `Unavailable` when the disk is full.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()>;
    pub fn len(&self) -> u64;
    /// Dropping an upload instead forgets it.
    pub async fn finish(self, metadata: FileMetadata) -> Result<Placed>;
}

// ---- tree.rs
pub enum CopyDepth { Zero, Infinity }
pub enum Overwrite { Allow, Refuse }
pub struct Placed { pub node: Node, /// Nothing was there before
    pub created: bool }

// ---- properties.rs
pub struct PropertyName { pub namespace: String, pub name: String }  // at most 255 bytes each
pub struct NodePatch { pub set: Vec<(PropertyName, Option<String>)> /* None removes; in order; value is XML text as the client sent, ≤ 64 KiB */, pub modified_at: Option<i64>, pub created_at: Option<i64>, pub content_type: Option<String> }

// ---- locks.rs
pub struct LockToken(String)   // `opaquelocktoken:…`/`urn:uuid:…`; LockToken::new(text): any text ≤ 255
pub enum LockScope { Exclusive, Shared }
pub struct LockRequest { pub scope: LockScope, pub deep: bool, /// XML of the owner element's content, at most 8 KiB
    pub owner: String, pub timeout_seconds: u32 /* cut to a day */ }
pub struct FileLock { pub token: LockToken, pub scope, pub deep: bool, pub owner: String, pub timeout_seconds: u32, pub expires_at: i64, pub node: NodeId, /// the lock root
    pub root: FilePath }
impl FileLock { /// whether the node at this path is within its scope
    pub fn covers(&self, path: &FilePath) -> bool; pub fn remaining_seconds() -> u32 }

// ---- changes.rs
#[derive(Clone, Copy, PartialEq, Eq)] pub struct SyncState  // Display / FromStr: `123` or `123-45`
pub enum SyncDepth { One, Infinity }
pub struct FileChange { /// below the folder
    pub path: String, /// None: has gone
    pub node: Option<Node> }
pub struct FileChanges { pub changes: Vec<FileChange>, /// what to ask with next
    pub state: SyncState, pub more: bool }

// hub::Error, new: Conflict(&'static str) (409), Locked { root: String } (423; the lock root's path)

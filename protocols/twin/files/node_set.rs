//! FileNode/set (§3.2.3).

use hub::files::{
    Conditions, FileMetadata, FilePath, Files, Located, NodePatch, Overwrite, Placed, Precondition,
};
use hub::{Account, Error};
use serde_json::{Map, Value, json};

use super::node::object;
use crate::blob;
use crate::clock::unix_now;
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::patch;
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids::{self, BlobId};
use crate::mail::dates;

const SETTABLE: [&str; 13] = [
    "parentId",
    "nodeType",
    "blobId",
    "name",
    "type",
    "created",
    "modified",
    "accessed",
    "executable",
    "isSubscribed",
    "target",
    "shareWith",
    "role",
];

/// What becomes of something that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnExists {
    Fail,
    Newest,
    Rename,
    Replace,
}

impl OnExists {
    fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        match arguments.string("onExists")?.as_deref() {
            None => Ok(Self::Fail),
            Some("newest") => Ok(Self::Newest),
            Some("rename") => Ok(Self::Rename),
            Some("replace") => Ok(Self::Replace),
            Some(_) => Err(MethodError::argument("onExists", "is not replace, rename or newest")),
        }
    }
}

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let remove_children = arguments.flag("onDestroyRemoveChildren")?;
    if arguments.flag("compareCaseInsensitively")? {
        return Err(MethodError::argument(
            "compareCaseInsensitively",
            "is not offered: names have their case",
        ));
    }
    let on_exists = OnExists::take(&mut arguments)?;
    let files = context.account.files();
    let old_state = files.files_state().await?.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    create_all(context, &files, on_exists, std::mem::take(&mut request.create), &mut answer).await;
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, object) in update {
        let result = update_one(context, &files, on_exists, &id, &object).await;
        answer.updated(written, result.map(|changed| (!changed.is_empty()).then_some(changed)));
    }
    destroy_all(&files, destroy, remove_children, &mut answer).await?;
    let new_state = files.files_state().await?.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

/// Folders before what is in them, which refers to them.
async fn create_all(
    context: &mut Context,
    files: &Files,
    on_exists: OnExists,
    mut left: Vec<(String, Object)>,
    answer: &mut SetAnswer,
) {
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|(creation, _)| creation.clone()).collect();
        let waits = |object: &Object| {
            let parent = object.get("parentId").and_then(Value::as_str).and_then(|id| id.strip_prefix('#'));
            parent.is_some_and(|parent| names.iter().any(|name| name == parent))
        };
        let (later, now): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, object)| waits(object));
        // What waits for each other in a circle is not going to get a folder.
        let (now, later) = if now.is_empty() { (later, now) } else { (now, later) };
        for (creation, object) in now {
            let result = create(context, files, on_exists, &object).await;
            answer.created(context, creation, result);
        }
        left = later;
    }
}

/// What a client says of a node.
struct Wanted {
    name: String,
    folder: FilePath,
    content_type: Option<String>,
    created_at: Option<i64>,
    modified_at: Option<i64>,
}

impl Wanted {
    async fn read(context: &Context, files: &Files, object: &Object) -> SetResult<Self> {
        let wrong = |name: &str| SetError::property(name, "is of the wrong type or value");
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name)),
        };
        // §3.1: `null` is now.
        let time = |name: &str| match object.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(unix_now())),
            Some(value) => {
                value.as_str().and_then(dates::parse).map(|(unix, _)| Some(unix)).ok_or_else(|| wrong(name))
            }
        };
        let name = text("name")?.ok_or_else(|| SetError::property("name", "is missing"))?;
        let folder = match text("parentId")? {
            None => FilePath::root(),
            Some(id) => {
                let id = references::created(&id, &context.created).and_then(ids::parse_file);
                let found = match id {
                    Some(id) => files.located(&[id]).await?.pop(),
                    None => None,
                };
                let found = found.filter(|found| found.node.is_folder());
                found.ok_or_else(|| SetError::property("parentId", "is no directory"))?.path
            }
        };
        folder.join(&name).map_err(|error| SetError::property("name", &error.to_string()))?;
        for (name, only) in [
            ("target", Value::Null),
            ("shareWith", Value::Null),
            ("role", Value::Null),
            ("executable", json!(false)),
            ("isSubscribed", json!(true)),
        ] {
            if object.get(name).is_some_and(|value| !value.is_null() && *value != only) {
                return Err(SetError::property(name, "cannot be set here"));
            }
        }
        Ok(Self {
            name,
            folder,
            content_type: text("type")?,
            created_at: time("created")?,
            modified_at: time("modified")?,
        })
    }

    fn path(&self) -> SetResult<FilePath> {
        Ok(self.folder.join(&self.name)?)
    }

    fn metadata(&self) -> FileMetadata {
        FileMetadata {
            content_type: self.content_type.clone().unwrap_or_default(),
            modified_at: self.modified_at,
            created_at: self.created_at,
            checksum: String::new(),
        }
    }
}

/// Where something goes, and what may give way to it there.
async fn place(
    files: &Files,
    path: FilePath,
    on_exists: OnExists,
    modified_at: Option<i64>,
) -> SetResult<(FilePath, bool)> {
    let there = match files.lookup(&path).await {
        Ok(node) => node,
        Err(Error::NotFound(_)) => return Ok((path, false)),
        Err(error) => return Err(error.into()),
    };
    let gives_way = match on_exists {
        OnExists::Rename => return Ok((files.free_path(&path).await?, false)),
        OnExists::Fail => false,
        OnExists::Replace => true,
        OnExists::Newest => modified_at.unwrap_or_else(unix_now) > there.modified_at,
    };
    match gives_way {
        true => Ok((path, true)),
        false => Err(SetError::new(SetErrorKind::AlreadyExists, "something there has this name")
            .with("existingId", json!(ids::file(there.id)))),
    }
}

async fn create(context: &Context, files: &Files, on_exists: OnExists, given: &Object) -> SetResult<Object> {
    set::check_names(given, |name| SETTABLE.contains(&name) || name == "size")?;
    let wanted = Wanted::read(context, files, given).await?;
    let blob = given.get("blobId").filter(|blob| !blob.is_null());
    let kind = match (given.get("nodeType").filter(|kind| !kind.is_null()), blob) {
        (None, Some(_)) => "file",
        (None, None) => "directory",
        (Some(kind), _) => kind.as_str().unwrap_or_default(),
    };
    let (path, may_replace) = place(files, wanted.path()?, on_exists, wanted.modified_at).await?;
    let id = match (kind, blob) {
        ("file", Some(blob)) => {
            let size = given.get("size").filter(|size| !size.is_null());
            let content = Content { blob, size, may_replace };
            put(&context.account, files, content, &path, wanted.metadata()).await?.node.id
        }
        ("file", None) => return Err(SetError::property("blobId", "is missing")),
        ("directory", Some(_)) => {
            return Err(SetError::property("blobId", "is nothing that a directory has"));
        }
        ("directory", None) => {
            if may_replace {
                files.delete(&path, Conditions::default()).await?;
            }
            let made = files.make_folder(&path, Vec::new(), Conditions::default()).await?;
            let times = NodePatch {
                modified_at: wanted.modified_at,
                created_at: wanted.created_at,
                ..NodePatch::default()
            };
            if times.modified_at.is_some() || times.created_at.is_some() {
                files.patch(&path, times, Conditions::default()).await?;
            }
            made.id
        }
        _ => return Err(SetError::property("nodeType", "is not file or directory")),
    };
    let made = files.located(&[id]).await?.pop().ok_or(SetErrorKind::ServerFail)?;
    let mut object = object(&made);
    object.retain(|name, value| name == "id" || given.get(name) != Some(value));
    Ok(object)
}

/// Writes what a blob holds to a path; its size, and what is there now.
/// What a file is to have in it.
struct Content<'a> {
    blob: &'a Value,
    /// What the client takes the size to be.
    size: Option<&'a Value>,
    may_replace: bool,
}

async fn put(
    account: &Account,
    files: &Files,
    Content { blob, size, may_replace }: Content<'_>,
    path: &FilePath,
    metadata: FileMetadata,
) -> SetResult<Placed> {
    let missing = || SetError::new(SetErrorKind::BlobNotFound, "").with("notFound", json!([blob]));
    let id = blob.as_str().ok_or_else(|| SetError::property("blobId", "is not a string"))?;
    let source = blob::open(account, &BlobId::parse(id).ok_or_else(missing)?).await;
    let source = source.map_err(|error| match error {
        Error::NotFound(_) => missing(),
        other => other.into(),
    })?;
    if size.is_some_and(|size| *size != json!(source.size())) {
        return Err(SetError::property("size", "is not that of the blob"));
    }
    let preconditions = if may_replace { Vec::new() } else { vec![Precondition::NotExists] };
    let conditions = Conditions { preconditions, ..Conditions::default() };
    let mut upload = files.begin(path, Some(source.size()), conditions).await?;
    let mut rest = 0..source.size();
    while let Some(piece) = source.next(&mut rest).await? {
        upload.write(&piece).await?;
    }
    upload.finish(metadata).await.map_err(|error| match error {
        // Somebody else was quicker.
        Error::Stale => SetErrorKind::AlreadyExists.into(),
        other => SetError::from(other),
    })
}

async fn find(files: &Files, id: &str) -> SetResult<Located> {
    let id = ids::parse_file(id).ok_or(SetErrorKind::NotFound)?;
    files.located(&[id]).await?.pop().ok_or_else(|| SetErrorKind::NotFound.into())
}

/// What the server has set besides.
async fn update_one(
    context: &Context,
    files: &Files,
    on_exists: OnExists,
    id: &str,
    changes: &Object,
) -> SetResult<Object> {
    let located = find(files, id).await?;
    let before = object(&located);
    let mut after = before.clone();
    patch::apply(&mut after, changes)?;
    let changed = |name: &str| changes.contains_key(name) && before.get(name) != after.get(name);
    let names: Object =
        after.iter().filter(|(name, _)| changed(name)).map(|(a, b)| (a.clone(), b.clone())).collect();
    set::check_names(&names, |name| SETTABLE.contains(&name) && name != "nodeType")?;
    // Times that the client does not name stay; an explicit null is now.
    let mut said = after.clone();
    said.retain(|name, _| !["created", "modified"].contains(&name.as_str()) || changes.contains_key(name));
    let wanted = Wanted::read(context, files, &said).await?;
    if changed("blobId") && located.node.is_folder() {
        return Err(SetError::property("blobId", "is nothing that a directory has"));
    }
    let mut by_server = Map::new();
    let mut path = located.path.clone();
    if changed("name") || changed("parentId") {
        let (to, may_replace) = place(files, wanted.path()?, on_exists, wanted.modified_at).await?;
        let overwrite = if may_replace { Overwrite::Allow } else { Overwrite::Refuse };
        files.rename(&path, (files, &to), overwrite, Conditions::default()).await.map_err(about_place)?;
        if to.name() != Some(wanted.name.as_str()) {
            by_server.insert("name".into(), json!(to.name()));
        }
        path = to;
    }
    if changed("blobId") {
        let metadata = FileMetadata {
            content_type: wanted.content_type.clone().unwrap_or_default(),
            // §3.1: times are the client's; writing does not change them.
            modified_at: wanted.modified_at.or(Some(located.node.modified_at)),
            ..FileMetadata::default()
        };
        let blob = after.get("blobId").unwrap_or(&Value::Null);
        let content = Content { blob, size: None, may_replace: true };
        put(&context.account, files, content, &path, metadata).await?;
        let now = find(files, id).await?;
        by_server.insert("size".into(), json!(now.node.size));
        by_server.insert("blobId".into(), object(&now).remove("blobId").unwrap_or_default());
    }
    let patch = NodePatch {
        properties: Vec::new(),
        modified_at: wanted.modified_at,
        created_at: wanted.created_at,
        content_type: changed("type").then(|| wanted.content_type.clone().unwrap_or_default()),
    };
    if patch.modified_at.is_some() || patch.created_at.is_some() || patch.content_type.is_some() {
        files.patch(&path, patch, Conditions::default()).await?;
    }
    Ok(by_server)
}

fn about_place(error: Error) -> SetError {
    match error {
        Error::Forbidden(why) => SetError::property("parentId", why),
        other => other.into(),
    }
}

/// What is deepest first: a directory may be destroyed together with all that is in it.
async fn destroy_all(
    files: &Files,
    destroy: Vec<(String, String)>,
    remove_children: bool,
    answer: &mut SetAnswer,
) -> MethodResult<()> {
    let parsed: Vec<_> = destroy.iter().filter_map(|(_, id)| ids::parse_file(id)).collect();
    let located = files.located(&parsed).await?;
    let levels = |id: &str| {
        let id = ids::parse_file(id);
        located.iter().find(|one| Some(one.node.id) == id).map_or(0, |one| one.path.names().len())
    };
    let mut by_depth = destroy;
    by_depth.sort_by_cached_key(|(_, id)| std::cmp::Reverse(levels(id)));
    for (written, id) in by_depth {
        let result = match find(files, &id).await {
            // It went with the directory that it was in.
            Err(error) if error.kind == SetErrorKind::NotFound && levels(&id) > 0 => Ok(()),
            Err(error) => Err(error),
            Ok(found) if found.node.nodes > 1 && !remove_children => {
                Err(SetErrorKind::NodeHasChildren.into())
            }
            Ok(found) => files.delete(&found.path, Conditions::default()).await.map_err(SetError::from),
        };
        answer.destroyed(written, result);
    }
    Ok(())
}

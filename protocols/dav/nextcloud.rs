//! What the clients of ownCloud and Nextcloud (and rclone in their name) ask for besides WebDAV: who the
//! server is, who they are, and to put the pieces of a large upload together.

use hub::Account;
use hub::files::FilePath;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::checksum::Checksum;
use crate::path::Place;
use crate::put::{metadata, stored};
use crate::reply::{self, Reply};
use crate::shares::Spot;
use crate::status::Refusal;
use crate::{Call, head, precondition, tree};

/// A version of Nextcloud that knows all that is here. Its clients refuse old ones.
const VERSION: [u32; 4] = [28, 0, 0, 0];
const VERSION_TEXT: &str = "28.0.0";

/// Bytes of a piece: below what one commit keeps waiting, above what costs a round trip each.
const PIECE: u64 = 10 << 20;

pub(crate) fn takes(path: &str) -> bool {
    path == "/status.php" || path.starts_with("/ocs/")
}

/// Clients look at this before they ask for a password.
pub(crate) fn without_login(path: &str) -> Option<Reply> {
    let [major, minor, micro, build] = VERSION;
    (path == "/status.php").then(|| {
        json_reply(&json!({
            "installed": true,
            "maintenance": false,
            "needsDbUpgrade": false,
            "version": format!("{major}.{minor}.{micro}.{build}"),
            "versionstring": VERSION_TEXT,
            "edition": "",
            "productname": "Twin Hub",
            "extendedSupport": false,
        }))
    })
}

/// The OCS interface, in JSON; `None` for other paths.
pub(crate) async fn of_account(head: &Parts, account: &Account) -> Option<Reply> {
    let path = head.uri.path().strip_prefix("/ocs/")?;
    let (version, resource) = path.split_once('/')?;
    // v1 says 100 where v2 says 200.
    let ok = match version {
        "v1.php" => 100,
        "v2.php" => 200,
        _ => return Some(nothing()),
    };
    let data = match resource {
        "cloud/capabilities" => capabilities(),
        "cloud/user" => user(account).await,
        _ => return Some(nothing()),
    };
    let meta = json!({ "status": "ok", "statuscode": ok, "message": "OK" });
    Some(json_reply(&json!({ "ocs": { "meta": meta, "data": data } })))
}

fn nothing() -> Reply {
    let meta = json!({ "status": "failure", "statuscode": 404, "message": "" });
    let mut reply = json_reply(&json!({ "ocs": { "meta": meta, "data": [] } }));
    *reply.status_mut() = StatusCode::NOT_FOUND;
    reply
}

fn json_reply(value: &Value) -> Reply {
    reply::with_content(StatusCode::OK, "application/json; charset=utf-8", value.to_string())
}

fn capabilities() -> Value {
    let [major, minor, micro, _] = VERSION;
    json!({
        "version": {
            "major": major, "minor": minor, "micro": micro, "string": VERSION_TEXT, "edition": "",
            "extendedSupport": false,
        },
        "capabilities": {
            "core": { "pollinterval": 60, "webdav-root": "remote.php/webdav" },
            "dav": { "chunking": "1.0" },
            "files": {
                "bigfilechunking": true, "blacklisted_files": [], "undelete": false, "versioning": false,
                "chunked_upload": { "max_size": PIECE, "max_parallel_count": 4 },
            },
            "checksums": { "supportedTypes": ["SHA1", "SHA256"], "preferredUploadType": "SHA1" },
            "files_sharing": { "api_enabled": false },
        },
    })
}

async fn user(account: &Account) -> Value {
    let handle = account.handle().to_string();
    // A client shows it, and does without.
    let (used, limit) = account.files().quota().await.unwrap_or_default();
    let free = limit.map(|limit| limit.saturating_sub(used));
    json!({
        "id": handle,
        "display-name": handle,
        "displayname": handle,
        "email": handle,
        "enabled": true,
        // -3 is "no limit".
        "quota": {
            "used": used,
            "free": free.map_or(json!(-3), Value::from),
            "total": limit.map_or(json!(-3), Value::from),
            "quota": limit.map_or(json!(-3), Value::from),
        },
    })
}

/// The folder of pieces, if the request is about the file that they make: `…/uploads/HANDLE/ID/.file`.
pub(crate) fn parts(place: &Place) -> Option<FilePath> {
    match place {
        Place::Upload { path, .. } if path.name() == Some(".file") => path.parent(),
        _ => None,
    }
}

/// `MOVE …/uploads/HANDLE/ID/.file` with the Destination of the whole file.
pub(crate) async fn assemble(call: &Call, parts: FilePath) -> Result<Reply, Refusal> {
    let location = tree::destination(call)?;
    let Place::File { .. } = location.place else {
        return Err(Refusal::Status(StatusCode::FORBIDDEN, "Files cannot be brought there."));
    };
    let target = Spot::find_to_write(&call.account, &location).await?;
    let headers = &call.head.headers;
    let mut metadata = metadata(headers);
    // The type of a MOVE is not the file's.
    metadata.content_type = String::new();
    let (uploads, path) = (call.account.uploads(), target.path());
    // What clients say is about the file that is made, not about the parts.
    let at = target.share.as_ref().map_or_else(FilePath::root, |(_, at)| at.clone());
    let conditions = precondition::conditions(&call.head.uri, headers, &target.location, &at)?;
    let (total, mut checksum) = (total(headers)?, Checksum::expected(headers)?);
    let look = |piece: &[u8]| checksum.update(piece);
    let assembly = target.files.assemble((&uploads, &parts), &path, conditions, look).await?;
    if total.is_some_and(|total| total != assembly.len()) {
        return Err(Refusal::Status(
            StatusCode::BAD_REQUEST,
            "The parts are not as long as OC-Total-Length says.",
        ));
    }
    checksum.check()?;
    Ok(stored(headers, &assembly.finish(metadata).await?))
}

/// How long the client knows the whole to be.
fn total(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let bad = Refusal::Status(StatusCode::BAD_REQUEST, "OC-Total-Length is not a number.");
    head::named(headers, "oc-total-length").map(str::parse).transpose().map_err(|_| bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Location;

    #[test]
    fn the_file_that_pieces_make() {
        for (path, expected) in [
            ("/dav/uploads/a@a.test/web-1/.file", Some("web-1")),
            ("/remote.php/dav/uploads/a@a.test/web-1/.file", Some("web-1")),
            ("/dav/uploads/a@a.test/web-1/1", None),
            ("/dav/files/a@a.test/web-1/.file", None),
        ] {
            let location = Location::parse(path).expect("a path");
            let parts = parts(&location.place).map(|parts| parts.to_string());
            assert_eq!(parts.as_deref(), expected, "{path}");
        }
    }
}

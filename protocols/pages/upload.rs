//! Files that a form sends (`multipart/form-data`, RFC 7578): each streams to the hub as it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use hub::files::{Conditions, FileMetadata, FilePath, Files, Precondition, Upload};
use hub_content::text;
use hub_wire::http::{Body, BoxError};
use hyper::StatusCode;
use hyper::header;
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::Call;
use crate::form::SILENCE;
use crate::status::Refusal;
use crate::visitor::Spot;

/// Files of one form.
const MAX_FILES: usize = 10_000;
/// Of a form that is refused.
const UNWANTED: u64 = 64 << 20;
/// Bytes of a field that is no file.
const MAX_FIELD: u64 = 1024;

/// What has arrived stays, also if a later file does not fit.
pub(crate) async fn receive(call: &mut Call, spot: &Spot) -> Result<(), Refusal> {
    let (files, folder) = spot.files()?;
    let kind = text(&call.head.headers, &header::CONTENT_TYPE).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| malformed())?;
    let body = std::mem::replace(&mut call.body, hub_wire::http::empty());
    let left = Arc::new(AtomicU64::new(u64::MAX));
    let limits = Constraints::new().size_limit(SizeLimit::new().for_field("replace", MAX_FIELD));
    let mut form = Multipart::with_constraints(pieces(body, Arc::clone(&left)), boundary, limits);
    let done = receive_all(&mut form, files, folder).await;
    if done.is_err() {
        // A browser looks at the answer only when it has sent everything.
        left.store(UNWANTED, Ordering::Relaxed);
        while let Ok(Some(_)) = next(&mut form).await {}
    }
    done
}

async fn receive_all(form: &mut Multipart<'static>, files: &Files, folder: &FilePath) -> Result<(), Refusal> {
    let (mut replaces, mut count) = (false, 0);
    while let Some(field) = next(form).await? {
        match (field.name(), field.file_name()) {
            (Some("replace"), None) => replaces = files.access().may_write(),
            // A form without files sends one without a name.
            (Some("file"), Some(name)) if !name.is_empty() => {
                count += 1;
                if count > MAX_FILES {
                    return Err(hub::Error::Limit("files of one form").into());
                }
                let path = folder.join(last(name))?;
                store(files, path, replaces, field).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Some browsers name the folders, too.
fn last(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or_default()
}

async fn store(
    files: &Files,
    path: FilePath,
    replaces: bool,
    mut field: Field<'static>,
) -> Result<(), Refusal> {
    let mut conditions = Conditions::default();
    let path = match replaces {
        true => path,
        false => {
            // Somebody may take the name meanwhile: then nothing is replaced, and the sender is told.
            conditions.preconditions.push(Precondition::NotExists);
            files.free_path(&path).await?
        }
    };
    let content_type = field.content_type().map_or_else(String::new, ToString::to_string);
    let mut upload: Upload = files.begin(&path, None, conditions).await?;
    while let Some(piece) = piece(&mut field).await? {
        upload.write(&piece).await?;
    }
    // What a browser does not know is better told by the name.
    let content_type = if content_type == "application/octet-stream" { String::new() } else { content_type };
    upload.finish(FileMetadata { content_type, ..FileMetadata::default() }).await?;
    Ok(())
}

async fn next(form: &mut Multipart<'static>) -> Result<Option<Field<'static>>, Refusal> {
    let field = tokio::time::timeout(SILENCE, form.next_field()).await;
    field.map_err(|_| late())?.map_err(|_| malformed())
}

async fn piece(field: &mut Field<'static>) -> Result<Option<Bytes>, Refusal> {
    let piece = tokio::time::timeout(SILENCE, field.chunk()).await;
    piece.map_err(|_| late())?.map_err(|_| malformed())
}

fn late() -> Refusal {
    Refusal::Status(StatusCode::REQUEST_TIMEOUT, "It took too long", "Please try again.")
}

fn malformed() -> Refusal {
    Refusal::Status(
        StatusCode::BAD_REQUEST,
        "Not everything has arrived",
        "The connection broke off, or the form is no form. Look which files are there, and send the others again.",
    )
}

/// The body, as long as there are bytes left.
fn pieces(body: Body, left: Arc<AtomicU64>) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    body.into_data_stream().map(move |piece| {
        let piece = piece?;
        let length = piece.len() as u64;
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length)) {
            Ok(_) => Ok(piece),
            Err(_) => Err("nobody wants the rest".into()),
        }
    })
}

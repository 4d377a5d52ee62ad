//! The text of files' contents, and whether it has what is looked for.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hub_documents::{Kind, MOST_TEXT, START, text};
use hub_mime::fold_cow;
use hub_storage::files::TextForm;
use hub_storage::{BlobId, OpenBlob};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::terms::{self, Terms};
use super::texts::{Place, Sink as _};
use crate::{Error, Inner, Result, apart};

/// Bytes of a content that are read at once.
const PIECE: usize = 128 << 10;
/// Programs that read documents at the same time, in the whole process.
static READERS: Semaphore = Semaphore::const_new(2);
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Finds out what texts these contents have, of which sizes are known; in the same order.
pub(crate) async fn read_documents(hub: &Inner, contents: &[(BlobId, u64)]) -> Result<Vec<TextForm>> {
    let starts: Vec<(BlobId, usize)> = contents.iter().map(|(blob, _)| (*blob, START)).collect();
    let starts = hub.storage.read_starts(&starts).await?;
    let mut forms = Vec::with_capacity(contents.len());
    for ((blob, size), start) in contents.iter().zip(starts) {
        let kind = Kind::of(&start);
        forms.push(match kind.and_then(|kind| Some((kind, kind.wants(*size)?))) {
            None => TextForm::Nothing,
            // It is quicker to read it again than to keep it twice.
            Some((Kind::Plain, wanted)) => TextForm::Itself(wanted),
            Some((kind, wanted)) => read_document(hub, *blob, kind, wanted).await?,
        });
    }
    Ok(forms)
}

async fn read_document(hub: &Inner, blob: BlobId, kind: Kind, wanted: u64) -> Result<TextForm> {
    let content = hub.storage.open_blob(blob).await?;
    let found = match &hub.settings.document_reader {
        Some(reader) if kind.is_risky() => read_apart(reader, &content, wanted).await?,
        _ => {
            let document = read_start(&content, wanted).await?;
            apart(move || text(kind, &document)).await?
        }
    };
    Ok(if found.is_empty() { TextForm::Nothing } else { TextForm::Beside(found) })
}

/// The texts of contents, in the same order.
pub(crate) async fn texts_of(hub: &Inner, forms: Vec<(BlobId, TextForm)>) -> Result<Vec<String>> {
    let is_short = |size: u64| size <= PIECE as u64;
    let short = forms.iter().filter_map(|(blob, form)| match form {
        TextForm::Itself(size) if is_short(*size) => Some((*blob, *size as usize)),
        _ => None,
    });
    let mut short = hub.storage.read_starts(&short.collect::<Vec<_>>()).await?.into_iter();
    let mut texts = Vec::with_capacity(forms.len());
    for (blob, form) in forms {
        texts.push(match form {
            TextForm::Nothing => String::new(),
            TextForm::Beside(text) => text,
            TextForm::Itself(size) if is_short(size) => text(Kind::Plain, &short.next().unwrap_or_default()),
            TextForm::Itself(size) => {
                let start = read_start(&hub.storage.open_blob(blob).await?, size).await?;
                apart(move || text(Kind::Plain, &start)).await?
            }
        });
    }
    Ok(texts)
}

async fn read_start(content: &OpenBlob, size: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < size {
        let left = usize::try_from(size - bytes.len() as u64).unwrap_or(PIECE);
        let piece = content.read(bytes.len() as u64, left.min(PIECE)).await?;
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Has a process of its own read a document, which a parser may do what it likes to. A document that
/// makes it fail, or takes it too long, has no text.
async fn read_apart(program: &Path, content: &OpenBlob, size: u64) -> Result<String> {
    let busy = |_| Error::Unavailable(hub_storage::Error::Busy);
    let _turn = READERS.acquire().await.map_err(busy)?;
    let failed = |error| {
        let what = format!("{} cannot be run to read a document", program.display());
        Error::Unavailable(hub_storage::Error::Io { what, source: Arc::new(error) })
    };
    let mut command = Command::new(program);
    command.arg("document-text").env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let feed = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        let mut at = 0;
        while at < size {
            let piece = content.read(at, PIECE).await?;
            // Whoever does not read to the end has found what is wrong.
            if piece.is_empty() || stdin.write_all(&piece).await.is_err() {
                break;
            }
            at += piece.len() as u64;
        }
        Ok::<(), Error>(())
    };
    let take = async {
        let mut text = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MOST_TEXT as u64).read_to_end(&mut text).await.map_err(failed)?;
        }
        Ok::<Vec<u8>, Error>(text)
    };
    let work = async {
        let ((), text) = tokio::try_join!(feed, take)?;
        let is_well = child.wait().await.map_err(failed)?.success();
        Ok(if is_well { String::from_utf8_lossy(&text).into_owned() } else { String::new() })
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Ok(String::new()))
}

/// The terms by which the index knows a text.
pub(super) fn terms_of_text(text: &str) -> Vec<u32> {
    let mut terms = Terms::new();
    terms.begin(Place::Body);
    terms.piece(&fold_cow(text));
    terms.iter().collect()
}

/// The terms that a text must have to contain a folded needle.
pub(crate) fn terms_of_needle(needle: &str) -> Vec<u32> {
    terms::of_needle(needle, Place::Body)
}

/// Which of some folded needles each text contains.
pub(crate) async fn find_in(texts: Vec<String>, needles: Vec<String>) -> Result<Vec<Vec<bool>>> {
    let find = move |text: &String| {
        let text = fold_cow(text);
        let has = |needle: &String| memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some();
        needles.iter().map(has).collect()
    };
    apart(move || texts.iter().map(find).collect()).await
}

//! The control socket: administration while the server runs.
//!
//! A Unix socket in the data directory, open to the hub's own user only. One request and one answer
//! per connection, each a line of JSON; both bounded, with a time limit.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::admin::{Answer, Request};

const SOCKET: &str = "control.sock";
/// A request is some hundred bytes: addresses, a name, a password; at most a script of 64 KiB in JSON.
const MAX_REQUEST: u64 = 256 << 10;
/// A list of a hundred thousand twins is some 20 MiB.
const MAX_ANSWER: u64 = 256 << 20;
/// Removing a twin with a large mailbox takes some seconds.
const TIME: Duration = Duration::from_secs(60);
/// Requests worked on at a time, and transfers; further ones wait.
const PARALLEL: usize = 8;
/// The answer to a request for a transfer, before its frames.
const TRANSFER_BEGINS: &[u8; 9] = b"transfer\n";

/// Listens in `data_dir`. The caller holds the lock on the directory, so a socket that is there was
/// left behind by a server that is gone.
pub(crate) fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let (_folder, path) = socket_path(data_dir)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket of a server that stops.
pub(crate) fn remove(data_dir: &Path) {
    // If it stays, the next server removes it.
    let _ = fs::remove_file(data_dir.join(SOCKET));
}

/// Answers requests until the task is dropped. A connection that asks for a transfer is handed to
/// `transfer`, and may take as long as it likes.
pub(crate) async fn serve<F, Fut, G, Gut>(listener: UnixListener, handler: F, transfer: G)
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
    G: Fn(UnixStream) -> Gut + Send + Sync + 'static,
    Gut: Future<Output = ()> + Send + 'static,
{
    let (handler, transfer) = (Arc::new(handler), Arc::new(transfer));
    let places = Arc::new(Semaphore::new(PARALLEL));
    let transfers = Arc::new(Semaphore::new(PARALLEL));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "the control socket does not accept for the moment");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let (handler, transfer, transfers) =
            (Arc::clone(&handler), Arc::clone(&transfer), Arc::clone(&transfers));
        tokio::spawn(async move {
            match tokio::time::timeout(TIME, converse(stream, &*handler)).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(stream))) => {
                    drop(place);
                    let Ok(_place) = transfers.acquire().await else { return };
                    transfer(stream).await;
                }
                Ok(Err(error)) => warn!(%error, "a control connection broke"),
                Err(_) => warn!("a control connection took too long"),
            }
        });
    }
}

/// Returns the connection if it is for a transfer.
async fn converse<F, Fut>(mut stream: UnixStream, handler: &F) -> io::Result<Option<UnixStream>>
where
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    BufReader::new(reader.take(MAX_REQUEST)).read_until(b'\n', &mut line).await?;
    let answer = match serde_json::from_slice(&line) {
        // The client says nothing more before it has this answer, so nothing of it was read here.
        Ok(Request::Transfer) => {
            writer.write_all(TRANSFER_BEGINS).await?;
            return Ok(Some(stream));
        }
        Ok(request) => handler(request).await,
        Err(error) => Answer::Failed(format!(
            "the server does not understand the request ({error}); is it of the same version as this command?"
        )),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    writer.write_all(&text).await?;
    writer.shutdown().await?;
    Ok(None)
}

/// A connection to the server that runs on `data_dir`; `None` if there is none.
async fn connect(data_dir: &Path) -> io::Result<Option<UnixStream>> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    let (_folder, path) = match socket_path(data_dir) {
        Ok(found) => found,
        Err(error) if error.kind() == NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A connection on which the server speaks `hub_transfer`'s frames; `None` if there is no server.
pub(crate) async fn transfer(data_dir: &Path) -> io::Result<Option<UnixStream>> {
    let Some(mut stream) = connect(data_dir).await? else { return Ok(None) };
    let mut text = serde_json::to_vec(&Request::Transfer)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    let mut answer = [0; TRANSFER_BEGINS.len()];
    let answered = tokio::time::timeout(TIME, stream.read_exact(&mut answer)).await;
    answered.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))??;
    if answer != *TRANSFER_BEGINS {
        return Err(io::Error::other(
            "the server knows no transfers; is it of the same version as this command?",
        ));
    }
    Ok(Some(stream))
}

/// Asks the server that runs on `data_dir`; `None` if there is none.
pub(crate) async fn ask(data_dir: &Path, request: &Request) -> io::Result<Option<Answer>> {
    let Some(mut stream) = connect(data_dir).await? else { return Ok(None) };
    let exchange = async {
        let mut text = serde_json::to_vec(request)?;
        text.push(b'\n');
        stream.write_all(&text).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        if answer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server stopped before it answered",
            ));
        }
        Ok(Some(serde_json::from_slice(&answer)?))
    };
    // A moment more than the server takes, so that its own words arrive.
    tokio::time::timeout(TIME + Duration::from_secs(5), exchange)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))?
}

/// A Unix socket's path has at most some hundred bytes, a data directory's may have more: then the
/// socket is reached through the open directory. The file must stay open as long as the path is used.
fn socket_path(data_dir: &Path) -> io::Result<(fs::File, PathBuf)> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::ffi::OsStrExt as _;
    const LONGEST: usize = 100;
    let folder = fs::File::open(data_dir)?;
    let path = data_dir.join(SOCKET);
    if path.as_os_str().as_bytes().len() <= LONGEST {
        return Ok((folder, path));
    }
    let short = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok((folder, short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(data_dir: &Path) -> tokio::task::JoinHandle<()> {
        let listener = listen(data_dir).expect("listens");
        let answer = |request| async move {
            match request {
                Request::DomainList => Answer::Domains(vec!["a.test".into()]),
                Request::DomainAdd { name } => Answer::Failed(format!("{name}?")),
                _ => Answer::Done,
            }
        };
        let transfer = |mut stream: UnixStream| async move {
            let _ = stream.write_all(b"frames").await;
        };
        tokio::spawn(serve(listener, answer, transfer))
    }

    #[tokio::test]
    async fn asked_and_answered() {
        let folder = tempfile::tempdir().expect("temporary directory");
        assert!(ask(folder.path(), &Request::DomainList).await.expect("no server is no error").is_none());
        assert!(ask(&folder.path().join("none"), &Request::DomainList).await.expect("no error").is_none());

        let server = start(folder.path());
        let mode = fs::metadata(folder.path().join(SOCKET)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let answer = ask(folder.path(), &Request::DomainList).await.expect("asked");
        assert!(matches!(answer, Some(Answer::Domains(domains)) if domains == ["a.test"]));
        let request = Request::DomainAdd { name: "ä\n".into() };
        let answer = ask(folder.path(), &request).await.expect("asked");
        assert!(matches!(answer, Some(Answer::Failed(why)) if why == "ä\n?"));

        server.abort();
        assert!(server.await.is_err());
        assert!(ask(folder.path(), &Request::DomainList).await.expect("the socket is stale").is_none());
        drop(start(folder.path()));
        assert!(ask(folder.path(), &Request::DomainList).await.expect("asked").is_some());
    }

    #[tokio::test]
    async fn a_connection_becomes_a_transfer() {
        let folder = tempfile::tempdir().expect("temporary directory");
        assert!(transfer(folder.path()).await.expect("no server is no error").is_none());
        let _server = start(folder.path());
        let mut stream = transfer(folder.path()).await.expect("asked").expect("a server");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("read");
        assert_eq!(said, "frames");
    }

    #[tokio::test]
    async fn rubbish_is_answered() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let _server = start(folder.path());
        let too_long = vec![b'a'; MAX_REQUEST as usize + 1];
        for rubbish in [&b""[..], b"\n", b"{}\n", b"{\"do\":\"fly\"}\n", b"\xff\xff\n", &too_long] {
            let mut stream = UnixStream::connect(folder.path().join(SOCKET)).await.expect("connects");
            // The server may have answered before it read everything.
            let _ = stream.write_all(rubbish).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            if stream.read_to_end(&mut answer).await.is_ok() {
                let answer: Answer = serde_json::from_slice(&answer).expect("JSON");
                assert!(matches!(answer, Answer::Failed(why) if why.contains("does not understand")));
            }
        }
        assert!(ask(folder.path(), &Request::DomainList).await.expect("asked").is_some());
    }

    #[tokio::test]
    async fn a_long_path_is_no_obstacle() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let deep = folder.path().join("d".repeat(150));
        fs::create_dir(&deep).expect("makes");
        let _server = start(&deep);
        assert!(ask(&deep, &Request::DomainList).await.expect("asked").is_some());
        remove(&deep);
        assert!(ask(&deep, &Request::DomainList).await.expect("asked").is_none());
    }
}

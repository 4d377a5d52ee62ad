//! A server of a few lines, for tests of the way out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What the server says to a line; `None` closes the connection. It is asked about `CONNECT` too, and
/// about `.` for the end of data.
type Answers = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Everything is fine. `KEYWORDS` are offered to EHLO.
pub(crate) fn offering(keywords: &'static [&'static str]) -> impl Fn(&str) -> Option<String> + Send + Sync {
    move |line: &str| {
        let reply = match line.split([' ', ':']).next().unwrap_or_default() {
            "CONNECT" => "220 sink.test ready".to_owned(),
            "EHLO" => {
                let lines: Vec<&str> = std::iter::once("sink.test").chain(keywords.iter().copied()).collect();
                let (last, first) = lines.split_last().expect("not empty");
                first.iter().map(|line| format!("250-{line}\r\n")).collect::<String>()
                    + &format!("250 {last}")
            }
            "DATA" => "354 go".to_owned(),
            "STARTTLS" => "220 2.0.0 go".to_owned(),
            "." => "250 2.6.0 queued".to_owned(),
            _ => "250 2.1.0 ok".to_owned(),
        };
        Some(reply)
    }
}

/// The same but for one kind of line.
pub(crate) fn but(
    start: &'static str,
    says: Option<&'static str>,
    else_: impl Fn(&str) -> Option<String> + Send + Sync,
) -> impl Fn(&str) -> Option<String> + Send + Sync {
    move |line: &str| if line.starts_with(start) { says.map(str::to_owned) } else { else_(line) }
}

pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Sink {
    /// With `tls`, it has a handshake after its 220 to STARTTLS; without, it then closes.
    pub(crate) async fn start(
        address: SocketAddr,
        answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (lines, answers): (_, Answers) = (Arc::clone(&heard), Arc::new(answers));
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (lines, answers, tls) = (Arc::clone(&lines), Arc::clone(&answers), tls.clone());
                tokio::spawn(async move {
                    let Some(stream) = talk(stream, &lines, &answers, true).await else { return };
                    let Some(tls) = tls else { return };
                    if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                        lines.lock().expect("unpoisoned").push("(TLS)".into());
                        talk(stream, &lines, &answers, false).await;
                    }
                });
            }
        });
        Self { address, heard, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every line heard, message text too; a chunk of BDAT is one entry, `(10 bytes)`.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("unpoisoned").clone()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        self.heard().iter().filter(|line| line.starts_with(start)).count()
    }
}

/// Returns the stream after STARTTLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    heard: &Mutex<Vec<String>>,
    answers: &Answers,
    greet: bool,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(format!("{}\r\n", answers("CONNECT")?).as_bytes()).await.ok()?;
    }
    let mut in_data = false;
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        heard.lock().expect("unpoisoned").push(line.clone());
        if in_data && line != "." {
            continue;
        }
        if let Some(size) = line.strip_prefix("BDAT ") {
            let size = size.split(' ').next().and_then(|size| size.parse().ok()).expect("a size");
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await.ok()?;
            heard.lock().expect("unpoisoned").push(format!("({size} bytes)"));
        }
        let reply = answers(&line)?;
        in_data = line == "DATA" && reply.starts_with("354");
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if line == "STARTTLS" && reply.starts_with("220") {
            return Some(stream.into_inner());
        }
    }
}

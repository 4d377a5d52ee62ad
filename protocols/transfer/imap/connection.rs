//! A client's connection: lines, literals, commands. It believes nothing: lines, literals and
//! answers are bounded, and silence ends it.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;

use super::response::{Body, Piece, Response, literal_at_end};
use super::{Login, Security};
use crate::{Courier, Error};

/// A busy server may think about a large mailbox for a while.
const SILENCE: Duration = Duration::from_secs(120);
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// One response without message bodies; flags of one message are some hundred bytes.
const MAX_RESPONSE: usize = 1 << 20;
/// Responses to one command that are not about a message.
const MAX_CHUNK: usize = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    tag: u32,
    pub(super) capabilities: String,
}

impl Connection {
    /// Connects and logs in.
    pub(super) async fn open(login: &Login<'_>) -> Result<Self, Error> {
        let address = login.address;
        let place = (address.host.as_str(), address.port);
        let tcp = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(place)).await;
        let tcp = tcp
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
            .flatten()
            .map_err(|error| Error::Broken(format!("cannot connect to {}: {error}", address.host)))?;
        let is_local = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        let mut connection = match address.security {
            Security::Implicit => Self::greet(handshake(login, tcp).await?).await?,
            Security::StartTls => {
                let mut plain = Self::greet(Box::new(tcp)).await?;
                if plain.has("STARTTLS") {
                    plain.simple("STARTTLS").await?;
                    if !plain.stream.buffer().is_empty() {
                        // RFC 3501 §6.2.1: what came before the handshake must not be believed after it.
                        return Err(Error::Refused(
                            "the server said something between STARTTLS and TLS".into(),
                        ));
                    }
                    let Self { stream, tag, .. } = plain;
                    let stream = BufReader::new(handshake(login, stream.into_inner()).await?);
                    let mut secured = Self { stream, tag, capabilities: String::new() };
                    secured.learn_capabilities().await?;
                    secured
                } else if is_local {
                    plain
                } else {
                    return Err(Error::Refused(
                        "the server offers no STARTTLS, and a password is not sent without; try imaps://"
                            .into(),
                    ));
                }
            }
        };
        connection.log_in(&address.user, login.password.expose()).await?;
        connection.learn_capabilities().await?;
        Ok(connection)
    }

    async fn greet(stream: Box<dyn Stream>) -> Result<Self, Error> {
        let mut connection = Self { stream: BufReader::new(stream), tag: 0, capabilities: String::new() };
        let greeting = connection.response(None::<&mut Courier<TcpStream>>).await?;
        if !greeting.text().to_ascii_uppercase().starts_with("* OK") {
            return Err(Error::Broken(format!("the server greets with {:?}", greeting.shown())));
        }
        connection.learn_capabilities().await?;
        Ok(connection)
    }

    async fn learn_capabilities(&mut self) -> Result<(), Error> {
        let responses = self.simple("CAPABILITY").await?;
        let line = responses.iter().find_map(|response| {
            let text = response.text().to_ascii_uppercase();
            text.strip_prefix("* CAPABILITY").map(|rest| format!("{} ", rest.trim_end()))
        });
        self.capabilities = line.unwrap_or_default();
        Ok(())
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.split(' ').any(|word| word == capability)
    }

    /// AUTHENTICATE PLAIN (RFC 4616) carries every password; LOGIN only ASCII.
    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Error> {
        let refused = |error| match error {
            Error::Refused(why) => Error::Refused(format!("the log-in is refused: {why}")),
            error => error,
        };
        if !self.has("AUTH=PLAIN") {
            let command = format!("LOGIN {} {}", quoted(user)?, quoted(password)?);
            return self.simple(&command).await.map(drop).map_err(refused);
        }
        let tag = self.send("AUTHENTICATE PLAIN").await?;
        let response = self.response(None::<&mut Courier<TcpStream>>).await?;
        if !response.text().starts_with('+') {
            return Err(refused(Error::Refused(response.shown())));
        }
        let secret = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.write(format!("{secret}\r\n").as_bytes()).await?;
        self.until_done(&tag, None::<&mut Courier<TcpStream>>, |_| Ok(())).await.map_err(refused)
    }

    /// A command with small answers.
    pub(super) async fn simple(&mut self, command: &str) -> Result<Vec<Response>, Error> {
        let mut responses = Vec::new();
        self.run(command, None::<&mut Courier<TcpStream>>, |response| {
            // 10,000: mailboxes of a very large account.
            if responses.len() < 10_000 {
                responses.push(response);
            }
            Ok(())
        })
        .await?;
        Ok(responses)
    }

    /// A command; `each` gets every untagged response.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        command: &str,
        courier: Option<&mut Courier<S>>,
        each: impl FnMut(Response) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let tag = self.send(command).await?;
        self.until_done(&tag, courier, each).await
    }

    pub(super) async fn send(&mut self, command: &str) -> Result<String, Error> {
        self.tag += 1;
        let tag = format!("T{}", self.tag);
        self.write(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    async fn until_done<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        tag: &str,
        mut courier: Option<&mut Courier<S>>,
        mut each: impl FnMut(Response) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            let response = self.response(courier.as_deref_mut()).await?;
            match response.completion(tag)? {
                Some(()) => return Ok(()),
                None => each(response)?,
            }
        }
    }

    /// The next response. The body of a message goes to the courier as it comes.
    pub(super) async fn response<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut courier: Option<&mut Courier<S>>,
    ) -> Result<Response, Error> {
        let mut response = Response::default();
        let mut length = 0;
        loop {
            let line = self.line(MAX_RESPONSE.saturating_sub(length)).await?;
            length += line.len();
            let Some((text, size)) = literal_at_end(&line) else {
                response.pieces.push(Piece::Text(line));
                return Ok(response);
            };
            let is_body = text.to_ascii_uppercase().trim_end().ends_with("BODY[]");
            response.pieces.push(Piece::Text(text.to_owned()));
            match &mut courier {
                Some(courier) if is_body => {
                    self.body(size, courier).await?;
                    response.pieces.push(Piece::Body(Body { size }));
                }
                _ => {
                    length = length.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
                    if length > MAX_RESPONSE {
                        return Err(Error::Broken(format!(
                            "the server announces {size} bytes where none belong"
                        )));
                    }
                    response.pieces.push(Piece::Literal(self.exactly(size as usize).await?));
                }
            }
        }
    }

    async fn body<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        size: u64,
        courier: &mut Courier<S>,
    ) -> Result<(), Error> {
        let mut left = size;
        while left > 0 {
            let piece = self.exactly(left.min(MAX_CHUNK as u64) as usize).await?;
            left -= piece.len() as u64;
            courier.bytes(&piece).await?;
        }
        Ok(())
    }

    async fn line(&mut self, limit: usize) -> Result<String, Error> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(limit as u64);
        let read = in_time(limited.read_until(b'\n', &mut line)).await?;
        if read == 0 && limit > 0 {
            return Err(Error::Broken("the server ended the connection".into()));
        }
        if line.pop() != Some(b'\n') {
            return Err(Error::Broken("the server says a line without end".into()));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        // Text of people in some other charset; names and numbers are ASCII.
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length];
        in_time(self.stream.read_exact(&mut bytes)).await?;
        Ok(bytes)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        in_time(self.stream.write_all(bytes)).await?;
        in_time(self.stream.flush()).await
    }
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(SILENCE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Error::Broken(format!("the connection is lost: {error}"))),
        Err(_) => Err(Error::Broken("the server says nothing any more".into())),
    }
}

async fn handshake(
    login: &Login<'_>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Box<dyn Stream>, Error> {
    let host = &login.address.host;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Error::Refused(format!("{host} is not a host name")))?;
    let shaken = tokio::time::timeout(CONNECT_TIME, login.tls.connect(name, stream)).await;
    let shaken = shaken.map_err(|_| Error::Broken(format!("{host} does not answer TLS")))?;
    match shaken {
        Ok(stream) => Ok(Box::new(stream)),
        // A certificate that does not fit will not fit the next time.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Error::Refused(format!("TLS with {host}: {error}")))
        }
        Err(error) => Err(Error::Broken(format!("TLS with {host}: {error}"))),
    }
}

/// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`: no line can be broken out of.
pub(super) fn quoted(text: &str) -> Result<String, Error> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(Error::Refused("the server takes only names and passwords in ASCII".into()));
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

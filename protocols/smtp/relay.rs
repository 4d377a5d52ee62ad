//! The log-in at the relay host, by mail-send 0.6.2: EHLO, STARTTLS, and AUTH in whatever mechanism the
//! host has. Messages then go over our own [`Client`], which says what mail-send lacks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use mail_send::{Credentials, SmtpClient};
use smtp_proto::{EXT_START_TLS, EhloResponse, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::{Client, GREETING_TIME, MAIL_TIME, Offers, Stream};
use crate::outbound::next_hop::{Broken, printable};

/// Octets that the other side may send in answer to one command.
const MAX_REPLY: usize = 64 * 1024;

impl Broken {
    /// For what mail-send reports: a closed connection and gibberish are one to it.
    fn talking(phase: &str, error: mail_send::Error) -> Self {
        match error {
            mail_send::Error::UnparseableReply => Self::at(phase, "closed, or a reply that makes no sense"),
            mail_send::Error::UnexpectedReply(reply) | mail_send::Error::AuthenticationFailed(reply) => {
                Self::at(phase, describe(&reply))
            }
            mail_send::Error::Timeout => Self::at(phase, "timed out"),
            error => Self::at(phase, error),
        }
    }
}

/// A connection to the relay host, before the first message.
pub(crate) struct Relay<S: Stream = Box<dyn Stream>> {
    client: SmtpClient<Bounded<S>>,
    ehlo: EhloResponse<String>,
}

impl<S: Stream> Relay<S> {
    /// Reads the greeting, then says EHLO.
    pub(crate) async fn greet(stream: S, host_name: &str) -> Result<Self, Broken> {
        let mut client = SmtpClient { stream: Bounded::new(stream), timeout: GREETING_TIME };
        let greeting = tokio::time::timeout(GREETING_TIME, client.read())
            .await
            .map_err(|_| Broken("greeting: timed out".into()))?
            .map_err(|error| Broken::talking("greeting", error))?;
        if greeting.code != 220 {
            return Err(Broken::at("greeting", describe(&greeting)));
        }
        Self::hello(client.stream.inner, host_name).await
    }

    /// Says EHLO on a connection that was greeted before.
    pub(crate) async fn hello(stream: S, host_name: &str) -> Result<Self, Broken> {
        let mut client = SmtpClient { stream: Bounded::new(stream), timeout: GREETING_TIME };
        let ehlo = client.ehlo(host_name).await.map_err(|error| Broken::talking("EHLO", error))?;
        Ok(Self { client, ehlo })
    }

    /// Asks for TLS and gives the stream back for the handshake (RFC 3207). Never goes on in the
    /// clear: a relay host without STARTTLS is a wrong setting or an attack. What came in the clear
    /// is forgotten; mail-send drops what it read beyond the reply.
    pub(crate) async fn start_tls(mut self) -> Result<S, Broken> {
        if !self.ehlo.has_capability(EXT_START_TLS) {
            return Err(Broken("the relay host does not offer STARTTLS".into()));
        }
        self.client.stream.refill();
        self.client.timeout = MAIL_TIME;
        let reply = self.client.cmd(b"STARTTLS\r\n").await;
        let reply = reply.map_err(|error| Broken::talking("STARTTLS", error))?;
        if reply.code == 220 {
            Ok(self.client.stream.inner)
        } else {
            Err(Broken::at("STARTTLS", describe(&reply)))
        }
    }

    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Broken> {
        self.client.stream.refill();
        self.client.timeout = MAIL_TIME;
        let credentials = Credentials::new(user, password);
        let answer = self.client.authenticate(&credentials, &self.ehlo).await;
        answer.map(|_| ()).map_err(|error| Broken::talking("log-in at the relay host", error))
    }

    pub(crate) fn into_client(self) -> Client<S> {
        Client::on(self.client.stream.inner, Offers::from(&self.ehlo))
    }
}

/// `550 5.1.1 no such user`.
fn describe(reply: &Response<String>) -> String {
    let [class, subject, detail] = reply.esc;
    let enhanced = if class == 0 { String::new() } else { format!("{class}.{subject}.{detail} ") };
    printable(&format!("{} {enhanced}{}", reply.code, reply.message))
}

/// Lets only so many bytes in until it is refilled: mail-send reads a reply however long it is.
struct Bounded<S> {
    inner: S,
    left: usize,
}

impl<S> Bounded<S> {
    fn new(inner: S) -> Self {
        Self { inner, left: MAX_REPLY }
    }

    fn refill(&mut self) {
        self.left = MAX_REPLY;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the reply is too long")));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.left = self.left.saturating_sub(read);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

//! The client's side of SMTP, towards whoever takes our mail: one connection, and messages over it.
//!
//! Who does what: smtp-proto takes replies apart, everything else of this conversation is here and
//! below. mail-send 0.6.2 keeps only what it is good at, the log-in at a relay host (`relay`); the
//! messages then go over this client too. It is no client for hosts found by MX: it stops at the
//! first recipient that is refused, has one time limit for everything, no pipelining, no limit on
//! replies, no message larger than memory, and stuffs the first line's dot wrongly.
//!
//! RFC 5321, 1870 (SIZE), 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 3461 (DSN), 6152
//! (8BITMIME), 6531 (SMTPUTF8), 8689 (REQUIRETLS), 9422 (LIMITS).

mod content;
mod envelope;
mod offers;
mod replies;
#[cfg(test)]
mod tests;
mod transaction;

pub(crate) use offers::Offers;
pub(crate) use replies::{Reply, ReplyParser};

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::outbound::next_hop::Broken;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

// RFC 5321 §4.5.3.2, in its order.
pub(crate) const GREETING_TIME: Duration = Duration::from_secs(300);
pub(crate) const MAIL_TIME: Duration = Duration::from_secs(300);
const DATA_TIME: Duration = Duration::from_secs(120);
const BLOCK_TIME: Duration = Duration::from_secs(180);
const END_TIME: Duration = Duration::from_secs(600);

const QUIT_TIME: Duration = Duration::from_secs(5);
/// Bytes read at a time.
const READ: usize = 4 * 1024;

/// A connection to a host that was greeted.
pub(crate) struct Client<S: Stream = Box<dyn Stream>> {
    stream: S,
    /// Read and not yet taken for a reply.
    input: Vec<u8>,
    replies: ReplyParser,
    offers: Offers,
    /// The host is gone, or nobody knows which reply is for what: no more may be said.
    is_over: bool,
}

/// Why a host was not talked to.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// It calls itself what we call ourselves.
    Ourselves,
    Broken(Broken),
}

impl From<Broken> for Greeting {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl<S: Stream> Client<S> {
    /// Reads the greeting, then says EHLO, or HELO to who does not understand that (RFC 5321
    /// §3.2). Whatever is said instead of 220, another host of the domain may be in a better mood.
    pub(crate) async fn greet(stream: S, host_name: &str) -> Result<Self, Greeting> {
        let mut client = Self::on(stream, Offers::default());
        let greeting = client.reply("greeting", GREETING_TIME).await?;
        if greeting.code != 220 {
            return Err(Broken::at("greeting", greeting).into());
        }
        // RFC 5321 §6.3: a domain that leads back here would send each message in a circle.
        if greeting.first_word().eq_ignore_ascii_case(host_name) {
            return Err(Greeting::Ourselves);
        }
        client.hello(host_name).await?;
        client.is_in_the_clear();
        Ok(client)
    }

    /// RFC 8689 §2: then REQUIRETLS is no promise.
    pub(crate) fn is_in_the_clear(&mut self) {
        self.offers.require_tls = false;
    }

    /// On a stream whose other side has been greeted, and makes these offers.
    pub(crate) fn on(stream: S, offers: Offers) -> Self {
        Self { stream, input: Vec::new(), replies: ReplyParser::default(), offers, is_over: false }
    }

    async fn hello(&mut self, host_name: &str) -> Result<(), Broken> {
        let reply = self.command(&format!("EHLO {host_name}\r\n"), GREETING_TIME).await?;
        if reply.is_positive() {
            self.offers = Offers::read(&reply.text);
            return Ok(());
        }
        if !reply.is_permanent() {
            return Err(Broken::at("EHLO", reply));
        }
        self.offers = Offers::default();
        let reply = self.command(&format!("HELO {host_name}\r\n"), GREETING_TIME).await?;
        if reply.is_positive() { Ok(()) } else { Err(Broken::at("HELO", reply)) }
    }

    /// RFC 3207: asks for TLS. The stream is given back for the handshake if the host agrees; if
    /// not, the conversation can go on in the clear.
    ///
    /// Replies that were injected behind the 220 in the clear would be taken for answers within TLS:
    /// a host that sends more than the 220 is not talked to.
    pub(crate) async fn start_tls(mut self) -> Result<StartTls<S>, Broken> {
        let reply = self.command("STARTTLS\r\n", MAIL_TIME).await?;
        match reply.code {
            220 if self.input.is_empty() => Ok(StartTls::Agreed(self.stream)),
            220 => Err(Broken("STARTTLS: something was injected behind the reply".into())),
            421 => Err(Broken::at("STARTTLS", reply)),
            _ => Ok(StartTls::Refused(self, reply)),
        }
    }

    /// Within TLS nothing of before counts: EHLO is said again.
    pub(crate) async fn after_tls(stream: S, host_name: &str) -> Result<Self, Broken> {
        let mut client = Self::on(stream, Offers::default());
        client.hello(host_name).await?;
        Ok(client)
    }

    pub(crate) fn boxed(self) -> Client
    where
        S: 'static,
    {
        Client {
            stream: Box::new(self.stream),
            input: self.input,
            replies: self.replies,
            offers: self.offers,
            is_over: self.is_over,
        }
    }

    pub(crate) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Whether an idle connection is still there. To find out by sending a message would leave open
    /// whether it was taken.
    pub(crate) async fn is_alive(&mut self) -> bool {
        self.command("NOOP\r\n", MAIL_TIME).await.is_ok_and(|reply| reply.is_positive())
    }

    /// Whether another message may be sent.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_over
    }

    /// Ends in good order; whatever comes of it does not matter.
    pub(crate) async fn quit(mut self) {
        if !self.is_over {
            let _ = self.command("QUIT\r\n", QUIT_TIME).await;
        }
    }

    async fn command(&mut self, line: &str, time: Duration) -> Result<Reply, Broken> {
        let phase = line.split_ascii_whitespace().next().unwrap_or_default();
        self.write(phase, line.as_bytes()).await?;
        self.reply(phase, time).await
    }

    async fn write(&mut self, phase: &str, bytes: &[u8]) -> Result<(), Broken> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let written = tokio::time::timeout(BLOCK_TIME, write).await.unwrap_or_else(|_| Err(late()));
        written.map_err(|error| Broken::at(phase, error))
    }

    /// The next reply. The time is for the whole of it, however slowly it drips in.
    async fn reply(&mut self, phase: &str, time: Duration) -> Result<Reply, Broken> {
        let reply = tokio::time::timeout(time, self.read_reply()).await.unwrap_or_else(|_| Err(late()));
        reply.map_err(|error| Broken::at(phase, error))
    }

    async fn read_reply(&mut self) -> io::Result<Reply> {
        loop {
            let mut rest = self.input.as_slice();
            let reply = self.replies.feed(&mut rest).map_err(io::Error::other)?;
            let taken = self.input.len() - rest.len();
            self.input.drain(..taken);
            if let Some(reply) = reply {
                return Ok(reply);
            }
            self.input.reserve(READ);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::other("the other side closed the connection"));
            }
        }
    }
}

/// What came of STARTTLS.
pub(crate) enum StartTls<S: Stream> {
    Agreed(S),
    Refused(Client<S>, Reply),
}

fn late() -> io::Error {
    io::Error::other("timed out")
}

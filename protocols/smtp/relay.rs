//! One connection to the relay host, and one message over it.
//!
//! mail-send 0.6.2 frames commands and replies, says EHLO and logs in. What it lacks for a queue is
//! done here: a result for each recipient, commands in groups, a time limit for each phase
//! (RFC 5321 §4.5.3.2), a bound on what the other side may send us, parameters (SIZE, BODY, SMTPUTF8,
//! DSN), right dot-stuffing, and messages that are never in memory as a whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hub::{Hub, QueuedMessage, QueuedRecipient, Return};
use mail_send::smtp::AssertReply;
use mail_send::{Credentials, SmtpClient};
use smtp_proto::{
    EXT_8BIT_MIME, EXT_DSN, EXT_PIPELINING, EXT_SIZE, EXT_SMTP_UTF8, EXT_START_TLS, EhloResponse, Response,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::outbound::next_hop::{Broken, Verdict, printable};
use crate::path::encode_xtext;
use crate::stuffer::Stuffer;

// RFC 5321 §4.5.3.2, in its order.
const GREETING_TIME: Duration = Duration::from_secs(300);
const MAIL_TIME: Duration = Duration::from_secs(300);
const RCPT_TIME: Duration = Duration::from_secs(300);
const DATA_TIME: Duration = Duration::from_secs(120);
const BLOCK_TIME: Duration = Duration::from_secs(180);
const END_TIME: Duration = Duration::from_secs(600);

const QUIT_TIME: Duration = Duration::from_secs(5);

/// RCPT commands sent before their replies are read: their replies fit into any socket buffer, so
/// that both sides never wait for each other to read.
const GROUP: usize = 50;
/// Octets that the other side may send in answer to one group of commands.
const MAX_REPLY: usize = 64 * 1024;
/// Bytes of the message read and sent at a time.
const PIECE: u64 = 64 * 1024;

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

/// A connection on which messages can be sent, one after the other.
pub(crate) struct Connection<S: Stream = Box<dyn Stream>> {
    client: SmtpClient<Bounded<S>>,
    ehlo: EhloResponse<String>,
}

impl<S: Stream> Connection<S> {
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
        match self.group(vec!["STARTTLS\r\n".into()], MAIL_TIME).await?.first() {
            Some(reply) if reply.code == 220 => Ok(self.client.stream.inner),
            Some(reply) => Err(Broken::at("STARTTLS", describe(reply))),
            None => Err(Broken("STARTTLS: no reply".into())),
        }
    }

    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Broken> {
        self.client.stream.refill();
        self.client.timeout = MAIL_TIME;
        let credentials = Credentials::new(user, password);
        let answer = self.client.authenticate(&credentials, &self.ehlo).await;
        answer.map(|_| ()).map_err(|error| Broken::talking("log-in at the relay host", error))
    }

    /// True if the relay host reports to the sender what becomes of a message (RFC 3461).
    pub(crate) fn reports(&self) -> bool {
        self.ehlo.has_capability(EXT_DSN)
    }

    /// Sends a message to all its recipients in one transaction. The verdicts are in the order of
    /// the recipients. After `Err` the connection is of no more use.
    pub(crate) async fn send(&mut self, hub: &Hub, message: &QueuedMessage) -> Result<Vec<Verdict>, Broken> {
        let all = |verdict: Verdict| Ok(vec![verdict; message.recipients.len()]);
        let size = message.message.size();
        if self.ehlo.size != 0 && size > self.ehlo.size as u64 {
            return all(Verdict::Failed(format!(
                "552 5.3.4 larger than the relay host's limit of {}",
                self.ehlo.size
            )));
        }
        let utf8 = message.smtputf8 && needs_utf8(hub, message).await?;
        if utf8 && !self.ehlo.has_capability(EXT_SMTP_UTF8) {
            return all(Verdict::Failed(
                "550 5.6.7 the relay host does not take internationalised mail".into(),
            ));
        }
        let mail = self.group(vec![self.mail_command(message, utf8)], MAIL_TIME).await?;
        if let Some(refused) = mail.first().filter(|reply| !reply.is_positive_completion()) {
            let verdict = refusal(refused);
            self.reset().await?;
            return all(verdict);
        }
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(message.recipients.len());
        let group = if self.ehlo.has_capability(EXT_PIPELINING) { GROUP } else { 1 };
        for recipients in message.recipients.chunks(group) {
            let commands = recipients.iter().map(|recipient| self.rcpt_command(recipient)).collect();
            let replies = self.group(commands, RCPT_TIME).await?;
            verdicts.extend(
                replies.iter().map(|reply| (!reply.is_positive_completion()).then(|| refusal(reply))),
            );
        }
        if verdicts.iter().any(Option::is_none) {
            let outcome = self.data(hub, message).await?;
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
                *verdict = Some(outcome.clone());
            }
        } else {
            self.reset().await?;
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Whether an idle connection is still there. To find out by sending a message would leave open
    /// whether it was taken.
    pub(crate) async fn is_alive(&mut self) -> bool {
        let reply = self.group(vec!["NOOP\r\n".into()], MAIL_TIME).await;
        reply.is_ok_and(|replies| replies.first().is_some_and(AssertReply::is_positive_completion))
    }

    /// Ends in good order; whatever comes of it does not matter.
    pub(crate) async fn quit(mut self) {
        let _ = self.group(vec!["QUIT\r\n".into()], QUIT_TIME).await;
    }

    async fn reset(&mut self) -> Result<(), Broken> {
        self.group(vec!["RSET\r\n".into()], MAIL_TIME).await.map(|_| ())
    }

    /// Sends commands together and reads as many replies.
    async fn group(
        &mut self,
        commands: Vec<String>,
        time: Duration,
    ) -> Result<Vec<Response<String>>, Broken> {
        let name = commands.first().map_or("", |command| command.get(..4).unwrap_or_default()).to_owned();
        self.client.stream.refill();
        self.client.timeout = time;
        self.client.cmds(commands).await.map_err(|error| Broken::talking(&name, error))
    }

    async fn data(&mut self, hub: &Hub, message: &QueuedMessage) -> Result<Verdict, Broken> {
        let go_ahead = self.group(vec!["DATA\r\n".into()], DATA_TIME).await?;
        match go_ahead.first() {
            Some(reply) if reply.code == 354 => {}
            Some(reply) => return Ok(refusal(reply)),
            None => return Err(Broken("DATA: no reply".into())),
        }
        let mut stuffer = Stuffer::new();
        let size = message.message.size();
        let mut at = 0;
        let mut block = Vec::with_capacity(PIECE as usize + 1024);
        while at < size {
            let piece = hub.read_queued(message, at..size.min(at + PIECE)).await;
            let piece = piece.map_err(|error| Broken::at("reading the message", error))?;
            if piece.is_empty() {
                return Err(Broken("reading the message: it ends too early".into()));
            }
            at += piece.len() as u64;
            block.clear();
            stuffer.push(&piece, &mut block);
            self.write(&block).await?;
        }
        block.clear();
        stuffer.finish(&mut block);
        self.write(&block).await?;
        self.client.stream.refill();
        let reply = tokio::time::timeout(END_TIME, self.client.read())
            .await
            .map_err(|_| Broken("end of data: timed out".into()))?
            .map_err(|error| Broken::talking("end of data", error))?;
        if reply.is_positive_completion() {
            return Ok(Verdict::Delivered(describe(&reply)));
        }
        Ok(refusal(&reply))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let write = async {
            self.client.stream.write_all(bytes).await?;
            self.client.stream.flush().await
        };
        tokio::time::timeout(BLOCK_TIME, write)
            .await
            .map_err(|_| Broken("sending the message: timed out".into()))?
            .map_err(|error| Broken::at("sending the message", error))
    }

    fn mail_command(&self, message: &QueuedMessage, utf8: bool) -> String {
        let has = |extension| self.ehlo.has_capability(extension);
        let path = message.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut command = format!("MAIL FROM:<{path}>");
        if has(EXT_SIZE) {
            command.push_str(&format!(" SIZE={}", message.message.size()));
        }
        // Without the extension it is sent all the same: hosts that mind eight bits are gone, and
        // what bounced instead would be the sender's loss.
        if message.eight_bit && has(EXT_8BIT_MIME) {
            command.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            command.push_str(" SMTPUTF8");
        }
        if has(EXT_DSN) {
            command.push_str(match message.ret {
                Return::Full => " RET=FULL",
                Return::Headers => " RET=HDRS",
            });
            if let Some(id) = &message.envelope_id {
                command.push_str(&format!(" ENVID={id}"));
            }
        }
        command.push_str("\r\n");
        command
    }

    /// RFC 3461 §5.2.1: NOTIFY goes on as it came; an address without ORCPT is its own original.
    fn rcpt_command(&self, recipient: &QueuedRecipient) -> String {
        let mut command = format!("RCPT TO:<{}>", recipient.address);
        if self.reports() {
            let notify = recipient.notify;
            let words: Vec<&str> =
                [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")]
                    .into_iter()
                    .filter_map(|(on, word)| on.then_some(word))
                    .collect();
            let words = if words.is_empty() { "NEVER".to_owned() } else { words.join(",") };
            command.push_str(&format!(" NOTIFY={words}"));
            match &recipient.original {
                Some(original) => command.push_str(&format!(" ORCPT={original}")),
                None if !recipient.address.needs_utf8() => {
                    let address = encode_xtext(&recipient.address.to_string());
                    command.push_str(&format!(" ORCPT=rfc822;{address}"));
                }
                None => {}
            }
        }
        command.push_str("\r\n");
        command
    }
}

/// SMTPUTF8 is asked for by clients that do not need it: only what really has UTF-8 in its envelope
/// or header is held back by a host without the extension.
async fn needs_utf8(hub: &Hub, message: &QueuedMessage) -> Result<bool, Broken> {
    if message
        .reverse_path
        .iter()
        .chain(message.recipients.iter().map(|r| &r.address))
        .any(|a| a.needs_utf8())
    {
        return Ok(true);
    }
    let size = message.message.size();
    let mut at = 0;
    // The end of the header may lie across two pieces: the last three bytes are looked at again.
    let mut tail = Vec::new();
    while at < size {
        let piece = hub.read_queued(message, at..size.min(at + PIECE)).await;
        let piece = piece.map_err(|error| Broken::at("reading the message", error))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        tail.extend_from_slice(&piece);
        let end = memchr::memmem::find(&tail, b"\r\n\r\n");
        if !tail[..end.unwrap_or(tail.len())].is_ascii() {
            return Ok(true);
        }
        if end.is_some() {
            break;
        }
        tail.drain(..tail.len().saturating_sub(3));
    }
    Ok(false)
}

/// RFC 5321 §4.2.1: the first digit decides.
fn refusal(reply: &Response<String>) -> Verdict {
    match reply.code {
        500..=599 => Verdict::Failed(describe(reply)),
        _ => Verdict::Deferred(describe(reply)),
    }
}

/// `550 5.1.1 no such user`.
fn describe(reply: &Response<String>) -> String {
    let [class, subject, detail] = reply.esc;
    let enhanced = if class == 0 { String::new() } else { format!("{class}.{subject}.{detail} ") };
    printable(&format!("{} {enhanced}{}", reply.code, reply.message))
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

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

//! The order of things, over a socket.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tracing::debug;

use crate::answer::{self, Answer};
use crate::command::{self, MAX_PIECE, step};
use crate::{Action, Error, Filter, Origin, Outcome, Place, field};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Tells the filter all about a message and returns what it wants. `header` ends with the empty line, if
/// the message has one.
pub async fn ask(
    filter: &Filter,
    origin: &Origin<'_>,
    header: &[u8],
    body: impl Iterator<Item = io::Result<Bytes>>,
) -> Result<Outcome, Error> {
    let asked = async {
        let stream: Box<dyn Stream> = match &filter.place {
            Place::Inet(address) => Box::new(connect(filter, TcpStream::connect(address)).await?),
            Place::Unix(path) => Box::new(connect(filter, UnixStream::connect(path)).await?),
        };
        let mut talk = Talk { stream, filter, steps: 0, input: Vec::new(), output: Vec::new() };
        let outcome = talk.tell(origin, header, body).await?;
        // It has said what it wants; whether it hears our good-bye is its affair.
        talk.output = command::quit();
        let _ = talk.flush().await;
        Ok(outcome)
    };
    timeout(filter.whole_time, asked).await.map_err(|_| Error::Timeout)?
}

async fn connect<S>(filter: &Filter, stream: impl Future<Output = io::Result<S>>) -> Result<S, Error> {
    timeout(filter.time, stream).await.map_err(|_| Error::Timeout)?.map_err(Error::Connect)
}

struct Talk<'f> {
    stream: Box<dyn Stream>,
    filter: &'f Filter,
    /// What the filter does without.
    steps: u32,
    input: Vec<u8>,
    /// Told, but not sent: steps without an answer wait for the next with one.
    output: Vec<u8>,
}

/// The filter has decided before the end.
enum Step {
    Decided(Action),
    Next,
    /// It wants no more of the body.
    Skip,
}

/// As much is told before it is sent.
const BUFFER: usize = 64 * 1024;

impl Talk<'_> {
    async fn tell(
        &mut self,
        origin: &Origin<'_>,
        header: &[u8],
        body: impl Iterator<Item = io::Result<Bytes>>,
    ) -> Result<Outcome, Error> {
        self.output = command::negotiate();
        match self.hear().await? {
            Answer::Negotiated { steps } => self.steps = steps & step::OFFERED,
            _ => return Err(Error::Protocol("no negotiation")),
        }
        let decided = |action| Outcome { action, fields: String::new(), quarantine: None };
        if let Some(action) = self.tell_envelope(origin).await? {
            return Ok(decided(action));
        }
        if let Some(action) = self.tell_message(header, body).await? {
            return Ok(decided(action));
        }
        self.output.extend(command::macros(b'E', &[("i", origin.id)]));
        self.output.extend(command::end_of_body());
        self.hear_outcome(header).await
    }

    async fn tell_envelope(&mut self, origin: &Origin<'_>) -> Result<Option<Action>, Error> {
        let macros = [("j", origin.host_name), ("{daemon_name}", "twinhub"), ("v", "Twin Hub")];
        self.output.extend(command::macros(b'C', &macros));
        let connect = command::connect(origin.peer_name, origin.peer);
        let steps = [
            (connect, step::NO_CONNECT, step::NO_REPLY_CONNECT),
            (command::helo(origin.helo), step::NO_HELO, step::NO_REPLY_HELO),
        ];
        for (packet, without, silent) in steps {
            if let Step::Decided(action) = self.say(packet, without, silent).await? {
                return Ok(Some(action));
            }
        }
        self.output.extend(command::macros(b'M', &[("i", origin.id), ("{mail_addr}", &origin.reverse_path)]));
        let mail = command::mail(&origin.reverse_path);
        if let Step::Decided(action) = self.say(mail, step::NO_MAIL, step::NO_REPLY_MAIL).await? {
            return Ok(Some(action));
        }
        for recipient in &origin.recipients {
            self.output.extend(command::macros(b'R', &[("{rcpt_addr}", recipient)]));
            let rcpt = command::rcpt(recipient);
            if let Step::Decided(action) = self.say(rcpt, step::NO_RCPT, step::NO_REPLY_RCPT).await? {
                return Ok(Some(action));
            }
        }
        match self.say(command::data(), step::NO_DATA, step::NO_REPLY_DATA).await? {
            Step::Decided(action) => Ok(Some(action)),
            Step::Next | Step::Skip => Ok(None),
        }
    }

    async fn tell_message(
        &mut self,
        header: &[u8],
        body: impl Iterator<Item = io::Result<Bytes>>,
    ) -> Result<Option<Action>, Error> {
        let leading_space = self.steps & step::LEADING_SPACE != 0;
        for (name, value) in field::fields(header, leading_space) {
            let packet = command::header(&name, &value);
            if let Step::Decided(action) = self.say(packet, step::NO_HEADERS, step::NO_REPLY_HEADER).await? {
                return Ok(Some(action));
            }
        }
        let end = command::end_of_header();
        let end = self.say(end, step::NO_END_OF_HEADER, step::NO_REPLY_END_OF_HEADER).await?;
        if let Step::Decided(action) = end {
            return Ok(Some(action));
        }
        if self.steps & step::NO_BODY != 0 {
            return Ok(None);
        }
        for piece in body {
            for piece in piece?.chunks(MAX_PIECE) {
                match self.say(command::body(piece), step::NO_BODY, step::NO_REPLY_BODY).await? {
                    Step::Decided(action) => return Ok(Some(action)),
                    Step::Next => {}
                    Step::Skip => return Ok(None),
                }
            }
        }
        Ok(None)
    }

    /// Tells one step, unless the filter does without, and waits for the answer, unless it gives none.
    async fn say(&mut self, packet: Vec<u8>, without: u32, silent: u32) -> Result<Step, Error> {
        if self.steps & without != 0 {
            return Ok(Step::Next);
        }
        self.output.extend(packet);
        if self.steps & silent != 0 {
            if self.output.len() > BUFFER {
                self.flush().await?;
            }
            return Ok(Step::Next);
        }
        loop {
            match self.hear().await? {
                Answer::Accept => return Ok(Step::Decided(Action::Accept)),
                Answer::Continue => return Ok(Step::Next),
                Answer::Discard => return Ok(Step::Decided(Action::Discard)),
                Answer::Progress => {}
                Answer::Refuse(refusal) => return Ok(Step::Decided(Action::Refuse(refusal))),
                Answer::Skip => return Ok(Step::Skip),
                Answer::AddHeader { .. }
                | Answer::ChangeHeader { .. }
                | Answer::Negotiated { .. }
                | Answer::Quarantine(_)
                | Answer::Unheard(_) => return Err(Error::Protocol("an answer that does not belong here")),
            }
        }
    }

    /// What is wanted of the message, up to the last word.
    async fn hear_outcome(&mut self, header: &[u8]) -> Result<Outcome, Error> {
        let mut outcome = Outcome { action: Action::Accept, fields: String::new(), quarantine: None };
        loop {
            match self.hear().await? {
                Answer::Accept | Answer::Continue => return Ok(outcome),
                Answer::AddHeader { name, value } => field::add(&mut outcome.fields, &name, &value),
                Answer::ChangeHeader { name, value } => {
                    if !value.is_empty() && field::may_precede(header, &name) {
                        field::add(&mut outcome.fields, &name, &value);
                    }
                }
                Answer::Discard => return Ok(Outcome { action: Action::Discard, ..outcome }),
                Answer::Progress | Answer::Skip => {}
                Answer::Quarantine(why) => outcome.quarantine = Some(why),
                Answer::Refuse(refusal) => return Ok(Outcome { action: Action::Refuse(refusal), ..outcome }),
                Answer::Unheard(command) => {
                    debug!(command = %char::from(command), "the filter asks for what was not offered");
                }
                Answer::Negotiated { .. } => return Err(Error::Protocol("a second negotiation")),
            }
        }
    }

    /// Sends what was told, and waits for an answer.
    async fn hear(&mut self) -> Result<Answer, Error> {
        self.flush().await?;
        loop {
            if let Some(answer) = answer::take(&mut self.input)? {
                return Ok(answer);
            }
            let read = timeout(self.filter.time, self.stream.read_buf(&mut self.input));
            if read.await.map_err(|_| Error::Timeout)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let output = std::mem::take(&mut self.output);
        let write = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        Ok(timeout(self.filter.time, write).await.map_err(|_| Error::Timeout)??)
    }
}

#[cfg(test)]
mod tests;

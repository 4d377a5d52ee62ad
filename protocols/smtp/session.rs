//! The conversation with one client (RFC 5321), without I/O: bytes and the time go in, replies and
//! [`Step`]s come out. Whoever drives it does the work of each step and hands the answer back.
//!
//! Memory is bounded: one unfinished line, the recipients of one message, and replies that the
//! driver takes out whenever it is told to read.

#![deny(clippy::disallowed_methods)]

mod auth;
mod body;
mod commands;
mod lmtp;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Address, Notify, Secret};
use hub_wire::sasl::{ChannelBinding, Exchange};
use memchr::memchr;

use crate::Kind;
use crate::command::{self, Mail, Rcpt};
use crate::headers::{Greeting, Tls};
use crate::path::ForwardPath;
use crate::reply::Reply;
use crate::settings::{
    BYTES_PER_SECOND, MAX_AUTH_LINE, MAX_COMMAND, MAX_ERRORS, MAX_IDLE_COMMANDS, Settings,
};
use body::Body;

/// What the driver does next.
#[derive(Debug)]
pub(crate) enum Step<'i> {
    /// Write the output, then end the connection.
    Close,
    /// Forget the message bytes written so far.
    Discard,
    /// Do this and give the answer to the method named there.
    Ask(Request),
    /// Write the output, then wait for input.
    Read,
    /// Write the output, make the connection TLS, call [`Session::tls_started`].
    StartTls,
    /// Add these bytes to the message; on failure call [`Session::write_failed`].
    Write(&'i [u8]),
}

#[derive(Debug)]
pub(crate) enum Request {
    /// May a message of this sender come now, and may this login send as it?
    /// → [`Session::sender_checked`]
    CheckSender(Option<Address>),
    /// The message is complete: keep or forward it. → [`Session::finished`], or
    /// [`Session::finished_each`]
    Finish(Box<Envelope>),
    /// → [`Session::logged_in`]
    Login { login: String, password: Secret },
    /// The exchange failed; the login is empty if it was not told. Always a no.
    /// → [`Session::logged_in`]
    LoginFailed { login: String, why: &'static str },
    /// SCRAM has proved the password of this login. → [`Session::logged_in`]
    LoginProven { login: String },
    /// → [`Session::logged_in`], or [`Session::token_refused`]
    LoginToken { login: String, token: Secret },
    /// Whether the recipient is accepted; the sender is told too, so that he can be looked up meanwhile.
    /// → [`Session::routed`]
    Route { path: ForwardPath, size: u64, reverse_path: Option<Address>, helo: String },
    /// → [`Session::scram_credentials`]
    ScramCredentials { login: String },
}

/// Where an accepted recipient's mail goes.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A bounce to a reverse-path that we had rewritten: to whom it was before.
    Back {
        address: Address,
        home: Address,
    },
    /// Only from those who logged in; the MX port relays for nobody.
    Elsewhere(Address),
    Local(hub::Recipient),
}

impl Destination {
    pub(crate) fn address(&self) -> &Address {
        match self {
            Self::Back { address, .. } | Self::Elsewhere(address) => address,
            Self::Local(recipient) => &recipient.address,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) destination: Destination,
    /// NOTIFY and ORCPT (RFC 3461).
    pub(crate) notify: Notify,
    pub(crate) original: Option<String>,
}

/// Everything about a message but its bytes.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Names the message in the reply, in Received and in the log.
    pub(crate) id: String,
    pub(crate) mail: Mail,
    pub(crate) recipients: Vec<Accepted>,
    pub(crate) helo: String,
    pub(crate) greeted: Greeting,
    pub(crate) tls: Option<Tls>,
    pub(crate) size: u64,
}

/// The connection as the session needs to know it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Number of the connection, for logs and message ids.
    pub(crate) conn: u64,
    pub(crate) peer: IpAddr,
    pub(crate) tls: Option<Tls>,
    /// STARTTLS can be offered.
    pub(crate) can_start_tls: bool,
    /// A password may cross the connection.
    pub(crate) may_authenticate: bool,
    /// What a SASL exchange can be bound to.
    pub(crate) binding: Option<ChannelBinding>,
    /// Unix milliseconds at the start, for message ids.
    pub(crate) unix_millis: i64,
}

pub(crate) struct Session {
    kind: Kind,
    settings: Arc<Settings>,
    link: Link,
    phase: Phase,
    /// What to ask the driver next, if the phase is `Asked`.
    request: Option<Request>,
    client: Option<Client>,
    /// The twin that logged in.
    twin: Option<String>,
    /// Whom the SCRAM exchange under way is about.
    scram_login: String,
    transaction: Option<Transaction>,
    /// The beginning of a line whose end has not arrived, unless it is too long already.
    line: Vec<u8>,
    line_too_long: bool,
    output: Vec<u8>,
    /// Message bytes were written that nobody wants any more.
    discard: bool,
    errors: u32,
    login_failures: u32,
    idle_commands: u32,
    messages: u32,
    /// Messages that came to their end, accepted or not.
    message_number: u32,
    started: Instant,
    /// When the client last got somewhere.
    active: Instant,
    /// An answer came since.
    answered: bool,
}

/// What EHLO, HELO or LHLO told.
struct Client {
    name: String,
    greeted: Greeting,
}

enum Phase {
    /// A request is out; what it was for.
    Asked(Asked),
    /// The next line is the client's response within AUTH.
    Auth(Exchange),
    /// Octets of a BDAT chunk.
    Chunk {
        left: u64,
        last: bool,
    },
    Closing,
    Command,
    /// Message text after 354.
    Data,
    /// Octets of a chunk that is not wanted, and the reply to it.
    Skip {
        left: u64,
        reply: Reply,
    },
    /// 220 was said to STARTTLS.
    StartTls,
}

enum Asked {
    /// Its `named` is that of the transaction.
    Finish {
        id: String,
        named: Vec<usize>,
    },
    Login,
    Recipient(Rcpt),
    Scram(Exchange),
    Sender(Mail),
    Token(Exchange),
}

struct Transaction {
    mail: Mail,
    recipients: Vec<Accepted>,
    /// Which of them each RCPT named that was answered with 250, duplicates too.
    named: Vec<usize>,
    body: Option<Body>,
}

const SHUTTING_DOWN: Reply = Reply::new(421, "4.3.2", "The server is shutting down, try again");
const TIMED_OUT: Reply = Reply::new(421, "4.4.2", "Waited too long, closing the connection");
const TOO_MANY_ERRORS: Reply = Reply::new(421, "4.7.0", "Too many errors, closing the connection");
const NOT_HTTP: Reply = Reply::new(421, "4.7.0", "This is a mail server");
const LINE_TOO_LONG: Reply = Reply::new(500, "5.5.2", "Line too long");

impl Session {
    pub(crate) fn new(kind: Kind, settings: Arc<Settings>, link: Link, now: Instant) -> Self {
        let mut session = Self {
            kind,
            settings,
            link,
            phase: Phase::Command,
            request: None,
            client: None,
            twin: None,
            scram_login: String::new(),
            transaction: None,
            line: Vec::new(),
            line_too_long: false,
            output: Vec::new(),
            discard: false,
            errors: 0,
            login_failures: 0,
            idle_commands: 0,
            messages: 0,
            message_number: 0,
            started: now,
            active: now,
            answered: false,
        };
        session.greet();
        session
    }

    /// Takes from the front of `input` and says what to do next. After [`Step::Read`] all of it was
    /// taken.
    pub(crate) fn feed<'i>(&mut self, input: &mut &'i [u8], now: Instant) -> Step<'i> {
        if std::mem::take(&mut self.answered) {
            self.active = now;
        }
        loop {
            if std::mem::take(&mut self.discard) {
                return Step::Discard;
            }
            let step = match self.phase {
                Phase::Closing => Some(Step::Close),
                Phase::StartTls => Some(Step::StartTls),
                Phase::Data => self.data(input, now),
                Phase::Chunk { left, last } => self.chunk(input, left, last, now),
                Phase::Skip { left, .. } => self.skip(input, left, now),
                Phase::Auth(_) | Phase::Command => match self.take_line(input) {
                    None => Some(Step::Read),
                    Some(line) => {
                        self.active = now;
                        self.on_line(&line, !input.is_empty(), now);
                        None
                    }
                },
                // Without a request, the driver fed before it answered.
                Phase::Asked(_) => Some(self.request.take().map_or(Step::Read, Step::Ask)),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Replies to write.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When to give up waiting for input and call [`Session::timed_out`].
    pub(crate) fn deadline(&self) -> Instant {
        let mut deadline = self.active + self.settings.command_time;
        if self.kind == Kind::Submission && self.twin.is_none() {
            deadline = deadline.min(self.started + self.settings.time_before_login);
        }
        if let Phase::Data | Phase::Chunk { .. } = self.phase
            && let Some(body) = self.transaction.as_ref().and_then(|transaction| transaction.body.as_ref())
        {
            let earned = Duration::from_secs(body.raw / BYTES_PER_SECOND);
            deadline = deadline.min(body.started + self.settings.command_time + earned);
        }
        deadline
    }

    /// True between messages: nothing is lost if the server goes down now.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Auth(_) | Phase::Command) && self.transaction.is_none()
    }

    /// True while the bytes of a message come in.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self.phase, Phase::Chunk { .. } | Phase::Data)
    }

    pub(crate) fn timed_out(&mut self) {
        self.close(&TIMED_OUT);
    }

    pub(crate) fn shut_down(&mut self) {
        self.close(&SHUTTING_DOWN);
    }

    /// The connection is TLS now. What was said before in the clear counts no more (RFC 3207 §4.2).
    pub(crate) fn tls_started(&mut self, tls: Option<Tls>, binding: Option<ChannelBinding>) {
        self.link.tls = tls;
        self.link.binding = binding;
        self.link.can_start_tls = false;
        self.link.may_authenticate = true;
        self.client = None;
        self.twin = None;
        self.reset();
        self.phase = Phase::Command;
        self.answered = true;
    }

    /// May the message come?
    pub(crate) fn sender_checked(&mut self, answer: Result<(), Reply>) {
        let Phase::Asked(Asked::Sender(mail)) = self.answered() else { return };
        match answer {
            Ok(()) => self.accept_sender(mail),
            Err(reply) => self.refuse(&reply),
        }
    }

    /// Where mail for the recipient goes.
    pub(crate) fn routed(&mut self, answer: Result<Destination, Reply>) {
        let Phase::Asked(Asked::Recipient(rcpt)) = self.answered() else { return };
        let (Ok(destination), Some(transaction)) = (&answer, &mut self.transaction) else {
            if let Err(reply) = answer {
                self.refuse(&reply);
            }
            return;
        };
        // What goes home and what stays here are two commits: if the second failed, the client would send
        // both again.
        let goes_home = |one: &Destination| matches!(one, Destination::Back { .. });
        let others = transaction.recipients.first().map(|other| goes_home(&other.destination));
        if others.is_some_and(|others| others != goes_home(destination)) {
            self.refuse(&Reply::new(452, "4.5.3", "Send the message again for this recipient"));
            return;
        }
        // The same recipient twice is one recipient.
        let key = destination.address().key();
        let known = transaction.recipients.iter().position(|other| other.destination.address().key() == key);
        transaction.named.push(known.unwrap_or(transaction.recipients.len()));
        if known.is_none() {
            transaction.recipients.push(Accepted {
                destination: destination.clone(),
                notify: rcpt.notify.unwrap_or_default(),
                original: rcpt.original,
            });
        }
        self.say(&Reply::new(250, "2.1.5", "Recipient ok"));
    }

    /// The message was taken over, on disk (RFC 5321 §6.1), or refused.
    pub(crate) fn finished(&mut self, answer: Result<(), Reply>) {
        let Phase::Asked(Asked::Finish { id, named }) = self.answered() else { return };
        match answer {
            Ok(()) => {
                self.count_message();
                let reply = accepted(&id);
                for _ in 0..self.replies_to_message(&named) {
                    self.say(&reply);
                }
            }
            Err(reply) => self.refuse_message(&reply, &named),
        }
    }

    fn count_message(&mut self) {
        self.messages += 1;
        self.idle_commands = 0;
    }

    /// Messages accepted so far.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// Takes what the answer is for; the next command can come.
    fn answered(&mut self) -> Phase {
        self.answered = true;
        std::mem::replace(&mut self.phase, Phase::Command)
    }

    fn ask(&mut self, asked: Asked, request: Request) {
        self.phase = Phase::Asked(asked);
        self.request = Some(request);
    }

    /// A line with its line end, as soon as it is complete. A line that is too long comes as an
    /// empty one; only its length was kept.
    fn take_line(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        let limit = if self.kind == Kind::Submission { MAX_AUTH_LINE } else { MAX_COMMAND };
        let end = memchr(b'\n', input).map(|at| at + 1);
        let (part, rest) = input.split_at(end.unwrap_or(input.len()));
        *input = rest;
        if self.line.len() + part.len() > limit {
            self.line_too_long = true;
            self.line = Vec::new();
        }
        if !self.line_too_long {
            self.line.extend_from_slice(part);
        }
        end.map(|_| std::mem::take(&mut self.line))
    }

    fn on_line(&mut self, line: &[u8], pipelined: bool, now: Instant) {
        if std::mem::take(&mut self.line_too_long) {
            self.phase = Phase::Command;
            return self.refuse(&LINE_TOO_LONG);
        }
        if matches!(self.phase, Phase::Auth(_)) {
            return self.on_auth_response(line);
        }
        match command::parse(line) {
            Ok(command) => self.obey(command, pipelined, now),
            Err(_) if is_http(line) => self.close(&NOT_HTTP),
            Err(reply) => self.refuse(&reply),
        }
    }

    /// Forgets the transaction.
    fn reset(&mut self) {
        if let Some(Transaction { body: Some(body), .. }) = self.transaction.take() {
            self.discard |= body.kept;
        }
    }

    /// Counts a command that brings no message nearer; false if the client has had too many.
    fn spend_idle_command(&mut self) -> bool {
        self.idle_commands += 1;
        if self.idle_commands > MAX_IDLE_COMMANDS {
            self.close(&TOO_MANY_ERRORS);
        }
        self.idle_commands <= MAX_IDLE_COMMANDS
    }

    /// Says no. Whoever hears it too often (address harvesting, a broken program) is sent away.
    fn refuse(&mut self, reply: &Reply) {
        self.say(reply);
        // The server in front of us says what others sent it: their mistakes are not its own.
        if !reply.is_temporary() && self.kind != Kind::Lmtp {
            self.errors += 1;
            if self.errors >= MAX_ERRORS {
                self.close(&TOO_MANY_ERRORS);
            }
        }
    }

    /// Says no to a message that has ended.
    fn refuse_message(&mut self, reply: &Reply, named: &[usize]) {
        for _ in 0..self.replies_to_message(named) {
            self.refuse(reply);
        }
    }

    fn close(&mut self, reply: &Reply) {
        self.say(reply);
        self.reset();
        self.phase = Phase::Closing;
    }

    fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }
}

fn accepted(id: &str) -> Reply {
    Reply::with(250, "2.0.0", format!("Ok: {id}"))
}

fn too_large(limit: u64) -> Reply {
    Reply::with(552, "5.3.4", format!("The message is larger than the limit of {limit} bytes"))
}

/// A browser that was made to talk to us (ALPACA and the like): not one of its lines is to be tried.
fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"CONNECT ", b"DELETE ", b"GET ", b"HEAD ", b"OPTIONS ", b"PATCH ", b"POST ", b"PUT "];
    METHODS.iter().any(|method| line.starts_with(method))
}

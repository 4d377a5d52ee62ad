//! The conversation (RFC 5804), without I/O: bytes and the time come in, bytes and requests go out.

#![deny(clippy::disallowed_methods)]

mod commands;
mod login;

use std::sync::Arc;
use std::time::Instant;

use hub::{ScramCredentials, Secret};
use hub_wire::sasl::{ChannelBinding, Exchange};

use crate::grammar::{Reader, Taken};
use crate::reply::Reply;
use crate::settings::Settings;

/// What the session needs to know of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// STARTTLS can be had.
    pub(crate) can_start_tls: bool,
    /// TLS, or a peer on this machine.
    pub(crate) may_authenticate: bool,
    pub(crate) binding: Option<ChannelBinding>,
}

/// What happens next.
#[derive(Debug)]
pub(crate) enum Step {
    Ask(Request),
    Close,
    Read,
    StartTls,
}

/// What the session wants from the hub. Each is answered by the method named.
#[derive(Debug)]
pub(crate) enum Request {
    /// [`Session::logged_in`]
    Login {
        login: String,
        password: Secret,
    },
    LoginFailed {
        login: String,
        why: &'static str,
    },
    LoginProven {
        login: String,
    },
    /// [`Session::logged_in`] or [`Session::token_refused`]
    LoginToken {
        login: String,
        token: Secret,
    },
    /// [`Session::scram_credentials`]
    ScramCredentials {
        login: String,
    },
    /// [`Session::done`]
    Scripts(Wish),
    /// The twin is not logged in any more; needs no answer.
    Leave,
}

/// What a twin wants done with its scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Activate { name: Option<String> },
    Check { text: String },
    Delete { name: String },
    Get { name: String },
    HaveSpace { name: String, size: u64 },
    List,
    Put { name: String, text: String },
    Rename { from: String, to: String },
}

enum Phase {
    Asked(Asked),
    /// A line of this exchange comes next.
    Auth(Exchange),
    Closing,
    Command,
    StartTls,
}

enum Asked {
    Done,
    Login,
    Scram(Exchange),
    Token(Exchange),
}

/// Octets of literals in a command of somebody who is not logged in.
const STRANGERS_ROOM: usize = 4 * 1024;
/// Octets besides the script that PUTSCRIPT may have in literals: the name.
const NAME_ROOM: usize = 2 * 1024;
/// Commands that cannot be understood, one after the other, before the connection is closed.
const MISTAKES: u32 = 10;

pub(crate) struct Session {
    settings: Arc<Settings>,
    link: Link,
    reader: Reader,
    phase: Phase,
    output: Vec<u8>,
    /// Who is logged in.
    twin: Option<String>,
    /// Logged out: the time before log-in begins anew.
    is_stranger_again: bool,
    scram_login: String,
    login_failures: u32,
    mistakes: u32,
    deadline: Instant,
}

impl Session {
    pub(crate) fn new(settings: Arc<Settings>, link: Link, now: Instant) -> Self {
        let deadline = now + settings.time_before_login;
        let mut session = Self {
            settings,
            link,
            reader: Reader::new(STRANGERS_ROOM),
            phase: Phase::Command,
            output: Vec::new(),
            twin: None,
            is_stranger_again: false,
            scram_login: String::new(),
            login_failures: 0,
            mistakes: 0,
            deadline,
        };
        session.greet();
        session
    }

    /// What is to be written. The caller takes it.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When the connection is given up.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Between two commands.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Command) && self.reader.is_between()
    }

    /// Takes octets from the front of `input` until something is to be done, or all of it.
    pub(crate) fn feed(&mut self, input: &mut &[u8], now: Instant) -> Step {
        if self.twin.is_some() && !input.is_empty() {
            self.deadline = now + self.settings.idle_time;
        }
        loop {
            match self.phase {
                Phase::Closing => return Step::Close,
                Phase::StartTls => {
                    // CVE-2011-0411: what was sent in the clear must not be taken for the twin's.
                    if !input.is_empty() {
                        self.close(&Reply::bye("Nothing may follow STARTTLS before the handshake"));
                        return Step::Close;
                    }
                    return Step::StartTls;
                }
                _ => {}
            }
            let request = match self.reader.take(input) {
                None => return Step::Read,
                Some(Taken::Hopeless(why)) => {
                    self.close(&Reply::bye(why));
                    None
                }
                Some(Taken::Mistake(why)) => {
                    self.refuse(&mistake(why));
                    None
                }
                Some(Taken::Command(words)) => match std::mem::replace(&mut self.phase, Phase::Command) {
                    Phase::Auth(exchange) => self.on_response(exchange, words),
                    phase => {
                        self.phase = phase;
                        self.on_command(words)
                    }
                },
            };
            if std::mem::take(&mut self.is_stranger_again) {
                self.deadline = now + self.settings.time_before_login;
            }
            if let Some(request) = request {
                return Step::Ask(request);
            }
        }
    }

    /// The TLS handshake is done. RFC 5804 §2.2: the client is told the capabilities again.
    pub(crate) fn tls_started(&mut self, binding: Option<ChannelBinding>) {
        self.link = Link { can_start_tls: false, may_authenticate: true, binding };
        self.phase = Phase::Command;
        self.greet();
    }

    pub(crate) fn timed_out(&mut self) {
        self.close(&Reply::bye("Nothing was heard for too long"));
    }

    pub(crate) fn shut_down(&mut self) {
        let text = "The server is shutting down".to_owned();
        self.close(&Reply::Bye { code: Some("TRYLATER"), text });
    }

    /// Answers [`Request::Scripts`]: what comes before the OK, or the refusal.
    pub(crate) fn done(&mut self, answer: Result<Vec<u8>, Reply>) {
        let Phase::Asked(Asked::Done) = self.answered() else { return };
        match answer {
            Ok(lines) => {
                self.output.extend_from_slice(&lines);
                self.say(&Reply::ok(""));
            }
            Err(reply) => self.say(&reply),
        }
    }

    /// Answers [`Request::ScramCredentials`].
    pub(crate) fn scram_credentials(&mut self, answer: Result<ScramCredentials, Reply>) -> Option<Request> {
        let Phase::Asked(Asked::Scram(mut exchange)) = self.answered() else { return None };
        match answer {
            Ok(known) => {
                let (salt, iterations) = (&known.salt, known.iterations);
                let step = exchange.scram_credentials(salt, iterations, known.stored_key, known.server_key);
                self.on_sasl(exchange, step)
            }
            Err(reply) => {
                self.login_failed(&reply);
                None
            }
        }
    }

    fn answered(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Command)
    }

    fn ask(&mut self, asked: Asked, request: Request) -> Option<Request> {
        self.phase = Phase::Asked(asked);
        Some(request)
    }

    fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }

    /// For a command that makes no sense; too many of them end it.
    fn refuse(&mut self, reply: &Reply) {
        self.say(reply);
        self.mistakes += 1;
        if self.mistakes >= MISTAKES {
            self.close(&Reply::bye("Too many mistakes"));
        }
    }

    fn close(&mut self, reply: &Reply) {
        self.say(reply);
        self.phase = Phase::Closing;
    }
}

fn mistake(why: &'static str) -> Reply {
    let code = (why == crate::grammar::TOO_LONG).then_some("QUOTA/MAXSIZE");
    Reply::No { code, text: why.to_owned() }
}

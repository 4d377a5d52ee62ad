//! AUTH (RFC 4954), on the submission ports only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::{ScramCredentials, Secret};
use hub_wire::sasl::{self, Exchange, TokenRefusal};

use super::{Asked, Phase, Request, Session, TOO_MANY_ERRORS};
use crate::Kind;
use crate::reply::Reply;

const NOT_BASE64: Reply = Reply::new(501, "5.5.2", "The response is not base64");

impl Session {
    pub(super) fn on_auth(&mut self, mechanism: &str, initial: Option<String>) {
        let refusal = if self.kind != Kind::Submission {
            Some(Reply::new(502, "5.5.1", "No log-in here; mail programs use the submission port"))
        } else if self.client.is_none() {
            Some(self.say_hello())
        } else if self.twin.is_some() {
            Some(Reply::new(503, "5.5.1", "Authenticated already"))
        } else if self.transaction.is_some() {
            Some(Reply::new(503, "5.5.1", "Not within a mail transaction"))
        } else if !self.link.may_authenticate {
            Some(Reply::new(538, "5.7.11", "Encryption required: use STARTTLS first"))
        } else {
            None
        };
        if let Some(reply) = refusal {
            return self.refuse(&reply);
        }
        let initial = match initial.as_deref() {
            None => None,
            // RFC 4954 §4: `=` is an empty initial response.
            Some("=") => Some(Vec::new()),
            Some(text) => match STANDARD.decode(text) {
                Ok(bytes) => Some(bytes),
                Err(_) => return self.refuse(&NOT_BASE64),
            },
        };
        match Exchange::start(mechanism, initial, self.link.binding) {
            Some((exchange, step)) => self.on_sasl(exchange, step),
            None => self.refuse(&Reply::new(504, "5.5.4", "Mechanism not offered")),
        }
    }

    /// A line in answer to `334`.
    pub(super) fn on_auth_response(&mut self, line: &[u8]) {
        let Phase::Auth(mut exchange) = std::mem::replace(&mut self.phase, Phase::Command) else { return };
        let Some(line) = line.strip_suffix(b"\r\n") else { return self.refuse(&NOT_BASE64) };
        if line == b"*" {
            return self.refuse(&Reply::new(501, "5.7.0", "Authentication cancelled"));
        }
        let Ok(response) = STANDARD.decode(line) else { return self.refuse(&NOT_BASE64) };
        let step = exchange.respond(&response);
        self.on_sasl(exchange, step)
    }

    fn on_sasl(&mut self, exchange: Exchange, step: sasl::Step) {
        match step {
            sasl::Step::Challenge(challenge) => {
                let line = format!("334 {}\r\n", STANDARD.encode(challenge));
                self.output.extend_from_slice(line.as_bytes());
                self.phase = Phase::Auth(exchange);
            }
            sasl::Step::CheckPassword { login, password } => {
                self.ask(Asked::Login, Request::Login { login, password: Secret::new(password) });
            }
            sasl::Step::CheckToken { login, token } => {
                self.scram_login.clone_from(&login);
                self.ask(Asked::Token(exchange), Request::LoginToken { login, token: Secret::new(token) });
            }
            sasl::Step::NeedScram { login } => {
                self.scram_login.clone_from(&login);
                self.ask(Asked::Scram(exchange), Request::ScramCredentials { login });
            }
            sasl::Step::Proven { login } => self.ask(Asked::Login, Request::LoginProven { login }),
            // A wrong proof counts like a wrong password.
            sasl::Step::Failed(why) => {
                let login = std::mem::take(&mut self.scram_login);
                self.ask(Asked::Login, Request::LoginFailed { login, why });
            }
        }
    }

    /// Answers [`Request::ScramCredentials`].
    pub(crate) fn scram_credentials(&mut self, answer: Result<ScramCredentials, Reply>) {
        let Phase::Asked(Asked::Scram(mut exchange)) = self.answered() else { return };
        match answer {
            Ok(known) => {
                let step = exchange.scram_credentials(
                    &known.salt,
                    known.iterations,
                    known.stored_key,
                    known.server_key,
                );
                self.on_sasl(exchange, step)
            }
            Err(reply) => self.login_failed(&reply),
        }
    }

    /// Answers [`Request::LoginToken`] with a no; the client hears what `scope` it would need.
    pub(crate) fn token_refused(&mut self, why: TokenRefusal, scope: &str) {
        let Phase::Asked(Asked::Token(mut exchange)) = self.answered() else { return };
        let step = exchange.refuse_token(why, scope);
        self.on_sasl(exchange, step);
    }

    /// Answers the requests about a login with the twin's name.
    pub(crate) fn logged_in(&mut self, answer: Result<String, Reply>) {
        let Phase::Asked(Asked::Login | Asked::Token(_)) = self.answered() else { return };
        match answer {
            Ok(twin) => {
                self.twin = Some(twin);
                self.idle_commands = 0;
                self.say(&Reply::new(235, "2.7.0", "Authentication succeeded"));
            }
            Err(reply) => self.login_failed(&reply),
        }
    }

    fn login_failed(&mut self, reply: &Reply) {
        self.say(reply);
        self.login_failures += 1;
        if self.login_failures >= self.settings.failed_logins {
            self.close(&TOO_MANY_ERRORS);
        }
    }
}

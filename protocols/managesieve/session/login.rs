//! Log-in with SASL (RFC 5804 §2.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::Secret;
use hub_wire::sasl::{self, Exchange, TokenRefusal};

use super::{Asked, NAME_ROOM, Phase, Request, Session};
use crate::grammar::Word;
use crate::reply::{Reply, write_string};

impl Session {
    pub(super) fn on_authenticate(&mut self, mechanism: &str, initial: Option<Vec<u8>>) -> Option<Request> {
        if !self.link.may_authenticate {
            let text = "Passwords are taken over TLS only: use STARTTLS first".to_owned();
            self.refuse(&Reply::No { code: Some("ENCRYPT-NEEDED"), text });
            return None;
        }
        let initial = match initial.map(|text| STANDARD.decode(text)) {
            None => None,
            Some(Ok(bytes)) => Some(bytes),
            Some(Err(_)) => {
                self.refuse(&Reply::no("The response is not base64"));
                return None;
            }
        };
        match Exchange::start(mechanism, initial, self.link.binding) {
            Some((exchange, step)) => self.on_sasl(exchange, step),
            None => {
                self.refuse(&Reply::no("This mechanism is not offered"));
                None
            }
        }
    }

    /// A string in answer to a challenge; `"*"` gives up.
    pub(super) fn on_response(&mut self, mut exchange: Exchange, words: Vec<Word>) -> Option<Request> {
        let response = match &words[..] {
            [Word::String(text)] if text == b"*" => {
                self.say(&Reply::no("Cancelled"));
                return None;
            }
            [Word::String(text)] => STANDARD.decode(text).ok(),
            _ => None,
        };
        let Some(response) = response else {
            self.refuse(&Reply::no("A string in base64 was expected"));
            return None;
        };
        let step = exchange.respond(&response);
        self.on_sasl(exchange, step)
    }

    pub(super) fn on_sasl(&mut self, exchange: Exchange, step: sasl::Step) -> Option<Request> {
        match step {
            sasl::Step::Challenge(challenge) => {
                write_string(&mut self.output, &STANDARD.encode(challenge));
                self.output.extend_from_slice(b"\r\n");
                self.phase = Phase::Auth(exchange);
                None
            }
            sasl::Step::CheckPassword { login, password } => {
                self.ask(Asked::Login, Request::Login { login, password: Secret::new(password) })
            }
            sasl::Step::CheckToken { login, token } => {
                self.scram_login.clone_from(&login);
                self.ask(Asked::Token(exchange), Request::LoginToken { login, token: Secret::new(token) })
            }
            sasl::Step::NeedScram { login } => {
                self.scram_login.clone_from(&login);
                self.ask(Asked::Scram(exchange), Request::ScramCredentials { login })
            }
            sasl::Step::Proven { login } => self.ask(Asked::Login, Request::LoginProven { login }),
            // A wrong proof counts like a wrong password.
            sasl::Step::Failed(why) => {
                let login = std::mem::take(&mut self.scram_login);
                self.ask(Asked::Login, Request::LoginFailed { login, why })
            }
        }
    }

    /// Answers [`Request::LoginToken`] with a no; the client hears what `scope` it would need.
    pub(crate) fn token_refused(&mut self, why: TokenRefusal, scope: &str) -> Option<Request> {
        let Phase::Asked(Asked::Token(mut exchange)) = self.answered() else { return None };
        let step = exchange.refuse_token(why, scope);
        self.on_sasl(exchange, step)
    }

    /// Answers the requests about a log-in with the twin's name.
    pub(crate) fn logged_in(&mut self, answer: Result<String, Reply>) {
        let Phase::Asked(Asked::Login | Asked::Token(_)) = self.answered() else { return };
        match answer {
            Ok(twin) => {
                self.twin = Some(twin);
                self.mistakes = 0;
                self.reader.set_room(hub::SieveLimits::default().script + NAME_ROOM);
                self.say(&Reply::ok("Welcome"));
            }
            Err(reply) => self.login_failed(&reply),
        }
    }

    pub(super) fn login_failed(&mut self, reply: &Reply) {
        self.say(reply);
        self.login_failures += 1;
        if self.login_failures >= self.settings.failed_logins {
            self.close(&Reply::bye("Too many failed log-ins"));
        }
    }
}

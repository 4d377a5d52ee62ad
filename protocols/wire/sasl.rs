//! SASL exchanges on the server's side (RFC 4422): PLAIN (RFC 4616), LOGIN
//! (draft-murchison-sasl-login), SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677, RFC 9266), OAUTHBEARER
//! (RFC 7628) and XOAUTH2.
//!
//! State machines without I/O: the protocol carries challenges and responses in its own way
//! (base64, `*` to cancel), and answers what an [`Exchange`] asks about users.

use std::fmt;

pub use crate::bearer::TokenRefusal;
use crate::bearer::{self, Form};
use crate::scram::{Binding, Scram};

/// What a server offers, in the order in which it is announced; the last one only where there is
/// a [`ChannelBinding`].
const MECHANISMS: &[&str] =
    &["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256-PLUS"];

/// What a server offers on a connection.
pub fn mechanisms(binding: Option<ChannelBinding>) -> &'static [&'static str] {
    if binding.is_some() { MECHANISMS } else { &MECHANISMS[..MECHANISMS.len() - 1] }
}

/// What only the two ends of one TLS connection know: `tls-exporter` (RFC 9266).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelBinding(pub(crate) [u8; 32]);

impl ChannelBinding {
    /// From the 32 bytes that TLS exports for it.
    pub fn new(exported: [u8; 32]) -> Self {
        Self(exported)
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelBinding(…)")
    }
}

/// 255 octets are what RFC 4616 §2 asks to accept for each of the three fields of PLAIN; passwords
/// and SCRAM messages get more. A longer response ends the exchange.
pub const MAX_RESPONSE: usize = 4096;

/// What the protocol does next.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, base64-coded, and give the client's answer to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Ask the hub whether it is right; that ends the exchange.
    CheckPassword { login: String, password: String },
    /// Ask the hub whether the token is right and, if `login` is not empty, that twin's. If it is not, go on
    /// with [`Exchange::refuse_token`].
    CheckToken { login: String, token: String },
    /// Fetch the SCRAM credentials of `login` and call [`Exchange::scram_credentials`].
    NeedScram { login: String },
    /// The client has proved that it knows the password of `login`.
    Proven { login: String },
    /// The exchange is over. The text is for the log; the client hears what it hears for any
    /// failed log-in.
    Failed(&'static str),
}

/// One exchange, from AUTHENTICATE or AUTH to its outcome.
pub struct Exchange(State);

enum State {
    Plain,
    LoginName,
    LoginPassword { login: String },
    Scram(Box<Scram>),
    Token(Form),
    TokenRefused,
    Over,
}

impl Exchange {
    /// Begins; `None` if the mechanism is not known. `initial` is the client's initial response if
    /// its command had one (an empty one is `Some(vec![])`); `binding` is the connection's.
    pub fn start(
        mechanism: &str,
        initial: Option<Vec<u8>>,
        binding: Option<ChannelBinding>,
    ) -> Option<(Self, Step)> {
        let mut challenge = Vec::new();
        let state = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => State::Plain,
            "LOGIN" => {
                challenge = b"Username:".to_vec();
                State::LoginName
            }
            "OAUTHBEARER" => State::Token(Form::OauthBearer),
            "XOAUTH2" => State::Token(Form::Xoauth2),
            "SCRAM-SHA-256" => {
                let offered = binding.map_or(Binding::NotOffered, |_| Binding::Offered);
                State::Scram(Box::new(Scram::new(offered)))
            }
            "SCRAM-SHA-256-PLUS" => State::Scram(Box::new(Scram::new(Binding::Used(binding?)))),
            _ => return None,
        };
        let mut exchange = Self(state);
        let step = match initial {
            Some(response) => exchange.respond(&response),
            None => Step::Challenge(challenge),
        };
        Some((exchange, step))
    }

    /// Takes the client's answer to the last challenge.
    pub fn respond(&mut self, response: &[u8]) -> Step {
        if response.len() > MAX_RESPONSE {
            self.0 = State::Over;
            return Step::Failed("the SASL response is too long");
        }
        let (state, step) = match std::mem::replace(&mut self.0, State::Over) {
            State::Plain => (State::Over, plain(response)),
            State::LoginName => match text(response) {
                Ok(login) => {
                    (State::LoginPassword { login: login.to_owned() }, Step::Challenge(b"Password:".to_vec()))
                }
                Err(why) => (State::Over, Step::Failed(why)),
            },
            State::LoginPassword { login } => match text(response) {
                Ok(password) => (State::Over, Step::CheckPassword { login, password: password.to_owned() }),
                Err(why) => (State::Over, Step::Failed(why)),
            },
            State::Scram(mut scram) => {
                let step = scram.respond(response);
                (State::Scram(scram), step)
            }
            State::Token(form) => match bearer::read(form, response) {
                Ok((login, token)) => (State::Token(form), Step::CheckToken { login, token }),
                Err(why) => (State::Over, Step::Failed(why)),
            },
            State::TokenRefused => (State::Over, Step::Failed("the token was refused")),
            State::Over => (State::Over, Step::Failed("the SASL exchange is over")),
        };
        if matches!(step, Step::Challenge(_) | Step::CheckToken { .. } | Step::NeedScram { .. }) {
            self.0 = state;
        }
        step
    }

    /// Answers [`Step::NeedScram`] with what the hub knows of the user (for an unknown user, with
    /// made-up values that stay the same: RFC 5802 §9).
    pub fn scram_credentials(
        &mut self,
        salt: &[u8],
        iterations: u32,
        stored_key: [u8; 32],
        server_key: [u8; 32],
    ) -> Step {
        match &mut self.0 {
            State::Scram(scram) => scram.credentials(salt, iterations, stored_key, server_key),
            _ => Step::Failed("no SCRAM exchange is under way"),
        }
    }

    /// Answers [`Step::CheckToken`]: the client is told why, with the scope that it would need, and fails after
    /// its next answer (RFC 7628 §3.2.2).
    pub fn refuse_token(&mut self, why: TokenRefusal, scope: &str) -> Step {
        match std::mem::replace(&mut self.0, State::TokenRefused) {
            State::Token(form) => Step::Challenge(bearer::refusal(form, why, scope)),
            _ => Step::Failed("no token was asked about"),
        }
    }
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2).
fn plain(message: &[u8]) -> Step {
    let mut fields = message.split(|&byte| byte == 0);
    let (Some(authzid), Some(login), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::Failed("the PLAIN message must have three fields");
    };
    let (login, password) = match (text(login), text(password)) {
        (Ok(login), Ok(password)) => (login, password),
        (Err(why), _) | (_, Err(why)) => return Step::Failed(why),
    };
    if !authzid.is_empty() && authzid != login.as_bytes() {
        return Step::Failed("acting as somebody else is not offered");
    }
    Step::CheckPassword { login: login.to_owned(), password: password.to_owned() }
}

/// A name or a password: UTF-8, not empty, without NUL.
fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the SASL response is not UTF-8")?;
    if text.is_empty() || text.contains('\0') {
        return Err("the name or the password is empty or has a NUL");
    }
    Ok(text)
}

/// Passwords stay out of logs.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(…)"),
            Self::CheckPassword { login, .. } => write!(f, "CheckPassword({login:?}, …)"),
            Self::CheckToken { login, .. } => write!(f, "CheckToken({login:?}, …)"),
            Self::NeedScram { login } => write!(f, "NeedScram({login:?})"),
            Self::Proven { login } => write!(f, "Proven({login:?})"),
            Self::Failed(why) => write!(f, "Failed({why:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUND: Option<ChannelBinding> = Some(ChannelBinding([7; 32]));

    fn check_password(login: &str, password: &str) -> Step {
        Step::CheckPassword { login: login.into(), password: password.into() }
    }

    #[test]
    fn plain_messages() {
        // The first two are RFC 4616 §4's examples (the second acts as another user).
        for (message, expected) in [
            ("\0tim\0tanstaaftanstaaf", check_password("tim", "tanstaaftanstaaf")),
            ("Ursel\0Kurt\0xipj3plmq", Step::Failed("acting as somebody else is not offered")),
            ("tim@x.org\0tim@x.org\0p w", check_password("tim@x.org", "p w")),
            ("\0用户\0пароль", check_password("用户", "пароль")),
            ("\0tim", Step::Failed("the PLAIN message must have three fields")),
            ("\0tim\0a\0b", Step::Failed("the PLAIN message must have three fields")),
            ("", Step::Failed("the PLAIN message must have three fields")),
            ("\0\0p", Step::Failed("the name or the password is empty or has a NUL")),
            ("\0tim\0", Step::Failed("the name or the password is empty or has a NUL")),
        ] {
            let (_, with_initial) = Exchange::start("PLAIN", Some(message.into()), None).expect("known");
            assert!(with_initial == expected, "{message:?}: {with_initial:?}");
            let (mut exchange, step) = Exchange::start("plain", None, None).expect("known");
            assert!(step == Step::Challenge(vec![]));
            assert!(exchange.respond(message.as_bytes()) == expected, "{message:?}");
            assert!(exchange.respond(message.as_bytes()) == Step::Failed("the SASL exchange is over"));
        }
        let (_, step) = Exchange::start("PLAIN", Some(b"\0tim\0\xff".to_vec()), None).expect("known");
        assert!(step == Step::Failed("the SASL response is not UTF-8"));
    }

    #[test]
    fn login_asks_twice() {
        let (mut exchange, step) = Exchange::start("LOGIN", None, None).expect("known");
        assert!(step == Step::Challenge(b"Username:".to_vec()));
        assert!(exchange.respond(b"tim@example.org") == Step::Challenge(b"Password:".to_vec()));
        assert!(exchange.respond(b"secret") == check_password("tim@example.org", "secret"));

        let (mut exchange, step) = Exchange::start("LOGIN", Some(b"tim".to_vec()), None).expect("known");
        assert!(step == Step::Challenge(b"Password:".to_vec()));
        assert!(matches!(exchange.respond(b""), Step::Failed(_)));
    }

    /// RFC 7628 §4.1 and §4.3.
    #[test]
    fn a_refused_token_takes_one_more_answer() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01";
        let (mut exchange, step) =
            Exchange::start("OAUTHBEARER", Some(message.to_vec()), None).expect("known");
        assert!(step == Step::CheckToken { login: "user@example.com".into(), token: String::new() });
        let told = br#"{"status":"invalid_token","schemes":"bearer","scope":"example_scope"}"#;
        assert!(
            exchange.refuse_token(TokenRefusal::Invalid, "example_scope") == Step::Challenge(told.to_vec())
        );
        assert!(exchange.respond(b"\x01") == Step::Failed("the token was refused"));
        assert!(matches!(exchange.respond(message), Step::Failed(_)));

        let (mut exchange, step) = Exchange::start("XOAUTH2", None, None).expect("known");
        assert!(step == Step::Challenge(vec![]));
        let step = exchange.respond(b"user=tim\x01auth=Bearer secret\x01\x01");
        assert!(step == Step::CheckToken { login: "tim".into(), token: "secret".into() });
        assert!(!format!("{step:?}").contains("secret"));
        assert!(matches!(exchange.refuse_token(TokenRefusal::Invalid, ""), Step::Challenge(_)));
        assert!(exchange.respond(b"") == Step::Failed("the token was refused"));
    }

    #[test]
    fn unknown_mechanisms_and_long_responses() {
        for name in ["CRAM-MD5", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "", "PLAIN "] {
            assert!(Exchange::start(name, None, None).is_none(), "{name}");
        }
        for name in mechanisms(BOUND) {
            let (_, step) = Exchange::start(name, Some(vec![b'a'; MAX_RESPONSE + 1]), BOUND).expect("known");
            assert!(step == Step::Failed("the SASL response is too long"));
        }
    }

    #[test]
    fn debug_shows_no_password() {
        assert_eq!(format!("{:?}", check_password("tim", "hunter2")), "CheckPassword(\"tim\", …)");
    }

    proptest! {
        /// Whatever a client sends, the exchange ends or asks on; nobody gets in by noise.
        #[test]
        fn noise_proves_nothing(
            mechanism in 0..MECHANISMS.len(),
            responses in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6),
        ) {
            let (mut exchange, mut step) = Exchange::start(MECHANISMS[mechanism], None, BOUND).expect("known");
            for response in responses {
                if matches!(step, Step::NeedScram { .. }) {
                    exchange.scram_credentials(b"salt", 4096, [1; 32], [2; 32]);
                }
                if matches!(step, Step::CheckToken { .. }) {
                    exchange.refuse_token(TokenRefusal::Invalid, "");
                }
                step = exchange.respond(&response);
                let proven = matches!(step, Step::Proven { .. });
                prop_assert!(!proven);
            }
        }
    }
}

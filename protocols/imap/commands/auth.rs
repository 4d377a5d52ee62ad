//! LOGIN, AUTHENTICATE, STARTTLS.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::{Account, Door, Scopes, Secret};
use hub_wire::sasl::{self, TokenRefusal};
use tracing::{info, warn};

use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::grammar::command::Hidden;
use crate::input::Step;
use crate::link::{Stop, Transport};
use crate::session::{State, User};
use crate::status::{Kind, Reply};

/// What a token must cover: whoever selects a mailbox can change it, if only by `\Seen`.
const TOKEN_SCOPE: Scopes = Scopes::MAIL_WRITE;

/// RFC 9051 §6.2.3.
pub(super) async fn login(c: &mut Conversation, name: &str, password: &Secret) -> Outcome {
    may_log_in(c)?;
    let started = Instant::now();
    wait(c, name).await;
    let result = c.service.hub.login(name, password, Door::Imap).await;
    enter(c, name, result, started).await
}

/// RFC 9051 §6.2.2, RFC 4959.
pub(super) async fn authenticate(c: &mut Conversation, mechanism: &str, initial: Option<Hidden>) -> Outcome {
    may_log_in(c)?;
    let binding = c.link.transport().and_then(Transport::channel_binding);
    let initial = initial.map(|Hidden(bytes)| bytes);
    let Some((mut exchange, mut step)) = sasl::Exchange::start(mechanism, initial, binding) else {
        return Err(Reply::no("CANNOT", "This mechanism is not offered").into());
    };
    let mut started = Instant::now();
    let mut proving = None;
    loop {
        step = match step {
            sasl::Step::Challenge(challenge) => {
                c.link.say(&format!("+ {}", STANDARD.encode(challenge)));
                let response = response(c).await?;
                started = Instant::now();
                exchange.respond(&response)
            }
            sasl::Step::NeedScram { login } => {
                wait(c, &login).await;
                let known = c.service.hub.scram_credentials(&login).await?;
                proving = Some(login);
                exchange.scram_credentials(&known.salt, known.iterations, known.stored_key, known.server_key)
            }
            sasl::Step::CheckPassword { login, password } => {
                wait(c, &login).await;
                let result = c.service.hub.login(&login, &Secret::new(password), Door::Imap).await;
                return enter(c, &login, result, started).await;
            }
            sasl::Step::CheckToken { login, token } => {
                wait(c, &login).await;
                let Some(peer) = peer(c) else { return Err(hub::Error::BadCredentials.into()) };
                let (hub, token) = (&c.service.hub, Secret::new(token));
                match hub.login_as_with_token(&login, &token, TOKEN_SCOPE, peer).await {
                    Err(hub::Error::BadCredentials) => {
                        exchange.refuse_token(TokenRefusal::Invalid, &TOKEN_SCOPE.to_string())
                    }
                    Err(hub::Error::Forbidden(_)) => {
                        exchange.refuse_token(TokenRefusal::Insufficient, &TOKEN_SCOPE.to_string())
                    }
                    result => return enter(c, &login, result, started).await,
                }
            }
            sasl::Step::Proven { login } => {
                let result = c.service.hub.login_proven(&login, Door::Imap).await;
                return enter(c, &login, result, started).await;
            }
            sasl::Step::Failed(why) => {
                warn!(conn = c.connection(), peer = ?peer(c), mechanism, why, "login failed");
                if let Some(peer) = peer(c) {
                    c.service.delays.failed(peer);
                }
                if let Some(login) = proving {
                    c.service.delays.account_failed(&login);
                }
                c.session.count_failed_login();
                return Err(hub::Error::BadCredentials.into());
            }
        };
    }
}

/// A line of the exchange: base64, or `*` to give up.
async fn response(c: &mut Conversation) -> Result<Vec<u8>, Failure> {
    c.link.input.expect_line();
    match c.link.step().await? {
        Step::Line(line) if line == b"*" => Err(Reply::bad("Cancelled").into()),
        Step::Line(line) => {
            STANDARD.decode(line).map_err(|_| Reply::bad("The response is not base64").into())
        }
        Step::Close(why) => Err(Stop::Bye(why).into()),
        _ => Err(Reply::bad("A SASL response was expected").into()),
    }
}

/// RFC 9051 §6.2.1, with what CVE-2011-0411 teaches: nothing that was sent before the handshake is
/// believed after it.
pub(super) async fn start_tls(c: &mut Conversation, tag: &str) -> Outcome {
    if c.link.transport().is_some_and(Transport::is_tls) {
        return Err(Reply::bad("The connection is TLS already").into());
    }
    if !c.link.input.is_drained() {
        Reply::bad("Nothing may follow STARTTLS before the handshake").write(&mut c.link.out, tag);
        return Err(Stop::Bye("Nothing may follow STARTTLS before the handshake").into());
    }
    Reply::ok("Begin TLS now").write(&mut c.link.out, tag);
    c.link.flush().await?;
    let tls = c.service.tls.clone();
    c.link.start_tls(tls).await?;
    // The OK has been said; after the handshake it is the client's turn.
    Err(Failure::Done)
}

/// LOGINDISABLED is more than a hint (RFC 9051 §6.2.3).
fn may_log_in(c: &Conversation) -> Result<(), Reply> {
    if c.link.transport().is_some_and(Transport::may_authenticate) {
        return Ok(());
    }
    // RFC 5530: the client knows what to do about it.
    Err(Reply::no("PRIVACYREQUIRED", "Passwords are taken over TLS only: use STARTTLS or the TLS port"))
}

fn peer(c: &Conversation) -> Option<std::net::IpAddr> {
    c.link.transport().map(Transport::peer)
}

/// After failures the next attempt has to wait; nobody is cut off for them, because clients with an
/// old password would lose what they have on the screen.
fn wait<'a>(c: &'a Conversation, name: &'a str) -> impl Future<Output = ()> + use<'a> {
    c.service.delays.wait(peer(c), name)
}

/// Ends a login: the state changes, and the reply carries all capabilities, so that no client needs
/// to ask (chatmail/core#8424 relies on it).
async fn enter(c: &mut Conversation, name: &str, result: hub::Result<Account>, started: Instant) -> Outcome {
    let (conn, peer) = (c.connection(), peer(c));
    let duration_ms = started.elapsed().as_millis() as u64;
    let account = match result {
        Ok(account) => account,
        Err(error) => {
            if let hub::Error::BadCredentials = error {
                warn!(conn, ?peer, login = name, duration_ms, "login failed");
                c.session.count_failed_login();
                c.service.delays.account_failed(name);
                if let Some(peer) = peer {
                    c.service.delays.failed(peer);
                }
            }
            return Err(error.into());
        }
    };
    c.service.delays.account_succeeded(name);
    if let Some(peer) = peer {
        c.service.delays.succeeded(peer);
    }
    let most = c.service.settings.connections_per_account;
    let Some(place) = c.service.places.take(account.id(), most) else {
        warn!(conn, ?peer, twin = %account.handle(), "too many connections of one twin");
        return Err(Reply::no("LIMIT", "There are too many connections of this account").into());
    };
    let tls = c.link.transport().is_some_and(Transport::is_tls);
    info!(conn, ?peer, twin = %account.handle(), tls, duration_ms, "logged in");
    c.session.state = State::Authenticated(User::new(account, place));
    c.link.input.logged_in(c.service.settings.line_length);
    let code = format!("CAPABILITY {}", c.capabilities());
    Ok(Reply { kind: Kind::Ok, code: Some(code.into()), text: "Logged in".into() })
}

//! For the fuzzer: a conversation with a client that sends anything.

use std::sync::Arc;
use std::time::Instant;

use hub_wire::sasl::TokenRefusal;

use crate::reply::Reply;
use crate::session::{Link, Request, Session, Step};
use crate::settings::Settings;

/// Feeds `input` to a session, cut in pieces, with a hub that agrees to everything.
pub fn session(input: &[u8]) {
    let now = Instant::now();
    let link = Link { can_start_tls: true, may_authenticate: true, binding: None };
    let mut session = Session::new(Arc::new(Settings::default()), link, now);
    for piece in input.chunks(7) {
        let mut rest = piece;
        loop {
            match session.feed(&mut rest, now) {
                Step::Ask(request) => answer(&mut session, request),
                Step::Close => return,
                Step::Read => break,
                Step::StartTls => session.tls_started(None),
            }
        }
        let output = std::mem::take(session.output());
        assert!(output.is_empty() || output.ends_with(b"\r\n"), "whole lines");
    }
}

fn answer(session: &mut Session, request: Request) {
    match request {
        Request::Leave => {}
        Request::Login { .. } | Request::LoginProven { .. } => session.logged_in(Ok("twin".into())),
        Request::LoginToken { .. } => drop(session.token_refused(TokenRefusal::Invalid, "mail:write")),
        Request::LoginFailed { .. } => session.logged_in(Err(Reply::no("no"))),
        Request::ScramCredentials { .. } => drop(session.scram_credentials(Err(Reply::no("no")))),
        Request::Scripts(_) => session.done(Ok(Vec::new())),
    }
}

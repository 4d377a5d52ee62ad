//! Entry points for the fuzz targets: whatever bytes come, nothing panics, memory stays bounded, and
//! input that is cut differently gives the same result.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{AccountId, Recipient, ScramCredentials};
use hub_wire::sasl::TokenRefusal;

use crate::framer::{BareLineEnds, Framer, Piece};
use crate::headers::Tls;
use crate::path::ForwardPath;
use crate::reply::Reply;
use crate::session::{Destination, Link, Request, Session, Step};
use crate::settings::{MAX_AUTH_LINE, Settings};
use crate::stuffer::Stuffer;
use crate::{Kind, command};

/// One conversation on each kind of port, fed whole and in pieces.
pub fn session(bytes: &[u8]) {
    for kind in [Kind::Lmtp, Kind::Mx, Kind::Submission] {
        let size = usize::from(bytes.first().copied().unwrap_or(0) % 32) + 1;
        let mut whole = Conversation::new(kind).run([bytes]);
        let mut cut = Conversation::new(kind).run(bytes.chunks(size));
        // What comes in one piece with STARTTLS is an injection and ends the connection, so there the
        // conversation goes line by line, or byte by byte.
        if mentions_starttls(bytes) {
            whole = Conversation::new(kind).run(bytes.split_inclusive(|&byte| byte == b'\n'));
            cut = Conversation::new(kind).run(bytes.chunks(1));
        }
        assert_eq!(whole.tls, cut.tls);
        assert_eq!(whole.messages, cut.messages);
        assert_eq!(whole.codes(), cut.codes());
    }
}

/// DATA and BDAT framing, and the stuffing that is its inverse.
pub fn framer(bytes: &[u8]) {
    for bare in [BareLineEnds::Normalise, BareLineEnds::Report] {
        for framer in [Framer::data(bare), Framer::chunks(bare)] {
            let mut framer = framer;
            let mut input = bytes;
            let mut message = Vec::new();
            while let Piece::Bytes(piece) = framer.next(&mut input) {
                message.extend_from_slice(piece);
            }
            message.extend_from_slice(framer.finish());
            let mut stuffer = Stuffer::for_data();
            let mut sent = Vec::new();
            stuffer.push(&message, &mut sent);
            stuffer.finish(&mut sent);
            assert!(sent.ends_with(b".\r\n"));
        }
    }
}

/// One command line.
pub fn command(bytes: &[u8]) {
    let _ = command::parse(bytes);
}

fn mentions_starttls(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|word| word.eq_ignore_ascii_case(b"STARTTLS"))
}

struct Conversation {
    session: Session,
    now: Instant,
    replies: Vec<u8>,
    messages: Vec<Vec<u8>>,
    message: Vec<u8>,
    tls: bool,
    closed: bool,
}

impl Conversation {
    fn new(kind: Kind) -> Self {
        let mut settings = Settings::new("hub.test");
        settings.max_message_size = 2000;
        let link = Link {
            conn: 1,
            peer: Ipv4Addr::LOCALHOST.into(),
            tls: None,
            can_start_tls: true,
            may_authenticate: true,
            binding: None,
            unix_millis: 0,
        };
        let now = Instant::now();
        Self {
            session: Session::new(kind, Arc::new(settings), link, now),
            now,
            replies: Vec::new(),
            messages: Vec::new(),
            message: Vec::new(),
            tls: false,
            closed: false,
        }
    }

    fn run<'a>(mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        self.feed(b"");
        for piece in pieces {
            self.feed(piece);
        }
        self
    }

    /// The replies without their texts, which have a nonce in SCRAM.
    /// A message that is too large (552) and has bare line ends (554) is refused for what is seen
    /// first, and that depends on the pieces.
    fn codes(&self) -> String {
        let lines = self.replies.split(|&byte| byte == b'\n');
        let code = |line: &[u8]| String::from_utf8_lossy(&line[..line.len().min(4)]).replace("552", "554");
        lines.map(code).collect()
    }

    fn feed(&mut self, mut input: &[u8]) {
        while !self.closed {
            self.now += Duration::from_millis(1);
            match self.session.feed(&mut input, self.now) {
                Step::Ask(request) => self.answer(request),
                Step::Close => self.closed = true,
                Step::Discard => self.message.clear(),
                Step::Read => break,
                Step::StartTls => {
                    self.tls = true;
                    self.session.tls_started(Some(Tls { version: "TLSv1.3", cipher: None }), None);
                }
                Step::Write(bytes) => self.message.extend_from_slice(bytes),
            }
            self.replies.append(self.session.output());
            assert!(self.session.deadline() >= self.now);
            assert!(self.message.len() <= 2000 + MAX_AUTH_LINE);
        }
        self.replies.append(self.session.output());
    }

    /// Says yes and no in turn, so that each way is taken.
    fn answer(&mut self, request: Request) {
        match request {
            Request::CheckSender(address) => {
                let own = address.is_none_or(|address| address.local().starts_with('a'));
                self.session.sender_checked(if own { Ok(()) } else { Err(no()) });
            }
            Request::Finish(envelope) => {
                let message = std::mem::take(&mut self.message);
                assert_eq!(envelope.size, message.len() as u64);
                assert!(!envelope.recipients.is_empty());
                self.messages.push(message);
                self.session.finished(if envelope.size % 2 == 0 { Ok(()) } else { Err(no()) });
            }
            Request::LoginFailed { .. } => self.session.logged_in(Err(no())),
            Request::Login { login, .. } | Request::LoginProven { login } => {
                self.session.logged_in(if login.starts_with('a') { Ok(login) } else { Err(no()) });
            }
            Request::LoginToken { login, .. } if login.starts_with('a') => self.session.logged_in(Ok(login)),
            Request::LoginToken { .. } => self.session.token_refused(TokenRefusal::Invalid, "mail:send"),
            Request::Route { path, .. } => {
                let destination = match path {
                    ForwardPath::Address(address) if address.local().starts_with('a') => {
                        Ok(Destination::Local(Recipient { address, members: [AccountId(1)].into() }))
                    }
                    ForwardPath::Address(address) => Ok(Destination::Elsewhere(address)),
                    ForwardPath::Postmaster => Err(no()),
                };
                self.session.routed(destination);
            }
            Request::ScramCredentials { .. } => self.session.scram_credentials(Ok(ScramCredentials {
                salt: b"salt".to_vec(),
                iterations: 4096,
                stored_key: [1; 32],
                server_key: [2; 32],
            })),
        }
    }
}

fn no() -> Reply {
    Reply::new(450, "4.0.0", "No")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<&'static [u8]> = vec![
            b"EHLO x\r\n",
            b"HELO y\r\n",
            b"MAIL FROM:<a@b.test>\r\n",
            b"MAIL FROM:<> SIZE=3000\r\n",
            b"RCPT TO:<a@b.test>\r\n",
            b"RCPT TO:<postmaster>\r\n",
            b"DATA\r\n",
            b"text\r\n",
            b"..\r\n",
            b".\r\n",
            b"\r\n.\r\n",
            b"BDAT 5\r\n",
            b"12345",
            b"BDAT 3 LAST\r\n",
            b"a\r\n",
            b"RSET\r\n",
            b"NOOP\r\n",
            b"STARTTLS\r\n",
            b"AUTH PLAIN AGEAYg==\r\n",
            b"AUTH LOGIN\r\n",
            b"YQ==\r\n",
            b"*\r\n",
            b"QUIT\r\n",
            b"AUTH SCRAM-SHA-256 biwsbj1hLHI9Yg==\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"\xff",
            b"GET / HTTP/1.1\r\n",
            b"BDAT 99999999999999999999\r\n",
        ];
        prop_oneof![9 => prop::sample::select(words).prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..20)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn any_conversation_is_survived(words in prop::collection::vec(word(), 0..40)) {
            let mut bytes = b"EHLO x\r\n".to_vec();
            bytes.extend(words.concat());
            session(&bytes);
            session(b"");
            framer(&bytes);
            command(&bytes);
        }
    }
}

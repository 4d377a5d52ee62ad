//! The bytes of a message: DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030).

use std::time::Instant;

use super::{Asked, Envelope, Phase, Request, Session, Step, Transaction, too_large};
use crate::Kind;
use crate::framer::{BareLineEnds, Framer, MAX_LINE, Piece};
use crate::reply::Reply;

/// The message that is coming in.
pub(super) struct Body {
    framer: Framer,
    /// Bytes of the message, and bytes that came for it.
    size: u64,
    pub(super) raw: u64,
    /// It has bytes beyond ASCII, whether BODY=8BITMIME was said or not.
    eight_bit: bool,
    /// Why it will not be accepted; what still comes of it is thrown away.
    refusal: Option<Reply>,
    /// Bytes of it were handed out.
    pub(super) kept: bool,
    pub(super) started: Instant,
}

const NO_RECIPIENTS: Reply = Reply::new(503, "5.5.1", "Give sender and recipients first");

impl Session {
    pub(super) fn on_data(&mut self, now: Instant) {
        let bare = self.bare_line_ends();
        match &mut self.transaction {
            Some(transaction) if transaction.recipients.is_empty() => self.refuse(&NO_RECIPIENTS),
            None => self.refuse(&NO_RECIPIENTS),
            // RFC 3030 §2: DATA and BDAT cannot be used in one transaction.
            Some(Transaction { body: Some(_), .. }) => {
                self.refuse(&Reply::new(503, "5.5.1", "The message has begun with BDAT"));
            }
            Some(transaction) => {
                transaction.body = Some(Body::new(Framer::data(bare), now));
                self.say(&Reply::new(354, "", "Go ahead, end with CR LF . CR LF"));
                self.phase = Phase::Data;
            }
        }
    }

    pub(super) fn on_bdat(&mut self, size: u64, last: bool, now: Instant) {
        let limit = self.settings.max_message_size;
        // The octets follow whatever the answer is. Only so many are worth reading for a refusal.
        if size > tolerated(limit) {
            self.close(&too_large(limit));
            return;
        }
        let bare = self.bare_line_ends();
        match &mut self.transaction {
            Some(transaction) if !transaction.recipients.is_empty() => {
                transaction.body.get_or_insert_with(|| Body::new(Framer::chunks(bare), now));
                self.phase = Phase::Chunk { left: size, last };
            }
            _ => self.phase = Phase::Skip { left: size, reply: NO_RECIPIENTS },
        }
    }

    pub(super) fn data<'i>(&mut self, input: &mut &'i [u8], now: Instant) -> Option<Step<'i>> {
        let before = input.len();
        let piece = self.transaction.as_mut()?.body.as_mut()?.framer.next(input);
        self.took(before - input.len(), now);
        match piece {
            Piece::Bytes(bytes) => self.keep(bytes),
            Piece::End => {
                self.end_of_message();
                None
            }
            Piece::More => Some(Step::Read),
        }
    }

    pub(super) fn chunk<'i>(
        &mut self,
        input: &mut &'i [u8],
        left: u64,
        last: bool,
        now: Instant,
    ) -> Option<Step<'i>> {
        if left == 0 {
            return self.end_of_chunk(last);
        }
        let (mut part, _) = input.split_at(usize::try_from(left).map_or(input.len(), |n| n.min(input.len())));
        let before = part.len();
        let piece = self.transaction.as_mut()?.body.as_mut()?.framer.next(&mut part);
        let taken = before - part.len();
        *input = &input[taken..];
        self.took(taken, now);
        self.phase = Phase::Chunk { left: left - taken as u64, last };
        match piece {
            Piece::Bytes(bytes) => self.keep(bytes),
            Piece::End => None,
            Piece::More if taken > 0 => None,
            Piece::More => Some(Step::Read),
        }
    }

    pub(super) fn skip<'i>(&mut self, input: &mut &'i [u8], left: u64, now: Instant) -> Option<Step<'i>> {
        let taken = usize::try_from(left).map_or(input.len(), |n| n.min(input.len()));
        *input = &input[taken..];
        let Phase::Skip { left, reply } = &mut self.phase else { return None };
        *left -= taken as u64;
        if *left > 0 {
            if taken > 0 {
                self.active = now;
            }
            return Some(Step::Read);
        }
        let reply = reply.clone();
        self.phase = Phase::Command;
        self.refuse(&reply);
        None
    }

    /// The driver could not write: the disk is full, or worse. Nothing of the message is kept.
    pub(crate) fn write_failed(&mut self, reply: Reply) {
        self.refuse_body(reply);
    }

    fn took(&mut self, bytes: usize, now: Instant) {
        if bytes > 0 {
            self.active = now;
        }
        if let Some(Transaction { body: Some(body), .. }) = &mut self.transaction {
            body.raw += bytes as u64;
        }
    }

    /// Hands out bytes of the message unless it is refused.
    fn keep<'i>(&mut self, bytes: &'i [u8]) -> Option<Step<'i>> {
        let limit = self.settings.max_message_size;
        let body = self.transaction.as_mut()?.body.as_mut()?;
        body.size += bytes.len() as u64;
        body.eight_bit |= !bytes.is_ascii();
        let refusal = if self.kind == Kind::Mx && body.framer.has_bare_line_end() {
            Some(Reply::new(554, "5.6.0", "The message has a bare CR or LF, lines must end with CR LF"))
        } else if body.framer.has_long_line() {
            Some(Reply::with(554, "5.6.0", format!("The message has a line of more than {MAX_LINE} octets")))
        } else if body.size > limit {
            Some(too_large(limit))
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.refuse_body(reply);
        }
        let body = self.transaction.as_mut()?.body.as_mut()?;
        match &body.refusal {
            None => {
                body.kept = true;
                Some(Step::Write(bytes))
            }
            Some(reply) if body.raw > tolerated(limit) => {
                let reply = reply.clone();
                self.close(&reply);
                None
            }
            Some(_) => None,
        }
    }

    /// The first reason counts.
    fn refuse_body(&mut self, reply: Reply) {
        if let Some(Transaction { body: Some(body), .. }) = &mut self.transaction {
            self.discard |= std::mem::take(&mut body.kept);
            body.refusal.get_or_insert(reply);
        }
    }

    fn end_of_chunk(&mut self, last: bool) -> Option<Step<'static>> {
        let body = self.transaction.as_mut()?.body.as_mut()?;
        if last {
            return match body.framer.finish() {
                b"" => {
                    self.end_of_message();
                    None
                }
                bytes => self.keep(bytes),
            };
        }
        self.phase = Phase::Command;
        match body.refusal.clone() {
            // RFC 3030 §2: the client has to say RSET; further chunks are refused for the same reason.
            Some(reply) => self.refuse(&reply),
            None => {
                let reply = Reply::with(250, "2.0.0", format!("{} octets so far", body.raw));
                self.say(&reply);
            }
        }
        None
    }

    fn end_of_message(&mut self) {
        self.phase = Phase::Command;
        let (Some(Transaction { mut mail, recipients, named, body: Some(body) }), Some(client)) =
            (self.transaction.take(), &self.client)
        else {
            return;
        };
        self.message_number += 1;
        if let Some(reply) = body.refusal {
            tracing::info!(
                conn = self.link.conn,
                peer = %self.link.peer,
                twin = self.twin.as_deref(),
                from = mail.reverse_path.as_ref().map(tracing::field::debug),
                size = body.size,
                reply = %reply,
                "message refused"
            );
            return self.refuse_message(&reply, &named);
        }
        mail.eight_bit |= body.eight_bit;
        let id = format!("{:x}-{:x}-{}", self.link.unix_millis, self.link.conn, self.message_number);
        let envelope = Envelope {
            id: id.clone(),
            mail,
            recipients,
            helo: client.name.clone(),
            greeted: client.greeted,
            tls: self.link.tls,
            size: body.size,
        };
        self.ask(Asked::Finish { id, named }, Request::Finish(Box::new(envelope)));
    }

    /// Strangers must send right line ends: what a lax sender passes on to us could be read as two
    /// messages by one of both (SMTP smuggling). Our own twins' programs are helped, and what the server
    /// in front of us has accepted is not to be bounced for it.
    fn bare_line_ends(&self) -> BareLineEnds {
        match self.kind {
            Kind::Mx => BareLineEnds::Report,
            Kind::Lmtp | Kind::Submission => BareLineEnds::Normalise,
        }
    }
}

impl Body {
    fn new(framer: Framer, now: Instant) -> Self {
        Self { framer, size: 0, raw: 0, eight_bit: false, refusal: None, kept: false, started: now }
    }
}

/// So many bytes of a message are read, in the hope that it ends and the refusal can be said in
/// order; whoever sends more is cut off.
fn tolerated(limit: u64) -> u64 {
    limit.saturating_mul(2).saturating_add(1024 * 1024)
}

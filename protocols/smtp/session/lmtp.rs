//! What is different by LMTP (RFC 2033): who may connect, the greeting, and one reply for each recipient
//! after the message.

use super::{Asked, Phase, Session, accepted};
use crate::Kind;
use crate::reply::Reply;

/// Temporary, so that a server that should have been named in the configuration loses nothing.
const NOT_TRUSTED: Reply = Reply::new(421, "4.7.1", "This host may not bring mail here");

impl Session {
    pub(super) fn greet(&mut self) {
        let protocol = match self.kind {
            Kind::Lmtp => "LMTP",
            Kind::Mx | Kind::Submission => "ESMTP",
        };
        if self.kind == Kind::Lmtp && !self.settings.lmtp_networks.contains(self.link.peer) {
            return self.close(&NOT_TRUSTED);
        }
        let greeting = Reply::with(220, "", format!("{} {protocol} Twin Hub", self.settings.host_name));
        self.say(&greeting);
    }

    pub(super) fn say_hello(&self) -> Reply {
        match self.kind {
            Kind::Lmtp => Reply::new(503, "5.5.1", "Say LHLO first"),
            Kind::Mx | Kind::Submission => Reply::new(503, "5.5.1", "Say EHLO first"),
        }
    }

    /// RFC 2033 §4.2: one for each RCPT that was answered with 250, also if two named the same.
    pub(super) fn replies_to_message(&self, named: &[usize]) -> usize {
        match self.kind {
            Kind::Lmtp => named.len(),
            Kind::Mx | Kind::Submission => 1,
        }
    }

    /// The message was taken over or refused for each recipient of the envelope, in its order.
    pub(crate) fn finished_each(&mut self, answers: &[Result<(), Reply>]) {
        let Phase::Asked(Asked::Finish { id, named }) = self.answered() else { return };
        if answers.iter().any(Result::is_ok) {
            self.count_message();
        }
        for recipient in named {
            match answers.get(recipient) {
                Some(Err(reply)) => self.refuse(reply),
                _ => self.say(&accepted(&id)),
            }
        }
    }
}

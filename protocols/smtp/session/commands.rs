//! What each command does, but for AUTH and the message itself.

use std::time::Instant;

use hub::Address;
use hub_wire::sasl::mechanisms;

use super::{Asked, Client, Phase, Request, Session, Transaction, too_large};
use crate::Kind;
use crate::command::{Command, Mail, Rcpt};
use crate::headers::Greeting;
use crate::path::ForwardPath;
use crate::reply::Reply;

const PIPELINED_STARTTLS: Reply =
    Reply::new(554, "5.5.1", "Nothing may follow STARTTLS before the TLS handshake");
const SAY_LHLO: Reply = Reply::new(500, "5.5.1", "This is LMTP: say LHLO");
const NOT_LMTP: Reply = Reply::new(502, "5.5.1", "This is not LMTP: say EHLO");
const NO_DSN: Reply = Reply::new(555, "5.5.4", "DSN parameters are not offered here");

impl Session {
    pub(super) fn obey(&mut self, command: Command, pipelined: bool, now: Instant) {
        if !matches!(command, Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat { .. })
            && !self.spend_idle_command()
        {
            return;
        }
        match command {
            Command::Auth { mechanism, initial } => self.on_auth(&mechanism, initial),
            Command::Bdat { size, last } => self.on_bdat(size, last, now),
            Command::Data => self.on_data(now),
            // RFC 2033 §4.1: neither protocol says yes to the other's greeting.
            Command::Ehlo(_) | Command::Helo(_) if self.kind == Kind::Lmtp => self.refuse(&SAY_LHLO),
            Command::Lhlo(_) if self.kind != Kind::Lmtp => self.refuse(&NOT_LMTP),
            Command::Ehlo(name) => self.on_ehlo(name, Greeting::Ehlo),
            // RFC 5321 §3.5.3: VRFY and EXPN need not be answered; lists of members are nobody's
            // business.
            Command::Expn => self.refuse(&Reply::new(502, "5.5.1", "EXPN is not offered")),
            Command::Helo(name) => self.on_helo(name),
            Command::Help => self.say(&Reply::new(
                214,
                "2.0.0",
                "EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH QUIT, see RFC 5321",
            )),
            Command::Lhlo(name) => self.on_ehlo(name, Greeting::Lhlo),
            Command::Mail(mail) => self.on_mail(mail),
            Command::Noop => self.say(&Reply::new(250, "2.0.0", "Ok")),
            Command::Quit => self.close(&Reply::new(221, "2.0.0", "Bye")),
            Command::Rcpt(rcpt) => self.on_rcpt(rcpt),
            Command::Rset => {
                self.reset();
                self.say(&Reply::new(250, "2.0.0", "Ok"));
            }
            Command::StartTls => self.on_starttls(pipelined),
            // RFC 5321 §7.3: says the same for every name.
            Command::Vrfy => self.say(&Reply::new(252, "2.5.0", "Send the message and see")),
        }
    }

    /// RFC 5321 §4.1.1.1, §4.1.4: EHLO also resets. RFC 2033 §4.1: LHLO is answered like it.
    fn on_ehlo(&mut self, name: String, greeted: Greeting) {
        self.reset();
        self.client = Some(Client { name, greeted });
        let mut lines = vec![self.settings.host_name.clone(), "PIPELINING".into()];
        lines.push(format!("SIZE {}", self.settings.max_message_size));
        if self.link.can_start_tls {
            lines.push("STARTTLS".into());
        }
        if self.kind == Kind::Submission {
            if self.link.may_authenticate {
                lines.push(format!("AUTH {}", mechanisms(self.link.binding).join(" ")));
            }
            // RFC 3461. Not on the MX port: it would promise strangers reports about our twins. Not by
            // LMTP: the server in front knows from our answers what became of a message.
            lines.push("DSN".into());
        }
        // RFC 8689 §2: within TLS only.
        if self.link.tls.is_some() {
            lines.push("REQUIRETLS".into());
        }
        lines.extend(["ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING"].map(String::from));
        let last = lines.len() - 1;
        for (n, line) in lines.iter().enumerate() {
            let separator = if n == last { ' ' } else { '-' };
            self.output.extend_from_slice(format!("250{separator}{line}\r\n").as_bytes());
        }
    }

    fn on_helo(&mut self, name: String) {
        self.reset();
        self.client = Some(Client { name, greeted: Greeting::Helo });
        let reply = Reply::with(250, "", self.settings.host_name.clone());
        self.say(&reply);
    }

    fn on_mail(&mut self, mail: Mail) {
        let limit = self.settings.max_message_size;
        let refusal = if self.client.is_none() {
            Some(self.say_hello())
        } else if self.kind == Kind::Submission && self.twin.is_none() {
            Some(Reply::new(530, "5.7.0", "Authentication required"))
        } else if self.transaction.is_some() {
            Some(Reply::new(503, "5.5.1", "A sender was given already"))
        } else if self.kind != Kind::Submission && (mail.uses_dsn() || mail.auth) {
            Some(NO_DSN)
        } else if mail.require_tls && self.link.tls.is_none() {
            Some(Reply::new(530, "5.7.10", "REQUIRETLS is for connections with TLS"))
        } else if mail.size.is_some_and(|size| size > limit) {
            Some(too_large(limit))
        } else if !mail.smtputf8 && mail.reverse_path.as_ref().is_some_and(Address::needs_utf8) {
            Some(Reply::new(550, "5.6.7", "This sender address needs SMTPUTF8"))
        } else {
            None
        };
        if let Some(reply) = refusal {
            return self.refuse(&reply);
        }
        let reverse_path = mail.reverse_path.clone();
        self.ask(Asked::Sender(mail), Request::CheckSender(reverse_path));
    }

    pub(super) fn accept_sender(&mut self, mail: Mail) {
        self.transaction = Some(Transaction { mail, recipients: Vec::new(), named: Vec::new(), body: None });
        self.say(&Reply::new(250, "2.1.0", "Sender ok"));
    }

    fn on_rcpt(&mut self, rcpt: Rcpt) {
        let refusal = match &self.transaction {
            None => Some(Reply::new(503, "5.5.1", "Give the sender first")),
            Some(transaction) if transaction.body.is_some() => {
                Some(Reply::new(503, "5.5.1", "The message has begun"))
            }
            Some(transaction) if transaction.named.len() >= self.settings.max_recipients => {
                Some(Reply::new(452, "4.5.3", "Too many recipients, send the message again for the others"))
            }
            Some(_)
                if self.kind != Kind::Submission && (rcpt.notify.is_some() || rcpt.original.is_some()) =>
            {
                Some(NO_DSN)
            }
            Some(transaction) => match &rcpt.path {
                ForwardPath::Address(address) if address.needs_utf8() && !transaction.mail.smtputf8 => {
                    Some(Reply::new(553, "5.6.7", "This recipient address needs SMTPUTF8"))
                }
                _ => None,
            },
        };
        if let Some(reply) = refusal {
            return self.refuse(&reply);
        }
        let path = rcpt.path.clone();
        let mail = self.transaction.as_ref().map(|transaction| &transaction.mail);
        let size = mail.and_then(|mail| mail.size).unwrap_or(1);
        let reverse_path = mail.and_then(|mail| mail.reverse_path.clone());
        let helo = self.client.as_ref().map(|client| client.name.clone()).unwrap_or_default();
        self.ask(Asked::Recipient(rcpt), Request::Route { path, size, reverse_path, helo });
    }

    /// RFC 3207 §4. STARTTLS injection: what an attacker put behind the command in the same packet
    /// must not be taken for something said inside TLS, so the connection ends.
    fn on_starttls(&mut self, pipelined: bool) {
        if self.link.tls.is_some() || !self.link.can_start_tls {
            self.refuse(&Reply::new(503, "5.5.1", "TLS is not available or on already"));
        } else if pipelined {
            self.close(&PIPELINED_STARTTLS);
        } else {
            self.say(&Reply::new(220, "2.0.0", "Ready to start TLS"));
            self.phase = Phase::StartTls;
        }
    }
}

//! Does what a [`Session`] asks for, with the hub.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hub::{Account, Address, Door, Error, Incoming, Scopes, ScramCredentials, Secret, Spool, Verdict};
use hub_civil::rfc5322_date;
use hub_mailauth::Envelope as Sender;
use hub_wire::limits::AccountPlace;
use hub_wire::sasl::TokenRefusal;
use tracing::{info, warn};

use crate::authentic::{self, Pending};
use crate::fill::{Beginning, Fill};
use crate::forged::Forged;
use crate::headers::Trace;
use crate::path::ForwardPath;
use crate::reply::Reply;
use crate::session::{Destination, Envelope, Request, Session};
use crate::status::{self, Failure};
use crate::{Kind, Service, content, lmtp, mx, submission};

/// The hub's side of one connection.
pub(crate) struct Worker {
    service: Arc<Service>,
    kind: Kind,
    conn: u64,
    peer: IpAddr,
    /// Who logged in.
    account: Option<Account>,
    /// Its place among the connections of that account.
    place: Option<AccountPlace<i64>>,
    /// The message that is coming in.
    spool: Option<Spool>,
    /// Takes results of checks out of its header that we have not made.
    forged: Option<Forged>,
    /// Holds its header back, if it is a twin's.
    fill: Option<Fill>,
    /// What is being asked about its sender, if it is a stranger's.
    sender: Option<Pending>,
    /// Messages begun on this connection, for their ids.
    messages: u32,
}

impl Worker {
    pub(crate) fn new(service: Arc<Service>, kind: Kind, conn: u64, peer: IpAddr) -> Self {
        Self {
            service,
            kind,
            conn,
            peer,
            account: None,
            place: None,
            spool: None,
            forged: None,
            fill: None,
            sender: None,
            messages: 0,
        }
    }

    pub(crate) async fn perform(&mut self, request: Request, session: &mut Session) {
        match request {
            Request::CheckSender(address) => {
                let answer = self.check_sender(address.as_ref()).await;
                session.sender_checked(answer.map_err(|failure| self.refused(failure, &address)));
            }
            Request::Finish(envelope) => match self.finish(*envelope).await {
                Ok(answers) if self.kind == Kind::Lmtp => session.finished_each(&answers),
                answer => session.finished(answer.map(|_| ())),
            },
            Request::Login { login, password } => {
                let answer = self.login(&login, Some(password)).await;
                session.logged_in(answer.and_then(|account| self.enter(account)));
            }
            Request::LoginFailed { login, why } => {
                self.count_failure(&login, why);
                session.logged_in(Err(status::reply(&Error::BadCredentials)));
            }
            Request::LoginProven { login } => {
                let answer = self.login(&login, None).await;
                session.logged_in(answer.and_then(|account| self.enter(account)));
            }
            Request::LoginToken { login, token } => {
                let scope = Scopes::MAIL_SEND;
                self.wait_for_failures(&login).await;
                match self.service.hub.login_as_with_token(&login, &token, scope, self.peer).await {
                    Ok(account) => session.logged_in(self.enter(account)),
                    Err(Error::BadCredentials) => {
                        session.token_refused(TokenRefusal::Invalid, &scope.to_string());
                    }
                    Err(Error::Forbidden(_)) => {
                        session.token_refused(TokenRefusal::Insufficient, &scope.to_string());
                    }
                    Err(error) => session.logged_in(Err(self.cannot_check(&error))),
                }
            }
            Request::Route { path, size, reverse_path, helo } => {
                let answer = self.route(&path, size, reverse_path.as_ref()).await;
                if answer.is_ok() {
                    self.look_up(Sender { peer: self.peer, helo, reverse_path });
                }
                session.routed(answer);
            }
            Request::ScramCredentials { login } => {
                let answer = self.scram_credentials(&login).await;
                session.scram_credentials(answer);
            }
        }
    }

    /// Decides at MAIL FROM: how much was brought lately, and as whom a twin sends.
    async fn check_sender(&self, reverse_path: Option<&Address>) -> Result<(), Failure> {
        let rates = &self.service.settings.rates;
        match (self.kind, &self.account) {
            // The server in front is the owner's.
            (Kind::Lmtp, _) => Ok(()),
            (Kind::Mx, _) => Ok(rates.message_from(self.peer)?),
            (Kind::Submission, Some(account)) => {
                if let Some(address) = reverse_path {
                    submission::check_sender(account, address).await?;
                }
                Ok(rates.message_of_account(self.peer, account.id().0)?)
            }
            (Kind::Submission, None) => Err(NOT_LOGGED_IN.into()),
        }
    }

    /// Adds bytes to the message that is coming in.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Reply> {
        let written = self.spool(bytes).await;
        written.map_err(|failure| failure.into_reply(self.conn))
    }

    async fn spool(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.spool.is_none() {
            self.spool = Some(self.service.hub.spool());
            // The server in front by LMTP may be called like us, and has made its own checks.
            let is_ours = self.kind != Kind::Lmtp;
            self.forged = is_ours.then(|| Forged::new(&self.service.settings.host_name));
            self.fill = (self.kind == Kind::Submission).then(Fill::default);
            self.messages += 1;
        }
        match &mut self.forged {
            Some(forged) if !forged.is_past() => {
                let kept = forged.pass(bytes);
                self.fill_up(&kept).await
            }
            _ => self.fill_up(bytes).await,
        }
    }

    async fn fill_up(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.fill {
            Some(fill) if !fill.is_past() => match fill.hold(bytes) {
                Some(beginning) => self.begin(beginning).await,
                None => Ok(()),
            },
            _ => self.keep(bytes).await,
        }
    }

    /// The complete message, also if it is empty.
    async fn take_spool(&mut self) -> Result<Spool, Failure> {
        self.spool(b"").await?;
        if let Some(rest) = self.forged.as_mut().map(Forged::end) {
            self.fill_up(&rest).await?;
        }
        if let Some(beginning) = self.fill.take().and_then(|mut fill| fill.end()) {
            self.begin(beginning).await?;
        }
        Ok(self.spool.take().unwrap_or_else(|| self.service.hub.spool()))
    }

    /// Writes what a twin's message lacks, then its beginning.
    async fn begin(&mut self, Beginning { bytes, no_date, no_message_id }: Beginning) -> Result<(), Failure> {
        let now = unix_now();
        if no_date {
            self.keep(format!("Date: {}\r\n", rfc5322_date(now, 0)).as_bytes()).await?;
        }
        if no_message_id {
            let host_name = &self.service.settings.host_name;
            let field = format!("Message-ID: <{now:x}.{:x}.{:x}@{host_name}>\r\n", self.conn, self.messages);
            self.keep(field.as_bytes()).await?;
        }
        self.keep(&bytes).await
    }

    async fn keep(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.spool {
            Some(spool) if !bytes.is_empty() => Ok(spool.write(bytes).await.map_err(Error::from)?),
            _ => Ok(()),
        }
    }

    /// TLS has begun; a login before it counts no more (RFC 3207 §4.2).
    pub(crate) fn tls_started(&mut self) {
        self.account = None;
        self.place = None;
    }

    pub(crate) fn discard(&mut self) {
        self.spool = None;
        self.forged = None;
    }

    /// Begins to ask who a stranger is; the message need not have come for it.
    fn look_up(&mut self, envelope: Sender) {
        let settings = &self.service.settings;
        // The owner's own programs and proxies bring other people's mail; where it came from is not theirs
        // to prove.
        let checks = self.kind == Kind::Mx && (settings.check_loopback || !settings.rates.spare(self.peer));
        let Some(authenticator) = self.service.authenticator.as_ref().filter(|_| checks) else { return };
        if !self.sender.as_ref().is_some_and(|pending| pending.is_about(&envelope)) {
            self.sender = Some(Pending::begin(authenticator, envelope));
        }
    }

    /// What is known of the sender now that the message is there; `None` if he is not checked.
    async fn verify(&mut self, incoming: &Incoming, envelope: &Envelope) -> Result<Option<Verdict>, Failure> {
        let removed = self.forged.take().map(Forged::into_removed).unwrap_or_default();
        match (&self.service.authenticator, self.sender.take()) {
            (Some(authenticator), Some(pending)) => {
                let message = (incoming, removed.as_slice());
                authentic::verify(&self.service, authenticator, pending, message, envelope).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Decides about a recipient of a message of `size` bytes (1, if the client has not said).
    async fn route(
        &self,
        path: &ForwardPath,
        size: u64,
        reverse_path: Option<&Address>,
    ) -> Result<Destination, Reply> {
        let hub = &self.service.hub;
        let mut answer = match self.kind {
            Kind::Lmtp | Kind::Mx => match mx::accept_return(hub, path, reverse_path).await {
                Ok(None) => mx::accept_recipient(hub, path).await,
                Ok(Some(back)) => Ok(back),
                Err(failure) => Err(failure),
            },
            Kind::Submission => submission::accept_recipient(hub, path).await,
        };
        if let Ok(Destination::Local(recipient)) = &answer
            && let Err(error) = hub.room_for(&recipient.members.accounts, size).await
        {
            answer = Err(error.into());
        }
        if let (Ok(_), Some(account)) = (&answer, &self.account)
            && let Err(reply) = self.service.settings.rates.recipient_of_account(self.peer, account.id().0)
        {
            answer = Err(reply.into());
        }
        answer.map_err(|failure| self.refused(failure, path))
    }

    /// Tries the log-in: with a password, or without one after SCRAM has proved it.
    async fn login(&self, login: &str, password: Option<Secret>) -> Result<Account, Reply> {
        let answer = match &password {
            Some(password) => {
                self.wait_for_failures(login).await;
                self.service.hub.login(login, password, Door::Submission).await
            }
            None => self.service.hub.login_proven(login, Door::Submission).await,
        };
        match answer {
            Ok(account) => {
                self.service.login_delay.succeeded(self.peer);
                self.service.login_delay.account_succeeded(login);
                Ok(account)
            }
            Err(error @ Error::Unavailable(_)) => Err(self.cannot_check(&error)),
            Err(error) => {
                self.count_failure(login, &error.to_string());
                Err(status::reply(&Error::BadCredentials))
            }
        }
    }

    /// The price of earlier failures.
    async fn wait_for_failures(&self, login: &str) {
        self.service.login_delay.wait(Some(self.peer), login).await;
    }

    fn count_failure(&self, login: &str, why: &str) {
        self.service.login_delay.failed(self.peer);
        self.service.login_delay.account_failed(login);
        info!(conn = self.conn, peer = %self.peer, login, why, "log-in failed");
    }

    fn cannot_check(&self, error: &Error) -> Reply {
        tracing::error!(conn = self.conn, error = status::causes(error), "a log-in could not be checked");
        UNAVAILABLE
    }

    /// From here on the connection is this twin's.
    fn enter(&mut self, account: Account) -> Result<String, Reply> {
        let twin = account.handle().to_string();
        self.place = None;
        match self.service.settings.rates.connection_of_account(account.id().0) {
            Ok(place) => self.place = Some(place),
            Err(reply) => {
                warn!(conn = self.conn, peer = %self.peer, twin, "too many connections of one twin");
                return Err(reply);
            }
        }
        info!(conn = self.conn, peer = %self.peer, twin, "logged in");
        self.account = Some(account);
        Ok(twin)
    }

    async fn scram_credentials(&self, login: &str) -> Result<ScramCredentials, Reply> {
        self.wait_for_failures(login).await;
        self.service.hub.scram_credentials(login).await.map_err(|error| self.cannot_check(&error))
    }

    /// Takes the message over, or says why not; by LMTP also for each recipient. One line in the log
    /// either way.
    async fn finish(&mut self, envelope: Envelope) -> Result<Vec<Result<(), Reply>>, Reply> {
        let began = Instant::now();
        let (id, size, recipients) = (envelope.id.clone(), envelope.size, envelope.recipients.len());
        let from = envelope.mail.reverse_path.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string);
        let to = envelope.recipients.first().map(|first| first.destination.address().to_string());
        let mut message_id = String::new();
        let answer = match self.take_incoming().await {
            Ok(incoming) => {
                message_id.clone_from(&incoming.summary.message_id);
                match self.verify(&incoming, &envelope).await {
                    Ok(verdict) => self.hand_over(envelope, incoming, verdict).await,
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        };
        let reply = answer.map_err(|failure| failure.into_reply(self.conn));
        let (outcome, queue_id, refusal) = match &reply {
            Ok(taken) => ("message accepted", taken.queue_id, taken.first_refusal().map(ToString::to_string)),
            Err(reply) => ("message refused", None, Some(reply.to_string())),
        };
        let refused = reply.as_ref().map_or(recipients, |taken| taken.refused());
        info!(
            conn = self.conn,
            peer = %self.peer,
            twin = self.account.as_ref().map(|account| tracing::field::display(account.handle().clone())),
            id,
            queue_id,
            message_id,
            from,
            to,
            recipients,
            refused,
            size,
            reply = refusal,
            duration_ms = began.elapsed().as_millis() as u64,
            "{outcome}"
        );
        reply.map(|taken| taken.each)
    }

    async fn take_incoming(&mut self) -> Result<Incoming, Failure> {
        let spool = self.take_spool().await?;
        Ok(self.service.hub.examine(spool).await?)
    }

    async fn hand_over(
        &self,
        envelope: Envelope,
        incoming: Incoming,
        mut verdict: Option<Verdict>,
    ) -> Result<Taken, Failure> {
        let settings = &self.service.settings;
        let (id, helo) = (envelope.id.clone(), envelope.helo.clone());
        let trace = Trace {
            host_name: &settings.host_name,
            helo: &helo,
            greeted: envelope.greeted,
            peer: self.peer,
            tls: envelope.tls,
            authenticated: self.account.is_some(),
            smtputf8: envelope.mail.smtputf8,
            id: &id,
            recipient: None,
            at: unix_now(),
        };
        let hub = &self.service.hub;
        match (&self.account, self.kind) {
            (None, Kind::Lmtp) => {
                let each = lmtp::deliver(hub, settings, envelope, incoming, &trace).await?;
                let reply = |failure: Failure| failure.into_reply(self.conn);
                let each = each.into_iter().map(|answer| answer.map_err(reply)).collect();
                Ok(Taken { queue_id: None, each })
            }
            (None, Kind::Mx) => {
                let added = match &settings.content_filter {
                    Some(filter) => {
                        let (host, peer) = (&settings.host_name, self.peer);
                        content::judge(filter, host, peer, &envelope, &incoming, &mut verdict).await?
                    }
                    None => String::new(),
                };
                mx::deliver(hub, settings, envelope, incoming, &trace, verdict, &added).await?;
                Ok(Taken::default())
            }
            (Some(account), Kind::Submission) => {
                let queue_id = submission::send(hub, account, settings, envelope, incoming, &trace).await?;
                Ok(Taken { queue_id, each: Vec::new() })
            }
            _ => Err(NOT_LOGGED_IN.into()),
        }
    }

    fn refused(&self, failure: Failure, whom: &dyn std::fmt::Debug) -> Reply {
        let reply = failure.into_reply(self.conn);
        let twin = self.account.as_ref().map(|account| tracing::field::display(account.handle().clone()));
        info!(conn = self.conn, peer = %self.peer, twin, address = ?whom, reply = %reply, "address refused");
        reply
    }
}

/// What became of a message that was not refused as a whole.
#[derive(Default)]
struct Taken {
    queue_id: Option<i64>,
    /// The answer for each recipient, by LMTP only.
    each: Vec<Result<(), Reply>>,
}

impl Taken {
    fn first_refusal(&self) -> Option<&Reply> {
        self.each.iter().find_map(|answer| answer.as_ref().err())
    }

    fn refused(&self) -> usize {
        self.each.iter().filter(|answer| answer.is_err()).count()
    }
}

const NOT_LOGGED_IN: Reply = Reply::new(530, "5.7.0", "Authentication required");
const UNAVAILABLE: Reply = Reply::new(454, "4.7.0", "Cannot check log-ins at the moment, try again later");

pub(crate) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

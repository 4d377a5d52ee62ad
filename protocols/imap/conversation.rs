//! The conversation with one client: greeting, commands one after the other, news, goodbye.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::Service;
use crate::capability::{Offer, capabilities};
use crate::commands::{self, Failure};
use crate::grammar::command::Command;
use crate::input::Step;
use crate::link::{Link, Stop, Transport};
use crate::mask;
use crate::session::{Session, State, expunges_after, expunges_after_append};
use crate::status::{Kind, Reply};
use crate::view::{Expunges, News};

pub(crate) struct Conversation {
    pub(crate) service: Arc<Service>,
    pub(crate) session: Session,
    pub(crate) link: Link,
}

/// Talks with a client until one side ends it.
pub(crate) async fn converse(
    service: Arc<Service>,
    transport: Box<dyn Transport>,
    shutdown: CancellationToken,
) {
    let settings = &service.settings;
    let deadline = Instant::now() + settings.time_before_login;
    let link = Link::new(transport, shutdown, deadline, settings.command_time);
    let mut conversation = Conversation { service, session: Session::new(), link };
    let stop = match conversation.run().await {
        Ok(never) => match never {},
        Err(stop) => stop,
    };
    conversation.log_end(&stop);
    conversation.link.close(stop).await;
}

enum Never {}

impl Conversation {
    async fn run(&mut self) -> Result<Never, Stop> {
        let capabilities = self.capabilities();
        self.link.say(&format!("* OK [CAPABILITY {capabilities}] Twin Hub is ready"));
        loop {
            let step = match self.session.user() {
                Ok(user) if user.hears_at_once() => Box::pin(commands::notify::step(self)).await?,
                _ => self.link.step().await?,
            };
            // Boxed: what a command needs is freed when it ends, so that a connection that only
            // waits costs little. IDLE is apart, because it waits inside the command.
            match step {
                Step::Command { tag, command: Command::Idle } => {
                    Box::pin(commands::idle::idle(self, &tag)).await?;
                }
                step => Box::pin(self.handle(step)).await?,
            }
            if !matches!(self.session.state, State::Stranger(_)) {
                self.link.deadline = Instant::now() + self.service.settings.idle_time;
            }
        }
    }

    async fn handle(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::Command { tag, command } => {
                let expunges = expunges_after(&command);
                let outcome = commands::execute(self, &tag, command).await;
                self.end_command(&tag, outcome, expunges).await
            }
            Step::Append { tag, pieces, literal } => {
                let expunges = expunges_after_append(&pieces);
                let outcome = commands::append::append(self, pieces, literal).await;
                self.end_command(&tag, outcome, expunges).await
            }
            Step::Refuse { tag, refusal } => {
                let reply = Reply::from(refusal);
                let tag = tag.as_deref().filter(|tag| self.may_echo(tag)).unwrap_or("*");
                self.end_command(tag, Ok(reply), Expunges::Keep).await
            }
            Step::Continue => {
                self.link.say("+ OK");
                Ok(())
            }
            Step::Close(why) => Err(Stop::Bye(why)),
            // These come only within AUTHENTICATE, IDLE and APPEND, which take them themselves.
            Step::Chunk(_) | Step::Line(_) | Step::LiteralEnd | Step::Skipped | Step::Starve => Ok(()),
        }
    }

    /// A stranger may be a browser that was made to talk to us (ALPACA and its kin): nothing that
    /// could be markup goes back to it (mjl-/mox f9eae88).
    fn may_echo(&self, tag: &str) -> bool {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        !matches!(self.session.state, State::Stranger(_)) || tag.bytes().all(is_plain)
    }

    /// Says what is new, then how the command ended.
    pub(crate) async fn end_command(
        &mut self,
        tag: &str,
        outcome: Result<Reply, Failure>,
        expunges: Expunges,
    ) -> Result<(), Stop> {
        let reply = match outcome {
            Ok(reply) | Err(Failure::Refuse(reply)) => reply,
            Err(Failure::Done) => return Ok(()),
            Err(Failure::Stop(stop)) => return Err(stop),
        };
        self.tell(expunges).await?;
        commands::notify::tell(self).await?;
        reply.write(&mut self.link.out, tag);
        if reply.kind == Kind::Bad {
            self.session.count_bad_command();
        }
        match self.session.has_enough_of_it(self.service.settings.failed_logins) {
            Some(why) => Err(Stop::Bye(why)),
            None => Ok(()),
        }
    }

    /// Tells the client what has changed in the selected mailbox, as far as it wants to hear it.
    pub(crate) async fn tell(&mut self, expunges: Expunges) -> Result<(), Stop> {
        let Ok((user, selected)) = self.session.selected() else { return Ok(()) };
        let hears = user.hears_of_selected();
        if !hears.new && expunges != Expunges::Owe {
            return Ok(());
        }
        let truth = selected.truth();
        let mut news = selected.view.catch_up(truth, expunges);
        if !hears.flags {
            selected.view.postpone_flags(&mut news);
        }
        self.say_news(news).await
    }

    /// A UID names its message also before this session has told of it: the client may know it from
    /// another connection. Called at the start of UID commands that change something.
    pub(crate) async fn catch_up_for(&mut self, uid: bool) -> Result<(), Stop> {
        if uid { self.tell_of_arrivals().await } else { Ok(()) }
    }

    /// Tells the client only that messages have come, so that a command can name them. What else is
    /// new waits for the end of the command: scripts take the first FETCH response for their answer.
    pub(crate) async fn tell_of_arrivals(&mut self) -> Result<(), Stop> {
        let Ok((user, selected)) = self.session.selected() else { return Ok(()) };
        if !user.hears_of_selected().new {
            return Ok(());
        }
        let truth = selected.truth();
        let mut news = selected.view.catch_up(truth, Expunges::Keep);
        selected.view.postpone_flags(&mut news);
        self.say_news(news).await
    }

    /// Writes `news`, which the selected mailbox's view has just produced.
    pub(crate) async fn say_news(&mut self, mut news: News) -> Result<(), Stop> {
        let Self { session, link, .. } = self;
        let Ok((user, selected)) = session.selected() else { return Ok(()) };
        if !news.is_empty() {
            let flags = news.flags(&selected.view);
            commands::flags::announce(user, selected, flags, &mut link.out).await;
            commands::contexts::say_expunged(selected, &news, &mut link.out);
            while !news.write(&mut link.out, &selected.view, user.style()) {
                link.relieve().await?;
            }
        }
        // Also when there is no other news: after STORE with .SILENT the client computes flags itself,
        // but not results.
        if !selected.contexts.is_empty() {
            Box::pin(commands::contexts::say_updates(user, selected, &mut link.out)).await;
            link.relieve().await?;
        }
        if news.added > 0 { commands::notify::say_new(self, news.added).await } else { Ok(()) }
    }

    pub(crate) fn capabilities(&self) -> String {
        let transport = self.link.transport();
        let line = capabilities(Offer {
            logged_in: !matches!(self.session.state, State::Stranger(_)),
            may_authenticate: transport.is_some_and(Transport::may_authenticate),
            binding: transport.and_then(Transport::channel_binding),
            start_tls: transport.is_some_and(|transport| !transport.is_tls()),
            compressed: transport.is_some_and(Transport::is_compressed),
            append_limit: self.service.settings.message_size,
        });
        match self.session.logged_in() {
            Some(user) => mask::without(&line, user.account.hidden_capabilities()),
            None => line,
        }
    }

    pub(crate) fn connection(&self) -> u64 {
        self.link.transport().map_or(0, Transport::id)
    }

    fn log_end(&mut self, stop: &Stop) {
        let conn = self.connection();
        match self.session.user() {
            Ok(user) => info!(conn, twin = %user.account.handle(), reason = %reason(stop), "logged out"),
            Err(_) => debug!(conn, reason = %reason(stop), "left without logging in"),
        }
    }
}

fn reason(stop: &Stop) -> String {
    match stop {
        Stop::Closed => "closed".to_owned(),
        Stop::Lost(error) => error.to_string(),
        Stop::Bye(text) => (*text).to_owned(),
    }
}

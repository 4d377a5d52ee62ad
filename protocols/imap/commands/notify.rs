//! NOTIFY (RFC 5465), and unsolicited METADATA responses (RFC 5464 §4.4).
//!
//! What the client itself changes in other mailboxes is told as well: the hub says which mailboxes are
//! other than before, and leaving one out could hide what somebody else has done there.
//!
//! The hub gathers what happens in the account; here it becomes LIST, STATUS and METADATA responses. What
//! cannot be told ends in NOTIFICATIONOVERFLOW, and nothing is told any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use hub::{Happenings, MailboxId, MailboxInfo, Snapshot, Watch};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::listing::{Extended, Listing};
use super::mailboxes::status_line;
use super::{Failure, Outcome, fetch};
use crate::conversation::Conversation;
use crate::encode;
use crate::grammar::command::StatusItem;
use crate::input::Step;
use crate::link::{Stop, Woken};
use crate::notify::{EVENT_NAMES, Events, Names, Notify};
use crate::session::{Session, User};
use crate::status::Reply;
use crate::view::Expunges;

/// What a session watches in its account.
pub(crate) struct Watching {
    watch: Watch,
    /// NOTIFY has been used.
    pub(crate) notify: Option<Notify>,
    /// ENABLE METADATA has been used.
    pub(crate) metadata: bool,
    /// As of the last time that something was told, if the client hears of names.
    names: Names,
    /// Names that the client has changed itself since then.
    own: Vec<String>,
}

impl Watching {
    fn new(watch: Watch) -> Self {
        Self { watch, notify: None, metadata: false, names: Names::default(), own: Vec::new() }
    }

    fn hears_of_names(&self) -> bool {
        self.notify.as_ref().is_some_and(Notify::hears_of_names)
    }
}

impl User {
    /// Begins to watch the account, if that has not begun.
    pub(crate) fn watch(&mut self) -> &mut Watching {
        let account = &self.account;
        self.watching.get_or_insert_with(|| Box::new(Watching::new(account.watch())))
    }

    /// The client changes these names: it need not be told (RFC 5465 §5).
    pub(crate) fn changes_names(&mut self, names: &[&str]) {
        if let Some(watching) = self.watching.as_mut().filter(|watching| watching.hears_of_names()) {
            watching.own.extend(names.iter().map(|&name| name.to_owned()));
        }
    }

    /// The client has set these annotations.
    pub(crate) fn changed_metadata(&self, of: Option<MailboxId>, entries: &[String]) {
        if let Some(watching) = &self.watching {
            watching.watch.forget_metadata(of, entries);
        }
    }

    fn notify(&self) -> Option<&Notify> {
        self.watching.as_ref()?.notify.as_ref()
    }

    /// The client hears of events between its commands.
    pub(crate) fn hears_at_once(&self) -> bool {
        self.notify().is_some_and(Notify::is_anything)
    }

    /// What the client hears of the selected mailbox; everything before the first NOTIFY.
    pub(crate) fn hears_of_selected(&self) -> Events {
        match self.notify() {
            Some(notify) => notify.selected.as_ref().map_or(Events::default(), |selected| selected.events),
            None => Events { new: true, expunge: true, flags: true, ..Events::default() },
        }
    }
}

/// RFC 5465 §3.1. State: Authenticated, Selected.
pub(super) async fn notify(c: &mut Conversation, notify: Notify, status: bool, supported: bool) -> Outcome {
    if !supported {
        return Err(Reply::no("BADEVENT", "Some of the events are not known")
            .with_code(format!("BADEVENT ({EVENT_NAMES})"))
            .into());
    }
    // What has gathered is told in the old words.
    c.tell(Expunges::Tell).await?;
    tell(c).await?;
    let user = c.session.user()?;
    user.watch();
    let messages = user.account.messages();
    let names = Names::new(messages.mailboxes().await?, messages.subscriptions().await?);
    if status {
        say_status_of_all(c, &names, &notify).await?;
    }
    let watching = c.session.user()?.watch();
    watching.names = if notify.hears_of_names() { names } else { Names::default() };
    watching.notify = Some(notify);
    Ok(Reply::ok("That will be told"))
}

/// `NOTIFY SET STATUS`: the state from which changes are told.
async fn say_status_of_all(c: &mut Conversation, names: &Names, notify: &Notify) -> Result<(), Failure> {
    let selected = selected(&c.session);
    let mut wanted = Vec::new();
    for info in names.mailboxes.values().filter(|info| info.selectable && Some(info.id) != selected) {
        let events = notify.events(&info.path, info.subscribed);
        if events.new {
            wanted.push((info, events));
        }
    }
    for (info, events) in wanted {
        say_status(c, info, events, true).await?;
        c.link.relieve().await?;
    }
    Ok(())
}

fn selected(session: &Session) -> Option<MailboxId> {
    match &session.state {
        crate::session::State::Selected(_, selected) => Some(selected.mailbox),
        _ => None,
    }
}

/// RFC 5465 §3.1, §5.1–§5.3: always MESSAGES and UIDNEXT; UNSEEN for who hears of flags; UIDVALIDITY
/// with it or at first; HIGHESTMODSEQ for who knows it.
async fn say_status(
    c: &mut Conversation,
    info: &MailboxInfo,
    events: Events,
    first: bool,
) -> Result<(), hub::Error> {
    let limit = c.service.settings.message_size;
    let Ok(user) = c.session.user() else { return Ok(()) };
    let mut items = vec![StatusItem::Messages, StatusItem::UidNext];
    if first || events.flags {
        items.push(StatusItem::UidValidity);
    }
    if events.flags {
        items.push(StatusItem::Unseen);
    }
    if user.condstore || (first && events.flags) {
        items.push(StatusItem::HighestModseq);
    }
    let line = status_line(&user.account, info, &items, limit, user.names).await?;
    c.link.out.extend_from_slice(&line);
    Ok(())
}

/// Tells what has happened in the account since the last time.
pub(crate) async fn tell(c: &mut Conversation) -> Result<(), Stop> {
    let Ok(user) = c.session.user() else { return Ok(()) };
    let Some(watching) = &user.watching else { return Ok(()) };
    let happenings = watching.watch.take();
    if happenings.is_empty() {
        return Ok(());
    }
    let told = if happenings.overflow { Ok(false) } else { Box::pin(report(c, happenings)).await };
    match told {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(Untold::Stop(stop)) => return Err(stop),
        Err(Untold::Hub(error)) => tracing::warn!(%error, "what happened cannot be told"),
    }
    // RFC 5465 §5.8: as after NOTIFY NONE.
    if let Ok(user) = c.session.user()
        && let Some(watching) = &mut user.watching
        && watching.notify.is_some()
    {
        watching.notify = Some(Notify::default());
        (watching.names, watching.own) = (Names::default(), Vec::new());
        c.link.say("* OK [NOTIFICATIONOVERFLOW] Too much has happened; nothing more is told");
    }
    Ok(())
}

/// Why something was not told.
enum Untold {
    Hub(hub::Error),
    Stop(Stop),
}

impl From<hub::Error> for Untold {
    fn from(error: hub::Error) -> Self {
        Self::Hub(error)
    }
}

impl From<Stop> for Untold {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

async fn report(c: &mut Conversation, happenings: Happenings) -> Result<bool, Untold> {
    if happenings.mailboxes {
        say_names(c).await?;
    }
    if !happenings.messages.is_empty() {
        say_counters(c, &happenings).await?;
    }
    if !happenings.metadata.is_empty() {
        say_metadata(c, &happenings).await?;
    }
    Ok(true)
}

/// LIST responses for names that are other than before (RFC 5465 §5.4, §5.5).
async fn say_names(c: &mut Conversation) -> Result<(), Untold> {
    let Ok(user) = c.session.user() else { return Ok(()) };
    let wire_names = user.names;
    let messages = user.account.messages();
    let Some(watching) = user.watching.as_mut().filter(|watching| watching.hears_of_names()) else {
        return Ok(());
    };
    let now = Names::new(messages.mailboxes().await?, messages.subscriptions().await?);
    let before = std::mem::take(&mut watching.names);
    let own = std::mem::take(&mut watching.own);
    if let Some(notify) = &watching.notify {
        for renewed in before.renewed(&now, notify, &own) {
            let listing = Listing {
                path: renewed.path,
                info: renewed.mailbox.and_then(|id| now.mailboxes.get(&id)),
                missing: "\\NonExistent",
                subscribed: renewed.subscribed,
                extended: renewed.old_name.map_or(Extended::Nothing, Extended::OldName),
            };
            listing.write(&mut c.link.out, "LIST", wire_names);
        }
    }
    watching.names = now;
    c.link.relieve().await?;
    Ok(())
}

/// STATUS responses for mailboxes that are not selected (RFC 5465 §5.1–§5.3).
async fn say_counters(c: &mut Conversation, happenings: &Happenings) -> Result<(), Untold> {
    let selected = selected(&c.session);
    let Ok(user) = c.session.user() else { return Ok(()) };
    let Some(watching) = &user.watching else { return Ok(()) };
    let Some(notify) = &watching.notify else { return Ok(()) };
    let ids: Vec<MailboxId> =
        happenings.messages.keys().copied().filter(|id| Some(*id) != selected).collect();
    let mut wanted = Vec::new();
    for info in user.account.messages().mailboxes_with(&ids).await? {
        let Some(happened) = happenings.messages.get(&info.id) else { continue };
        let events = notify.events(&info.path, info.subscribed);
        let hears = happened.added && events.new
            || happened.removed && events.expunge
            || happened.flags && events.flags;
        if hears {
            wanted.push((info, events));
        }
    }
    for (info, events) in wanted {
        say_status(c, &info, events, false).await?;
        c.link.relieve().await?;
    }
    Ok(())
}

/// `* METADATA mailbox entry …` (RFC 5464 §4.4.2) after ENABLE METADATA or NOTIFY.
async fn say_metadata(c: &mut Conversation, happenings: &Happenings) -> Result<(), Untold> {
    let Ok(user) = c.session.user() else { return Ok(()) };
    let wire_names = user.names;
    let Some(watching) = &user.watching else { return Ok(()) };
    let mut entries: BTreeMap<Option<MailboxId>, Vec<&str>> = BTreeMap::new();
    for (of, entry) in &happenings.metadata {
        entries.entry(*of).or_default().push(entry);
    }
    let ids: Vec<MailboxId> = entries.keys().copied().flatten().collect();
    let infos = user.account.messages().mailboxes_with(&ids).await?;
    for (of, entries) in entries {
        let info = of.and_then(|id| infos.iter().find(|info| info.id == id));
        let (path, hears) = match (&watching.notify, info) {
            (_, None) if of.is_some() => continue,
            (Some(notify), Some(info)) => {
                (info.path.as_str(), notify.events(&info.path, info.subscribed).metadata)
            }
            (Some(notify), None) => ("", notify.server_metadata()),
            (None, info) => (info.map_or("", |info| info.path.as_str()), false),
        };
        // RFC 5465 §5.6: either command will do.
        if !hears && (watching.notify.is_some() || !watching.metadata) {
            continue;
        }
        let out = &mut c.link.out;
        out.extend_from_slice(b"* METADATA ");
        encode::mailbox(out, path, wire_names);
        for entry in entries {
            out.push(b' ');
            encode::astring(out, entry);
        }
        out.extend_from_slice(b"\r\n");
    }
    c.link.relieve().await?;
    Ok(())
}

/// FETCH responses for messages that have just been told with EXISTS, if the client has said what it
/// wants of them (RFC 5465 §5.2).
pub(crate) async fn say_new(c: &mut Conversation, added: u32) -> Result<(), Stop> {
    let Ok((user, selected)) = c.session.selected() else { return Ok(()) };
    let wanted = user.notify().and_then(|notify| notify.selected.as_ref());
    let Some(items) = wanted.map(|wanted| wanted.items.clone()).filter(|items| !items.is_empty()) else {
        return Ok(());
    };
    let len = selected.view.len();
    match Box::pin(fetch::say_items(c, items, &[(len - added, len - 1)])).await {
        Err(Failure::Stop(stop)) => Err(stop),
        // The client has heard EXISTS and can ask again.
        _ => Ok(()),
    }
}

/// Waits until something happens in the selected mailbox or in the account.
pub(super) async fn happened(truth: &mut Option<Receiver<Arc<Snapshot>>>, session: &Session) {
    let in_mailbox = async {
        if let Some(truth) = truth
            && truth.changed().await.is_ok()
        {
            return;
        }
        // No mailbox is selected, or the hub has closed: nothing changes any more.
        std::future::pending().await
    };
    let in_account = async {
        match session.watch() {
            Some(watching) => watching.watch.happened().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = in_mailbox => {}
        () = in_account => {}
    }
}

/// The next step of a client that hears of events between its commands.
pub(crate) async fn step(c: &mut Conversation) -> Result<Step, Stop> {
    let mut truth = c.session.selected().ok().map(|(_, selected)| selected.open.watch());
    loop {
        match c.link.input.next() {
            Step::Starve => {}
            step => return Ok(step),
        }
        if !c.link.input.is_between_commands() {
            // Nothing is said into the middle of a command.
            return c.link.step().await;
        }
        c.tell(c.session.expunges_at_once()).await?;
        tell(c).await?;
        c.link.flush().await?;
        let Conversation { session, link, .. } = c;
        let until: Instant = link.deadline;
        match link.wait_or(happened(&mut truth, session), until).await? {
            Woken::Input => link.read().await?,
            Woken::Other(()) => {}
            Woken::Time => return Err(Stop::Bye("Nothing was heard for too long")),
        }
    }
}

impl Session {
    fn watch(&self) -> Option<&Watching> {
        self.logged_in()?.watching.as_deref()
    }

    /// Whether expunges may be said between commands (RFC 5465 §6.1).
    fn expunges_at_once(&self) -> Expunges {
        let notify = self.watch().and_then(|watching| watching.notify.as_ref());
        match notify.and_then(|notify| notify.selected.as_ref()) {
            Some(selected) if !selected.delayed => Expunges::Tell,
            _ => Expunges::Keep,
        }
    }
}

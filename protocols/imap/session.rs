//! The states of a session and the commands they allow (RFC 9051 §3). No sockets, no hub calls.

use std::sync::Arc;

use hub::{Account, AccountId, IdSet, Keywords, MailboxId, OpenMailbox, Snapshot};
use hub_wire::limits::AccountPlace;

use crate::commands::contexts::Context;
use crate::commands::notify::Watching;
use crate::grammar::Piece;
use crate::grammar::command::{AppendHead, Command, Target};
use crate::mask;
use crate::names::Names;
use crate::status::Reply;
use crate::view::{Expunges, Style, View};

pub(crate) struct Session {
    pub(crate) state: State,
}

pub(crate) enum State {
    /// Not authenticated. Counts what speaks against the client.
    Stranger(Stranger),
    Authenticated(User),
    Selected(User, Box<Selected>),
}

#[derive(Default)]
pub(crate) struct Stranger {
    /// Commands that were not understood.
    bad_commands: u32,
    failed_logins: u32,
}

/// Who has logged in, and what the client has enabled.
pub(crate) struct User {
    pub(crate) account: Account,
    /// The account's keyword names as far as they were needed.
    pub(crate) keywords: Arc<Keywords>,
    /// The client knows MODSEQ (RFC 7162 §3.1).
    pub(crate) condstore: bool,
    /// The client knows VANISHED (RFC 7162 §3.2.3).
    pub(crate) qresync: bool,
    /// The client speaks IMAP4rev2 (RFC 9051 appendix A).
    pub(crate) rev2: bool,
    /// UTF8=ACCEPT is enabled (RFC 6855).
    pub(crate) utf8_accept: bool,
    /// How the client reads and writes mailbox names.
    pub(crate) names: Names,
    /// What the client hears of besides the selected mailbox.
    pub(crate) watching: Option<Box<Watching>>,
    /// Counts this connection among the account's.
    pub(crate) _place: AccountPlace<AccountId>,
}

/// The selected mailbox.
pub(crate) struct Selected {
    pub(crate) mailbox: MailboxId,
    pub(crate) open: Arc<OpenMailbox>,
    pub(crate) view: View,
    /// EXAMINE was used.
    pub(crate) read_only: bool,
    /// How many of the account's keywords were in the last FLAGS response.
    pub(crate) announced_keywords: usize,
    /// `$`: UIDs that SEARCH RETURN (SAVE) has found (RFC 5182).
    pub(crate) saved: IdSet,
    /// Searches whose results the client hears more of (RFC 5267 §4.3).
    pub(crate) contexts: Vec<Context>,
}

/// Commands that may fail to be understood before login; then the connection is closed.
const BAD_COMMANDS: u32 = 3;

impl Default for State {
    fn default() -> Self {
        Self::Stranger(Stranger::default())
    }
}

impl Session {
    pub(crate) fn new() -> Self {
        Self { state: State::default() }
    }

    /// Counts a command that was not understood before login.
    pub(crate) fn count_bad_command(&mut self) {
        if let State::Stranger(stranger) = &mut self.state {
            stranger.bad_commands += 1;
        }
    }

    pub(crate) fn count_failed_login(&mut self) {
        if let State::Stranger(stranger) = &mut self.state {
            stranger.failed_logins += 1;
        }
    }

    /// Says why, if it is time to close the connection: whoever it is does not speak IMAP, or has no
    /// password.
    pub(crate) fn has_enough_of_it(&self, failed_logins: u32) -> Option<&'static str> {
        match &self.state {
            State::Stranger(stranger) if stranger.bad_commands >= BAD_COMMANDS => {
                Some("Too many commands that are not understood")
            }
            State::Stranger(stranger) if stranger.failed_logins >= failed_logins => {
                Some("Too many failed log-ins")
            }
            _ => None,
        }
    }

    /// Whoever has logged in.
    pub(crate) fn logged_in(&self) -> Option<&User> {
        match &self.state {
            State::Authenticated(user) | State::Selected(user, _) => Some(user),
            State::Stranger(_) => None,
        }
    }

    /// Refuses what the state does not allow, and what is hidden from the account.
    pub(crate) fn permits(&self, command: &Command) -> Result<(), Reply> {
        if self.logged_in().is_some_and(|user| mask::refuses(user.account.hidden_capabilities(), command)) {
            return Err(Reply::bad("This is not offered"));
        }
        match (Needs::of(command), &self.state) {
            (Needs::Nothing, _)
            | (Needs::Stranger, State::Stranger(_))
            | (Needs::User, State::Authenticated(_) | State::Selected(..))
            | (Needs::Selected, State::Selected(..)) => Ok(()),
            (Needs::Stranger, _) => Err(Reply::bad("You have logged in already")),
            (Needs::User | Needs::Selected, State::Stranger(_)) => Err(Reply::bad("Log in first")),
            (Needs::Selected, _) => Err(Reply::bad("Select a mailbox first")),
        }
    }

    pub(crate) fn user(&mut self) -> Result<&mut User, Reply> {
        match &mut self.state {
            State::Authenticated(user) | State::Selected(user, _) => Ok(user),
            State::Stranger(_) => Err(Reply::bad("Log in first")),
        }
    }

    pub(crate) fn selected(&mut self) -> Result<(&mut User, &mut Selected), Reply> {
        match &mut self.state {
            State::Selected(user, selected) => Ok((user, selected)),
            _ => Err(Reply::bad("Select a mailbox first")),
        }
    }

    /// Leaves the selected mailbox, if one is.
    pub(crate) fn unselect(&mut self) -> Option<Box<Selected>> {
        let state = std::mem::take(&mut self.state);
        let (state, left) = match state {
            State::Selected(user, selected) => (State::Authenticated(user), Some(selected)),
            state => (state, None),
        };
        self.state = state;
        left
    }

    pub(crate) fn select(&mut self, selected: Selected) {
        let state = std::mem::take(&mut self.state);
        self.state = match state {
            State::Authenticated(user) | State::Selected(user, _) => {
                State::Selected(user, Box::new(selected))
            }
            state => state,
        };
    }
}

impl Selected {
    /// The mailbox as of the last commit. If somebody has deleted it, it is empty: the client sees
    /// its messages go, and can select another.
    pub(crate) fn truth(&self) -> Arc<Snapshot> {
        let truth = self.open.snapshot();
        if !truth.deleted {
            return truth;
        }
        Arc::new(Snapshot::new(truth.uid_validity, truth.uid_next, truth.modseq, Vec::new()))
    }
}

impl User {
    /// Who has just logged in.
    pub(crate) fn new(account: Account, place: AccountPlace<AccountId>) -> Self {
        Self {
            account,
            keywords: Arc::default(),
            condstore: false,
            qresync: false,
            rev2: false,
            utf8_accept: false,
            names: Names::Utf7,
            watching: None,
            _place: place,
        }
    }

    /// How unsolicited FETCH responses look for this client.
    pub(crate) fn style(&self) -> Style<'_> {
        Style { keywords: &self.keywords.0, modseq: self.condstore, vanished: self.qresync }
    }
}

/// In which state a command makes sense.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Selected,
    Stranger,
    User,
}

impl Needs {
    fn of(command: &Command) -> Self {
        match command {
            Command::Capability | Command::Id(_) | Command::Logout | Command::Noop => Self::Nothing,
            Command::Authenticate { .. } | Command::Login { .. } | Command::StartTls => Self::Stranger,
            Command::ChangeAcl
            | Command::Compress { .. }
            | Command::Create { .. }
            | Command::Delete { .. }
            | Command::Enable(_)
            | Command::GetAcl { .. }
            | Command::GetMetadata(_)
            | Command::GetQuota { .. }
            | Command::GetQuotaRoot { .. }
            | Command::Idle
            | Command::List(_)
            | Command::ListRights { .. }
            | Command::Lsub { .. }
            | Command::MyRights { .. }
            | Command::Namespace
            | Command::Notify { .. }
            | Command::Rename { .. }
            | Command::Select(_)
            | Command::SetMetadata(_)
            | Command::SetQuota
            | Command::Status { .. }
            | Command::Subscribe { .. } => Self::User,
            Command::CancelUpdate(_)
            | Command::Check
            | Command::Close
            | Command::Copy { .. }
            | Command::Expunge { .. }
            | Command::Fetch(_)
            | Command::Search(_)
            | Command::Sort(_)
            | Command::Store(_)
            | Command::Thread(_)
            | Command::Unselect => Self::Selected,
        }
    }
}

/// Whether the answer to a command may say that messages are gone. RFC 9051 §7.5.1: not while
/// FETCH, STORE or SEARCH (and SORT and THREAD, RFC 5256 §3) is in progress, because the numbers in them would become ambiguous. Their
/// UID forms are other commands and may; but Thunderbird 153 overlooks an EXPUNGE there until it
/// next opens the mailbox, while at the start of IDLE it acts on it at once.
pub(crate) fn expunges_after(command: &Command) -> Expunges {
    match command {
        Command::Fetch(_)
        | Command::Search(_)
        | Command::Sort(_)
        | Command::Store(_)
        | Command::Thread(_) => Expunges::Keep,
        Command::Copy { moves: true, .. } | Command::Expunge { .. } => Expunges::Owe,
        _ => Expunges::Tell,
    }
}

/// The same for APPEND and REPLACE, by what comes first. The expunge of the replaced message belongs
/// to the answer (RFC 8508 §3.2).
pub(crate) fn expunges_after_append(pieces: &[Piece]) -> Expunges {
    match pieces.first() {
        Some(Piece::Message(AppendHead { target: Some(Target { replaces: Some(_), .. }), .. })) => {
            Expunges::Owe
        }
        _ => Expunges::Tell,
    }
}

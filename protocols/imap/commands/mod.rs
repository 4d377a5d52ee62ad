//! Commands, one function each; the dispatcher.

mod acl;
pub(crate) mod append;
mod auth;
mod catenate;
mod compress;
pub(crate) mod contexts;
mod criteria;
mod expunge;
mod fetch;
pub(crate) mod flags;
mod general;
pub(crate) mod idle;
mod list;
pub(crate) mod listing;
mod mailboxes;
mod metadata;
pub(crate) mod notify;
mod orders;
mod quota;
mod results;
mod search;
mod select;
mod sort;
mod store;
mod transfer;

use hub::{Account, MailboxInfo};

use crate::conversation::Conversation;
use crate::grammar::command::Command;
use crate::link::Stop;
use crate::names::MailboxName;
use crate::status::Reply;
use crate::view::NoSuchMessage;

/// Why a command did not end with the usual reply.
pub(crate) enum Failure {
    /// It did, and the reply has been said already.
    Done,
    Refuse(Reply),
    Stop(Stop),
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Refuse(reply)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<hub::Error> for Failure {
    fn from(error: hub::Error) -> Self {
        Self::Refuse(error.into())
    }
}

impl From<NoSuchMessage> for Failure {
    fn from(_: NoSuchMessage) -> Self {
        Self::Refuse(Reply::bad("There is no message with that number"))
    }
}

pub(crate) type Outcome = Result<Reply, Failure>;

/// Carries out a command. Untagged responses go to the link; the reply ends it.
pub(crate) async fn execute(c: &mut Conversation, tag: &str, command: Command) -> Outcome {
    c.session.permits(&command)?;
    match command {
        Command::Authenticate { mechanism, initial } => auth::authenticate(c, &mechanism, initial).await,
        Command::CancelUpdate(tags) => contexts::cancel(c, &tags),
        Command::Capability => general::capability(c),
        Command::ChangeAcl => acl::refuse_change(),
        Command::Check => Ok(Reply::ok("Checked")),
        Command::Close => expunge::close(c).await,
        Command::Compress { algorithm } => compress::compress(c, tag, &algorithm).await,
        Command::Copy { set, uid, mailbox, moves: false } => transfer::copy(c, &set, uid, &mailbox).await,
        Command::Copy { set, uid, mailbox, moves: true } => transfer::move_to(c, &set, uid, &mailbox).await,
        Command::Create { mailbox, uses } => mailboxes::create(c, &mailbox, &uses).await,
        Command::Delete { mailbox } => mailboxes::delete(c, &mailbox).await,
        Command::Enable(names) => general::enable(c, &names),
        Command::Expunge { uids } => expunge::expunge(c, uids.as_ref()).await,
        Command::Fetch(fetch) => fetch::fetch(c, fetch).await,
        Command::GetAcl { mailbox } => acl::get_acl(c, &mailbox).await,
        Command::GetMetadata(get) => metadata::get(c, &get).await,
        Command::GetQuota { root } => quota::get_quota(c, &root).await,
        Command::GetQuotaRoot { mailbox } => quota::get_quota_root(c, &mailbox).await,
        Command::Id(parameters) => Ok(general::id(c, &parameters)),
        // The conversation's own, because it waits.
        Command::Idle => Ok(Reply::bad("IDLE stands alone")),
        Command::List(list) => list::list(c, list).await,
        Command::ListRights { mailbox, identifier } => acl::list_rights(c, &mailbox, &identifier).await,
        Command::Login { name, password } => auth::login(c, &name, &password).await,
        Command::Logout => general::logout(c, tag),
        Command::Lsub { reference, pattern } => list::lsub(c, &reference, &pattern).await,
        Command::MyRights { mailbox } => acl::my_rights(c, &mailbox).await,
        Command::Namespace => Ok(general::namespace(c)),
        Command::Notify { notify, status, supported } => notify::notify(c, notify, status, supported).await,
        Command::Noop => Ok(Reply::ok("Nothing done")),
        Command::Rename { from, to } => mailboxes::rename(c, &from, &to).await,
        Command::Search(search) => search::search(c, tag, search).await,
        Command::Select(select) => select::select(c, select).await,
        Command::SetMetadata(set) => metadata::set(c, set).await,
        Command::SetQuota => Ok(Reply::no("NOPERM", "Only the hub's owner sets quotas")),
        Command::Sort(sort) => sort::sort(c, tag, sort).await,
        Command::StartTls => auth::start_tls(c, tag).await,
        Command::Status { mailbox, items } => mailboxes::status(c, &mailbox, &items).await,
        Command::Store(store) => store::store(c, store).await,
        Command::Subscribe { mailbox, subscribed } => mailboxes::subscribe(c, &mailbox, subscribed).await,
        Command::Thread(thread) => sort::thread(c, tag, thread).await,
        Command::Unselect => select::unselect(c),
    }
}

/// The mailbox that messages are to go to. If it is missing the client may offer to create it
/// (RFC 9051 §6.3.12, TRYCREATE).
async fn target(account: &Account, name: &MailboxName) -> Result<MailboxInfo, Reply> {
    let try_create = || Reply::no("TRYCREATE", "There is no such mailbox");
    match account.messages().mailbox(name.as_str()).await {
        Ok(info) if info.selectable => Ok(info),
        Ok(_) | Err(hub::Error::NotFound(_)) => Err(try_create()),
        Err(error) => Err(error.into()),
    }
}

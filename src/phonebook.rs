//! `twinhub phonebook`: what other hubs say of their twins, for the owner of this one.

use anyhow::Result;
use hub::identity::Handle;
use hub::{Error, Found, Hub, PeerTwin};
use hub_channel::{LookUp, Trouble};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::phonebook::Phonebook;
use crate::commands::{answer, ask, done, odd};
use crate::setup::Setup;
use crate::text::{print, printable, time};

/// What can be asked.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Forget { domain: String },
    LookUp { address: String, id: Option<String> },
    Verify { domain: String },
}

/// A twin of another hub.
#[derive(Deserialize, Serialize)]
pub(crate) struct Entry {
    id: String,
    handle: String,
    pinned: bool,
    first_seen: i64,
    expires_at: i64,
    version: u64,
    sign: Vec<String>,
    accepts: Vec<String>,
}

/// The head of a log.
#[derive(Deserialize, Serialize)]
pub(crate) struct Head {
    leaves: u64,
    text: String,
}

/// Does what is asked, in the server that runs: only that asks others.
pub(crate) async fn execute(
    hub: &Hub,
    phonebook: &hub_channel::Phonebook,
    request: Request,
) -> Result<Answer, String> {
    match request {
        Request::Forget { domain } => {
            hub.forget_peer_hub(&name(&domain)?).await.map_err(admin::explain)?;
            Ok(Answer::Done)
        }
        Request::LookUp { address, id } => look_up(hub, phonebook, &address, id.as_deref()).await,
        Request::Verify { domain } => match phonebook.check(&name(&domain)?).await.map_err(explain)? {
            Some(head) => Ok(Answer::Head(Head { leaves: head.size, text: head.to_string() })),
            None => Err(format!("{domain} has no hub")),
        },
    }
}

async fn look_up(
    hub: &Hub,
    phonebook: &hub_channel::Phonebook,
    address: &str,
    id: Option<&str>,
) -> Result<Answer, String> {
    let address = admin::parse(address)?;
    if hub.hosts_domain(address.domain()).await.map_err(admin::explain)? {
        return Err(format!("{address} is an address of this hub; see: twinhub twin identity {address}"));
    }
    let handle: Handle =
        hub.handle_of(&address).ok_or_else(|| format!("{address} cannot be the handle of a twin"))?;
    let pin = id.map(str::parse).transpose().map_err(|_| "this is not the id of a twin (tw1…)".to_owned())?;
    match phonebook.look_up(&handle, LookUp { fresh: true, pin }).await.map_err(explain)? {
        Found::Gone(twin) => Err(format!(
            "the hub of {} does not know {handle} any more, who was {}",
            handle.domain(),
            twin.history.id()
        )),
        Found::NoHub => Err(format!("{} has no hub; its mail goes by SMTP", handle.domain())),
        Found::NoTwin => Err(format!("the hub of {} knows no twin {handle}", handle.domain())),
        Found::Twin(twin) => Ok(Answer::PhonebookEntry(Entry::from(twin))),
    }
}

/// A domain as DNS has it.
fn name(domain: &str) -> Result<String, String> {
    let name = hub::normal_domain(domain).and_then(|name| hub_certs::ascii_name(&name));
    name.ok_or_else(|| format!("\"{}\" is not a domain name", domain.escape_debug()))
}

fn explain(trouble: Trouble) -> String {
    match trouble {
        Trouble::Unreachable(why) => format!("no answer: {why}"),
        Trouble::Hub(Error::Refused(why)) => why,
        Trouble::Hub(error) => admin::explain(error),
    }
}

pub(crate) async fn run(setup: &Setup, command: Phonebook) -> Result<()> {
    let asked = async |what| ask(setup, admin::Request::Phonebook { what }).await;
    match command {
        Phonebook::Forget { domain } => {
            done(asked(Request::Forget { domain: domain.clone() }).await?)?;
            Ok(print(&format!("What {} says next is believed.\n", printable(&domain)))?)
        }
        Phonebook::Lookup { address } => entry(asked(Request::LookUp { address, id: None }).await?),
        Phonebook::Pin { address, id } => entry(asked(Request::LookUp { address, id: Some(id) }).await?),
        Phonebook::Verify { domain } => {
            let Answer::Head(head) = answer(asked(Request::Verify { domain }).await?)? else { return odd() };
            Ok(print(&format!(
                "The log has only grown; it has {} versions now:\n{}",
                head.leaves, head.text
            ))?)
        }
    }
}

fn entry(given: Answer) -> Result<()> {
    let Answer::PhonebookEntry(entry) = answer(given)? else { return odd() };
    let pinned = if entry.pinned { "yes" } else { "no" };
    let mut text = format!(
        "Id:           {}\nHandle:       {}\nVersion:      {}, good until {} UTC\nKnown since:  {} UTC\nPinned:       \
         {pinned}\nTakes:        {}\n",
        entry.id,
        printable(&entry.handle),
        entry.version,
        time(entry.expires_at),
        time(entry.first_seen),
        printable(&entry.accepts.join(" ")),
    );
    entry.sign.iter().for_each(|key| text.push_str(&format!("Signs with:   {key}\n")));
    Ok(print(&text)?)
}

impl From<PeerTwin> for Entry {
    fn from(twin: PeerTwin) -> Self {
        let record = twin.history.current();
        let draft = record.draft();
        Self {
            id: record.id().to_string(),
            handle: draft.handle.to_string(),
            pinned: twin.is_pinned,
            first_seen: twin.first_seen,
            expires_at: draft.expires_at,
            version: record.seq(),
            sign: draft.sign.iter().map(ToString::to_string).collect(),
            accepts: draft.accepts.clone(),
        }
    }
}

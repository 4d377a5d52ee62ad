//! Administration: what can be asked of a hub, over the control socket of a running server or of
//! the storage directly, and how the hub's answers read in words.

use hub::schedule::FreeBusyAccess;
use hub::{Address, Door, Error, Hub, Secret};
use serde::{Deserialize, Serialize};

/// No `Debug`: a request may hold a password.
#[derive(Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    AliasAdd {
        alias: String,
        address: String,
    },
    AliasList {
        address: Option<String>,
    },
    AliasRemove {
        alias: String,
        address: String,
    },
    AppPasswordAdd {
        address: String,
        name: String,
        doors: Vec<String>,
    },
    AppPasswordList {
        address: String,
    },
    AppPasswordRevoke {
        address: String,
        id: i64,
    },
    Calendars {
        address: String,
        what: crate::calendars::Request,
    },
    Damage,
    DomainAdd {
        name: String,
    },
    DomainKeys {
        name: String,
    },
    DomainList,
    DomainRotateKeys {
        name: String,
    },
    Files {
        address: String,
        what: crate::files::Request,
    },
    JunkStats {
        address: String,
    },
    Identity {
        address: String,
        what: crate::identity::Request,
    },
    Phonebook {
        what: crate::phonebook::Request,
    },
    Queue {
        what: crate::queue::Request,
    },
    Reports {
        kind: Reported,
    },
    Room {
        what: crate::rooms::Request,
    },
    Sieve {
        address: String,
        what: crate::sieve::Request,
    },
    Status,
    Token {
        address: String,
        what: crate::tokens::Request,
    },
    /// What follows is no request any more, but a transfer.
    Transfer,
    TwinAdd {
        address: String,
        password: String,
    },
    TwinCapabilities {
        address: String,
        hide: Option<Vec<String>>,
    },
    TwinFreeBusy {
        address: String,
        /// Shown, if it is not to be changed.
        who: Option<String>,
    },
    TwinList,
    TwinPassword {
        address: String,
        password: String,
    },
    TwinQuota {
        address: String,
        limit: Option<u64>,
    },
    TwinRemove {
        address: String,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Aliases(Vec<Alias>),
    Damage(Vec<String>),
    AppPassword {
        id: i64,
        password: String,
    },
    AppPasswords(Vec<AppPassword>),
    CalendarShares(Vec<crate::calendars::Share>),
    Capabilities {
        hidden: Vec<String>,
    },
    Domains(Vec<String>),
    Done,
    FreeBusy {
        who: String,
    },
    /// A sentence for the person who asked.
    Failed(String),
    Grants(Vec<crate::tokens::Grant>),
    Identity(crate::identity::Shown),
    /// The numbers of versions that were overruled begin with this one.
    IdentityChanged {
        overruled: Option<u64>,
    },
    /// Of a log.
    Head(crate::phonebook::Head),
    Junk(Learned),
    Keys(Vec<Key>),
    /// The secret part of its address.
    Link(String),
    Links(Vec<crate::files::Link>),
    PhonebookEntry(crate::phonebook::Entry),
    Queue(Vec<crate::queue::Queued>),
    QueueChanged {
        done: usize,
        busy: usize,
    },
    Script(String),
    Scripts(Vec<crate::sieve::Script>),
    Reports(Vec<Received>),
    Rooms(Vec<crate::rooms::Listed>),
    Shares(Vec<crate::files::Share>),
    Status {
        version: String,
        process: u32,
    },
    Twins(Vec<Twin>),
    /// Of a recovery key.
    Words(String),
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Alias {
    pub(crate) alias: String,
    pub(crate) address: String,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Twin {
    pub(crate) address: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) used: u64,
    pub(crate) limit: Option<u64>,
    pub(crate) created_at: i64,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct AppPassword {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) doors: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

/// A signing key of a domain.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) selector: String,
    /// new, signing, retired or revoked.
    pub(crate) state: String,
    pub(crate) record: String,
    pub(crate) created_at: i64,
}

/// A DMARC report that others have sent.
#[derive(Deserialize, Serialize)]
pub(crate) struct Received {
    pub(crate) domain: String,
    pub(crate) organisation: String,
    pub(crate) report: String,
    pub(crate) begins_at: i64,
    pub(crate) ends_at: i64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) details: String,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
pub(crate) enum Reported {
    Dmarc,
    Tls,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Learned {
    pub(crate) good: u32,
    pub(crate) junk: u32,
    pub(crate) words: usize,
    pub(crate) senders: usize,
    pub(crate) correspondents: usize,
    pub(crate) bytes: usize,
}

/// Does what is asked; what goes wrong is an answer too.
pub(crate) async fn run(hub: &Hub, request: Request) -> Answer {
    execute(hub, request).await.unwrap_or_else(Answer::Failed)
}

async fn execute(hub: &Hub, request: Request) -> Result<Answer, String> {
    match request {
        Request::AliasAdd { alias, address } => {
            let (alias, twin) = (parse(&alias)?, parse(&address)?);
            hub.add_alias(&alias, &twin).await.map_err(|error| match error {
                Error::NotFound("domain") => not_hosted(&alias),
                Error::NotFound(_) => no_twin(&twin),
                Error::Exists(_) => format!("{alias} leads to {twin} already"),
                error => explain(error),
            })?;
        }
        Request::Calendars { address, what } => return crate::calendars::execute(hub, &address, what).await,
        Request::Files { address, what } => return crate::files::execute(hub, &address, what).await,
        Request::Identity { address, what } => return crate::identity::execute(hub, &address, what).await,
        Request::Room { what } => return crate::rooms::execute(hub, what).await,
        Request::Sieve { address, what } => return crate::sieve::execute(hub, &address, what).await,
        Request::Token { address, what } => return crate::tokens::execute(hub, &address, what).await,
        Request::AliasList { address } => return aliases(hub, address.as_deref()).await,
        Request::AliasRemove { alias, address } => {
            let (alias, twin) = (parse(&alias)?, parse(&address)?);
            hub.remove_alias(&alias, &twin).await.map_err(|error| match error {
                Error::NotFound(_) => {
                    format!("{twin} does not have the alias {alias}; see: twinhub alias list")
                }
                error => explain(error),
            })?;
        }
        Request::AppPasswordAdd { address, name, doors } => {
            let twin = parse(&address)?;
            let doors = doors.iter().map(|door| named_door(door)).collect::<Result<Vec<_>, _>>()?;
            let made = hub.add_app_password(&twin, &name, &doors).await;
            let (id, password) = made.map_err(|error| about_twin(&twin, error))?;
            return Ok(Answer::AppPassword { id, password: password.expose().to_owned() });
        }
        Request::AppPasswordList { address } => {
            let twin = parse(&address)?;
            let passwords = hub.app_passwords(&twin).await.map_err(|error| about_twin(&twin, error))?;
            return Ok(Answer::AppPasswords(passwords.into_iter().map(AppPassword::from).collect()));
        }
        Request::AppPasswordRevoke { address, id } => {
            let twin = parse(&address)?;
            hub.revoke_app_password(&twin, id).await.map_err(|error| match error {
                Error::NotFound("twin") => no_twin(&twin),
                Error::NotFound(_) => {
                    format!("{twin} has no app password {id}; see: twinhub app-password list {twin}")
                }
                error => explain(error),
            })?;
        }
        Request::Damage => return hub.find_damage().await.map(Answer::Damage).map_err(explain),
        Request::DomainAdd { name } => {
            hub.add_domain(&name).await.map_err(|error| match error {
                Error::Exists(_) => format!("{name} is hosted here already"),
                error => explain(error),
            })?;
            hub.ensure_keys(&name).await.map_err(explain)?;
        }
        Request::DomainKeys { name } => {
            let keys = hub.signing_keys(&name).await.map_err(explain)?;
            return Ok(Answer::Keys(keys.into_iter().map(Key::from).collect()));
        }
        Request::DomainRotateKeys { name } => hub.rotate_keys(&name).await.map_err(|error| match error {
            Error::NotFound(_) => format!("the domain {name} is not hosted here; see: twinhub domain list"),
            Error::Exists(_) => {
                format!("{name} has new keys already, which wait for DNS; see: twinhub dns {name}")
            }
            error => explain(error),
        })?,
        Request::DomainList => return hub.domains().await.map(Answer::Domains).map_err(explain),
        Request::JunkStats { address } => {
            let twin = parse(&address)?;
            let known = hub.junk_statistics(&twin).await.map_err(|error| about_twin(&twin, error))?;
            return Ok(Answer::Junk(Learned::from(known)));
        }
        Request::Queue { what } => return crate::queue::execute(hub, what).await,
        Request::Reports { kind } => {
            let reports = hub.received_reports(kind.into()).await.map_err(explain)?;
            return Ok(Answer::Reports(reports.into_iter().map(Received::from).collect()));
        }
        // The server that runs has answered it before it comes here: see serve.rs.
        Request::Phonebook { .. } => {
            return Err("only a hub that runs asks others; start it first: twinhub serve".to_owned());
        }
        // It is no request to be answered once: see control.rs.
        Request::Transfer => return Err("a transfer needs a connection of its own".to_owned()),
        Request::Status => {
            let version = env!("CARGO_PKG_VERSION").to_owned();
            return Ok(Answer::Status { version, process: std::process::id() });
        }
        Request::TwinAdd { address, password } => {
            let twin = parse(&address)?;
            hub.add_twin(&twin, &Secret::new(password)).await.map_err(|error| match error {
                Error::NotFound(_) => not_hosted(&twin),
                Error::Exists(_) => format!("the address {twin} is in use already; see: twinhub twin list"),
                error => explain(error),
            })?;
        }
        Request::TwinList => {
            let twins = hub.twins().await.map_err(explain)?;
            return Ok(Answer::Twins(twins.into_iter().map(Twin::from).collect()));
        }
        Request::TwinPassword { address, password } => {
            let twin = parse(&address)?;
            let changed = hub.set_password(&twin, &Secret::new(password)).await;
            changed.map_err(|error| about_twin(&twin, error))?;
        }
        Request::TwinCapabilities { address, hide } => {
            let twin = parse(&address)?;
            let hidden = hub.hidden_capabilities(&twin, hide.as_deref()).await;
            let hidden = hidden.map_err(|error| about_twin(&twin, error))?;
            return Ok(Answer::Capabilities { hidden });
        }
        Request::TwinFreeBusy { address, who } => {
            let twin = parse(&address)?;
            if let Some(who) = who {
                let mut all = FreeBusyAccess::ALL.into_iter();
                let access = all.find(|access| access.name() == who).ok_or("nobody is called so")?;
                let set = hub.set_free_busy_access(&twin, access).await;
                set.map_err(|error| about_twin(&twin, error))?;
            }
            let access = hub.free_busy_access(&twin).await.map_err(|error| about_twin(&twin, error))?;
            return Ok(Answer::FreeBusy { who: access.name().to_owned() });
        }
        Request::TwinQuota { address, limit } => {
            let twin = parse(&address)?;
            hub.set_quota(&twin, limit).await.map_err(|error| about_twin(&twin, error))?;
        }
        Request::TwinRemove { address } => {
            let twin = parse(&address)?;
            hub.remove_twin(&twin).await.map_err(|error| about_twin(&twin, error))?;
        }
    }
    Ok(Answer::Done)
}

async fn aliases(hub: &Hub, address: Option<&str>) -> Result<Answer, String> {
    let only = address.map(parse).transpose()?;
    let mut aliases = hub.aliases().await.map_err(explain)?;
    if let Some(only) = only {
        let key = only.key();
        aliases.retain(|info| [info.alias.key(), info.target.key()].contains(&key));
        let is_twin = |twin: &hub::TwinInfo| twin.handle.key() == key;
        if aliases.is_empty() && !hub.twins().await.map_err(explain)?.iter().any(is_twin) {
            return Err(no_twin(&only));
        }
    }
    let alias =
        |info: &hub::AliasInfo| Alias { alias: info.alias.to_string(), address: info.target.to_string() };
    Ok(Answer::Aliases(aliases.iter().map(alias).collect()))
}

pub(crate) fn parse(address: &str) -> Result<Address, String> {
    Address::parse(address).map_err(explain)
}

fn named_door(name: &str) -> Result<Door, String> {
    Door::from_name(name).ok_or_else(|| format!("there is no door {name:?}"))
}

pub(crate) fn not_hosted(address: &Address) -> String {
    let domain = address.domain();
    format!("the domain {domain} is not hosted here; add it first: twinhub domain add {domain}")
}

fn no_twin(address: &Address) -> String {
    format!("there is no twin {address}; see: twinhub twin list")
}

pub(crate) fn about_twin(address: &Address, error: Error) -> String {
    match error {
        Error::NotFound(_) => no_twin(address),
        error => explain(error),
    }
}

/// The error with everything below it: the person who asks here runs the hub.
pub(crate) fn explain(error: Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl From<hub::TwinInfo> for Twin {
    fn from(twin: hub::TwinInfo) -> Self {
        Self {
            address: twin.handle.to_string(),
            aliases: twin.aliases.iter().map(Address::to_string).collect(),
            used: twin.used,
            limit: twin.limit,
            created_at: twin.created_at,
        }
    }
}

impl From<hub::AppPasswordInfo> for AppPassword {
    fn from(password: hub::AppPasswordInfo) -> Self {
        Self {
            id: password.id,
            name: password.name,
            doors: password.doors.iter().map(|door| door.name().to_owned()).collect(),
            created_at: password.created_at,
            last_used_at: password.last_used_at,
        }
    }
}

impl From<hub::SigningKey> for Key {
    fn from(key: hub::SigningKey) -> Self {
        let state = match key.state {
            hub::KeyState::New => "new",
            hub::KeyState::Retired => "retired",
            hub::KeyState::Revoked => "revoked",
            hub::KeyState::Signing => "signing",
        };
        Self {
            selector: key.selector,
            state: state.to_owned(),
            record: key.record,
            created_at: key.created_at,
        }
    }
}

impl From<hub::ReceivedReport> for Received {
    fn from(report: hub::ReceivedReport) -> Self {
        Self {
            domain: report.domain,
            organisation: report.organisation,
            report: report.report,
            begins_at: report.begins_at,
            ends_at: report.ends_at,
            passed: report.passed,
            failed: report.failed,
            details: report.details,
        }
    }
}

impl From<Reported> for hub::ReportKind {
    fn from(kind: Reported) -> Self {
        match kind {
            Reported::Dmarc => Self::Dmarc,
            Reported::Tls => Self::Tls,
        }
    }
}

impl From<hub::JunkStatistics> for Learned {
    fn from(known: hub::JunkStatistics) -> Self {
        let hub::JunkStatistics { good_messages, junk_messages, words, senders, correspondents, bytes } =
            known;
        Self { good: good_messages, junk: junk_messages, words, senders, correspondents, bytes }
    }
}

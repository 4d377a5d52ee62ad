//! `twinhub twin identity`, `recovery` and `rotate-keys`, for the owner of the hub.

use anyhow::Result;
use hub::identity::{Custody, Merged, Record};
use hub::{Error, Hub, TwinIdentity};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::identity::Identity;
use crate::commands::{answer, ask, done, first_line, look, odd};
use crate::setup::Setup;
use crate::text::{print, printable, time};

/// What can be asked about a twin's identity. No `Debug`: there may be words of a recovery key in it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Hide { hidden: bool },
    Recovery { replace: bool },
    Rotate { words: Option<String>, behind: Option<u64> },
    Show,
}

/// An identity as it is shown.
#[derive(Deserialize, Serialize)]
pub(crate) struct Shown {
    id: String,
    handle: String,
    custody: String,
    hidden: bool,
    recovery_at: Option<i64>,
    expires_at: i64,
    rotate: Vec<String>,
    sign: Vec<String>,
    versions: Vec<Version>,
}

#[derive(Deserialize, Serialize)]
struct Version {
    number: u64,
    made_at: i64,
    hash: String,
    record: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, address: &str, request: Request) -> Result<Answer, String> {
    let twin = admin::parse(address)?;
    let about = |error: Error| match error {
        Error::Exists(_) => format!(
            "{twin} has a recovery key already; with --replace it gets another, and the old words are worth \
             nothing"
        ),
        Error::NotFound("identity") => format!("{twin} has no identity: such an address cannot be a handle"),
        Error::NotFound("version") => {
            format!("{twin} has no such version; see: twinhub twin identity {twin}")
        }
        error => admin::about_twin(&twin, error),
    };
    match request {
        Request::Hide { hidden } => hub.hide_twin(&twin, hidden).await.map(|()| Answer::Done).map_err(about),
        Request::Recovery { replace } => {
            let words = hub.make_recovery_key(&twin, replace).await.map_err(about)?;
            Ok(Answer::Words(words.text()))
        }
        Request::Rotate { words, behind } => {
            let words = words.map(|words| words.parse()).transpose();
            let words = words.map_err(|_| "these are not the 24 words of a recovery key".to_owned())?;
            let merged = hub.rotate_identity(&twin, words.as_ref(), behind).await.map_err(about)?;
            let overruled = if let Merged::Overruled(version) = merged { Some(version) } else { None };
            Ok(Answer::IdentityChanged { overruled })
        }
        Request::Show => {
            hub.twin_identity(&twin).await.map(|shown| Answer::Identity(shown.into())).map_err(about)
        }
    }
}

pub(crate) async fn run(setup: &Setup, command: Identity) -> Result<()> {
    let about = |address: &str, what| admin::Request::Identity { address: address.to_owned(), what };
    match command {
        Identity::Show { address, records } => {
            let Answer::Identity(shown) = answer(look(setup, about(&address, Request::Show)).await?)? else {
                return odd();
            };
            let lines = shown.versions.iter().map(|version| format!("{}\n", version.record));
            let text = if records { lines.collect() } else { shown.text() };
            Ok(print(&text)?)
        }
        Identity::Hide { address } => {
            done(ask(setup, about(&address, Request::Hide { hidden: true })).await?)?;
            Ok(print(&format!("Other hubs find no twin {} any more.\n", printable(&address)))?)
        }
        Identity::Unhide { address } => {
            done(ask(setup, about(&address, Request::Hide { hidden: false })).await?)?;
            Ok(print(&format!("Other hubs find {}.\n", printable(&address)))?)
        }
        Identity::Recovery { address, replace } => {
            let asked = ask(setup, about(&address, Request::Recovery { replace })).await?;
            let Answer::Words(words) = answer(asked)? else { return odd() };
            let words: Vec<&str> = words.split(' ').collect();
            let lines = words.chunks(6).map(|line| format!("  {}\n", line.join(" ")));
            Ok(print(&format!(
                "The words of {}'s recovery key, shown only now:\n\n{}\nWrite them down and keep them apart from \
                 this hub.\n",
                printable(&address),
                lines.collect::<String>()
            ))?)
        }
        Identity::RotateKeys { address, words, behind } => {
            let words = if words { Some(first_line()?) } else { None };
            let asked = ask(setup, about(&address, Request::Rotate { words, behind })).await?;
            let Answer::IdentityChanged { overruled } = answer(asked)? else { return odd() };
            let address = printable(&address);
            Ok(print(&match overruled {
                None => format!("{address} has new keys.\n"),
                Some(version) => {
                    format!("{address} has new keys; version {version} and what followed are overruled.\n")
                }
            })?)
        }
    }
}

impl Shown {
    fn text(&self) -> String {
        let recovery = match self.recovery_at {
            None => "none; see: twinhub twin recovery --help".to_owned(),
            Some(made_at) => format!("its words were shown {} UTC", time(made_at)),
        };
        let mut text = format!(
            "Id:            {}\nHandle:        {}\nGood until:    {} UTC\nKeys held by:  the {}\nRecovery key:  {recovery}\n",
            self.id,
            self.handle,
            time(self.expires_at),
            self.custody,
        );
        if self.hidden {
            text.push_str("Hidden:        other hubs are told that there is no such twin\n");
        }
        for (what, keys) in [("Signs with:    ", &self.sign), ("Rotated by:    ", &self.rotate)] {
            keys.iter().for_each(|key| text.push_str(&format!("{what}{key}\n")));
        }
        for Version { number, made_at, hash, .. } in &self.versions {
            text.push_str(&format!("Version {number}, {} UTC: {hash}\n", time(*made_at)));
        }
        text
    }
}

impl From<TwinIdentity> for Shown {
    fn from(identity: TwinIdentity) -> Self {
        let draft = identity.history.current().draft();
        let version = |record: &Record| Version {
            number: record.seq(),
            made_at: record.draft().time,
            hash: record.hash().to_string(),
            record: record.to_canonical(),
        };
        let custody = match draft.custody {
            Custody::Device => "device",
            Custody::Hub => "hub",
        };
        Self {
            id: identity.id().to_string(),
            handle: draft.handle.to_string(),
            custody: custody.to_owned(),
            hidden: identity.is_hidden,
            recovery_at: identity.recovery_at,
            expires_at: draft.expires_at,
            rotate: draft.rotate.iter().map(ToString::to_string).collect(),
            sign: draft.sign.iter().map(ToString::to_string).collect(),
            versions: identity.history.records().iter().map(version).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hub::{Secret, Settings};
    use hub_storage::{Database, Options, Storage};

    use super::*;

    #[tokio::test]
    async fn what_the_owner_asks_and_is_told() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("opens");
        let hub = Hub::open(storage, Settings::default()).await.expect("opens");
        hub.add_domain("a.test").await.expect("added");
        let alice = admin::parse("alice@a.test").expect("an address");
        hub.add_twin(&alice, &Secret::new("secret")).await.expect("added");
        let ask = async |address: &str, request| execute(&hub, address, request).await;

        let Ok(Answer::Words(words)) = ask("alice@a.test", Request::Recovery { replace: false }).await else {
            panic!("no words")
        };
        assert_eq!(words.split(' ').count(), 24);
        let again = ask("alice@a.test", Request::Recovery { replace: false }).await.err().expect("refused");
        assert!(again.contains("has a recovery key already; with --replace"), "{again}");
        let rotate = |words: &str| Request::Rotate { words: Some(words.to_owned()), behind: None };
        let wrong = ask("alice@a.test", rotate("one two")).await.err().expect("refused");
        assert_eq!(wrong, "these are not the 24 words of a recovery key");
        let Ok(Answer::IdentityChanged { overruled: None }) = ask("alice@a.test", rotate(&words)).await
        else {
            panic!("not changed")
        };
        let Ok(Answer::Identity(shown)) = ask("alice@a.test", Request::Show).await else { panic!("nothing") };
        let text = shown.text();
        assert!(
            text.starts_with(&format!("Id:            {}\nHandle:        alice@a.test\n", shown.id)),
            "{text}"
        );
        assert!(text.contains("\nKeys held by:  the hub\nRecovery key:  its words were shown 20"), "{text}");
        assert_eq!(text.matches("\nVersion ").count(), 3, "{text}");
        let none = ask("bob@a.test", Request::Show).await.err().expect("refused");
        assert_eq!(none, "there is no twin bob@a.test; see: twinhub twin list");
    }
}

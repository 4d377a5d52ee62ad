//! A twin's rules about its mail: Sieve scripts, kept per account, compiled once, run at delivery.

pub(crate) mod letters;
mod run;
mod surroundings;

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_sieve::{CompileError, Limits, Location, Program, Scripts};
use hub_storage::sieve as rows;
use hub_storage::sieve::ScriptRow;

pub(crate) use run::{Notes, Ruled};
pub(crate) use surroundings::Around;

use crate::{Account, AccountId, Address, Error, Hub, Result, Vacation, locked};

/// Scripts of one account at most, and octets of all of them.
const MOST: usize = 32;
const MOST_OCTETS: usize = 512 * 1024;
/// Octets of script text that take the place of one usual entry of a cache.
const WEIGHT: usize = 2 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptInfo {
    pub name: String,
    pub is_active: bool,
    /// Octets.
    pub size: u64,
}

/// The rules of an account as deliveries need them.
pub(crate) struct Rules {
    /// `None`: they do not compile, since a script that they include was changed.
    program: Option<Program>,
    handle: Address,
    /// All addresses of the twin, as written.
    addresses: Vec<String>,
}

impl Rules {
    pub(crate) fn handle(&self) -> &Address {
        &self.handle
    }
}

/// Scripts of the site by name, for `include :global` (RFC 6609 §3.2).
pub(crate) type SiteScripts = BTreeMap<String, String>;

/// What a script can include.
struct Known<'a> {
    own: &'a [ScriptRow],
    site: &'a SiteScripts,
}

impl Scripts for Known<'_> {
    fn script(&self, location: Location, name: &str) -> Option<String> {
        match location {
            Location::Global => self.site.get(name).cloned(),
            Location::Personal => self.own.iter().find(|row| row.name == name).map(|row| row.text.clone()),
        }
    }
}

fn compile_with(text: &str, own: &[ScriptRow], site: &SiteScripts) -> Result<Program, CompileError> {
    hub_sieve::compile(text, &Known { own, site }, &Limits::default())
}

fn invalid(error: CompileError) -> Error {
    Error::Invalid(error.to_string())
}

impl Account {
    /// The scripts, by name.
    pub async fn scripts(&self) -> Result<Vec<ScriptInfo>> {
        let rows = self.hub.0.storage.scripts(self.id).await?;
        let info = |row: ScriptRow| ScriptInfo {
            name: row.name,
            is_active: row.is_active,
            size: row.text.len() as u64,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// The text of a script. `NotFound`.
    pub async fn script(&self, name: &str) -> Result<String> {
        let row = self.hub.0.storage.script(self.id, name).await?;
        row.map(|row| row.text).ok_or(Error::NotFound("script"))
    }

    /// Whether a script would be accepted: `Invalid` names every mistake with its line and column.
    pub async fn check_script(&self, text: &str) -> Result<()> {
        let rows = self.hub.0.storage.scripts(self.id).await?;
        self.hub.compile(text.to_owned(), rows).await?.map(drop).map_err(invalid)
    }

    /// Whether there is room for a script of so many octets. `Limit`, `TooLarge`.
    pub async fn room_for_script(&self, name: &str, size: u64) -> Result<()> {
        let rows = self.hub.0.storage.scripts(self.id).await?;
        has_room(&rows, name, usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// Keeps a script, in the place of one with the same name; an active one is in use at once.
    /// `Invalid` for a script that does not compile or a name that is none, `Limit`, `TooLarge`.
    pub async fn put_script(&self, name: &str, text: &str) -> Result<()> {
        check_name(name)?;
        let rows = self.hub.0.storage.scripts(self.id).await?;
        has_room(&rows, name, text.len())?;
        self.hub.compile(text.to_owned(), rows).await?.map_err(invalid)?;
        let (account, name, text) = (self.id, name.to_owned(), text.to_owned());
        let put = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { rows::put(tx, account, &name, &text).await })
        });
        Ok(put.await?)
    }

    /// Takes a script into use, or none. `NotFound`.
    pub async fn activate_script(&self, name: Option<&str>) -> Result<()> {
        let (account, name) = (self.id, name.map(str::to_owned));
        let activate = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { rows::activate(tx, account, name.as_deref()).await })
        });
        Ok(activate.await?)
    }

    /// Removes a script. `NotFound`; `Forbidden` for the active one (RFC 5804 §2.10).
    pub async fn remove_script(&self, name: &str) -> Result<()> {
        let (account, name) = (self.id, name.to_owned());
        let remove = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move {
                let scripts = rows::list(tx, account).await?;
                if scripts.iter().any(|script| script.name == name && script.is_active) {
                    return Ok(Err(Error::Forbidden("the script is in use")));
                }
                rows::remove(tx, account, &name).await.map(Ok)
            })
        });
        remove.await?
    }

    /// Gives a script another name; it stays active if it is. `NotFound`, `Exists`, `Invalid`.
    pub async fn rename_script(&self, from: &str, to: &str) -> Result<()> {
        check_name(to)?;
        let (account, from, to) = (self.id, from.to_owned(), to.to_owned());
        let rename = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move {
                let scripts = rows::list(tx, account).await?;
                if from != to && scripts.iter().any(|script| script.name == to) {
                    return Err(hub_storage::Error::Exists("script"));
                }
                rows::rename(tx, account, &from, &to).await
            })
        });
        Ok(rename.await?)
    }
}

fn check_name(name: &str) -> Result<()> {
    match hub_sieve::is_script_name(name) {
        true => Ok(()),
        false => Err(Error::Invalid("this cannot be the name of a script".into())),
    }
}

fn has_room(rows: &[ScriptRow], name: &str, size: usize) -> Result<()> {
    let limit = Limits::default().script;
    if size > limit {
        return Err(Error::TooLarge { limit: limit as u64 });
    }
    let others = || rows.iter().filter(|row| row.name != name);
    if others().count() >= MOST {
        return Err(Error::Limit("a twin has at most 32 scripts"));
    }
    let octets: usize = others().map(|row| row.text.len()).sum();
    if octets + size > MOST_OCTETS {
        return Err(Error::Limit("the scripts of a twin have at most 512 KiB"));
    }
    Ok(())
}

impl Hub {
    /// Sets the scripts of the site (name and text), in place of those before. Returns what is wrong with
    /// them: twins whose rules include such a one are told when they run. `Limit`.
    pub async fn set_site_scripts(&self, scripts: Vec<(String, String)>) -> Result<Vec<String>> {
        let octets: usize = scripts.iter().map(|(_, text)| text.len()).sum();
        if scripts.len() > MOST || octets > MOST_OCTETS {
            return Err(Error::Limit("a site has at most 32 scripts of 512 KiB in all"));
        }
        let site: Arc<SiteScripts> = Arc::new(scripts.into_iter().collect());
        let checked = Arc::clone(&site);
        let check = move || {
            let wrong = |(name, text): (&String, &String)| {
                let error = compile_with(text, &[], &checked).err()?;
                Some(format!("{name}: {error}"))
            };
            checked.iter().filter_map(wrong).collect()
        };
        let mistakes = crate::apart(check).await?;
        *locked(&self.0.site_scripts) = site;
        self.0.rules.clear();
        Ok(mistakes)
    }

    /// Hundreds of kilobytes of script take their time.
    async fn compile(&self, text: String, own: Vec<ScriptRow>) -> Result<Result<Program, CompileError>> {
        let site = Arc::clone(&locked(&self.0.site_scripts));
        crate::apart(move || compile_with(&text, &own, &site)).await
    }

    /// The rules of an account, if it has any: from memory, unless they have changed.
    pub(crate) async fn rules(&self, account: AccountId) -> Result<Option<Arc<Rules>>> {
        match self.0.rules.get(&account) {
            Ok(rules) => Ok(rules),
            Err(ticket) => {
                let rules = self.load_rules(account).await?;
                let program = rules.as_ref().and_then(|rules| rules.program.as_ref());
                let weight = program.map_or(1, |program| program.size() / WEIGHT + 1);
                self.0.rules.put_weighted(ticket, account, rules.clone(), weight);
                Ok(rules)
            }
        }
    }

    async fn load_rules(&self, account: AccountId) -> Result<Option<Arc<Rules>>> {
        let storage = &self.0.storage;
        let rows = storage.scripts(account).await?;
        let active = rows.iter().find(|row| row.is_active);
        let vacation = Vacation::of(storage.vacation(account).await?);
        let (name, text) = match (active, vacation.is_enabled) {
            (None, false) => return Ok(None),
            (active, true) => {
                let own = active.map(|row| row.name.as_str());
                ("the answer while away".to_owned(), vacation.script(own))
            }
            (Some(active), false) => (active.name.clone(), active.text.clone()),
        };
        let row = storage.account(account).await?.ok_or(Error::NotFound("account"))?;
        let addresses = storage.addresses(Some(account)).await?;
        let program = self.compile(text, rows).await?;
        if let Err(error) = &program {
            tracing::warn!(twin = row.handle, script = name, %error, "the rules do not compile");
        }
        Ok(Some(Arc::new(Rules {
            program: program.ok(),
            handle: Address::parse(&row.handle)?,
            addresses: addresses.into_iter().map(|row| row.written).collect(),
        })))
    }
}

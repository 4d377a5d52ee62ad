//! `twinhub sieve`: a twin's rules about its mail, for the owner of the hub.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hub::{Account, Hub};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::Sieve;
use crate::commands::{answer, ask, done, look, odd, show};
use crate::setup::Setup;
use crate::text::{print, printable, size};

/// A script file of more than this is none.
const MAX_SCRIPT: u64 = 64 * 1024;

/// What can be asked about a twin's scripts.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Activate { name: Option<String> },
    Check { text: String },
    Get { name: String },
    List,
    Put { name: String, text: String },
    Remove { name: String },
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) size: u64,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, address: &str, request: Request) -> Result<Answer, String> {
    let twin = admin::parse(address)?;
    let account = hub.account_for_owner(&twin).await.map_err(admin::explain)?;
    of_account(&account, request).await.map_err(admin::explain)
}

async fn of_account(account: &Account, request: Request) -> hub::Result<Answer> {
    match request {
        Request::Activate { name } => account.activate_script(name.as_deref()).await?,
        Request::Check { text } => account.check_script(&text).await?,
        Request::Get { name } => return Ok(Answer::Script(account.script(&name).await?)),
        Request::List => {
            let scripts = account.scripts().await?.into_iter();
            let script =
                |info: hub::ScriptInfo| Script { name: info.name, active: info.is_active, size: info.size };
            return Ok(Answer::Scripts(scripts.map(script).collect()));
        }
        Request::Put { name, text } => account.put_script(&name, &text).await?,
        Request::Remove { name } => account.remove_script(&name).await?,
    }
    Ok(Answer::Done)
}

pub(crate) async fn run(setup: &Setup, command: Sieve) -> Result<()> {
    let about = |address: &str, what| admin::Request::Sieve { address: address.to_owned(), what };
    match command {
        Sieve::Activate { address, name, none } => {
            let name = name.filter(|_| !none);
            let text = match &name {
                Some(name) => {
                    format!("{} follows the script {} now.\n", printable(&address), printable(name))
                }
                None => format!("{} has no rules in use now.\n", printable(&address)),
            };
            done(ask(setup, about(&address, Request::Activate { name })).await?)?;
            print(&text)?;
        }
        Sieve::Check { address, file } => {
            done(look(setup, about(&address, Request::Check { text: read(&file)? })).await?)?;
            print("The script is right.\n")?;
        }
        Sieve::Get { address, name } => {
            let Answer::Script(text) = answer(look(setup, about(&address, Request::Get { name })).await?)?
            else {
                return odd();
            };
            print(&text)?;
        }
        Sieve::List { address, list } => {
            let Answer::Scripts(scripts) = answer(look(setup, about(&address, Request::List)).await?)? else {
                return odd();
            };
            let row = |script: &Script| {
                let state = if script.active { "in use" } else { "" };
                [script.name.clone(), size(script.size), state.to_owned()]
            };
            show(&list, &scripts, ["NAME", "SIZE", "STATE"], row)?;
        }
        Sieve::Put { address, name, file } => {
            let text = read(&file)?;
            done(ask(setup, about(&address, Request::Put { name: name.clone(), text })).await?)?;
            let (address, name) = (printable(&address), printable(&name));
            print(&format!("Kept the script {name}. To use it: twinhub sieve activate {address} {name}\n"))?;
        }
        Sieve::Remove { address, name } => {
            done(ask(setup, about(&address, Request::Remove { name: name.clone() })).await?)?;
            print(&format!("Removed the script {}.\n", printable(&name)))?;
        }
    }
    Ok(())
}

/// The script in a file; `-` is standard input.
fn read(file: &PathBuf) -> Result<String> {
    let mut text = String::new();
    let context = || format!("reading {}", file.display());
    if file.as_path() == Path::new("-") {
        std::io::stdin().lock().take(MAX_SCRIPT + 1).read_to_string(&mut text).with_context(context)?;
    } else {
        let opened = std::fs::File::open(file).with_context(context)?;
        opened.take(MAX_SCRIPT + 1).read_to_string(&mut text).with_context(context)?;
    }
    if text.len() as u64 > MAX_SCRIPT {
        bail!("{} is too large for a script", file.display());
    }
    Ok(text)
}

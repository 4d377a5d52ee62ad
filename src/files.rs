//! `twinhub files`: what a twin shares, for the owner of the hub.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use hub::files::{Access, FilePath, LinkId, LinkRequest};
use hub::{Account, Hub, Secret};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::{Files, Right};
use crate::commands::{answer, ask, done, look, odd, show};
use crate::services;
use crate::setup::Setup;
use crate::text::{print, printable, time};

const DAY: i64 = 24 * 3600;

/// What can be asked about a twin's files. No `Debug`: it may hold a password.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Link { path: String, upload: bool, password: Option<String>, expires_at: Option<i64> },
    Links,
    Share { path: String, with: String, access: String },
    Shares,
    Unlink { id: i64 },
    Unshare { path: String, with: String },
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Link {
    pub(crate) id: i64,
    pub(crate) path: Option<String>,
    pub(crate) access: String,
    pub(crate) has_password: bool,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Share {
    pub(crate) owner: String,
    pub(crate) with: String,
    pub(crate) path: Option<String>,
    pub(crate) access: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, address: &str, request: Request) -> Result<Answer, String> {
    let twin = admin::parse(address)?;
    let account = hub.account_for_owner(&twin).await.map_err(admin::explain)?;
    match &request {
        Request::Share { with, .. } | Request::Unshare { with, .. } => drop(admin::parse(with)?),
        _ => {}
    }
    of_account(&account, request).await.map_err(admin::explain)
}

async fn of_account(account: &Account, request: Request) -> hub::Result<Answer> {
    let files = account.files();
    match request {
        Request::Link { path, upload, password, expires_at } => {
            let access = if upload { Access::Upload } else { Access::Read };
            let request = LinkRequest { access, password: password.map(Secret::new), expires_at };
            let (_, token) = files.add_link(&FilePath::parse(&path)?, request).await?;
            return Ok(Answer::Link(token.expose().to_owned()));
        }
        Request::Links => {
            let links = files.links().await?.into_iter();
            return Ok(Answer::Links(links.map(Link::from).collect()));
        }
        Request::Share { path, with, access } => {
            let access = Access::from_name(&access);
            let access = access.ok_or(hub::Error::Invalid("there is no such right".to_owned()))?;
            files.grant(&FilePath::parse(&path)?, &hub::Address::parse(&with)?, access).await?;
        }
        Request::Shares => return Ok(Answer::Shares(shares(account).await?)),
        Request::Unlink { id } => files.remove_link(LinkId(id)).await?,
        Request::Unshare { path, with } => {
            files.revoke(&FilePath::parse(&path)?, &hub::Address::parse(&with)?).await?;
        }
    }
    Ok(Answer::Done)
}

async fn shares(account: &Account) -> hub::Result<Vec<Share>> {
    let own = account.handle().to_string();
    let with_others = account.files().grants().await?.into_iter().map(|grant| Share {
        owner: own.clone(),
        with: grant.grantee.to_string(),
        path: grant.path.map(|path| path.to_string()),
        access: grant.access.name().to_owned(),
    });
    let mut shares: Vec<Share> = with_others.collect();
    shares.extend(account.granted().await?.into_iter().map(|granted| Share {
        owner: granted.owner.to_string(),
        with: own.clone(),
        path: Some(granted.node.name),
        access: granted.access.name().to_owned(),
    }));
    Ok(shares)
}

impl From<hub::files::Link> for Link {
    fn from(link: hub::files::Link) -> Self {
        Self {
            id: link.id.0,
            path: link.path.map(|path| path.to_string()),
            access: link.access.name().to_owned(),
            has_password: link.has_password,
            created_at: link.created_at,
            expires_at: link.expires_at,
        }
    }
}

pub(crate) async fn run(setup: &Setup, command: Files) -> Result<()> {
    let about = |address: &str, what| admin::Request::Files { address: address.to_owned(), what };
    match command {
        Files::Share { address, path, with, may } => {
            let access = match may {
                Right::Read => Access::Read,
                Right::Write => Access::Write,
                Right::Share => Access::Share,
            };
            let text = format!("{} may {} {} now.\n", printable(&with), access.name(), printable(&path));
            let request = Request::Share { path, with, access: access.name().to_owned() };
            done(ask(setup, about(&address, request)).await?)?;
            print(&text)?;
        }
        Files::Unshare { address, path, with } => {
            let text = format!("{} has no part in {} any more.\n", printable(&with), printable(&path));
            done(ask(setup, about(&address, Request::Unshare { path, with })).await?)?;
            print(&text)?;
        }
        Files::Shares { address, list } => {
            let Answer::Shares(shares) = answer(look(setup, about(&address, Request::Shares)).await?)? else {
                return odd();
            };
            let row = |share: &Share| {
                [share.owner.clone(), place(share.path.as_deref()), share.with.clone(), share.access.clone()]
            };
            show(&list, &shares, ["OWNER", "WHAT", "WITH", "MAY"], row)?;
        }
        Files::Link(options) => return link(setup, options).await,
        Files::Links { address, list } => {
            let Answer::Links(links) = answer(look(setup, about(&address, Request::Links)).await?)? else {
                return odd();
            };
            let row = |link: &Link| {
                let end = link.expires_at.map_or_else(|| "never".to_owned(), time);
                let password = if link.has_password { "yes" } else { "" }.to_owned();
                let place = place(link.path.as_deref());
                [link.id.to_string(), place, link.access.clone(), password, time(link.created_at), end]
            };
            show(&list, &links, ["ID", "WHAT", "FOR", "PASSWORD", "MADE (UTC)", "ENDS"], row)?;
        }
        Files::Unlink { address, id } => {
            done(ask(setup, about(&address, Request::Unlink { id })).await?)?;
            print(&format!("The link {id} leads nowhere any more.\n"))?;
        }
    }
    Ok(())
}

fn place(path: Option<&str>) -> String {
    path.unwrap_or("(in the trash)").to_owned()
}

/// Unix seconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

async fn link(setup: &Setup, options: crate::cli::Link) -> Result<()> {
    let crate::cli::Link { address, path, upload, days, password, secret } = options;
    let wants_password = password || secret.password_stdin || secret.generate;
    let (password, is_generated) = match wants_password {
        true => secret.obtain(&path).map(|(secret, is_generated)| (Some(secret), is_generated))?,
        false => (None, false),
    };
    let expires_at = days.map(|days| now() + i64::from(days) * DAY);
    let kept = password.as_ref().map(|password| password.expose().to_owned());
    let what = Request::Link { path, upload, password: kept, expires_at };
    let request = admin::Request::Files { address: address.clone(), what };
    let Answer::Link(token) = answer(ask(setup, request).await?)? else { return odd() };
    let domain = address.rsplit('@').next().unwrap_or_default();
    let services = services::configured(&setup.config);
    let host = services.host(&hub_certs::ascii_name(domain).unwrap_or_else(|| domain.to_owned()));
    let origin = services.https_origin(&host).unwrap_or_default();
    print(&format!("{origin}/s/{token}\n"))?;
    if let (Some(password), true) = (password, is_generated) {
        print(&format!("Its password, shown only now: {}\n", password.expose()))?;
    }
    Ok(())
}

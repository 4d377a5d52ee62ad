//! `twinhub calendars`: what a twin shares of its calendars and address books, for the owner of the hub.

use anyhow::Result;
use hub::collections::{Access, CollectionGrant, CollectionKind, Collections, Invitation};
use hub::{Account, Hub};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::{CalendarRight, Calendars, Which};
use crate::commands::{answer, ask, done, look, odd, show};
use crate::setup::Setup;
use crate::text::{print, printable};

/// What can be asked about a twin's calendars.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Share { name: String, is_address_book: bool, with: String, access: String },
    Shares,
    Unshare { name: String, is_address_book: bool, with: String },
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Share {
    pub(crate) owner: String,
    pub(crate) with: String,
    pub(crate) name: String,
    pub(crate) is_address_book: bool,
    pub(crate) access: String,
    pub(crate) status: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, address: &str, request: Request) -> Result<Answer, String> {
    let account = hub.account_for_owner(&admin::parse(address)?).await.map_err(admin::explain)?;
    match request {
        Request::Share { name, is_address_book, with, access } => {
            let with = admin::parse(&with)?;
            let access = Access::from_name(&access).ok_or("there is no such right")?;
            let collections = collections(&account, is_address_book);
            let share = collections.share(&name, &with, access, None, Invitation::Skip);
            share.await.map_err(admin::explain)?;
        }
        Request::Shares => {
            return Ok(Answer::CalendarShares(shares(&account).await.map_err(admin::explain)?));
        }
        Request::Unshare { name, is_address_book, with } => {
            let with = admin::parse(&with)?;
            collections(&account, is_address_book).unshare(&name, &with).await.map_err(admin::explain)?;
        }
    }
    Ok(Answer::Done)
}

fn collections(account: &Account, is_address_book: bool) -> Collections {
    if is_address_book { account.address_books() } else { account.calendars() }
}

async fn shares(account: &Account) -> hub::Result<Vec<Share>> {
    let mut grants = account.calendars().grants().await?;
    grants.append(&mut account.address_books().grants().await?);
    grants.append(&mut account.proxies().await?);
    grants.append(&mut account.collections_granted().await?);
    Ok(grants.into_iter().map(Share::from).collect())
}

impl From<CollectionGrant> for Share {
    fn from(grant: CollectionGrant) -> Self {
        Self {
            owner: grant.owner.to_string(),
            with: grant.grantee.to_string(),
            // A proxy sees all calendars.
            name: if grant.name.is_empty() { "*".to_owned() } else { grant.name },
            is_address_book: grant.kind == CollectionKind::AddressBook,
            access: grant.access.name().to_owned(),
            status: grant.status.name().to_owned(),
        }
    }
}

pub(crate) async fn run(setup: &Setup, command: Calendars) -> Result<()> {
    let about = |address: String, what| admin::Request::Calendars { address, what };
    match command {
        Calendars::Share { which: Which { address, name, address_book }, with, may } => {
            let access = match may {
                CalendarRight::Read => Access::Read,
                CalendarRight::Write => Access::Write,
            };
            let text = format!("{} may {} {} now.\n", printable(&with), access.name(), printable(&name));
            let access = access.name().to_owned();
            let request = Request::Share { name, is_address_book: address_book, with, access };
            done(ask(setup, about(address, request)).await?)?;
            print(&text)?;
        }
        Calendars::Unshare { which: Which { address, name, address_book }, with } => {
            let text = format!("{} has no part in {} any more.\n", printable(&with), printable(&name));
            let request = Request::Unshare { name, is_address_book: address_book, with };
            done(ask(setup, about(address, request)).await?)?;
            print(&text)?;
        }
        Calendars::Shares { address, list } => {
            let Answer::CalendarShares(shares) = answer(look(setup, about(address, Request::Shares)).await?)?
            else {
                return odd();
            };
            let row = |share: &Share| {
                let kind = if share.is_address_book { "address book" } else { "calendar" }.to_owned();
                let Share { owner, name, with, access, status, .. } = share;
                [owner.clone(), kind, name.clone(), with.clone(), access.clone(), status.clone()]
            };
            show(&list, &shares, ["OWNER", "WHAT", "NAME", "WITH", "MAY", "ANSWER"], row)?;
        }
    }
    Ok(())
}

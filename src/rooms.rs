//! `twinhub room`: rooms, and other things that can be reserved.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};
use hub::rooms::RoomKind;
use hub::{Error, Hub};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::room::Room;
use crate::commands::{answer, ask, confirm, done, look, odd, show};
use crate::setup::Setup;
use crate::text::{print, printable};

/// What can be asked about rooms.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Add { address: String, name: String, resource: bool },
    List,
    Remove { address: String },
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Listed {
    address: String,
    kind: String,
    name: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, request: Request) -> Result<Answer, String> {
    match request {
        Request::Add { address, name, resource } => {
            let address = admin::parse(&address)?;
            let kind = if resource { RoomKind::Resource } else { RoomKind::Room };
            hub.add_room(&address, kind, &name).await.map_err(|error| match error {
                Error::NotFound(_) => admin::not_hosted(&address),
                Error::Exists(_) => format!("{address} is taken; see: twinhub twin list"),
                error => admin::explain(error),
            })?;
            Ok(Answer::Done)
        }
        Request::List => {
            let rooms = hub.rooms().await.map_err(admin::explain)?;
            let listed = |room: &hub::rooms::Room| Listed {
                address: room.address.to_string(),
                kind: room.user_type().to_lowercase(),
                name: room.name.clone(),
            };
            Ok(Answer::Rooms(rooms.iter().map(listed).collect()))
        }
        Request::Remove { address } => {
            let address = admin::parse(&address)?;
            hub.remove_room(&address).await.map_err(|error| match error {
                Error::NotFound(_) => format!("there is no room {address}; see: twinhub room list"),
                error => admin::explain(error),
            })?;
            Ok(Answer::Done)
        }
    }
}

pub(crate) async fn run(setup: &Setup, command: Room) -> Result<()> {
    let about = |what| admin::Request::Room { what };
    match command {
        Room::Add { address, name, resource } => {
            let what = Request::Add { address: address.clone(), name, resource };
            done(ask(setup, about(what)).await?)?;
            print(&format!("{} can be invited now.\n", printable(&address)))?;
            Ok(())
        }
        Room::List { list } => {
            let Answer::Rooms(rooms) = answer(look(setup, about(Request::List)).await?)? else {
                return odd();
            };
            let row = |room: &Listed| [room.address.clone(), room.kind.clone(), room.name.clone()];
            show(&list, &rooms, ["ADDRESS", "KIND", "NAME"], row)
        }
        Room::Remove { address, yes } => {
            let question = format!("Remove {} with all its reservations?", printable(&address));
            if !yes && std::io::stdin().is_terminal() && !confirm(&question)? {
                bail!("nothing was removed");
            }
            done(ask(setup, about(Request::Remove { address: address.clone() })).await?)?;
            print(&format!("Removed {}.\n", printable(&address)))?;
            Ok(())
        }
    }
}

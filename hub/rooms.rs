//! Rooms, and other things that can be reserved: accounts without a password, which accept an invitation
//! when they are free and decline it when they are not. Every twin of the hub finds them.

use hub_storage::rooms::RoomRow;

pub use hub_storage::rooms::RoomKind;

use crate::{Account, Address, Error, Hub, Result};

/// Characters of a name.
const NAME: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub address: Address,
    pub kind: RoomKind,
    /// For people.
    pub name: String,
}

impl Room {
    fn of(row: RoomRow) -> Result<Self> {
        Ok(Self { address: Address::parse(&row.handle)?, kind: row.kind, name: row.name })
    }

    /// `CUTYPE` (RFC 5545 §3.2.3).
    pub const fn user_type(&self) -> &'static str {
        match self.kind {
            RoomKind::Resource => "RESOURCE",
            RoomKind::Room => "ROOM",
        }
    }
}

impl Hub {
    /// Makes a room. `Exists`, `Invalid`; `NotFound` if the domain is not hosted here.
    pub async fn add_room(&self, address: &Address, kind: RoomKind, name: &str) -> Result<()> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME || name.contains(char::is_control) {
            return Err(Error::Invalid(format!("a name has 1 to {NAME} characters")));
        }
        self.add_account(address, None, Some((kind, name))).await?;
        tracing::info!(room = %address, "room added");
        Ok(())
    }

    pub async fn rooms(&self) -> Result<Vec<Room>> {
        self.0.storage.rooms().await?.into_iter().map(Room::of).collect()
    }

    /// Removes a room and what it is reserved for. `NotFound` for an address that is no room's.
    pub async fn remove_room(&self, address: &Address) -> Result<()> {
        let id = self.twin(address).await?;
        match self.0.storage.room(id).await? {
            Some(_) => self.remove_twin(address).await,
            None => Err(Error::NotFound("room")),
        }
    }
}

impl Account {
    /// Rooms that this twin may reserve: all of the hub.
    pub async fn rooms(&self) -> Result<Vec<Room>> {
        self.hub.rooms().await
    }
}

//! `twinhub room`.

use clap::Subcommand;

use super::List;

#[derive(Subcommand)]
pub(crate) enum Room {
    /// Make a room, which accepts invitations while it is free and declines the others
    #[command(after_help = "\
Examples:
  twinhub room add big@example.org \"Big room, 3rd floor\"
  twinhub room add beamer@example.org Beamer --resource")]
    Add {
        /// Its address; the domain must be hosted here (twinhub domain add)
        address: String,
        /// What people call it
        name: String,
        /// It is no room, but something else that can be reserved
        #[arg(long)]
        resource: bool,
    },
    /// Show all rooms
    List {
        #[command(flatten)]
        list: List,
    },
    /// Remove a room with everything it is reserved for; there is no way back
    Remove {
        address: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

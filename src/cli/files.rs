//! `twinhub files …`.

use clap::{Args, Subcommand, ValueEnum};

use super::{List, Password};

#[derive(Subcommand)]
pub(crate) enum Files {
    /// Let another twin of this hub see or change a file or folder
    ///
    /// It finds it at once, under "Shared with me". Whoever was let in before gets the new rights.
    #[command(after_help = "\
Examples:
  twinhub files share alice@example.org Photos/2026 --with bob@example.org
  twinhub files share alice@example.org Plans --with bob@example.org --may write")]
    Share {
        /// Whose it is
        address: String,
        /// Where it is among its owner's files
        path: String,
        /// Who is let in
        #[arg(long, value_name = "ADDRESS")]
        with: String,
        /// What it may do with it
        #[arg(long, value_name = "RIGHT", default_value = "read")]
        may: Right,
    },
    /// Take back what was shared with another twin, at once
    #[command(after_help = "\
Example:
  twinhub files unshare alice@example.org Photos/2026 --with bob@example.org")]
    Unshare {
        address: String,
        path: String,
        #[arg(long, value_name = "ADDRESS")]
        with: String,
    },
    /// Show what a twin shares with others, and others with it
    Shares {
        address: String,
        #[command(flatten)]
        list: List,
    },
    /// Make an address on the web at which everybody who has it sees a file or folder
    ///
    /// The address is shown only now.
    #[command(after_help = "\
Examples:
  twinhub files link alice@example.org Photos/2026 --days 30
  twinhub files link alice@example.org Inbox --upload --password-stdin")]
    Link(Link),
    /// Show a twin's links (not their addresses)
    Links {
        address: String,
        #[command(flatten)]
        list: List,
    },
    /// Make a link lead nowhere, at once
    #[command(after_help = "Example:\n  twinhub files unlink alice@example.org 17")]
    Unlink {
        address: String,
        /// The number that `files links` shows
        id: i64,
    },
}

#[derive(Args)]
pub(crate) struct Link {
    pub(crate) address: String,
    pub(crate) path: String,
    /// Files can be sent into the folder, and none be seen
    #[arg(long)]
    pub(crate) upload: bool,
    /// It ends after so many days [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub(crate) days: Option<u32>,
    /// Only with a password
    #[arg(long)]
    pub(crate) password: bool,
    #[command(flatten)]
    pub(crate) secret: Password,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Right {
    Read,
    /// Read and change
    Write,
    /// The same, and share it with others
    Share,
}

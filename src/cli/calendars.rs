//! `twinhub calendars …`.

use clap::{Args, Subcommand, ValueEnum};

use super::List;

#[derive(Subcommand)]
pub(crate) enum Calendars {
    /// Let another twin of this hub see or change a calendar or an address book
    ///
    /// It finds it at once, among its own. Whoever was let in before gets the new rights.
    #[command(after_help = "\
Examples:
  twinhub calendars share alice@example.org calendar --with bob@example.org
  twinhub calendars share alice@example.org contacts --address-book --with bob@example.org --may write")]
    Share {
        #[command(flatten)]
        which: Which,
        /// Who is let in
        #[arg(long, value_name = "ADDRESS")]
        with: String,
        /// What it may do with it
        #[arg(long, value_name = "RIGHT", default_value = "read")]
        may: CalendarRight,
    },
    /// Take back what was shared with another twin, at once
    #[command(after_help = "\
Example:
  twinhub calendars unshare alice@example.org calendar --with bob@example.org")]
    Unshare {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_name = "ADDRESS")]
        with: String,
    },
    /// Show what a twin shares with others, and others with it
    Shares {
        address: String,
        #[command(flatten)]
        list: List,
    },
}

#[derive(Args)]
pub(crate) struct Which {
    /// Whose it is
    pub(crate) address: String,
    /// The last part of its URL
    pub(crate) name: String,
    /// It is an address book
    #[arg(long)]
    pub(crate) address_book: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CalendarRight {
    Read,
    /// Read and change
    Write,
}

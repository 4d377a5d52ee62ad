//! `twinhub queue …`.

use clap::{Args, Subcommand};

use super::List;

#[derive(Subcommand)]
pub(crate) enum Queue {
    /// Show what waits, why, and when it is tried next
    #[command(after_help = "\
Examples:
  twinhub queue list
  twinhub queue list --domain example.net
  twinhub queue list --sender alice@example.org --json")]
    List {
        #[command(flatten)]
        names: QueueNames,
        #[command(flatten)]
        list: List,
    },
    /// Show all about one message: its recipients, why they wait, and the last attempts
    #[command(after_help = "Example:\n  twinhub queue show 12")]
    Show {
        /// The number that `queue list` shows
        id: i64,
        #[command(flatten)]
        list: List,
    },
    /// Try again now, whatever is known of the other side
    #[command(after_help = "\
Examples:
  twinhub queue retry 12
  twinhub queue retry --domain example.net
  twinhub queue retry --all")]
    Retry {
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Do not try until it is released; what is held does not expire
    #[command(after_help = "Example:\n  twinhub queue hold --sender alice@example.org")]
    Hold {
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// End a hold, and try at once
    #[command(after_help = "Example:\n  twinhub queue release --all")]
    Release {
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Take out of the queue; the sender is not told
    #[command(after_help = "\
Examples:
  twinhub queue delete 12
  twinhub queue delete 12 --recipient bob@example.net
  twinhub queue delete --sender alice@example.org --yes")]
    Delete {
        #[command(flatten)]
        choice: QueueChoice,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// What a recipient must have, all of it.
#[derive(Args)]
#[group(id = "names", multiple = true)]
pub(crate) struct QueueNames {
    /// Only recipients in this domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Only what this address sent; "<>" is the sender of reports
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sender: Option<String>,
    /// Only this recipient
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) recipient: Option<String>,
}

/// The same for what changes something: an empty choice is not everything.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("choice").args(["ids", "domain", "sender", "recipient", "all"])
    .required(true).multiple(true))]
pub(crate) struct QueueChoice {
    /// The numbers that `queue list` shows
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<i64>,
    #[command(flatten)]
    pub(crate) names: QueueNames,
    /// Everything in the queue
    #[arg(long, conflicts_with_all = ["ids", "domain", "sender", "recipient"])]
    pub(crate) all: bool,
}

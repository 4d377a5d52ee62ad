//! `twinhub twin identity`, `recovery` and `rotate-keys`.

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Identity {
    /// Show who a twin is to other hubs: its id, its keys and the versions of its record
    #[command(name = "identity")]
    Show {
        address: String,
        /// Print the signed records instead, one a line
        #[arg(long)]
        records: bool,
    },
    /// Hide a twin from other hubs: they are told that there is no such twin
    #[command(after_help = "Mail for it still comes. `twinhub twin show` undoes it.")]
    Hide { address: String },
    /// Let other hubs find a hidden twin again
    #[command(name = "show")]
    Unhide { address: String },
    /// Make a twin's recovery key and show its 24 words, once
    #[command(after_help = "\
Give the words to the twin: they are kept nowhere. Whoever has them can take the twin's identity back from
this hub: for 72 hours they overrule whatever the hub's own key has signed.
Example:
  twinhub twin recovery alice@example.org")]
    Recovery {
        address: String,
        /// There is one already; from now on it is worth nothing
        #[arg(long)]
        replace: bool,
    },
    /// Give a twin new keys to sign with
    #[command(after_help = "\
The hub's key that may rotate is new then, too.
Examples:
  twinhub twin rotate-keys alice@example.org
  twinhub twin rotate-keys alice@example.org --words --behind 3 < words")]
    RotateKeys {
        address: String,
        /// Sign with the recovery key, whose words are the first line of standard input
        #[arg(long)]
        words: bool,
        /// The last version that the twin stands by: what came later is overruled
        #[arg(long, value_name = "VERSION", requires = "words")]
        behind: Option<u64>,
    },
}

//! `twinhub token`.

use clap::Subcommand;

use super::List;

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Show the programs that a twin has let in, and what they may do
    List {
        address: String,
        #[command(flatten)]
        list: List,
    },
    /// Make all tokens of a program worthless
    #[command(after_help = "Example:\n  twinhub token revoke alice@example.org 3")]
    Revoke {
        address: String,
        /// The number that `token list` shows
        id: i64,
    },
}

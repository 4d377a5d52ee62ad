//! `twinhub phonebook`.

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Phonebook {
    /// Believe the hub of a domain anew, whatever it was caught at or had before
    #[command(after_help = "\
For a hub that has lost its key or its database and says so by another way than its own website. What is known
of its twins stays: see twinhub phonebook pin.
Example:
  twinhub phonebook forget example.net")]
    Forget { domain: String },
    /// Ask the hub of another domain who a twin is, and check the answer
    #[command(after_help = "Example:\n  twinhub phonebook lookup bob@example.net")]
    Lookup { address: String },
    /// Say which twin an address is, as somebody has told you by another way
    #[command(after_help = "\
Nothing else is believed of that address from now on; a twin that was known under it before is forgotten.
Example:
  twinhub phonebook pin bob@example.net tw1kq2uzdpm3hqgdxjrvttrmcq5hm4xs7hy")]
    Pin {
        address: String,
        /// The twin's id
        id: String,
    },
    /// Check that the log of another domain has only grown since it was seen last
    #[command(after_help = "Example:\n  twinhub phonebook verify example.net")]
    Verify { domain: String },
}

//! Rules about mail in the language Sieve: a script is compiled once ([`compile()`]) and run over each
//! message ([`run()`]); what comes out is a list of actions for the hub to do.
//!
//! It is pure: no socket, no clock, no database, no user. What a script can see comes through
//! [`Message`] and [`Surroundings`]; how much it may cost is in [`Limits`]. A program has no loops and
//! every step is counted, so each run ends.
//!
//! RFC 5228 (the language; fileinto, envelope, encoded-character), 3894 (copy), 5173 (body), 5183
//! (environment), 5229 (variables), 5230 (vacation), 5231 (relational), 5232 (imap4flags), 5233
//! (subaddress), 5260 (date, index), 5293 (editheader), 5429 (reject, ereject), 5463 (ihave), 5490
//! (mailbox), 6131 (vacation-seconds), 6609 (include), 7352 (duplicate), 8579 (special-use), and
//! draft-ietf-sieve-regex in the syntax of the `regex` crate. Comparators: RFC 4790.

#![deny(clippy::disallowed_methods)]

mod address;
mod answer;
mod capability;
mod comparator;
mod compile;
mod date;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod header;
mod lexer;
mod limits;
mod matching;
mod message;
mod outcome;
mod program;
mod run;
mod syntax;
mod text;

pub use answer::{Context, answer};
pub use capability::extensions;
pub use compile::{Location, Scripts, compile, is_script_name};
pub use error::{CompileError, Mistake, Position, RunError};
pub use limits::Limits;
pub use message::{EnvelopeField, Message, Surroundings};
pub use outcome::{Action, Copied, FileInto, Outcome, SeenId, Vacation};
pub use program::Program;
pub use run::run;

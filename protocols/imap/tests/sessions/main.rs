//! Sessions over pipes in memory, with a real hub behind them.

mod bodies;
mod compress;
mod contexts;
mod limits;
mod many_mailboxes;
mod mask;
mod pipe;
mod pipelined;
mod scram;
mod searches;
mod time;
mod tokens;
mod transcripts;
#[path = "../world/mod.rs"]
mod world;

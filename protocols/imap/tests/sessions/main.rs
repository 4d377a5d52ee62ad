//! Sessions over pipes in memory, with a real hub behind them.

mod bodies;
mod pipe;
mod scram;
mod transcripts;
#[path = "../world/mod.rs"]
mod world;

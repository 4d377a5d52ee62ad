//! The web door over real sockets: what it answers, what it refuses, how it ends.

mod discovery;
mod http;
mod world;

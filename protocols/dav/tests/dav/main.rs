//! WebDAV without sockets: requests go to the mount, answers are read from it.

mod bad_input;
mod bearer;
mod calendar_shares;
mod golden;
mod shares;
mod streams;
mod tree;
mod world;

//! The API without sockets: requests go to the mount, answers are read from it.

mod contacts;
mod core;
mod emails;
mod events;
mod files;
mod mailboxes;
mod rest;
mod sending;
mod tokens;
mod world;

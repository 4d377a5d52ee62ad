//! Pages without sockets: requests go to the mount, answers are read from it.

mod links;
mod own;
mod rsvp;
mod world;

//! Whole server, real clients: the built binary on loopback, a fresh directory for each test.
//! `tests/README.md` says how to run them and what they need.

mod acme;
mod admin;
mod clients;
mod crash;
mod dav;
mod dav_crash;
mod dav_search;
mod dav_volumes;
mod differential;
mod dovecot;
mod durability;
mod haproxy;
mod harness;
mod imap;
mod imap_client;
mod internet;
mod lmtp;
mod milter;
mod pebble;
mod postfix;
mod postgres;
mod queue;
mod roundtrip;
mod rspamd;
mod senders;
mod sieve;
mod smtp;
mod smtp_client;
mod submission;
mod terminal_clients;
mod transfer;
mod trouble;
mod web;
mod wire;

//! Cards (RFC 6350, RFC 2426) as JSContact objects (RFC 9553), by RFC 9555, and back. Pure.
//!
//! The text stays the truth: it is read into an object, and an object that was changed is written into the
//! text it was read from. Each part of an object (a `Unit`) knows the lines that it was read
//! from; only those whose part is other than before are written anew, all other bytes stay as they were,
//! whoever wrote them. What a line cannot say stands beside it as JSPROP (RFC 9555 §3.2.1), and what no
//! property of JSContact stands for is in `vCardProps`.
//!
//! Limits: what `hub_ical` reads; objects are as deep as the JSON that they come from.

#![deny(clippy::disallowed_methods)]

pub mod card;
mod edit;
mod error;
mod jsprop;
mod pointer;
mod unit;
mod values;

pub use error::Error;

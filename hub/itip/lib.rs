//! Scheduling as text: what a change of a calendar object says to others (RFC 6638 §3.2), and what the
//! words of others change in one (iTIP, RFC 5546). Pure.
//!
//! It must not know who reads what it says, or how that gets there: that is `hub/schedule`'s. An object
//! is changed line by line; what is not meant stays the bytes that a client wrote.
//!
//! RFCs: 5546 (iTIP), 6638 §3.2 and §7 (what is sent when), 7986 §6.2 (`EMAIL`).
//!
//! Limits: [`MOST_ATTENDEES`] of an object, [`MOST_COMPONENTS`] in it, [`MOST_BYTES`] of all messages
//! about one change, as often as each is sent, [`MOST_OBJECT`] of what the words of others lead to.

#![deny(clippy::disallowed_methods)]

mod address;
mod apply;
mod attendee;
mod budget;
mod calendar;
mod compare;
mod free_busy;
mod guest;
mod message;
mod organizer;
mod plan;
mod received;
mod status;
mod text;

pub use address::{CalendarUser, Owner, with_detail};
pub use apply::{Ignored, Outcome, apply};
pub use free_busy::FreeBusyRequest;
pub use guest::{Answer, Invitation, answered, reply_of};
pub use message::{Message, Method};
pub use plan::{Change, Plan, Role, plan};
pub use received::Received;
pub use status::with_statuses;

/// Calendar users that one object may name.
pub const MOST_ATTENDEES: usize = 500;
/// Components of one object: a series, and instances that differ from it.
pub const MOST_COMPONENTS: usize = 2_000;
/// Bytes of all messages about one change: each counts once for each of its recipients.
pub const MOST_BYTES: usize = 32 << 20;

/// Bytes of an object after others had their say: as many as may be stored.
pub const MOST_OBJECT: usize = 10 << 20;

/// Why an object or a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `CALDAV:allowed-attendee-scheduling-object-change` (RFC 6638 §3.2.4.4).
    #[error("only the organizer can change {0}")]
    AttendeeChange(&'static str),
    /// `CALDAV:same-organizer-in-all-components` (RFC 6638 §3.2.4.2).
    #[error("all components must have the same organizer")]
    DifferentOrganizers,
    #[error("{0}")]
    NotCalendar(String),
    /// `CALDAV:allowed-organizer-scheduling-object-change` (RFC 6638 §3.2.4.3).
    #[error("the organizer cannot be changed")]
    OrganizerChange,
    #[error("there are too many {0}")]
    TooMany(&'static str),
}

//! Calendar objects (RFC 5545) and cards (RFC 6350) as text: their lines, components, properties,
//! times and zones, and when an event happens. Pure.
//!
//! What a client sent is kept as it came; this room tells what it says. It writes an object anew only
//! where somebody asks for another form of it (`view`, `card`). What cannot be understood is passed over,
//! not refused.

#![deny(clippy::disallowed_methods)]

mod alarm;
mod bundle;
mod busy;
mod card;
mod collation;
mod document;
mod entry;
mod error;
mod filter;
mod lines;
mod object;
mod property;
mod text;
mod time;
mod view;
mod windows;
mod zone;

pub use alarm::{NextAlarm, Ring, next_alarm};
pub use bundle::{Joined, Part, Split};
pub use busy::{Addresses, Busy, BusyKind, busy_times, free_busy, merged};
pub use card::{CardVersion, CardView};
pub use collation::{Collation, MatchKind, TextMatch};
pub use document::{Component, Document, Piece};
pub use entry::{Entry, Extra, Kind, Length};
pub use error::Error;
pub use filter::{
    CardFilter, ComponentFilter, ComponentTest, ParameterFilter, ParameterTest, PropertyFilter, PropertyTest,
    TimeRange,
};
pub use object::{Bounds, Object, Occurrence};
pub use property::{Parameter, Property};
pub use text::content_line;
pub use time::{Duration, Time};
pub use view::{Properties, Recurrences, Rendered, Selection, TooManyInstances, View};
pub use zone::{Private, Zone, Zones};

//! Calendar objects (RFC 5545) and cards (RFC 6350) as text: their lines, components, properties,
//! times and zones, and when an event happens. Pure.
//!
//! Nothing here writes a whole object anew: what a client sent is kept as it came, this room only
//! tells what it says. What cannot be understood is passed over, not refused.

#![deny(clippy::disallowed_methods)]

mod collation;
mod document;
mod entry;
mod error;
mod filter;
mod lines;
mod object;
mod property;
mod time;
mod windows;
mod zone;

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
pub use time::{Duration, Time};
pub use zone::{Private, Zone, Zones};

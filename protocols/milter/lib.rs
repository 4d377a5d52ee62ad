//! Asks a content filter about a message over the milter protocol, version 6, as rspamd, ClamAV's and
//! others' milters speak it.
//!
//! It must not know the hub, SMTP's replies or what becomes of a message: it tells the filter the
//! conversation that brought it, and says what the filter wants. The whole of it is told when the message
//! is there, and nobody has been answered: a refusal is still one in the session.
//!
//! `command` is what we say, `answer` what we hear, `field` the header fields, all without I/O;
//! `conversation` has the order of things and the socket.
//!
//! Of what a filter may ask for, two things are offered: adding header fields and setting the message
//! aside. Messages are kept as they were received, so changing or deleting fields, another body and
//! other recipients are not offered in the negotiation. rspamd changes fields all the same: a changed
//! field is put in front, where that makes no second Subject; everything else is not heard.
//!
//! The protocol has no RFC; its words are those of libmilter's `mfdef.h`.

mod answer;
mod command;
mod conversation;
mod field;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use conversation::ask;

/// Where the filter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Host and port.
    Inet(String),
    Unix(PathBuf),
}

/// The filter, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct Filter {
    pub place: Place,
    /// For the connection and for each answer.
    pub time: Duration,
    /// For everything about one message.
    pub whole_time: Duration,
}

/// How a message came in.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// Our own name.
    pub host_name: &'a str,
    /// Names the message in logs.
    pub id: &'a str,
    pub peer: IpAddr,
    /// The peer's name in DNS, if it is known to be right.
    pub peer_name: Option<&'a str>,
    pub helo: &'a str,
    /// Empty for the null reverse-path.
    pub reverse_path: String,
    pub recipients: Vec<String>,
}

/// What the filter wants done with the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Accept,
    /// Take it and throw it away.
    Discard,
    /// Refuse it with this reply: code, enhanced code if there is one, text.
    Refuse(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400 to 599.
    pub code: u16,
    /// Printable ASCII.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub action: Action,
    /// Header fields to put in front of the message, each with its line end.
    pub fields: String,
    /// Why it is to be set aside, if it is.
    pub quarantine: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the filter cannot be reached: {0}")]
    Connect(std::io::Error),
    #[error("the connection to the filter broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the filter does not speak the protocol: {0}")]
    Protocol(&'static str),
    #[error("the filter did not answer in time")]
    Timeout,
}

//! What the owner of the hub can choose.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a client may take nothing of what is written to it, or be silent in the middle of
    /// a command.
    pub command_time: Duration,
    /// Logged-in connections of one account at one time: a phone keeps one per watched mailbox,
    /// Thunderbird five.
    pub connections_per_account: usize,
    /// Failed log-ins on one connection before it is closed. They are slowed down as well.
    pub failed_logins: u32,
    /// How often a client in IDLE is told that all is well.
    pub idle_keep_alive: Duration,
    /// Silence before a logged-in connection is closed (RFC 9051 §5.4: at least 30 minutes).
    pub idle_time: Duration,
    /// Bytes of a command's lines after log-in, literals not counted.
    pub line_length: usize,
    /// Largest message that APPEND takes, in bytes.
    pub message_size: u64,
    /// Time between two words of a search that takes long (RFC 9585 §3).
    pub progress_time: Duration,
    /// Time for TLS and log-in.
    pub time_before_login: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            command_time: Duration::from_secs(5 * 60),
            connections_per_account: 50,
            failed_logins: 3,
            idle_keep_alive: Duration::from_secs(2 * 60),
            idle_time: Duration::from_secs(30 * 60),
            line_length: 64 << 10,
            message_size: 50 << 20,
            progress_time: Duration::from_secs(10),
            time_before_login: Duration::from_secs(60),
        }
    }
}

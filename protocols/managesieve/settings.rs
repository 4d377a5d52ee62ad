//! What the owner of the hub can choose.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a client may take nothing of what is written to it.
    pub command_time: Duration,
    /// Logged-in connections of one account at one time.
    pub connections_per_account: usize,
    /// Failed log-ins on one connection before it is closed. They are slowed down as well.
    pub failed_logins: u32,
    /// Silence before a logged-in connection is closed (RFC 5804 §1.2: at least 30 minutes).
    pub idle_time: Duration,
    /// Time for TLS and log-in.
    pub time_before_login: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            command_time: Duration::from_secs(5 * 60),
            connections_per_account: 50,
            failed_logins: 3,
            idle_time: Duration::from_secs(30 * 60),
            time_before_login: Duration::from_secs(60),
        }
    }
}

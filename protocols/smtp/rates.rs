//! How many messages one network, one sending domain and one account may bring. Whoever brings more
//! is put off with a reply that says until when, and is let in again by itself.
//!
//! Nothing here is for loopback and the owner's own networks: behind a proxy everybody has the
//! same address.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use hub_wire::Networks;
use hub_wire::limits::{AccountPlace, AccountPlaces, Buckets, Client, Rate, is_spared};

use crate::reply::Reply;

/// The numbers; 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateSettings {
    /// Networks of the hub's owner.
    pub spared: Networks,
    /// Messages from one IPv4 address or IPv6 /64 to the MX port, an hour.
    pub from_address: u32,
    /// Messages from one domain that has authenticated them, an hour.
    pub from_domain: u32,
    /// Logged-in connections of one account at a time; 0 would be none.
    pub connections_per_account: usize,
    /// Messages and recipients of one account, an hour and a day.
    pub messages_hourly: u32,
    pub messages_daily: u32,
    pub recipients_hourly: u32,
    pub recipients_daily: u32,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            spared: Networks::default(),
            from_address: 3_600,
            from_domain: 10_000,
            connections_per_account: 50,
            messages_hourly: 1_000,
            messages_daily: 5_000,
            recipients_hourly: 3_000,
            recipients_daily: 10_000,
        }
    }
}

/// The counts of all connections.
#[derive(Debug)]
pub struct Rates {
    spared: Networks,
    from_address: Option<Buckets>,
    from_domain: Option<Buckets>,
    connections: AccountPlaces<i64>,
    connections_per_account: usize,
    messages: [Option<Buckets>; 2],
    recipients: [Option<Buckets>; 2],
}

impl Rates {
    pub fn new(settings: &RateSettings) -> Self {
        let hourly = |events| Rate::per_hour(events).map(Buckets::new);
        let daily = |events| Rate::per_day(events).map(Buckets::new);
        Self {
            spared: settings.spared.clone(),
            from_address: hourly(settings.from_address),
            from_domain: hourly(settings.from_domain),
            connections: AccountPlaces::default(),
            connections_per_account: settings.connections_per_account,
            messages: [hourly(settings.messages_hourly), daily(settings.messages_daily)],
            recipients: [hourly(settings.recipients_hourly), daily(settings.recipients_daily)],
        }
    }

    /// True for those who are never limited.
    pub(crate) fn spare(&self, peer: IpAddr) -> bool {
        is_spared(&self.spared, peer)
    }

    /// At MAIL FROM on the MX port.
    pub(crate) fn message_from(&self, peer: IpAddr) -> Result<(), Reply> {
        self.take(peer, [&self.from_address], Client::from(peer), "messages from your network")
    }

    /// Before a message is delivered, for a domain that answers for it. A domain that only stands in
    /// MAIL FROM must not count: anybody could use up its share.
    pub(crate) fn message_of_domain(&self, peer: IpAddr, domain: &str) -> Result<(), Reply> {
        self.take(peer, [&self.from_domain], domain, "messages from your domain")
    }

    /// At log-in on the submission ports; the place is to be kept as long as the connection.
    pub(crate) fn connection_of_account(&self, account: i64) -> Result<AccountPlace<i64>, Reply> {
        self.connections.take(account, self.connections_per_account).ok_or(TOO_MANY_CONNECTIONS)
    }

    /// At MAIL FROM on the submission ports.
    pub(crate) fn message_of_account(&self, peer: IpAddr, account: i64) -> Result<(), Reply> {
        self.take(peer, self.messages.each_ref(), account, "messages from this account")
    }

    /// At RCPT TO there.
    pub(crate) fn recipient_of_account(&self, peer: IpAddr, account: i64) -> Result<(), Reply> {
        self.take(peer, self.recipients.each_ref(), account, "recipients of messages from this account")
    }

    fn take<const N: usize>(
        &self,
        peer: IpAddr,
        buckets: [&Option<Buckets>; N],
        who: impl Hash + Copy,
        what: &str,
    ) -> Result<(), Reply> {
        if self.spare(peer) {
            return Ok(());
        }
        for buckets in buckets.into_iter().flatten() {
            if let Err(wait) = buckets.take(who, 1) {
                return Err(too_many(what, buckets.rate(), wait));
            }
        }
        Ok(())
    }
}

/// RFC 4954 §6: not 535, at which programs ask their user for a new password.
const TOO_MANY_CONNECTIONS: Reply =
    Reply::new(454, "4.7.0", "There are too many connections of this account, try again later");

fn too_many(what: &str, rate: Rate, wait: Duration) -> Reply {
    let period = if rate.period > Duration::from_secs(3600) { "day" } else { "hour" };
    let minutes = wait.as_secs().div_ceil(60).max(1);
    let text = format!("Too many {what}, more than {} an {period}; try again in {minutes} min", rate.events);
    Reply::with(450, "4.7.1", text.replace("an day", "a day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn each_is_counted_alone_and_told_until_when() {
        let rates = Rates::new(&RateSettings {
            spared: Networks(hub_wire::Network::parse("198.51.100.0/24").into_iter().collect()),
            from_address: 2,
            from_domain: 1,
            connections_per_account: 1,
            messages_hourly: 3,
            messages_daily: 2,
            recipients_hourly: 1,
            recipients_daily: 0,
        });
        let stranger = ip("192.0.2.1");
        for _ in 0..2 {
            rates.message_from(stranger).expect("below the limit");
        }
        let reply = rates.message_from(stranger).expect_err("over it").to_string();
        assert_eq!(
            reply,
            "450 4.7.1 Too many messages from your network, more than 2 an hour; try again in 30 min"
        );
        rates.message_from(ip("192.0.2.2")).expect("another address");

        rates.message_of_domain(stranger, "far.test").expect("the first");
        assert!(rates.message_of_domain(stranger, "far.test").is_err());
        rates.message_of_domain(stranger, "near.test").expect("another domain");

        for _ in 0..2 {
            rates.message_of_account(stranger, 1).expect("below the limit");
        }
        let reply = rates.message_of_account(stranger, 1).expect_err("over it").to_string();
        assert!(reply.contains("more than 2 a day"), "{reply}");
        rates.message_of_account(stranger, 2).expect("another account");
        rates.recipient_of_account(stranger, 1).expect("the first");
        assert!(rates.recipient_of_account(stranger, 1).is_err());
    }

    #[test]
    fn an_account_has_so_many_connections() {
        let rates = Rates::new(&RateSettings { connections_per_account: 2, ..RateSettings::default() });
        let first = rates.connection_of_account(1).expect("the first");
        let _second = rates.connection_of_account(1).expect("the second");
        assert_eq!(rates.connection_of_account(1).expect_err("one too many").code, 454);
        let _other = rates.connection_of_account(2).expect("nobody else is concerned");
        drop(first);
        rates.connection_of_account(1).expect("a place became free");
    }

    #[test]
    fn loopback_and_own_networks_are_never_limited() {
        let rates = Rates::new(&RateSettings {
            spared: Networks(hub_wire::Network::parse("198.51.100.0/24").into_iter().collect()),
            from_address: 1,
            from_domain: 1,
            connections_per_account: 1,
            messages_hourly: 1,
            messages_daily: 1,
            recipients_hourly: 1,
            recipients_daily: 1,
        });
        for peer in ["127.0.0.1", "::1", "198.51.100.7"] {
            for _ in 0..1_000 {
                rates.message_from(ip(peer)).expect("never");
                rates.message_of_domain(ip(peer), "far.test").expect("never");
                rates.message_of_account(ip(peer), 1).expect("never");
                rates.recipient_of_account(ip(peer), 1).expect("never");
            }
        }
    }
}

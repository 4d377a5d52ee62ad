//! Settings against abuse: how much may come from one source.

use crate::network::Networks;
use crate::section::section;

section! {
    /// How much one network, one domain and one twin may bring. Whoever brings more is told to try again
    /// later, and when. The defaults are far above what people and lists do; 0 switches a limit off.
    /// Counts are kept in memory and begin anew with the server.
    pub struct Rates {
        /// Networks that are never limited or delayed: proxies in front of the hub, other mail servers of
        /// yours. This machine itself never is.
        spared_networks: Networks = Networks::default();
        /// New connections to one listener from one IPv4 address or IPv6 /64 network within a minute.
        connections_per_minute: u32 = 600;
        /// Messages from one such address to the port for other servers, an hour.
        messages_from_address: u32 = 3600;
        /// Messages that one domain answers for (by SPF or DKIM), an hour.
        messages_from_domain: u32 = 10_000;
        /// Messages that one twin sends, an hour and a day: a stolen password is worth less then.
        sent_per_hour: u32 = 1000;
        sent_per_day: u32 = 5000;
        /// Recipients of these messages, counted one by one.
        recipients_per_hour: u32 = 3000;
        recipients_per_day: u32 = 10_000;
    }
}

//! Published cases and hostile senders, against a name server on loopback.

mod arc;
mod dkim;
mod dmarc;
mod dnsbl;
mod hostile;
mod reports;
mod signing;
mod spf;
mod zone;

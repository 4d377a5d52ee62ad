//! Settings for lists of senders known for junk.

use crate::section::section;

section! {
    /// Lists of senders known for junk, kept by others in DNS (RFC 5782), such as "zen.spamhaus.org" for
    /// addresses and "dbl.spamhaus.org" for domains. None is asked by default: each has its own terms, and
    /// most do not answer public name servers. Private addresses, this machine and rates.spared_networks are
    /// never asked about. A list that fails, or that names everybody, has said nothing.
    pub struct Dnsbl {
        /// Lists of addresses: mail from whom they have is refused, with the reason that they give. Only the
        /// postmaster can still be written to.
        reject: Vec<String> = Vec::new(), "[\"zen.spamhaus.org\"]";
        /// The same, but being listed only speaks for Junk; X-Junk-Verdict names the list.
        mark: Vec<String> = Vec::new(), "[\"bl.spamcop.net\"]";
        /// Lists of domains, which are asked about those in HELO, in MAIL FROM and in From.
        reject_domains: Vec<String> = Vec::new(), "[\"dbl.spamhaus.org\"]";
        mark_domains: Vec<String> = Vec::new(), "[\"multi.surbl.org\"]";
    }
}

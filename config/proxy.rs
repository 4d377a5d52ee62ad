//! Settings for proxies in front of the hub.

use crate::network::Networks;
use crate::section::section;

section! {
    /// Proxies in front of the hub that say for whom they come (PROXY protocol, version 1 or 2: send-proxy
    /// of HAProxy, proxy_protocol of nginx and Traefik). For each listener of that name, the networks of its
    /// proxies: every connection from there must begin with the header, and the address that it names is
    /// the one that is counted, checked and logged. From elsewhere a header is not believed. These hosts
    /// themselves are never limited or delayed.
    pub struct Proxy {
        smtp: Networks = Networks::default();
        submission: Networks = Networks::default();
        submissions: Networks = Networks::default();
        lmtp: Networks = Networks::default();
        imap: Networks = Networks::default();
        imaps: Networks = Networks::default();
        managesieve: Networks = Networks::default();
        http: Networks = Networks::default();
        https: Networks = Networks::default();
    }
}

impl Proxy {
    /// Those of all listeners.
    pub fn all(&self) -> Networks {
        Networks(self.each().into_iter().flat_map(|(_, networks)| networks.0.clone()).collect())
    }

    /// Those of each, with its key.
    pub(crate) fn each(&self) -> [(&'static str, &Networks); 9] {
        let Self { smtp, submission, submissions, lmtp, imap, imaps, managesieve, http, https } = self;
        [
            ("proxy.smtp", smtp),
            ("proxy.submission", submission),
            ("proxy.submissions", submissions),
            ("proxy.lmtp", lmtp),
            ("proxy.imap", imap),
            ("proxy.imaps", imaps),
            ("proxy.managesieve", managesieve),
            ("proxy.http", http),
            ("proxy.https", https),
        ]
    }
}

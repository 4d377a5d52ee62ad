//! Settings for twins of other hubs.

use crate::section::section;

section! {
    /// Twins of other hubs.
    pub struct Twins {
        /// Port at which the hubs of other domains are asked who they are. Anything but 443 is for tests.
        port: u16 = 443;
        /// Ask hubs at addresses of private networks and of this machine, too. Off, because whoever names a
        /// domain could make this hub speak to what only this hub can reach.
        private_networks: bool = false;
    }
}

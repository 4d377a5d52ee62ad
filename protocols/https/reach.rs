//! Which addresses are asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Anywhere,
    /// Not to this machine and its neighbours: a stranger who names a host must not make the hub speak to what
    /// only the hub can reach (SSRF).
    PublicInternet,
}

impl Reach {
    pub(crate) fn has(self, ip: IpAddr) -> bool {
        match (self, ip.to_canonical()) {
            (Self::Anywhere, _) => true,
            (Self::PublicInternet, IpAddr::V4(ip)) => is_public_v4(ip),
            (Self::PublicInternet, IpAddr::V6(ip)) => is_public_v6(ip),
        }
    }
}

/// Not in the registry of RFC 6890 as something that is not globally reachable.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = match (a, b, c) {
        (0 | 10 | 127, ..) => true,
        // RFC 6598: behind a carrier's translator.
        (100, 64..=127, _) => true,
        (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        (192, 0, 0 | 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // RFC 7526: the way into 6to4.
        (192, 88, 99) => true,
        (224.., ..) => true,
        _ => false,
    };
    !is_special
}

/// Only 2000::/3 is given out; in it, what leads to an address of version 4 is judged by that.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    match segments {
        // RFC 6052: through a translator, to the address in the last 32 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // RFC 3056 (6to4).
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // RFC 4380 (Teredo), 3849 and 9637 (documentation), 2928 (protocol assignments).
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] => false,
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public() {
        for ip in [
            "192.0.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(Reach::PublicInternet.has(ip.parse().expect("an address")), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "3fff::1",
        ] {
            let ip: IpAddr = ip.parse().expect("an address");
            assert!(!Reach::PublicInternet.has(ip), "{ip}");
            assert!(Reach::Anywhere.has(ip), "{ip}");
        }
    }
}

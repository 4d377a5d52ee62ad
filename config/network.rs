//! Networks, as `ADDRESS/BITS`.

use std::fmt;
use std::net::IpAddr;

use toml::de::DeValue;

use crate::read::Setting;
use crate::value::{list, quoted};

/// The addresses that begin with the same bits (RFC 4632 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address. Bits behind the prefix must be zero:
    /// with others, a typing error is more likely than what the text says.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        let is_network = bits <= width && prefix(address, bits) == prefix(address, width);
        is_network.then_some(Self { address, bits })
    }

    /// The whole internet of its family.
    pub(crate) fn is_everything(&self) -> bool {
        self.bits == 0
    }

    /// An IPv4 address that came over an IPv6 socket counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && prefix(address, self.bits) == prefix(self.address, self.bits)
    }
}

/// The first bits of an address, the others zero.
fn prefix(address: IpAddr, bits: u8) -> u128 {
    let whole = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    whole & mask
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Several of them; none means nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

impl Networks {
    /// What never leaves the machine.
    pub fn loopback() -> Self {
        Self(["127.0.0.0/8", "::1/128"].iter().filter_map(|text| Network::parse(text)).collect())
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Setting for Networks {
    const EXPECTED: &'static str = "a list of networks such as [\"192.0.2.0/24\", \"2001:db8::/32\"]";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let network = |value: &DeValue<'_>| value.as_str().and_then(Network::parse).ok_or(None);
        value
            .as_array()
            .ok_or(None)?
            .iter()
            .map(|item| network(item.get_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn render(&self) -> Option<String> {
        Some(list(self.0.iter().map(|network| quoted(&network.to_string()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_networks_or_not() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::7"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
            ("::1/128", "::1", "::2"),
        ] {
            let parsed = Network::parse(network).expect(network);
            assert!(parsed.contains(inside.parse().expect(inside)), "{network} has {inside}");
            assert!(!parsed.contains(outside.parse().expect(outside)), "{network} has not {outside}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "/8", "10.0.0.0/33", "::/129", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "localhost"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_and_back(bits: u128, length in 0u8..=128) {
            let address = IpAddr::V6(prefix(IpAddr::V6(bits.into()), length).into());
            let network = Network { address, bits: length };
            assert_eq!(Network::parse(&network.to_string()), Some(network));
        }
    }
}

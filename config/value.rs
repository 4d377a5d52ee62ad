//! The kinds of values that settings have, and how each is written in the file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::read::Setting;

impl Setting for String {
    const EXPECTED: &'static str = "a text in quotation marks";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = value.as_str().ok_or(None)?;
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Some("it is empty or has a control character".to_owned()));
        }
        Ok(text.to_owned())
    }

    fn render(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path in quotation marks";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        String::read(value).map(Self::from)
    }

    fn render(&self) -> Option<String> {
        Some(quoted(&self.display().to_string()))
    }
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        T::read(value).map(Some)
    }

    fn render(&self) -> Option<String> {
        self.as_ref().and_then(T::render)
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of texts such as [\"example.org\"]";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_array().ok_or(None)?.iter().map(|item| String::read(item.get_ref())).collect()
    }

    fn render(&self) -> Option<String> {
        (!self.is_empty()).then(|| list(self.iter().map(|text| quoted(text))))
    }
}

macro_rules! integers {
    ($($type:ty, $expected:literal;)*) => { $(
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
                let number = integer(value).ok_or(None)?;
                Self::try_from(number).map_err(|_| None)
            }

            fn render(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )* };
}

integers! {
    u16, "a whole number from 0 to 65535";
    u32, "a whole number";
    usize, "a whole number";
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_bool().ok_or(None)
    }

    fn render(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = match value {
            DeValue::Integer(_) => return integer(value).map(|number| number as Self).ok_or(None),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(None),
        };
        text.parse().map_err(|_| None)
    }

    fn render(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl Setting for IpAddr {
    const EXPECTED: &'static str = "an IP address such as \"127.0.0.1\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or(None)
    }

    fn render(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Every address of the machine, IPv6 and IPv4: `*:25`.
    Any(u16),
    At(SocketAddr),
}

impl Endpoint {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*:") {
            Some(port) => port.parse().ok().map(Self::Any),
            None => text.parse().ok().map(Self::At),
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Self::Any(port) => port,
            Self::At(address) => address.port(),
        }
    }

    /// The addresses to bind, the first that works: `[::]` takes IPv4 connections too, but does not
    /// exist on a machine without IPv6.
    pub fn candidates(self) -> Vec<SocketAddr> {
        match self {
            Self::Any(port) => vec![
                SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
                SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
            ],
            Self::At(address) => vec![address],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(port) => write!(f, "*:{port}"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

/// The addresses of one kind of listener; none if it is switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(pub Vec<Endpoint>);

impl Setting for Endpoints {
    const EXPECTED: &'static str =
        "\"ADDRESS:PORT\" such as \"*:25\", \"127.0.0.1:25\" or \"[::1]:25\", or a list of them";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let endpoint = |value: &DeValue<'_>| value.as_str().and_then(Endpoint::parse).ok_or(None);
        match value {
            DeValue::Array(items) => {
                items.iter().map(|item| endpoint(item.get_ref())).collect::<Result<_, _>>().map(Self)
            }
            _ => endpoint(value).map(|endpoint| Self(vec![endpoint])),
        }
    }

    fn render(&self) -> Option<String> {
        Some(match self.0.as_slice() {
            [one] => quoted(&one.to_string()),
            many => list(many.iter().map(|endpoint| quoted(&endpoint.to_string()))),
        })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Size {
    /// Reads `50 MiB`, `2GB`, `1.5 GiB` or a bare number of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let factor = match unit {
            "" => 1,
            _ => SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
        };
        scaled(number, factor).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = SIZE_UNITS
            .iter()
            .find(|&&(_, factor)| self.0 >= factor && self.0.is_multiple_of(factor))
            .unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / factor)
    }
}

impl Setting for Size {
    const EXPECTED: &'static str = "a size such as \"50 MiB\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        match value {
            DeValue::Integer(_) => {
                integer(value).and_then(|bytes| u64::try_from(bytes).ok()).map(Self).ok_or(None)
            }
            _ => value.as_str().and_then(Self::parse).ok_or(None),
        }
    }

    fn render(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A twin's storage limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(pub Option<Size>);

impl Quota {
    /// Reads `unlimited` or a size.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Some(Self(None));
        }
        Size::parse(text).map(|size| Self(Some(size)))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(size) => size.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

impl Setting for Quota {
    const EXPECTED: &'static str = "\"unlimited\" or a size such as \"10 GiB\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        match value {
            DeValue::String(text) => Self::parse(text).ok_or(None),
            _ => Size::read(value).map(|size| Self(Some(size))),
        }
    }

    fn render(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

const TIME_UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Setting for Duration {
    const EXPECTED: &'static str = "a time with its unit such as \"30 s\", \"5 min\", \"2 h\" or \"7 d\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = value.as_str().ok_or(None)?;
        let (number, unit) = split_unit(text).ok_or(None)?;
        let &(_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or(None)?;
        scaled(number, factor).map(Self::from_millis).ok_or(None)
    }

    fn render(&self) -> Option<String> {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let (unit, factor) = TIME_UNITS
            .iter()
            .find(|&&(_, factor)| millis >= factor && millis.is_multiple_of(factor))
            .unwrap_or(&("ms", 1));
        Some(quoted(&format!("{} {unit}", millis / factor)))
    }
}

/// Where rows and small messages are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A `postgres://` URL.
    Postgres(String),
    /// A file in the data directory.
    Sqlite,
}

impl Database {
    /// Reads `sqlite` or a PostgreSQL URL.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "sqlite" {
            return Some(Self::Sqlite);
        }
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        is_url.then(|| Self::Postgres(text.to_owned()))
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres(_) => "Postgres(…)",
            Self::Sqlite => "Sqlite",
        })
    }
}

impl Setting for Database {
    const EXPECTED: &'static str = "\"sqlite\" or a URL \"postgres://user@host/name\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_str().and_then(Self::parse).ok_or(None)
    }

    fn render(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Postgres(url) => url,
            Self::Sqlite => "sqlite",
        }))
    }
}

/// A certificate chain and its private key, both PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Setting for Vec<CertificateFiles> {
    const EXPECTED: &'static str = "a list such as [{ chain = \"fullchain.pem\", key = \"privkey.pem\" }]";

    fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let files = |value: &DeValue<'_>| {
            let table = value.as_table().ok_or(None)?;
            if let Some(key) = table.keys().find(|key| !matches!(key.get_ref().as_ref(), "chain" | "key")) {
                return Err(Some(format!("`{}` is neither `chain` nor `key`", key.get_ref().escape_debug())));
            }
            let path = |name: &str| {
                let value = table.get(name).ok_or_else(|| Some(format!("`{name}` is missing")))?;
                PathBuf::read(value.get_ref())
            };
            Ok(CertificateFiles { chain: path("chain")?, key: path("key")? })
        };
        value.as_array().ok_or(None)?.iter().map(|item| files(item.get_ref())).collect()
    }

    fn render(&self) -> Option<String> {
        (!self.is_empty()).then(|| {
            list(self.iter().map(|files| {
                let (chain, key) = (files.chain.display().to_string(), files.key.display().to_string());
                format!("{{ chain = {}, key = {} }}", quoted(&chain), quoted(&key))
            }))
        })
    }
}

/// An enum written as one of a few words.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident, $expected:literal { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(concat!("expected ", $expected)),
                }
            }
        }

        impl Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn read(value: &DeValue<'_>) -> Result<Self, Option<String>> {
                value.as_str().and_then(|text| text.parse().ok()).ok_or(None)
            }

            fn render(&self) -> Option<String> {
                Some(quoted(self.as_str()))
            }
        }
    };
}

choice! {
    pub enum LogFormat, "\"text\" or \"json\"" {
        Json = "json",
        Text = "text",
    }
}

choice! {
    pub enum LogLevel, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

choice! {
    /// How a public authority is shown that a name leads here.
    pub enum AcmeChallenge, "\"any\", \"http-01\" or \"tls-alpn-01\"" {
        /// Both, in turn.
        Any = "any",
        /// A file, over plain HTTP (RFC 8555 §8.3).
        Http01 = "http-01",
        /// A certificate, over TLS (RFC 8737).
        TlsAlpn01 = "tls-alpn-01",
    }
}

choice! {
    /// What happens to mail while the content filter cannot be asked.
    pub enum MilterFailure, "\"accept\" or \"tempfail\"" {
        Accept = "accept",
        TempFail = "tempfail",
    }
}

choice! {
    /// Whether answers of the name server are validated.
    pub enum Dnssec, "\"auto\", \"on\" or \"off\"" {
        /// If the name server passes signatures on.
        Auto = "auto",
        /// Never.
        Off = "off",
        /// Always; what cannot be validated is not believed.
        On = "on",
    }
}

choice! {
    /// What other servers are told to do when they cannot check this hub's certificate.
    pub enum MtaSts, "\"enforce\", \"none\" or \"testing\"" {
        /// Keep the mail back.
        Enforce = "enforce",
        /// Forget the policy that was published before.
        None = "none",
        /// Bring the mail, and report.
        Testing = "testing",
    }
}

choice! {
    /// How the relay host is spoken to.
    pub enum RelayTls, "\"implicit\", \"starttls\" or \"none\"" {
        /// TLS from the first byte (port 465).
        Implicit = "implicit",
        /// Never TLS: only for a relay on the same machine.
        None = "none",
        /// STARTTLS, and no mail if it is not offered (port 587).
        StartTls = "starttls",
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// `1.5 GiB` → (`1.5`, `GiB`).
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start_matches(' ')))
}

fn scaled(number: f64, factor: u64) -> Option<u64> {
    let product = number * factor as f64;
    // Above 2^53 a float is not exact any more; no setting needs eight petabytes.
    (product >= 0.0 && product < (1u64 << 53) as f64).then_some(product.round() as u64)
}

/// A TOML basic string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(crate) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

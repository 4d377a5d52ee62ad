//! Header fields that WebDAV adds to HTTP, each read in one place.

pub(crate) use hub_content::{BadField, text};
use hyper::header::HeaderName;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, StatusCode, Uri, header};

use crate::path::{BadPath, Location};

/// RFC 4918 §10.2: `Depth = "Depth" ":" ("0" | "1" | "infinity")`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Zero,
    One,
    Infinity,
}

impl Depth {
    /// That of what is in a folder that has this one; `None` if that is not asked about.
    pub(crate) fn below(self) -> Option<Self> {
        match self {
            Self::Zero => None,
            Self::One => Some(Self::Zero),
            Self::Infinity => Some(Self::Infinity),
        }
    }
}

/// RFC 8144, and Microsoft's `Brief: t`, which Apple's programs send too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// `return=minimal`
    pub(crate) minimal: bool,
    /// `depth-noroot`
    pub(crate) without_root: bool,
}

pub(crate) fn named<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    text(headers, &HeaderName::from_static(name))
}

pub(crate) fn depth(headers: &HeaderMap) -> Result<Option<Depth>, BadField> {
    let Some(value) = named(headers, "depth") else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "0" => Ok(Some(Depth::Zero)),
        // `1,noroot` is Microsoft's, of before RFC 8144.
        "1" | "1,noroot" => Ok(Some(Depth::One)),
        "infinity" | "infinity,noroot" => Ok(Some(Depth::Infinity)),
        _ => Err(BadField("Depth is neither 0, 1 nor infinity")),
    }
}

/// RFC 4918 §10.6: `Overwrite = "Overwrite" ":" ("T" | "F")`; without it, T.
pub(crate) fn overwrite(headers: &HeaderMap) -> Result<bool, BadField> {
    match named(headers, "overwrite") {
        None | Some("T" | "t") => Ok(true),
        Some("F" | "f") => Ok(false),
        Some(_) => Err(BadField("Overwrite is neither T nor F")),
    }
}

/// RFC 4918 §10.7: `Timeout = "Timeout" ":" 1#("Second-" DAVTimeOutVal | "Infinite")`; the first that
/// is understood. In seconds.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<u32> {
    named(headers, "timeout")?.split(',').map(str::trim).find_map(|wish| {
        if wish.eq_ignore_ascii_case("infinite") {
            return Some(u32::MAX);
        }
        let seconds = wish.get(..7).filter(|word| word.eq_ignore_ascii_case("second-")).and(wish.get(7..))?;
        // More than fits in 32 bits is as good as for ever.
        let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| seconds.parse().unwrap_or(u32::MAX))
    })
}

pub(crate) fn prefer(headers: &HeaderMap) -> Prefer {
    let mut prefer = Prefer::default();
    for value in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
        for wish in value.split([',', ';']).map(|wish| wish.trim().to_ascii_lowercase()) {
            match wish.as_str() {
                "return=minimal" => prefer.minimal = true,
                "depth-noroot" => prefer.without_root = true,
                _ => {}
            }
        }
    }
    prefer.minimal |= named(headers, "brief").is_some_and(|value| value.eq_ignore_ascii_case("t"));
    prefer.without_root |=
        named(headers, "depth").is_some_and(|value| value.to_ascii_lowercase().ends_with(",noroot"));
    prefer
}

/// Why a Destination (or another reference) leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Malformed(&'static str),
    /// RFC 4918 §9.8.5: 502, this server does not write to others.
    OtherServer,
}

impl From<Elsewhere> for (StatusCode, &'static str) {
    fn from(why: Elsewhere) -> Self {
        match why {
            Elsewhere::Malformed(why) => (StatusCode::BAD_REQUEST, why),
            Elsewhere::OtherServer => (StatusCode::BAD_GATEWAY, "The destination is on another server."),
        }
    }
}

/// RFC 4918 §10.3: `Destination = "Destination" ":" Simple-ref`
pub(crate) fn destination(uri: &Uri, headers: &HeaderMap) -> Result<Location, Elsewhere> {
    let missing = Elsewhere::Malformed("There is no Destination, or it is not a URL.");
    let value = named(headers, "destination").ok_or(missing)?;
    reference(uri, headers, value)
}

/// `Simple-ref = absolute-URI | ( path-absolute [ "?" query ] )` (RFC 4918 §8.3)
///
/// The scheme is not compared: behind a proxy the client speaks https and we http.
pub(crate) fn reference(uri: &Uri, headers: &HeaderMap, value: &str) -> Result<Location, Elsewhere> {
    let malformed = Elsewhere::Malformed("A URL in a header field is malformed.");
    let path = match value.starts_with('/') {
        true => value,
        false => {
            let (scheme, rest) = value.split_once("://").ok_or(malformed)?;
            if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                return Err(Elsewhere::OtherServer);
            }
            let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            if !is_own(uri, headers, authority) {
                return Err(Elsewhere::OtherServer);
            }
            &rest[authority.len()..]
        }
    };
    if path.contains('#') {
        return Err(malformed);
    }
    let path = path.split('?').next().unwrap_or_default();
    Location::parse(if path.is_empty() { "/" } else { path }).map_err(|why| match why {
        BadPath::TooLong => Elsewhere::Malformed("A URL in a header field is too long."),
        BadPath::Malformed(why) => Elsewhere::Malformed(why),
    })
}

/// True for the host that the request itself was sent to.
fn is_own(uri: &Uri, headers: &HeaderMap, authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = || text(headers, &header::HOST)?.parse::<Authority>().ok();
    let own = uri.authority().cloned().or_else(host);
    // Ports of the scheme may be written or not.
    let port = |authority: &Authority| authority.port_u16().filter(|port| ![80, 443].contains(port));
    own.is_some_and(|own| own.host().eq_ignore_ascii_case(authority.host()) && port(&own) == port(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn depths() {
        for (value, expected) in [
            ("0", Ok(Some(Depth::Zero))),
            ("1", Ok(Some(Depth::One))),
            ("Infinity", Ok(Some(Depth::Infinity))),
            ("1,noroot", Ok(Some(Depth::One))),
        ] {
            assert_eq!(depth(&headers(&[("depth", value)])), expected, "{value}");
        }
        assert_eq!(depth(&HeaderMap::new()), Ok(None));
        for value in ["", "2", "-1", "infinite"] {
            assert!(depth(&headers(&[("depth", value)])).is_err(), "{value}");
        }
    }

    #[test]
    fn timeouts() {
        for (value, expected) in [
            ("Second-3600", Some(3600)),
            ("Infinite, Second-4100000000", Some(u32::MAX)),
            ("Extend, Second-60", Some(60)),
            ("Second-99999999999999", Some(u32::MAX)),
            ("Second-", None),
            ("Second-x", None),
            ("ü", None),
        ] {
            let map: HeaderMap = [(
                "timeout".parse().expect("a name"),
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            )]
            .into_iter()
            .collect();
            assert_eq!(timeout(&map), expected, "{value}");
        }
    }

    #[test]
    fn preferences() {
        let minimal = Prefer { minimal: true, ..Prefer::default() };
        assert_eq!(prefer(&headers(&[("prefer", "return=minimal")])), minimal);
        assert_eq!(prefer(&headers(&[("brief", "t")])), minimal);
        let both = prefer(&headers(&[("prefer", "depth-noroot; x=1, return=minimal")]));
        assert_eq!(both, Prefer { minimal: true, without_root: true });
        assert!(prefer(&headers(&[("depth", "1,noroot")])).without_root);
    }

    #[test]
    fn destinations() {
        let own = "/dav/files/a@a.test/";
        for (host, value, expected) in [
            ("a.test", "/dav/files/a@a.test/x", Ok(own)),
            ("a.test", "http://a.test/dav/files/a@a.test/x", Ok(own)),
            ("a.test", "HTTPS://A.test:443/dav/files/a@a.test/x", Ok(own)),
            ("a.test:2443", "https://a.test:2443/dav/files/a@a.test/x", Ok(own)),
            ("a.test:2443", "https://a.test/dav/files/a@a.test/x", Err(Elsewhere::OtherServer)),
            ("a.test", "https://b.test/dav/files/a@a.test/x", Err(Elsewhere::OtherServer)),
            ("a.test", "https://a.test@b.test/dav/files/a@a.test/x", Err(Elsewhere::OtherServer)),
            ("a.test", "ftp://a.test/dav/files/a@a.test/x", Err(Elsewhere::OtherServer)),
            ("a.test", "//b.test/dav/files/a@a.test/x", Ok("/b.test/dav/files/a@a.test/x/")),
        ] {
            let headers: HeaderMap = [(header::HOST, host.parse().expect("a host"))].into_iter().collect();
            let location = reference(&Uri::from_static("/x"), &headers, value);
            assert_eq!(
                location.as_ref().map(|location| location.base.as_str()),
                expected.as_ref().copied(),
                "{value}"
            );
        }
        let none = HeaderMap::new();
        for value in ["", "x", "/dav/../x", "/dav/files/a/%2e%2e/x", "/dav/files/a/x#y", "/dav/%zz"] {
            let answer = reference(&Uri::from_static("/x"), &none, value);
            assert!(matches!(answer, Err(Elsewhere::Malformed(_))), "{value}");
        }
    }
}

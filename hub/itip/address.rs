//! Calendar users: who is meant by an `ORGANIZER` or `ATTENDEE`.

use std::collections::BTreeSet;

use hub_ical::Property;

/// A calendar user address in the form in which it is compared: a mail address without `mailto:`, any
/// other URI as it is, all in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarUser(String);

impl CalendarUser {
    pub fn new(uri: &str) -> Self {
        let uri = uri.trim();
        let is_mail = uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        let address = if is_mail { &uri[7..] } else { uri };
        Self(address.trim().to_lowercase())
    }

    /// Of a mail address; `None` for other URIs.
    pub fn mail(&self) -> Option<&str> {
        let is_mail = self.0.contains('@') && !self.0.contains([':', '/', '<', '>']);
        is_mail.then_some(&self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn uri(&self) -> String {
        match self.mail() {
            Some(mail) => format!("mailto:{mail}"),
            None => self.0.clone(),
        }
    }
}

/// Who a property means. Of addresses that only one server understands, the mail address beside them
/// (RFC 7986 §6.2, and iCloud's `EMAIL` before that) is taken.
pub(crate) fn user(property: &Property<'_>) -> CalendarUser {
    let user = CalendarUser::new(property.value);
    match property.parameter("EMAIL") {
        Some(mail) if user.mail().is_none() => CalendarUser::new(&mail),
        _ => user,
    }
}

/// Every address of one calendar user.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    own: BTreeSet<CalendarUser>,
    /// Of others, though they look like one of these with a `+detail`.
    others: BTreeSet<CalendarUser>,
}

impl Owner {
    /// Without addresses of others.
    pub fn except<A: AsRef<str>>(mut self, others: impl IntoIterator<Item = A>) -> Self {
        self.others = others.into_iter().map(|address| CalendarUser::new(address.as_ref())).collect();
        self
    }

    pub fn has(&self, user: &CalendarUser) -> bool {
        let plain = || {
            let (local, domain) = user.mail()?.rsplit_once('@')?;
            let (plain, _) = local.split_once('+').filter(|(plain, _)| !plain.is_empty())?;
            Some(CalendarUser(format!("{plain}@{domain}")))
        };
        self.own.contains(user)
            || plain().is_some_and(|plain| self.own.contains(&plain)) && !self.others.contains(user)
    }
}

impl<A: AsRef<str>> FromIterator<A> for Owner {
    fn from_iter<I: IntoIterator<Item = A>>(addresses: I) -> Self {
        let own = addresses.into_iter().map(|address| CalendarUser::new(address.as_ref())).collect();
        Self { own, others: BTreeSet::new() }
    }
}

/// Addresses with a `+detail` that a text names, in lower case.
pub fn with_detail(text: &[u8]) -> Vec<String> {
    const ENDS: [char; 8] = [':', ';', ',', '"', '<', '>', '\r', '\n'];
    let text = String::from_utf8_lossy(text).replace("\r\n ", "").replace("\n ", "");
    // What is between two of these is an address, or none.
    let words = text.split(|c: char| ENDS.contains(&c) || c.is_whitespace());
    let has_detail = |word: &&str| {
        word.split_once('+').is_some_and(|(plain, rest)| !plain.is_empty() && rest.contains('@'))
    };
    words.filter(has_detail).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let owner: Owner = ["alice@example.org", "/principals/Alice/"].into_iter().collect();
        for (address, is) in [
            ("mailto:Alice@Example.ORG", true),
            ("MAILTO: alice@example.org", true),
            ("mailto:alice+x@example.org", true),
            ("/principals/alice/", true),
            ("mailto:bob@example.org", false),
            ("mailto:+alice@example.org", false),
            ("", false),
        ] {
            assert_eq!(owner.has(&CalendarUser::new(address)), is, "{address}");
        }
        let owner = owner.except(["alice+x@example.org", "alice@example.org"]);
        assert!(!owner.has(&CalendarUser::new("alice+X@example.org")), "somebody else's");
        assert!(owner.has(&CalendarUser::new("alice+y@example.org")));
        assert!(owner.has(&CalendarUser::new("alice@example.org")), "what is its own stays so");
        assert_eq!(CalendarUser::new("mailto:a@b").mail(), Some("a@b"));
        assert_eq!(CalendarUser::new("urn:uuid:x@y").mail(), None);
        let text = b"TZOFFSETTO:+0100\r\nATTENDEE;EMAIL=\"A+b@x\":mailto:c+d\r\n @y\r\nX:+@z\r\n";
        assert_eq!(with_detail(text), ["a+b@x", "c+d@y"]);
        let property = Property::parse("ATTENDEE;EMAIL=a@b:urn:uuid:1").expect("one");
        assert_eq!(user(&property).mail(), Some("a@b"));
    }
}

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
pub struct Owner(BTreeSet<CalendarUser>);

impl Owner {
    pub fn has(&self, user: &CalendarUser) -> bool {
        let plain = || {
            let (local, domain) = user.mail()?.rsplit_once('@')?;
            let (plain, _) = local.split_once('+').filter(|(plain, _)| !plain.is_empty())?;
            Some(CalendarUser(format!("{plain}@{domain}")))
        };
        self.0.contains(user) || plain().is_some_and(|plain| self.0.contains(&plain))
    }
}

impl<A: AsRef<str>> FromIterator<A> for Owner {
    fn from_iter<I: IntoIterator<Item = A>>(addresses: I) -> Self {
        Self(addresses.into_iter().map(|address| CalendarUser::new(address.as_ref())).collect())
    }
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
        assert_eq!(CalendarUser::new("mailto:a@b").mail(), Some("a@b"));
        assert_eq!(CalendarUser::new("urn:uuid:x@y").mail(), None);
        let property = Property::parse("ATTENDEE;EMAIL=a@b:urn:uuid:1").expect("one");
        assert_eq!(user(&property).mail(), Some("a@b"));
    }
}

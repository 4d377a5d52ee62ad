//! Who approves: every approval is sent with address and password, so it is checked like a log-in.

use std::time::Duration;

use hub::{Error, Secret};
use hyper::header::{HeaderMap, ORIGIN};
use tracing::info;

use crate::Call;
use crate::form::Form;

/// What somebody gave to prove who they are.
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) password: Secret,
}

impl Login {
    pub(crate) fn of(form: &Form) -> Self {
        let field = |name| form.get(name).unwrap_or_default();
        Self { name: field("login").trim().to_owned(), password: Secret::new(field("password")) }
    }
}

impl Call<'_> {
    /// The price of earlier failures, as at every other door.
    pub(crate) async fn wait_for_failures(&self, login: &str) {
        let delays = &self.service.delays;
        let of_account = if login.is_empty() { Duration::ZERO } else { delays.account_delay(login) };
        tokio::time::sleep(delays.delay(self.client.address.ip()).max(of_account)).await;
    }

    /// Counts how a log-in ended.
    pub(crate) fn count<T>(&self, login: &str, outcome: &hub::Result<T>) {
        let (delays, ip) = (&self.service.delays, self.client.address.ip());
        match outcome {
            Ok(_) => {
                delays.succeeded(ip);
                delays.account_succeeded(login);
            }
            Err(Error::BadCredentials) => {
                info!(conn = self.client.conn, peer = %ip, login, "sign-in failed");
                delays.failed(ip);
                delays.account_failed(login);
            }
            Err(_) => {}
        }
    }

    /// A form that a page of somebody else's has sent (CSRF). It would need the password all the same.
    pub(crate) fn is_foreign(&self) -> bool {
        is_foreign(&self.head.headers, &self.origin)
    }
}

/// Browsers say where a form comes from; other programs do not.
fn is_foreign(headers: &HeaderMap, own: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    text(ORIGIN.as_str()).is_some_and(|origin| !origin.eq_ignore_ascii_case(own))
        || text("sec-fetch-site").is_some_and(|site| site != "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn forms_of_other_pages() {
        for (fields, foreign) in [
            (&[][..], false),
            (&[("origin", "https://hub.test")][..], false),
            (&[("origin", "https://hub.test"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "null")], true),
            (&[("origin", "https://hub.test.evil.test")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("origin", "https://hub.test"), ("sec-fetch-site", "none")], true),
        ] {
            let field = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let headers: HeaderMap = fields.iter().map(field).collect();
            assert_eq!(is_foreign(&headers, "https://hub.test"), foreign, "{fields:?}");
        }
    }
}

//! Who approves: every approval is sent with address and password, so it is checked like a log-in.

use hub::{Error, Secret};
use hub_wire::http_login::attempt;
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
    /// Checks a log-in, with the price of earlier failures, as at every other door.
    pub(crate) async fn attempt<T>(
        &self,
        login: &str,
        check: impl Future<Output = hub::Result<T>>,
    ) -> hub::Result<T> {
        let is_wrong = |error: &Error| matches!(error, Error::BadCredentials);
        let outcome = attempt(&self.service.delays, self.client, login, is_wrong, check).await;
        if matches!(outcome, Err(Error::BadCredentials)) {
            info!(conn = self.client.conn, peer = %self.client.address.ip(), login, "sign-in failed");
        }
        outcome
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

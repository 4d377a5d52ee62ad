//! Why there is no certificate.

use instant_acme::{Identifier, Problem};

use super::schedule::Gravity;

#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the authority: {}", causes(.0))]
    Authority(instant_acme::Error),
    #[error(transparent)]
    Here(#[from] crate::Error),
    /// Names that the authority could not see or does not vouch for, and what it said of each.
    #[error("the authority does not vouch for {}", each(.0))]
    Names(Vec<(String, String)>),
    #[error("the authority did not answer in time")]
    Timeout,
}

/// RFC 8555 §6.7.1: an authority that minds some names says which.
impl From<instant_acme::Error> for Trouble {
    fn from(error: instant_acme::Error) -> Self {
        let instant_acme::Error::Api(problem) = &error else { return Self::Authority(error) };
        let of_name = |sub: &instant_acme::Subproblem| match &sub.identifier {
            Some(Identifier::Dns(name)) => Some((name.clone(), sub.detail.clone().unwrap_or_default())),
            _ => None,
        };
        let names: Vec<_> = problem.subproblems.iter().filter_map(of_name).collect();
        if names.is_empty() { Self::Authority(error) } else { Self::Names(names) }
    }
}

impl From<rcgen::Error> for Trouble {
    fn from(error: rcgen::Error) -> Self {
        Self::Here(error.into())
    }
}

impl Trouble {
    /// RFC 8555 §7.3.3: the authority has lost the account, as staging ones do.
    pub(super) fn is_unknown_account(&self) -> bool {
        self.has_type("accountDoesNotExist")
    }

    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::Authority(instant_acme::Error::Api(_)) if self.has_type("rateLimited") => {
                Gravity::RateLimited
            }
            Self::Authority(instant_acme::Error::Api(_)) | Self::Names(_) => Gravity::Refused,
            Self::Authority(_) | Self::Here(_) | Self::Timeout => Gravity::Unreachable,
        }
    }

    /// RFC 8555 §6.7.
    fn has_type(&self, kind: &str) -> bool {
        match self {
            Self::Authority(instant_acme::Error::Api(Problem { r#type: Some(found), .. })) => {
                found.strip_prefix("urn:ietf:params:acme:error:") == Some(kind)
            }
            _ => false,
        }
    }
}

/// An error and what caused it, each once: some tell their cause themselves.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn each(names: &[(String, String)]) -> String {
    let said: Vec<String> = names.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    said.join(", ")
}

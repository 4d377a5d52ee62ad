//! Authorization codes (RFC 6749 §4.1): what a browser carries from the hub to a program, worth nothing
//! without the secret that the program has kept (RFC 7636).

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::grants::Given;
use crate::{AccountId, Error, Result, password};

/// Seconds for which a code is good: a browser needs one.
const CODE_LIFE: i64 = 60;
/// Seconds for which it is remembered that it was used.
const REMEMBERED: i64 = 600;
/// Codes at most.
const CODES: usize = 10_000;

/// `code_challenge` by S256 (RFC 7636 §4.2). `plain` is not offered (RFC 9700 §2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// `BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))`, which has 43 characters.
    pub fn parse(text: &str) -> Option<Self> {
        let hash = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        (hash.len() == 32).then(|| Self(text.to_owned()))
    }

    /// `code-verifier = 43*128unreserved` (RFC 7636 §4.1).
    fn is_met_by(&self, verifier: &str) -> bool {
        let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
            return false;
        }
        let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        password::same_hash(hash.as_bytes(), self.0.as_bytes())
    }
}

pub(super) struct Code {
    given: Given,
    redirect_uri: String,
    challenge: Challenge,
    made_at: i64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Fresh,
    /// Its tokens are being made.
    Taken,
    /// It came again meanwhile.
    Replayed,
    /// For this grant.
    Spent(i64),
}

impl Code {
    pub(super) fn new(given: Given, redirect_uri: String, challenge: Challenge, now: i64) -> Self {
        Self { given, redirect_uri, challenge, made_at: now, state: State::Fresh }
    }
}

/// By the codes' hashes.
#[derive(Default)]
pub(super) struct Codes(HashMap<[u8; 32], Code>);

impl Codes {
    pub(super) fn add(&mut self, hash: [u8; 32], code: Code, now: i64) -> Result<()> {
        if self.0.len() >= CODES {
            self.0.retain(|_, code| now < code.made_at + REMEMBERED);
            if self.0.len() >= CODES {
                return Err(Error::Limit("codes that wait for programs"));
            }
        }
        self.0.insert(hash, code);
        Ok(())
    }

    pub(super) fn forget(&mut self, account: AccountId) {
        self.0.retain(|_, code| code.given.account != account);
    }

    /// What the code is good for. If it is good for nothing any more because it was used before: the grant
    /// that came of it. Whoever tries with the wrong secret has used it up, too.
    pub(super) fn take(
        &mut self,
        hash: &[u8; 32],
        (client, redirect_uri, verifier): (&str, Option<&str>, &str),
        now: i64,
    ) -> Result<Given, Option<(AccountId, i64)>> {
        let code = self.0.get_mut(hash).ok_or(None)?;
        match code.state {
            State::Fresh => {}
            State::Taken | State::Replayed => {
                code.state = State::Replayed;
                return Err(None);
            }
            State::Spent(grant) => return Err(Some((code.given.account, grant))),
        }
        code.state = State::Taken;
        let fits = code.given.client == client
            && redirect_uri.is_none_or(|uri| uri == code.redirect_uri)
            && code.challenge.is_met_by(verifier)
            && now < code.made_at + CODE_LIFE;
        if fits { Ok(code.given.clone()) } else { Err(None) }
    }

    /// Its tokens are made. False if they must be taken back.
    pub(super) fn spent(&mut self, hash: &[u8; 32], grant: i64) -> bool {
        match self.0.get_mut(hash) {
            Some(code) if matches!(code.state, State::Taken) => {
                code.state = State::Spent(grant);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scopes;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn code() -> Code {
        let given = Given {
            account: AccountId(1),
            client: "c".into(),
            client_name: "C".into(),
            scopes: Scopes::MAIL_READ,
        };
        Code::new(given, "https://a.test/".into(), Challenge::parse(CHALLENGE).expect("one"), 1000)
    }

    #[test]
    fn rfc7636_b() {
        let challenge = Challenge::parse(CHALLENGE).expect("one");
        assert!(challenge.is_met_by(VERIFIER));
        for wrong in ["", CHALLENGE, &VERIFIER[1..], &VERIFIER.replace('d', " "), &"a".repeat(129)] {
            assert!(!challenge.is_met_by(wrong), "{wrong}");
        }
        for wrong in ["", "plain", &CHALLENGE[1..], VERIFIER.replace('d', "+").as_str()] {
            assert!(Challenge::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_code_fits_one_program_for_a_minute() {
        let right = ("c", Some("https://a.test/"), VERIFIER);
        for (question, now, expected) in [
            (right, 1000, true),
            (("c", None, VERIFIER), 1000 + CODE_LIFE - 1, true),
            (right, 1000 + CODE_LIFE, false),
            (("d", right.1, VERIFIER), 1000, false),
            (("c", Some("https://b.test/"), VERIFIER), 1000, false),
            (("c", right.1, CHALLENGE), 1000, false),
        ] {
            let mut codes = Codes::default();
            codes.add([1; 32], code(), 1000).expect("room");
            assert!(codes.take(&[2; 32], question, now).is_err(), "another code");
            assert_eq!(codes.take(&[1; 32], question, now).is_ok(), expected, "{question:?} at {now}");
        }
    }

    #[test]
    fn a_code_that_comes_twice_costs_the_grant() {
        let right = ("c", None, VERIFIER);
        let mut codes = Codes::default();
        codes.add([1; 32], code(), 1000).expect("room");
        assert!(codes.take(&[1; 32], right, 1000).is_ok());
        assert!(codes.spent(&[1; 32], 7));
        assert_eq!(codes.take(&[1; 32], right, 1000).expect_err("used"), Some((AccountId(1), 7)));

        codes.add([2; 32], code(), 1000).expect("room");
        assert!(codes.take(&[2; 32], right, 1000).is_ok());
        assert_eq!(codes.take(&[2; 32], right, 1000).expect_err("used"), None);
        assert!(!codes.spent(&[2; 32], 7), "it came again meanwhile");
    }

    #[test]
    fn codes_are_limited() {
        let mut codes = Codes::default();
        for n in 0..CODES {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            codes.add(hash, code(), 1000).expect("room");
        }
        assert!(codes.add([1; 32], code(), 1000).is_err());
        codes.add([1; 32], code(), 1000 + REMEMBERED).expect("old ones give way");
        assert_eq!(codes.0.len(), 1);
    }
}

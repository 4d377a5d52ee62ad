//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), without channel binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::sasl::Step;

pub(crate) struct Scram {
    state: State,
    /// Fixed in tests, otherwise made when it is needed.
    server_nonce: Option<String>,
}

enum State {
    ClientFirst,
    Credentials(First),
    ClientFinal {
        first: First,
        server_first: String,
        stored_key: [u8; 32],
        server_key: [u8; 32],
    },
    /// RFC 5802 §5: the client has yet to check our signature; its empty answer says it did.
    Acknowledge {
        login: String,
    },
    Over,
}

/// What the client-first-message said.
struct First {
    gs2_header: String,
    bare: String,
    login: String,
    /// The client's nonce followed by ours.
    nonce: String,
}

impl Scram {
    pub(crate) fn new() -> Self {
        Self { state: State::ClientFirst, server_nonce: None }
    }

    pub(crate) fn respond(&mut self, response: &[u8]) -> Step {
        let result = match std::mem::replace(&mut self.state, State::Over) {
            State::ClientFirst => self.client_first(response),
            State::ClientFinal { first, server_first, stored_key, server_key } => {
                client_final(response, first, &server_first, &stored_key, &server_key).map(
                    |(login, server_final)| {
                        self.state = State::Acknowledge { login };
                        Step::Challenge(server_final)
                    },
                )
            }
            State::Acknowledge { login } if response.is_empty() => Ok(Step::Proven { login }),
            State::Acknowledge { .. } => Err("the last SCRAM response must be empty"),
            State::Credentials(_) | State::Over => Err("the SCRAM exchange is over"),
        };
        result.unwrap_or_else(Step::Failed)
    }

    fn client_first(&mut self, message: &[u8]) -> Result<Step, &'static str> {
        let server_nonce = match self.server_nonce.take() {
            Some(nonce) => nonce,
            None => random_nonce()?,
        };
        let first = parse_client_first(message, &server_nonce)?;
        let login = first.login.clone();
        self.state = State::Credentials(first);
        Ok(Step::NeedScram { login })
    }

    pub(crate) fn credentials(
        &mut self,
        salt: &[u8],
        iterations: u32,
        stored_key: [u8; 32],
        server_key: [u8; 32],
    ) -> Step {
        let State::Credentials(first) = std::mem::replace(&mut self.state, State::Over) else {
            return Step::Failed("the SCRAM exchange did not ask for credentials");
        };
        let server_first = format!("r={},s={},i={iterations}", first.nonce, BASE64.encode(salt));
        let challenge = server_first.clone().into_bytes();
        self.state = State::ClientFinal { first, server_first, stored_key, server_key };
        Step::Challenge(challenge)
    }
}

/// `client-first-message = gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username "," nonce
/// ["," extensions]`
fn parse_client_first(message: &[u8], server_nonce: &str) -> Result<First, &'static str> {
    let message = std::str::from_utf8(message).map_err(|_| "the SCRAM message is not UTF-8")?;
    let (flag, rest) = message.split_once(',').ok_or(MALFORMED)?;
    match flag {
        // "y": the client could bind, but saw that no -PLUS mechanism was announced; none was.
        "n" | "y" => {}
        _ if flag.starts_with("p=") => return Err("channel binding is not offered"),
        _ => return Err(MALFORMED),
    }
    let (authzid, bare) = rest.split_once(',').ok_or(MALFORMED)?;
    let mut fields = bare.split(',');
    let name = fields.next().unwrap_or_default();
    if name.starts_with("m=") {
        // RFC 5802 §5.1: an unknown mandatory extension must fail the exchange.
        return Err("the client demands a SCRAM extension that does not exist");
    }
    let login = saslname(name.strip_prefix("n=").ok_or(MALFORMED)?)?;
    let client_nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(MALFORMED)?;
    // printable = %x21-2B / %x2D-7E
    if client_nonce.is_empty() || !client_nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(MALFORMED);
    }
    if !authzid.is_empty() && saslname(authzid.strip_prefix("a=").ok_or(MALFORMED)?)? != login {
        return Err("acting as somebody else is not offered");
    }
    Ok(First {
        gs2_header: format!("{flag},{authzid},"),
        bare: bare.to_owned(),
        login,
        nonce: format!("{client_nonce}{server_nonce}"),
    })
}

/// `client-final-message = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64`; returns the
/// login and the server-final-message.
fn client_final(
    message: &[u8],
    first: First,
    server_first: &str,
    stored_key: &[u8; 32],
    server_key: &[u8; 32],
) -> Result<(String, Vec<u8>), &'static str> {
    let message = std::str::from_utf8(message).map_err(|_| "the SCRAM message is not UTF-8")?;
    let (without_proof, proof) = message.rsplit_once(",p=").ok_or(MALFORMED)?;
    let mut fields = without_proof.split(',');
    let binding = fields.next().and_then(|field| field.strip_prefix("c=")).ok_or(MALFORMED)?;
    let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(MALFORMED)?;
    // A differing header means that somebody changed the first message on its way (RFC 5802 §6).
    if BASE64.decode(binding).map_err(|_| MALFORMED)? != first.gs2_header.as_bytes() {
        return Err("the SCRAM channel binding data do not match");
    }
    if nonce != first.nonce {
        return Err("the SCRAM nonce does not match");
    }
    let proof: [u8; 32] =
        BASE64.decode(proof).map_err(|_| MALFORMED)?.try_into().map_err(|_| "wrong password")?;

    let auth_message = format!("{},{server_first},{without_proof}", first.bare);
    let client_signature = hmac_sha256(stored_key, auth_message.as_bytes());
    let mut client_key = proof;
    for (byte, mask) in client_key.iter_mut().zip(client_signature) {
        *byte ^= mask;
    }
    let is_right: bool = Sha256::digest(client_key).as_slice().ct_eq(stored_key).into();
    if !is_right {
        return Err("wrong password");
    }
    let signature = hmac_sha256(server_key, auth_message.as_bytes());
    Ok((first.login, format!("v={}", BASE64.encode(signature)).into_bytes()))
}

/// `saslname`: "," and "=" are written `=2C` and `=3D`; any other `=` is an error (RFC 5802 §5.1).
fn saslname(text: &str) -> Result<String, &'static str> {
    let mut pieces = text.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => {
                name.push(',');
                rest
            }
            (_, Some(rest)) => {
                name.push('=');
                rest
            }
            _ => return Err(MALFORMED),
        };
        name.push_str(rest);
    }
    if name.is_empty() || name.contains('\0') {
        return Err(MALFORMED);
    }
    Ok(name)
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// 24 characters from 144 random bits; base64 has no comma.
fn random_nonce() -> Result<String, &'static str> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).map_err(|_| "the system gives no random numbers")?;
    Ok(BASE64.encode(bytes))
}

const MALFORMED: &str = "malformed SCRAM message";

#[cfg(test)]
mod tests {
    use super::*;
    use pbkdf2::pbkdf2_hmac;

    struct Credentials {
        salt: Vec<u8>,
        iterations: u32,
        stored_key: [u8; 32],
        server_key: [u8; 32],
        client_key: [u8; 32],
    }

    fn credentials(password: &str, salt: &[u8], iterations: u32) -> Credentials {
        let mut salted = [0; 32];
        pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
        let client_key = hmac_sha256(&salted, b"Client Key");
        Credentials {
            salt: salt.to_vec(),
            iterations,
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac_sha256(&salted, b"Server Key"),
            client_key,
        }
    }

    fn exchange(first: &str, credentials: &Credentials, server_nonce: &str) -> (Scram, Step) {
        let mut scram = Scram { state: State::ClientFirst, server_nonce: Some(server_nonce.into()) };
        let step = scram.respond(first.as_bytes());
        if !matches!(step, Step::NeedScram { .. }) {
            return (scram, step);
        }
        let Credentials { salt, iterations, stored_key, server_key, .. } = credentials;
        let step = scram.credentials(salt, *iterations, *stored_key, *server_key);
        (scram, step)
    }

    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn pencil() -> Credentials {
        credentials("pencil", &BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64"), 4096)
    }

    #[test]
    fn rfc7677_section_3_example() {
        let (mut scram, step) = exchange(FIRST, &pencil(), NONCE);
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert!(step == Step::Challenge(server_first.into()));
        let server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert!(scram.respond(FINAL.as_bytes()) == Step::Challenge(server_final.into()));
        assert!(scram.respond(b"") == Step::Proven { login: "user".into() });
        assert!(matches!(scram.respond(b""), Step::Failed(_)));
    }

    #[test]
    fn wrong_or_changed_final_messages_fail() {
        for (message, why) in [
            (FINAL.replace("dHzb", "dHzc"), "wrong password"),
            (FINAL.replace("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "p=AAAA"), "wrong password"),
            (FINAL.replace("c=biws", "c=eSws"), "the SCRAM channel binding data do not match"),
            (FINAL.replace("$k0", "$k1"), "the SCRAM nonce does not match"),
            (FINAL.replace(",p=", ",q="), MALFORMED),
            (FINAL.replace("c=", "d="), MALFORMED),
            (String::new(), MALFORMED),
        ] {
            let (mut scram, _) = exchange(FIRST, &pencil(), NONCE);
            assert!(scram.respond(message.as_bytes()) == Step::Failed(why), "{message}");
            assert!(matches!(scram.respond(b""), Step::Failed(_)), "no second chance");
        }
        let (mut scram, _) = exchange(FIRST, &credentials("pencils", b"salt", 4096), NONCE);
        assert!(scram.respond(FINAL.as_bytes()) == Step::Failed("wrong password"));
    }

    #[test]
    fn the_acknowledgement_must_be_empty() {
        let (mut scram, _) = exchange(FIRST, &pencil(), NONCE);
        assert!(matches!(scram.respond(FINAL.as_bytes()), Step::Challenge(_)));
        assert!(matches!(scram.respond(b"x"), Step::Failed(_)));
    }

    #[test]
    fn first_messages() {
        for (message, expected) in [
            ("n,,n=user,r=abc", Ok("user")),
            ("y,,n=user,r=abc", Ok("user")),
            ("n,a=user,n=user,r=abc", Ok("user")),
            ("n,,n=a=2Cb=3Dc,r=abc", Ok("a,b=c")),
            ("n,,n=user@例子.测试,r=abc,x=later", Ok("user@例子.测试")),
            ("n,a=root,n=user,r=abc", Err("acting as somebody else is not offered")),
            ("p=tls-exporter,,n=user,r=abc", Err("channel binding is not offered")),
            ("n,,m=ext,n=user,r=abc", Err("the client demands a SCRAM extension that does not exist")),
            ("n,,n=a=2cb,r=abc", Err(MALFORMED)),
            ("n,,n=a=,r=abc", Err(MALFORMED)),
            ("n,,n=,r=abc", Err(MALFORMED)),
            ("n,,n=user,r=", Err(MALFORMED)),
            ("n,,n=user,r=a b", Err(MALFORMED)),
            ("n,,n=user", Err(MALFORMED)),
            ("x,,n=user,r=abc", Err(MALFORMED)),
            ("n", Err(MALFORMED)),
            ("", Err(MALFORMED)),
        ] {
            let step = Scram::new().respond(message.as_bytes());
            match expected {
                Ok(login) => assert!(step == Step::NeedScram { login: login.into() }, "{message}: {step:?}"),
                Err(why) => assert!(step == Step::Failed(why), "{message}: {step:?}"),
            }
        }
    }

    /// A client of our own, with another password, salt and the "y" flag.
    #[test]
    fn a_fresh_exchange_with_random_nonces_succeeds() {
        let keys = credentials("correct horse", b"0123456789abcdef", 4096);
        let bare = "n=alice@example.org,r=clientnonce";
        let mut scram = Scram::new();
        assert!(matches!(scram.respond(format!("y,,{bare}").as_bytes()), Step::NeedScram { .. }));
        let step = scram.credentials(&keys.salt, keys.iterations, keys.stored_key, keys.server_key);
        let Step::Challenge(server_first) = step else { panic!("{step:?}") };
        let server_first = String::from_utf8(server_first).expect("text");
        let nonce = server_first.split(',').next().and_then(|f| f.strip_prefix("r=")).expect("nonce");
        assert_eq!(nonce.len(), "clientnonce".len() + 24);
        let without_proof = format!("c={},r={nonce}", BASE64.encode("y,,"));
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let signature = hmac_sha256(&keys.stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = keys.client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let last = format!("{without_proof},p={}", BASE64.encode(proof));
        let expected = format!("v={}", BASE64.encode(hmac_sha256(&keys.server_key, auth_message.as_bytes())));
        assert!(scram.respond(last.as_bytes()) == Step::Challenge(expected.into_bytes()));
        assert!(scram.respond(b"") == Step::Proven { login: "alice@example.org".into() });
    }
}

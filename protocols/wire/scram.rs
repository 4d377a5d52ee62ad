//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677, RFC 9266).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::sasl::{ChannelBinding, Step};

pub(crate) struct Scram {
    state: State,
    binding: Binding,
    /// Fixed in tests, otherwise made when it is needed.
    server_nonce: Option<String>,
}

/// The TLS connection that an exchange can be bound to.
pub(crate) enum Binding {
    /// -PLUS was not offered.
    NotOffered,
    /// -PLUS was offered, and the client has chosen the mechanism without it.
    Offered,
    /// -PLUS with these data (`tls-exporter`, RFC 9266 §2).
    Used(ChannelBinding),
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
    /// `gs2-header` and the channel binding data: what `c=` must say (RFC 5802 §7, cbind-input).
    bound_to: Vec<u8>,
    bare: String,
    login: String,
    /// The client's nonce followed by ours.
    nonce: String,
}

impl Scram {
    pub(crate) fn new(binding: Binding) -> Self {
        Self { state: State::ClientFirst, binding, server_nonce: None }
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
        let first = parse_client_first(message, &server_nonce, &self.binding)?;
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
fn parse_client_first(message: &[u8], server_nonce: &str, binding: &Binding) -> Result<First, &'static str> {
    let message = std::str::from_utf8(message).map_err(|_| "the SCRAM message is not UTF-8")?;
    let (flag, rest) = message.split_once(',').ok_or(MALFORMED)?;
    let binding_data = binding_data(flag, binding)?;
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
        bound_to: [format!("{flag},{authzid},").as_bytes(), binding_data].concat(),
        bare: bare.to_owned(),
        login,
        nonce: format!("{client_nonce}{server_nonce}"),
    })
}

/// What `gs2-cbind-flag` binds the exchange to (RFC 5802 §6).
fn binding_data<'b>(flag: &str, binding: &'b Binding) -> Result<&'b [u8], &'static str> {
    match (flag, binding) {
        ("p=tls-exporter", Binding::Used(data)) => Ok(&data.0),
        (_, Binding::Used(_)) if flag.starts_with("p=") => Err("this channel binding is not offered"),
        ("n" | "y", Binding::Used(_)) => Err("SCRAM-SHA-256-PLUS without channel binding"),
        (_, _) if flag.starts_with("p=") => Err("channel binding is not part of this mechanism"),
        // The client could bind, but was not told that we can: somebody took -PLUS from our list.
        ("y", Binding::Offered) => Err("somebody has hidden SCRAM-SHA-256-PLUS from the client"),
        ("n" | "y", Binding::NotOffered) | ("n", Binding::Offered) => Ok(b""),
        _ => Err(MALFORMED),
    }
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
    // A differing header means that somebody changed the first message on its way, differing data that
    // the client's TLS connection ends somewhere else (RFC 5802 §6).
    if BASE64.decode(binding).map_err(|_| MALFORMED)? != first.bound_to {
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
        let server_nonce = Some(server_nonce.into());
        let mut scram = Scram { state: State::ClientFirst, binding: Binding::NotOffered, server_nonce };
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
            ("p=tls-exporter,,n=user,r=abc", Err("channel binding is not part of this mechanism")),
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
            let step = Scram::new(Binding::NotOffered).respond(message.as_bytes());
            match expected {
                Ok(login) => assert!(step == Step::NeedScram { login: login.into() }, "{message}: {step:?}"),
                Err(why) => assert!(step == Step::Failed(why), "{message}: {step:?}"),
            }
        }
    }

    /// RFC 5802 §6, by what was offered and what the client says of it.
    #[test]
    fn channel_binding_and_downgrade() {
        let data = ChannelBinding([7; 32]);
        let check = |flag: &str, binding: Binding, expected: Result<&[u8], &str>| {
            assert_eq!(binding_data(flag, &binding), expected, "{flag}");
        };
        check("n", Binding::NotOffered, Ok(b""));
        check("y", Binding::NotOffered, Ok(b""));
        check("n", Binding::Offered, Ok(b""));
        check("y", Binding::Offered, Err("somebody has hidden SCRAM-SHA-256-PLUS from the client"));
        check("p=tls-exporter", Binding::Offered, Err("channel binding is not part of this mechanism"));
        check("p=tls-exporter", Binding::Used(data), Ok(&[7; 32]));
        check("p=tls-unique", Binding::Used(data), Err("this channel binding is not offered"));
        check("n", Binding::Used(data), Err("SCRAM-SHA-256-PLUS without channel binding"));
        check("y", Binding::Used(data), Err("SCRAM-SHA-256-PLUS without channel binding"));
        check("x", Binding::Offered, Err(MALFORMED));
    }

    #[test]
    fn what_the_client_is_bound_to_must_be_this_connection() {
        let keys = pencil();
        for (claimed, expected) in
            [([7; 32], Ok(())), ([8; 32], Err("the SCRAM channel binding data do not match"))]
        {
            let mut scram = Scram::new(Binding::Used(ChannelBinding([7; 32])));
            let bare = "n=user,r=abc";
            scram.respond(format!("p=tls-exporter,,{bare}").as_bytes());
            let step = scram.credentials(&keys.salt, keys.iterations, keys.stored_key, keys.server_key);
            let Step::Challenge(server_first) = step else { panic!("{step:?}") };
            let server_first = String::from_utf8(server_first).expect("text");
            let nonce = server_first.split(',').next().expect("nonce");
            let bound_to = [b"p=tls-exporter,,".as_slice(), &claimed].concat();
            let without_proof = format!("c={},{nonce}", BASE64.encode(bound_to));
            let auth_message = format!("{bare},{server_first},{without_proof}");
            let signature = hmac_sha256(&keys.stored_key, auth_message.as_bytes());
            let proof: Vec<u8> = keys.client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
            let step = scram.respond(format!("{without_proof},p={}", BASE64.encode(proof)).as_bytes());
            match expected {
                Ok(()) => assert!(matches!(step, Step::Challenge(_)), "{step:?}"),
                Err(why) => assert!(step == Step::Failed(why), "{step:?}"),
            }
        }
    }

    /// A client of our own, with another password, salt and the "y" flag.
    #[test]
    fn a_fresh_exchange_with_random_nonces_succeeds() {
        let keys = credentials("correct horse", b"0123456789abcdef", 4096);
        let bare = "n=alice@example.org,r=clientnonce";
        let mut scram = Scram::new(Binding::NotOffered);
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

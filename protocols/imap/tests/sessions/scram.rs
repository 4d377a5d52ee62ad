//! AUTHENTICATE SCRAM-SHA-256 (RFC 5802, RFC 7677) from the client's side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::pipe::Client;
use crate::world::World;

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Runs one exchange and returns the last line; checks the server's signature on the way.
async fn authenticate(world: &World, twin: &str, password: &str) -> String {
    let mut client = Client::connect(world, true);
    client.line().await.expect("a greeting");
    client.send_later("a AUTHENTICATE SCRAM-SHA-256");
    assert_eq!(client.line().await.expect("a challenge"), "+ ");
    let first = format!("n={twin},r=rOprNGfwEbeRWgbNEkqO");
    client.send_later(&STANDARD.encode(format!("n,,{first}")));
    let line = client.line().await.expect("a challenge");
    let challenge = STANDARD.decode(line.strip_prefix("+ ").expect("a challenge")).expect("base64");
    let challenge = String::from_utf8(challenge).expect("text");
    let field = |name: &str| {
        let found = challenge.split(',').find_map(|field| field.strip_prefix(name));
        found.unwrap_or_else(|| panic!("{name} in {challenge}"))
    };
    let salt = STANDARD.decode(field("s=")).expect("base64");
    let iterations: u32 = field("i=").parse().expect("a number");
    assert!(iterations >= 4096, "RFC 7677 §4");
    let salted: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &salt, iterations);
    let without_proof = format!("c=biws,r={}", field("r="));
    let signed = format!("{first},{challenge},{without_proof}");
    let client_key = hmac(&salted, b"Client Key");
    let signature = hmac(&Sha256::digest(client_key), signed.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
    client.send_later(&STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof))));
    let line = client.line().await.expect("an answer");
    let Some(verifier) = line.strip_prefix("+ ") else { return line };
    let signature = hmac(&hmac(&salted, b"Server Key"), signed.as_bytes());
    let expected = STANDARD.encode(format!("v={}", STANDARD.encode(signature)));
    assert_eq!(verifier, expected, "the server knows the password too");
    client.send_later("");
    client.line().await.expect("the end")
}

#[tokio::test]
async fn scram_proves_the_password_without_sending_it() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("scram").await;
    let end = authenticate(&world, &twin, "secret").await;
    assert!(end.starts_with("a OK [CAPABILITY IMAP4rev1 "), "{end}");
    let end = authenticate(&world, &twin, "wrong").await;
    assert!(end.starts_with("a NO [AUTHENTICATIONFAILED] "), "{end}");
    let end = authenticate(&world, "nobody@example.org", "secret").await;
    assert!(end.starts_with("a NO [AUTHENTICATIONFAILED] "), "{end}");
}

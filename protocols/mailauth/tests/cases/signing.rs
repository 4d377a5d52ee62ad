//! What hub-dkim signs and seals is valid to those who check, and not after a change.

use hub::AuthResult;
use hub_dkim::{Algorithm, Signer, generate, seal, sign};

use crate::dkim::{NOW, evaluate};
use crate::zone::Zone;

const HEADER: &str = "From: Alice <alice@a.example>\r\nTo: bob@b.example\r\n cc@b.example\r\nSubject:  long\r\n\t words \r\n\
     Date: Mon, 7 Nov 2022 12:54:24 +0000\r\nReceived: from x\r\n\r\n";
const BODY: &str = "Hello  \r\n\r\n.dots and\ttabs\r\n\r\n\r\n";

fn signers(zone: &mut Zone, domain: &str) -> Vec<Signer> {
    [Algorithm::Rsa, Algorithm::Ed25519]
        .into_iter()
        .map(|algorithm| {
            let (secret, public) = generate(algorithm).expect("made");
            let name = algorithm.name();
            zone.txt(&format!("{name}._domainkey.{domain}"), &format!("v=DKIM1; k={name}; p={public}"));
            Signer::new(domain, name, algorithm, &secret).expect("a key")
        })
        .collect()
}

fn body() -> impl Iterator<Item = std::io::Result<bytes::Bytes>> {
    BODY.as_bytes().chunks(5).map(|piece| Ok(bytes::Bytes::from_static(piece)))
}

#[tokio::test]
async fn rfc6376_both_signatures_are_valid() {
    let mut zone = Zone::default();
    zone.txt("_dmarc.a.example", "v=DMARC1; p=reject");
    let signers = signers(&mut zone, "a.example");
    let signatures = sign(&signers, HEADER.as_bytes(), body(), NOW).expect("signed");
    assert!(signatures.lines().all(|line| line.len() < 120), "{signatures}");
    let authenticator = zone.serve().authenticator();

    let verdict = evaluate(&authenticator, &format!("{signatures}{HEADER}{BODY}")).await;
    let results: Vec<_> = verdict.dkim.iter().map(|dkim| (dkim.result, dkim.aligned)).collect();
    assert_eq!(results, [(AuthResult::Pass, true), (AuthResult::Pass, true)]);
    assert_eq!(verdict.dmarc.result, AuthResult::Pass);

    // RFC 6376 §8.15: a second From, in front or behind, is noticed.
    for changed in [
        format!("From: eve@e.example\r\n{signatures}{HEADER}{BODY}"),
        format!("{signatures}Reply-To: eve@e.example\r\n{HEADER}{BODY}"),
        format!("{signatures}{HEADER}{BODY}more\r\n"),
        format!("{signatures}{}{BODY}", HEADER.replace("long", "Long")),
    ] {
        let verdict = evaluate(&authenticator, &changed).await;
        assert!(verdict.dkim.iter().all(|dkim| dkim.result == AuthResult::Fail), "{changed}");
    }
    // What changes on the way does no harm.
    let verdict =
        evaluate(&authenticator, &format!("Received: by y\r\n{signatures}{HEADER}{BODY}\r\n\r\n")).await;
    assert!(verdict.dkim.iter().all(|dkim| dkim.result == AuthResult::Pass));
}

#[tokio::test]
async fn rfc8617_5_1_seals_make_a_chain() {
    let mut zone = Zone::default();
    let (first, second) = (signers(&mut zone, "l.example"), signers(&mut zone, "m.example"));
    let authenticator = zone.serve().authenticator();

    let set = seal(&first[0], "l.example; spf=pass", false, HEADER.as_bytes(), body(), NOW).expect("sealed");
    let header = format!("{set}{HEADER}");
    let verdict = evaluate(&authenticator, &format!("{header}{BODY}")).await;
    assert_eq!((verdict.arc, verdict.arc_sealer.as_deref()), (AuthResult::Pass, Some("l.example")));

    let set = seal(&second[1], "m.example; arc=pass", true, header.as_bytes(), body(), NOW).expect("sealed");
    assert!(set.contains("cv=pass") && set.contains("i=2;"), "{set}");
    let twice = format!("{set}{header}");
    let verdict = evaluate(&authenticator, &format!("{twice}{BODY}")).await;
    assert_eq!((verdict.arc, verdict.arc_sealer.as_deref()), (AuthResult::Pass, Some("m.example")));

    let changed = evaluate(&authenticator, &format!("{}{BODY}", twice.replace("spf=pass", "spf=fail"))).await;
    assert_eq!(changed.arc, AuthResult::Fail);
    // A chain that was broken on arrival is not carried on.
    assert_eq!(seal(&second[0], "m.example; none", false, header.as_bytes(), body(), NOW).expect("none"), "");
}

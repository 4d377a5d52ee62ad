//! Programs are let in, do what they may, and are sent away again.

use std::net::{IpAddr, Ipv4Addr};

use hub::oauth::{Approval, Challenge, Client, Issued, Poll};

use super::*;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1/back";
const LOGIN: &str = "alice@example.org";

async fn client(hub: &Hub) -> Client {
    hub.register_client("Mail reader", vec![BACK.to_owned()]).await.expect("registered")
}

fn approval(client: &Client, scopes: Scopes) -> Approval {
    let challenge = Challenge::parse(CHALLENGE).expect("one");
    Approval { client: client.clone(), scopes, redirect_uri: BACK.into(), challenge }
}

async fn tokens(hub: &Hub, client: &Client, scopes: Scopes) -> Issued {
    let code = hub.approve(LOGIN, &secret("alice"), approval(client, scopes)).await.expect("approved");
    hub.redeem_code(&client.id, &code, Some(BACK), VERIFIER).await.expect("tokens")
}

async fn may(hub: &Hub, token: &Secret, needed: Scopes) -> Result<Account> {
    hub.login_with_token(token, needed, PEER).await
}

#[tokio::test]
async fn a_token_opens_what_it_covers() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let client = client(&hub).await;
    assert_eq!(hub.oauth_client(&client.id).await.expect("known"), client);
    let issued = tokens(&hub, &client, Scopes::MAIL_READ.and(Scopes::FILES_WRITE)).await;
    for _ in 0..2 {
        let account = may(&hub, &issued.access, Scopes::FILES_READ).await.expect("covered");
        assert_eq!((account.id(), account.scopes()), (alice.id(), issued.scopes));
        assert!(account.require(Scopes::MAIL_READ).is_ok());
        assert!(account.require(Scopes::MAIL_WRITE).is_err());
        assert!(matches!(may(&hub, &issued.access, Scopes::MAIL_SEND).await, Err(Error::Forbidden(_))));
    }
    for wrong in [&issued.refresh, &secret("alice"), &secret(""), &secret(&issued.access.expose()[1..])] {
        assert!(matches!(may(&hub, wrong, Scopes::NONE).await, Err(Error::BadCredentials)));
    }
    assert!(hub.login(LOGIN, &issued.access, Door::Imap).await.is_err(), "a token is no password");
    assert!(alice.require(Scopes::ALL).is_ok(), "a password opens everything");
}

#[tokio::test]
async fn only_the_twin_itself_approves() {
    let Fixture { hub, alice, _directory, .. } = fixture().await;
    let client = client(&hub).await;
    let (_, phone) = hub.add_app_password(alice.handle(), "phone", &[]).await.expect("made");
    for password in [&phone, &secret("wrong"), &secret("")] {
        let approved = hub.approve(LOGIN, password, approval(&client, Scopes::MAIL_READ)).await;
        assert!(matches!(approved, Err(Error::BadCredentials)));
    }
    let nothing = hub.approve(LOGIN, &secret("alice"), approval(&client, Scopes::NONE)).await;
    assert!(matches!(nothing, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn a_stolen_code_costs_the_thief_its_tokens() {
    let Fixture { hub, _directory, .. } = fixture().await;
    let client = client(&hub).await;
    let code =
        hub.approve(LOGIN, &secret("alice"), approval(&client, Scopes::MAIL_READ)).await.expect("approved");
    let issued = hub.redeem_code(&client.id, &code, None, VERIFIER).await.expect("tokens");
    may(&hub, &issued.access, Scopes::MAIL_READ).await.expect("good");
    assert!(hub.redeem_code(&client.id, &code, None, VERIFIER).await.is_err(), "once");
    assert!(may(&hub, &issued.access, Scopes::MAIL_READ).await.is_err(), "revoked, though remembered");
    assert!(hub.refresh_token(&client.id, &issued.refresh, None).await.is_err());
}

#[tokio::test]
async fn refresh_tokens_take_turns() {
    let Fixture { hub, _directory, .. } = fixture().await;
    let client = client(&hub).await;
    let first = tokens(&hub, &client, Scopes::MAIL_WRITE).await;
    assert!(hub.refresh_token("another", &first.refresh, None).await.is_err());
    let more = hub.refresh_token(&client.id, &first.refresh, Some(Scopes::ALL)).await;
    assert!(matches!(more, Err(Error::Forbidden(_))));
    let less = hub.refresh_token(&client.id, &first.refresh, Some(Scopes::MAIL_READ)).await.expect("less");
    assert!(may(&hub, &less.access, Scopes::MAIL_WRITE).await.is_err());
    may(&hub, &less.access, Scopes::MAIL_READ).await.expect("covered");

    // The answer was lost: the program tries again, and goes on with what it gets.
    let again = hub.refresh_token(&client.id, &first.refresh, None).await.expect("a second chance");
    may(&hub, &again.access, Scopes::MAIL_WRITE).await.expect("all that was granted");
    hub.refresh_token(&client.id, &again.refresh, None).await.expect("goes on");
    // Or it was not lost, but stolen: whoever comes with it ends the grant.
    assert!(hub.refresh_token(&client.id, &less.refresh, None).await.is_err());
    assert!(may(&hub, &again.access, Scopes::MAIL_READ).await.is_err());
}

#[tokio::test]
async fn grants_are_listed_and_taken_back() {
    let Fixture { hub, alice, bob, _directory } = fixture().await;
    let client = client(&hub).await;
    let one = tokens(&hub, &client, Scopes::MAIL_READ).await;
    let two = tokens(&hub, &client, Scopes::FILES_READ).await;
    let grants = hub.grants(alice.handle()).await.expect("listed");
    let listed: Vec<_> = grants.iter().map(|grant| (grant.program.as_str(), grant.scopes)).collect();
    assert_eq!(listed, [("Mail reader", Scopes::MAIL_READ), ("Mail reader", Scopes::FILES_READ)]);
    let elsewhere = hub.revoke_grant(bob.handle(), grants[0].id).await;
    assert!(matches!(elsewhere, Err(Error::NotFound(_))));
    hub.revoke_grant(alice.handle(), grants[0].id).await.expect("revoked");
    assert!(may(&hub, &one.access, Scopes::NONE).await.is_err());

    hub.revoke_token("another", &two.refresh).await.expect("says nothing");
    may(&hub, &two.access, Scopes::FILES_READ).await.expect("still good");
    hub.revoke_token(&client.id, &two.refresh).await.expect("revoked");
    assert!(may(&hub, &two.access, Scopes::NONE).await.is_err());
    hub.revoke_token(&client.id, &two.refresh).await.expect("it is gone already");
    assert!(hub.grants(alice.handle()).await.expect("listed").is_empty());
}

#[tokio::test]
async fn a_device_is_let_in_from_elsewhere() {
    let Fixture { hub, _directory, .. } = fixture().await;
    let client = client(&hub).await;
    let asked = Scopes::MAIL_READ.and(Scopes::CALENDARS_READ);
    let device = hub.begin_device(client.clone(), asked).expect("waits");
    assert_eq!(hub.waiting_device(&device.user_code).expect("known"), (client.clone(), asked));
    assert!(matches!(hub.poll_device(&client.id, &device.device_code).await, Err(Poll::Pending)));
    let wrong = hub.approve_device(LOGIN, &secret("wrong"), &device.user_code, asked).await;
    assert!(matches!(wrong, Err(Error::BadCredentials)));
    let chosen = Scopes::MAIL_READ.and(Scopes::FILES_READ);
    hub.approve_device(LOGIN, &secret("alice"), &device.user_code, chosen).await.expect("let in");
    let issued = hub.poll_device(&client.id, &device.device_code).await.expect("tokens");
    assert_eq!(issued.scopes, Scopes::MAIL_READ, "what was asked for and chosen");
    assert!(matches!(hub.poll_device(&client.id, &device.device_code).await, Err(Poll::Expired)));

    let device = hub.begin_device(client.clone(), asked).expect("waits");
    hub.deny_device(&device.user_code).expect("refused");
    assert!(matches!(hub.poll_device(&client.id, &device.device_code).await, Err(Poll::Denied)));
}

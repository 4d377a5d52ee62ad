//! What leaves: signing keys, and what rules pass on.

use super::*;

/// Nobody has to remember to change keys; where nobody publishes them, nothing is made.
#[tokio::test]
async fn old_keys_get_successors_where_dns_has_them() {
    let fixture = fixture().await;
    let hub = &fixture.hub;
    hub.ensure_keys("example.org").await.expect("made");
    let states = async || {
        let keys = hub.signing_keys("example.org").await.expect("read");
        keys.into_iter().map(|key| key.state).collect::<Vec<_>>()
    };
    hub.tend_keys(|_, _| async { false }, Some(0)).await.expect("looked after");
    hub.tend_keys(|_, _| async { true }, None).await.expect("looked after");
    hub.tend_keys(|_, _| async { true }, Some(1_000)).await.expect("looked after");
    assert_eq!(states().await, [KeyState::Signing; 2]);
    for _ in 0..2 {
        hub.tend_keys(|_, _| async { true }, Some(0)).await.expect("looked after");
        let mut found = states().await;
        found.sort_by_key(|state| *state == KeyState::New);
        assert_eq!(found, [KeyState::Signing, KeyState::Signing, KeyState::New, KeyState::New]);
    }
}

#[tokio::test]
async fn what_is_passed_on_comes_back_to_its_sender() {
    let Fixture { hub, alice, .. } = &fixture().await;
    let (one, other) = tokio::join!(hub.ensure_keys("example.org"), hub.ensure_keys("example.org"));
    one.and(other).expect("made, by one of them");
    alice.put_script("on", "redirect \"friend@example.com\";").await.expect("compiles");
    alice.activate_script(Some("on")).await.expect("active");
    let verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example.net");
    let delivery = Delivery {
        require_tls: false,
        incoming: incoming(hub, "From: carol@example.net\r\nSubject: hi\r\n\r\nbody\r\n").await,
        reverse_path: Some(address("carol@example.net")),
        recipients: vec![Recipient { address: alice.handle().clone(), members: [alice.id()].into() }],
        trace: b"Authentication-Results: mail.example.org;\r\n\tspf=pass\r\nReceived: by us\r\n".to_vec(),
        origin: Origin::Outside(Some(verdict)),
    };
    hub.deliver(delivery).await.expect("queued");
    let queued = hub.queue(&QueueFilter::default()).await.expect("read").remove(0);
    assert_eq!(queued.address, "friend@example.com");
    let rewritten = address(&queued.reverse_path);
    assert!(rewritten.local().starts_with("SRS0=") && rewritten.domain() == "example.org", "{rewritten}");
    let home = hub.returns_to(&rewritten).await.expect("read");
    assert_eq!(home, Some(address("carol@example.net")));
    assert_eq!(hub.returns_to(&address("SRS0=A=B=c=d@example.org")).await.expect("read"), None);
}

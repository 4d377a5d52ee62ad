//! HTTP itself: methods, limits, redirects, the end of a connection.

use hub_web::{Ports, Services};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Answer, PORTS, World};

#[tokio::test]
async fn the_front_page_says_what_this_is_and_where_mail_is() {
    let world = World::new().await;
    let answer = world.get("mail.example.org", "/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    for piece in
        ["<td>mail.example.org</td><td>993</td><td>SSL/TLS</td>", "/apple.mobileconfig", "example.org"]
    {
        assert!(answer.body.contains(piece), "{piece}: {}", answer.body);
    }
    assert!(
        answer
            .field("content-security-policy")
            .is_some_and(|policy| policy.starts_with("default-src 'none'"))
    );
    let stranger = world.get("other.test", "/").await;
    assert_eq!(stranger.status, 200);
    assert!(!stranger.body.contains("993") && !stranger.body.contains("other.test"), "{}", stranger.body);
}

/// Thunderbird 153 looks for a place for calendars with `PUT /`: a 2xx would be taken for one.
#[tokio::test]
async fn nothing_can_be_put() {
    for ports in [PORTS, Ports { https: Some(443), ..PORTS }] {
        let world = World::with(Services { hostname: None, ports, mta_sts_mode: None }).await;
        for method in ["PUT", "DELETE", "POST", "OPTIONS", "PROPFIND", "TRACE"] {
            let answer = world.send(method, "example.org", "/", "").await;
            assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{method}");
        }
        let answer = world.get("example.org", "/nothing").await;
        assert_eq!(answer.status, if ports.https.is_some() { 302 } else { 404 });
    }
    let world = World::new().await;
    let answer = world.get("example.org", "/autodiscover/autodiscover.xml").await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")));
}

/// A certificate authority finds the proof without a redirect, and nothing else.
#[tokio::test]
async fn rfc8555_8_3_proofs() {
    let ports = Ports { https: Some(443), ..PORTS };
    let world = World::with(Services { hostname: None, ports, mta_sts_mode: None }).await;
    let answer = world.get("mail.example.org", "/.well-known/acme-challenge/token_1").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "token_1.thumbprint"));
    let answer = world.get("mail.example.org", "/.well-known/acme-challenge/token_2").await;
    assert_eq!(answer.status, 404);
    let answer = world.send("PUT", "mail.example.org", "/.well-known/acme-challenge/token_1", "x").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn plain_http_points_to_https() {
    let ports = Ports { https: Some(443), ..PORTS };
    let world = World::with(Services { hostname: None, ports, mta_sts_mode: None }).await;
    for (method, host, target, status, location) in [
        ("GET", "example.org", "/", 302, "https://example.org/"),
        ("GET", "Example.org:80", "/a?b=c%20d", 302, "https://example.org/a?b=c%20d"),
        ("HEAD", "example.org", "/a", 302, "https://example.org/a"),
        ("PUT", "example.org", "/a", 307, "https://example.org/a"),
        ("GET", "example.org", "//evil.test/", 302, "https://example.org//evil.test/"),
        // Outlook follows a 302 from here.
        (
            "GET",
            "autodiscover.example.org",
            "/autodiscover/autodiscover.xml",
            302,
            "https://autodiscover.example.org/autodiscover/autodiscover.xml",
        ),
    ] {
        let answer = world.send(method, host, target, "").await;
        assert_eq!((answer.status, answer.field("location")), (status, Some(location)), "{method} {target}");
    }
    // Thunderbird asks for it by http as well.
    assert_eq!(world.get("autoconfig.example.org", "/mail/config-v1.1.xml").await.status, 200);
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let world = World::new().await;
    let get = world.get("example.org", "/").await;
    let head = world.send("HEAD", "example.org", "/", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.field("content-length"), get.field("content-length"));
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let world = World::new().await;
    let long = "x".repeat(9 << 10);
    let huge = "x".repeat(100 << 10);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {huge}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n", "X: y\r\n".repeat(200)), 431),
        ("rubbish\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: x\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n folded: y\r\n\r\n".to_owned(), 400),
    ] {
        let answer = world.exchange(request.as_bytes()).await;
        assert_eq!(Answer::read(&answer).status, status, "{}", &request[..60.min(request.len())]);
    }
}

#[tokio::test]
async fn shutdown_lets_a_request_finish() {
    let world = World::new().await;
    let mut idle = world.connect().await;
    let mut busy = world.connect().await;
    let head =
        "POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: example.org\r\nContent-Length: 4\r\n\r\n";
    // The request is begun once the server asks for its body.
    busy.write_all(head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").as_bytes())
        .await
        .expect("writes");
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).await.expect("100 Continue");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    world.shutdown.cancel();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("closed in good order");
    assert_eq!(rest, b"");
    busy.write_all(b"<a/>").await.expect("writes");
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.expect("closed in good order");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    world.task.await.expect("ended");
}

/// Whatever is sent, the server answers or closes, and goes on.
#[tokio::test]
async fn mutilated_requests_do_no_harm() {
    const PIECES: [&[u8]; 24] = [
        b"GET ",
        b"PUT ",
        b"POST ",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"/",
        b"/autodiscover/autodiscover.xml",
        b"/mail/config-v1.1.xml",
        b"?emailaddress=",
        b"%",
        b"%ff%00",
        b"a@example.org",
        b" HTTP/1.1\r\n",
        b" HTTP/9.9\r\n",
        b"Host: example.org\r\n",
        b"Host: [::\r\n",
        b"Host: \xff\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"ffffffffffffffff\r\n",
        b"<Autodiscover><Request><EMailAddress>",
        b"\0\xfe",
    ];
    let world = World::new().await;
    let mut seed = 1_u64;
    let mut next = move |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    for _ in 0..300 {
        let request: Vec<u8> = (0..next(12) + 1).flat_map(|_| PIECES[next(PIECES.len())]).copied().collect();
        let mut stream = world.connect().await;
        let _ = stream.write_all(&request).await;
        let _ = stream.shutdown().await;
        // A body that was announced and does not come is not waited for: the client has closed.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", request.escape_ascii());
    }
    assert_eq!(world.get("example.org", "/").await.status, 200);
}

/// RFC 9112 §3.2: a target has no fragment. Cut off, it would leave the path of something else.
#[tokio::test]
async fn targets_with_a_fragment_are_refused() {
    let world = World::new().await;
    assert_eq!(world.send("GET", "example.org", "/#x", "").await.status, 400);
    let mut stream = world.connect().await;
    let requests = b"GET / HTTP/1.1\r\nHost: example.org\r\nX: #\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(requests).await.expect("written");
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 200");
        let mut rest = Vec::new();
        while !rest.ends_with(b"</html>\n") {
            rest.push(stream.read_u8().await.expect("more"));
        }
    }
}

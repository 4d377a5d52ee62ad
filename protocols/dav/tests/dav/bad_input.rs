//! What nobody means honestly: each has its status, and leaves everything as it was.

use bytes::Bytes;
use hub_wire::http;

use crate::world::{Answer, HOME, World};

/// With this status, and with an element that says why (RFC 4918 §16).
fn assert_refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    let body = answer.text();
    assert!(body.starts_with("<?xml") && body.contains("<D:error"), "{what}: {body}");
}

const BOMB: &str = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>\
<D:propfind xmlns:D=\"DAV:\"><D:prop><D:displayname>&b;</D:displayname></D:prop></D:propfind>";

#[tokio::test]
async fn xml_that_is_not_read() {
    let world = World::new().await;
    let deep =
        format!("<D:propfind xmlns:D=\"DAV:\">{}{}</D:propfind>", "<a>".repeat(100), "</a>".repeat(100));
    let attributes: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
    let wide = format!("<D:propfind xmlns:D=\"DAV:\"{attributes}><D:allprop/></D:propfind>");
    let long =
        format!("<D:propfind xmlns:D=\"DAV:\"><!--{}--><D:allprop/></D:propfind>", "x".repeat(1 << 20));
    for (body, status) in [
        (BOMB, 400),
        ("<?xml-stylesheet href=\"x\"?><D:propfind xmlns:D=\"DAV:\"><D:allprop/></D:propfind>", 400),
        ("<D:propfind xmlns:D=\"DAV:\"><D:prop>", 400),
        ("not XML", 400),
        (&deep, 400),
        (&wide, 400),
        (&long, 413),
    ] {
        for method in ["PROPFIND", "PROPPATCH", "REPORT", "SEARCH", "LOCK"] {
            let answer = world.send(method, HOME, &[("Depth", "0")], body).await;
            let shown = &body[..body.len().min(60)];
            assert_refused(&answer, status, &format!("{method} {shown}"));
        }
    }
    let names: String = (0..1000).map(|n| format!("<a{n}/>")).collect();
    let many = format!("<D:propfind xmlns:D=\"DAV:\"><D:prop>{names}</D:prop></D:propfind>");
    assert_eq!(world.send("PROPFIND", HOME, &[("Depth", "0")], &many).await.status, 400);
}

#[tokio::test]
async fn paths_that_are_none() {
    let world = World::new().await;
    world.put("a", "1").await;
    let (name, path) = ("n".repeat(10_000), "p/".repeat(10_000));
    for (bad, status) in [
        ("../a", 400),
        ("%2e%2e/a", 400),
        ("x/../a", 400),
        ("./a", 400),
        ("a%2fb", 400),
        ("a%00b", 400),
        ("a%0d%0aSet-Cookie:x", 400),
        ("%ff", 400),
        ("%zz", 400),
        (name.as_str(), 400),
        (path.as_str(), 414),
    ] {
        let shown = &bad[..bad.len().min(30)];
        for method in ["GET", "PUT", "MKCOL", "DELETE", "PROPFIND", "LOCK"] {
            let answer = world.send(method, &format!("{HOME}{bad}"), &[("Depth", "0")], "").await;
            assert_refused(&answer, status, &format!("{method} {shown}"));
        }
        let destination = format!("{HOME}{bad}");
        for method in ["COPY", "MOVE"] {
            let answer =
                world.send(method, &format!("{HOME}a"), &[("Destination", destination.as_str())], "").await;
            assert_refused(&answer, 400, &format!("{method} to {shown}"));
        }
    }
    assert_eq!(world.get("a").await.text(), "1");
}

#[tokio::test]
async fn destinations_elsewhere() {
    let world = World::new().await;
    world.put("a", "1").await;
    for (destination, status) in [
        ("http://elsewhere.test/dav/files/alice@example.org/b", 502),
        ("http://hub.test@elsewhere.test/dav/files/alice@example.org/b", 502),
        ("http://hub.test:81/dav/files/alice@example.org/b", 502),
        ("ftp://hub.test/dav/files/alice@example.org/b", 502),
        ("//elsewhere.test/dav/files/alice@example.org/b", 403),
        ("/etc/passwd", 403),
        ("b", 400),
        ("/dav/files/alice@example.org/b#c", 400),
    ] {
        for method in ["COPY", "MOVE"] {
            let answer = world.send(method, &format!("{HOME}a"), &[("Destination", destination)], "").await;
            assert_refused(&answer, status, &format!("{method} to {destination}"));
        }
    }
    assert_eq!(world.get("a").await.text(), "1");
}

/// What a client says is in our header fields only if it fits there.
#[tokio::test]
async fn fields_are_not_smuggled() {
    let world = World::new().await;
    let answer = world
        .send(
            "PUT",
            &format!("{HOME}a"),
            &[("Content-Type", "text/html\tx; \""), ("OC-Checksum", "MD5:x y"), ("X-OC-Mtime", "-5")],
            "x",
        )
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.field("x-oc-mtime"), None);
    let answer = world.get("a").await;
    assert_eq!(answer.field("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.field("oc-checksum"), None);

    let name = "a\"; filename=b;ü.html";
    let mut path = String::from(HOME);
    path.push_str("a%22;%20filename=b;%C3%BC.html");
    assert_eq!(world.send("PUT", &path, &[], "x").await.status, 201, "{name}");
    let answer = world.send("GET", &path, &[], "").await;
    let disposition = "attachment; filename*=UTF-8''a%22%3B%20filename%3Db%3B%C3%BC.html";
    assert_eq!(answer.field("content-disposition"), Some(disposition));
}

#[tokio::test]
async fn a_flood_of_locks_ends() {
    let world = World::new().await;
    world.put("a", "1").await;
    let body = "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:shared/></D:lockscope>\
                <D:locktype><D:write/></D:locktype></D:lockinfo>";
    let mut refused = None;
    for _ in 0..600 {
        let answer = world.send("LOCK", &format!("{HOME}a"), &[("Depth", "0")], body).await;
        if answer.status != 200 {
            refused = Some(answer.status);
            break;
        }
    }
    assert_eq!(refused, Some(507));
    assert_eq!(world.get("a").await.text(), "1");
    // An owner of a megabyte is not kept either.
    let owner = format!(
        "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>\
         <D:owner>{}</D:owner></D:lockinfo>",
        "x".repeat(100_000)
    );
    let answer = world.send("LOCK", &format!("{HOME}b"), &[], &owner).await;
    assert_refused(&answer, 413, "a body that is too large");
}

#[tokio::test]
async fn if_that_is_none() {
    let world = World::new().await;
    world.put("a", "1").await;
    let long = format!("({})", "<urn:x>".repeat(1000));
    for field in ["x", "()", "(<urn:x>", "(Not)", "(<urn:x>) y", &long] {
        let answer = world.send("PUT", &format!("{HOME}a"), &[("If", field)], "2").await;
        assert_eq!(answer.status, 400, "{}", &field[..field.len().min(30)]);
    }
    assert_eq!(world.get("a").await.text(), "1");
}

/// CVE-2011-3192: many small, or overlapping, ranges.
#[tokio::test]
async fn range_bombs() {
    let world = World::new().await;
    world.put("a", "0123456789").await;
    let many = format!("bytes={}", (0..2000).map(|n| format!("{}-", n % 10)).collect::<Vec<_>>().join(","));
    for field in [many.as_str(), "bytes=0-,0-,0-", "bytes=0-5,3-8", "bytes=5-4", "bytes=x"] {
        let answer = world.send("GET", &format!("{HOME}a"), &[("Range", field)], "").await;
        assert_eq!((answer.status, answer.text()), (200, "0123456789"), "{}", &field[..field.len().min(30)]);
    }
    let answer = world.send("GET", &format!("{HOME}a"), &[("Range", "bytes=0-0,-1")], "").await;
    assert_eq!(answer.status, 206);
    let kind = answer.field("content-type").expect("a type").to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("byteranges");
    let part = |range: &str, text: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {range}/10\r\n\r\n{text}"
        )
    };
    let expected = format!("{}{}\r\n--{boundary}--\r\n", part("0-0", "0"), part("9-9", "9"));
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.field("content-length"), Some(expected.len().to_string().as_str()));
}

#[tokio::test]
async fn bodies_of_another_length_are_not_kept() {
    let world = World::new().await;
    let path = format!("{HOME}a");
    for (field, length) in
        [("Content-Length", "9"), ("Content-Length", "3"), ("X-Expected-Entity-Length", "9")]
    {
        let answer = world.send("PUT", &path, &[(field, length)], "12345").await;
        assert_refused(&answer, 400, &format!("{field}: {length}"));
        assert_eq!(world.get("a").await.status, 404);
    }
    let fields = [("Content-Length", "5"), ("X-Expected-Entity-Length", "9")];
    for fields in [&[("X-Expected-Entity-Length", "x")][..], &fields] {
        assert_eq!(world.send("PUT", &path, fields, "12345").await.status, 400);
    }
}

/// The client goes away in the middle of an upload.
#[tokio::test]
async fn half_a_body_is_not_kept() {
    let world = World::new().await;
    world.put("a", "old").await;
    let (sender, body) = http::channel();
    let writer = tokio::spawn(async move {
        sender.send(Bytes::from(vec![0; 200_000])).await.expect("somebody reads");
        sender.abort("connection reset".into()).await;
    });
    let answer = world.send_body("PUT", &format!("{HOME}a"), &[], body).await;
    writer.await.expect("written");
    assert_eq!(answer.status, 400);
    assert_eq!(world.get("a").await.text(), "old");
}

/// RFC 4331 §6
#[tokio::test]
async fn what_does_not_fit_into_the_quota() {
    let world = World::with_quota(Some(300_000)).await;
    world.put("a", &"x".repeat(100_000)).await;
    // Announced, and refused before a byte is read; not announced, and cut off.
    for fields in [&[("Content-Length", "900000")][..], &[]] {
        let answer = world.send("PUT", &format!("{HOME}b"), fields, &"x".repeat(900_000)).await;
        assert_eq!(answer.status, 507);
        assert!(answer.text().contains("<D:quota-not-exceeded/>"), "{}", answer.text());
    }
    assert_eq!(world.get("b").await.status, 404);
    let body = "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>";
    let answer = world.send("PROPFIND", HOME, &[("Depth", "0")], body).await;
    for element in [
        "<D:quota-available-bytes>200000</D:quota-available-bytes>",
        "<D:quota-used-bytes>100000</D:quota-used-bytes>",
    ] {
        assert!(answer.text().contains(element), "{element}: {}", answer.text());
    }
}

#[tokio::test]
async fn no_password_crosses_an_open_network() {
    let world = World::new().await;
    assert_eq!(world.respond_in_the_open(HOME).await, 403);
}

//! Which paths are answered, and dead properties that follow their files.

use crate::world::{HOME, World};

#[tokio::test]
async fn what_is_taken_of_the_listener() {
    let world = World::new().await;
    for (method, path, expected) in [
        ("GET", "/dav/files/x", true),
        ("PROPFIND", "/dav", true),
        ("PROPFIND", "/", true),
        ("OPTIONS", "/", true),
        ("REPORT", "/", true),
        ("GET", "/", false),
        ("PUT", "/", false),
        ("GET", "/davx", false),
        ("GET", "/remote.php/webdav/", true),
        ("GET", "/status.php", true),
        ("GET", "/ocs/v1.php/cloud/capabilities", true),
        ("GET", "/.well-known/acme-challenge/x", false),
        ("OPTIONS", "*", false),
    ] {
        assert_eq!(world.takes(method, path), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn properties_follow_their_files() {
    let world = World::new().await;
    world.put("a", "1").await;
    let set = "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><x:p xmlns:x=\"urn:x\">v</x:p></D:prop></D:set></D:propertyupdate>";
    assert_eq!(world.send("PROPPATCH", &format!("{HOME}a"), &[], set).await.status, 207);
    for (method, to) in [("COPY", "b"), ("MOVE", "c")] {
        let destination = format!("{HOME}{to}");
        let answer =
            world.send(method, &format!("{HOME}a"), &[("Destination", destination.as_str())], "").await;
        assert_eq!(answer.status, 201);
        let answer = world.send("PROPFIND", &destination, &[("Depth", "0")], "").await;
        assert!(answer.text().contains("<x:p xmlns:x=\"urn:x\">v</x:p>"), "{}", answer.text());
    }
}

/// A program on macOS writes names decomposed, one on Linux composed: the file is the same.
#[tokio::test]
async fn both_spellings_of_an_umlaut() {
    let world = World::new().await;
    world.put("u%CC%88", "1").await;
    assert_eq!(world.get("%C3%BC").await.text(), "1");
    assert_eq!(world.send("PUT", &format!("{HOME}%C3%BC"), &[], "2").await.status, 204);
    assert_eq!(world.get("u%CC%88").await.text(), "2");
}

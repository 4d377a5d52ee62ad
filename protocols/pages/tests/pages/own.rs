//! A twin's own files.

use hub::files::Access;
use hub::{Address, Secret};

use crate::world::{ALICE, BOB, World, folder, multipart, path, read, write};

#[tokio::test]
async fn nothing_is_seen_before_logging_in() {
    let world = World::new().await;
    write(&world.account(ALICE).await.files(), "secret.txt", "x").await;
    for url in ["/files/", "/files", "/files/secret.txt", "/files/secret.txt?download", "/files/?trash"] {
        let answer = world.get(url, "__Secure-twinhub=guess").await;
        assert_eq!(answer.status, 200, "{url}");
        assert!(answer.text().contains("type=\"password\""), "{url}: {}", answer.text());
        assert!(!answer.text().contains("secret.txt<"), "{url}: {}", answer.text());
    }
    let wrong = world.post("/files/?do=login", "", "name=alice@example.org&password=wrong").await;
    assert_eq!((wrong.status, wrong.field("set-cookie")), (403, ""));
    assert!(wrong.text().contains("role=\"alert\""));
    for (origin, form) in [("https://evil.test", "name=alice@example.org&password=password")] {
        let answer = world.send("POST", "/files/?do=login", &[("origin", origin)], form).await;
        assert_eq!((answer.status, answer.field("set-cookie")), (403, ""));
    }
}

#[tokio::test]
async fn a_session_is_a_cookie_and_ends() {
    let world = World::new().await;
    let answer = world.post("/files/a/?do=login", "", "name=alice@example.org&password=password").await;
    assert_eq!((answer.status, answer.field("location")), (303, "/files/a/"));
    let field = answer.field("set-cookie");
    for part in ["; Path=/files;", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(format!("{field};").contains(part), "{field}");
    }
    let cookie = answer.cookie();
    assert_eq!(world.get("/files/", &cookie).await.status, 200);
    let out = world.post("/files/?do=logout", &cookie, "").await;
    assert!(out.field("set-cookie").contains("Max-Age=0"));
    assert!(world.get("/files/", &cookie).await.text().contains("type=\"password\""));

    // A password that was changed ends its sessions.
    let cookie = world.log_in(ALICE).await;
    let alice = Address::parse(ALICE).expect("an address");
    world.hub.set_password(&alice, &Secret::new("another")).await.expect("changed");
    assert!(world.get("/files/", &cookie).await.text().contains("type=\"password\""));
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    write(&files, "a.txt", "x").await;
    for fields in [
        &[("origin", "https://evil.test")][..],
        &[("origin", "null")],
        &[],
        &[("sec-fetch-site", "cross-site")],
    ] {
        let fields = [fields, &[("cookie", cookie.as_str())]].concat();
        let answer = world.send("POST", "/files/a.txt?do=delete", &fields, "").await;
        assert_eq!(answer.status, 403, "{fields:?}");
    }
    assert_eq!(read(&files, "a.txt").await, "x");
}

#[tokio::test]
async fn files_are_sent_looked_at_and_changed() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    let made = world.post("/files/?do=folder", &cookie, "name=Photos+%26+more").await;
    assert_eq!((made.status, made.field("location")), (303, "?done=folder"));
    let at = "/files/Photos%20%26%20more/";
    let form = multipart(&[
        ("file", Some("a.txt"), "one"),
        ("file", Some("C:\\x\\b.html"), "<script>"),
        ("file", Some(""), ""),
    ]);
    let sent = world.upload(&format!("{at}?do=upload"), &cookie, &form).await;
    assert_eq!((sent.status, sent.field("location")), (303, "?done=uploaded"), "{}", sent.text());
    let list = world.get(&format!("{at}?done=uploaded"), &cookie).await;
    assert!(list.text().contains("href=\"./a.txt?details\">a.txt</a>"), "{}", list.text());
    assert!(list.text().contains("Everything has arrived"));
    assert!(list.text().contains(">Photos &amp; more<"));

    // The same name again: both are kept, unless the twin wants it otherwise.
    let again = multipart(&[("file", Some("a.txt"), "two")]);
    world.upload(&format!("{at}?do=upload"), &cookie, &again).await;
    assert_eq!(read(&files, "Photos & more/a (2).txt").await, "two");
    let replacing = multipart(&[("replace", None, "yes"), ("file", Some("a.txt"), "three")]);
    world.upload(&format!("{at}?do=upload"), &cookie, &replacing).await;
    assert_eq!(read(&files, "Photos & more/a.txt").await, "three");

    let details = world.get(&format!("{at}a.txt?details"), &cookie).await;
    assert!(details.text().contains("<iframe class=\"preview\" src=\"?raw\""), "{}", details.text());
    let version = files.versions(&path("Photos & more/a.txt")).await.expect("read")[0].id.0;
    let old = world.get(&format!("{at}a.txt?version={version}"), &cookie).await;
    assert_eq!(old.text(), "one");
    let back = world.post(&format!("{at}a.txt?do=version"), &cookie, &format!("id={version}")).await;
    assert_eq!(back.status, 303);
    assert_eq!(read(&files, "Photos & more/a.txt").await, "one");

    let renamed = world.post(&format!("{at}a.txt?do=rename"), &cookie, "name=c.txt").await;
    assert_eq!(
        (renamed.status, renamed.field("location")),
        (303, "/files/Photos%20%26%20more/?done=renamed")
    );
    let taken = world.post(&format!("{at}c.txt?do=rename"), &cookie, "name=b.html").await;
    assert_eq!(taken.status, 409);
    let bad = world.post(&format!("{at}c.txt?do=rename"), &cookie, "name=..").await;
    assert_eq!(bad.status, 400);
    let deleted = world.post(&format!("{at}c.txt?do=delete"), &cookie, "").await;
    assert_eq!(deleted.status, 303);
    assert_eq!(world.get(&format!("{at}c.txt"), &cookie).await.status, 404);
    let trash = world.get("/files/?trash", &cookie).await;
    assert!(trash.text().contains("Photos &amp; more/c.txt"), "{}", trash.text());
    let id = files.trash().await.expect("read")[0].node.id.0;
    let restored = world.post("/files/?do=restore", &cookie, &format!("id={id}")).await;
    assert_eq!((restored.status, restored.field("location")), (303, "/files/?trash&done=restored"));
    assert_eq!(read(&files, "Photos & more/c.txt").await, "one");
}

/// Who has no room left can make some.
#[tokio::test]
async fn the_trash_is_emptied() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    for name in ["a.txt", "b.txt", "c.txt"] {
        write(&files, name, name).await;
        world.post(&format!("/files/{name}?do=delete"), &cookie, "").await;
    }
    let trashed = files.trash().await.expect("read");
    let (used, _) = files.quota().await.expect("read");
    let purged = world.post("/files/?do=purge", &cookie, &format!("id={}", trashed[0].node.id.0)).await;
    assert_eq!((purged.status, purged.field("location")), (303, "/files/?trash&done=purged"));
    assert_eq!(files.trash().await.expect("read").len(), 2);
    assert_eq!(files.quota().await.expect("read").0, used - 5);
    assert_eq!(world.post("/files/?do=purge", &cookie, "id=99999").await.status, 404);

    assert_eq!(world.post("/files/?do=empty", &cookie, "").await.status, 400, "not sure");
    assert_eq!(world.post("/files/?do=empty", &cookie, "sure=yes").await.status, 303);
    assert!(files.trash().await.expect("read").is_empty());
    assert_eq!(files.quota().await.expect("read").0, used - 15);
}

#[tokio::test]
async fn files_are_found_by_name_and_text() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    folder(&files, "Letters").await;
    folder(&files, "Letters/<Old>").await;
    write(&files, "Letters/<Old>/a.txt", "the rain in Spain").await;
    write(&files, "Letters/Rain.txt", "nothing").await;
    write(&files, "Letters/other.txt", "nothing").await;
    write(&files, "rain.txt", "").await;

    let list = world.get("/files/Letters/", &cookie).await;
    assert!(list.text().contains("<input type=\"search\" name=\"find\""), "{}", list.text());
    let found = world.get("/files/Letters/?find=rAIN", &cookie).await;
    for one in [
        "href=\"./%3COld%3E/a.txt?details\">a.txt</a> in <a href=\"./%3COld%3E/\">&lt;Old&gt;</a>",
        "href=\"./Rain.txt?details\">Rain.txt</a></td>",
        "value=\"rAIN\"",
    ] {
        assert!(found.text().contains(one), "{one}: {}", found.text());
    }
    assert_eq!(found.text().matches("class=\"file\"").count(), 2, "{}", found.text());
    let nothing = world.get("/files/?find=%22%3Csnow%3E", &cookie).await;
    assert!(nothing.text().contains("Nothing in this folder"), "{}", nothing.text());
    assert!(nothing.text().contains("value=\"&quot;&lt;snow&gt;\""), "{}", nothing.text());
    for bad in ["", "+", &"x".repeat(1001)] {
        assert_eq!(world.get(&format!("/files/?find={bad}"), &cookie).await.status, 400, "{bad}");
    }
}

/// What twins have stored must not act in the name of this server.
#[tokio::test]
async fn content_is_harmless() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    for (name, attached, sandboxed) in [
        ("a.html", true, true),
        ("a.svg", true, true),
        ("a.xml", true, true),
        ("a.js", true, true),
        ("a.png", false, true),
        ("a.txt", false, true),
        ("a.pdf", false, false),
    ] {
        write(&files, name, "<script>alert(1)</script>").await;
        let answer = world.get(&format!("/files/{name}?raw"), &cookie).await;
        assert_eq!(answer.field("content-disposition").starts_with("attachment"), attached, "{name}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
        let policy = answer.field("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{name}: {policy}");
        assert_eq!(policy.contains("sandbox"), sandboxed, "{name}: {policy}");
    }
    let saved = world.get("/files/a.png?download", &cookie).await;
    assert!(saved.field("content-disposition").starts_with("attachment; filename*=UTF-8''a.png"));
    // Names are text, wherever they are shown.
    let name = "<img src=x onerror=alert(1)>\"'&.txt";
    write(&files, name, "x").await;
    let encoded = "%3Cimg%20src=x%20onerror=alert(1)%3E%22'&.txt";
    for url in ["/files/".to_owned(), format!("/files/{encoded}?details")] {
        let page = world.get(&url, &cookie).await;
        assert_eq!(page.status, 200, "{url}");
        assert!(
            page.text().contains("&lt;img src=x") && !page.text().contains("<img src=x"),
            "{}",
            page.text()
        );
        let policy = page.field("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn ranges_and_conditions_are_those_of_every_door() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    write(&world.account(ALICE).await.files(), "a.bin", "0123456789").await;
    let fields = |name, value| [("cookie", cookie.as_str()), (name, value)];
    let part = world.send("GET", "/files/a.bin?download", &fields("range", "bytes=2-4"), "").await;
    assert_eq!((part.status, part.text(), part.field("content-range")), (206, "234", "bytes 2-4/10"));
    let etag = part.field("etag").to_owned();
    let same = world.send("GET", "/files/a.bin?download", &fields("if-none-match", &etag), "").await;
    assert_eq!(same.status, 304);
    let head = world.send("HEAD", "/files/a.bin?download", &[("cookie", &cookie)], "").await;
    assert_eq!((head.status, head.field("content-length"), head.body.len()), (200, "10", 0));
}

#[tokio::test]
async fn a_large_folder_has_pages() {
    let world = World::new().await;
    let cookie = world.log_in(ALICE).await;
    let files = world.account(ALICE).await.files();
    folder(&files, "many").await;
    for n in 0..501 {
        folder(&files, &format!("many/{n:04} &")).await;
    }
    let first = world.get("/files/many/", &cookie).await;
    assert_eq!(first.text().matches("<tr><td>").count(), 500);
    let next = "?after=0499+%26";
    assert!(first.text().contains(&format!("href=\"{next}\"")), "{}", first.text());
    let second = world.get(&format!("/files/many/{next}"), &cookie).await;
    assert_eq!(second.text().matches("<tr><td>").count(), 1);
    assert!(second.text().contains("First page") && !second.text().contains("Next page"));
    assert_eq!(world.get("/files/many", &cookie).await.field("location"), "/files/many/");
}

#[tokio::test]
async fn what_is_shared_is_seen_by_the_other() {
    let world = World::new().await;
    let (alice, bob) = (world.log_in(ALICE).await, world.log_in(BOB).await);
    let files = world.account(ALICE).await.files();
    folder(&files, "plan").await;
    write(&files, "plan/a.txt", "one").await;
    let form = format!("with={BOB}&may=read");
    assert_eq!(world.post("/files/plan/?do=share", &alice, &form).await.status, 303);
    let top = world.get("/files/", &bob).await;
    assert!(top.text().contains("href=\"./Shared%20with%20me/\""), "{}", top.text());
    let at = "/files/Shared%20with%20me/alice@example.org/";
    let owners = world.get("/files/Shared%20with%20me/", &bob).await;
    assert!(owners.text().contains(&format!("href=\"{at}\"")), "{}", owners.text());
    assert!(world.get(at, &bob).await.text().contains(&format!("href=\"{at}plan/\"")));
    let list = world.get(&format!("{at}plan/"), &bob).await;
    assert!(list.text().contains("a.txt?details") && !list.text().contains("do=upload"), "{}", list.text());
    assert_eq!(world.get(&format!("{at}plan/a.txt?raw"), &bob).await.text(), "one");
    for action in ["delete", "rename", "link", "share"] {
        let form = format!("name=x&with={BOB}&may=read");
        let answer = world.post(&format!("{at}plan/a.txt?do={action}"), &bob, &form).await;
        assert!([400, 403].contains(&answer.status), "{action}: {}", answer.status);
    }
    files
        .grant(&path("plan"), &Address::parse(BOB).expect("an address"), Access::Write)
        .await
        .expect("granted");
    let sent =
        world.upload(&format!("{at}plan/?do=upload"), &bob, &multipart(&[("file", Some("b"), "x")])).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    assert_eq!(read(&files, "plan/b").await, "x");
    world.post("/files/plan/?do=unshare", &alice, &format!("with={BOB}")).await;
    assert_eq!(world.get(&format!("{at}plan/"), &bob).await.status, 404);
}

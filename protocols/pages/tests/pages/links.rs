//! Public links.

use crate::world::{ALICE, World, folder, multipart, read, write};

/// Alice makes a link on a page; returns its path.
async fn link(world: &World, at: &str, form: &str) -> String {
    let cookie = world.log_in(ALICE).await;
    let page = world.post(&format!("/files/{at}?do=link"), &cookie, form).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let address = page.text().split("href=\"https://hub.test").nth(1).expect("an address");
    address.split('"').next().expect("its end").to_owned()
}

#[tokio::test]
async fn whoever_has_a_link_reads() {
    let world = World::new().await;
    let files = world.account(ALICE).await.files();
    folder(&files, "open").await;
    folder(&files, "open/sub").await;
    write(&files, "open/sub/a.txt", "one").await;
    write(&files, "closed.txt", "secret").await;
    let link = link(&world, "open/", "for=read").await;
    assert_eq!(world.get(&link, "").await.field("location"), format!("{link}/"));
    let list = world.get(&format!("{link}/sub/"), "").await;
    assert!(list.text().contains("a.txt?details") && !list.text().contains("do=upload"), "{}", list.text());
    assert_eq!(list.field("referrer-policy"), "same-origin", "no other site is told the address");
    assert_eq!(world.get(&format!("{link}/sub/a.txt?raw"), "").await.text(), "one");
    for url in ["closed.txt", "../closed.txt", "%2e%2e/closed.txt", "sub/b"] {
        let answer = world.get(&format!("{link}/{url}"), "").await;
        assert!([400, 404].contains(&answer.status), "{url}");
    }
    for url in ["?trash", "sub/a.txt?version=1"] {
        assert!(!world.get(&format!("{link}/{url}"), "").await.text().contains("Restore"), "{url}");
    }
    for action in ["delete", "rename", "folder", "share", "link", "restore"] {
        let answer = world.post(&format!("{link}/sub/a.txt?do={action}"), "", "name=x&id=1&may=read").await;
        assert!([400, 403].contains(&answer.status), "{action}: {}", answer.status);
    }
    let sent = world.upload(&format!("{link}/?do=upload"), "", &multipart(&[("file", Some("x"), "x")])).await;
    assert_eq!(sent.status, 403);
}

#[tokio::test]
async fn a_link_to_one_file_shows_it() {
    let world = World::new().await;
    let files = world.account(ALICE).await.files();
    write(&files, "a.png", "not one").await;
    let link = link(&world, "a.png", "").await;
    let page = world.get(&link, "").await;
    assert!(
        page.text().contains("<h1>a.png</h1>") && page.text().contains("src=\"?raw\""),
        "{}",
        page.text()
    );
    assert_eq!(world.get(&format!("{link}?raw"), "").await.text(), "not one");
}

#[tokio::test]
async fn a_link_for_sending_shows_nothing() {
    let world = World::new().await;
    let files = world.account(ALICE).await.files();
    folder(&files, "inbox").await;
    write(&files, "inbox/there.txt", "x").await;
    let link = link(&world, "inbox/", "for=upload").await;
    for url in
        [link.clone(), format!("{link}/"), format!("{link}/there.txt"), format!("{link}/there.txt?raw")]
    {
        let page = world.get(&url, "").await;
        assert!(page.text().contains("do=upload") && !page.text().contains("there.txt?"), "{}", page.text());
    }
    let form = multipart(&[("replace", None, "yes"), ("file", Some("there.txt"), "new")]);
    let sent = world.upload(&format!("{link}?do=upload"), "", &form).await;
    assert_eq!((sent.status, sent.field("location")), (303, "?done=uploaded"), "{}", sent.text());
    assert_eq!(read(&files, "inbox/there.txt").await, "x", "nothing is replaced");
    assert_eq!(read(&files, "inbox/there (2).txt").await, "new");
}

#[tokio::test]
async fn a_password_is_asked_for_once() {
    let world = World::new().await;
    let files = world.account(ALICE).await.files();
    write(&files, "a.txt", "one").await;
    let link = link(&world, "a.txt", "password=open+sesame").await;
    let asked = world.get(&format!("{link}?raw"), "").await;
    assert!(asked.text().contains("type=\"password\"") && !asked.text().contains("one"));
    let wrong = world.post(&format!("{link}?do=open"), "", "password=wrong").await;
    assert_eq!((wrong.status, wrong.field("set-cookie")), (403, ""));
    let right = world.post(&format!("{link}?do=open"), "", "password=open+sesame").await;
    assert_eq!((right.status, right.field("location")), (303, link.as_str()));
    assert!(right.field("set-cookie").contains(&format!("; Path={link};")), "{}", right.field("set-cookie"));
    assert_eq!(world.get(&format!("{link}?raw"), &right.cookie()).await.text(), "one");
}

#[tokio::test]
async fn what_has_ended_leads_nowhere() {
    let world = World::new().await;
    let files = world.account(ALICE).await.files();
    write(&files, "a.txt", "one").await;
    let link = link(&world, "a.txt", "days=1").await;
    assert_eq!(world.get(&link, "").await.status, 200);
    let id = files.links().await.expect("read")[0].id;
    let cookie = world.log_in(ALICE).await;
    let details = world.get("/files/a.txt?details", &cookie).await;
    assert!(details.text().contains(&format!("Number {}: for looking", id.0)), "{}", details.text());
    world.post("/files/a.txt?do=unlink", &cookie, &format!("id={}", id.0)).await;
    for url in [link.as_str(), "/s/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/s/x", "/s/"] {
        let answer = world.get(url, "").await;
        assert!([400, 404].contains(&answer.status), "{url}: {}", answer.status);
        assert!(answer.text().contains("role=\"alert\""), "{}", answer.text());
    }
}

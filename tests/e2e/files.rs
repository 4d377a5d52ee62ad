//! Sharing files from the command line; who is let in finds them at once.

use crate::clients::run;
use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, has_program};
use crate::on_both_databases;

on_both_databases!(client_curl_sees_what_is_shared);

/// The body of Bob's request, or its status where that is no 2xx.
fn bob(hub: &Hub, path: &str, options: &[&str]) -> Result<String, u16> {
    let url = format!("http://127.0.0.1:{}/dav/files/{BOB}/{path}", hub.ports().http);
    let user = format!("{BOB}:{PASSWORD}");
    fetch(hub, &[&["--user", &user], options, &[&url]].concat())
}

fn fetch(hub: &Hub, options: &[&str]) -> Result<String, u16> {
    let always = ["--silent", "--show-error", "--insecure", "--write-out", "\n%{http_code}"];
    let text = run(hub, "curl", &[&always[..], options].concat(), b"").expect_ok();
    let (body, status) = text.trim_end().rsplit_once('\n').expect("a status");
    let body = body.split_once('\n').map_or("", |(_, body)| body).trim_end_matches('\n').to_owned();
    match status.parse().expect("a number") {
        200..=299 => Ok(body),
        status => Err(status),
    }
}

fn client_curl_sees_what_is_shared(database: Database) {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start_on(database);
    let own = format!("http://127.0.0.1:{}/dav/files/{ALICE}/", hub.ports().http);
    let alice = format!("{ALICE}:{PASSWORD}");
    fetch(&hub, &["--user", &alice, "--request", "MKCOL", &format!("{own}Plans")]).expect("made");
    let put = ["--user", &alice, "--request", "PUT", "--data-binary", "one"];
    fetch(&hub, &[&put[..], &[&format!("{own}Plans/a.txt")]].concat()).expect("stored");

    let shared = format!("Shared%20with%20me/{ALICE}/Plans/a.txt");
    assert_eq!(bob(&hub, &shared, &[]), Err(404));
    hub.admin(&["files", "share", ALICE, "Plans", "--with", BOB]);
    assert_eq!(bob(&hub, &shared, &[]).as_deref(), Ok("one"));
    let put = ["--request", "PUT", "--data-binary", "two"];
    assert_eq!(bob(&hub, &shared, &put), Err(403));
    hub.admin(&["files", "share", ALICE, "Plans", "--with", BOB, "--may", "write"]);
    assert!(bob(&hub, &shared, &put).is_ok());
    let text = hub.admin(&["files", "shares", ALICE]);
    assert!(["Plans", BOB, "write"].iter().all(|word| text.contains(word)), "{text}");
    hub.admin(&["files", "unshare", ALICE, "Plans", "--with", BOB]);
    assert_eq!(bob(&hub, &shared, &[]), Err(404));
    let nobody = hub.cli(&["files", "share", ALICE, "Plans", "--with", "nobody@hub.test"]);
    assert!(!nobody.status.success());

    let address = hub.admin(&["files", "link", ALICE, "Plans/a.txt", "--days", "1"]);
    let (_, token) = address.trim().rsplit_once("/s/").expect("an address");
    let url = format!("https://localhost:{}/s/{token}?raw", hub.ports().https);
    assert_eq!(fetch(&hub, &[&url]).as_deref(), Ok("two"));
    assert!(!hub.log().contains(token), "a link's address is a secret");
    let links = hub.admin(&["files", "links", ALICE, "--json"]);
    let links: serde_json::Value = serde_json::from_str(&links).expect("JSON");
    let id = links[0]["id"].as_i64().expect("a number").to_string();
    hub.admin(&["files", "unlink", ALICE, &id]);
    assert_eq!(fetch(&hub, &[&url]), Err(404));
}

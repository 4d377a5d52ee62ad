//! Sharing calendars from the command line; who is let in finds them among its own.

use crate::clients::run;
use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, has_program};
use crate::on_both_databases;

on_both_databases!(client_curl_finds_shared_calendars);

/// What Bob's home of calendars has in it.
fn home(hub: &Hub) -> String {
    let url = format!("http://127.0.0.1:{}/dav/calendars/{BOB}/", hub.ports().http);
    let user = format!("{BOB}:{PASSWORD}");
    let options = ["--silent", "--show-error", "--user", &user, "--request", "PROPFIND"];
    run(hub, "curl", &[&options[..], &["--header", "Depth: 1", &url]].concat(), b"").expect_ok()
}

fn client_curl_finds_shared_calendars(database: Database) {
    if !has_program("curl", "curl") {
        return;
    }
    let hub = Hub::start_on(database);
    assert!(!home(&hub).contains("shared-"));
    hub.admin(&["calendars", "share", ALICE, "calendar", "--with", BOB, "--may", "write"]);
    assert!(home(&hub).contains("shared-"), "without being asked");
    let shares = hub.admin(&["calendars", "shares", BOB]);
    assert!(["calendar", ALICE, "write", "accepted"].iter().all(|word| shares.contains(word)), "{shares}");
    hub.admin(&["calendars", "unshare", ALICE, "calendar", "--with", BOB]);
    assert!(!home(&hub).contains("shared-"));
    let nobody = hub.cli(&["calendars", "share", ALICE, "calendar", "--with", "nobody@hub.test"]);
    assert!(!nobody.status.success());
    let nothing = hub.cli(&["calendars", "share", ALICE, "none", "--with", BOB]);
    assert!(!nothing.status.success());
}

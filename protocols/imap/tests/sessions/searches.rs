//! Searches that are too long, or take long.

use std::time::Duration;

use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

async fn selected(world: &World) -> Client {
    let twin = world.twin("searcher").await;
    world.append(&twin, 3).await;
    let mut client = Client::connect(world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    client.command("SELECT INBOX").await.expect("selected");
    client
}

/// The lines up to the tagged one.
async fn answer(client: &mut Client, command: &str) -> Vec<String> {
    client.send_later(&format!("a {command}"));
    let mut lines = vec![client.line().await.expect("a line")];
    while lines.last().is_some_and(|line| line.starts_with("* ")) {
        lines.push(client.line().await.expect("a line"));
    }
    lines
}

#[tokio::test]
async fn bombs_have_an_answer_and_the_session_goes_on() {
    let world = World::new(Settings::default()).await;
    let mut client = selected(&world).await;
    let refused = [
        ("keys", format!("SEARCH{}", " SEEN".repeat(10_000)), "a NO [LIMIT] "),
        ("NOT", format!("SEARCH {}SEEN", "NOT ".repeat(10_000)), "a NO [LIMIT] "),
        ("OR", format!("SEARCH {}SEEN", "OR SEEN ".repeat(5_000)), "a NO [LIMIT] "),
        ("lists", format!("SEARCH {}SEEN", "(".repeat(50_000)), "a NO [LIMIT] "),
        ("criteria", format!("SORT ({}SIZE) UTF-8 ALL", "DATE ".repeat(10_000)), "a NO [LIMIT] "),
        ("a million ranges", format!("SEARCH 1{}", ",1:2".repeat(1_000_000)), "a BAD "),
    ];
    for (what, command, expected) in refused {
        let lines = answer(&mut client, &command).await;
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{what}: {lines:?}");
    }
    // As many ranges as a line holds, each within the one before it, the largest number first.
    let ranges: Vec<String> = (1..=6_000).rev().map(|n| format!("{n}:1")).collect();
    let lines = answer(&mut client, &format!("UID SEARCH UID {}", ranges.join(","))).await;
    assert_eq!(lines[0], "* SEARCH 1 2 3", "{lines:?}");
    client.command("NOOP").await.expect("the session goes on");
}

/// RFC 9585 §3: with no patience at all, each search that waits for the database takes long.
#[tokio::test]
async fn rfc9585_long_searches_say_that_they_go_on() {
    let world = World::new(Settings { progress_time: Duration::ZERO, ..Settings::default() }).await;
    let mut client = selected(&world).await;
    let mut lines = answer(&mut client, "SEARCH BODY text").await;
    assert!(lines.pop().is_some_and(|line| line.starts_with("a OK ")));
    assert_eq!(lines.pop().as_deref(), Some("* SEARCH 1 2 3"));
    assert!(!lines.is_empty());
    for line in lines {
        assert!(
            line.starts_with("* OK [INPROGRESS (\"a\" ") && line.ends_with(")] Still searching"),
            "{line}"
        );
    }
}

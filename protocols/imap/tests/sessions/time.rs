//! Time limits, made short.

use std::time::Duration;

use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn strangers_have_their_time_and_no_more() {
    let world = World::new(Settings { time_before_login: SHORT, ..Settings::default() }).await;
    let mut silent = Client::connect(&world, true);
    silent.line().await.expect("a greeting");
    assert!(silent.line().await.expect("a line").starts_with("* BYE "));
    assert_eq!(silent.line().await.expect("the end"), "[closed]");

    // One that never stops sending is no better off.
    let mut busy = Client::connect(&world, true);
    busy.line().await.expect("a greeting");
    loop {
        busy.send_later("a NOOP");
        match busy.line().await.expect("a line").as_str() {
            "a OK Nothing done" => {}
            line => {
                assert!(line.starts_with("* BYE "), "{line}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn silence_ends_a_session_and_idle_too() {
    let world = World::new(Settings { idle_time: SHORT, ..Settings::default() }).await;
    let twin = world.twin("silent").await;
    for command in ["NOOP", "IDLE"] {
        let mut client = Client::connect(&world, true);
        client.line().await.expect("a greeting");
        // In one piece: on a slow machine the time may be over before this test goes on.
        client.send_later(&format!("l LOGIN {twin} secret"));
        client.send_later(&format!("a {command}"));
        assert!(client.line().await.expect("an answer").starts_with("l OK "));
        client.line().await.expect("an answer");
        assert!(client.line().await.expect("a line").starts_with("* BYE "), "after {command}");
    }
}

#[tokio::test]
async fn a_message_that_stops_is_not_waited_for_as_long_as_a_command() {
    let world = World::new(Settings { command_time: SHORT, ..Settings::default() }).await;
    let twin = world.twin("stops").await;
    for start in ["a APPEND INBOX {100+}\r\nabc", "a APPEND INBOX {5}", "a SEARCH SUBJECT {100+}\r\nabc"] {
        let mut client = Client::connect(&world, true);
        client.line().await.expect("a greeting");
        client.send_later(&format!("l LOGIN {twin} secret"));
        assert!(client.line().await.expect("an answer").starts_with("l OK "));
        client.send_later(start);
        let mut line = client.line().await.expect("a line");
        if line.starts_with('+') {
            line = client.line().await.expect("a line");
        }
        assert!(line.starts_with("* BYE "), "after {start}: {line}");
    }
}

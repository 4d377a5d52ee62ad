//! COMPRESS=DEFLATE (RFC 4978): nothing is held back, wherever the stream is cut.

use crate::pipe::Client;
use crate::world::World;

async fn compressed(world: &World, twin: &str, piece: usize) -> Client {
    let mut client = Client::connect(world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    client.command("COMPRESS DEFLATE").await.expect("compressed");
    client.compress(piece);
    client
}

/// iOS Mail hung with another server when a response stayed inside the compressor, or a command
/// came in pieces (mjl-/mox f6132bd).
#[tokio::test]
async fn mox_f6132bd_every_response_comes_at_once() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("deflate").await;
    world.append(&twin, 300).await;
    for piece in [1, 2, 7, 1 << 16] {
        let mut client = compressed(&world, &twin, piece).await;
        client.command("SELECT INBOX").await.expect("selected");
        let lines = client.command("FETCH 1:* (FLAGS BODY.PEEK[])").await.expect("fetched");
        assert_eq!(lines.iter().filter(|line| line.starts_with("text ")).count(), 300);
        // Each response of a conversation that waits: continuation, news, end.
        client.send_later("i IDLE");
        assert!(client.line().await.expect("a line").starts_with("+ "));
        client.send_later("DONE");
        assert!(client.line().await.expect("a line").starts_with("i OK"));
        client.send_later("a APPEND INBOX {3}");
        assert!(client.line().await.expect("a line").starts_with("+ "));
        client.send_later("abc");
        assert!(client.line().await.expect("a line").ends_with(" EXISTS"));
        assert!(client.line().await.expect("a line").starts_with("a OK"));
        client.command("STORE * +FLAGS (\\Deleted)").await.expect("stored");
        client.command("EXPUNGE").await.expect("expunged");
    }
}

#[tokio::test]
async fn what_cannot_be_compressed_comes_through() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("noise").await;
    let mut client = compressed(&world, &twin, 1000).await;
    // A generator of numbers is enough: bytes that look like no others.
    let mut state = 1u64;
    let mut text = String::new();
    for n in 0..256 << 10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(char::from(b'!' + ((state >> 33) % 94) as u8));
        if n % 62 == 61 {
            text.push_str("\r\n");
        }
    }
    client.command(&format!("APPEND INBOX {{{}+}}\r\n{text}", text.len())).await.expect("appended");
    client.command("SELECT INBOX").await.expect("selected");
    let lines = client.command("FETCH 1 BODY.PEEK[]").await.expect("fetched");
    assert_eq!(lines[1..lines.len() - 1].join("\r\n"), format!("{text})"));
}

/// A bomb meets the same limits as plain input.
#[tokio::test]
async fn a_bomb_is_a_line_that_is_too_long() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("bomb").await;
    let mut client = compressed(&world, &twin, 1 << 16).await;
    client.send_later(&format!("b {}\r\nc NOOP", "x".repeat(16 << 20)));
    assert_eq!(client.line().await.expect("a line"), "b BAD The command line is too long");
    assert!(client.line().await.expect("a line").starts_with("c OK"));
}

/// RFC 4978 §3: once is enough.
#[tokio::test]
async fn compression_is_offered_and_begun_once() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("twice").await;
    let mut client = compressed(&world, &twin, 100).await;
    let capabilities = client.command("CAPABILITY").await.expect("told");
    assert!(!capabilities[0].contains("COMPRESS"), "{capabilities:?}");
    client.send_later("c COMPRESS DEFLATE");
    let line = client.line().await.expect("a line");
    assert_eq!(line, "c NO [COMPRESSIONACTIVE] DEFLATE is active already");
    client.command("NOOP").await.expect("still compressed");
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("garbage").await;
    let mut client = Client::connect(&world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    client.command("COMPRESS DEFLATE").await.expect("compressed");
    client.send_later("a NOOP");
    assert_eq!(client.line().await.expect("the end"), "[closed]");
}

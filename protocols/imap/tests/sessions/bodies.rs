//! Large messages go through in pieces, in both directions, and a client that does not read holds
//! up nobody.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::pipe::Client;
use crate::world::World;

/// Lines of 62 octets, each different.
fn message(lines: usize) -> String {
    let mut text = String::from("Subject: large\r\n\r\n");
    for n in 0..lines {
        text.push_str(&format!("{n:060}\r\n"));
    }
    text
}

#[tokio::test]
async fn a_large_message_comes_back_whole_and_in_parts() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("large").await;
    let mut client = Client::connect(&world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    let text = message(20_000);
    client.command(&format!("APPEND INBOX {{{}+}}\r\n{text}", text.len())).await.expect("appended");
    client.command("SELECT INBOX").await.expect("selected");

    let lines = client.command("FETCH 1 BODY.PEEK[]").await.expect("fetched");
    assert_eq!(lines[0], format!("* 1 FETCH (BODY[] {{{}}}", text.len()));
    // The literal ends with a line end; the parenthesis stands on a line of its own.
    let body: String = lines[1..lines.len() - 2].iter().map(|line| format!("{line}\r\n")).collect();
    assert_eq!(body, text);
    assert_eq!(lines[lines.len() - 2], ")");

    // In pieces, as Thunderbird reads what is large.
    let mut pieces = String::new();
    loop {
        let command = format!("FETCH 1 BODY.PEEK[]<{}.262144>", pieces.len());
        let lines = client.command(&command).await.expect("fetched");
        let rest = text.len() - pieces.len();
        if rest == 0 {
            assert_eq!(lines[0], format!("* 1 FETCH (BODY[]<{}> \"\")", pieces.len()));
            break;
        }
        let length = rest.min(262_144);
        assert_eq!(lines[0], format!("* 1 FETCH (BODY[]<{}> {{{length}}}", pieces.len()));
        let piece = lines[1..lines.len() - 1].join("\r\n");
        assert_eq!(piece.len(), length + 1, "the literal and a parenthesis");
        pieces.push_str(&piece[..length]);
    }
    assert_eq!(pieces, text);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("slow").await;
    world.append(&twin, 100).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&world, true);
        client.line().await.expect("a greeting");
        client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
        client.command("SELECT INBOX").await.expect("selected");
        clients.push(client);
    }
    let (mut other, mut slow) = (clients.remove(1), clients.remove(0));
    // Far more than the pipe and the buffers hold.
    for n in 0..100 {
        slow.send_later(&format!("s{n} FETCH 1:* (FLAGS BODY.PEEK[])"));
    }
    slow.send_now().await;
    other.command("STORE 1:100 +FLAGS.SILENT (\\Deleted)").await.expect("stored");
    other.command("EXPUNGE").await.expect("expunged");
    other.command("APPEND INBOX {3+}\r\nabc").await.expect("appended");
    // The slow one gets all that it asked for: it has not been told of the expunge.
    for n in 0..100 {
        let mut messages = 0;
        loop {
            let line = slow.line().await.expect("a line");
            if line.starts_with(&format!("s{n} ")) {
                assert!(line.starts_with(&format!("s{n} OK")), "{line}");
                break;
            }
            messages += usize::from(line.contains("FETCH (FLAGS (") && line.contains("BODY[]"));
        }
        // The appended one may have come in between.
        assert!(matches!(messages, 100 | 101), "{messages} in answer {n}");
    }
}

/// RFC 3516: an attachment that is never whole in memory, and pieces of it.
#[tokio::test]
async fn a_large_attachment_is_decoded_on_the_way() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("binary").await;
    let mut client = Client::connect(&world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    let plain = message(10_000);
    let encoded = STANDARD.encode(&plain);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let text = format!("Content-Transfer-Encoding: base64\r\n\r\n{}\r\n", lines.join("\r\n"));
    client.command(&format!("APPEND INBOX {{{}+}}\r\n{text}", text.len())).await.expect("appended");
    client.command("SELECT INBOX").await.expect("selected");
    let lines = client.command("FETCH 1 BINARY.SIZE[1]").await.expect("fetched");
    assert_eq!(lines[0], format!("* 1 FETCH (BINARY.SIZE[1] {})", plain.len()));
    for (offset, length) in [(0, 1 << 30), (0, 5), (123_456, 200_000), (plain.len() - 3, 9)] {
        let lines =
            client.command(&format!("FETCH 1 BINARY.PEEK[1]<{offset}.{length}>")).await.expect("fetched");
        let expected = &plain[offset..plain.len().min(offset + length)];
        assert_eq!(lines[0], format!("* 1 FETCH (BINARY[1]<{offset}> {{{}}}", expected.len()));
        assert_eq!(lines[1..lines.len() - 1].join("\r\n"), format!("{expected})"));
    }
}

/// A bomb of nested parts (CVE-2026-26312, CVE-2020-12100) costs little and has a structure that ends.
#[tokio::test]
async fn cve_2026_26312_nesting_has_an_end() {
    let world = World::new(hub_imap::Settings::default()).await;
    let twin = world.twin("nesting").await;
    let mut client = Client::connect(&world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    let multiparts: String =
        (0..5_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(5_000);
    for bomb in [multiparts, messages] {
        client.command(&format!("APPEND INBOX {{{}+}}\r\n{bomb}", bomb.len())).await.expect("appended");
    }
    client.command("SELECT INBOX").await.expect("selected");
    for n in [1, 2] {
        let lines = client.command(&format!("FETCH {n} (BODYSTRUCTURE)")).await.expect("fetched");
        let structure = lines[..lines.len() - 1].concat();
        assert!(structure.len() < 100_000, "{} bytes", structure.len());
        let deepest = structure.bytes().scan(0i32, |depth, byte| {
            *depth += i32::from(byte == b'(') - i32::from(byte == b')');
            Some(*depth)
        });
        assert!(deepest.clone().max() < Some(250) && deepest.last() == Some(0), "{structure}");
        client
            .command(&format!("FETCH {n} (BODY.PEEK[1.1.1.1.MIME] BINARY.SIZE[1.1.1])"))
            .await
            .expect("fetched");
    }
}

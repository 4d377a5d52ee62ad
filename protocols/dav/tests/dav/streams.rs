//! Bodies and listings that are too large to be held in memory.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub_wire::http;

use crate::world::{HOME, World};

const PIECES: usize = 100;
const PIECE: usize = 64 << 10;

fn piece(n: usize) -> Bytes {
    Bytes::from(vec![n as u8; PIECE])
}

/// In chunks of unknown number, as Finder sends them; out again, whole and in part.
#[tokio::test]
async fn a_large_file_comes_in_and_goes_out() {
    let world = World::new().await;
    let (sender, body) = http::channel();
    let writer = tokio::spawn(async move {
        for n in 0..PIECES {
            sender.send(piece(n)).await.expect("somebody reads");
        }
    });
    let length = (PIECES * PIECE).to_string();
    let fields = [("X-Expected-Entity-Length", length.as_str())];
    let answer = world.send_body("PUT", &format!("{HOME}large"), &fields, body).await;
    writer.await.expect("written");
    assert_eq!(answer.status, 201);

    let answer = world.get("large").await;
    assert_eq!(answer.field("content-length"), Some(length.as_str()));
    assert_eq!(answer.body.len(), PIECES * PIECE);
    assert!((0..PIECES).all(|n| answer.body[n * PIECE..][..PIECE] == piece(n)));

    let range = format!("bytes={}-{}", 3 * PIECE + 1, 90 * PIECE);
    let answer = world.send("GET", &format!("{HOME}large"), &[("Range", range.as_str())], "").await;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.body.len(), 87 * PIECE);
    assert_eq!((answer.body[0], answer.body[87 * PIECE - 1]), (3, 90));
}

/// Whoever stops reading costs nothing more: the writer ends.
#[tokio::test]
async fn a_client_that_goes_away_is_not_written_to() {
    let world = World::new().await;
    world.put("large", &"x".repeat(2 << 20)).await;
    let response = world.respond("GET", &format!("{HOME}large"), &[], http::empty()).await;
    let mut body = response.into_body();
    let first = body.frame().await.expect("a piece").expect("whole").into_data().expect("data");
    assert!(!first.is_empty());
    drop(body);
    // The hub goes on.
    assert_eq!(world.get("large").await.body.len(), 2 << 20);
}

#[tokio::test]
async fn a_large_folder_is_listed_whole() {
    let world = World::new().await;
    world.mkcol("f").await;
    world.mkcol("f/g").await;
    for n in 0..600 {
        world.put(&format!("f/{n}"), "x").await;
    }
    world.put("f/g/deep", "x").await;
    let body = "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:getetag/></D:prop></D:propfind>";
    for (depth, count) in [("0", 1), ("1", 602), ("infinity", 603)] {
        let answer = world.send("PROPFIND", &format!("{HOME}f/"), &[("Depth", depth)], body).await;
        assert_eq!(answer.status, 207);
        assert_eq!(answer.text().matches("<D:response>").count(), count, "{depth}");
        assert!(answer.text().ends_with("</D:multistatus>\n"));
    }
}

/// RFC 6578 §3.6: also the first synchronisation comes in parts, and each token stands for its part.
#[tokio::test]
async fn synchronisation_comes_in_parts() {
    let world = World::new().await;
    for n in 0..25 {
        world.put(&format!("{n}"), "x").await;
    }
    let mut token = String::new();
    let mut seen = Vec::new();
    for part in 0.. {
        let body = format!(
            "<D:sync-collection xmlns:D=\"DAV:\"><D:sync-token>{token}</D:sync-token><D:sync-level>infinite</D:sync-level>\
             <D:limit><D:nresults>10</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>"
        );
        let answer = world.send("REPORT", HOME, &[], &body).await;
        assert_eq!(answer.status, 207, "{}", answer.text());
        let text = answer.text();
        let hrefs = text.split("<D:href>").skip(1).filter_map(|rest| rest.split('<').next());
        let hrefs: Vec<String> = hrefs.filter(|href| *href != HOME).map(str::to_owned).collect();
        assert!(hrefs.len() <= 10, "{hrefs:?}");
        seen.extend(hrefs);
        token = text
            .split("<D:sync-token>")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .expect("a token")
            .to_owned();
        let has_more = text.contains("507 Insufficient Storage");
        assert_eq!(has_more, text.contains("<D:number-of-matches-within-limits/>"));
        if !has_more {
            assert!(part >= 2);
            break;
        }
        if part == 0 {
            // What changes meanwhile is not lost.
            world.put("late", "x").await;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 26, "{seen:?}");
}

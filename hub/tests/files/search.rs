//! Searching in names and texts.

use std::io::{Cursor, Write as _};

use super::*;

async fn found(files: &Files, at: &str, text: &str) -> Vec<String> {
    let found = files.search(&path(at), text, 100).await.expect("searched");
    assert!(found.is_complete);
    let mut paths: Vec<String> = found.files.into_iter().map(|file| file.path).collect();
    paths.sort();
    paths
}

fn docx(text: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).expect("begins");
    write!(writer, "<w:document><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>")
        .expect("written");
    writer.finish().expect("ends").into_inner()
}

/// Nothing was indexed yet.
#[tokio::test]
async fn what_was_written_a_moment_ago_is_found() {
    let Fixture { files, .. } = &fixture().await;
    folder(files, "a").await;
    write(files, "a/Straße.txt", "Über den Wolken".as_bytes()).await;
    write(files, "a/page.html", b"<!doctype html><p>A <b>need</b>le in hay<script>wolken</script>").await;
    write(files, "letter.docx", &docx("Dear Needle")).await;
    write(files, "needle.bin", &[0, 1, 2, 3]).await;
    write(files, "empty", b"").await;
    assert_eq!(found(files, "", "NEEDLE").await, ["a/page.html", "letter.docx", "needle.bin"]);
    assert_eq!(found(files, "a", "needle").await, ["page.html"]);
    assert_eq!(found(files, "", "über").await, ["a/Straße.txt"]);
    assert_eq!(found(files, "", "straße").await, ["a/Straße.txt"]);
    assert!(found(files, "", "nothing like that").await.is_empty());
    // What was replaced, renamed or deleted is not found any more, what took its place is.
    write(files, "letter.docx", &docx("Dear Pin")).await;
    move_to(files, "a/page.html", "page", Overwrite::Refuse).await.expect("moved");
    files.delete(&path("needle.bin"), none()).await.expect("deleted");
    assert_eq!(found(files, "", "needle").await, ["page"]);
    assert_eq!(found(files, "", "pin").await, ["letter.docx"]);
}

#[tokio::test]
async fn a_limit_is_kept() {
    let Fixture { files, .. } = &fixture().await;
    for n in 0..5 {
        write(files, &format!("same {n}"), b"x").await;
    }
    let found = files.search(&path(""), "same", 3).await.expect("searched");
    assert_eq!((found.files.len(), found.is_complete), (3, false));
    let found = files.search(&path(""), "same", 5).await.expect("searched");
    assert_eq!((found.files.len(), found.is_complete), (5, true));
}

/// A text that is longer than what is kept of it, and one that is in no charset at all.
#[tokio::test]
async fn texts_of_all_sizes() {
    let Fixture { files, .. } = &fixture().await;
    let long = format!("{}needle{}end", "hay ".repeat(100_000), "straw ".repeat(1_000_000));
    write(files, "long", long.as_bytes()).await;
    write(files, "latin", b"gr\xf6\xdfer").await;
    assert_eq!(found(files, "", "needle").await, ["long"]);
    assert_eq!(found(files, "", "GRÖSSER").await, Vec::<String>::new());
    assert_eq!(found(files, "", "größer").await, ["latin"]);
    assert!(found(files, "", "end").await.is_empty(), "only the first 4 MiB of a text are known");
}

//! Runs the conversations in `tests/transcripts/` against a session over pipes in memory, with a real
//! hub behind it. Each file is one behaviour or one misuse and has a twin of its own.
//!
//! - `C: text` is sent with CRLF; consecutive lines go out in one write. `C2:` is a second connection,
//!   and so on.
//! - `S: text` must be the next line received. `…` stands for any characters but a line end,
//!   `<name>` (two letters at least) for digits that must be the same wherever the name stands again,
//!   also in `C:` lines.
//!   `<twin>` is the twin's address. `S: [closed]` is the end of the connection.
//! - `! login` makes the next connection and logs in; `! select` does that and selects INBOX;
//!   `! connect` only reads the greeting; `! remote` connects from elsewhere, without TLS.
//!   `! append N` puts N messages into INBOX. Without a number in front these are about connection 1:
//!   `! 2 select`.
//! - `#` begins a comment; the first line says what the file is about.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hub_imap::Settings;

use crate::pipe::Client;
use crate::world::World;

#[tokio::test]
async fn transcripts() {
    let world = World::new(Settings { message_size: 2000, ..Settings::default() }).await;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    assert!(files.len() > 20, "the transcripts are gone");
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut failures = Vec::new();
    for file in files.iter().filter(|file| file.to_string_lossy().contains(&wanted)) {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
        let text = std::fs::read_to_string(file).expect("readable");
        if let Err(failure) = run(&world, name, &text).await {
            failures.push(format!("{name}.txt:{failure}"));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"))
}

async fn run(world: &World, name: &str, text: &str) -> Result<(), String> {
    let mut script =
        Script { world, twin: world.twin(name).await, clients: HashMap::new(), known: HashMap::new() };
    for (number, line) in text.lines().enumerate() {
        let at = |problem: String| format!("{}: {problem}", number + 1);
        script.line(line).await.map_err(at)?;
    }
    script.finish().await
}

struct Script<'a> {
    world: &'a World,
    /// Address and password.
    twin: String,
    clients: HashMap<u32, Client>,
    /// Numbers that have a name.
    known: HashMap<String, String>,
}

impl Script<'_> {
    async fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(directive) = line.strip_prefix("! ") {
            return self.directive(directive).await;
        }
        let (who, text) = line.split_once(':').ok_or("neither C:, S:, ! nor #")?;
        let text = text.strip_prefix(' ').unwrap_or(text);
        let (side, number) = who.split_at(1);
        let number: u32 = if number.is_empty() { 1 } else { number.parse().map_err(|_| "C1, C2 …")? };
        match side {
            "C" => {
                let text = self.fill_in(text);
                self.client(number)?.send_later(&text);
                Ok(())
            }
            "S" => self.expect(number, text).await,
            _ => Err(format!("neither C: nor S: {line}")),
        }
    }

    async fn directive(&mut self, directive: &str) -> Result<(), String> {
        let mut words: Vec<&str> = directive.split(' ').collect();
        let number: Option<u32> = words[0].parse().ok();
        if number.is_some() {
            words.remove(0);
        }
        let number = number.unwrap_or(1);
        let twin = self.twin.clone();
        match words.as_slice() {
            ["connect"] | ["login"] | ["select"] => {
                let mut client = Client::connect(self.world, true);
                client.line().await?;
                if words != ["connect"] {
                    client.command(&format!("LOGIN {twin} secret")).await?;
                }
                if words == ["select"] {
                    client.command("SELECT INBOX").await?;
                }
                self.clients.insert(number, client);
            }
            ["remote"] => {
                let mut client = Client::connect(self.world, false);
                client.line().await?;
                self.clients.insert(number, client);
            }
            ["append", count] => {
                let count: u32 = count.parse().map_err(|_| "append a number")?;
                self.world.append(&twin, count).await;
            }
            _ => return Err(format!("unknown directive {directive}")),
        }
        Ok(())
    }

    async fn expect(&mut self, number: u32, pattern: &str) -> Result<(), String> {
        let pattern = &pattern.replace("<twin>", &self.twin);
        let received = self.client(number)?.line().await?;
        if !matches(pattern, &received, &mut self.known) {
            return Err(format!("expected {pattern}\n    received {received}"));
        }
        Ok(())
    }

    fn client(&mut self, number: u32) -> Result<&mut Client, String> {
        self.clients.get_mut(&number).ok_or_else(|| format!("no connection {number}"))
    }

    fn fill_in(&self, text: &str) -> String {
        let mut text = text.replace("<twin>", &self.twin);
        for (name, value) in &self.known {
            text = text.replace(&format!("<{name}>"), value);
        }
        text
    }

    /// Nothing more may come.
    async fn finish(mut self) -> Result<(), String> {
        for (number, client) in &mut self.clients {
            if let Some(line) = client.unexpected().await {
                return Err(format!("end: connection {number} also received {line}"));
            }
        }
        Ok(())
    }
}

/// True if `text` fits `pattern`; numbers that get a name are remembered.
fn matches(pattern: &str, text: &str, known: &mut HashMap<String, String>) -> bool {
    let Some(at) = pattern.find(['…', '<']) else { return pattern == text };
    let (plain, rest) = pattern.split_at(at);
    let Some(text) = text.strip_prefix(plain) else { return false };
    if let Some(rest) = rest.strip_prefix('…') {
        return text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| matches(rest, &text[at..], known));
    }
    let name = rest[1..]
        .split_once('>')
        .filter(|(name, _)| name.len() > 1 && name.bytes().all(|b| b.is_ascii_lowercase()));
    let Some((name, rest)) = name else {
        // A plain <.
        return text.strip_prefix('<').is_some_and(|text| matches(&rest[1..], text, known));
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (value, text) = text.split_at(digits);
    let expected = known.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    digits > 0 && expected == value && matches(rest, text, known)
}

#[test]
fn patterns_match() {
    let mut known = HashMap::new();
    let mut check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(matches(pattern, text, &mut known), expected, "{pattern} {text}");
    };
    check("a OK", "a OK", true);
    check("a OK", "a OK x", false);
    check("a OK …", "a OK done", true);
    check("* …) x", "* (a) (b) x", true);
    check("[UIDNEXT <next>] …", "[UIDNEXT 12] y", true);
    check("<next> <next>", "12 12", true);
    check("<next>", "13", false);
    check("From: <a@b>", "From: <a@b>", true);
}

//! kill -9 in the middle of uploads, moves and deletes. After the restart every file is where the last
//! acknowledgement said, or where the request under way would have put it, and whole.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::harness::{ALICE, Database, Hub, PASSWORD, Random, wait_until};
use crate::on_both_databases;

on_both_databases!(kill_9_loses_no_file);

const CYCLES: u64 = 6;
const THREADS: u64 = 4;
/// Acknowledgements to wait for before the kill, so that a slow machine shows as much.
const FIRST: usize = 20;

/// File → where it may be; `None` is nowhere.
type Places = BTreeMap<String, Vec<Option<String>>>;

fn kill_9_loses_no_file(database: Database) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let seed = since.as_micros() as u64;
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let mut hub = Hub::start_on(database);
    let places = Mutex::new(Places::new());
    for cycle in 0..CYCLES {
        let delay = Duration::from_millis(random.below(200));
        let (port, acknowledged) = (hub.ports().http, AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (places, acknowledged) = (&places, &acknowledged);
                // Ends with an error when the server does.
                scope.spawn(move || work(port, &format!("{cycle}-{thread}"), places, acknowledged));
            }
            wait_until("acknowledgements", || (acknowledged.load(Ordering::Relaxed) >= FIRST).then_some(()));
            std::thread::sleep(delay);
            hub.kill();
        });
        hub.launch();
        verify(hub.ports().http, &mut places.lock().expect("no thread panicked"));
    }
    assert!(places.lock().expect("no thread panicked").len() as u64 > CYCLES * FIRST as u64 / 4);
}

/// Puts files, moves some of them and deletes some, until the server is gone.
fn work(port: u16, prefix: &str, places: &Mutex<Places>, acknowledged: &AtomicUsize) -> io::Result<()> {
    let mut client = Client::connect(port)?;
    let allow = |name: &str, allowed: &[Option<&str>]| {
        let allowed = allowed.iter().map(|place| place.map(str::to_owned)).collect();
        places.lock().expect("no thread panicked").insert(name.to_owned(), allowed);
    };
    for n in 0u64.. {
        let name = format!("{prefix}-{n}");
        let moved = moved(&name);
        let mut step = |method: &str, fields: &str, body: &[u8], after: Option<&str>| {
            let (status, _) = client.request(method, &name, fields, body)?;
            assert!(status == 201 || status == 204, "{method} {name}: {status}");
            allow(&name, &[after]);
            acknowledged.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(())
        };
        allow(&name, &[None, Some(&name)]);
        step("PUT", "", &content(&name), Some(&name))?;
        match n % 4 {
            0 => {
                allow(&name, &[Some(&name), Some(&moved)]);
                let fields = format!("Destination: /dav/files/{ALICE}/{moved}\r\n");
                step("MOVE", &fields, b"", Some(&moved))?;
            }
            1 => {
                allow(&name, &[Some(&name), None]);
                step("DELETE", "", b"", None)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn moved(name: &str) -> String {
    format!("{name}.moved")
}

/// One in three is large enough for a file of its own.
fn content(name: &str) -> Vec<u8> {
    let length = if name.bytes().map(u64::from).sum::<u64>() % 3 == 0 { 300_000 } else { 100 };
    let mut random =
        Random(name.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into())));
    (0..length).map(|_| random.next() as u8).collect()
}

/// Every file is at one of the places that it may be at, and from now on at that one.
fn verify(port: u16, places: &mut Places) {
    let mut client = Client::connect(port).expect("connects");
    for (name, allowed) in places {
        let mut found = Vec::new();
        for path in [name.clone(), moved(name)] {
            let (status, body) = client.request("GET", &path, "", b"").expect("an answer");
            match status {
                200 => {
                    assert!(body == content(name), "{path} is not what was put there");
                    found.push(path);
                }
                404 => {}
                other => panic!("{path}: {other}"),
            }
        }
        assert!(found.len() <= 1, "twice: {found:?}");
        let place = found.pop();
        assert!(allowed.contains(&place), "{name} is at {place:?}, not at one of {allowed:?}");
        *allowed = vec![place];
    }
}

/// HTTP/1.1 on one connection.
struct Client {
    stream: BufReader<TcpStream>,
    credentials: String,
}

impl Client {
    fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let credentials = BASE64_STANDARD.encode(format!("{ALICE}:{PASSWORD}"));
        Ok(Self { stream: BufReader::new(stream), credentials })
    }

    fn request(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let (length, credentials) = (body.len(), &self.credentials);
        let head = format!(
            "{method} /dav/files/{ALICE}/{path} HTTP/1.1\r\nHost: hub.test\r\n\
             Authorization: Basic {credentials}\r\nContent-Length: {length}\r\n{fields}\r\n"
        );
        self.stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut line = || {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            line.ends_with('\n').then(|| line.trim_end().to_ascii_lowercase()).ok_or_else(broken)
        };
        let status = line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        let mut length = 0;
        loop {
            let field = line()?;
            if field.is_empty() {
                break;
            }
            if let Some(number) = field.strip_prefix("content-length: ") {
                length = number.parse().map_err(|_| broken())?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

//! What deliveries cost that the hub looks at closely: with a script, with a junk filter that has learned,
//! and from strangers who must prove who they are.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use hub_dkim::{Algorithm, Signer};
use test_dns::{Names, TestDns};
use tokio::runtime::Runtime;

use crate::imap::Imap;
use crate::load::{Letter, Load, STRANGER, fresh, message};
use crate::report::{Better, Report};
use crate::server::Server;

const CONNECTIONS: usize = 10;
/// Users of one kind.
const USERS: usize = 10;
/// What each filter learns: junk, and twice as many that were read.
const JUNK: usize = 40;

/// About what people write; nothing of it is true of the messages that come.
const SCRIPT: &str = r#"require ["fileinto", "envelope", "imap4flags", "variables", "regex", "body", "mailbox"];
if header :contains "List-Id" ["rust-lang.example", "kernel.example", "debian.example"] { fileinto :create "Lists"; stop; }
if header :matches "Subject" "[*] *" { set :lower "list" "${1}"; fileinto :create "Lists/${list}"; stop; }
if address :is :domain "From" ["bank.example", "shop.example", "news.example"] { fileinto :create "Offers"; stop; }
if envelope :localpart :contains "From" "bounce" { addflag "\\Seen"; }
if allof (size :over 5M, not header :contains "To" "me@") { fileinto :create "Large"; stop; }
if header :regex "Subject" "invoice [0-9]{6,}" { addflag "\\Flagged"; }
if body :contains "unsubscribe from these letters" { fileinto :create "Letters"; }
"#;

/// A hub that looks at mail from this machine as at any other, and the DNS that it asks.
struct Strict {
    hub: Server,
    signers: Vec<Signer>,
    _dns: TestDns,
    _runtime: Runtime,
}

/// Deliveries of 4 KB over kept connections, one kind after the other.
pub(crate) fn checks(binary: &Path, report: &mut Report, rounds: usize, scale: f64) -> Result<()> {
    let count = ((3000.0 * scale) as usize).max(CONNECTIONS);
    let hub = Server::start_hub_with(binary, None, 4 * USERS, "")?;
    let group = |n: usize| n * USERS..(n + 1) * USERS;
    for user in group(1).chain(group(3)) {
        let address = hub.address(user);
        hub.admin(&["sieve", "put", &address, "main", "-"], SCRIPT)?;
        hub.admin(&["sieve", "activate", &address, "main"], "")?;
    }
    teach(&hub, group(2).chain(group(3)))?;
    let strict = Strict::start(binary)?;
    for round in 0..rounds {
        report.turn(&hub.name, "checks", round);
        let kinds = ["nothing", "a script", "a junk filter", "a script and a junk filter"];
        for (n, kind) in kinds.into_iter().enumerate() {
            measure(&hub, report, kind, letters(&hub, count, group(n)))?;
        }
        let unsigned = letters(&strict.hub, count, group(0));
        measure(&strict.hub, report, "SPF and DMARC", unsigned)?;
        let signed = strict.signed(letters(&strict.hub, count, group(0)))?;
        measure(&strict.hub, report, "SPF, DMARC and two signatures", signed)?;
    }
    Ok(())
}

fn measure(hub: &Server, report: &mut Report, kind: &str, letters: Vec<Letter>) -> Result<()> {
    let count = letters.len() as f64;
    let load = Load::letters(letters).over(CONNECTIONS, usize::MAX);
    let before = hub.processor_time();
    let (elapsed, _) = load.run(hub)?;
    let cpu = hub.processor_time() - before;
    report.result(kind, count / elapsed.as_secs_f64(), "msg/s", Better::High);
    report.result(&format!("{kind}, processor time"), cpu / count * 1000.0, "ms", Better::Low);
    Ok(())
}

/// Messages whose text has as many different words as people's.
fn letters(hub: &Server, count: usize, users: Range<usize>) -> Vec<Letter> {
    let first = fresh(count);
    let letter = |number: usize| {
        let to = hub.address(users.start + number % users.len());
        Letter { from: STRANGER.to_owned(), text: prose(number, STRANGER, &to), to }
    };
    (first..first + count).map(letter).collect()
}

/// [`message`] with two words in one, of which there are 1,024.
fn prose(number: usize, from: &str, to: &str) -> Vec<u8> {
    let text = message(number, from, to);
    let body = text.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(0);
    let (header, body) = text.split_at(body);
    let mut out = header.to_vec();
    let mut in_word = false;
    for &byte in body {
        in_word = if byte == b' ' { !in_word } else { in_word && byte != b'\n' };
        if byte != b' ' || !in_word {
            out.push(byte);
        }
    }
    out
}

/// Junk and read mail for every filter, and waits until they have learned it.
fn teach(hub: &Server, users: impl Iterator<Item = usize> + Clone) -> Result<()> {
    for user in users.clone() {
        let mut imap = Imap::login(hub, user)?;
        let address = hub.address(user);
        let messages = |count: usize, from: &str, extra: &str| -> Vec<Vec<u8>> {
            let first = fresh(count);
            let one = |number: usize| {
                let mut text = prose(number, from, &address);
                text.truncate(text.len() - 3); // the final dot
                text.extend_from_slice(extra.as_bytes());
                text
            };
            (first..first + count).map(one).collect()
        };
        imap.append("Junk", &messages(JUNK, "winner@prizes.test", "lottery casino pills\r\n"))?;
        imap.append("INBOX", &messages(2 * JUNK, "friend@home.test", "see you on friday\r\n"))?;
    }
    let started = Instant::now();
    let wanted = format!("and {JUNK} that were junk");
    for user in users {
        while !hub.admin(&["junk", "stats", &hub.address(user)], "")?.contains(&wanted) {
            ensure!(
                started.elapsed() < Duration::from_secs(60),
                "a junk filter has not learned after a minute"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

impl Strict {
    fn start(binary: &Path) -> Result<Self> {
        let mut signers = Vec::new();
        let mut records = "client.test. IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n\
                           _dmarc.client.test. IN TXT \"v=DMARC1; p=reject\"\n"
            .to_owned();
        for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
            let (secret, public) = hub_dkim::generate(algorithm).map_err(|_| anyhow!("no key was made"))?;
            let name = algorithm.name();
            // A string of DNS has 255 octets at most.
            let (first, rest) = public.split_at(public.len().min(200));
            let value = format!("\"v=DKIM1; k={name}; p={first}\" \"{rest}\"");
            records.push_str(&format!("{name}._domainkey.client.test. IN TXT {value}\n"));
            signers.extend(Signer::new("client.test", name, algorithm, &secret));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let dns = runtime.block_on(Names::default().unsigned("test.", &records).serve());
        let config = format!(
            "[resolver]\naddress = \"{}\"\nport = {}\n[authentication]\ncheck_loopback = true\n\
             [rates]\nmessages_from_domain = 0\n",
            dns.address.ip(),
            dns.address.port()
        );
        let hub = Server::start_hub_with(binary, None, USERS, &config)?;
        Ok(Self { hub, signers, _dns: dns, _runtime: runtime })
    }

    fn signed(&self, letters: Vec<Letter>) -> Result<Vec<Letter>> {
        let sign = |letter: Letter| {
            let end = letter.text.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(0) + 4;
            let (header, body) = letter.text.split_at(end);
            let body = body.strip_suffix(b".\r\n").unwrap_or(body).to_vec();
            let body = std::iter::once(io::Result::Ok(Bytes::from(body)));
            let fields = hub_dkim::sign(&self.signers, header, body, 1_770_000_000)?;
            ensure!(!fields.is_empty(), "not signed");
            Ok(Letter { text: [fields.as_bytes(), &letter.text].concat(), ..letter })
        };
        letters.into_iter().map(sign).collect()
    }
}

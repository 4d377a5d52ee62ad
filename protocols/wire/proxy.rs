//! The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt of 2020/03/05): a proxy begins a
//! connection with a header that says for whom it was made.
//!
//! Who may send one is known beforehand, and sends one always: to guess would let anybody name himself
//! (§2). No byte behind the header is taken.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// §2: three seconds at least, for a lost packet. The proxy has its header ready.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(5);
/// §2.1: octets of the longest line, with its CRLF.
const LONGEST_LINE: usize = 107;
/// §2.2: everything up to the length.
const PREFIX: usize = 16;
/// Octets behind that prefix; names, certificates' subjects and the like come to some hundred.
const MOST_BEHIND: usize = 4096;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// For whom a connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Client {
        source: SocketAddr,
        destination: SocketAddr,
        /// It spoke TLS with the proxy.
        over_tls: bool,
    },
    /// The proxy itself, to see whether we live; or it does not know.
    Itself,
}

/// Reads the header, and nothing behind it.
pub(crate) async fn read(stream: &mut TcpStream, time: Duration) -> io::Result<Origin> {
    let header = tokio::time::timeout(time, header(stream));
    let header =
        header.await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no PROXY header came"))??;
    parse(&header).ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not begin with a PROXY header")
}

async fn header(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    // The shortest line has 15 octets.
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        header.resize(PREFIX, 0);
        stream.read_exact(&mut header[SIGNATURE.len()..]).await?;
        let behind = length_behind(&header);
        if behind > MOST_BEHIND {
            return Err(malformed());
        }
        header.resize(PREFIX + behind, 0);
        stream.read_exact(&mut header[PREFIX..]).await?;
        return Ok(header);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    while !header.ends_with(b"\n") {
        let mut ahead = [0; LONGEST_LINE];
        let left = LONGEST_LINE - header.len();
        let seen = stream.peek(&mut ahead[..left]).await?;
        if seen == 0 {
            return Err(malformed());
        }
        let end = ahead[..seen].iter().position(|byte| *byte == b'\n').map_or(seen, |at| at + 1);
        let begin = header.len();
        header.resize(begin + end, 0);
        stream.read_exact(&mut header[begin..]).await?;
    }
    Ok(header)
}

fn length_behind(prefix: &[u8]) -> usize {
    match prefix {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

/// `None` for what is no header, or one of datagrams.
fn parse(header: &[u8]) -> Option<Origin> {
    match header.strip_prefix(SIGNATURE) {
        Some(rest) => parse_binary(rest),
        None => parse_line(std::str::from_utf8(header).ok()?),
    }
}

/// ```text
/// line   = "PROXY" SP (known / "UNKNOWN" *CHAR) CRLF
/// known  = ("TCP4" / "TCP6") SP address SP address SP port SP port
/// ```
fn parse_line(line: &str) -> Option<Origin> {
    let text = line.strip_prefix("PROXY ")?.strip_suffix("\r\n")?;
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Some(Origin::Itself);
    }
    let mut words = text.split(' ');
    let family = words.next()?;
    let [from, to] = [words.next()?, words.next()?].map(|word| word.parse::<IpAddr>().ok());
    let [from_port, to_port] = [words.next()?, words.next()?].map(port);
    let (from, to) = (from?, to?);
    let fits = match family {
        "TCP4" => from.is_ipv4() && to.is_ipv4(),
        "TCP6" => from.is_ipv6() && to.is_ipv6(),
        _ => false,
    };
    let is_end = words.next().is_none();
    (fits && is_end).then_some(Origin::Client {
        source: SocketAddr::new(from, from_port?),
        destination: SocketAddr::new(to, to_port?),
        over_tls: false,
    })
}

/// §2.1: decimal, without leading zeros.
fn port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || (!word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit()));
    word.parse().ok().filter(|_| is_plain)
}

/// §2.2, behind the signature: version and command, family, length, addresses, then values with a type and
/// a length each.
fn parse_binary(rest: &[u8]) -> Option<Origin> {
    let [command, family, high, low, rest @ ..] = rest else { return None };
    if rest.len() != usize::from(u16::from_be_bytes([*high, *low])) {
        return None;
    }
    match command {
        0x20 => return Some(Origin::Itself),
        0x21 => {}
        _ => return None,
    }
    let (source, destination, values) = match family {
        0x11 => addresses::<4>(rest)?,
        0x21 => addresses::<16>(rest)?,
        // Not told, or a socket within the proxy's machine.
        0x00 | 0x31 => return Some(Origin::Itself),
        _ => return None,
    };
    Some(Origin::Client { source, destination, over_tls: says_tls(values) })
}

/// Two addresses, two ports, and what follows.
fn addresses<const N: usize>(rest: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = rest.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let ([a, b, c, d], values) = rest.split_first_chunk::<4>()?;
    let [source_port, destination_port] = [[*a, *b], [*c, *d]].map(u16::from_be_bytes);
    let source = SocketAddr::new((*source).into(), source_port);
    Some((source, SocketAddr::new((*destination).into(), destination_port), values))
}

/// §2.2.5, PP2_TYPE_SSL: the first octet of its value has PP2_CLIENT_SSL for a client that spoke TLS.
fn says_tls(mut values: &[u8]) -> bool {
    const TYPE_SSL: u8 = 0x20;
    const CLIENT_SSL: u8 = 0x01;
    while let [kind, high, low, rest @ ..] = values {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((value, after)) = rest.split_at_checked(length) else { return false };
        if *kind == TYPE_SSL {
            return value.first().is_some_and(|client| client & CLIENT_SSL != 0);
        }
        values = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    fn client(source: &str, destination: &str, over_tls: bool) -> Option<Origin> {
        let [source, destination] = [source, destination].map(|text| text.parse().expect("an address"));
        Some(Origin::Client { source, destination, over_tls })
    }

    #[test]
    fn version_1() {
        for (line, origin) in [
            (
                "PROXY TCP4 255.255.255.255 192.0.2.1 65535 25\r\n",
                client("255.255.255.255:65535", "192.0.2.1:25", false),
            ),
            ("PROXY TCP6 2001:db8::7 ::1 0 465\r\n", client("[2001:db8::7]:0", "[::1]:465", false)),
            ("PROXY UNKNOWN\r\n", Some(Origin::Itself)),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", Some(Origin::Itself)),
            ("PROXY UNKNOWNS\r\n", None),
            ("PROXY TCP4 2001:db8::7 ::1 1 2\r\n", None),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", None),
            ("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", None),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", None),
            ("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", None),
            ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", None),
            ("EHLO mx.example\r\n", None),
        ] {
            assert_eq!(parse(line.as_bytes()), origin, "{line}");
        }
    }

    fn binary(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
        let length = u16::try_from(behind.len()).expect("short").to_be_bytes();
        [SIGNATURE, &[command, family], &length, behind].concat()
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25];
        let tls = [0x01, 0, 1, b'x', 0x20, 0, 5, 0x01, 0, 0, 0, 0];
        let plain = [0x20, 0, 5, 0x04, 0, 0, 0, 0];
        let direct = client("192.0.2.1:12345", "198.51.100.2:25", false);
        for (header, origin) in [
            (binary(0x21, 0x11, &v4), direct),
            (
                binary(0x21, 0x11, &[&v4[..], &tls].concat()),
                client("192.0.2.1:12345", "198.51.100.2:25", true),
            ),
            (binary(0x21, 0x11, &[&v4[..], &plain].concat()), direct),
            (binary(0x21, 0x11, &[&v4[..], &[0x20, 0, 9, 1]].concat()), direct),
            (binary(0x21, 0x21, &[&[0; 32][..], &[0, 1, 0, 2]].concat()), client("[::]:1", "[::]:2", false)),
            (binary(0x20, 0x00, &[]), Some(Origin::Itself)),
            (binary(0x20, 0x11, &v4), Some(Origin::Itself)),
            (binary(0x21, 0x00, &[1, 2, 3]), Some(Origin::Itself)),
            (binary(0x21, 0x31, &[0; 216]), Some(Origin::Itself)),
            (binary(0x21, 0x12, &v4), None),
            (binary(0x21, 0x11, &v4[..11]), None),
            (binary(0x21, 0x21, &v4), None),
            (binary(0x22, 0x11, &v4), None),
            (binary(0x11, 0x11, &v4), None),
        ] {
            assert_eq!(parse(&header), origin, "{header:?}");
        }
    }

    /// What is read of these bytes, and what is left. The writer ends only if `closes`.
    async fn read_of(bytes: &[u8], pieces: usize, closes: bool) -> (io::Result<Origin>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut writer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let writing = async {
            for piece in bytes.chunks(pieces) {
                writer.write_all(piece).await.expect("written");
                tokio::task::yield_now().await;
            }
            if closes {
                writer.shutdown().await.expect("closed");
            }
        };
        let ((), origin) = tokio::join!(writing, read(&mut stream, HEADER_TIME));
        drop(writer);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        (origin, rest)
    }

    #[tokio::test]
    async fn nothing_behind_the_header_is_taken() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n".to_vec();
        let block = binary(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25]);
        for header in [line, block] {
            for pieces in [1, 7, 1000] {
                let (origin, rest) = read_of(&[&header[..], b"EHLO x\r\n\n"].concat(), pieces, true).await;
                assert_eq!(origin.ok(), client("192.0.2.1:12345", "198.51.100.2:25", false));
                assert_eq!(rest, b"EHLO x\r\n\n");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_not_waited_for() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        let large = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        for bytes in
            [&b"EHLO mx.example\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &long, &large]
        {
            let bytes = [bytes, b"            "].concat();
            let (origin, _) = read_of(&bytes, 1000, false).await;
            assert_eq!(origin.expect_err("no header").kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
        let (origin, _) = read_of(b"PROXY TCP4 192.0.2.1", 1000, true).await;
        origin.expect_err("cut off");
    }

    #[tokio::test]
    async fn silence_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _writer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let error = read(&mut stream, Duration::from_millis(20)).await.expect_err("nothing came");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_meant(from: u32, to: u32, ports: (u16, u16)) {
            let [from, to] = [from, to].map(std::net::Ipv4Addr::from);
            let line = format!("PROXY TCP4 {from} {to} {} {}\r\n", ports.0, ports.1);
            prop_assert!(line.len() <= LONGEST_LINE);
            let origin = client(&format!("{from}:{}", ports.0), &format!("{to}:{}", ports.1), false);
            prop_assert_eq!(parse(line.as_bytes()), origin);
        }

        /// §2.1: even the longest fits.
        #[test]
        fn lines_of_ipv6_fit(from: u128, to: u128) {
            let [from, to] = [from, to].map(std::net::Ipv6Addr::from);
            let line = format!("PROXY TCP6 {from} {to} 65535 65535\r\n");
            prop_assert!(line.len() <= LONGEST_LINE);
            let origin = client(&format!("[{from}]:65535"), &format!("[{to}]:65535"), false);
            prop_assert_eq!(parse(line.as_bytes()), origin);
        }

        #[test]
        fn any_bytes_are_answered(command: u8, family: u8, behind in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&binary(command, family, &behind));
            let _ = parse(&behind);
            let _ = says_tls(&behind);
        }
    }
}

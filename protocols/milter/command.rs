//! What is said to a filter: `length(4) command(1) data`, the length in network order without its own
//! four octets.

use std::net::IpAddr;

/// The version spoken.
pub(crate) const VERSION: u32 = 6;
/// SMFIF_ADDHDRS, SMFIF_QUARANTINE.
pub(crate) const ACTIONS: u32 = 0x01 | 0x20;

/// Steps that a filter need not be told (SMFIP_NO…), and answers that it need not give (SMFIP_NR_…).
pub(crate) mod step {
    pub(crate) const NO_CONNECT: u32 = 0x1;
    pub(crate) const NO_HELO: u32 = 0x2;
    pub(crate) const NO_MAIL: u32 = 0x4;
    pub(crate) const NO_RCPT: u32 = 0x8;
    pub(crate) const NO_BODY: u32 = 0x10;
    pub(crate) const NO_HEADERS: u32 = 0x20;
    pub(crate) const NO_END_OF_HEADER: u32 = 0x40;
    pub(crate) const NO_REPLY_HEADER: u32 = 0x80;
    pub(crate) const NO_UNKNOWN: u32 = 0x100;
    pub(crate) const NO_DATA: u32 = 0x200;
    /// The filter may say that it has seen enough of the body.
    pub(crate) const SKIP: u32 = 0x400;
    pub(crate) const NO_REPLY_CONNECT: u32 = 0x1000;
    pub(crate) const NO_REPLY_HELO: u32 = 0x2000;
    pub(crate) const NO_REPLY_MAIL: u32 = 0x4000;
    pub(crate) const NO_REPLY_RCPT: u32 = 0x8000;
    pub(crate) const NO_REPLY_DATA: u32 = 0x1_0000;
    pub(crate) const NO_REPLY_END_OF_HEADER: u32 = 0x4_0000;
    pub(crate) const NO_REPLY_BODY: u32 = 0x8_0000;
    /// Values of header fields keep the space after the colon.
    pub(crate) const LEADING_SPACE: u32 = 0x10_0000;

    /// Everything above.
    pub(crate) const OFFERED: u32 = NO_CONNECT
        | NO_HELO
        | NO_MAIL
        | NO_RCPT
        | NO_BODY
        | NO_HEADERS
        | NO_END_OF_HEADER
        | NO_REPLY_HEADER
        | NO_UNKNOWN
        | NO_DATA
        | SKIP
        | NO_REPLY_CONNECT
        | NO_REPLY_HELO
        | NO_REPLY_MAIL
        | NO_REPLY_RCPT
        | NO_REPLY_DATA
        | NO_REPLY_END_OF_HEADER
        | NO_REPLY_BODY
        | LEADING_SPACE;
}

/// The largest piece of a body.
pub(crate) const MAX_PIECE: usize = 65_535;

/// SMFIC_OPTNEG.
pub(crate) fn negotiate() -> Vec<u8> {
    let mut data = Vec::with_capacity(12);
    for number in [VERSION, ACTIONS, step::OFFERED] {
        data.extend_from_slice(&number.to_be_bytes());
    }
    packet(b'O', &data)
}

/// SMFIC_MACRO: what the names mean at the step that is told next.
pub(crate) fn macros(step: u8, macros: &[(&str, &str)]) -> Vec<u8> {
    let mut data = vec![step];
    for (name, value) in macros {
        text(&mut data, name);
        text(&mut data, value);
    }
    packet(b'D', &data)
}

/// SMFIC_CONNECT. Without a name the address in brackets stands for it, as in sendmail. The port is
/// not known here, and nobody decides by it.
pub(crate) fn connect(name: Option<&str>, peer: IpAddr) -> Vec<u8> {
    let mut data = Vec::new();
    match name {
        Some(name) => text(&mut data, name),
        None => text(&mut data, &format!("[{peer}]")),
    }
    data.push(if peer.is_ipv4() { b'4' } else { b'6' });
    data.extend_from_slice(&0u16.to_be_bytes());
    text(&mut data, &peer.to_string());
    packet(b'C', &data)
}

/// SMFIC_HELO.
pub(crate) fn helo(name: &str) -> Vec<u8> {
    words(b'H', &[name])
}

/// SMFIC_MAIL.
pub(crate) fn mail(reverse_path: &str) -> Vec<u8> {
    words(b'M', &[&format!("<{reverse_path}>")])
}

/// SMFIC_RCPT.
pub(crate) fn rcpt(recipient: &str) -> Vec<u8> {
    words(b'R', &[&format!("<{recipient}>")])
}

/// SMFIC_DATA.
pub(crate) fn data() -> Vec<u8> {
    packet(b'T', &[])
}

/// SMFIC_HEADER.
pub(crate) fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(name.len() + value.len() + 2);
    for part in [name, value] {
        // A NUL would end the text.
        data.extend(part.iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
        data.push(0);
    }
    packet(b'L', &data)
}

/// SMFIC_EOH.
pub(crate) fn end_of_header() -> Vec<u8> {
    packet(b'N', &[])
}

/// SMFIC_BODY, at most [`MAX_PIECE`] octets.
pub(crate) fn body(piece: &[u8]) -> Vec<u8> {
    packet(b'B', piece)
}

/// SMFIC_BODYEOB.
pub(crate) fn end_of_body() -> Vec<u8> {
    packet(b'E', &[])
}

/// SMFIC_QUIT.
pub(crate) fn quit() -> Vec<u8> {
    packet(b'Q', &[])
}

fn words(command: u8, words: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    for word in words {
        text(&mut data, word);
    }
    packet(command, &data)
}

fn text(data: &mut Vec<u8>, text: &str) {
    data.extend(text.bytes().filter(|&byte| byte != 0));
    data.push(0);
}

fn packet(command: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 1).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(data.len() + 5);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(command);
    out.extend_from_slice(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        for (packet, expected) in [
            (negotiate(), &b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x21\0\x1d\xf7\xff"[..]),
            (data(), b"\0\0\0\x01T"),
            (helo("client.example"), b"\0\0\0\x10Hclient.example\0"),
            (mail(""), b"\0\0\0\x04M<>\0"),
            (rcpt("a@b.test"), b"\0\0\0\x0cR<a@b.test>\0"),
            (macros(b'M', &[("i", "id-1")]), b"\0\0\0\x09DMi\0id-1\0"),
            (header(b"Subject", b"a\0b"), b"\0\0\0\x0dLSubject\0a b\0"),
            (body(b"x"), b"\0\0\0\x02Bx"),
            (connect(None, IpAddr::from([192, 0, 2, 1])), b"\0\0\0\x1aC[192.0.2.1]\x004\0\x00192.0.2.1\0"),
            (
                connect(Some("mx.test"), "2001:db8::1".parse().expect("an address")),
                b"\0\0\0\x18Cmx.test\x006\0\x002001:db8::1\0",
            ),
        ] {
            assert_eq!(packet, expected, "{}", packet.escape_ascii());
        }
    }
}

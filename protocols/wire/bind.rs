//! Sockets that listen.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait for accept. The kernel caps it (4096 on Linux); a busy moment must not
/// cost clients a retry of a second.
const BACKLOG: i32 = 1024;

/// Listens on the first of `candidates` that can be bound. `[::]` takes IPv4 connections too.
///
/// An error is the last candidate's, except that "in use" and "not permitted" are final: another
/// candidate would hide from the operator what is wrong.
pub fn bind(candidates: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on");
    for &address in candidates {
        match bind_one(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let is_final =
                    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
                last = error;
                if is_final {
                    break;
                }
            }
        }
    }
    Err(last)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run in TIME_WAIT must not keep the port for a minute.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect(text)
    }

    #[tokio::test]
    async fn every_address_means_ipv4_too() {
        let listener = bind(&[address("[::]:0"), address("0.0.0.0:0")]).expect("binds");
        let port = listener.local_addr().expect("bound").port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connects over IPv4");
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error() {
        let first = bind(&[address("127.0.0.1:0")]).expect("binds");
        let taken = first.local_addr().expect("bound");
        let error = bind(&[taken, address("127.0.0.1:0")]).expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        // 192.0.2.0/24 is on no machine (RFC 5737): the next candidate is tried.
        assert!(bind(&[address("192.0.2.1:0"), address("127.0.0.1:0")]).is_ok());
    }
}

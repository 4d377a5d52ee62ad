//! A connection: plain TCP or TLS behind one type.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::sasl::ChannelBinding;

/// A TLS handshake takes two round trips; 30 s is generous for the worst mobile link, and frees
/// the place of a client that never speaks.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(30);

/// An accepted client connection. Call `shutdown` before dropping one that ends in good order, so
/// that a TLS peer gets its close_notify.
#[derive(Debug)]
pub struct Connection {
    id: u64,
    peer: SocketAddr,
    local: SocketAddr,
    /// The client spoke TLS with a proxy on this machine.
    is_private: bool,
    stream: Stream,
}

/// The TLS state is large and most connections spend their life idle: it is boxed, so that the
/// handler's future does not reserve room for it on plain connections.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            peer: canonical(peer),
            local: canonical(stream.local_addr()?),
            is_private: false,
            stream: Stream::Plain(stream),
        })
    }

    /// One that a proxy brings for somebody else.
    pub(crate) fn on_behalf_of(self, peer: SocketAddr, local: SocketAddr, is_private: bool) -> Self {
        Self { peer: canonical(peer), local: canonical(local), is_private, ..self }
    }

    /// The connection before anything was said over it, for what begins every one.
    pub(crate) fn plain(&mut self) -> Option<&mut TcpStream> {
        match &mut self.stream {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(_) => None,
        }
    }

    /// Number of this connection since the server started; logs carry it in the field `conn`.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The client's address; an IPv4 client of a dual-stack listener shows as IPv4.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address that the client connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The protocol that client and server agreed on in the TLS handshake (ALPN, RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }

    /// Protocol version and cipher suite as IANA writes them (`TLSv1.3`, `TLS_AES_256_GCM_SHA384`).
    pub fn tls_parameters(&self) -> Option<(&'static str, Option<&'static str>)> {
        let Stream::Tls(stream) = &self.stream else { return None };
        let session = stream.get_ref().1;
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        let suite = session.negotiated_cipher_suite().map(|suite| suite.suite());
        let cipher = suite.and_then(|suite| match suite {
            // rustls calls these TLS13_…
            rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
            rustls::CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
            rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
            other => other.as_str(),
        });
        Some((version, cipher))
    }

    /// What a SASL exchange can be bound to (RFC 9266): the keys of TLS 1.3. Those of 1.2 would do only
    /// with an extended master secret, and whether it was agreed on cannot be asked.
    pub fn channel_binding(&self) -> Option<ChannelBinding> {
        let Stream::Tls(stream) = &self.stream else { return None };
        let session = stream.get_ref().1;
        if session.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
            return None;
        }
        let exported = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        exported.ok().map(ChannelBinding::new)
    }

    /// True if a password may cross this connection: it is TLS, or never leaves the machine in the clear.
    pub fn may_authenticate(&self) -> bool {
        self.is_tls() || self.is_private || self.peer.ip().is_loopback()
    }

    /// Waits until a read would yield something (data, the end, or an error) without needing a
    /// buffer: an idle client holds none.
    pub async fn readable(&mut self) -> io::Result<()> {
        match &mut self.stream {
            // Not `TcpStream::readable`: it also returns when the last read just filled its buffer.
            Stream::Plain(stream) => stream.peek(&mut [0]).await.map(|_| ()),
            // A readable socket may hold a TLS record without data, or half of one; this waits
            // for application data.
            Stream::Tls(stream) => {
                std::future::poll_fn(|cx| match Pin::new(&mut **stream).poll_fill_buf(cx) {
                    Poll::Ready(result) => Poll::Ready(result.map(|_| ())),
                    Poll::Pending => Poll::Pending,
                })
                .await
            }
        }
    }

    /// Makes the connection a TLS one, as server.
    ///
    /// The caller has thrown away (or refused) every byte that it read beyond its STARTTLS command
    /// (RFC 3207 §4.2, RFC 9051 §6.2.1): what was sent before the handshake must not be believed
    /// after it. Bytes still in the socket are read as handshake and break it.
    pub async fn start_tls(self, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let Stream::Plain(stream) = self.stream else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the connection is TLS already"));
        };
        // Boxed: the handshake's state would otherwise stay part of the handler's future for good.
        let handshake = Box::pin(tokio::time::timeout(HANDSHAKE_TIME, TlsAcceptor::from(tls).accept(stream)));
        let stream = handshake
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), ..self })
    }
}

pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

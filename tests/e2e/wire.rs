//! Sockets of the tests: plain TCP or TLS that trusts exactly the hub's certificate.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::PATIENCE;

#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    pub(crate) fn new(ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).expect("the CA file") {
            roots.add(certificate.expect("PEM")).expect("a CA certificate");
        }
        Self(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to((Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_nodelay(true).expect("nodelay");
        // A hang becomes an error.
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self::Plain(socket)
    }

    /// Makes the handshake for the name `localhost`; the certificate must be good for it.
    pub(crate) fn into_tls(self, tls: &Tls) -> io::Result<Self> {
        self.into_tls_named(tls, "localhost")
    }

    pub(crate) fn into_tls_named(self, tls: &Tls, name: &str) -> io::Result<Self> {
        let Self::Plain(mut socket) = self else { panic!("TLS within TLS") };
        let name = ServerName::try_from(name.to_owned()).expect("a server name");
        let mut connection = ClientConnection::new(tls.0.clone(), name).expect("a TLS client");
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

//! IMAP4rev1 (RFC 3501), IMAP4rev2 (RFC 9051) and their extensions.
//!
//! The room translates between wire words and hub calls. It must not know how anything is stored,
//! who may do what, or how mail arrives: those are the hub's affairs. It knows `hub`, `hub-wire` and
//! `imap-codec`.
//!
//! The way of a command: `framing` cuts bytes into lines and literals, `input` turns them into
//! steps with the help of `grammar`, `conversation` takes the steps one by one, `session`
//! says what its state allows, `commands` carries it out, and `view` says what has changed
//! meanwhile. Only this file knows sockets.
//!
//! RFCs: 2177 (IDLE), 2342 (NAMESPACE), 2971 (ID), 3348, 3501, 3502 (MULTIAPPEND), 3516 (BINARY),
//! 3691 (UNSELECT), 4314 (one's own rights), 4315 (UIDPLUS), 4469 (CATENATE), 4731 (ESEARCH), 4959
//! (SASL-IR), 4978 (COMPRESS), 5032 (WITHIN), 5161 (ENABLE), 5182 (SEARCHRES), 5258 (LIST-EXTENDED),
//! 5464 (METADATA), 5465 (NOTIFY), 5530 (response codes), 5819 (LIST-STATUS), 6154 (SPECIAL-USE), 6851
//! (MOVE), 6855 (UTF8=ACCEPT), 7162 (CONDSTORE, QRESYNC), 7888 (LITERAL+), 7889 (APPENDLIMIT), 8438
//! (STATUS=SIZE), 8440 (LIST-MYRIGHTS), 8474 (OBJECTID), 8508 (REPLACE), 8514 (SAVEDATE), 8970
//! (PREVIEW), 9208 (QUOTA), 9590 (LIST-METADATA).
//!
//! For searching and sorting: 4731 (ESEARCH), 5032 (WITHIN), 5182 (SEARCHRES), 5256 (SORT, THREAD),
//! 5267 (ESORT, CONTEXT=SEARCH, CONTEXT=SORT), 5957 (SORT=DISPLAY), 8514 §4.3 (SEARCH by SAVEDATE), 9394 (PARTIAL), 9585
//! (INPROGRESS).

mod binary;
mod body;
mod capability;
mod commands;
mod compress;
mod content;
mod conversation;
mod encode;
mod framing;
pub mod fuzz;
mod grammar;
mod input;
mod link;
mod mask;
mod names;
mod notify;
mod render;
mod session;
mod sets;
mod settings;
mod status;
mod view;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hub::Hub;
use hub_wire::limits::{AccountPlaces, LoginDelay};
use hub_wire::sasl::ChannelBinding;
use hub_wire::{Connection, ListenOptions};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use link::{Transport, Waiting};
pub use settings::Settings;

/// What all connections share.
pub struct Service {
    pub(crate) hub: Hub,
    /// For STARTTLS.
    pub tls: Arc<ServerConfig>,
    pub(crate) settings: Settings,
    pub(crate) delays: Arc<LoginDelay>,
    pub(crate) places: AccountPlaces<hub::AccountId>,
}

impl Service {
    /// `delays` is best shared with the other doors: a password is guessed at any of them.
    pub fn new(hub: Hub, tls: Arc<ServerConfig>, settings: Settings, delays: Arc<LoginDelay>) -> Self {
        Self { hub, tls, settings, delays, places: AccountPlaces::default() }
    }
}

/// Serves IMAP on `listener` until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    options: ListenOptions,
    service: Arc<Service>,
    shutdown: CancellationToken,
) {
    let token = shutdown.clone();
    hub_wire::listen(listener, options, shutdown, move |connection| {
        converse(Arc::clone(&service), Box::new(connection), token.clone())
    })
    .await;
}

/// Talks IMAP over one connection until one side ends it.
pub async fn converse(service: Arc<Service>, transport: Box<dyn Transport>, shutdown: CancellationToken) {
    conversation::converse(service, transport, shutdown).await;
}

impl Transport for Connection {
    fn id(&self) -> u64 {
        Self::id(self)
    }

    fn peer(&self) -> IpAddr {
        Self::peer(self).ip()
    }

    fn is_tls(&self) -> bool {
        Self::is_tls(self)
    }

    fn may_authenticate(&self) -> bool {
        Self::may_authenticate(self)
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        Self::channel_binding(self)
    }

    fn readable(&mut self) -> Waiting<'_, io::Result<()>> {
        Box::pin(Self::readable(self))
    }

    fn start_tls(
        self: Box<Self>,
        tls: Arc<ServerConfig>,
    ) -> Waiting<'static, io::Result<Box<dyn Transport>>> {
        Box::pin(async move {
            let connection: Box<dyn Transport> = Box::new(Self::start_tls(*self, tls).await?);
            Ok(connection)
        })
    }
}

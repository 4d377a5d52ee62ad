//! WebDAV class 1, 2 and 3 (RFC 4918): a twin's files in every file manager; CalDAV (RFC 4791) and CardDAV
//! (RFC 6352): its calendars and contacts in every program for them.
//!
//! The room answers its paths of the web listener ([`hub_wire::http::Mount`]). It turns HTTP and XML
//! into calls of `hub::files` and back; it must not know how anything is stored, and decides nothing
//! about them: preconditions and locks are read here and checked in the hub's transaction.
//!
//! The way of a request: `auth` opens the account, `path` says what the URL means, this file picks by
//! method, a file per concern answers; `status` has the words for what went wrong. Bodies stream in
//! both directions. What is only of calendars and address books lies in `collections/`.
//!
//! RFCs: 4918 (WebDAV), 5689 (extended MKCOL), 6578 (sync-collection), 4331 (quota), 5397
//! (current-user-principal), 3744 (reading of access rights), 3253 §3.8 (expand-property), 5323
//! (SEARCH, basicsearch), 4791 (CalDAV), 6352 (CardDAV), 6638
//! (scheduling), 5995 (POST to add), 6764 (where to begin), 7809
//! (time zones by name, the part about leaving them out), 8144 (Prefer), 9110 (ranges, conditional requests), 6750 (bearer
//! tokens), 7617 (Basic).
//! Not in RFCs: Apple's caldav-sharing and caldav-proxy, Nextcloud's uploads in pieces, OC-Checksum, X-OC-Mtime, and what Finder and Windows add.

mod auth;
mod body;
mod checksum;
mod collections;
#[doc(hidden)]
pub mod fuzz;
mod get;
mod head;
mod lock;
mod media_type;
mod nextcloud;
mod notifications;
mod options;
mod path;
mod precondition;
mod propfind;
mod proppatch;
mod props;
mod put;
mod reply;
mod report;
mod search;
mod shares;
mod status;
mod tree;
mod xml;

use std::sync::Arc;

use hub::collections::CollectionKind;
use hub::files::{Conditions, FilePath, Files};
use hub::rooms::Room;
use hub::{Account, Hub};
use hub_wire::http::{self, Answer, Body, Client, Mount};
use hub_wire::limits::LoginDelay;
use hub_wire::small_body;
use hyper::body::Body as _;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use path::{Location, Place};
use reply::Reply;
use shares::{Spot, Tree};
use status::Refusal;

/// What all requests share.
pub struct Service {
    pub hub: Hub,
    /// Best shared with the other doors: a password is guessed at any of them.
    pub delays: Arc<LoginDelay>,
}

/// A request of somebody who is logged in.
struct Call {
    account: Account,
    /// Of files that are somebody else's: from where they begin.
    location: Location,
    spot: Spot,
    head: Parts,
    body: Body,
}

/// Methods of files and folders.
const FILE_METHODS: &str =
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK, REPORT, SEARCH";
/// Methods of calendars, address books and what lies in them.
const ITEM_METHODS: &str = "OPTIONS, GET, HEAD, PUT, POST, DELETE, MKCOL, MKCALENDAR, COPY, MOVE, PROPFIND, PROPPATCH, REPORT, SEARCH";
/// Methods of what a twin has not seen yet.
const NOTIFICATION_METHODS: &str = "OPTIONS, GET, HEAD, DELETE, PROPFIND";
/// Methods of what the hub makes up: principals, and the folders above the homes.
const FIXED_METHODS: &str = "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, REPORT, SEARCH";

impl Mount for Service {
    fn takes(&self, method: &Method, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "dav" | "remote.php" => true,
            // Windows and others look at the parents of what they mount; python-caldav looks for people there.
            "" => matches!(method.as_str(), "OPTIONS" | "PROPFIND" | "REPORT"),
            ".well-known" => well_known(path).is_some(),
            _ => nextcloud::takes(path),
        }
    }

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer {
        Box::pin(async move { self.handle(client, request).await })
    }
}

impl Service {
    async fn handle(&self, client: Client, request: Request<Body>) -> Reply {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path == "/" && head.method == Method::OPTIONS {
            return options::answer(&Place::Root);
        }
        if let Some(target) = well_known(path) {
            let mut reply = reply::empty(StatusCode::MOVED_PERMANENTLY);
            reply::set(&mut reply, header::LOCATION, HeaderValue::from_static(target));
            small_body::drain(&head.headers, body).await;
            return reply;
        }
        if let Some(reply) = nextcloud::without_login(path) {
            return reply;
        }
        let is_head = head.method == Method::HEAD;
        let mut reply = match auth::log_in(self, client, &head.headers).await {
            Ok(account) => self.handle_of(account, head, body).await,
            Err(refusal) => {
                small_body::drain(&head.headers, body).await;
                refusal
            }
        };
        if is_head {
            without_content(&mut reply);
        }
        reply
    }

    async fn handle_of(&self, account: Account, head: Parts, body: Body) -> Reply {
        if let Some(reply) = nextcloud::of_account(&head, &account).await {
            return reply;
        }
        let location = match Location::parse(head.uri.path()) {
            Ok(location) => location,
            Err(why) => {
                let nowhere = Location { place: Place::Nothing, base: "/".to_owned() };
                return status::of(&why.into(), &head.method, &nowhere);
            }
        };
        let mut call = Call { account, location, spot: Spot::Other, head, body };
        let reply = call.answer().await;
        let reply = reply.unwrap_or_else(|refusal| status::of(&refusal, &call.head.method, &call.location));
        small_body::drain(&call.head.headers, call.body).await;
        reply
    }
}

impl Call {
    async fn answer(&mut self) -> Result<Reply, Refusal> {
        if let Some(room) = self.room().await? {
            return propfind::of_room(self, &room).await;
        }
        self.check_owner().await?;
        auth::check_scope(&self.account, &self.head.method, &self.location.place)?;
        if let Place::Items { .. } = self.location.place {
            return collections::answer(self).await;
        }
        if let Place::Notifications { name, .. } = &self.location.place {
            let name = name.clone();
            return notifications::answer(self, name.as_deref()).await;
        }
        if self.head.method == Method::OPTIONS {
            return Ok(options::answer(&self.location.place));
        }
        self.find_spot().await?;
        match self.head.method.as_str() {
            "GET" | "HEAD" => get::answer(self).await,
            "PROPFIND" => propfind::answer(self).await,
            "PROPPATCH" => proppatch::answer(self).await,
            "REPORT" => report::answer(self).await,
            "SEARCH" => search::answer(self).await,
            "PUT" => put::answer(self).await,
            "MKCOL" => tree::mkcol(self).await,
            "DELETE" => tree::delete(self).await,
            "COPY" => tree::copy(self).await,
            "MOVE" => tree::rename(self).await,
            "LOCK" => lock::lock(self).await,
            "UNLOCK" => lock::unlock(self).await,
            _ => Err(self.method_not_allowed()),
        }
    }

    /// The room whose principal is looked at, if it is one.
    async fn room(&self) -> Result<Option<Room>, Refusal> {
        let Place::Principal { handle } = &self.location.place else { return Ok(None) };
        let handle = handle.to_lowercase();
        if self.head.method.as_str() != "PROPFIND" || handle == self.account.handle().key() {
            return Ok(None);
        }
        Ok(self.account.rooms().await?.into_iter().find(|room| room.address.key() == handle))
    }

    /// A home is its twin's alone, and its proxies'; whether others exist is not told.
    async fn check_owner(&self) -> Result<(), Refusal> {
        match self.location.handle() {
            Some(handle) if !self.is_own(handle) => self.check_proxy(handle).await,
            _ => Ok(()),
        }
    }

    /// Whether it is the twin that asks.
    fn is_own(&self, handle: &str) -> bool {
        handle.to_lowercase() == self.account.handle().key()
    }

    async fn check_proxy(&self, handle: &str) -> Result<(), Refusal> {
        let stranger = Refusal::Status(StatusCode::FORBIDDEN, "This belongs to somebody else.");
        match &self.location.place {
            // Where the proxy's right is looked for again.
            Place::Items { kind: CollectionKind::Calendar, .. } => Ok(()),
            Place::Principal { .. } => {
                let all = self.account.proxy_for().await?;
                all.iter()
                    .any(|grant| grant.owner.key() == handle.to_lowercase())
                    .then_some(())
                    .ok_or(stranger)
            }
            _ => Err(stranger),
        }
    }

    async fn find_spot(&mut self) -> Result<(), Refusal> {
        let is_making = matches!(self.head.method.as_str(), "PUT" | "MKCOL" | "LOCK");
        self.spot = match (is_making, &self.location.place) {
            (true, Place::File { .. } | Place::Upload { .. }) => {
                Spot::Tree(Box::new(Spot::find_to_write(&self.account, &self.location).await?))
            }
            _ => Spot::find(&self.account, &self.location).await?,
        };
        if let Spot::Tree(tree) = &self.spot {
            self.location = tree.location.clone();
        }
        Ok(())
    }

    fn method_not_allowed(&self) -> Refusal {
        Refusal::Method(options::methods(&self.location.place))
    }

    /// The tree and the path in it that the request is about.
    fn target(&self) -> Result<(Files, FilePath), Refusal> {
        self.tree().map(|tree| (tree.files.clone(), tree.path()))
    }

    fn tree(&self) -> Result<&Tree, Refusal> {
        match (&self.spot, &self.location.place) {
            (Spot::Tree(tree), _) => Ok(tree),
            (Spot::Shares(..), _) => Err(shares::made_up()),
            (Spot::Other, Place::Nothing) => {
                Err(Refusal::Status(StatusCode::NOT_FOUND, "There is nothing here."))
            }
            (Spot::Other, _) => Err(self.method_not_allowed()),
        }
    }

    fn conditions(&self) -> Result<Conditions, Refusal> {
        let share = self.tree().ok().and_then(|tree| tree.share.as_ref());
        let at = share.map_or_else(FilePath::root, |(_, at)| at.clone());
        Ok(precondition::conditions(&self.head.uri, &self.head.headers, &self.location, &at)?)
    }
}

/// RFC 6764 §5: where programs that know nothing but the host begin. What is there leads on, by
/// `current-user-principal`.
fn well_known(path: &str) -> Option<&'static str> {
    matches!(path.trim_end_matches('/'), "/.well-known/caldav" | "/.well-known/carddav").then_some("/dav/")
}

/// RFC 9110 §9.3.2: the same header fields, no content.
fn without_content(reply: &mut Reply) {
    if let Some(length) = reply.body().size_hint().exact().filter(|length| *length > 0) {
        reply::set(reply, header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *reply.body_mut() = http::empty();
}

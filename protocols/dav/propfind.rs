//! PROPFIND (RFC 4918 §9.1): one row, one response, in memory that does not grow with the folder.

mod shares;

use std::collections::HashMap;

use hub::Address;
use hub::collections::Access;
use hub::files::{FileLock, FilePath, Files, Node, Shares};
use hub::rooms::Room;
use hub_wire::http::{self, Gone};
use hyper::StatusCode;
use tracing::warn;

use crate::head::{Depth, Prefer};
use crate::path::{Place, encode_into, proxy_name};
use crate::props::{Ask, Context, Subject, What};
use crate::reply::{self, Reply};
use crate::report::principals;
use crate::shares::{Spot, Tree};
use crate::status::Refusal;
use crate::xml::{CALDAV, CALENDAR_SERVER, Multistatus, Xml};
use crate::{Call, body, head};

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    // RFC 4918 §9.1: without one, infinity.
    let depth = head::depth(&call.head.headers)?.unwrap_or(Depth::Infinity);
    let ask = asked(call).await?;
    match &call.location.place {
        Place::File { .. } | Place::Upload { .. } => of_files(call, ask, depth).await,
        Place::Nothing => Err(Refusal::Status(StatusCode::NOT_FOUND, "There is nothing here.")),
        _ => of_fixed(call, &ask, depth).await,
    }
}

pub(crate) async fn asked(call: &mut Call) -> Result<Ask, Refusal> {
    match body::xml(&mut call.body).await? {
        // No body is allprop; Windows sends none.
        None => Ok(Ask::all()),
        Some(document) if document.root.name.is_dav("propfind") => {
            let nothing = Refusal::Status(StatusCode::BAD_REQUEST, "The propfind asks for nothing.");
            Ask::of(&document.root)?.ok_or(nothing)
        }
        Some(_) => Err(Refusal::Status(StatusCode::BAD_REQUEST, "The body is no propfind.")),
    }
}

async fn of_files(call: &Call, ask: Ask, depth: Depth) -> Result<Reply, Refusal> {
    if let Spot::Shares(shares, owner) = &call.spot {
        return of_shares(call, (shares, owner.as_ref()), ask, depth).await;
    }
    let tree = call.tree()?.clone();
    let path = tree.path();
    let mut node = tree.files.lookup(&path).await?;
    let is_home = path.is_root() && tree.share.is_none() && matches!(call.location.place, Place::File { .. });
    let shares = if is_home { call.account.shares().await? } else { None };
    if let Some(shares) = &shares {
        shares.add_to(&mut node);
    }
    let (account, prefer) = (call.account.clone(), head::prefer(&call.head.headers));
    let (mut rows, body) = Rows::new(call, tree, ask, prefer).await?;
    tokio::spawn(async move {
        let with_top = !(prefer.without_root && node.is_folder() && depth != Depth::Zero);
        let mut done = rows.of_tree(&path, node, depth, with_top).await;
        if let (Ok(()), Some(shares), Some(depth)) = (&done, shares, depth.below()) {
            done = rows.of_shares(&account, &shares, depth).await;
        }
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

/// `Shared with me`, or the folder of an owner in it.
async fn of_shares(
    call: &Call,
    (shares, owner): (&Shares, Option<&Address>),
    ask: Ask,
    depth: Depth,
) -> Result<Reply, Refusal> {
    let home = Tree { files: call.account.files(), location: call.location.clone(), share: None };
    let (account, prefer) = (call.account.clone(), head::prefer(&call.head.headers));
    let (mut rows, body) = Rows::new(call, home, ask, prefer).await?;
    let (shares, owner) = (shares.clone(), owner.cloned());
    tokio::spawn(async move {
        let done = match owner {
            None => rows.of_shares(&account, &shares, depth).await,
            Some(owner) => rows.of_owner(&account, &shares, &owner, depth).await,
        };
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

/// RFC 8144 §3: with the preferences that were heeded.
pub(crate) fn multistatus(prefer: Prefer, body: http::Body) -> Reply {
    let mut reply = reply::streamed_xml(StatusCode::MULTI_STATUS, body);
    let applied = match (prefer.minimal, prefer.without_root) {
        (true, true) => "return=minimal, depth-noroot",
        (true, false) => "return=minimal",
        (false, true) => "depth-noroot",
        (false, false) => return reply,
    };
    reply::set_text(&mut reply, hyper::header::HeaderName::from_static("preference-applied"), applied);
    reply::set_text(&mut reply, hyper::header::VARY, "Brief, Prefer");
    reply
}

/// Why no more rows are written.
pub(crate) enum Stop {
    Gone,
    Broken(hub::Error),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<hub::Error> for Stop {
    fn from(error: hub::Error) -> Self {
        Self::Broken(error)
    }
}

/// Rows of files and folders on their way into a multistatus.
pub(crate) struct Rows {
    out: Multistatus,
    tree: Tree,
    ask: Ask,
    prefer: Prefer,
    context: Context,
    locks: Vec<FileLock>,
}

impl Rows {
    pub(crate) async fn new(
        call: &Call,
        tree: Tree,
        ask: Ask,
        prefer: Prefer,
    ) -> Result<(Self, http::Body), Refusal> {
        let context = context(call, None).await?;
        let (sender, body) = http::channel();
        let out = Multistatus::new(sender);
        let mut rows = Self { out, tree: tree.clone(), ask, prefer, context, locks: Vec::new() };
        rows.enter(tree).await?;
        Ok((rows, body))
    }

    /// What follows is of this tree.
    pub(super) async fn enter(&mut self, tree: Tree) -> Result<(), hub::Error> {
        (self.locks, self.context.quota) = (Vec::new(), None);
        if self.ask.wants("lockdiscovery") {
            self.locks = tree.files.locks().await?;
        }
        if self.ask.wants("quota-available-bytes") || self.ask.wants("quota-used-bytes") {
            self.context.quota = Some(tree.files.quota().await?);
        }
        self.context.files = tree.location.base.clone();
        self.context.share = tree.granted().cloned();
        self.tree = tree;
        Ok(())
    }

    pub(super) async fn of_tree(
        &mut self,
        path: &FilePath,
        node: Node,
        depth: Depth,
        with_top: bool,
    ) -> Result<(), Stop> {
        let is_folder = node.is_folder();
        if with_top {
            self.page(vec![(path.to_string(), node.clone())]).await?;
        }
        match depth {
            _ if !is_folder => {}
            Depth::Zero => {}
            Depth::One => {
                let mut listing = self.tree.files.list(&node);
                while let Some(nodes) = listing.next().await? {
                    let rows = nodes.into_iter().map(|node| (below(path, &node.name), node));
                    self.page(rows.collect()).await?;
                }
            }
            Depth::Infinity => {
                let mut walk = self.tree.files.walk(&node);
                while let Some(found) = walk.next().await? {
                    let rows = found.into_iter().map(|row| (below(path, &row.path), row.node));
                    self.page(rows.collect()).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes these nodes; paths are those in the whole tree.
    pub(crate) async fn page(&mut self, rows: Vec<(String, Node)>) -> Result<(), Stop> {
        let dead = match self.ask.wants_dead() {
            true => {
                let ids: Vec<_> =
                    rows.iter().filter(|(_, node)| node.has_properties).map(|(_, node)| node.id).collect();
                if ids.is_empty() { HashMap::new() } else { self.tree.files.properties(&ids).await? }
            }
            false => HashMap::new(),
        };
        for (path, node) in &rows {
            let href = self.tree.location.href(path, node.is_folder());
            let answer = Subject {
                what: What::Node(node),
                context: &self.context,
                locks: covering(&self.locks, path),
                dead: dead.get(&node.id).map_or(&[], Vec::as_slice),
            }
            .answer(&self.ask);
            self.out.properties(&href, answer, self.prefer.minimal).await?;
        }
        Ok(())
    }

    /// A folder that nobody keeps; with its path in the home that was entered.
    pub(super) async fn made_up(&mut self, path: &str, folder: &Node) -> Result<(), Stop> {
        let subject =
            Subject { what: What::Shares(folder), context: &self.context, locks: Vec::new(), dead: &[] };
        let answer = subject.answer(&self.ask);
        let href = self.tree.location.href(path, true);
        Ok(self.out.properties(&href, answer, self.prefer.minimal).await?)
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) async fn gone(&mut self, path: &str) -> Result<(), Stop> {
        let href = self.tree.location.href(path, false);
        Ok(self.out.status(&href, StatusCode::NOT_FOUND, None).await?)
    }

    pub(crate) fn out(&mut self) -> &mut Multistatus {
        &mut self.out
    }

    pub(crate) async fn end(self, done: Result<(), Stop>) {
        self.end_with(done, |_| {}).await;
    }

    pub(crate) async fn end_with(self, done: Result<(), Stop>, last: impl FnOnce(&mut Xml)) {
        end_with(self.out, done, last).await;
    }
}

/// Ends a multistatus, or breaks it off.
pub(crate) async fn end_with(out: Multistatus, done: Result<(), Stop>, last: impl FnOnce(&mut Xml)) {
    match done {
        Ok(()) => {
            // A client that does not read to the end needs none.
            let _ = out.finish_with(last).await;
        }
        Err(Stop::Gone) => {}
        Err(Stop::Broken(error)) => {
            warn!(%error, "a multistatus broke off");
            out.abort(error).await;
        }
    }
}

/// Locks that concern the node at a path.
fn covering<'a>(locks: &'a [FileLock], path: &str) -> Vec<&'a FileLock> {
    if locks.is_empty() {
        return Vec::new();
    }
    // What has a row has a path that is one.
    let Ok(path) = FilePath::parse(path) else { return Vec::new() };
    locks.iter().filter(|lock| lock.covers(&path)).collect()
}

/// `name` may be several, with slashes between them.
pub(crate) fn below(folder: &FilePath, name: &str) -> String {
    if folder.is_root() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What all rows share, as far as it is asked for.
pub(crate) async fn context(call: &Call, asked: Option<(&Files, &Ask)>) -> Result<Context, Refusal> {
    let own = call.account.handle().to_string();
    let other = call.location.handle().filter(|handle| !call.is_own(handle));
    let handle = other.map_or_else(|| own.clone(), str::to_lowercase);
    let mut context = Context { principal: principal(&own), handle, ..Context::default() };
    context.files = call.location.base.clone();
    context.share = call.tree().ok().and_then(|tree| tree.granted().cloned());
    if let Some((files, ask)) = asked
        && (ask.wants("quota-available-bytes") || ask.wants("quota-used-bytes"))
    {
        context.quota = Some(files.quota().await?);
    }
    Ok(context)
}

pub(crate) fn principal(handle: &str) -> String {
    let mut href = String::from("/dav/principals/");
    encode_into(&mut href, handle, b"@");
    href.push('/');
    href
}

/// What the hub makes up: the folders above the homes, and principals.
async fn of_fixed(call: &Call, ask: &Ask, depth: Depth) -> Result<Reply, Refusal> {
    let (place, base) = (&call.location.place, &call.location.base);
    let is_principal = matches!(place, Place::Principal { .. } | Place::ProxyGroup { .. });
    if depth == Depth::Infinity && !is_principal {
        // RFC 4918 §9.1.1
        return Err(Refusal::Condition(StatusCode::FORBIDDEN, "propfind-finite-depth"));
    }
    let prefer = head::prefer(&call.head.headers);
    let mut context = context(call, None).await?;
    of_principals(call, ask, &mut context).await?;
    let what = match place {
        Place::Principal { .. } => What::Principal,
        Place::ProxyGroup { access, .. } => What::ProxyGroup(*access),
        _ => What::Above,
    };
    let mut rows = vec![(base.clone(), what)];
    if depth != Depth::Zero {
        rows.extend(children(place, base, &context.handle));
    }
    let (sender, body) = http::channel();
    let mut out = Multistatus::new(sender);
    let answers: Vec<_> = rows
        .into_iter()
        .map(|(href, what)| {
            let subject = Subject { what, context: &context, locks: Vec::new(), dead: &[] };
            (href, subject.answer(ask))
        })
        .collect();
    tokio::spawn(async move {
        for (href, answer) in answers {
            if out.properties(&href, answer, prefer.minimal).await.is_err() {
                return;
            }
        }
        // The last piece: if the client has gone, nobody misses it.
        let _ = out.finish().await;
    });
    Ok(multistatus(prefer, body))
}

/// What is said of principals, as far as it is asked for.
pub(crate) async fn of_principals(call: &Call, ask: &Ask, context: &mut Context) -> Result<(), Refusal> {
    if !context.is_own() {
        return Ok(());
    }
    if ask.names(CALDAV, "calendar-user-address-set") {
        context.addresses = call.account.calendar_user_addresses().await?;
    }
    let names = ["calendar-proxy-read-for", "calendar-proxy-write-for"];
    if ask.wants("group-membership") || names.iter().any(|name| ask.names(CALENDAR_SERVER, name)) {
        context.proxy_for = call.account.proxy_for().await?;
    }
    if ask.wants("group-member-set") {
        context.proxies = call.account.proxies().await?;
    }
    Ok(())
}

/// The principal of a room.
pub(crate) async fn of_room(call: &mut Call, room: &Room) -> Result<Reply, Refusal> {
    let ask = asked(call).await?;
    let context = context(call, None).await?;
    Ok(reply::xml(
        StatusCode::MULTI_STATUS,
        Xml::document("multistatus", |xml| {
            principals::response(xml, &context, &ask, What::Room(room));
        }),
    ))
}

fn children(place: &Place, base: &str, handle: &str) -> Vec<(String, What<'static>)> {
    let own = |folder: &str| {
        let mut href = folder.to_owned();
        encode_into(&mut href, handle, b"@");
        href.push('/');
        href
    };
    match place {
        Place::Root if base == "/" => vec![("/dav/".to_owned(), What::Above)],
        Place::Root => {
            let folders = ["addressbooks", "calendars", "files", "principals"];
            folders.iter().map(|folder| (format!("{base}{folder}/"), What::Above)).collect()
        }
        Place::Homes => vec![(own(base), What::Above)],
        Place::Principals => vec![(own(base), What::Principal)],
        Place::Principal { .. } => {
            let groups = [Access::Read, Access::Write].into_iter();
            groups
                .map(|access| (format!("{base}{}/", proxy_name(access)), What::ProxyGroup(access)))
                .collect()
        }
        Place::File { .. }
        | Place::Items { .. }
        | Place::Nothing
        | Place::Notifications { .. }
        | Place::ProxyGroup { .. }
        | Place::Upload { .. } => Vec::new(),
    }
}

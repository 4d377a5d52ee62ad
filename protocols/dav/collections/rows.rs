//! Rows of a multistatus about calendars, address books and what lies in them.

use std::collections::HashMap;

use hub::collections::{Collection, CollectionKind, Collections, Item, ItemId, portions_of};
use hub::files::Property;
use hub_wire::http;
use hyper::StatusCode;

use super::Target;
use super::data::{Shown, Wanted};
use crate::Call;
use crate::head::Prefer;
use crate::path::Location;
use crate::propfind::{Stop, end_with};
use crate::props::{Ask, Context, Guest, Subject, What};
use crate::xml::{Multistatus, Xml};

/// Items whose dead properties are read at once.
const PAGE: usize = 500;

/// Items that are shown at once: expanded, each may come to some MiB.
const MADE: usize = 32;

pub(super) struct Rows {
    out: Multistatus,
    location: Location,
    kind: CollectionKind,
    collections: Collections,
    ask: Ask,
    pub(super) prefer: Prefer,
    context: Context,
    data: Option<Wanted>,
}

impl Rows {
    pub(super) fn new(
        call: &Call,
        target: &Target,
        ask: Ask,
        prefer: Prefer,
        context: Context,
    ) -> (Self, http::Body) {
        let (sender, body) = http::channel();
        let rows = Self {
            out: Multistatus::new(sender),
            location: call.location.clone(),
            kind: target.kind,
            collections: target.collections.clone(),
            ask,
            prefer,
            context,
            data: None,
        };
        (rows, body)
    }

    /// What follows is of these collections.
    pub(super) fn enter(&mut self, collections: Collections, guest: Option<Guest>) {
        (self.collections, self.context.guest) = (collections, guest);
    }

    /// With the content of items, or what of it is wanted.
    pub(super) fn showing(self, data: Option<Wanted>) -> Self {
        Self { data, ..self }
    }

    pub(super) async fn home(&mut self) -> Result<(), Stop> {
        let href = self.location.href("", true);
        self.row(&href, What::Home(self.kind), &[]).await
    }

    pub(super) async fn collections(&mut self, collections: &[Collection]) -> Result<(), Stop> {
        let dead = match self.ask.wants_dead() && !collections.is_empty() {
            true => self.collections.properties_of(collections).await?,
            false => HashMap::new(),
        };
        for collection in collections {
            let href = self.location.href(&collection.name, true);
            let dead = dead.get(&collection.id.0).map_or(&[][..], Vec::as_slice);
            self.row(&href, What::Collection(self.kind, collection), dead).await?;
        }
        Ok(())
    }

    pub(super) async fn all_items(&mut self, collection: &Collection) -> Result<(), Stop> {
        let mut after = String::new();
        loop {
            let page = self.collections.items(collection.id, &after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.name);
            self.items(&collection.name, page).await?;
        }
    }

    pub(super) async fn items(&mut self, collection: &str, items: Vec<Item>) -> Result<(), Stop> {
        for page in items.chunks(PAGE) {
            let dead = self.dead(page.iter().map(|item| item.id.0).collect()).await?;
            match self.data {
                None => {
                    for item in page {
                        self.item(collection, item, None, &dead).await?;
                    }
                }
                Some(_) => {
                    for some in portions_of(page, |item| item.size).flat_map(|some| some.chunks(MADE)) {
                        self.with_content(collection, some, &dead).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The entity-tag and the content are of one moment: they are read together.
    async fn with_content(
        &mut self,
        collection: &str,
        items: &[Item],
        dead: &HashMap<i64, Vec<Property>>,
    ) -> Result<(), Stop> {
        let ids: Vec<ItemId> = items.iter().map(|item| item.id).collect();
        let Some(wanted) = self.data.take() else { return Ok(()) };
        let (contents, wanted) = wanted.shown(self.collections.contents(&ids).await?).await?;
        self.data = Some(wanted);
        // In the order that was asked for; what has gone meanwhile is not told of.
        let mut contents: HashMap<ItemId, (Item, Shown)> =
            contents.into_iter().map(|(item, shown)| (item.id, (item, shown))).collect();
        for id in ids {
            match contents.remove(&id) {
                Some((item, Shown::Text(text))) => {
                    self.item(collection, &item, Some(&text), dead).await?;
                }
                Some((item, Shown::TooMuch)) => {
                    let href = self.location.href(&format!("{collection}/{}", item.name), false);
                    self.limited(&href).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn item(
        &mut self,
        collection: &str,
        item: &Item,
        data: Option<&str>,
        dead: &HashMap<i64, Vec<Property>>,
    ) -> Result<(), Stop> {
        let href = self.location.href(&format!("{collection}/{}", item.name), false);
        let dead = dead.get(&item.id.0).map_or(&[][..], Vec::as_slice);
        self.row(&href, What::Item(self.kind, item, data), dead).await
    }

    async fn dead(&self, objects: Vec<i64>) -> Result<HashMap<i64, Vec<Property>>, Stop> {
        match self.ask.wants_dead() && !objects.is_empty() {
            true => Ok(self.collections.properties(&objects).await?),
            false => Ok(HashMap::new()),
        }
    }

    async fn row(&mut self, href: &str, what: What<'_>, dead: &[Property]) -> Result<(), Stop> {
        let subject = Subject { what, context: &self.context, locks: Vec::new(), dead };
        let answer = subject.answer(&self.ask);
        Ok(self.out.properties(href, answer, self.prefer.minimal).await?)
    }

    /// There is no such thing, at a URL as the client wrote it.
    pub(super) async fn missing(&mut self, href: &str) -> Result<(), Stop> {
        Ok(self.out.status(href, StatusCode::NOT_FOUND, None).await?)
    }

    pub(super) async fn gone(&mut self, collection: &str, name: &str) -> Result<(), Stop> {
        let href = self.location.href(&format!("{collection}/{name}"), false);
        self.missing(&href).await
    }

    /// RFC 5323 §2.3.4, RFC 6578 §3.6: there is more.
    pub(super) async fn limited(&mut self, href: &str) -> Result<(), Stop> {
        let condition = Some("number-of-matches-within-limits");
        Ok(self.out.status(href, StatusCode::INSUFFICIENT_STORAGE, condition).await?)
    }

    pub(super) async fn end(self, done: Result<(), Stop>) {
        self.end_with(done, |_| {}).await;
    }

    pub(super) async fn end_with(self, done: Result<(), Stop>, last: impl FnOnce(&mut Xml)) {
        end_with(self.out, done, last).await;
    }
}

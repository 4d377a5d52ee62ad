//! Finding objects: the index proposes, the bytes decide.

use std::collections::HashSet;

use hub_ical::{
    CardFilter, Collation, Component, ComponentFilter, ComponentTest, Document, Object, PropertyFilter,
    PropertyTest, TimeRange, Zone, Zones,
};
use hub_storage::items::{ItemRow, TimeWindow};

use crate::Result;
use crate::collections::item::PAGE;
use crate::collections::{Collection, Collections, Item, ItemId, calendar};

/// Items that one question finds at most; who asks is told that there are more.
pub const MOST_FOUND: usize = 20_000;
/// Bytes of items that are looked at at a time, but for one that has more by itself.
const AT_A_TIME: u64 = 4 << 20;
/// Bytes of folded text for one object: beyond that it is looked at itself.
const TEXT: usize = 64 << 10;
/// The text of what has too much of it. It is in no folded text, which has no control characters but
/// line breaks.
const TOO_LONG: &str = "\u{1}";

/// What a question found; [`Collections::contents`] has the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub items: Vec<Item>,
    /// There are more than [`MOST_FOUND`], or than were asked for.
    pub has_more: bool,
}

impl Collections {
    /// What a filter (RFC 4791 §9.7) takes of a calendar, in the order of names. `floating` is the
    /// clock for times without a zone; the calendar's own if it is `None`.
    pub async fn query(
        &self,
        collection: &Collection,
        filter: ComponentFilter,
        floating: Option<Zone>,
    ) -> Result<Found> {
        let floating =
            floating.or_else(|| calendar::zone_of(&collection.facts.time_zone)).unwrap_or(Zone::UTC);
        let candidates = match (times(&filter), texts(&filter)) {
            (Some(range), _) => Candidates::Within(TimeWindow { from: range.from, to: range.to }),
            (None, Some(text)) => Candidates::Texts(vec![text]),
            (None, None) => Candidates::All,
        };
        let takes = move |data: &[u8]| {
            let Ok(document) = Document::parse(data) else { return false };
            document.roots().next().is_some_and(|calendar| {
                let zones = Zones::of(Some(calendar));
                filter.takes(calendar, &Object::all(calendar, &zones), &floating)
            })
        };
        self.find_among(collection, candidates, MOST_FOUND, takes).await
    }

    /// What a filter (RFC 6352 §10.5) takes of an address book, in the order of names, `most` at most.
    pub async fn query_cards(
        &self,
        collection: &Collection,
        filter: CardFilter,
        most: usize,
    ) -> Result<Found> {
        let candidates = card_texts(&filter).map_or(Candidates::All, Candidates::Texts);
        let takes = move |data: &[u8]| {
            let Ok(document) = Document::parse(data) else { return false };
            document.roots().next().is_some_and(|card| filter.takes(card))
        };
        self.find_among(collection, candidates, most.min(MOST_FOUND), takes).await
    }

    async fn find_among(
        &self,
        collection: &Collection,
        candidates: Candidates,
        most: usize,
        takes: impl Fn(&[u8]) -> bool + Clone + Send + 'static,
    ) -> Result<Found> {
        let (storage, account, id) = (self.storage(), self.account, collection.id);
        let mut rows: Vec<ItemRow> = Vec::new();
        match candidates {
            Candidates::All => {
                let mut after = String::new();
                loop {
                    let page = storage.items(account, id, &after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after.clone_from(&last.name);
                    rows.extend(page);
                }
            }
            Candidates::Texts(texts) => {
                for text in texts {
                    rows.append(&mut storage.items_with_text(account, id, &text, TOO_LONG).await?);
                }
            }
            Candidates::Within(window) => rows = storage.items_within(account, id, window).await?,
        }
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows.dedup_by_key(|row| row.id);
        let mut found: Vec<Item> = Vec::new();
        for rows in portions(&rows) {
            found.append(&mut self.taken(rows, takes.clone()).await?);
            if found.len() > most {
                break;
            }
        }
        let has_more = found.len() > most;
        found.truncate(most);
        Ok(Found { items: found, has_more })
    }

    async fn taken(
        &self,
        rows: &[ItemRow],
        takes: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Result<Vec<Item>> {
        let ids: Vec<ItemId> = rows.iter().map(|row| row.id).collect();
        let data = self.storage().item_data(self.account, &ids).await?;
        let taken = crate::apart(move || {
            data.into_iter().filter(|(_, data)| takes(data)).map(|(id, _)| id).collect::<HashSet<_>>()
        });
        let taken = taken.await?;
        Ok(rows.iter().filter(|row| taken.contains(&row.id)).cloned().map(Item::from).collect())
    }
}

/// Rows whose bytes fit in memory together.
pub(super) fn portions(rows: &[ItemRow]) -> impl Iterator<Item = &[ItemRow]> {
    portions_of(rows, |row| row.size)
}

/// The same of anything that has a size in bytes.
pub fn portions_of<T>(rows: &[T], size: impl Fn(&T) -> u64) -> impl Iterator<Item = &[T]> {
    let mut bytes = 0;
    rows.chunk_by(move |row, next| {
        bytes += size(row);
        let fits = bytes + size(next) <= AT_A_TIME;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

/// What has to be looked at.
enum Candidates {
    All,
    /// What has one of these in its text.
    Texts(Vec<String>),
    Within(TimeWindow),
}

/// The window that what passes must overlap. Alarms ring at other times than their events happen, so
/// theirs does not count.
fn times(filter: &ComponentFilter) -> Option<TimeRange> {
    let ComponentTest::Defined { range, components, .. } = &filter.test else { return None };
    if filter.name == "VALARM" {
        return None;
    }
    range.or_else(|| components.iter().find_map(times))
}

/// A text that what passes must have in it, folded.
fn texts(filter: &ComponentFilter) -> Option<String> {
    let ComponentTest::Defined { properties, components, .. } = &filter.test else { return None };
    let own = properties.iter().filter_map(|property| property_texts(property)?.into_iter().next());
    own.max_by_key(String::len).or_else(|| components.iter().find_map(texts))
}

/// Texts of which what passes must have one in it, folded; `None` if it need not have any.
fn card_texts(filter: &CardFilter) -> Option<Vec<String>> {
    let mut all = filter.properties.iter().map(property_texts);
    match filter.any {
        true if filter.properties.is_empty() => None,
        true => {
            let mut texts: Vec<String> = all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
            texts.sort_unstable();
            texts.dedup();
            Some(texts)
        }
        false => all.find_map(|texts| texts),
    }
}

/// The same for one property.
fn property_texts(filter: &PropertyFilter) -> Option<Vec<String>> {
    let PropertyTest::Defined { any, range, texts, parameters } = &filter.test else { return None };
    let wanted = || texts.iter().map(|text| text.needed());
    match any {
        true if range.is_none() && parameters.is_empty() && !texts.is_empty() => wanted().collect(),
        true => None,
        false => wanted().flatten().max_by_key(String::len).map(|text| vec![text]),
    }
}

/// The values of all properties of a component and of those within, ready to be searched. Photos and
/// the like are left out: nobody looks for a word in them.
pub(super) fn folded(component: Component<'_>) -> String {
    const NOT_TEXT: [&str; 6] = ["ATTACH", "IMAGE", "KEY", "LOGO", "PHOTO", "SOUND"];
    let mut text = String::new();
    let mut waiting = vec![component];
    while let Some(component) = waiting.pop() {
        // Rules of time zones say nothing about anybody.
        if component.name() == "VTIMEZONE" {
            continue;
        }
        for property in component.properties() {
            if NOT_TEXT.iter().any(|name| property.is(name)) && property.value.len() > 1024 {
                // A filter that looks into it all the same finds it by itself.
                return TOO_LONG.to_owned();
            }
            text.push_str(&Collation::UnicodeCasemap.folded(&property.text()));
            text.push('\n');
            if text.len() > TEXT {
                return TOO_LONG.to_owned();
            }
        }
        waiting.extend(component.children());
    }
    text.retain(|c| c == '\n' || !c.is_control());
    text
}

//! ContactCard/query and /queryChanges (RFC 9610 §3.3, §3.4).

use hub::collections::{Collections, Item};
use hub_jsobjects::card;
use hub_mime::fold;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::query::{Comparator, Filter, Selection, Window};
use crate::core::set::Object;
use crate::ids;
use crate::items::query::{self as found, Key};
use crate::items::text::Wanted;
use crate::mail::dates;

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    arguments.end()?;
    let books = context.account.address_books();
    let state = books.state().await?;
    let found = results(&books, &selection).await?;
    found::answer(context, state, (&selection, &window), &found)
}

pub(crate) async fn query_changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let asked = found::take_changes(&mut arguments)?;
    arguments.end()?;
    let books = context.account.address_books();
    let found = results(&books, &asked.0).await?;
    found::changes(context, &books, asked, &found, ids::card).await
}

async fn results(books: &Collections, selection: &Selection) -> MethodResult<Vec<String>> {
    books.list().await?;
    let condition = selection.filter.as_ref().map(Condition::parse).transpose()?;
    let sort = selection.sort.iter().map(sort_key).collect::<MethodResult<Vec<_>>>()?;
    let look = |item: &Item, data: &[u8]| {
        let object = card::read(data).ok()?;
        let card = Card { item, object: &object };
        let is_it = condition.as_ref().is_none_or(|condition| condition.matches(&card));
        is_it.then(|| sort.iter().map(|key| key(&card)).collect())
    };
    let found = found::results(books, &selection.sort, |_| true, look).await?;
    Ok(found.into_iter().map(ids::card).collect())
}

/// A card that is looked at.
struct Card<'c> {
    item: &'c Item,
    object: &'c Object,
}

impl Card<'_> {
    /// When it was made or changed: as it says, or as the hub knows.
    fn time(&self, name: &str, otherwise: i64) -> i64 {
        let said = self.object.get(name).and_then(Value::as_str).and_then(dates::parse);
        said.map_or(otherwise, |(unix, _)| unix)
    }

    fn created(&self) -> i64 {
        self.time("created", self.item.created_at)
    }

    fn updated(&self) -> i64 {
        self.time("updated", self.item.modified_at)
    }

    /// Values of the components of the name, of one kind if it is named.
    fn name_components(&self, kind: Option<&str>) -> Vec<&str> {
        let list = self.object.get("name").and_then(|name| name.get("components")?.as_array());
        let of_kind = |one: &&Value| kind.is_none_or(|kind| one.get("kind").is_some_and(|is| is == kind));
        list.into_iter().flatten().filter(of_kind).filter_map(|one| one.get("value")?.as_str()).collect()
    }

    /// Texts of the entries of a map.
    fn entries(&self, map: &str, members: &[&str]) -> Vec<&str> {
        let entries = self.object.get(map).and_then(Value::as_object);
        entries
            .into_iter()
            .flatten()
            .flat_map(|(_, entry)| members.iter().filter_map(move |member| entry.get(member)?.as_str()))
            .collect()
    }

    fn addresses(&self) -> Vec<&str> {
        let entries = self.object.get("addresses").and_then(Value::as_object);
        let mut texts = self.entries("addresses", &["full"]);
        for (_, entry) in entries.into_iter().flatten() {
            let list = entry.get("components").and_then(Value::as_array);
            texts.extend(list.into_iter().flatten().filter_map(|one| one.get("value")?.as_str()));
        }
        texts
    }
}

/// All texts within a value.
fn all_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|value| all_texts(value, texts)),
        Value::Object(object) => object.values().for_each(|value| all_texts(value, texts)),
        _ => {}
    }
}

fn sort_key(comparator: &Comparator) -> MethodResult<fn(&Card<'_>) -> Key> {
    fn name(card: &Card<'_>, kind: &str) -> Key {
        Key::Text(card.name_components(Some(kind)).first().map(|text| fold(text)).unwrap_or_default())
    }
    Ok(match comparator.property.as_str() {
        "created" => |card| Key::Number(card.created()),
        "updated" => |card| Key::Number(card.updated()),
        "name/given" => |card| name(card, "given"),
        "name/surname" => |card| name(card, "surname"),
        "name/surname2" => |card| name(card, "surname2"),
        _ => return Err(MethodErrorKind::UnsupportedSort.into()),
    })
}

enum Condition {
    And(Vec<Self>),
    Not(Vec<Self>),
    Or(Vec<Self>),
    HasMember(String),
    /// `None` for an id that is none.
    InBook(Option<hub::collections::CollectionId>),
    Kind(String),
    Text(&'static str, Wanted),
    Time {
        is_created: bool,
        is_before: bool,
        at: i64,
    },
    Uid(String),
}

/// Conditions about texts.
const TEXTS: [&str; 12] = [
    "text",
    "name",
    "name/given",
    "name/surname",
    "name/surname2",
    "nickname",
    "organization",
    "email",
    "phone",
    "onlineService",
    "address",
    "note",
];

impl Condition {
    fn parse(filter: &Filter) -> MethodResult<Self> {
        let all = |filters: &[Filter]| filters.iter().map(Self::parse).collect::<MethodResult<Vec<_>>>();
        Ok(match filter {
            Filter::And(filters) => Self::And(all(filters)?),
            Filter::Not(filters) => Self::Not(all(filters)?),
            Filter::Or(filters) => Self::Or(all(filters)?),
            Filter::Condition(object) => {
                let leaves = object.iter().map(|(name, value)| Self::leaf(name, value));
                Self::And(leaves.collect::<MethodResult<_>>()?)
            }
        })
    }

    fn leaf(name: &str, value: &Value) -> MethodResult<Self> {
        let wrong = || MethodError::argument("filter", &format!("has a {name} of the wrong type"));
        let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
        let time = |is_created, is_before| -> MethodResult<Self> {
            let at = value.as_str().and_then(dates::parse).ok_or_else(wrong)?.0;
            Ok(Self::Time { is_created, is_before, at })
        };
        if let Some(known) = TEXTS.iter().find(|known| **known == name) {
            return Ok(Self::Text(known, Wanted::parse(&text()?)));
        }
        Ok(match name {
            "inAddressBook" => Self::InBook(ids::parse_address_book(&text()?)),
            "uid" => Self::Uid(text()?),
            "hasMember" => Self::HasMember(text()?),
            "kind" => Self::Kind(text()?),
            "createdBefore" => time(true, true)?,
            "createdAfter" => time(true, false)?,
            "updatedBefore" => time(false, true)?,
            "updatedAfter" => time(false, false)?,
            _ => {
                let kind = MethodErrorKind::UnsupportedFilter;
                return Err(MethodError::new(kind, format!("{name} is unknown")));
            }
        })
    }

    fn matches(&self, card: &Card<'_>) -> bool {
        let text = |name: &str| card.object.get(name).and_then(Value::as_str);
        match self {
            Self::And(all) => all.iter().all(|part| part.matches(card)),
            Self::Not(none) => !none.iter().any(|part| part.matches(card)),
            Self::Or(any) => any.iter().any(|part| part.matches(card)),
            Self::HasMember(uid) => {
                card.object.get("members").is_some_and(|members| members.get(uid).is_some())
            }
            Self::InBook(book) => *book == Some(card.item.collection),
            Self::Kind(kind) => text("kind").unwrap_or("individual") == kind,
            Self::Time { is_created, is_before, at } => {
                let time = if *is_created { card.created() } else { card.updated() };
                (time < *at) == *is_before
            }
            Self::Uid(uid) => text("uid").unwrap_or(&card.item.uid) == uid,
            Self::Text(about, wanted) => wanted.is_in(texts_about(card, about)),
        }
    }
}

/// What a condition looks into.
fn texts_about<'c>(card: &'c Card<'_>, about: &str) -> Vec<&'c str> {
    match about {
        "name" => {
            let mut texts = card.name_components(None);
            texts.extend(card.object.get("name").and_then(|name| name.get("full")?.as_str()));
            texts
        }
        "name/given" => card.name_components(Some("given")),
        "name/surname" => card.name_components(Some("surname")),
        "name/surname2" => card.name_components(Some("surname2")),
        "nickname" => card.entries("nicknames", &["name"]),
        "organization" => card.entries("organizations", &["name"]),
        "email" => card.entries("emails", &["address", "label"]),
        "phone" => card.entries("phones", &["number", "label"]),
        "onlineService" => card.entries("onlineServices", &["service", "uri", "user", "label"]),
        "address" => card.addresses(),
        "note" => card.entries("notes", &["note"]),
        _ => {
            let mut texts = Vec::new();
            let looked_at =
                card.object.iter().filter(|(name, _)| !matches!(name.as_str(), "media" | "cryptoKeys"));
            looked_at.for_each(|(_, value)| all_texts(value, &mut texts));
            texts.extend(
                card.object
                    .get("keywords")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(word, _)| word.as_str()),
            );
            texts
        }
    }
}

//! `/query` of what is kept as text: every object is looked at, some at a time, and only what it is sorted by
//! is kept of it.

use std::cmp::Ordering;
use std::collections::HashSet;

use hub::collections::{Collections, Item, ItemId, portions_of};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodErrorKind, MethodResult};
use crate::core::query::{Comparator, QueryChanges, Selection, Window};
use crate::items;

/// Objects that one query looks at.
const MOST: usize = 100_000;

/// What an object is sorted by. Numbers are never compared with texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
}

/// Results in the order asked for; `look` tells what an object is sorted by, or that it is none of them.
/// `may_match` leaves out what need not be read.
pub(crate) async fn results(
    collections: &Collections,
    sort: &[Comparator],
    may_match: impl Fn(&Item) -> bool,
    look: impl Fn(&Item, &[u8]) -> Option<Vec<Key>>,
) -> MethodResult<Vec<ItemId>> {
    let items = items::all(collections, MOST).await?.ok_or(MethodErrorKind::RequestTooLarge)?;
    let items: Vec<Item> = items.into_iter().filter(may_match).collect();
    let mut found: Vec<(Vec<Key>, ItemId)> = Vec::new();
    for portion in portions_of(&items, |item| item.size) {
        let ids: Vec<ItemId> = portion.iter().map(|item| item.id).collect();
        let contents = collections.contents(&ids).await?;
        found.extend(contents.iter().filter_map(|(item, data)| Some((look(item, data)?, item.id))));
    }
    found.sort_by(|one, other| compare(sort, &one.0, &other.0).then(one.1.cmp(&other.1)));
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

pub(crate) fn compare(sort: &[Comparator], one: &[Key], other: &[Key]) -> Ordering {
    let by_each = sort.iter().zip(one.iter().zip(other)).map(|(comparator, (one, other))| {
        let ordering = one.cmp(other);
        if comparator.is_ascending { ordering } else { ordering.reverse() }
    });
    by_each.fold(Ordering::Equal, Ordering::then)
}

/// The answer of `/query`.
pub(crate) fn answer(
    context: &Context,
    state: u64,
    (selection, window): (&Selection, &Window),
    found: &[String],
) -> MethodResult<Map<String, Value>> {
    window.answer(context, &state.to_string(), found, selection.calculate_total, true)
}

/// What `/queryChanges` is asked.
pub(crate) fn take_changes(arguments: &mut Arguments) -> MethodResult<(Selection, QueryChanges)> {
    Ok((Selection::take(arguments)?, QueryChanges::take(arguments)?))
}

/// The answer of `/queryChanges`: where an object stands depends on nothing but itself.
pub(crate) async fn changes(
    context: &Context,
    collections: &Collections,
    (selection, request): (Selection, QueryChanges),
    found: &[String],
    id: impl Fn(ItemId) -> String,
) -> MethodResult<Map<String, Value>> {
    let changes = collections.changed_items(request.since, usize::MAX).await?;
    let changes = changes.filter(|changes| changes.state >= request.since);
    let changes = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
    let ids = |ids: &[i64]| ids.iter().map(|number| id(ItemId(*number))).collect::<HashSet<String>>();
    let changed = ids(&changes.created).union(&ids(&changes.updated)).cloned().collect();
    let gone = ids(&changes.destroyed);
    request.answer(context, &changes.state.to_string(), found, (changed, gone), &selection)
}

//! `/query` and `/queryChanges` (RFC 8620 §5.5, §5.6): filters, comparators, windows.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::parse_state;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::get::answer;
use crate::core::limits::MAX_QUERY;

/// `FilterOperator` or `FilterCondition`. Its depth is that of the JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    Condition(Map<String, Value>),
    And(Vec<Self>),
    Not(Vec<Self>),
    Or(Vec<Self>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparator {
    pub(crate) property: String,
    pub(crate) is_ascending: bool,
    /// What a property wants to know besides, like `keyword`.
    pub(crate) more: Map<String, Value>,
}

/// Collations that are accepted (RFC 4790, RFC 5051); texts are always compared by the folded form.
pub(crate) const COLLATIONS: [&str; 3] = ["i;ascii-casemap", "i;unicode-casemap", "i;ascii-numeric"];

impl Filter {
    fn parse(mut object: Map<String, Value>) -> MethodResult<Self> {
        let wrong = |why: &str| MethodError::argument("filter", why);
        let Some(operator) = object.remove("operator") else { return Ok(Self::Condition(object)) };
        let Some(Value::Array(conditions)) = object.remove("conditions") else {
            return Err(wrong("has an operator without conditions"));
        };
        if !object.is_empty() {
            return Err(wrong("has an operator with conditions beside it"));
        }
        let parse = |condition| match condition {
            Value::Object(object) => Self::parse(object),
            _ => Err(wrong("has a condition that is not an object")),
        };
        let conditions = conditions.into_iter().map(parse).collect::<MethodResult<Vec<_>>>()?;
        match operator.as_str() {
            Some("AND") => Ok(Self::And(conditions)),
            Some("OR") => Ok(Self::Or(conditions)),
            Some("NOT") => Ok(Self::Not(conditions)),
            _ => Err(wrong("has an unknown operator")),
        }
    }
}

fn comparator(value: Value) -> MethodResult<Comparator> {
    let wrong = |why: &str| MethodError::argument("sort", why);
    let Value::Object(mut more) = value else { return Err(wrong("has something that is not an object")) };
    let Some(Value::String(property)) = more.remove("property") else { return Err(wrong("has no property")) };
    let is_ascending = match more.remove("isAscending") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(ascending)) => ascending,
        Some(_) => return Err(wrong("has an isAscending that is not true or false")),
    };
    match more.remove("collation") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) if COLLATIONS.contains(&name.as_str()) => {}
        Some(_) => return Err(MethodErrorKind::UnsupportedSort.into()),
    }
    Ok(Comparator { property, is_ascending, more })
}

/// What `/query` and `/queryChanges` are asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    pub(crate) filter: Option<Filter>,
    pub(crate) sort: Vec<Comparator>,
    pub(crate) calculate_total: bool,
}

impl Selection {
    pub(crate) fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        let filter = arguments.object("filter")?.map(Filter::parse).transpose()?;
        let sort = match arguments.value("sort") {
            None => Vec::new(),
            Some(Value::Array(sort)) => sort.into_iter().map(comparator).collect::<MethodResult<_>>()?,
            Some(_) => return Err(MethodError::argument("sort", "is not an array")),
        };
        Ok(Self { filter, sort, calculate_total: arguments.flag("calculateTotal")? })
    }
}

/// Which part of the results is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    position: i64,
    anchor: Option<String>,
    anchor_offset: i64,
    limit: Option<usize>,
}

impl Window {
    pub(crate) fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        Ok(Self {
            position: arguments.int("position")?.unwrap_or(0),
            anchor: arguments.string("anchor")?,
            anchor_offset: arguments.int("anchorOffset")?.unwrap_or(0),
            limit: arguments.unsigned("limit")?.map(|limit| limit as usize),
        })
    }

    /// Where it begins, and its ids.
    fn of(&self, ids: &[String]) -> MethodResult<(usize, Vec<String>)> {
        let start = match &self.anchor {
            Some(anchor) => {
                let at = ids.iter().position(|id| id == anchor).ok_or(MethodErrorKind::AnchorNotFound)?;
                (at as i64).saturating_add(self.anchor_offset).max(0)
            }
            None if self.position < 0 => (ids.len() as i64).saturating_add(self.position).max(0),
            None => self.position,
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let from = start.min(ids.len());
        let limit = self.limit.unwrap_or(MAX_QUERY).min(MAX_QUERY);
        let until = from.saturating_add(limit).min(ids.len());
        Ok((start, ids[from..until].to_vec()))
    }

    /// The answer of `/query`; `ids` are all results.
    pub(crate) fn answer(
        &self,
        context: &Context,
        state: &str,
        ids: &[String],
        calculate_total: bool,
        can_calculate_changes: bool,
    ) -> MethodResult<Map<String, Value>> {
        let (start, window) = self.of(ids)?;
        let mut object = answer([
            ("accountId", json!(context.account_id)),
            ("queryState", json!(state)),
            ("canCalculateChanges", json!(can_calculate_changes)),
            ("position", json!(start)),
            ("ids", json!(window)),
        ]);
        if calculate_total {
            object.insert("total".into(), json!(ids.len()));
        }
        // RFC 8620 §5.5: only where the limit is not the client's.
        if self.limit.is_none_or(|limit| limit > MAX_QUERY) && ids.len() > MAX_QUERY {
            object.insert("limit".into(), json!(MAX_QUERY));
        }
        Ok(object)
    }
}

/// `/queryChanges` (RFC 8620 §5.6).
pub(crate) struct QueryChanges {
    pub(crate) since: u64,
    since_state: String,
    most: usize,
    up_to_id: Option<String>,
}

impl QueryChanges {
    pub(crate) fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        let since_state = arguments.required_string("sinceQueryState")?;
        let since = parse_state(&since_state)?;
        let most = arguments.unsigned("maxChanges")?.map_or(usize::MAX, |most| most as usize);
        Ok(Self { since, since_state, most, up_to_id: arguments.string("upToId")? })
    }

    /// The answer, from all results as they are now, what may be elsewhere in them than before, and what is
    /// gone. RFC 8620 §5.6: ids may be told as removed that were not there.
    pub(crate) fn answer(
        self,
        context: &Context,
        state: &str,
        ids: &[String],
        (changed, gone): (HashSet<String>, HashSet<String>),
        selection: &Selection,
    ) -> MethodResult<Map<String, Value>> {
        let until = match &self.up_to_id {
            // What is behind this one is not cached; if it is not there itself, all is told.
            Some(id) if !changed.contains(id) => {
                ids.iter().position(|other| other == id).map_or(ids.len(), |at| at + 1)
            }
            _ => ids.len(),
        };
        let added: Vec<Value> = ids[..until]
            .iter()
            .enumerate()
            .filter(|(_, id)| changed.contains(*id))
            .map(|(index, id)| json!({ "id": id, "index": index }))
            .collect();
        let mut removed: Vec<String> = changed.into_iter().chain(gone).collect();
        removed.sort_unstable();
        if added.len() + removed.len() > self.most {
            return Err(MethodErrorKind::TooManyChanges.into());
        }
        let mut object = answer([
            ("accountId", json!(context.account_id)),
            ("oldQueryState", json!(self.since_state)),
            ("newQueryState", json!(state)),
            ("removed", json!(removed)),
            ("added", added.into()),
        ]);
        if selection.calculate_total {
            object.insert("total".into(), json!(ids.len()));
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows() {
        let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let window = |position, anchor: Option<&str>, anchor_offset, limit| Window {
            position,
            anchor: anchor.map(str::to_owned),
            anchor_offset,
            limit,
        };
        for (window, expected) in [
            (window(0, None, 0, None), Some((0, 0..10))),
            (window(3, None, 0, Some(2)), Some((3, 3..5))),
            (window(-3, None, 0, None), Some((7, 7..10))),
            (window(-30, None, 0, Some(1)), Some((0, 0..1))),
            (window(12, None, 0, None), Some((12, 10..10))),
            (window(0, None, 0, Some(0)), Some((0, 0..0))),
            (window(5, Some("4"), 0, Some(2)), Some((4, 4..6))),
            (window(0, Some("4"), -2, Some(1)), Some((2, 2..3))),
            (window(0, Some("4"), -20, None), Some((0, 0..10))),
            (window(0, Some("4"), i64::MAX, None), Some((usize::MAX >> 1, 10..10))),
            (window(0, Some("x"), 0, None), None),
        ] {
            let found = window.of(&ids).ok();
            assert_eq!(found, expected.map(|(start, range)| (start, ids[range].to_vec())), "{window:?}");
        }
    }

    #[test]
    fn filters() {
        let parse = |value: Value| Filter::parse(value.as_object().expect("an object").clone());
        let nested = json!({ "operator": "OR", "conditions": [{ "a": 1 }, { "operator": "NOT", "conditions": [{}] }] });
        let condition = json!({ "a": 1 }).as_object().expect("an object").clone();
        assert_eq!(
            parse(nested).expect("a filter"),
            Filter::Or(vec![Filter::Condition(condition), Filter::Not(vec![Filter::Condition(Map::new())])])
        );
        for wrong in [
            json!({ "operator": "XOR", "conditions": [] }),
            json!({ "operator": "AND" }),
            json!({ "operator": "AND", "conditions": [1] }),
            json!({ "operator": "AND", "conditions": [], "a": 1 }),
        ] {
            assert!(parse(wrong.clone()).is_err(), "{wrong}");
        }
    }
}

//! `/get` (RFC 8620 §5.1): what all types do alike.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::limits::MAX_OBJECTS_IN_GET;
use crate::core::references;

pub(crate) struct GetRequest {
    /// Each once; `None` asks for all.
    pub(crate) ids: Option<Vec<String>>,
    /// `None` asks for those that the type gives by itself.
    pub(crate) properties: Option<BTreeSet<String>>,
    not_found: Vec<String>,
}

impl GetRequest {
    /// `known` says whether the type has a property.
    pub(crate) fn take(
        context: &Context,
        arguments: &mut Arguments,
        known: impl Fn(&str) -> bool,
    ) -> MethodResult<Self> {
        let mut seen = HashSet::new();
        let mut not_found = Vec::new();
        let ids = arguments.strings("ids")?.map(|ids| {
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                match references::created(&id, &context.created) {
                    Some(id) if seen.insert(id.to_owned()) => found.push(id.to_owned()),
                    Some(_) => {}
                    None => not_found.push(id),
                }
            }
            found
        });
        if ids.as_ref().is_some_and(|ids| ids.len() > MAX_OBJECTS_IN_GET) {
            return Err(MethodErrorKind::RequestTooLarge.into());
        }
        let properties = arguments.strings("properties")?;
        if let Some(unknown) = properties.iter().flatten().find(|name| *name != "id" && !known(name)) {
            return Err(MethodError::argument("properties", &format!("has {unknown:?}, which is none here")));
        }
        Ok(Self { ids, properties: properties.map(|names| names.into_iter().collect()), not_found })
    }

    pub(crate) fn wants(&self, property: &str) -> bool {
        self.properties.as_ref().is_none_or(|properties| properties.contains(property))
    }

    /// The answer. `objects` are of the ids asked for, or of all; each has its `id`.
    pub(crate) fn answer(
        self,
        context: &Context,
        state: &str,
        objects: Vec<Map<String, Value>>,
    ) -> Map<String, Value> {
        let given: HashSet<&str> = objects.iter().filter_map(|object| object.get("id")?.as_str()).collect();
        let mut not_found = self.not_found;
        not_found.extend(self.ids.iter().flatten().filter(|id| !given.contains(id.as_str())).cloned());
        let list: Vec<Value> = objects
            .into_iter()
            .map(|mut object| {
                if let Some(properties) = &self.properties {
                    object.retain(|name, _| name == "id" || properties.contains(name));
                }
                object.into()
            })
            .collect();
        answer([
            ("accountId", json!(context.account_id)),
            ("state", json!(state)),
            ("list", list.into()),
            ("notFound", json!(not_found)),
        ])
    }
}

pub(crate) fn answer<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

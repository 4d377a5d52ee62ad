//! Queries of URLs as arguments of methods.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::Problem;
use crate::core::limits::MAX_OBJECTS_IN_GET;

/// What a list is asked for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct List {
    filter: Map<String, Value>,
    sort: Vec<Value>,
    limit: Option<u64>,
    position: i64,
    properties: Option<Vec<String>>,
    /// Arguments that are passed on, like `collapseThreads`.
    more: Map<String, Value>,
}

/// Arguments of `/query` and of `/get` that a URL may have.
const OF_QUERY: [&str; 3] = ["collapseThreads", "sortAsTree", "filterAsTree"];
const OF_GET: [&str; 4] =
    ["fetchTextBodyValues", "fetchHTMLBodyValues", "fetchAllBodyValues", "maxBodyValueBytes"];

fn wrong(name: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalidArguments", &format!("{name} is of the wrong type"))
}

/// A number, `true` or `false` is taken for one; anything else is text, also what stands in quotes.
fn value(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        text => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => text.into(),
        },
    }
}

impl List {
    /// `limit`, `position`, `properties=a,b`, `sort=a,-b`; whatever else is a condition of the filter.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut list = Self::default();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "limit" => list.limit = Some(text.parse().map_err(|_| wrong("limit"))?),
                "position" => list.position = text.parse().map_err(|_| wrong("position"))?,
                "properties" => list.properties = Some(text.split(',').map(str::to_owned).collect()),
                "sort" => {
                    let comparator = |one: &str| match one.strip_prefix('-') {
                        Some(name) => json!({ "property": name, "isAscending": false }),
                        None => json!({ "property": one }),
                    };
                    list.sort = text.split(',').map(comparator).collect();
                }
                name if OF_QUERY.contains(&name) || OF_GET.contains(&name) => {
                    list.more.insert(name.to_owned(), value(&text));
                }
                name => drop(list.filter.insert(name.to_owned(), value(&text))),
            }
        }
        Ok(list)
    }

    fn only(&self, names: &[&str]) -> Map<String, Value> {
        let chosen = self.more.iter().filter(|(name, _)| names.contains(&name.as_str()));
        chosen.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub(super) fn query_arguments(&self, limit: u64) -> Map<String, Value> {
        let mut arguments = self.only(&OF_QUERY);
        arguments.insert("filter".into(), self.filter.clone().into());
        arguments.insert("sort".into(), self.sort.clone().into());
        arguments.insert("position".into(), self.position.into());
        arguments.insert("limit".into(), self.limit.unwrap_or(limit).min(MAX_OBJECTS_IN_GET as u64).into());
        arguments.insert("calculateTotal".into(), true.into());
        arguments
    }

    pub(super) fn get_arguments(&self) -> Map<String, Value> {
        let mut arguments = self.only(&OF_GET);
        if let Some(properties) = &self.properties {
            arguments.insert("properties".into(), json!(properties));
        }
        arguments
    }
}

/// `since=STATE&maxChanges=N`
pub(super) fn changes_arguments(query: &str) -> Result<Map<String, Value>, Problem> {
    let mut arguments = Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "since" => drop(arguments.insert("sinceState".into(), text.as_ref().into())),
            "maxChanges" => {
                let most: u64 = text.parse().map_err(|_| wrong("maxChanges"))?;
                arguments.insert("maxChanges".into(), most.into());
            }
            name => return Err(wrong(name)),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_arguments() {
        let list = List::parse("inMailbox=M1&hasAttachment=true&minSize=5&sort=-receivedAt,size&limit=3&position=-1&properties=id,subject&collapseThreads=true&fetchAllBodyValues=true").ok().expect("understood");
        assert_eq!(
            Value::from(list.query_arguments(50)),
            json!({
                "filter": { "inMailbox": "M1", "hasAttachment": true, "minSize": 5 },
                "sort": [{ "property": "receivedAt", "isAscending": false }, { "property": "size" }],
                "limit": 3, "position": -1, "calculateTotal": true, "collapseThreads": true,
            })
        );
        assert_eq!(
            Value::from(list.get_arguments()),
            json!({ "properties": ["id", "subject"], "fetchAllBodyValues": true })
        );
        assert!(List::parse("limit=x").is_err());
        assert!(changes_arguments("limit=1").is_err());
    }
}

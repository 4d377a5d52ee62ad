//! FileNode/query and /queryChanges (§3.2.5).

use std::collections::{BTreeSet, HashMap, HashSet};

use hub::files::{Files, Located, Node, NodeId};
use hub_mime::fold;
use serde_json::{Map, Value};

use super::{SORT_OPTIONS, blob_id};
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::query::{Filter, QueryChanges, Selection, Window};
use crate::ids;
use crate::items::query::{Key, compare};
use crate::mail::dates;

/// Files and folders that one query looks at.
const MOST: usize = 100_000;
/// Texts of one query that are looked for in contents.
const MOST_TEXTS: usize = 16;

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    let depth = arguments.unsigned("depth")?;
    arguments.end()?;
    let files = context.account.files();
    let state = files.files_state().await?.to_string();
    let found = results(&files, &selection, depth).await?;
    window.answer(context, &state, &found, selection.calculate_total, is_local(&selection, depth))
}

pub(crate) async fn query_changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let request = QueryChanges::take(&mut arguments)?;
    let depth = arguments.unsigned("depth")?;
    arguments.end()?;
    if !is_local(&selection, depth) {
        return Err(MethodErrorKind::CannotCalculateChanges.into());
    }
    let files = context.account.files();
    let found = results(&files, &selection, depth).await?;
    let changes = files.changed_nodes(request.since, usize::MAX).await?;
    let changes = changes.filter(|changes| changes.state >= request.since);
    let changes = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
    let ids = |ids: &[i64]| ids.iter().map(|id| ids::file(NodeId(*id))).collect::<HashSet<String>>();
    let changed = ids(&changes.created).union(&ids(&changes.updated)).cloned().collect();
    let gone = ids(&changes.destroyed);
    request.answer(context, &changes.state.to_string(), &found, (changed, gone), &selection)
}

/// Whether a node is among the results by what it is itself; not by the folders above it, which may move.
fn is_local(selection: &Selection, depth: Option<u64>) -> bool {
    fn asks(filter: &Filter) -> bool {
        match filter {
            Filter::And(all) | Filter::Not(all) | Filter::Or(all) => all.iter().any(asks),
            Filter::Condition(object) => object.contains_key("ancestorId"),
        }
    }
    depth.is_none() && !selection.filter.as_ref().is_some_and(asks)
}

async fn results(files: &Files, selection: &Selection, depth: Option<u64>) -> MethodResult<Vec<String>> {
    if selection.sort.iter().any(|one| !SORT_OPTIONS.contains(&one.property.as_str())) {
        return Err(MethodErrorKind::UnsupportedSort.into());
    }
    let mut texts = Vec::new();
    let condition =
        selection.filter.as_ref().map(|filter| Condition::parse(filter, depth, &mut texts)).transpose()?;
    let nodes = files.all_located(MOST).await?.ok_or(MethodErrorKind::RequestTooLarge)?;
    let tree = Tree::of(files, &nodes, &texts).await?;
    let matching =
        nodes.iter().filter(|one| condition.as_ref().is_none_or(|condition| condition.matches(&tree, one)));
    let key =
        |one: &Located| selection.sort.iter().map(|by| sort_key(&by.property, &one.node)).collect::<Vec<_>>();
    let mut found: Vec<(Vec<Key>, NodeId)> = matching.map(|one| (key(one), one.node.id)).collect();
    found.sort_by(|one, other| compare(&selection.sort, &one.0, &other.0).then(one.1.cmp(&other.1)));
    Ok(found.into_iter().map(|(_, id)| ids::file(id)).collect())
}

fn sort_key(property: &str, node: &Node) -> Key {
    match property {
        "name" => Key::Text(fold(&node.name)),
        "type" => Key::Text(fold(&node.content_type)),
        "nodeType" => Key::Number(i64::from(!node.is_folder())),
        "size" => {
            Key::Number(if node.is_folder() { 0 } else { i64::try_from(node.size).unwrap_or(i64::MAX) })
        }
        "created" => Key::Number(node.created_at),
        _ => Key::Number(node.modified_at),
    }
}

/// What conditions ask about others than the node.
struct Tree {
    parents: HashMap<NodeId, NodeId>,
    /// For each text, what has it in its content.
    with_text: Vec<BTreeSet<NodeId>>,
}

impl Tree {
    async fn of(files: &Files, nodes: &[Located], texts: &[String]) -> MethodResult<Self> {
        let parents = nodes.iter().filter_map(|one| Some((one.node.id, one.parent?))).collect();
        let mut with_text = vec![BTreeSet::new(); texts.len()];
        if !texts.is_empty() {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut finder = files.find_texts(&texts).await?;
            let nodes: Vec<&Node> = nodes.iter().map(|one| &one.node).collect();
            for (node, has) in nodes.iter().zip(finder.look(&nodes).await?) {
                for (_, set) in has.iter().zip(&mut with_text).filter(|(has, _)| **has) {
                    set.insert(node.id);
                }
            }
        }
        Ok(Self { parents, with_text })
    }

    /// Whether a node lies below a folder, and no more than so many levels.
    fn is_below(&self, node: &Located, above: NodeId, levels: u64) -> bool {
        let mut at = node.parent;
        for _ in 0..levels.min(hub::files::FilePath::LEVELS as u64) {
            match at {
                Some(parent) if parent == above => return true,
                Some(parent) => at = self.parents.get(&parent).copied(),
                None => return false,
            }
        }
        false
    }
}

enum Condition {
    And(Vec<Self>),
    Not(Vec<Self>),
    Or(Vec<Self>),
    /// `None` for an id that is none; how many levels.
    Below(Option<NodeId>, u64),
    Blob(String),
    IsFolder(bool),
    Name(String),
    /// A pattern, folded.
    NameMatch(String),
    Never,
    Size {
        least: u64,
        below: u64,
    },
    /// In the name, or only in the content.
    Text {
        index: usize,
        name: Option<String>,
    },
    Time {
        is_created: bool,
        is_before: bool,
        at: i64,
    },
    Top(bool),
    Type(String),
    TypeMatch(String),
}

impl Condition {
    fn parse(filter: &Filter, depth: Option<u64>, texts: &mut Vec<String>) -> MethodResult<Self> {
        let mut all = |filters: &[Filter]| {
            filters.iter().map(|one| Self::parse(one, depth, texts)).collect::<MethodResult<Vec<_>>>()
        };
        Ok(match filter {
            Filter::And(filters) => Self::And(all(filters)?),
            Filter::Not(filters) => Self::Not(all(filters)?),
            Filter::Or(filters) => Self::Or(all(filters)?),
            Filter::Condition(object) => {
                let leaves = object.iter().map(|(name, value)| Self::leaf(name, value, depth, texts));
                Self::And(leaves.collect::<MethodResult<_>>()?)
            }
        })
    }

    fn leaf(name: &str, value: &Value, depth: Option<u64>, texts: &mut Vec<String>) -> MethodResult<Self> {
        let wrong = || MethodError::argument("filter", &format!("has a {name} of the wrong type"));
        let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
        let flag = || value.as_bool().ok_or_else(wrong);
        let number = || value.as_u64().ok_or_else(wrong);
        let time = |is_created, is_before| -> MethodResult<Self> {
            let at = value.as_str().and_then(dates::parse).ok_or_else(wrong)?.0;
            Ok(Self::Time { is_created, is_before, at })
        };
        Ok(match name {
            "isTopLevel" => Self::Top(flag()?),
            // §3.2.5: how deep below it is an argument of the query.
            "parentId" if value.is_null() => Self::Top(true),
            "parentId" => Self::Below(ids::parse_file(&text()?), depth.unwrap_or(0).saturating_add(1)),
            "ancestorId" => Self::Below(ids::parse_file(&text()?), u64::MAX),
            "nodeType" => match text()?.as_str() {
                "file" => Self::IsFolder(false),
                "directory" => Self::IsFolder(true),
                _ => Self::Never,
            },
            "hasType" => {
                let has = Self::IsFolder(false);
                if flag()? { has } else { Self::Not(vec![has]) }
            }
            // There are none.
            "role" if value.is_null() => Self::And(Vec::new()),
            "role" => text().map(|_| Self::Never)?,
            "hasAnyRole" | "isExecutable" => {
                if flag()? {
                    Self::Never
                } else {
                    Self::And(Vec::new())
                }
            }
            "blobId" => Self::Blob(text()?),
            "createdBefore" => time(true, true)?,
            "createdAfter" => time(true, false)?,
            "modifiedBefore" => time(false, true)?,
            "modifiedAfter" => time(false, false)?,
            "minSize" => Self::Size { least: number()?, below: u64::MAX },
            "maxSize" => Self::Size { least: 0, below: number()? },
            "name" => Self::Name(text()?),
            "nameMatch" => Self::NameMatch(fold(&text()?)),
            "type" => Self::Type(fold(&text()?)),
            "typeMatch" => Self::TypeMatch(fold(&text()?)),
            "text" | "body" => {
                if texts.len() == MOST_TEXTS {
                    return Err(MethodError::argument("filter", "has too many texts"));
                }
                texts.push(text()?);
                Self::Text {
                    index: texts.len() - 1,
                    name: (name == "text").then(|| fold(value.as_str().unwrap_or_default())),
                }
            }
            _ => {
                let kind = MethodErrorKind::UnsupportedFilter;
                return Err(MethodError::new(kind, format!("{name} is unknown")));
            }
        })
    }

    fn matches(&self, tree: &Tree, one: &Located) -> bool {
        let node = &one.node;
        match self {
            Self::And(all) => all.iter().all(|part| part.matches(tree, one)),
            Self::Not(none) => !none.iter().any(|part| part.matches(tree, one)),
            Self::Or(any) => any.iter().any(|part| part.matches(tree, one)),
            Self::Below(above, levels) => above.is_some_and(|above| tree.is_below(one, above, *levels)),
            Self::Blob(id) => !node.is_folder() && blob_id(node).to_string() == *id,
            Self::IsFolder(expected) => node.is_folder() == *expected,
            Self::Name(name) => node.name == *name,
            Self::NameMatch(pattern) => is_like(&fold(&node.name), pattern),
            Self::Never => false,
            Self::Size { least, below } => !node.is_folder() && node.size >= *least && node.size < *below,
            Self::Text { index, name } => {
                tree.with_text[*index].contains(&node.id)
                    || name.as_ref().is_some_and(|text| fold(&node.name).contains(text.as_str()))
            }
            Self::Time { is_created, is_before, at } => {
                let time = if *is_created { node.created_at } else { node.modified_at };
                (time < *at) == *is_before
            }
            Self::Top(expected) => one.parent.is_none() == *expected,
            Self::Type(name) => !node.is_folder() && fold(&node.content_type) == *name,
            Self::TypeMatch(pattern) => !node.is_folder() && is_like(&fold(&node.content_type), pattern),
        }
    }
}

/// Whether a text is what a pattern says: `*` is anything, `?` one character. In the time of their product.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(c) if *c == '?' || *c == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match star {
                // The star takes one more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, in_pattern) = (taken + 1, place + 1);
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("report.pdf", "*.pdf", true),
            ("report.pdf", "rep?rt*", true),
            ("report.pdf", "*", true),
            ("", "*", true),
            ("", "?", false),
            ("report.pdf", "report", false),
            ("aXbXc", "a*X?", true),
            ("ab", "a*b*c", false),
            ("ä.txt", "?.txt", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}

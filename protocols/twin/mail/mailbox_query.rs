//! Mailbox/query, Mailbox/queryChanges (RFC 8621 §2.3, §2.4).

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use hub::{MailboxId, MailboxInfo, Role};
use hub_mime::fold;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::query::{Comparator, Filter, QueryChanges, Selection, Window};
use crate::ids;
use crate::mail::mailbox::{Tree, name};

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    let shape = Shape::take(&mut arguments)?;
    arguments.end()?;
    let state = context.account.emails().state().await?.to_string();
    let found = results(context, &selection, shape).await?;
    window.answer(context, &state, &found, selection.calculate_total, shape == Shape::default())
}

pub(crate) async fn query_changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let request = QueryChanges::take(&mut arguments)?;
    let shape = Shape::take(&mut arguments)?;
    arguments.end()?;
    // With these a mailbox moves when another one does.
    if shape != Shape::default() {
        return Err(MethodErrorKind::CannotCalculateChanges.into());
    }
    let changes = context.account.emails().mailbox_changes(request.since, usize::MAX).await?;
    let (changes, _) = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
    if changes.state < request.since {
        return Err(MethodErrorKind::CannotCalculateChanges.into());
    }
    let ids = |ids: Vec<i64>| ids.into_iter().map(|id| ids::mailbox(MailboxId(id)));
    let changed: HashSet<String> = ids(changes.created).chain(ids(changes.updated)).collect();
    let gone: HashSet<String> = ids(changes.destroyed).collect();
    let found = results(context, &selection, shape).await?;
    request.answer(context, &changes.state.to_string(), &found, (changed, gone), &selection)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    sort_as_tree: bool,
    filter_as_tree: bool,
}

impl Shape {
    fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        Ok(Self {
            sort_as_tree: arguments.flag("sortAsTree")?,
            filter_as_tree: arguments.flag("filterAsTree")?,
        })
    }
}

#[derive(Clone, Copy)]
enum SortKey {
    Name,
    ParentId,
    SortOrder,
}

async fn results(context: &Context, selection: &Selection, shape: Shape) -> MethodResult<Vec<String>> {
    let condition = selection.filter.as_ref().map(Condition::parse).transpose()?;
    let sort = selection.sort.iter().map(sort_key).collect::<MethodResult<Vec<_>>>()?;
    let tree = Tree::of(context).await?;
    let matching: HashSet<MailboxId> = tree
        .infos
        .iter()
        .filter(|info| condition.as_ref().is_none_or(|condition| condition.matches(&tree, info)))
        .map(|info| info.id)
        .collect();
    let mut sorted: Vec<&MailboxInfo> = tree.infos.iter().collect();
    sorted.sort_by(|a, b| compare(&tree, &sort, a, b));
    if shape.sort_as_tree {
        sorted = as_tree(&tree, &sorted);
    }
    let shown = |info: &&MailboxInfo| {
        matching.contains(&info.id) && (!shape.filter_as_tree || has_shown_parents(&tree, info, &matching))
    };
    Ok(sorted.into_iter().filter(shown).map(|info| ids::mailbox(info.id)).collect())
}

fn has_shown_parents(tree: &Tree, info: &MailboxInfo, matching: &HashSet<MailboxId>) -> bool {
    let mut above = tree.parent(info);
    while let Some(parent) = above {
        if !matching.contains(&parent) {
            return false;
        }
        above = tree.find(parent).and_then(|info| tree.parent(info));
    }
    true
}

/// Children directly after their parents. The depth is that of mailboxes, which is bounded.
fn as_tree<'a>(tree: &Tree, sorted: &[&'a MailboxInfo]) -> Vec<&'a MailboxInfo> {
    let mut children: HashMap<Option<MailboxId>, Vec<&MailboxInfo>> = HashMap::new();
    for info in sorted {
        children.entry(tree.parent(info)).or_default().push(info);
    }
    let mut out = Vec::with_capacity(sorted.len());
    let mut open: Vec<&MailboxInfo> = children.remove(&None).unwrap_or_default();
    open.reverse();
    while let Some(info) = open.pop() {
        out.push(info);
        open.extend(children.remove(&Some(info.id)).unwrap_or_default().into_iter().rev());
    }
    out
}

fn sort_key(comparator: &Comparator) -> MethodResult<(SortKey, bool)> {
    let key = match comparator.property.as_str() {
        "name" => SortKey::Name,
        "parentId" => SortKey::ParentId,
        "sortOrder" => SortKey::SortOrder,
        _ => return Err(MethodErrorKind::UnsupportedSort.into()),
    };
    Ok((key, comparator.is_ascending))
}

fn compare(tree: &Tree, sort: &[(SortKey, bool)], a: &MailboxInfo, b: &MailboxInfo) -> Ordering {
    sort.iter()
        .map(|(key, is_ascending)| {
            let ordering = match key {
                SortKey::Name => fold(name(a)).cmp(&fold(name(b))),
                SortKey::ParentId => tree.parent(a).map(|id| id.0).cmp(&tree.parent(b).map(|id| id.0)),
                SortKey::SortOrder => a.sort_order.cmp(&b.sort_order),
            };
            if *is_ascending { ordering } else { ordering.reverse() }
        })
        .fold(Ordering::Equal, Ordering::then)
}

enum Condition {
    And(Vec<Self>),
    HasAnyRole(bool),
    IsSubscribed(bool),
    Name(String),
    Not(Vec<Self>),
    Or(Vec<Self>),
    /// `None`: at the top; an id that is none matches nothing.
    Parent(Option<Option<MailboxId>>),
    /// `None`: without one.
    Role(Option<Role>),
    Never,
}

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
        Ok(match (name, value) {
            ("parentId", Value::Null) => Self::Parent(Some(None)),
            ("parentId", Value::String(id)) => Self::Parent(ids::parse_mailbox(id).map(Some)),
            ("name", Value::String(text)) => Self::Name(fold(text)),
            ("role", Value::Null) => Self::Role(None),
            ("role", Value::String(role)) => match Role::ALL.into_iter().find(|known| known.name() == role) {
                Some(role) => Self::Role(Some(role)),
                None => Self::Never,
            },
            ("hasAnyRole", Value::Bool(expected)) => Self::HasAnyRole(*expected),
            ("isSubscribed", Value::Bool(expected)) => Self::IsSubscribed(*expected),
            ("parentId" | "name" | "role" | "hasAnyRole" | "isSubscribed", _) => return Err(wrong()),
            _ => {
                return Err(MethodError::new(
                    MethodErrorKind::UnsupportedFilter,
                    format!("{name} is unknown"),
                ));
            }
        })
    }

    fn matches(&self, tree: &Tree, info: &MailboxInfo) -> bool {
        match self {
            Self::And(all) => all.iter().all(|part| part.matches(tree, info)),
            Self::HasAnyRole(expected) => info.role.is_some() == *expected,
            Self::IsSubscribed(expected) => info.subscribed == *expected,
            Self::Name(text) => fold(name(info)).contains(text.as_str()),
            Self::Never => false,
            Self::Not(none) => !none.iter().any(|part| part.matches(tree, info)),
            Self::Or(any) => any.iter().any(|part| part.matches(tree, info)),
            Self::Parent(parent) => *parent == Some(tree.parent(info)),
            Self::Role(role) => info.role == *role,
        }
    }
}

//! Mailbox/get, Mailbox/changes (RFC 8621 §2).

use std::collections::HashMap;

use hub::emails::MailboxCounts;
use hub::{MailboxId, MailboxInfo, Role};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::MethodResult;
use crate::core::get::GetRequest;
use crate::core::set::Object;
use crate::ids;

pub(crate) use crate::mail::mailbox_query::{query, query_changes};
pub(crate) use crate::mail::mailbox_set::set;

const PROPERTIES: [&str; 11] = [
    "name",
    "parentId",
    "role",
    "sortOrder",
    "totalEmails",
    "unreadEmails",
    "totalThreads",
    "unreadThreads",
    "myRights",
    "isSubscribed",
    "id",
];

/// Those that messages change.
const COUNTS: [&str; 4] = ["totalEmails", "unreadEmails", "totalThreads", "unreadThreads"];

/// All mailboxes of an account, and which is below which.
pub(crate) struct Tree {
    pub(crate) infos: Vec<MailboxInfo>,
    by_path: HashMap<String, MailboxId>,
}

impl Tree {
    pub(crate) async fn of(context: &Context) -> hub::Result<Self> {
        let infos = context.account.messages().mailboxes().await?;
        let by_path = infos.iter().map(|info| (info.path.clone(), info.id)).collect();
        Ok(Self { infos, by_path })
    }

    pub(crate) fn parent(&self, info: &MailboxInfo) -> Option<MailboxId> {
        let (above, _) = info.path.rsplit_once('/')?;
        self.by_path.get(above).copied()
    }

    pub(crate) fn find(&self, id: MailboxId) -> Option<&MailboxInfo> {
        self.infos.iter().find(|info| info.id == id)
    }

    pub(crate) fn with_role(&self, role: Role) -> Option<MailboxId> {
        self.infos.iter().find(|info| info.role == Some(role)).map(|info| info.id)
    }
}

/// The last level of a path.
pub(crate) fn name(info: &MailboxInfo) -> &str {
    info.path.rsplit_once('/').map_or(info.path.as_str(), |(_, name)| name)
}

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let state = context.account.emails().state().await?.to_string();
    let tree = Tree::of(context).await?;
    let counts = match COUNTS.iter().any(|name| request.wants(name)) {
        true => context.account.emails().count(tree.with_role(Role::Trash)).await?,
        false => HashMap::new(),
    };
    let wanted: Option<Vec<MailboxId>> =
        request.ids.as_ref().map(|ids| ids.iter().filter_map(|id| ids::parse_mailbox(id)).collect());
    let is_wanted = |info: &&MailboxInfo| wanted.as_ref().is_none_or(|wanted| wanted.contains(&info.id));
    let objects = tree
        .infos
        .iter()
        .filter(is_wanted)
        .map(|info| object(&tree, info, counts.get(&info.id).copied().unwrap_or_default()))
        .collect();
    Ok(request.answer(context, &state, objects))
}

fn object(tree: &Tree, info: &MailboxInfo, counts: MailboxCounts) -> Object {
    let is_inbox = info.id == MailboxId::INBOX;
    let value = json!({
        "id": ids::mailbox(info.id),
        "name": name(info),
        "parentId": tree.parent(info).map(ids::mailbox),
        "role": info.role.map(Role::name),
        "sortOrder": info.sort_order,
        "totalEmails": counts.emails,
        "unreadEmails": counts.unread_emails,
        "totalThreads": counts.threads,
        "unreadThreads": counts.unread_threads,
        "myRights": {
            "mayReadItems": info.selectable,
            "mayAddItems": info.selectable,
            "mayRemoveItems": info.selectable,
            "maySetSeen": info.selectable,
            "maySetKeywords": info.selectable,
            "mayCreateChild": true,
            "mayRename": !is_inbox,
            "mayDelete": !is_inbox,
            "maySubmit": info.selectable,
        },
        "isSubscribed": info.subscribed,
    });
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.emails().mailbox_changes(request.since, request.most).await?;
    let (changes, only_counted) = match changes {
        Some((changes, only_counted)) => (Some(changes), only_counted),
        None => (None, false),
    };
    let any = changes.as_ref().is_some_and(|changes| !changes.updated.is_empty());
    let mut answer = request.answer(context, changes, |id| ids::mailbox(MailboxId(id)))?;
    let counts = if any && only_counted { json!(COUNTS) } else { Value::Null };
    answer.insert("updatedProperties".into(), counts);
    Ok(answer)
}

//! `/changes` (RFC 8620 §5.2).

use hub::emails::Changes;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::get::answer;

pub(crate) struct ChangesRequest {
    pub(crate) since: u64,
    since_state: String,
    pub(crate) most: usize,
}

impl ChangesRequest {
    pub(crate) fn take(arguments: &mut Arguments) -> MethodResult<Self> {
        let since_state = arguments.required_string("sinceState")?;
        let most = arguments.unsigned("maxChanges")?;
        if most == Some(0) {
            return Err(MethodError::argument("maxChanges", "is 0"));
        }
        let since = parse_state(&since_state)?;
        Ok(Self { since, since_state, most: most.map_or(usize::MAX, |most| most as usize) })
    }

    /// The answer; `None` are changes that cannot be told.
    pub(crate) fn answer(
        self,
        context: &Context,
        changes: Option<Changes>,
        id: impl Fn(i64) -> String,
    ) -> MethodResult<Map<String, Value>> {
        let changes = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
        // A state that nobody was given yet.
        if changes.state < self.since {
            return Err(MethodErrorKind::CannotCalculateChanges.into());
        }
        let ids = |ids: Vec<i64>| ids.into_iter().map(&id).collect::<Vec<_>>();
        Ok(answer([
            ("accountId", json!(context.account_id)),
            ("oldState", json!(self.since_state)),
            ("newState", json!(changes.state.to_string())),
            ("hasMoreChanges", json!(changes.more)),
            ("created", json!(ids(changes.created))),
            ("updated", json!(ids(changes.updated))),
            ("destroyed", json!(ids(changes.destroyed))),
        ]))
    }
}

/// A state is the modseq of the last change.
pub(crate) fn parse_state(state: &str) -> MethodResult<u64> {
    let is_number = !state.is_empty() && state.bytes().all(|byte| byte.is_ascii_digit());
    let number = state.parse::<i64>().ok().filter(|_| is_number);
    number.map(|number| number as u64).ok_or_else(|| MethodErrorKind::CannotCalculateChanges.into())
}

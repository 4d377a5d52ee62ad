//! Lists of senders in DNS, tried by the entries that each of them must have (RFC 5782 §5).

use std::sync::Arc;

use hub_mailauth::{Authenticator, ListState};
use tokio::task::JoinSet;

use super::{Level, Report};
use crate::settings;
use crate::setup::Setup;

/// Tries all that are configured, at the same time: one that is gone takes as long as DNS has patience.
pub(super) async fn check(setup: &Setup, host_name: &str, report: &mut Report) {
    let lists = settings::lists(&setup.config.dnsbl);
    if lists.is_empty() {
        return;
    }
    let authenticator = match settings::dns(&setup.config.resolver) {
        Ok(dns) => Authenticator::new(host_name, Arc::new(dns)),
        Err(error) => {
            report.add(Level::Warning, &format!("lists of senders were not tried: {error:#}"));
            return;
        }
    };
    let mut asked = JoinSet::new();
    for (number, list) in lists.into_iter().enumerate() {
        let authenticator = authenticator.clone();
        asked.spawn(async move { (number, authenticator.try_list(&list).await, list.zone) });
    }
    let mut states = asked.join_all().await;
    states.sort_by_key(|(number, ..)| *number);
    for (_, state, zone) in states {
        let (level, sentence) = judge(state, &zone);
        report.add(level, &sentence);
    }
}

fn judge(state: ListState, zone: &str) -> (Level, String) {
    match state {
        ListState::Works => (Level::Fine, format!("the list {zone} answers")),
        ListState::Everybody => (
            Level::Warning,
            format!("the list {zone} names everybody and is not believed: take it out of [dnsbl]"),
        ),
        ListState::Silent => (
            Level::Warning,
            format!(
                "the list {zone} does not have the entry that is there to try it with: it is gone, or does \
                 not answer this name server (see [resolver]); meanwhile it names nobody"
            ),
        ),
    }
}

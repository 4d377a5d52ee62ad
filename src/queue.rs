//! `twinhub queue …`: what is asked of the hub, its answer, and how that reads.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};
use hub::{Error, Hub, NextHop, QueueEntry, QueueFilter, QueueOperation, QueueState, TlsDemand};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer, explain};
use crate::cli::{Queue, QueueChoice, QueueNames};
use crate::commands::{answer, confirm, look, odd, show};
use crate::setup::Setup;
use crate::text::{print, printable, size, time};

/// Which recipients are meant.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Filter {
    ids: Vec<i64>,
    domain: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
}

/// What can be asked about the queue.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    List(Filter),
    Operate(Operation, Filter),
    Show(i64),
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    Delete,
    Hold,
    Release,
    Retry,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Queued {
    pub(crate) id: i64,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) next_hop: String,
    pub(crate) size: u64,
    pub(crate) attempts: u32,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) delay_told_at: Option<i64>,
    pub(crate) next_attempt_at: i64,
    pub(crate) state: State,
    pub(crate) status: String,
    pub(crate) log: Vec<Attempt>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Ended,
    Held,
    HopDown { until: i64, why: String },
    Sending,
    Waits,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Attempt {
    number: u32,
    made_at: i64,
    remote: String,
    tls: String,
    answer: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, request: Request) -> Result<Answer, String> {
    let queue = match request {
        Request::List(filter) => hub.queue(&filter.into()).await.map_err(explain)?,
        Request::Operate(operation, filter) => {
            let operated = hub.operate_queue(operation.into(), filter.into()).await.map_err(explain)?;
            return Ok(Answer::QueueChanged { done: operated.done, busy: operated.busy });
        }
        Request::Show(id) => hub.queued(id).await.map_err(|error| match error {
            Error::NotFound(_) => format!("there is no message {id} in the queue; see: twinhub queue list"),
            error => explain(error),
        })?,
    };
    Ok(Answer::Queue(queue.into_iter().map(Queued::from).collect()))
}

pub(crate) async fn run(setup: &Setup, command: Queue) -> Result<()> {
    match command {
        Queue::List { names, list } => {
            let queue = listed(setup, Request::List(filter(Vec::new(), names))).await?;
            let row = |entry: &Queued| {
                [
                    entry.id.to_string(),
                    time(entry.created_at),
                    sender(entry).to_owned(),
                    entry.to.clone(),
                    size(entry.size),
                    entry.attempts.to_string(),
                    time(entry.next_attempt_at),
                    brief(entry),
                ]
            };
            let titles = ["ID", "SINCE (UTC)", "FROM", "TO", "SIZE", "TRIED", "NEXT (UTC)", "LAST ANSWER"];
            show(&list, &queue, titles, row)
        }
        Queue::Show { id, list } => {
            let queue = listed(setup, Request::Show(id)).await?;
            if list.json {
                print(&format!("{}\n", serde_json::to_string_pretty(&queue)?))?;
                return Ok(());
            }
            Ok(print(&described(&queue))?)
        }
        Queue::Retry { choice } => change(setup, Operation::Retry, choice).await,
        Queue::Hold { choice } => change(setup, Operation::Hold, choice).await,
        Queue::Release { choice } => change(setup, Operation::Release, choice).await,
        Queue::Delete { choice, yes } => {
            let question = "Delete it from the queue? Nobody is told, and there is no way back.";
            if !yes && std::io::stdin().is_terminal() && !confirm(question)? {
                bail!("nothing was deleted");
            }
            change(setup, Operation::Delete, choice).await
        }
    }
}

async fn listed(setup: &Setup, what: Request) -> Result<Vec<Queued>> {
    match answer(look(setup, admin::Request::Queue { what }).await?)? {
        Answer::Queue(queue) => Ok(queue),
        _ => odd(),
    }
}

async fn change(setup: &Setup, operation: Operation, choice: QueueChoice) -> Result<()> {
    let what = Request::Operate(operation, filter(choice.ids, choice.names));
    let request = admin::Request::Queue { what };
    let Answer::QueueChanged { done, busy } = answer(look(setup, request).await?)? else { return odd() };
    let verb = match operation {
        Operation::Delete => "deleted",
        Operation::Hold => "held",
        Operation::Release => "released",
        Operation::Retry => "to be tried now",
    };
    print(&format!("{verb}: {done} {}\n", recipients(done)))?;
    if busy > 0 {
        let (what, are) = (recipients(busy), if busy == 1 { "is" } else { "are" });
        print(&format!("left alone: {busy} {what}, to which mail {are} just being sent\n"))?;
    }
    Ok(())
}

fn recipients(count: usize) -> &'static str {
    if count == 1 { "recipient" } else { "recipients" }
}

fn filter(ids: Vec<i64>, names: QueueNames) -> Filter {
    let QueueNames { domain, sender, recipient } = names;
    Filter { ids, domain, sender, recipient }
}

fn sender(entry: &Queued) -> &str {
    if entry.from.is_empty() { "<>" } else { &entry.from }
}

/// Why it is here, for a list.
fn brief(entry: &Queued) -> String {
    match &entry.state {
        State::Ended => format!("(is over) {}", entry.status),
        State::Held => "(held)".to_owned(),
        State::HopDown { why, .. } => why.clone(),
        State::Sending => "(is being sent)".to_owned(),
        State::Waits => entry.status.clone(),
    }
}

/// One message in sentences.
fn described(queue: &[Queued]) -> String {
    let Some(first) = queue.first() else { return "none\n".to_owned() };
    let mut text = format!(
        "Message {} from {}, {}\n  queued {} (UTC), given up {}\n",
        first.id,
        printable(sender(first)),
        size(first.size),
        time(first.created_at),
        time(first.expires_at)
    );
    if let Some(told_at) = first.delay_told_at {
        text.push_str(&format!("  its sender was told of the delay {}\n", time(told_at)));
    }
    for entry in queue {
        text.push_str(&format!("\nTo {} by {}\n", printable(&entry.to), printable(&entry.next_hop)));
        text.push_str(&format!("  {}\n", printable(&reason(entry))));
        for attempt in &entry.log {
            let remote = if attempt.remote.is_empty() { "nobody reached" } else { &attempt.remote };
            let tls = if attempt.tls.is_empty() { "" } else { ", " };
            text.push_str(&printable(&format!(
                "  attempt {} at {} ({remote}{tls}{}): {}",
                attempt.number,
                time(attempt.made_at),
                attempt.tls,
                attempt.answer
            )));
            text.push('\n');
        }
    }
    text
}

/// Why a recipient waits.
fn reason(entry: &Queued) -> String {
    let next = time(entry.next_attempt_at);
    match &entry.state {
        State::Ended => format!("is over, and its sender is told soon: {}", entry.status),
        State::Held => format!("held until somebody says: twinhub queue release {}", entry.id),
        State::HopDown { until, why } => {
            format!("due, but the next hop is left alone until {}: {why}", time(*until))
        }
        State::Sending => "is being sent, or about to be".to_owned(),
        State::Waits if entry.status.is_empty() => format!("due since {next}, not tried yet"),
        State::Waits => format!("tried {} times, next at {next}; last: {}", entry.attempts, entry.status),
    }
}

impl From<Operation> for QueueOperation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Delete => Self::Delete,
            Operation::Hold => Self::Hold,
            Operation::Release => Self::Release,
            Operation::Retry => Self::Retry,
        }
    }
}

impl From<Filter> for QueueFilter {
    fn from(filter: Filter) -> Self {
        let lower = |text: Option<String>| text.map(|text| text.to_lowercase());
        Self {
            messages: filter.ids,
            domain: lower(filter.domain),
            sender: lower(filter.sender).map(|sender| if sender == "<>" { String::new() } else { sender }),
            recipient: lower(filter.recipient),
        }
    }
}

fn where_to(hop: &NextHop) -> String {
    match hop {
        NextHop::Mx(domain, _) => format!("the mail servers of {domain}"),
        NextHop::Relay(_) => "the relay host".to_owned(),
    }
}

/// What the sender wants of TLS.
fn demand(tls: TlsDemand) -> &'static str {
    match tls {
        TlsDemand::ByPolicy => "",
        TlsDemand::NotRequired => ", with or without TLS",
        TlsDemand::Preferred => ", with verified TLS (REQUIRETLS) if they offer it",
        TlsDemand::Required => ", with verified TLS (REQUIRETLS) only",
    }
}

impl From<QueueEntry> for Queued {
    fn from(entry: QueueEntry) -> Self {
        Self {
            id: entry.message,
            from: entry.reverse_path,
            to: entry.address,
            next_hop: entry.next_hop.as_ref().map_or_else(
                || "a road that this version does not know".to_owned(),
                |hop| where_to(hop) + demand(hop.tls()),
            ),
            size: entry.size,
            attempts: entry.attempts,
            created_at: entry.created_at,
            expires_at: entry.expires_at,
            delay_told_at: entry.delay_told_at,
            next_attempt_at: entry.next_attempt_at,
            state: match entry.state {
                QueueState::Ended => State::Ended,
                QueueState::Held => State::Held,
                QueueState::HopDown(pause) => State::HopDown { until: pause.until, why: pause.why },
                QueueState::Sending => State::Sending,
                QueueState::Waits => State::Waits,
            },
            status: entry.last_status,
            log: entry
                .attempts_log
                .into_iter()
                .map(|attempt| Attempt {
                    number: attempt.number,
                    made_at: attempt.made_at,
                    remote: attempt.remote,
                    tls: attempt.tls,
                    answer: attempt.answer,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_described_in_sentences() {
        let entry = |to: &str, state, status: &str, log| Queued {
            id: 12,
            from: String::new(),
            to: to.into(),
            next_hop: "the mail servers of far.test".into(),
            size: 1024,
            attempts: 1,
            created_at: 0,
            expires_at: 86_400,
            delay_told_at: Some(14_400),
            next_attempt_at: 3600,
            state,
            status: status.into(),
            log,
        };
        let attempt = Attempt {
            number: 1,
            made_at: 60,
            remote: "mx.far.test".into(),
            tls: "TLS 1.3".into(),
            answer: "451 4.7.1 \u{1b}[2Jlater".into(),
        };
        let down = State::HopDown { until: 7200, why: "connection refused".into() };
        let queue = [
            entry("a@far.test", State::Waits, "451 4.7.1 later", vec![attempt]),
            entry("b@far.test", down, "", Vec::new()),
            entry("c@far.test", State::Held, "", Vec::new()),
        ];
        let expected = "\
Message 12 from <>, 1.0 KiB
  queued 1970-01-01 00:00 (UTC), given up 1970-01-02 00:00
  its sender was told of the delay 1970-01-01 04:00

To a@far.test by the mail servers of far.test
  tried 1 times, next at 1970-01-01 01:00; last: 451 4.7.1 later
  attempt 1 at 1970-01-01 00:01 (mx.far.test, TLS 1.3): 451 4.7.1 \u{fffd}[2Jlater

To b@far.test by the mail servers of far.test
  due, but the next hop is left alone until 1970-01-01 02:00: connection refused

To c@far.test by the mail servers of far.test
  held until somebody says: twinhub queue release 12
";
        assert_eq!(described(&queue), expected);
    }

    #[test]
    fn filters_are_in_lower_case_and_know_the_null_sender() {
        let filter = Filter {
            domain: Some("Example.NET".into()),
            sender: Some("<>".into()),
            recipient: Some("Bob@Example.net".into()),
            ..Filter::default()
        };
        let filter = QueueFilter::from(filter);
        assert_eq!(filter.domain.as_deref(), Some("example.net"));
        assert_eq!(filter.sender.as_deref(), Some(""));
        assert_eq!(filter.recipient.as_deref(), Some("bob@example.net"));
    }
}

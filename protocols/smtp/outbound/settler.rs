//! Records outcomes: whatever came while the commit before was being synced goes into the next one, so
//! that many connections share statements.

use std::collections::HashMap;
use std::time::Duration;

use hub::{Hub, Settlement};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::error;

use crate::status::causes;
use crate::work::unix_now;

/// Attempts recorded in one commit.
const GROUP: usize = 64;
/// The database may be restarted just now. Outcomes are kept for a while: what was delivered and is
/// not recorded is sent again.
const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);

type Request = (Settlement, oneshot::Sender<Option<i64>>);

pub(super) struct Settler(mpsc::Sender<Request>);

impl Settler {
    /// Ends when it is dropped and everything is recorded.
    pub(super) fn start(hub: Hub) -> (Self, JoinHandle<()>) {
        let (sender, requests) = mpsc::channel(GROUP);
        (Self(sender), tokio::spawn(run(hub, requests)))
    }

    /// Records an attempt. Returns when its message is due again, if it is.
    pub(super) async fn settle(&self, settlement: Settlement) -> Option<i64> {
        let (reply, answer) = oneshot::channel();
        self.0.send((settlement, reply)).await.ok()?;
        answer.await.ok().flatten()
    }
}

async fn run(hub: Hub, mut requests: mpsc::Receiver<Request>) {
    let mut group = Vec::new();
    while requests.recv_many(&mut group, GROUP).await > 0 {
        let (settlements, replies): (Vec<_>, Vec<_>) = group.drain(..).unzip();
        let ids: Vec<i64> = settlements.iter().map(|settlement| settlement.message).collect();
        let due: HashMap<i64, i64> = record(&hub, settlements).await.into_iter().collect();
        for (id, reply) in ids.into_iter().zip(replies) {
            // A connection that was aborted does not wait any more.
            let _ = reply.send(due.get(&id).copied());
        }
    }
}

/// When messages are due again.
async fn record(hub: &Hub, settlements: Vec<Settlement>) -> Vec<(i64, i64)> {
    let mut tries = 0;
    loop {
        tries += 1;
        match hub.settle(unix_now(), &settlements).await {
            Ok(due) => return due,
            Err(error) if tries < TRIES => {
                error!(error = causes(&error), "outcomes of attempts cannot be recorded yet");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                error!(error = causes(&error), "outcomes were not recorded; the messages are sent again");
                return Vec::new();
            }
        }
    }
}

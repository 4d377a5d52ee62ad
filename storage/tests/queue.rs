//! The outbound queue.

use super::{Place, account, email};
use crate::queue::{
    self, Attempt, End, Flow, Hop, NewQueued, NewRecipient, Operated, Operation, QueueFilter, Settled,
    Settlement,
};
use crate::{AccountId, Storage};

const EVERYTHING: QueueFilter =
    QueueFilter { messages: Vec::new(), domain: None, sender: None, recipient: None };

/// Queues a message to these addresses for five seconds ago; returns its id and now.
pub(super) async fn push(storage: &Storage, sender: AccountId, to: &[&str]) -> (i64, i64) {
    let blob = email(storage, sender, b"outbound").await.blob;
    let recipient = |address: &&str| {
        let domain = address.split('@').nth(1).unwrap_or_default().to_owned();
        let hop = Hop { kind: "mx".into(), name: domain.clone() };
        NewRecipient { address: (*address).into(), domain, hop, notify: 3, original: String::new() }
    };
    let now = crate::unix_now() + 5;
    let message = NewQueued {
        account: sender,
        reverse_path: "alice@example.org".into(),
        blob,
        prefix: b"Received: x\r\n".to_vec(),
        ret: "HDRS".into(),
        envelope_id: "QQ+20".into(),
        smtputf8: false,
        eight_bit: true,
        passed_on: true,
        attend_at: now + 1000,
        expires_at: now + 5000,
        recipients: to.iter().map(recipient).collect(),
    };
    let id = storage.transact([], move |tx| Box::pin(async move { queue::push(tx, &message).await })).await;
    (id.expect("queued"), now)
}

pub(super) async fn claim_as(
    storage: &Storage,
    node: &'static str,
    hop: &str,
    now: i64,
) -> Vec<queue::DueMessage> {
    let flow = Flow { hop: hop.into(), account: AccountId(1) };
    let claim = storage.transact([], move |tx| {
        Box::pin(async move { queue::claim(tx, "mx", &flow, 10, (now, now + 60), node).await })
    });
    claim.await.expect("claimed")
}

async fn settle(storage: &Storage, message: i64, outcomes: Vec<(i64, Settled)>) {
    let settle = storage.transact([], move |tx| {
        Box::pin(async move { queue::settle(tx, &[Settlement { message, outcomes }], i64::MAX).await })
    });
    settle.await.expect("settled");
}

async fn operate(storage: &Storage, operation: Operation, filter: QueueFilter) -> Operated {
    let operate =
        storage.transact([], move |tx| Box::pin(async move { queue::operate(tx, operation, &filter).await }));
    operate.await.expect("operated")
}

fn attempt(number: u32, answer: String) -> Attempt {
    Attempt { number, remote: "mx.test".into(), tls: "TLS 1.3".into(), answer }
}

fn deferred(number: u32, next_at: i64) -> Settled {
    let answer = format!("451 4.7.1 later {number}");
    Settled::Deferred { attempt: attempt(number, answer), next_at }
}

pub(super) async fn the_queue_leases_and_settles(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (number, now) =
        push(&storage, sender, &["bob@example.net", "carol@example.com", "dave@example.net"]).await;
    let due = claim_as(&storage, "a", "example.net", now).await;
    assert_eq!(due.len(), 1);
    let ids = |message: &queue::DueMessage| message.recipients.iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!((due[0].id, ids(&due[0]), due[0].eight_bit), (number, vec![1, 3], true));
    assert!(due[0].passed_on);
    assert_eq!(storage.read_blob(due[0].blob, 0, 99).await.expect("read"), "outbound");
    assert!(claim_as(&storage, "b", "example.net", now + 59).await.is_empty(), "under lease");
    let lease = |node: &'static str, until: i64| {
        let recipients = [(number, 1), (number, 3)];
        storage
            .transact([], move |tx| Box::pin(async move { queue::lease(tx, &recipients, until, node).await }))
    };
    lease("b", now).await.expect("not its own, so nothing happens");
    lease("a", now + 600).await.expect("renewed");
    assert!(claim_as(&storage, "b", "example.net", now + 599).await.is_empty(), "renewed");
    assert_eq!(claim_as(&storage, "b", "example.net", now + 600).await.len(), 1, "the lease ended");
    let leased = |node: &'static str| {
        storage.transact([], move |tx| {
            Box::pin(async move { queue::still_leased(tx, node, &[(number, 1), (number, 3)]).await })
        })
    };
    assert!(leased("a").await.expect("asked").is_empty(), "b has it now");
    assert_eq!(leased("b").await.expect("asked").len(), 2);

    settle(&storage, number, vec![(1, Settled::Done), (3, deferred(1, now + 500))]).await;
    let rows = storage.queue(&EVERYTHING, 10).await.expect("listed");
    assert_eq!(rows.iter().map(|row| row.recipient).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((rows[1].attempts, rows[1].last_status.as_str()), (1, "451 4.7.1 later 1"));
    assert!(claim_as(&storage, "a", "example.net", now + 499).await.is_empty());
    assert_eq!(claim_as(&storage, "a", "example.net", now + 500).await[0].recipients[0].attempts, 1);
    settle(&storage, number, vec![(3, Settled::Done)]).await;
    settle(&storage, number, vec![(2, Settled::Done)]).await;
    assert!(storage.queue(&EVERYTHING, 10).await.expect("listed").is_empty());
    let blob = due[0].blob;
    assert_eq!(storage.read_blob(blob, 0, 9).await.expect("kept for a while"), "outbound");
}

/// A node that comes back frees its own leases at once, and of no other node.
pub(super) async fn a_node_knows_its_leases_after_a_crash(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (_, now) = push(&storage, sender, &["bob@a.test"]).await;
    let (other, _) = push(&storage, sender, &["bob@b.test"]).await;
    let run = |storage: &Storage| -> &'static str { String::leak(storage.lessee().to_owned()) };
    let before = run(&storage);
    let another: &'static str = String::leak(crate::node::lessee(&"e".repeat(32)).expect("a name"));
    assert_eq!(claim_as(&storage, before, "a.test", now).await.len(), 1);
    assert_eq!(claim_as(&storage, another, "b.test", now).await.len(), 1);
    storage.close().await;
    drop(storage);
    let storage = place.open().await;
    let node = run(&storage);
    assert_ne!(node, before);
    let release = || storage.transact([], move |tx| Box::pin(queue::release_leases(tx, node)));
    assert_eq!(release().await.expect("released"), 1);
    let given = claim_as(&storage, node, "a.test", now).await[0].id;
    // What is given back is not taken again by a renewal that was on its way.
    let back = storage.transact([], move |tx| {
        Box::pin(async move {
            queue::give_back(tx, &[(given, 1)], now, node).await?;
            queue::lease(tx, &[(given, 1)], now + 600, node).await
        })
    });
    back.await.expect("given back");
    assert_eq!(claim_as(&storage, node, "a.test", now).await.len(), 1);
    assert_eq!(release().await.expect("nothing to release"), 0, "its own lease stays");
    assert!(claim_as(&storage, node, "b.test", now).await.is_empty());
    let rows = storage.queue(&EVERYTHING, 10).await.expect("listed");
    assert!(rows.iter().find(|row| row.message == other).is_some_and(|row| row.leased));
}

pub(super) async fn the_timetable_has_every_flow(place: Place) {
    let storage = place.open().await;
    let (alice, _) = account(&storage, "alice", 0).await;
    let (bob, _) = account(&storage, "bob", 0).await;
    assert!(storage.queue_timetable("mx", 10).await.expect("read").is_empty());
    let (first, now) = push(&storage, alice, &["x@b.test", "y@b.test", "x@a.test"]).await;
    push(&storage, bob, &["x@b.test"]).await;
    push(&storage, alice, &["z@b.test"]).await;
    let timetable = async || {
        let found = storage.queue_timetable("mx", 10).await.expect("read");
        found.into_iter().map(|(flow, due_at)| (flow.hop, flow.account, due_at <= now)).collect::<Vec<_>>()
    };
    let all = [("a.test", alice, true), ("b.test", alice, true), ("b.test", bob, true)];
    let all = all.map(|(hop, account, due)| (hop.to_owned(), account, due));
    assert_eq!(timetable().await, all);
    assert_eq!(storage.queue_timetable("mx", 2).await.expect("read").len(), 2);
    assert!(storage.queue_timetable("twin", 10).await.expect("read").is_empty());
    let of_first = QueueFilter { messages: vec![first], ..EVERYTHING };
    operate(&storage, Operation::Hold, of_first).await;
    assert_eq!(timetable().await, all[1..], "what is held is due never");
    assert_eq!(claim_as(&storage, "a", "b.test", now).await.len(), 1);
    assert_eq!(timetable().await[0], ("b.test".to_owned(), alice, false), "at the end of the lease");

    storage.transact([], |tx| Box::pin(queue::reroute(tx, true))).await.expect("rerouted");
    assert!(storage.queue_timetable("mx", 10).await.expect("read").is_empty());
    let relayed = storage.queue_timetable("relay", 10).await.expect("read");
    assert_eq!(relayed.iter().map(|(flow, _)| flow.account).collect::<Vec<_>>(), [alice, bob]);
    storage.transact([], |tx| Box::pin(queue::reroute(tx, false))).await.expect("rerouted");
    assert_eq!(timetable().await.len(), 2);

    // What is demanded of a hop stays with it.
    storage
        .transact([], |tx| {
            let sql = "UPDATE queue_recipient SET hop_kind = 'mx+x' WHERE hop_name = 'b.test'";
            Box::pin(async move { tx.connection.execute(sql, crate::db::values![]).await })
        })
        .await
        .expect("renamed");
    for (relay, kind) in [(true, "relay+x"), (false, "mx+x")] {
        let reroute = storage.transact([], move |tx| Box::pin(queue::reroute(tx, relay)));
        reroute.await.expect("rerouted");
        assert_eq!(storage.queue_timetable(kind, 10).await.expect("read").len(), 2, "{kind}");
    }
}

pub(super) async fn the_last_attempts_are_kept(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (message, now) = push(&storage, sender, &["bob@a.test"]).await;
    for number in 1..=queue::ATTEMPTS as u32 + 3 {
        settle(&storage, message, vec![(1, deferred(number, now + i64::from(number)))]).await;
    }
    let row = storage.queued(message).await.expect("read").remove(0);
    let numbers: Vec<u32> = row.log.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (4..=11).rev().collect::<Vec<_>>());
    let last = &row.log[0];
    assert_eq!(
        (last.remote.as_str(), last.tls.as_str(), last.answer.as_str()),
        ("mx.test", "TLS 1.3", "451 4.7.1 later 11")
    );
    settle(&storage, message, vec![(1, Settled::Done)]).await;
    assert!(storage.queued(message).await.expect("read").is_empty());
    let mut reader = storage.reader().await.expect("a reader");
    let left = reader.query(
        "SELECT slot FROM queue_attempt WHERE message = $1",
        crate::db::values![message],
        |row| row.int(0),
    );
    assert!(left.await.expect("read").is_empty(), "the log goes with the recipient");
}

pub(super) async fn operators_act_on_what_they_name(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (first, now) = push(&storage, sender, &["x@a.test", "y@b.test"]).await;
    let (second, _) = push(&storage, sender, &["x@a.test"]).await;
    let in_domain = |domain: &str| QueueFilter { domain: Some(domain.into()), ..EVERYTHING };
    let list = async |filter: &QueueFilter| {
        let rows = storage.queue(filter, 10).await.expect("listed");
        rows.into_iter().map(|row| (row.message, row.recipient, row.held)).collect::<Vec<_>>()
    };
    assert_eq!(list(&in_domain("a.test")).await, [(first, 1, false), (second, 1, false)]);
    let of_sender = |sender: &str| QueueFilter { sender: Some(sender.into()), ..EVERYTHING };
    assert_eq!(list(&of_sender("alice@example.org")).await.len(), 3);
    assert!(list(&of_sender("")).await.is_empty());
    let to = QueueFilter { recipient: Some("y@b.test".into()), ..EVERYTHING };
    assert_eq!(list(&to).await, [(first, 2, false)]);

    let hold = operate(&storage, Operation::Hold, in_domain("a.test")).await;
    assert_eq!(hold, Operated { done: 2, busy: 0 });
    assert!(claim_as(&storage, "n", "a.test", now).await.is_empty());
    let only = QueueFilter { messages: vec![second], ..EVERYTHING };
    assert_eq!(operate(&storage, Operation::Retry, only.clone()).await.done, 0, "it is held");
    assert_eq!(operate(&storage, Operation::Release, only.clone()).await.done, 1);
    assert_eq!(claim_as(&storage, "n", "a.test", now).await[0].id, second);
    let busy = operate(&storage, Operation::Delete, EVERYTHING).await;
    assert_eq!(busy, Operated { done: 2, busy: 1 }, "what is being sent is left alone");
    assert_eq!(list(&EVERYTHING).await, [(second, 1, false)]);
    settle(&storage, second, vec![(1, deferred(1, now + 9000))]).await;
    assert!(claim_as(&storage, "n", "a.test", now).await.is_empty());
    assert_eq!(operate(&storage, Operation::Retry, only).await.done, 1);
    assert_eq!(claim_as(&storage, "n", "a.test", now).await.len(), 1);
}

pub(super) async fn the_overdue_are_looked_after_once(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (message, now) = push(&storage, sender, &["x@a.test", "y@b.test"]).await;
    let overdue = async |at: i64| {
        storage.transact([], move |tx| Box::pin(queue::overdue(tx, at, 10))).await.expect("asked")
    };
    assert!(overdue(now + 999).await.is_empty());
    claim_as(&storage, "n", "a.test", now + 990).await;
    let found = overdue(now + 1000).await;
    let ids = found[0].recipients.iter().map(|overdue| overdue.recipient.id).collect::<Vec<_>>();
    assert_eq!((ids, found[0].delay_told), (vec![2], false), "1 is being sent");
    assert_eq!(overdue(now + 2000).await[0].recipients.len(), 2, "that lease has ended");
    let attend = async || {
        let looked = [(message, now + 1000, now + 5000, true)];
        let attend =
            storage.transact([], move |tx| Box::pin(async move { queue::attend(tx, &looked).await }));
        attend.await.expect("attended").into_iter().collect::<Vec<_>>()
    };
    assert_eq!(attend().await, [message]);
    assert!(attend().await.is_empty(), "another node was quicker");
    assert!(overdue(now + 4999).await.is_empty());
    assert!(storage.queued(message).await.expect("read")[0].delay_told_at > 0);
    let waiting = storage.transact([], move |tx| {
        Box::pin(async move { queue::still_waiting(tx, now + 1000, &[(message, 1), (message, 2)]).await })
    });
    let waiting = waiting.await.expect("asked");
    assert_eq!(waiting.into_iter().collect::<Vec<_>>(), [(message, 2)]);
}

/// What has ended stays until the sender is told, and is told when the others were tried too, or
/// some time after it.
pub(super) async fn what_has_ended_is_told_together(place: Place) {
    let storage = place.open().await;
    let (sender, _) = account(&storage, "alice", 0).await;
    let (message, now) = push(&storage, sender, &["x@a.test", "y@b.test", "z@c.test"]).await;
    let gathered = now + 120;
    let settle = async |recipient: i64, settled: Settled| {
        let settlement = [Settlement { message, outcomes: vec![(recipient, settled)] }];
        let settle = storage
            .transact([], move |tx| Box::pin(async move { queue::settle(tx, &settlement, gathered).await }));
        settle.await.expect("settled");
    };
    let told_at = async || {
        let overdue = storage.transact([], move |tx| Box::pin(queue::overdue(tx, i64::MAX, 10))).await;
        overdue.expect("asked").first().map(|overdue| overdue.attend_at)
    };
    let ended = |end| Settled::Ended { attempt: attempt(1, "550 5.1.1 no".into()), end };
    assert_eq!(told_at().await, Some(now + 1000), "of the delay");
    settle(1, ended(End::Failed)).await;
    assert_eq!(told_at().await, Some(gathered), "the others were not tried yet");
    settle(2, deferred(1, now + 60)).await;
    assert_eq!(told_at().await, Some(gathered));
    assert!(claim_as(&storage, "n", "a.test", now + 9000).await.is_empty(), "it is over");
    assert!(storage.queue(&EVERYTHING, 10).await.expect("listed")[0].ended);
    for operation in [Operation::Hold, Operation::Release, Operation::Retry] {
        let only = QueueFilter { recipient: Some("x@a.test".into()), ..EVERYTHING };
        assert_eq!(operate(&storage, operation, only).await.done, 0, "{operation:?}");
    }
    settle(3, ended(End::Relayed)).await;
    assert!(told_at().await.is_some_and(|at| at <= now), "each was tried");

    let overdue = storage.transact([], move |tx| Box::pin(queue::overdue(tx, now, 10))).await;
    let overdue = overdue.expect("asked").remove(0);
    let ends = overdue.recipients.iter().map(|r| (r.recipient.id, r.end, r.remote.as_str(), r.tried_at > 0));
    let expected = [(1, Some(End::Failed)), (2, None), (3, Some(End::Relayed))];
    assert_eq!(ends.collect::<Vec<_>>(), expected.map(|(id, end)| (id, end, "mx.test", true)));
    assert_eq!(overdue.recipients[0].hop, Hop { kind: "mx".into(), name: "a.test".into() });
    settle(1, Settled::Done).await;
    settle(3, Settled::Done).await;
    settle(2, Settled::Done).await;
    assert!(storage.queue(&EVERYTHING, 10).await.expect("listed").is_empty());
}

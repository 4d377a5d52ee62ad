//! kill -9 in the middle of sending. What was acknowledged is at the other side, or reported, after
//! however many crashes, whether its author sent it there or somebody's rules; reported exactly once, and sent twice only if a kill came between the other
//! side's 250 and our commit.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use super::sink::{Manner, Sink};
use super::{config, message, queue, reports_to};
use crate::harness::{ALICE, BOB, Database, Hub, PATIENCE, Random, wait_until};
use crate::on_both_databases;
use crate::smtp_client::Smtp;

on_both_databases!(kill_9_sends_and_reports_everything);

const CYCLES: u64 = 20;
const SENDERS: u64 = 4;
/// Acknowledgements to wait for before the kill, so that a slow machine shows as much.
const FIRST: usize = 8;
/// Connections to one host: at the kill, each can have one message with a 250 that is not recorded.
const CONNECTIONS: usize = 20;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// One recipient who exists.
    Arrive,
    /// One who does not.
    Bounce,
    /// One of each.
    Both,
    /// A twin whose rules pass it on to somebody who exists.
    PassOn,
    /// The same to nobody: it comes back to the twin, and the sender hears nothing.
    ComeBack,
}

/// What bob does with what comes for him.
const RULES: &str = "if header :contains \"subject\" \"ComeBack\" { redirect \"bounce@far.test\"; }\n\
                     else { redirect \"friend@far.test\"; }\n";

impl Fate {
    fn recipients(self) -> &'static [&'static str] {
        match self {
            Self::Arrive => &["friend@far.test"],
            Self::Bounce => &["bounce@far.test"],
            Self::Both => &["bounce@far.test", "friend@far.test"],
            Self::ComeBack | Self::PassOn => &[BOB],
        }
    }

    fn any(random: &mut Random) -> Self {
        [Self::Arrive, Self::Arrive, Self::Bounce, Self::Both, Self::PassOn, Self::ComeBack]
            [random.below(6) as usize]
    }
}

fn kill_9_sends_and_reports_everything(database: Database) {
    let seed =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros() as u64;
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let sink = Sink::start(Manner::Good);
    let mut hub = Hub::new(database, &config(&sink, 0.001));
    hub.launch_with_people();
    hub.cli_with_input(&["sieve", "put", BOB, "main", "-"], RULES);
    hub.admin(&["sieve", "activate", BOB, "main"]);
    let promised = Mutex::new(BTreeMap::new());
    for cycle in 0..CYCLES {
        // Some trouble, so that there are retries too.
        let manner = match random.below(4) {
            0 => Manner::DeferRecipients,
            1 => Manner::DeferData,
            _ => Manner::Good,
        };
        sink.behave(manner);
        let delay = Duration::from_millis(random.below(300));
        run_until_killed(&mut hub, cycle, random.next(), delay, &promised);
        let power_cut = cycle % 4 == 3;
        if power_cut && let Some(postgres) = hub.postgres() {
            postgres.restart();
        }
        hub.launch();
    }
    sink.behave(Manner::Good);
    wait_until("an empty queue", || queue(&hub, &["list"]).is_empty().then_some(()));
    verify(&hub, &sink, &promised.into_inner().expect("no test thread panicked"));
}

fn run_until_killed(
    hub: &mut Hub,
    cycle: u64,
    seed: u64,
    delay: Duration,
    promised: &Mutex<BTreeMap<String, Fate>>,
) {
    let (first, started) = std::sync::mpsc::channel();
    // All are logged in before anything can end the server.
    let senders: Vec<Smtp> = (0..SENDERS).map(|_| hub.submission(ALICE)).collect();
    std::thread::scope(|scope| {
        for (number, smtp) in (0..SENDERS).zip(senders) {
            let first = first.clone();
            scope.spawn(move || {
                // The end of the connection is the end of the server.
                let _ = submit(smtp, cycle, number, Random(seed ^ number), promised, &first);
            });
        }
        for _ in 0..FIRST {
            started.recv_timeout(PATIENCE).expect("a first acknowledgement");
        }
        std::thread::sleep(delay);
        hub.kill();
    });
}

fn submit(
    mut smtp: Smtp,
    cycle: u64,
    sender: u64,
    mut random: Random,
    promised: &Mutex<BTreeMap<String, Fate>>,
    first: &Sender<()>,
) -> io::Result<()> {
    for n in 0.. {
        let fate = Fate::any(&mut random);
        let id = format!("{cycle}-{sender}-{n}-{fate:?}");
        let reply = smtp.try_send(ALICE, fate.recipients(), &message(&id))?;
        assert_eq!(reply.code, 250, "{reply:?}");
        promised.lock().expect("no test thread panicked").insert(id, fate);
        let _ = first.send(());
    }
    Ok(())
}

fn verify(hub: &Hub, sink: &Sink, promised: &BTreeMap<String, Fate>) {
    let count = |ids: Vec<String>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        ids.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        counts
    };
    let taken = count(sink.taken());
    let told = |twin, action: &str| {
        let told = |(id, text): (String, String)| text.contains(action).then_some(id);
        count(reports_to(hub, twin).into_iter().filter_map(told).collect())
    };
    let [reported, returned] = [ALICE, BOB].map(|twin| told(twin, "Action: failed\r\n"));
    // Who waits for more than 15 seconds, on a slow machine, is told of that besides.
    let delayed = told(ALICE, "Action: delayed\r\n");
    for (id, fate) in promised {
        let [taken, reported, returned] =
            [&taken, &reported, &returned].map(|counts| counts.get(id).copied().unwrap_or(0));
        let arrives = matches!(fate, Fate::Arrive | Fate::Both | Fate::PassOn);
        let bounces = matches!(fate, Fate::Bounce | Fate::Both);
        assert_eq!(taken > 0, arrives, "{id}: taken {taken} times");
        assert_eq!(reported, usize::from(bounces), "{id}: times reported");
        assert_eq!(returned, usize::from(*fate == Fate::ComeBack), "{id}: times returned to bob");
    }
    // A message without its acknowledgement may be kept or not; twice it must not be reported either.
    let all = [&reported, &returned, &delayed].into_iter().flatten();
    let twice: Vec<_> = all.filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "reported more than once: {twice:?}");
    let doubled: usize = taken.values().map(|times| times - 1).sum();
    eprintln!(
        "{} acknowledged, {} reports, {} returned, {} delays, {doubled} sent twice",
        promised.len(),
        reported.len(),
        returned.len(),
        delayed.len()
    );
    assert!(doubled <= CYCLES as usize * CONNECTIONS, "{doubled} sent twice");
    assert!(promised.len() >= FIRST * CYCLES as usize, "{} were acknowledged", promised.len());
}

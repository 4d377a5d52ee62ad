//! Random commands of three sessions against a plain model of two mailboxes.
//!
//! Each client builds its own view from untagged responses alone, as a real one does. After NOOP (and
//! at once while in IDLE) the view must be what the model says, and what a fresh SELECT shows. On the
//! way: a FETCH names the message that the client has at that number, EXPUNGE comes only where RFC 9051
//! §7.5.1 lets it, MODSEQ never goes down, and a QRESYNC client that comes back has the truth without
//! having asked for it.

mod actor;
mod mailbox;
#[expect(dead_code, reason = "shared with the transcripts")]
#[path = "../sessions/pipe.rs"]
mod pipe;
mod plan;
#[expect(dead_code, reason = "shared with the transcripts")]
#[path = "../world/mod.rs"]
mod world;

use hub_imap::Settings;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::actor::Actor;
use crate::mailbox::Mailbox;
use crate::plan::{Act, Step};
use crate::world::World;

/// Some seconds in a debug build.
const CASES: u32 = 80;
const STEPS: usize = 40;

/// The sessions: plain, CONDSTORE, QRESYNC.
const SESSIONS: usize = 3;

/// Three sessions and what is true. They stay logged in for all cases; each case has mailboxes of its
/// own.
struct Stage {
    actors: Vec<Actor>,
    cases: u32,
}

impl Stage {
    async fn new(world: &World) -> Self {
        let twin = world.twin("model").await;
        let mut actors = Vec::new();
        for enable in [None, Some("CONDSTORE"), Some("QRESYNC")] {
            actors.push(Actor::log_in(world, &twin, enable).await.expect("logged in"));
        }
        Self { actors, cases: 0 }
    }

    async fn play(&mut self, steps: &[Step]) -> Result<(), String> {
        self.cases += 1;
        let mut mailboxes =
            [Mailbox::new(format!("a{}", self.cases)), Mailbox::new(format!("b{}", self.cases))];
        for actor in &mut self.actors {
            actor.forget().await?;
        }
        for mailbox in &mailboxes {
            self.actors[0].plain(&format!("CREATE {}", mailbox.name)).await?;
        }
        for actor in &mut self.actors {
            actor.act(&Act::Select { mailbox: 0, read_only: false }, &mut mailboxes).await?;
        }
        for (number, step) in steps.iter().enumerate() {
            let at = |problem: String| format!("step {number}, {step:?}: {problem}");
            self.actors[step.session].act(&step.act, &mut mailboxes).await.map_err(at)?;
            for actor in &mut self.actors {
                actor.hear_in_idle(&mailboxes).await.map_err(at)?;
            }
        }
        self.compare(&mut mailboxes).await
    }

    /// In the end all know the truth, and it is what a client sees that selects the mailbox anew.
    async fn compare(&mut self, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        for actor in &mut self.actors {
            let client = actor.enables().unwrap_or("nothing");
            let at = |problem: String| format!("last NOOP of the client that enables {client}: {problem}");
            actor.act(&Act::Noop, mailboxes).await.map_err(at)?;
        }
        for mailbox in 0..2 {
            for actor in &mut self.actors {
                let select = Act::Select { mailbox, read_only: true };
                actor.act(&select, mailboxes).await.map_err(|problem| format!("last SELECT: {problem}"))?;
                actor.look_at_all(mailboxes).await.map_err(|problem| format!("last FETCH: {problem}"))?;
            }
        }
        Ok(())
    }
}

#[test]
fn views_follow_the_truth() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new(Settings::default()));
    let stage = tokio::sync::Mutex::new(runtime.block_on(Stage::new(&world)));
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let steps = proptest::collection::vec(plan::step(SESSIONS), 1..STEPS);
    let played = TestRunner::new(config).run(&steps, |steps| {
        // A session that has gone wrong is not used again.
        let outcome = runtime.block_on(async {
            let mut stage = stage.lock().await;
            let outcome = stage.play(&steps).await;
            if outcome.is_err() {
                for actor in &mut stage.actors {
                    actor.reconnect(&world).await.expect("logged in");
                }
            }
            outcome
        });
        outcome.map_err(TestCaseError::fail)
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

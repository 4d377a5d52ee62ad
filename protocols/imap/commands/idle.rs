//! IDLE (RFC 2177, RFC 9051 §6.3.13).

use tokio::time::Instant;

use super::notify;
use crate::conversation::Conversation;
use crate::grammar::command::Command;
use crate::input::Step;
use crate::link::{Stop, Woken};
use crate::status::Reply;
use crate::view::Expunges;

/// Waits for news and for DONE. Whatever the client pipelined behind IDLE is looked at first: iOS
/// sends IDLE, DONE and the next command together (stalwartlabs/stalwart#765).
///
/// Most connections spend their life in here: what is only needed for a moment is boxed, so that it
/// costs nothing while nothing happens.
pub(crate) async fn idle(c: &mut Conversation, tag: &str) -> Result<(), Stop> {
    let (reply, expunges) = match c.session.permits(&Command::Idle) {
        Ok(()) => (wait(c).await?, Expunges::Tell),
        Err(reply) => (reply, Expunges::Keep),
    };
    Box::pin(c.end_command(tag, Ok(reply), expunges)).await
}

async fn wait(c: &mut Conversation) -> Result<Reply, Stop> {
    // A space behind the plus: a bare one confuses clients (modern-email/defects#7).
    c.link.say("+ idling");
    let mut truth = c.session.selected().ok().map(|(_, selected)| selected.open.watch());
    let ends = Instant::now() + c.service.settings.idle_time;
    // Keeps address translations alive on the way, and lets both sides notice a dead one.
    let every = c.service.settings.idle_keep_alive;
    let mut still_here = Instant::now() + every;
    c.link.input.expect_line();
    loop {
        Box::pin(c.tell(Expunges::Tell)).await?;
        Box::pin(notify::tell(c)).await?;
        match c.link.input.next() {
            Step::Starve => {}
            Step::Line(line) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => {
                return Ok(Reply::ok("Idle no longer"));
            }
            Step::Close(why) => return Err(Stop::Bye(why)),
            _ => return Ok(Reply::bad("DONE was expected")),
        }
        Box::pin(c.link.flush()).await?;
        let Conversation { session, link, .. } = &mut *c;
        let until = still_here.min(ends);
        match link.wait_or(notify::happened(&mut truth, session), until).await? {
            Woken::Input => c.link.read().await?,
            Woken::Other(()) => {}
            Woken::Time if Instant::now() >= ends => return Err(Stop::Bye("Idle for too long")),
            Woken::Time => {
                c.link.say("* OK Still here");
                still_here = Instant::now() + every;
            }
        }
    }
}

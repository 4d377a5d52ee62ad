//! COMPRESS (RFC 4978).

use tracing::info;

use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::link::{Stop, Transport};
use crate::status::Reply;

/// RFC 4978 §3. State: Authenticated, Selected; before log-in nobody gets the codec's memory.
pub(super) async fn compress(c: &mut Conversation, tag: &str, algorithm: &str) -> Outcome {
    if algorithm != "DEFLATE" {
        return Err(Reply::bad("Only DEFLATE is offered").into());
    }
    if c.link.transport().is_some_and(Transport::is_compressed) {
        return Err(Reply::no("COMPRESSIONACTIVE", "DEFLATE is active already").into());
    }
    // The client must wait for our word. What it has sent could be plain or compressed.
    if !c.link.input.is_drained() {
        Reply::bad("Nothing may follow COMPRESS before its answer").write(&mut c.link.out, tag);
        return Err(Stop::Bye("Nothing may follow COMPRESS before its answer").into());
    }
    Reply::ok("DEFLATE is active").write(&mut c.link.out, tag);
    c.link.flush().await?;
    c.link.compress()?;
    info!(conn = c.connection(), "connection compressed");
    Err(Failure::Done)
}

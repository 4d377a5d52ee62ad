//! SEARCH: found messages → SEARCH or ESEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182,
//! RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514 §4.3, RFC 9394).

use std::sync::Arc;

use hub::{IdSet, Progress};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::contexts;
use super::criteria::compile;
use super::results::{Answer, Found, write_plain};
use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Key, Returns, Search};
use crate::status::Reply;

pub(super) async fn search(c: &mut Conversation, tag: &str, search: Search) -> Outcome {
    let (user, _) = c.session.selected()?;
    if search.other_charset && user.utf8_accept {
        // RFC 6855 §3 would have every charset refused, because it could contradict what was enabled.
        // UTF-8 does not, and Thunderbird goes on to name it.
        return Err(Reply::bad("UTF8=ACCEPT is enabled: the charset is UTF-8").into());
    }
    // RFC 9051 §6.4.4: IMAP4rev2 has no SEARCH response.
    let returns = search.returns.or(user.rev2.then_some(Returns { all: true, ..Returns::default() }));
    contexts::refuse_reuse(c, tag, returns)?;
    let found = matching(c, tag, &search).await?;
    let (_, selected) = c.session.selected()?;
    let found = Found::all(selected, &found, search.uid);
    let mentions_modseq = has_modseq(&search.key);
    match returns {
        None => write_plain(&mut c.link.out, "SEARCH", &found, mentions_modseq),
        Some(returns) => {
            let answer = Answer { tag, uid: search.uid, returns, mentions_modseq };
            if returns.save {
                selected.saved = answer.saved(&found);
            }
            answer.write(&mut c.link.out, &found);
            if returns.update {
                contexts::begin(selected, tag, (&search, None), &found, &mut c.link.out);
            }
        }
    }
    c.link.relieve().await?;
    Ok(Reply::ok("Searched"))
}

/// Indexes of the view's base that match, ascending; for SEARCH, SORT and THREAD.
pub(super) async fn matching(c: &mut Conversation, tag: &str, search: &Search) -> Result<Vec<u32>, Failure> {
    // What has been delivered by now is found: the client hears of it first.
    c.tell_of_arrivals().await?;
    let found = find(c, tag, &search.key).await;
    if found.is_err() && search.returns.is_some_and(|returns| returns.save) {
        // RFC 5182 §2.1: a search that fails leaves the empty result.
        c.session.selected()?.1.saved = IdSet::new();
    }
    found
}

async fn find(c: &mut Conversation, tag: &str, key: &Key) -> Result<Vec<u32>, Failure> {
    let (user, selected) = c.session.selected()?;
    let criterion = compile(user, selected, key).await?;
    user.condstore |= has_modseq(key);
    let (account, open, base) =
        (user.account.clone(), Arc::clone(&selected.open), Arc::clone(selected.view.base()));
    let progress = Arc::new(Progress::default());
    let mut search = Box::pin({
        let progress = Arc::clone(&progress);
        async move { account.messages().search(&open, &base, &criterion, &progress).await }
    });
    let patience = c.service.settings.progress_time;
    if let Ok(found) = timeout(patience, &mut search).await {
        return Ok(found?);
    }
    // It goes on by itself while a slow client takes its time to read.
    let mut running = Running(tokio::spawn(search));
    loop {
        write_progress(&mut c.link.out, tag, progress.read());
        c.link.flush().await?;
        match timeout(patience, &mut running.0).await {
            Ok(Ok(found)) => return Ok(found?),
            Ok(Err(_)) => return Err(Reply::no("SERVERBUG", "The search has failed").into()),
            Err(_) => {}
        }
    }
}

/// A search that ends when nobody waits for it any more.
struct Running(JoinHandle<hub::Result<Vec<u32>>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `"INPROGRESS" SP "(" quoted-tag SP (number SP nz-number / "NIL" SP "NIL") ")"`, the number below
/// the goal (RFC 9585 §4): so that no client takes a long search for a dead connection.
fn write_progress(out: &mut Buffer, tag: &str, (done, goal): (u32, u32)) {
    out.extend_from_slice(b"* OK [INPROGRESS (");
    encode::string(out, tag.as_bytes());
    match goal {
        0 => out.extend_from_slice(b" NIL NIL"),
        _ => out.extend_from_slice(format!(" {} {goal}", done.min(goal - 1)).as_bytes()),
    }
    out.extend_from_slice(b")] Still searching\r\n");
}

pub(super) fn has_modseq(key: &Key) -> bool {
    match key {
        Key::Modseq(_) => true,
        Key::And(keys) => keys.iter().any(has_modseq),
        Key::Not(key) => has_modseq(key),
        Key::Or(a, b) => has_modseq(a) || has_modseq(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_stays_below_its_goal() {
        let check = |progress, expected: &str| {
            let mut out = Vec::new();
            write_progress(&mut out, "a1", progress);
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        };
        check((0, 0), "* OK [INPROGRESS (\"a1\" NIL NIL)] Still searching\r\n");
        check((454, 1000), "* OK [INPROGRESS (\"a1\" 454 1000)] Still searching\r\n");
        check((1000, 1000), "* OK [INPROGRESS (\"a1\" 999 1000)] Still searching\r\n");
    }
}

//! SORT and THREAD (RFC 5256 §3, RFC 5957, RFC 5267 §3): a search whose results have an order.

use hub::{IdSet, Threads};

use super::contexts;
use super::results::{Answer, Found, write_plain};
use super::search::{has_modseq, matching};
use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Sort, Thread};
use crate::status::Reply;

pub(super) async fn sort(c: &mut Conversation, tag: &str, sort: Sort) -> Outcome {
    let search = &sort.search;
    contexts::refuse_reuse(c, tag, search.returns)?;
    let found = matching(c, tag, search).await?;
    let (user, selected) = c.session.selected()?;
    let messages = user.account.messages();
    let order = messages.sort(&selected.open, selected.view.base(), &found, &sort.criteria).await;
    if order.is_err() && search.returns.is_some_and(|returns| returns.save) {
        // As in `matching`: RFC 5182 §2.1.
        selected.saved = IdSet::new();
    }
    let order = order?;
    let found = Found::all(selected, &order, search.uid);
    let mentions_modseq = has_modseq(&search.key);
    match search.returns {
        None => write_plain(&mut c.link.out, "SORT", &found, mentions_modseq),
        Some(returns) => {
            let answer = Answer { tag, uid: search.uid, returns, mentions_modseq };
            if returns.save {
                selected.saved = answer.saved(&found);
            }
            answer.write(&mut c.link.out, &found);
            if returns.update {
                contexts::begin(selected, tag, (search, Some(&sort.criteria)), &found, &mut c.link.out);
            }
        }
    }
    c.link.relieve().await?;
    Ok(Reply::ok("Sorted"))
}

pub(super) async fn thread(c: &mut Conversation, tag: &str, thread: Thread) -> Outcome {
    let search = thread.search;
    let found = matching(c, tag, &search).await?;
    let (user, selected) = c.session.selected()?;
    let messages = user.account.messages();
    let threads = messages.threads(&selected.open, selected.view.base(), &found, thread.algorithm).await?;
    let number = |index: u32| match search.uid {
        true => selected.view.base().get(index).map_or(0, |record| record.uid),
        false => selected.view.index_of_base(index) + 1,
    };
    write_threads(&mut c.link.out, &threads, number);
    c.link.relieve().await?;
    Ok::<_, Failure>(Reply::ok("Threaded"))
}

/// `thread-data = "THREAD" [SP 1*thread-list]`, `thread-list = "(" (thread-members / thread-nested)
/// ")"`, `thread-members = nz-number *(SP nz-number) [SP thread-nested]`,
/// `thread-nested = 2*thread-list`. Threads may be as deep as a mailbox is long: nothing recurses.
fn write_threads(out: &mut Buffer, threads: &Threads, number: impl Fn(u32) -> u32) {
    out.extend_from_slice(b"* THREAD");
    // Threads to write, and `None` for parentheses to close.
    let mut open: Vec<Option<u32>> = Vec::new();
    let push =
        |open: &mut Vec<Option<u32>>, nodes: &[u32]| open.extend(nodes.iter().rev().copied().map(Some));
    push(&mut open, threads.children(Threads::ROOT));
    if !open.is_empty() {
        out.push(b' ');
    }
    while let Some(next) = open.pop() {
        let Some(mut node) = next else {
            out.push(b')');
            continue;
        };
        out.push(b'(');
        open.push(None);
        loop {
            let children = threads.children(node);
            if let Some(message) = threads.message(node) {
                encode::number(out, number(message));
                if !children.is_empty() {
                    out.push(b' ');
                }
            }
            match children {
                [only] => node = *only,
                several => break push(&mut open, several),
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

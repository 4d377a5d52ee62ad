//! The texts of a message that SEARCH BODY and TEXT look into: read in batches, decoded away from
//! the tasks that serve clients, large messages in pieces. The index is made of the same texts.

use bytes::Bytes;
use hub_mime::{Part, PartKind, PartText, fold_cow, header_text, headers_within, searchable_texts};
use hub_storage::Storage;
use tokio::sync::Semaphore;

use crate::messages::OpenMessage;
use crate::{Error, Message, Result, search};

/// A message from this size on is read and decoded in pieces, without its attachments.
const LARGE: u64 = 1024 * 1024;
/// Bytes of a large part that are read at once.
const PIECE: u64 = 1024 * 1024;
/// Messages that are read at once, and their bytes together at most.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Decoding more than this would keep a client of the same thread waiting.
const QUICK_BYTES: u64 = 64 * 1024;

/// Large messages that are looked into at the same time, in the whole process: HTML can only be
/// decoded as a whole, and its memory adds up.
static LARGE_AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Where in a message a text stands: BODY matches no header field, not even of a part or of a message
/// within; TEXT matches them all (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Body,
    Header,
}

/// Takes the folded texts of one message.
pub(super) trait Sink: Send + 'static {
    /// A text begins.
    fn begin(&mut self, place: Place);
    /// The next piece of it.
    fn piece(&mut self, folded: &str);
    /// True if the rest of the message makes no difference.
    fn is_satisfied(&self) -> bool;
}

/// Gives the texts of each message to a sink of its own, and returns what `finish` makes of the
/// sinks, in the same order. `None` for a message that cannot be read.
pub(super) async fn read_texts<S: Sink, T: Send + 'static>(
    storage: &Storage,
    messages: &[&Message],
    sink: impl Fn() -> S + Send + Clone + 'static,
    finish: impl Fn(S) -> T + Send + Clone + 'static,
) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(messages.len());
    let mut rest = messages;
    while let Some(first) = rest.first() {
        if first.size() >= LARGE {
            let sink = read_large(storage, first, sink()).await?;
            out.push(finish(sink));
            rest = &rest[1..];
            continue;
        }
        let mut bytes = 0;
        let fits = |message: &&&Message| {
            bytes += message.size();
            message.size() < LARGE && bytes <= BATCH_BYTES.max(first.size())
        };
        let count = rest.iter().take(BATCH).take_while(fits).count();
        let (batch, after) = rest.split_at(count);
        out.append(&mut read_batch(storage, batch, sink.clone(), finish.clone()).await?);
        rest = after;
        tokio::task::yield_now().await;
    }
    Ok(out)
}

async fn read_batch<S: Sink, T: Send + 'static>(
    storage: &Storage,
    messages: &[&Message],
    sink: impl Fn() -> S + Send + 'static,
    finish: impl Fn(S) -> T + Send + 'static,
) -> Result<Vec<T>> {
    let blobs: Vec<_> = messages.iter().map(|message| (message.blob, usize::MAX)).collect();
    let bodies = storage.read_starts(&blobs).await?;
    let work: Vec<(Message, Bytes)> = messages.iter().map(|message| (*message).clone()).zip(bodies).collect();
    let decode = move || -> Result<Vec<T>> {
        let one = |(message, body): &(Message, Bytes)| {
            let mut sink = sink();
            give_whole(message, body, &mut sink)?;
            Ok(finish(sink))
        };
        work.iter().map(one).collect()
    };
    if messages.iter().map(|message| message.size()).sum::<u64>() <= QUICK_BYTES {
        return decode();
    }
    tokio::task::spawn_blocking(decode).await.map_err(|_| busy())?
}

fn busy() -> Error {
    Error::Unavailable(hub_storage::Error::Busy)
}

fn give(sink: &mut impl Sink, place: Place, text: &str) {
    sink.begin(place);
    sink.piece(&fold_cow(text));
}

/// All texts of a message whose received bytes are in memory.
fn give_whole(message: &Message, body: &[u8], sink: &mut impl Sink) -> Result<()> {
    let view = search::view(message)?;
    let header_end = usize::try_from(view.header_length()).unwrap_or(usize::MAX).min(body.len());
    give_header(message, &body[..header_end], sink)?;
    let parts: Vec<Part> = view.parts().collect();
    let within = headers_within(body, &parts).map(|text| (Place::Header, text));
    for (place, text) in within.chain(searchable_texts(body, &parts).map(|text| (Place::Body, text))) {
        if sink.is_satisfied() {
            break;
        }
        give(sink, place, &text);
    }
    Ok(())
}

/// The header as a person reads it, with what the hub put in front; and the fields that the summary
/// keeps, whose form is a little different.
fn give_header(message: &Message, received: &[u8], sink: &mut impl Sink) -> Result<()> {
    let view = search::view(message)?;
    let block = [&message.prefix, received].concat();
    give(sink, Place::Header, &header_text(&block));
    for field in [view.subject(), view.from(), view.to(), view.cc(), view.bcc(), view.message_id()] {
        give(sink, Place::Header, field);
    }
    Ok(())
}

/// All texts of a large message, a piece at a time.
async fn read_large<S: Sink>(storage: &Storage, message: &Message, mut sink: S) -> Result<S> {
    let _turn = LARGE_AT_ONCE.acquire().await.map_err(|_| busy())?;
    let prefix = message.prefix.len() as u64;
    let opened = OpenMessage::open(storage, message).await?;
    let read = |start: u64, end: u64| opened.read(prefix + start..prefix + end);
    let view = search::view(message)?;
    let header = read(0, view.header_length()).await?;
    give_header(message, &header, &mut sink)?;
    let parts: Vec<Part> = view.parts().collect();
    for (index, part) in parts.iter().enumerate() {
        if sink.is_satisfied() {
            break;
        }
        let header = read(part.header_start, part.body_start).await?;
        if index > 0 {
            give(&mut sink, Place::Header, &header_text(&header));
        }
        let text = (part.kind == PartKind::Leaf).then(|| PartText::new(&header)).flatten();
        let Some(mut text) = text else { continue };
        sink.begin(Place::Body);
        let mut at = part.body_start;
        while at < part.body_end && !sink.is_satisfied() {
            let end = part.body_end.min(at + PIECE);
            let bytes = read(at, end).await?;
            at = end;
            (text, sink) = in_background(move || {
                let piece = text.feed(&bytes);
                sink.piece(&fold_cow(&piece));
                (text, sink)
            })
            .await?;
        }
        sink = in_background(move || {
            sink.piece(&fold_cow(&text.finish()));
            sink
        })
        .await?;
    }
    Ok(sink)
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| busy())
}

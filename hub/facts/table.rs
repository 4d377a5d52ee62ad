//! Facts about many e-mails, packed: one arena of text, one of hashes, one array of fixed records.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hub_mime::{SummaryView, base_subject, correspondents, fold};

use crate::EmailId;

/// References that are kept of a message: the first, which begins the thread, and the last ones,
/// which a reply is under. So many dummies of RFC 5256 §3 a hostile message can make.
const REFERENCES: usize = 32;
/// Text of one segment; what offsets of 32 bits can address, and more than any mailbox needs.
const MOST_TEXT: usize = 1 << 30;

/// Texts that SEARCH looks into, in the order in which they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Subject,
    From,
    To,
    Cc,
    Bcc,
    MessageId,
}

const TEXTS: usize = Text::MessageId as usize + 1;

/// Texts that SORT and THREAD compare. Most are pieces of the former.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    BaseSubject,
    From,
    To,
    Cc,
    DisplayFrom,
    DisplayTo,
}

const KEYS: usize = Key::DisplayTo as usize + 1;

/// A piece of the arena.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug)]
struct Fixed {
    texts: [Span; TEXTS],
    keys: [Span; KEYS],
    references: Span,
    message_id: u64,
    thread: i64,
    /// Unix seconds of the Date field; [`NO_DATE`] without one.
    sent_at: i64,
    sent_day: i32,
    is_reply: bool,
}

const NO_DATE: i64 = i64::MIN;

/// E-mails of ascending ids.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    emails: Vec<EmailId>,
    fixed: Vec<Fixed>,
    text: String,
    references: Vec<u64>,
}

/// What is known of one e-mail. All text is folded.
#[derive(Clone, Copy)]
pub(crate) struct Fact<'a> {
    segment: &'a Segment,
    fixed: &'a Fixed,
}

impl<'a> Fact<'a> {
    pub(crate) fn text(self, text: Text) -> &'a str {
        self.segment.slice(self.fixed.texts[text as usize])
    }

    pub(crate) fn key(self, key: Key) -> &'a str {
        self.segment.slice(self.fixed.keys[key as usize])
    }

    /// Hashes of the ids that RFC 5256 §3 takes for the message's references, oldest first.
    pub(crate) fn references(self) -> &'a [u64] {
        let Span { start, end } = self.fixed.references;
        &self.segment.references[start as usize..end as usize]
    }

    /// Hash of the message's id; `None` without one.
    pub(crate) fn message_id(self) -> Option<u64> {
        Some(self.fixed.message_id).filter(|&hash| hash != 0)
    }

    pub(crate) fn thread(self) -> i64 {
        self.fixed.thread
    }

    pub(crate) fn sent_at(self) -> Option<i64> {
        Some(self.fixed.sent_at).filter(|&at| at != NO_DATE)
    }

    /// The day that Date names, zone ignored.
    pub(crate) fn sent_day(self) -> Option<i64> {
        self.sent_at().map(|_| i64::from(self.fixed.sent_day))
    }

    /// The subject has a mark of a reply or forward.
    pub(crate) fn is_reply(self) -> bool {
        self.fixed.is_reply
    }
}

impl Segment {
    fn slice(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn fact(&self, at: usize) -> Fact<'_> {
        Fact { segment: self, fixed: &self.fixed[at] }
    }

    /// Appends text and says where it lies.
    fn put(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, end: self.text.len() as u32 }
    }

    /// Where `text` lies within `place`; it is appended if it does not.
    fn put_within(&mut self, text: &str, place: Span) -> Span {
        match self.slice(place).find(text) {
            Some(at) => {
                let start = place.start + at as u32;
                Span { start, end: start + text.len() as u32 }
            }
            None => self.put(text),
        }
    }

    fn put_summary(&mut self, thread: i64, summary: &SummaryView<'_>, hasher: &RandomState) {
        let envelope = correspondents(summary.envelope());
        let texts = [
            summary.subject(),
            summary.from(),
            summary.to(),
            summary.cc(),
            summary.bcc(),
            &envelope.message_id,
        ]
        .map(|text| self.put(&fold(text)));
        let base = base_subject(self.slice(texts[Text::Subject as usize]));
        let keys = [
            self.put_within(&base.text, texts[Text::Subject as usize]),
            self.put_within(&fold(&envelope.from.mailbox), texts[Text::From as usize]),
            self.put_within(&fold(&envelope.to.mailbox), texts[Text::To as usize]),
            self.put_within(&fold(&envelope.cc.mailbox), texts[Text::Cc as usize]),
            self.put_within(&fold(&envelope.from.display), texts[Text::From as usize]),
            self.put_within(&fold(&envelope.to.display), texts[Text::To as usize]),
        ];
        let message_id = Some(summary.message_id()).filter(|id| !id.is_empty());
        let references = self.put_references(summary, hasher);
        self.fixed.push(Fixed {
            texts,
            keys,
            references,
            message_id: message_id.map_or(0, |id| hash(hasher, id)),
            thread,
            sent_at: summary.sent_at().unwrap_or(NO_DATE),
            sent_day: summary.sent_day().unwrap_or(0) as i32,
            is_reply: base.is_reply,
        });
    }

    /// RFC 5256 §3: the ids in References, else the first one in In-Reply-To.
    fn put_references(&mut self, summary: &SummaryView<'_>, hasher: &RandomState) -> Span {
        let start = self.references.len();
        let count = summary.in_references().max(1);
        let hashes = summary.references().take(count).map(|id| hash(hasher, id));
        self.references.extend(hashes);
        if self.references.len() - start > REFERENCES {
            let too_many = self.references.len() - start - REFERENCES;
            self.references.drain(start + 1..=start + too_many);
        }
        Span { start: start as u32, end: self.references.len() as u32 }
    }

    /// Appends what another segment knows of one e-mail, whose id is above all that are here.
    fn put_fact(&mut self, email: EmailId, fact: Fact<'_>) {
        let mut fixed = fact.fixed.clone();
        fixed.texts = fixed.texts.map(|span| self.put(fact.segment.slice(span)));
        for span in &mut fixed.keys {
            let mut moved = fact.fixed.texts.iter().zip(&fixed.texts);
            let home = moved.find(|(from, _)| from.start <= span.start && span.end <= from.end);
            *span = match home {
                Some((from, to)) => {
                    let start = to.start + (span.start - from.start);
                    Span { start, end: start + (span.end - span.start) }
                }
                None => self.put(fact.segment.slice(*span)),
            };
        }
        let start = self.references.len() as u32;
        self.references.extend_from_slice(fact.references());
        fixed.references = Span { start, end: self.references.len() as u32 };
        self.emails.push(email);
        self.fixed.push(fixed);
    }

    fn shrink(&mut self) {
        self.emails.shrink_to_fit();
        self.fixed.shrink_to_fit();
        self.text.shrink_to_fit();
        self.references.shrink_to_fit();
    }

    fn weight(&self) -> usize {
        self.emails.capacity() * size_of::<EmailId>()
            + self.fixed.capacity() * size_of::<Fixed>()
            + self.text.capacity()
            + self.references.capacity() * size_of::<u64>()
    }
}

/// Equal ids have equal hashes within this run. RFC 5256 §3: quoting makes no difference.
fn hash(hasher: &RandomState, id: &str) -> u64 {
    let plain;
    let id = if id.contains(['"', '\\']) {
        plain = id.replace(['"', '\\'], "");
        &plain
    } else {
        id
    };
    // 0 stands for "none".
    hasher.hash_one(id).max(1)
}

/// Facts of the e-mails of a mailbox: a few segments, the larger ones first.
#[derive(Clone, Default)]
pub(crate) struct Table {
    segments: Vec<Arc<Segment>>,
}

/// Collects summaries as the database gives them.
pub(crate) struct Builder<'a> {
    hasher: &'a RandomState,
    segment: Segment,
    full: Vec<Segment>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(hasher: &'a RandomState) -> Self {
        Self { hasher, segment: Segment::default(), full: Vec::new() }
    }

    /// Takes an e-mail's summary; one that is damaged says nothing.
    pub(crate) fn put(&mut self, email: EmailId, thread: i64, summary: &[u8]) {
        if self.segment.text.len() >= MOST_TEXT {
            self.full.push(std::mem::take(&mut self.segment));
        }
        if let Some(view) = SummaryView::new(summary) {
            self.segment.emails.push(email);
            self.segment.put_summary(thread, &view, self.hasher);
        }
    }
}

impl Table {
    /// Adds what a builder has collected. Neighbouring segments of like size become one, so that
    /// there are few and each fact is copied seldom.
    pub(crate) fn add(&mut self, builder: Builder<'_>) {
        for segment in builder.full.into_iter().chain([builder.segment]) {
            self.add_segment(segment);
        }
    }

    fn add_segment(&mut self, mut segment: Segment) {
        if segment.emails.is_empty() {
            return;
        }
        if !segment.emails.is_sorted_by(|a, b| a < b) {
            segment = merged(&[&segment], |_| true);
        }
        while let Some(last) = self.segments.pop_if(|last| {
            last.emails.len() <= 2 * segment.emails.len() && last.text.len() + segment.text.len() < MOST_TEXT
        }) {
            segment = merged(&[&last, &segment], |_| true);
        }
        segment.shrink();
        self.segments.push(Arc::new(segment));
    }

    /// Forgets all e-mails but these.
    pub(crate) fn retain(&mut self, keep: impl Fn(EmailId) -> bool) {
        for segment in &mut self.segments {
            *segment = Arc::new(merged(&[segment], &keep));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.emails.len()).sum()
    }

    /// Bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.segments.iter().map(|segment| segment.weight()).sum()
    }

    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor { table: self, segment: 0, next: 0 }
    }
}

/// One segment of all facts in these, ascending, each e-mail once.
fn merged(segments: &[&Segment], keep: impl Fn(EmailId) -> bool) -> Segment {
    let mut order: Vec<(EmailId, usize, usize)> = Vec::new();
    for (n, segment) in segments.iter().enumerate() {
        order.extend(segment.emails.iter().enumerate().map(|(at, &email)| (email, n, at)));
    }
    order.retain(|&(email, ..)| keep(email));
    order.sort_unstable();
    order.dedup_by_key(|&mut (email, ..)| email);
    let mut all = Segment::default();
    for (email, n, at) in order {
        all.put_fact(email, segments[n].fact(at));
    }
    all
}

/// Looks e-mails up. Quickest when they are asked for in ascending order, as most mailboxes have
/// them.
pub(crate) struct Cursor<'a> {
    table: &'a Table,
    segment: usize,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn find(&mut self, email: EmailId) -> Option<Fact<'a>> {
        let segments = &self.table.segments;
        if let Some(segment) = segments.get(self.segment)
            && segment.emails.get(self.next) == Some(&email)
        {
            self.next += 1;
            return Some(segment.fact(self.next - 1));
        }
        for (n, segment) in segments.iter().enumerate() {
            if let Ok(at) = segment.emails.binary_search(&email) {
                (self.segment, self.next) = (n, at + 1);
                return Some(segment.fact(at));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;

use super::*;
use hub::EmailId;
use proptest::prelude::*;

const PLAIN: Style<'_> = Style { keywords: &[], modseq: false, vanished: false };

fn record(uid: Uid, flags: u64) -> Record {
    Record { uid, size: 1, flags: Flags(flags), modseq: 1, email: EmailId(uid.into()), received_at: 0 }
}

fn snapshot(records: &[(Uid, u64)]) -> Arc<Snapshot> {
    let next = records.last().map_or(1, |r| r.0 + 1);
    let records = records.iter().map(|&(uid, flags)| record(uid, flags)).collect();
    Arc::new(Snapshot::new(1, next, 1, records))
}

fn said(view: &mut View, truth: &Arc<Snapshot>, expunges: Expunges) -> String {
    let mut out = Vec::new();
    let mut news = view.catch_up(Arc::clone(truth), expunges);
    while !news.write(&mut out, view, PLAIN) {}
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn expunges_wait_until_they_may_be_said() {
    let mut view = View::new(snapshot(&[(1, 0), (2, 0), (3, 0), (4, 0)]));
    // RFC 9051 §7.5.1: not during FETCH; the rest is said, with the numbers that the client has.
    let truth = snapshot(&[(1, 0), (3, 1), (5, 0)]);
    assert_eq!(said(&mut view, &truth, Expunges::Keep), "* 5 EXISTS\r\n* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n");
    assert_eq!(view.get(1).map(|r| r.uid), Some(2), "still there to be fetched");
    assert!((0..view.len()).map(|index| view.is_ghost(index)).eq([false, true, false, true, false]));
    assert_eq!(said(&mut view, &truth, Expunges::Keep), "");
    let truth = snapshot(&[(3, 1), (5, 1), (6, 0)]);
    assert_eq!(
        said(&mut view, &truth, Expunges::Tell),
        "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 2 FETCH (UID 5 FLAGS (\\Seen))\r\n"
    );
}

#[test]
fn vanished_replaces_expunge_and_modseq_is_added() {
    let mut view = View::new(snapshot(&[(1, 0), (2, 0), (3, 0), (9, 0)]));
    let mut news = view.catch_up(snapshot(&[(2, 1)]), Expunges::Tell);
    let mut out = Vec::new();
    assert!(news.write(&mut out, &view, Style { keywords: &[], modseq: true, vanished: true }));
    assert_eq!(
        String::from_utf8(out).expect("ASCII"),
        "* VANISHED 1,3,9\r\n* 1 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (1))\r\n"
    );
}

#[test]
fn sets_are_resolved() {
    let mut view = View::new(snapshot(&[(2, 0), (4, 0), (6, 0), (8, 0)]));
    view.catch_up(snapshot(&[(2, 0), (6, 0), (8, 0)]), Expunges::Keep); // 4 is a ghost
    const LAST: u32 = SequenceSet::LAST;
    let saved: IdSet = [4u64, 8, 9].into_iter().collect();
    let resolve = |view: &View, ranges: &[(u32, u32)], uid| {
        view.resolve(&SequenceSet::Ranges(ranges.to_vec()), uid, &saved)
    };
    let check = |ranges: &[(u32, u32)], uid, expected: &[(u32, u32)]| {
        assert_eq!(resolve(&view, ranges, uid), Ok(expected.to_vec()), "{ranges:?}");
    };
    check(&[(1, 4)], false, &[(0, 3)]);
    check(&[(3, 3), (1, 2), (2, 2)], false, &[(0, 2)]);
    check(&[(LAST, 2)], false, &[(1, 3)]);
    check(&[(LAST, LAST)], false, &[(3, 3)]);
    check(&[(9, LAST)], false, &[(3, 3)]);
    check(&[(1, LAST)], true, &[(0, 3)]);
    check(&[(4, 5)], true, &[(1, 1)]);
    check(&[(3, 3), (5, 5)], true, &[]);
    // A UID range with * has the last message, however large its other end is (RFC 9051 §6.4.9).
    check(&[(100, LAST)], true, &[(3, 3)]);
    check(&[(LAST, 7)], true, &[(3, 3)]);
    check(&[(u32::MAX, 1)], true, &[(0, 3)]);
    assert_eq!(resolve(&view, &[(5, 5)], false), Err(NoSuchMessage));
    assert_eq!(resolve(&view, &[(1, 5)], false), Err(NoSuchMessage));
    assert_eq!(view.resolve(&SequenceSet::Saved, false, &saved), Ok(vec![(1, 1), (3, 3)]));
    assert_eq!(view.uids(&[(0, 1), (3, 3)]).ranges(), [(2, 4), (8, 8)]);

    let empty = View::new(snapshot(&[]));
    assert_eq!(resolve(&empty, &[(1, LAST)], false), Ok(vec![]));
    assert_eq!(resolve(&empty, &[(1, LAST)], true), Ok(vec![]));
    assert_eq!(resolve(&empty, &[(1, 1)], false), Err(NoSuchMessage));
}

/// A client that knows nothing but what it was told.
#[derive(Default)]
struct Client {
    messages: Vec<(Uid, u64)>,
}

impl Client {
    /// Learns of new messages by asking (`fetch`), of everything else by listening.
    fn hear(&mut self, text: &str, fetch: impl Fn(u32) -> (Uid, u64)) {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number: usize = words[1].parse().expect("a number");
            match words[2] {
                "EXPUNGE" => drop(self.messages.remove(number - 1)),
                "EXISTS" => {
                    assert!(number > self.messages.len(), "EXISTS never shrinks a mailbox");
                    while self.messages.len() < number {
                        self.messages.push(fetch(self.messages.len() as u32));
                    }
                }
                "FETCH" => {
                    let message = &mut self.messages[number - 1];
                    assert_eq!(words[4], message.0.to_string(), "the UID fits the number");
                    message.1 = u64::from(line.contains("Seen"));
                }
                _ => panic!("{line}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Add(u32),
    Remove(Vec<u32>),
    Toggle(u32),
    CatchUp(bool),
    Postpone,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1u32..5).prop_map(Act::Add),
        proptest::collection::vec(0u32..40, 1..6).prop_map(Act::Remove),
        (0u32..40).prop_map(Act::Toggle),
        any::<bool>().prop_map(Act::CatchUp),
        Just(Act::Postpone),
    ]
}

proptest! {
    /// Whatever happens and whenever the client is told: what it then believes is what the view
    /// says, and after all is told it is the truth, as a fresh SELECT would show it.
    #[test]
    fn replaying_what_was_said_equals_a_fresh_select(acts in proptest::collection::vec(act(), 0..40)) {
        let mut truth: Vec<(Uid, u64)> = (1..=10).map(|uid| (uid, 0)).collect();
        let mut next = 11;
        let mut view = View::new(snapshot(&truth));
        let mut client = Client { messages: truth.clone() };
        for act in acts.into_iter().chain([Act::CatchUp(true)]) {
            match act {
                Act::Add(count) => {
                    truth.extend((next..next + count).map(|uid| (uid, 0)));
                    next += count;
                }
                Act::Remove(places) => {
                    for place in places {
                        if !truth.is_empty() {
                            truth.remove(place as usize % truth.len());
                        }
                    }
                }
                Act::Toggle(place) => {
                    if !truth.is_empty() {
                        let place = place as usize % truth.len();
                        truth[place].1 ^= 1;
                    }
                }
                Act::Postpone => {
                    let mut news = view.catch_up(snapshot(&truth), Expunges::Keep);
                    view.postpone_flags(&mut news);
                    prop_assert!(news.changed.is_empty());
                    let mut out = Vec::new();
                    while !news.write(&mut out, &view, PLAIN) {}
                    let seen = |index| view.get(index).map(|r| (r.uid, r.flags.0)).expect("in range");
                    client.hear(std::str::from_utf8(&out).expect("ASCII"), seen);
                    prop_assert_eq!(client.messages.len() as u32, view.len());
                }
                Act::CatchUp(tell) => {
                    let expunges = if tell { Expunges::Tell } else { Expunges::Keep };
                    let text = said(&mut view, &snapshot(&truth), expunges);
                    let seen = |index| view.get(index).map(|r| (r.uid, r.flags.0)).expect("in range");
                    client.hear(&text, seen);
                    prop_assert_eq!(client.messages.len() as u32, view.len());
                    let mut records = Vec::new();
                    view.copy_records(0, u32::MAX, &mut records);
                    let known: Vec<_> = records.iter().map(|r| (r.uid, r.flags.0)).collect();
                    prop_assert_eq!(&known, &client.messages);
                    let (mut all, mut changed) = (Vec::new(), Vec::new());
                    view.numbered(0, u32::MAX, None, &mut all);
                    prop_assert!(all.iter().map(|(_, record)| record).eq(&records));
                    let middle = records.iter().map(|record| record.modseq).max().unwrap_or(0) / 2;
                    view.numbered(0, u32::MAX, Some(middle), &mut changed);
                    all.retain(|(_, record)| record.modseq > middle);
                    prop_assert_eq!(all, changed);
                    for (index, record) in records.iter().enumerate() {
                        prop_assert_eq!(view.get(index as u32), Some(record));
                        prop_assert_eq!(view.lower_bound(record.uid), index as u32);
                    }
                }
            }
        }
        prop_assert_eq!(client.messages, truth);
    }
}

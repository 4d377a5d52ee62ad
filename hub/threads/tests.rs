use super::*;
use proptest::prelude::*;

/// The forest as RFC 5256 §4 writes it, messages by their index.
fn written(threads: &Threads) -> String {
    fn node(threads: &Threads, at: u32, out: &mut String) {
        if let Some(message) = threads.message(at) {
            if !out.ends_with('(') {
                out.push(' ');
            }
            out.push_str(&message.to_string());
        }
        match threads.children(at) {
            [only] => node(threads, *only, out),
            several => several.iter().for_each(|child| thread(threads, *child, out)),
        }
    }
    fn thread(threads: &Threads, at: u32, out: &mut String) {
        out.push('(');
        node(threads, at, out);
        out.push(')');
    }
    let mut out = String::new();
    threads.children(Threads::ROOT).iter().for_each(|child| thread(threads, *child, &mut out));
    out.replace(" (", "(")
}

/// `date id subject : references`; subjects from 1, a minus for replies, 0 for none.
fn mail(lines: &[(i64, u64, i32, &[u64])]) -> (Vec<Letter>, Vec<u64>) {
    let mut ids = Vec::new();
    let letter = |(index, (date, id, subject, references)): (usize, &(i64, u64, i32, &[u64]))| {
        let start = ids.len();
        ids.extend_from_slice(references);
        Letter {
            index: index as u32,
            sent_at: *date,
            subject: Some(subject.unsigned_abs()).filter(|&subject| subject > 0),
            is_reply: *subject < 0,
            message_id: Some(*id).filter(|&id| id > 0),
            references: start..ids.len(),
        }
    };
    let letters = lines.iter().enumerate().map(letter).collect();
    (letters, ids)
}

#[test]
fn ordered_subject() {
    let check = |lines: &[(i64, u64, i32, &[u64])], threads: &str| {
        assert_eq!(written(&by_subject(&mail(lines).0)), threads);
    };
    check(&[], "");
    check(&[(1, 0, 1, &[]), (2, 0, 2, &[]), (3, 0, 1, &[])], "(0 2)(1)");
    check(&[(3, 0, 1, &[]), (2, 0, 2, &[]), (1, 0, 1, &[]), (4, 0, -1, &[])], "(2(0)(3))(1)");
    // Without a subject they are of one subject.
    check(&[(1, 0, 0, &[]), (2, 0, 0, &[]), (2, 0, 5, &[])], "(0 1)(2)");
}

#[test]
fn references() {
    let check = |lines: &[(i64, u64, i32, &[u64])], threads: &str| {
        let (letters, ids) = mail(lines);
        assert_eq!(written(&references::threads(&letters, &ids)), threads);
    };
    check(&[], "");
    check(&[(1, 1, 0, &[]), (2, 2, 0, &[1]), (3, 3, 0, &[1, 2]), (4, 4, 0, &[1])], "(0(1 2)(3))");
    // RFC 5256 §4: siblings of a parent that is not there.
    check(&[(1, 2, 0, &[1]), (2, 3, 0, &[1])], "((0)(1))");
    // A missing parent with one child leaves the child; missing ones in between go.
    check(&[(1, 2, 0, &[1]), (2, 5, 0, &[2, 3, 4])], "(0 1)");
    // A reply that came first; siblings in the order of their dates.
    check(&[(9, 3, 0, &[1]), (5, 2, 0, &[1]), (1, 1, 0, &[])], "(2(1)(0))");
    // Step 1.A: the second message with an id has none; a given parent stays.
    check(&[(1, 1, 0, &[]), (2, 1, 0, &[]), (3, 3, 0, &[1])], "(0 2)(1)");
    check(&[(1, 1, 0, &[]), (2, 2, 0, &[1]), (3, 3, 0, &[4, 2]), (4, 4, 0, &[])], "(0 1 2)(3)");
    // Step 1.B: its own last reference is the parent, whatever others have said.
    check(&[(1, 1, 0, &[]), (2, 9, 0, &[1, 2]), (3, 2, 0, &[])], "(0)(2 1)");
    // No loops, and nobody is their own parent.
    check(&[(1, 1, 0, &[2]), (2, 2, 0, &[1])], "(1 0)");
    check(&[(1, 1, 0, &[1])], "(0)");
    // Step 5: equal subjects meet at the top.
    check(&[(1, 1, 7, &[]), (2, 2, -7, &[]), (3, 3, -7, &[])], "(0(1)(2))");
    check(&[(1, 1, -7, &[]), (2, 2, 7, &[])], "(1 0)");
    check(&[(1, 1, 7, &[]), (2, 2, 7, &[]), (3, 3, 7, &[])], "((0)(1)(2))");
    check(&[(1, 1, -7, &[]), (2, 2, -7, &[]), (3, 3, 7, &[])], "(2(0)(1))");
    check(&[(1, 1, 7, &[]), (2, 3, -7, &[9]), (3, 4, -7, &[9])], "((0)(1)(2))");
    check(&[(1, 3, -7, &[8]), (2, 4, -7, &[8]), (3, 5, 7, &[9]), (4, 6, 7, &[9])], "((0)(1)(2)(3))");
    check(&[(1, 1, 0, &[]), (2, 2, 0, &[])], "(0)(1)");
}

#[test]
fn invented_references_take_linear_time() {
    // A chain of 100,000, then messages that would have it walked to its end for each reference.
    let chain: Vec<[u64; 1]> = (0..100_000).map(|n| [n]).collect();
    let hooks: Vec<Vec<u64>> = (0..10_000u64)
        .map(|n| (0..16).flat_map(|k| [100_000, 200_000 + (n * 16 + k) * 2]).collect())
        .collect();
    let mut lines: Vec<(i64, u64, i32, &[u64])> =
        chain.iter().map(|parent| (0, parent[0] + 1, 0, &parent[..])).collect();
    lines.extend(hooks.iter().map(|hook| (0, 0, 0, hook.as_slice())));
    let (letters, ids) = mail(&lines);
    let threads = references::threads(&letters, &ids);
    // All are there, and the chain is whole.
    let mut seen = 0;
    let mut open = vec![Threads::ROOT];
    while let Some(node) = open.pop() {
        seen += usize::from(threads.message(node).is_some());
        open.extend(threads.children(node));
    }
    assert_eq!(seen, letters.len());
}

proptest! {
    /// Whatever the references, each message stands in the forest once.
    #[test]
    fn every_message_is_in_one_place(
        lines in proptest::collection::vec((0i64..5, 0u64..9, -3i32..4, proptest::collection::vec(1u64..12, 0..5)), 0..30),
    ) {
        let lines: Vec<_> = lines.iter().map(|(date, id, subject, refs)| (*date, *id, *subject, refs.as_slice())).collect();
        let (letters, ids) = mail(&lines);
        for threads in [references::threads(&letters, &ids), by_subject(&letters)] {
            let mut seen = Vec::new();
            let mut open = vec![Threads::ROOT];
            while let Some(node) = open.pop() {
                seen.extend(threads.message(node));
                // A parent that is not there has children, several of them, and stands at the top.
                prop_assert!(threads.message(node).is_some() || node == Threads::ROOT
                    || (threads.children(node).len() > 1 && threads.children(Threads::ROOT).contains(&node)));
                open.extend(threads.children(node));
            }
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..letters.len() as u32));
        }
    }
}

//! From the counts of words to one number: Robinson's estimate for each token, combined by Fisher's
//! method (G. Robinson, "A statistical approach to the spam problem", 2003).

use super::tokens::Tokens;
use super::words::Words;

/// How strongly a token that was never seen is believed to say nothing: the weight of that belief
/// in messages.
const STRENGTH: f64 = 0.45;
const NEUTRAL: f64 = 0.5;
/// Tokens nearer to neutral are noise.
const SIGNIFICANT: f64 = 0.1;
/// Only the tokens that say most are combined: a long message has no more say than a short one, and
/// words added to hide the others do not count.
const MOST: usize = 150;

/// 0 is surely good, 1 surely junk; 0.5 if the words say nothing or both.
pub(super) fn score(words: &Words, tokens: &Tokens) -> f64 {
    let estimate = |token| {
        let (probability, messages) = words.probability(token)?;
        Some((STRENGTH * NEUTRAL + messages * probability) / (STRENGTH + messages))
    };
    let mut estimates: Vec<f64> = tokens.iter().filter_map(estimate).collect();
    estimates.retain(|estimate| (estimate - NEUTRAL).abs() >= SIGNIFICANT);
    let by_significance = |a: &f64, b: &f64| (b - NEUTRAL).abs().total_cmp(&(a - NEUTRAL).abs());
    estimates.sort_by(by_significance);
    estimates.truncate(MOST);
    combine(&estimates)
}

/// Fisher's method both ways: how unlikely the estimates are if they were chance, leaning to junk and
/// leaning to good.
fn combine(estimates: &[f64]) -> f64 {
    if estimates.is_empty() {
        return NEUTRAL;
    }
    let (mut of_good, mut of_junk) = (0.0, 0.0);
    for estimate in estimates {
        of_good += (1.0 - estimate).ln();
        of_junk += estimate.ln();
    }
    let looks_junk = 1.0 - tail(-2.0 * of_good, estimates.len());
    let looks_good = 1.0 - tail(-2.0 * of_junk, estimates.len());
    f64::midpoint(1.0, looks_junk - looks_good)
}

/// Probability that chi-square with `2 * pairs` degrees of freedom is above `chi`. The sum is kept
/// relative to its largest term, so that nothing underflows.
fn tail(chi: f64, pairs: usize) -> f64 {
    let half = chi / 2.0;
    if half <= 0.0 {
        return 1.0;
    }
    let mut term = -half; // logarithm of e^-half * half^k / k!
    let mut logs = vec![term];
    for k in 1..pairs {
        term += half.ln() - (k as f64).ln();
        logs.push(term);
    }
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
    (largest + sum.ln()).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::junk::words::{Class, Lesson};
    use proptest::prelude::*;

    #[test]
    fn the_tail_of_chi_square() {
        for (chi, pairs, expected) in
            [(0.0, 1, 1.0), (2.0, 1, 0.367_879), (10.0, 5, 0.440_493), (60.0, 10, 7.12e-6)]
        {
            assert!((tail(chi, pairs) - expected).abs() < 1e-4 * expected.max(0.01), "{chi} {pairs}");
        }
        assert!(tail(100_000.0, 150) < 1e-300);
        assert!((tail(1e-9, 150) - 1.0).abs() < 1e-9);
    }

    fn learned(messages: &[(&[u32], Class)]) -> Words {
        let mut words = Words::default();
        let lesson = |(tokens, class): &(&[u32], Class)| Lesson {
            tokens: tokens.iter().copied().collect(),
            before: None,
            now: Some(*class),
        };
        words.learn(&messages.iter().map(lesson).collect::<Vec<_>>());
        words
    }

    #[test]
    fn what_is_like_junk_is_junk() {
        let junk: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 100];
        let good: &[u32] = &[21, 22, 23, 24, 25, 26, 27, 28, 100];
        let words =
            learned(&[(junk, Class::Junk), (junk, Class::Junk), (good, Class::Good), (good, Class::Good)]);
        let score = |tokens: &[u32]| score(&words, &tokens.iter().copied().collect());
        assert!(score(junk) > 0.99);
        assert!(score(good) < 0.01);
        assert!((score(&[100, 500]) - 0.5).abs() < 1e-9, "in both, or unknown");
        assert!((score(&[1, 2, 3, 4, 21, 22, 23, 24]) - 0.5).abs() < 0.01, "half and half");
    }

    proptest! {
        #[test]
        fn a_score_is_a_probability_and_symmetric(estimates in proptest::collection::vec(0.001f64..0.999, 0..200)) {
            let score = combine(&estimates);
            prop_assert!((0.0..=1.0).contains(&score));
            let mirrored: Vec<f64> = estimates.iter().map(|estimate| 1.0 - estimate).collect();
            prop_assert!((score + combine(&mirrored) - 1.0).abs() < 1e-6);
        }
    }
}

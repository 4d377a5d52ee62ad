//! Which bytes of a file are asked for (RFC 9110 §14). What a request may cost is bounded: few ranges,
//! and never more bytes than the file has.

use std::ops::Range;

/// Ranges in one request; a PDF viewer asks for a handful. More, or ranges that overlap, are the "range
/// bomb" of CVE-2011-3192: the whole file is sent instead (RFC 9110 §14.2 allows that).
const MAX_RANGES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No range, or none that is understood.
    Whole,
    /// At least one, in the order asked for, not empty, not overlapping.
    Parts(Vec<Range<u64>>),
    /// 416
    Unsatisfiable,
}

/// ```text
/// ranges-specifier = range-unit "=" range-set
/// int-range        = first-pos "-" [ last-pos ]
/// suffix-range     = "-" suffix-length
/// ```
pub fn wanted(field: &str, size: u64) -> Wanted {
    let Some(set) = field.strip_prefix("bytes=") else { return Wanted::Whole };
    let mut parts = Vec::new();
    let mut count = 0;
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        count += 1;
        if count > MAX_RANGES {
            return Wanted::Whole;
        }
        match one(spec, size) {
            None => return Wanted::Whole,
            Some(part) if part.is_empty() => {}
            Some(part) => parts.push(part),
        }
    }
    if count == 0 {
        return Wanted::Whole;
    }
    let overlaps =
        |(n, a): (usize, &Range<u64>)| parts[..n].iter().any(|b| a.start < b.end && b.start < a.end);
    match parts.is_empty() {
        true => Wanted::Unsatisfiable,
        false if parts.iter().enumerate().any(overlaps) => Wanted::Whole,
        false => Wanted::Parts(parts),
    }
}

/// `None` if it is not one; empty if nothing of the file is in it.
fn one(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?;
        return Some(size.saturating_sub(length)..size);
    }
    let first = number(first)?;
    let last = match last {
        "" => u64::MAX,
        last => number(last)?,
    };
    (first <= last).then(|| first.min(size)..last.saturating_add(1).min(size))
}

/// What does not fit in 64 bits is beyond the end of every file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// `Content-Range: bytes FIRST-LAST/COMPLETE` of a partial PUT (RFC 9110 §14.4, §14.5): where the bytes
/// go; `None` if it is not one.
pub fn content_range(field: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, complete) = field.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let complete = match complete {
        "*" => None,
        complete => Some(number(complete)?),
    };
    let end = last.checked_add(1)?;
    (first < end && complete.is_none_or(|complete| end <= complete)).then_some((first..end, complete))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let parts = |parts: &[(u64, u64)]| Wanted::Parts(parts.iter().map(|&(a, b)| a..b).collect());
        for (field, expected) in [
            ("bytes=0-499", parts(&[(0, 500)])),
            ("bytes=500-999", parts(&[(500, 1000)])),
            ("bytes=-500", parts(&[(500, 1000)])),
            ("bytes=9500-", Wanted::Unsatisfiable),
            ("bytes=0-0,-1", parts(&[(0, 1), (999, 1000)])),
            ("bytes= 0-0 , 5-", parts(&[(0, 1), (5, 1000)])),
            ("bytes=0-99999999999999999999999", parts(&[(0, 1000)])),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=-5000", parts(&[(0, 1000)])),
            ("bytes=2000-,0-1", parts(&[(0, 2)])),
            // Not understood, or a bomb: the whole file.
            ("bytes=5-1", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=0-,0-,0-", Wanted::Whole),
            ("bytes=0-10,5-15", Wanted::Whole),
        ] {
            assert_eq!(wanted(field, 1000), expected, "{field}");
        }
        let bomb: Vec<String> = (0..1000).map(|n| format!("{n}-{n}")).collect();
        assert_eq!(wanted(&format!("bytes={}", bomb.join(",")), 1000), Wanted::Whole);
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn content_ranges() {
        for (field, expected) in [
            ("bytes 0-9/10", Some((0..10, Some(10)))),
            ("bytes 5-9/*", Some((5..10, None))),
            ("bytes 5-9/7", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes=0-9/10", None),
            ("0-9/10", None),
        ] {
            assert_eq!(content_range(field), expected, "{field}");
        }
    }
}

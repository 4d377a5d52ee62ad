//! Subjects as threads see them.

/// The subject without reply and forward marks, list tags and differences of case and space: close
/// to RFC 5256 §2.1's base subject, which RFC 8621 §3 recommends for threads.
pub(crate) fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let before = rest;
        rest = rest.trim_end().strip_suffix("(fwd)").unwrap_or(rest).trim();
        rest = strip_mark(rest).trim_start();
        // A [list tag], as long as something follows it.
        if let Some(inner) = rest.strip_prefix('[')
            && let Some((_, after)) = inner.split_once(']')
            && !after.trim().is_empty()
        {
            rest = after.trim_start();
        }
        if rest == before {
            return rest.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        }
    }
}

/// `Re:`, `Fwd:`, `Re[2]:` and what common programs write instead in other languages.
fn strip_mark(subject: &str) -> &str {
    let Some((mark, after)) = subject.split_once(':') else { return subject };
    let word = mark.split('[').next().unwrap_or(mark).trim();
    let known = ["re", "fw", "fwd", "aw", "wg", "sv", "vs", "antw", "tr", "rif", "res", "enc"];
    match known.iter().any(|k| word.eq_ignore_ascii_case(k)) {
        true => after,
        false => subject,
    }
}

#[cfg(test)]
mod tests {
    use super::base_subject;

    #[test]
    fn marks_are_stripped() {
        for (subject, base) in [
            ("Re: Hello  World", "hello world"),
            ("RE: Fwd: Re[2]: hello world (fwd)", "hello world"),
            ("[list] Re: [list] hello world", "hello world"),
            ("Re: Budget: 2026", "budget: 2026"),
            ("[only a tag]", "[only a tag]"),
            ("Re:", ""),
            ("", ""),
            ("Regarding: x", "regarding: x"),
        ] {
            assert_eq!(base_subject(subject), base, "{subject:?}");
        }
    }
}

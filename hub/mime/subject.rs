//! The base subject of RFC 5256 §2.1: what SORT SUBJECT and THREAD compare.

/// A subject without what replies, forwards and mailing lists have put around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    pub text: String,
    /// A mark of a reply or a forward was taken away (RFC 5256 §3, REFERENCES).
    pub is_reply: bool,
}

/// Of a subject whose encoded-words are decoded: step 1 is done but for the spaces. The letters of the
/// marks are told in any case.
pub fn base_subject(subject: &str) -> BaseSubject {
    let spaced = subject.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = spaced.as_str();
    let mut is_reply = false;
    loop {
        // Step 2
        while let Some(shorter) = without_trailer(rest, &mut is_reply) {
            rest = shorter;
        }
        rest = without_leaders(rest, &mut is_reply);
        // Step 6
        match without_prefix(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => rest = inner,
            None => break,
        }
        is_reply = true;
    }
    BaseSubject { text: rest.to_owned(), is_reply }
}

/// `subj-trailer = "(fwd)" / WSP`
fn without_trailer<'a>(subject: &'a str, is_reply: &mut bool) -> Option<&'a str> {
    if let Some(shorter) = subject.strip_suffix(' ') {
        return Some(shorter);
    }
    let start = subject.len().checked_sub("(fwd)".len())?;
    let (shorter, end) = subject.split_at_checked(start)?;
    let found = end.eq_ignore_ascii_case("(fwd)");
    *is_reply |= found;
    found.then_some(shorter)
}

/// Steps 3 to 5. `subj-leader = (*subj-blob subj-refwd) / WSP`. Blobs in front go unless nothing would
/// be left: all at once, since a subject can consist of thousands.
fn without_leaders<'a>(subject: &'a str, is_reply: &mut bool) -> &'a str {
    let mut rest = subject;
    loop {
        rest = rest.trim_start_matches(' ');
        let (mut last_blob, mut after_blobs) = (rest, rest);
        while let Some(shorter) = without_blob(after_blobs) {
            (last_blob, after_blobs) = (after_blobs, shorter);
        }
        match without_mark(after_blobs) {
            Some(shorter) => rest = shorter,
            None if after_blobs.is_empty() => return last_blob,
            None => return after_blobs,
        }
        *is_reply = true;
    }
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn without_mark(subject: &str) -> Option<&str> {
    let rest = ["re", "fwd", "fw"].iter().find_map(|mark| without_prefix(subject, mark))?;
    let rest = rest.trim_start_matches(' ');
    without_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn without_blob(subject: &str) -> Option<&str> {
    let inner = subject.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(|after| after.trim_start_matches(' '))
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_subjects() {
        let check = |subject: &str, text: &str, is_reply: bool| {
            let found = base_subject(subject);
            assert_eq!((found.text.as_str(), found.is_reply), (text, is_reply), "{subject:?}");
        };
        check("", "", false);
        check("plain", "plain", false);
        check("  a \t  b  ", "a b", false);
        check("Re: a", "a", true);
        check("RE : a", "a", true);
        check("Re[2]: a", "a", true);
        check("re [x] : a", "a", true); // the space is the blob's own
        check("Re [x] a", "Re [x] a", false);
        check("re [x]: a", "a", true);
        check("Fw: Fwd: FWD: a", "a", true);
        check("Re: Re: [list] Re: a", "a", true);
        check("[list] a", "a", false);
        check("[list] [other] a", "a", false);
        check("[list]", "[list]", false);
        check("[one][two]", "[two]", false);
        check("[list] Re: a", "a", true);
        check("a (fwd)", "a", true);
        check("a (FWD) (fwd) ", "a", true);
        check("(fwd)", "", true);
        check("[fwd: a]", "a", true);
        check("[Fwd: Re: [Fwd: a (fwd)]]", "a", true);
        check("[fwd: a] b", "b", false); // a blob
        check("Re:", "", true);
        check("Re: Re:", "", true);
        check("Reply: a", "Reply: a", false);
        check("[a[b] c", "[a[b] c", false);
        check("AW: a", "AW: a", false); // §7: translations are not removed
        check("Re: ü", "ü", true);
        check("ü(fwd)", "ü", true);
        check(&"[x]".repeat(100_000), "[x]", false);
        check(&"[fwd:".repeat(100_000), &"[fwd:".repeat(100_000), false);
        check(&format!("{}a{}", "[fwd:".repeat(100_000), "]".repeat(100_000)), "a", true);
    }

    proptest! {
        #[test]
        fn what_is_left_is_its_own_base(subject in "(re|fwd?|\\[|\\]|:| |\\(fwd\\)|\\[fwd:|x|ü){0,12}") {
            let base = base_subject(&subject);
            let again = base_subject(&base.text);
            prop_assert_eq!(again, BaseSubject { text: base.text.clone(), is_reply: false });
            prop_assert!(base.text.len() <= subject.len());
        }
    }
}

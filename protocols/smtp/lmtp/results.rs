//! What a trusted server in front says of a sender: its Authentication-Results (RFC 8601) as a verdict.

use std::net::IpAddr;

use hub::{AuthResult, DkimVerdict, Incoming, SpfVerdict, Verdict};

/// Fields and results that are looked at; a message may bear any number.
const MOST_FIELDS: usize = 20;
const MOST_RESULTS: usize = 50;
const MOST_SIGNATURES: usize = 10;

/// One `resinfo` (RFC 8601 §2.2) without its reason.
struct Finding {
    method: String,
    result: AuthResult,
    /// `ptype.property` and value, in lower case.
    properties: Vec<(String, String)>,
}

/// What the fields of `authserv_id` say; `None` if there are none.
pub(super) fn verdict(
    incoming: &Incoming,
    header: &[u8],
    authserv_id: &str,
    peer: IpAddr,
    helo: &str,
) -> Option<Verdict> {
    let fields = hub_mime::header_values(header, "Authentication-Results").take(MOST_FIELDS);
    let found: Vec<Vec<Finding>> = fields.filter_map(|value| findings(&value, authserv_id)).collect();
    if found.is_empty() {
        return None;
    }
    let author = match &incoming.summary.author_addresses[..] {
        [author] => author.rsplit_once('@').map_or("", |(_, domain)| domain),
        _ => "",
    };
    let mut verdict = Verdict::new(peer, helo);
    for finding in found.into_iter().flatten().take(MOST_RESULTS) {
        note(&mut verdict, finding, author);
    }
    Some(verdict)
}

fn note(verdict: &mut Verdict, finding: Finding, author: &str) {
    let domain = |name: &str| {
        let (_, value) = finding.properties.iter().find(|(property, _)| property == name)?;
        Some(value.rsplit_once('@').map_or(value.as_str(), |(_, domain)| domain).to_owned())
    };
    let result = finding.result;
    match finding.method.as_str() {
        "arc" => verdict.arc = result,
        "dkim" if verdict.dkim.len() < MOST_SIGNATURES => {
            let domain = domain("header.d").or_else(|| domain("header.i")).unwrap_or_default();
            let aligned = are_aligned(&domain, author);
            verdict.dkim.push(DkimVerdict { result, domain, aligned, ..DkimVerdict::default() });
        }
        "dmarc" => {
            verdict.dmarc.result = result;
            verdict.dmarc.domain = domain("header.from").unwrap_or_default();
        }
        "iprev" => verdict.iprev = result,
        "spf" => {
            let mailfrom = domain("smtp.mailfrom").filter(|domain| !domain.is_empty());
            let of_helo = mailfrom.is_none();
            let domain = mailfrom.or_else(|| domain("smtp.helo")).unwrap_or_default();
            let aligned = !of_helo && are_aligned(&domain, author);
            verdict.spf = SpfVerdict { result, domain, of_helo, aligned };
        }
        _ => {}
    }
}

/// One is the other, or lies below it; the server in front says with `dmarc` what is more difficult.
fn are_aligned(one: &str, other: &str) -> bool {
    let is_below = |name: &str, above: &str| name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'));
    !one.is_empty() && !other.is_empty() && (one == other || is_below(one, other) || is_below(other, one))
}

/// ```text
/// authres-payload = authserv-id [ CFWS version ] ( no-result / 1*resinfo )
/// resinfo         = ";" methodspec [ reasonspec ] 1*propspec
/// ```
/// `None` if the field is another server's, or cannot be read.
fn findings(value: &str, authserv_id: &str) -> Option<Vec<Finding>> {
    let mut parts = split(value);
    let first = parts.next()?;
    let is_wanted = first.first().is_some_and(|id| id.eq_ignore_ascii_case(authserv_id));
    is_wanted.then(|| parts.filter_map(finding).take(MOST_RESULTS).collect())
}

fn finding(words: Vec<String>) -> Option<Finding> {
    let (method, result) = words.first()?.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let result = match result.to_ascii_lowercase().as_str() {
        "fail" | "hardfail" => AuthResult::Fail,
        "neutral" => AuthResult::Neutral,
        "pass" => AuthResult::Pass,
        "permerror" => AuthResult::PermError,
        "policy" => AuthResult::Policy,
        "softfail" => AuthResult::SoftFail,
        "temperror" => AuthResult::TempError,
        _ => AuthResult::None,
    };
    let property = |word: &String| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_ascii_lowercase(), value.to_lowercase()))
    };
    Some(Finding { method, result, properties: words.iter().skip(1).filter_map(property).collect() })
}

/// The words between semicolons, without comments (RFC 5322 §3.2.2) and quotation marks; white space
/// around an equals sign is left out.
fn split(value: &str) -> impl Iterator<Item = Vec<String>> {
    let (mut parts, mut part, mut word) = (Vec::new(), Vec::new(), String::new());
    let (mut comments, mut is_quoted) = (0u32, false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next().filter(|_| comments == 0)),
            '"' if comments == 0 => is_quoted = !is_quoted,
            _ if is_quoted => word.push(c),
            '(' => comments += 1,
            ')' => comments = comments.saturating_sub(1),
            _ if comments > 0 => {}
            ';' => {
                part.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                parts.push(std::mem::take(&mut part));
            }
            c if c.is_whitespace() => {
                part.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            }
            c => word.push(c),
        }
    }
    part.extend(Some(word).filter(|word| !word.is_empty()));
    parts.push(part);
    parts.into_iter().map(joined)
}

/// `name = value` as one word.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        match out.last_mut() {
            Some(last) if last.ends_with('=') || word.starts_with('=') => last.push_str(&word),
            _ => out.push(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> Option<Verdict> {
        let found = findings(value, "mx.example.org")?;
        let mut verdict = Verdict::new([192, 0, 2, 1].into(), "front");
        found.into_iter().for_each(|finding| note(&mut verdict, finding, "example.com"));
        Some(verdict)
    }

    /// As OpenDKIM, OpenDMARC and rspamd write it.
    #[test]
    fn rfc8601_b_results_are_read() {
        let verdict = read(
            "MX.example.org 1; dkim=pass (2048-bit key; secure) header.d=example.com header.i=@example.com \
             header.b=\"AA;=\"; dkim=fail reason=\"no; key\" header.d=list.test; \
             spf=softfail (x (y)) smtp.mailfrom=bounce@mail.example.com; \
             dmarc = pass (p=reject dis=none) header.from = Example.com; arc=none; x-own=pass",
        )
        .expect("ours");
        assert!(verdict.is_authentic());
        assert_eq!(verdict.authenticated_domains(), ["example.com"]);
        assert_eq!((verdict.spf.result, verdict.spf.aligned), (AuthResult::SoftFail, true));
        assert_eq!((verdict.dmarc.result, verdict.dmarc.domain.as_str()), (AuthResult::Pass, "example.com"));
        assert_eq!((verdict.dkim.len(), verdict.dkim[1].aligned), (2, false));
        let helo = read("mx.example.org; spf=pass smtp.helo=example.com").expect("ours");
        assert!(helo.spf.of_helo && !helo.is_authentic());
    }

    #[test]
    fn others_are_not_believed() {
        for value in ["", ";", "mx.example.com; dkim=pass", "mx.example.org.evil; spf=pass", "\"mx\"; none"] {
            assert!(read(value).is_none(), "{value}");
        }
        let nothing = read("mx.example.org; none").expect("ours");
        assert!(nothing.authenticated_domains().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read(value in "(mx.example.org;)?[a-z=;. ()\"\\\\@/]{0,80}") {
            let _ = read(&value);
        }
    }
}

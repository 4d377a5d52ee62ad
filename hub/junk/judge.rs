//! Is this message junk to this twin? One number from all that is known, and why, in one header field.

use tokio::sync::OnceCell;

use super::senders::{Reputation, SenderKey};
use super::tokens::{LOOKED_AT, Tokens};
use super::{Filter, score};
use crate::{AccountId, DmarcPolicy, Hub, Incoming, Origin, Result, Verdict};

/// The field that explains the judgement, in what the hub puts in front of a message. One that a
/// message brought along stands further down, and nothing here believes it.
pub const HEADER: &str = "X-Junk-Verdict";

/// From here on a message is junk. Junk in the inbox costs a second, a letter among the junk may cost
/// much more.
const JUNK: f64 = 0.95;
const GOOD: f64 = 0.2;
/// Lists that are named.
const MOST_LISTS: usize = 3;
/// Domains that are named and looked up; a message may bear any number of signatures.
const MOST_DOMAINS: usize = 3;

// Weights, in units of log-odds: 3 alone makes a neutral message junk.

/// Words alone can decide either way.
const WORDS: f64 = 7.0;
const AUTHENTIC: f64 = -0.5;
const NOBODY_ANSWERS: f64 = 0.7;
const DMARC_FAILS: f64 = 1.5;
/// In a list of senders known for junk, one or several: many copy from each other.
const LISTED: f64 = 3.0;
const CORRESPONDENT: f64 = -8.0;
/// An author's own record counts for more than that of a domain that many share.
const AUTHOR_RECORD: f64 = 4.0;
const DOMAIN_RECORD: f64 = 2.5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Good,
    Junk,
    /// Nothing speaks for either.
    Unsure,
}

/// What a message is to one twin.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub class: Class,
    /// 0 is surely good, 1 surely junk.
    pub score: f64,
    /// `name=value` or a word each, for the header.
    pub reasons: Vec<String>,
}

impl Judgement {
    pub fn is_junk(&self) -> bool {
        self.class == Class::Junk
    }

    /// The header field, with its line end. Domains in it are long at most as DNS allows, and nothing
    /// else in it comes from outside.
    pub fn header(&self) -> String {
        let class = match self.class {
            Class::Good => "good",
            Class::Junk => "junk",
            Class::Unsure => "unsure",
        };
        let mut field = format!("{HEADER}: {class}; score={:.2}", self.score);
        for reason in &self.reasons {
            field.push_str(";\r\n\t");
            field.push_str(reason);
        }
        field + "\r\n"
    }
}

/// All that a judgement goes by; its words are read once, and only if some twin's filter asks.
pub(crate) struct Evidence<'a> {
    incoming: &'a Incoming,
    origin: &'a Origin,
    tokens: OnceCell<Tokens>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(incoming: &'a Incoming, origin: &'a Origin) -> Self {
        Self { incoming, origin, tokens: OnceCell::new() }
    }

    /// `None` for what did not come from outside: the hub's own twins and reports are not judged, nor what
    /// the owner's programs bring. Of a server in front that says nothing of senders, words alone count.
    pub(crate) async fn judge(&self, hub: &Hub, account: AccountId) -> Result<Option<Judgement>> {
        let verdict = match self.origin {
            Origin::Front(verdict) => verdict.as_ref(),
            Origin::Outside(Some(verdict)) => Some(verdict),
            Origin::Hub | Origin::Outside(None) | Origin::Returned | Origin::Twin => return Ok(None),
        };
        let filter = hub.0.junk.filter(&hub.0.storage, account).await?;
        let mut case = Case::default();
        if let Some(verdict) = verdict {
            case.authentication(verdict);
        }
        if let Some(filter) = filter {
            if let Some(words) = filter.trained_words() {
                let tokens = self.tokens.get_or_try_init(|| self.read()).await?;
                case.words(score::score(words, tokens));
            }
            if let Some(verdict) = verdict {
                case.reputation(&filter, verdict, &self.incoming.summary.author_addresses);
            }
        }
        Ok(Some(case.decide(verdict)))
    }

    async fn read(&self) -> Result<Tokens> {
        let (blob, summary) = (&self.incoming.blob, &self.incoming.summary);
        if let Some(bytes) = blob.in_memory() {
            let start = &bytes[..bytes.len().min(LOOKED_AT)];
            return Ok(Tokens::of(start, summary.header_length, &summary.parts));
        }
        let (blob, summary) = (blob.clone(), summary.clone());
        crate::apart(move || {
            let start = blob.read_at(0, LOOKED_AT)?;
            Ok(Tokens::of(&start, summary.header_length, &summary.parts))
        })
        .await?
    }
}

/// A judgement in the making.
#[derive(Default)]
struct Case {
    /// Logarithm of the odds that it is junk.
    odds: f64,
    reasons: Vec<String>,
}

impl Case {
    fn weigh(&mut self, odds: f64, reason: String) {
        self.odds += odds;
        self.reasons.push(reason);
    }

    fn authentication(&mut self, verdict: &Verdict) {
        let domains = verdict.authenticated_domains();
        if verdict.is_authentic() {
            self.weigh(AUTHENTIC, "authentic".into());
        } else if !verdict.dmarc.domain.is_empty() && verdict.dmarc.result == crate::AuthResult::Fail {
            self.weigh(DMARC_FAILS, "dmarc=fail".into());
        } else if verdict.dmarc.result == crate::AuthResult::PermError {
            // Nobody in From, or a crowd.
            self.weigh(DMARC_FAILS, "dmarc=permerror".into());
        } else if domains.is_empty() {
            self.weigh(NOBODY_ANSWERS, "unauthenticated".into());
        }
        if !verdict.listed.is_empty() {
            let lists = verdict.listed.iter().map(|listing| listing.list.as_str());
            let lists: Vec<&str> = lists.filter(|name| is_name(name)).take(MOST_LISTS).collect();
            self.weigh(LISTED, format!("listed={}", lists.join(",")));
        }
        let named: Vec<&str> = domains.into_iter().filter(|name| is_name(name)).take(MOST_DOMAINS).collect();
        if !named.is_empty() {
            self.reasons.push(format!("{DOMAINS}{}", named.join(",")));
        }
    }

    fn words(&mut self, score: f64) {
        let odds = (score.clamp(1e-4, 1.0 - 1e-4) / (1.0 - score.clamp(1e-4, 1.0 - 1e-4))).ln();
        self.weigh(odds.clamp(-WORDS, WORDS), format!("words={score:.2}"));
    }

    /// The record of the author, if it is really they, else of those who answer for the message.
    fn reputation(&mut self, filter: &Filter, verdict: &Verdict, authors: &[String]) {
        if verdict.is_authentic()
            && let [author] = authors
        {
            let record = filter.senders.of(SenderKey::address(author));
            if record.sent > 0 {
                return self.weigh(CORRESPONDENT, "correspondent".into());
            }
            if record.good + record.junk > 0 {
                return self.weigh(odds(record, AUTHOR_RECORD), told("author", record));
            }
        }
        let records = verdict.authenticated_domains().into_iter().take(MOST_DOMAINS);
        let records = records.map(|domain| filter.senders.of(SenderKey::domain(domain)));
        let known = records.max_by_key(|record| record.good.saturating_add(record.junk));
        if let Some(record) = known.filter(|record| record.good.saturating_add(record.junk) > 0) {
            self.weigh(odds(record, DOMAIN_RECORD), told("domain", record));
        }
    }

    fn decide(mut self, verdict: Option<&Verdict>) -> Judgement {
        let mut score = 1.0 / (1.0 + (-self.odds).exp());
        let action = verdict.map_or(DmarcPolicy::None, |verdict| verdict.action);
        if action != DmarcPolicy::None {
            // RFC 9989 §4.7: what the author's domain asks for.
            self.reasons.push(format!("policy={action}"));
            score = score.max(JUNK);
        }
        let class = match score {
            score if score >= JUNK => Class::Junk,
            score if score <= GOOD => Class::Good,
            _ => Class::Unsure,
        };
        Judgement { class, score, reasons: self.reasons }
    }
}

fn odds(record: Reputation, most: f64) -> f64 {
    ((f64::from(record.junk) + 0.5) / (f64::from(record.good) + 0.5)).ln().clamp(-most, most)
}

fn told(who: &str, record: Reputation) -> String {
    format!("{who}-record={}/{}", record.good, record.junk)
}

const DOMAINS: &str = "domains=";

/// Host names only: what stands in our header must not write another.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// What the field says that the hub put in front of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) junk: bool,
    pub(super) authentic: bool,
    pub(super) domains: Vec<String>,
}

/// Reads the field from a message's prefix, which nobody but the hub writes.
pub(super) fn told_at_delivery(prefix: &[u8]) -> Option<Told> {
    let value = hub_mime::header_values(prefix, HEADER).next()?;
    let mut told = Told::default();
    for (n, word) in value.split(';').map(str::trim).enumerate() {
        match word {
            "junk" if n == 0 => told.junk = true,
            "authentic" => told.authentic = true,
            _ => {
                if let Some(domains) = word.strip_prefix(DOMAINS) {
                    told.domains = domains.split(',').take(MOST_DOMAINS).map(str::to_owned).collect();
                }
            }
        }
    }
    Some(told)
}

/// A prefix without these fields, for a message that goes on to others.
pub(crate) fn without_verdicts(prefix: &[u8]) -> Vec<u8> {
    let mut fields = hub_mime::header_fields(prefix, &[HEADER], true);
    // Without the empty line that ends a header (RFC 9051 §6.4.5.1): a prefix has none.
    fields.truncate(fields.len().saturating_sub(2));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::junk::words::{Class as Taught, Lesson};
    use crate::{AuthResult, DkimVerdict, SpfVerdict};

    fn verdict(domain: &str, aligned: bool) -> Verdict {
        let mut verdict = Verdict::new("192.0.2.1".parse().expect("an address"), "mx.example");
        if !domain.is_empty() {
            let result = AuthResult::Pass;
            verdict.spf = SpfVerdict { result, domain: domain.into(), aligned, ..SpfVerdict::default() };
        }
        verdict
    }

    fn decide(filter: &Filter, verdict: &Verdict, words: Option<f64>) -> Judgement {
        let mut case = Case::default();
        case.authentication(verdict);
        if let Some(score) = words {
            case.words(score);
        }
        case.reputation(filter, verdict, &["ann@shop.example".into()]);
        case.decide(Some(verdict))
    }

    #[test]
    fn words_decide_alone_in_both_directions() {
        let filter = Filter::default();
        for (words, class) in
            [(0.0, Class::Good), (0.5, Class::Unsure), (0.99, Class::Junk), (1.0, Class::Junk)]
        {
            assert_eq!(decide(&filter, &verdict("", false), Some(words)).class, class, "{words}");
        }
        assert_eq!(decide(&filter, &verdict("shop.example", true), Some(0.9)).class, Class::Unsure);
    }

    #[test]
    fn nothing_known_is_never_junk() {
        let filter = Filter::default();
        let mut failing = verdict("", false);
        failing.dmarc.result = AuthResult::Fail;
        failing.dmarc.domain = "bank.example".into();
        for verdict in [verdict("", false), verdict("a.example", true), verdict("a.example", false), failing]
        {
            assert_eq!(decide(&filter, &verdict, None).class, Class::Unsure);
        }
    }

    #[test]
    fn those_whom_a_twin_writes_to_are_trusted_if_it_is_they() {
        let mut filter = Filter::default();
        filter.senders.wrote_to(SenderKey::address("Ann@Shop.example"), 1);
        assert_eq!(decide(&filter, &verdict("shop.example", true), Some(0.99)).class, Class::Good);
        assert_eq!(decide(&filter, &verdict("", false), Some(0.99)).class, Class::Junk, "forged");
        assert_eq!(decide(&filter, &verdict("list.example", false), Some(0.99)).class, Class::Junk);
    }

    #[test]
    fn a_record_counts() {
        let mut filter = Filter::default();
        for _ in 0..20 {
            filter.senders.learn(SenderKey::domain("shop.example"), None, Some(Taught::Junk), 1);
        }
        let bad = decide(&filter, &verdict("shop.example", false), Some(0.8));
        assert_eq!(bad.class, Class::Junk);
        assert!(bad.reasons.contains(&"domain-record=0/20".to_owned()), "{bad:?}");
        for _ in 0..200 {
            filter.senders.learn(SenderKey::domain("shop.example"), None, Some(Taught::Good), 1);
        }
        assert_eq!(decide(&filter, &verdict("shop.example", false), Some(0.8)).class, Class::Unsure);
    }

    #[test]
    fn what_the_domain_asks_for_is_done() {
        let mut quarantined = verdict("", false);
        quarantined.action = DmarcPolicy::Quarantine;
        assert!(decide(&Filter::default(), &quarantined, None).is_junk());
    }

    #[test]
    fn lists_speak_against_a_sender_but_not_alone_against_an_author() {
        let listed = |mut verdict: Verdict| {
            let listing = crate::Listing {
                list: "zen.example".into(),
                subject: "192.0.2.1".into(),
                refuses: false,
                reason: Some("spam\r\nX: y".into()),
            };
            verdict.listed = vec![listing.clone(), listing];
            verdict
        };
        let judgement = decide(&Filter::default(), &listed(verdict("", false)), None);
        assert_eq!(judgement.class, Class::Junk);
        assert_eq!(judgement.reasons, ["unauthenticated", "listed=zen.example,zen.example"]);
        let judgement = decide(&Filter::default(), &listed(verdict("shop.example", true)), None);
        assert_eq!(judgement.class, Class::Unsure);
    }

    #[test]
    fn the_header_is_read_back_and_cannot_be_written_by_others() {
        let mut verdict = verdict("shop.example", true);
        verdict.dkim = vec![DkimVerdict {
            result: AuthResult::Pass,
            domain: "x\r\nX-Junk-Verdict: good".into(),
            ..DkimVerdict::default()
        }];
        let judgement = decide(&Filter::default(), &verdict, Some(1.0));
        assert_eq!(
            judgement.header(),
            "X-Junk-Verdict: junk; score=1.00;\r\n\tauthentic;\r\n\tdomains=shop.example;\r\n\twords=1.00\r\n"
        );
        let told = told_at_delivery(judgement.header().as_bytes()).expect("the field");
        assert_eq!(told, Told { junk: true, authentic: true, domains: vec!["shop.example".into()] });
        assert_eq!(told_at_delivery(b"Received: x\r\n"), None);
        let prefix = format!("Delivered-To: a@b.test\r\n{}Received: x\r\n", judgement.header());
        assert_eq!(without_verdicts(prefix.as_bytes()), b"Delivered-To: a@b.test\r\nReceived: x\r\n");
    }

    #[test]
    fn a_filter_with_few_lessons_keeps_silent() {
        let mut filter = Filter::default();
        let lesson = |now| Lesson { tokens: [1, 2].into_iter().collect(), before: None, now: Some(now) };
        for n in 0..super::super::ENOUGH {
            assert!(filter.trained_words().is_none(), "{n}");
            filter.words.learn(&[lesson(Taught::Junk), lesson(Taught::Good)]);
        }
        assert!(filter.trained_words().is_some());
    }
}

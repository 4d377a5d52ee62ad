//! SEARCH: keys → `hub::Criterion`, found messages → SEARCH or ESEARCH (RFC 9051 §6.4.4, RFC 4731,
//! RFC 5032, RFC 5182, RFC 7162 §3.1.5, RFC 8474 §6).

use std::time::{SystemTime, UNIX_EPOCH};

use hub::{Criterion, IdSet, Record};

use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{FlagList, Key, Returns, Search};
use crate::session::{Selected, User};
use crate::status::Reply;

pub(super) async fn search(c: &mut Conversation, tag: &str, search: Search) -> Outcome {
    // What has been delivered by now is found: the client hears of it first.
    c.tell_of_arrivals().await?;
    let (user, selected) = c.session.selected()?;
    if search.other_charset && user.utf8_accept {
        // RFC 6855 §3 would have every charset refused, because it could contradict what was enabled.
        // UTF-8 does not, and Thunderbird goes on to name it.
        return Err(Reply::bad("UTF8=ACCEPT is enabled: the charset is UTF-8").into());
    }
    // RFC 9051 §6.4.4: IMAP4rev2 has no SEARCH response.
    let returns = search.returns.or(user.rev2.then_some(Returns { all: true, ..Returns::default() }));
    let saves = returns.is_some_and(|returns| returns.save);
    let criterion = match compile(user, selected, &search.key).await {
        Ok(criterion) => criterion,
        Err(failure) => {
            // RFC 5182 §2.1: a search that fails leaves the empty result.
            if saves {
                selected.saved = IdSet::new();
            }
            return Err(failure);
        }
    };
    let mentions_modseq = has_modseq(&search.key);
    user.condstore |= mentions_modseq;
    let found = user.account.messages().search(&selected.open, selected.view.base(), &criterion).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            if saves {
                selected.saved = IdSet::new();
            }
            return Err(error.into());
        }
    };
    let base = selected.view.base();
    let found: Vec<Found> = found
        .into_iter()
        .filter_map(|index| {
            let record = base.get(index)?;
            let uid = u64::from(record.uid);
            let number = if search.uid { uid } else { u64::from(selected.view.index_of_base(index)) + 1 };
            Some(Found { number, uid, modseq: record.modseq })
        })
        .collect();
    match returns {
        None => write_search(&mut c.link.out, &found, mentions_modseq),
        Some(returns) => {
            if returns.save {
                selected.saved =
                    found.iter().filter(|one| named(returns, one, &found)).map(|one| one.uid).collect();
            }
            let answer = Answer { tag, uid: search.uid, returns, mentions_modseq };
            answer.write(&mut c.link.out, &found);
        }
    }
    c.link.relieve().await?;
    Ok(Reply::ok("Searched"))
}

/// A message that was found.
struct Found {
    /// What the answer calls it: its UID for UID SEARCH, else its sequence number.
    number: u64,
    uid: u64,
    modseq: u64,
}

/// True for the messages that the result options are about: with MIN and MAX alone the ends, else
/// all (RFC 5182 §2.4, RFC 7162 §3.1.10).
fn named(returns: Returns, one: &Found, found: &[Found]) -> bool {
    let is = |other: Option<&Found>| other.is_some_and(|other| other.uid == one.uid);
    let only_ends = (returns.min || returns.max) && !returns.all && !returns.count;
    !only_ends || (returns.min && is(found.first())) || (returns.max && is(found.last()))
}

/// `* SEARCH *(SP number) [SP "(MODSEQ" SP number ")"]`; due also without matches
/// (mjl-/mox bc62aae).
fn write_search(out: &mut Buffer, found: &[Found], mentions_modseq: bool) {
    out.extend_from_slice(b"* SEARCH");
    for one in found {
        out.push(b' ');
        encode::number(out, one.number);
    }
    if let Some(modseq) = found.iter().map(|one| one.modseq).max().filter(|_| mentions_modseq) {
        out.extend_from_slice(b" (MODSEQ ");
        encode::number(out, modseq);
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n");
}

/// An ESEARCH response (RFC 4731 §3.1).
struct Answer<'a> {
    tag: &'a str,
    uid: bool,
    returns: Returns,
    mentions_modseq: bool,
}

impl Answer<'_> {
    /// `* ESEARCH (TAG "a1") [UID] [MIN n] [MAX n] [COUNT n] [MODSEQ n] [ALL set]`. The tag is a
    /// quoted string: an atom broke the new Outlook (mjl-/mox 2ae121e). With SAVE alone nothing is
    /// said (RFC 5182 §2.1).
    fn write(&self, out: &mut Buffer, found: &[Found]) {
        let returns = self.returns;
        if !(returns.all || returns.count || returns.max || returns.min) {
            return;
        }
        out.extend_from_slice(b"* ESEARCH (TAG ");
        encode::string(out, self.tag.as_bytes());
        out.push(b')');
        if self.uid {
            out.extend_from_slice(b" UID");
        }
        let named = found.iter().filter(|one| named(returns, one, found));
        let modseq = named.map(|one| one.modseq).max().filter(|_| self.mentions_modseq);
        let items = [
            ("MIN", found.first().map(|one| one.number).filter(|_| returns.min)),
            ("MAX", found.last().map(|one| one.number).filter(|_| returns.max)),
            ("COUNT", returns.count.then_some(found.len() as u64)),
            ("MODSEQ", modseq),
        ];
        for (name, value) in items {
            if let Some(value) = value {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
                out.push(b' ');
                encode::number(out, value);
            }
        }
        if returns.all && !found.is_empty() {
            out.extend_from_slice(b" ALL ");
            encode::set(out, &found.iter().map(|one| one.number).collect());
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn has_modseq(key: &Key) -> bool {
    match key {
        Key::Modseq(_) => true,
        Key::And(keys) => keys.iter().any(has_modseq),
        Key::Not(key) => has_modseq(key),
        Key::Or(a, b) => has_modseq(a) || has_modseq(b),
        _ => false,
    }
}

/// The hub's words for a key. Sequence numbers and UIDs become UIDs of the session's view, keywords
/// become bits; a keyword that the account does not have is on no message.
async fn compile(user: &User, selected: &Selected, key: &Key) -> Result<Criterion, Failure> {
    let mut names = Vec::new();
    collect_keywords(key, &mut names);
    let mut keywords = Vec::with_capacity(names.len());
    for name in names {
        let list = FlagList { keywords: vec![name.clone()], ..FlagList::default() };
        keywords.push((name, super::flags::bits(user, &list, false).await?));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    Ok(Compiler { selected, keywords: &keywords, now }.compile(key)?)
}

fn collect_keywords(key: &Key, names: &mut Vec<String>) {
    match key {
        Key::Keyword(name) if !names.contains(name) => names.push(name.clone()),
        Key::And(keys) => keys.iter().for_each(|key| collect_keywords(key, names)),
        Key::Not(key) => collect_keywords(key, names),
        Key::Or(a, b) => {
            collect_keywords(a, names);
            collect_keywords(b, names);
        }
        _ => {}
    }
}

struct Compiler<'a> {
    selected: &'a Selected,
    keywords: &'a [(String, hub::Flags)],
    /// Unix seconds.
    now: i64,
}

impl Compiler<'_> {
    fn compile(&self, key: &Key) -> Result<Criterion, crate::view::NoSuchMessage> {
        let view = &self.selected.view;
        let saved = &self.selected.saved;
        Ok(match key {
            Key::All => Criterion::All,
            Key::And(keys) => {
                Criterion::And(keys.iter().map(|key| self.compile(key)).collect::<Result<_, _>>()?)
            }
            Key::Before(day) => Criterion::ReceivedBefore(*day),
            Key::Body(text) => Criterion::Body(text.clone()),
            Key::EmailId(id) => self.of_records(|record| *id == format!("E{}", record.email)),
            Key::Flags(flags) => Criterion::Flags(*flags),
            Key::Header(name, text) => Criterion::Header(name.clone(), text.clone()),
            Key::Keyword(name) => match self.keywords.iter().find(|(known, _)| known == name) {
                Some((_, flags)) if !flags.is_empty() => Criterion::Flags(*flags),
                _ => Criterion::Never,
            },
            Key::Larger(size) => Criterion::LargerThan(*size),
            Key::Modseq(modseq) => Criterion::ModseqAtLeast(*modseq),
            Key::Never => Criterion::Never,
            Key::Not(key) => Criterion::Not(Box::new(self.compile(key)?)),
            Key::Older(seconds) => {
                let latest = self.now.saturating_sub_unsigned(*seconds);
                self.of_records(|record| record.received_at <= latest)
            }
            Key::On(day) => Criterion::ReceivedOn(*day),
            Key::Or(a, b) => Criterion::Or(Box::new(self.compile(a)?), Box::new(self.compile(b)?)),
            Key::SentBefore(day) => Criterion::SentBefore(*day),
            Key::SentOn(day) => Criterion::SentOn(*day),
            Key::SentSince(day) => Criterion::SentSince(*day),
            Key::Sequence(set) => Criterion::Uids(view.uids(&view.resolve(set, false, saved)?)),
            Key::Since(day) => Criterion::ReceivedSince(*day),
            Key::Smaller(size) => Criterion::SmallerThan(*size),
            Key::Text(text) => Criterion::Text(text.clone()),
            Key::Uid(set) => Criterion::Uids(view.uids(&view.resolve(set, true, saved)?)),
            Key::Younger(seconds) => {
                let earliest = self.now.saturating_sub_unsigned(*seconds);
                self.of_records(|record| record.received_at >= earliest)
            }
        })
    }

    /// A key that the index record alone decides.
    fn of_records(&self, accept: impl Fn(&Record) -> bool) -> Criterion {
        let records = self.selected.view.base().iter().filter(|record| accept(record));
        Criterion::Uids(records.map(|record| u64::from(record.uid)).collect())
    }
}

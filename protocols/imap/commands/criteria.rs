//! Search keys as the hub's criteria (RFC 9051 §6.4.4).

use std::time::{SystemTime, UNIX_EPOCH};

use hub::{Criterion, EmailId};

use super::Failure;
use crate::grammar::command::{FlagList, Key};
use crate::session::{Selected, User};

/// The hub's words for a key. Sequence numbers and UIDs become UIDs of the session's view, keywords
/// become bits; a keyword that the account does not have is on no message.
pub(super) async fn compile(user: &User, selected: &Selected, key: &Key) -> Result<Criterion, Failure> {
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
            Key::EmailId(id) => Criterion::Email(EmailId(*id)),
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
            Key::Older(seconds) => Criterion::ReceivedUntil(self.now.saturating_sub_unsigned(*seconds)),
            Key::On(day) => Criterion::ReceivedOn(*day),
            Key::Or(a, b) => Criterion::Or(Box::new(self.compile(a)?), Box::new(self.compile(b)?)),
            Key::SavedBefore(day) => Criterion::SavedBefore(*day),
            Key::SavedOn(day) => Criterion::SavedOn(*day),
            Key::SavedSince(day) => Criterion::SavedSince(*day),
            Key::SentBefore(day) => Criterion::SentBefore(*day),
            Key::SentOn(day) => Criterion::SentOn(*day),
            Key::SentSince(day) => Criterion::SentSince(*day),
            Key::Sequence(set) => Criterion::Uids(view.uids(&view.resolve(set, false, saved)?)),
            Key::Since(day) => Criterion::ReceivedSince(*day),
            Key::Smaller(size) => Criterion::SmallerThan(*size),
            Key::Text(text) => Criterion::Text(text.clone()),
            Key::ThreadId(id) => Criterion::Thread(*id),
            Key::Uid(set) => Criterion::Uids(view.uids(&view.resolve(set, true, saved)?)),
            Key::Younger(seconds) => Criterion::ReceivedFrom(self.now.saturating_sub_unsigned(*seconds)),
        })
    }
}

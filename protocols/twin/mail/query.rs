//! Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5).

use std::collections::HashSet;

use hub::emails::{EmailFilter, EmailSort, EmailSortKey, KeywordScope};
use hub::{Criterion, EmailId, Keywords};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::query::{Comparator, Filter, QueryChanges, Selection, Window};
use crate::ids;
use crate::mail::{dates, keywords};

pub(crate) const SORT_OPTIONS: [&str; 9] = [
    "receivedAt",
    "sentAt",
    "size",
    "from",
    "to",
    "subject",
    "hasKeyword",
    "allInThreadHaveKeyword",
    "someInThreadHaveKeyword",
];

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    let collapse = arguments.flag("collapseThreads")?;
    arguments.end()?;
    let (found, state) = results(context, &selection, collapse).await?;
    let mut answer = window.answer(context, &state.to_string(), &found, selection.calculate_total, true)?;
    answer.insert("collapseThreads".into(), collapse.into());
    Ok(answer)
}

async fn results(
    context: &Context,
    selection: &Selection,
    collapse: bool,
) -> MethodResult<(Vec<String>, u64)> {
    let known = context.account.messages().keywords().await?;
    let filter = selection.filter.as_ref().map(|filter| email_filter(filter, &known)).transpose()?;
    let sort = selection.sort.iter().map(|one| sort(one, &known)).collect::<MethodResult<Vec<_>>>()?;
    let (found, state) = context.account.emails().query(filter.as_ref(), &sort, collapse).await?;
    Ok((found.into_iter().map(ids::email).collect(), state))
}

pub(crate) async fn query_changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let request = QueryChanges::take(&mut arguments)?;
    let collapse = arguments.flag("collapseThreads")?;
    arguments.end()?;
    // First the results: what changes after them is told next time, and here too, which does no harm.
    let (found, state) = results(context, &selection, collapse).await?;
    let emails = context.account.emails();
    let changes = emails.changes(request.since, usize::MAX).await?;
    let changes = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
    if changes.state < request.since {
        return Err(MethodErrorKind::CannotCalculateChanges.into());
    }
    let mut changed: HashSet<EmailId> =
        changes.created.iter().chain(&changes.updated).map(|id| EmailId(*id)).collect();
    let conversations = emails.conversations().await?;
    // Where a thread counts, what happened to one of its e-mails may move the others.
    if collapse
        || selection.filter.as_ref().is_some_and(asks_threads)
        || selection.sort.iter().any(sorts_threads)
    {
        let gone = changes.destroyed.iter().map(|id| EmailId(*id));
        let threads: HashSet<i64> =
            changed.iter().copied().chain(gone).filter_map(|email| conversations.thread(email)).collect();
        changed.extend(threads.into_iter().flat_map(|thread| conversations.emails(thread)));
    }
    let gone: HashSet<EmailId> = changes.destroyed.iter().map(|id| EmailId(*id)).collect();
    let text = |ids: HashSet<EmailId>| ids.into_iter().map(ids::email).collect::<HashSet<String>>();
    let changed = changed.difference(&gone).copied().collect();
    let mut answer =
        request.answer(context, &state.to_string(), &found, (text(changed), text(gone)), &selection)?;
    answer.insert("collapseThreads".into(), collapse.into());
    Ok(answer)
}

fn asks_threads(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Not(all) | Filter::Or(all) => all.iter().any(asks_threads),
        Filter::Condition(object) => object.keys().any(|name| name.contains("InThread")),
    }
}

fn sorts_threads(comparator: &Comparator) -> bool {
    comparator.property.contains("InThread")
}

fn email_filter(filter: &Filter, known: &Keywords) -> MethodResult<EmailFilter> {
    let all = |filters: &[Filter]| {
        filters.iter().map(|one| email_filter(one, known)).collect::<MethodResult<Vec<_>>>()
    };
    Ok(match filter {
        Filter::And(filters) => EmailFilter::And(all(filters)?),
        Filter::Not(filters) => EmailFilter::Not(Box::new(EmailFilter::Or(all(filters)?))),
        Filter::Or(filters) => EmailFilter::Or(all(filters)?),
        Filter::Condition(object) => {
            let leaves = object.iter().map(|(name, value)| condition(name, value, known));
            EmailFilter::And(leaves.collect::<MethodResult<_>>()?)
        }
    })
}

/// RFC 8621 §4.4.1.
fn condition(name: &str, value: &Value, known: &Keywords) -> MethodResult<EmailFilter> {
    let wrong = || MethodError::argument("filter", &format!("has a {name} of the wrong type"));
    let text = || value.as_str().ok_or_else(wrong);
    let not = |filter| EmailFilter::Not(Box::new(filter));
    let keyword = |scope| -> MethodResult<EmailFilter> {
        let flag = keywords::flag(known, text()?);
        Ok(EmailFilter::Keyword(flag, scope))
    };
    let date = || dates::parse_utc(text()?).ok_or_else(wrong);
    let size = || value.as_u64().ok_or_else(wrong);
    Ok(match name {
        "inMailbox" => match ids::parse_mailbox(text()?) {
            Some(mailbox) => EmailFilter::InMailbox(mailbox),
            None => EmailFilter::Or(Vec::new()),
        },
        "inMailboxOtherThan" => {
            let ids = value.as_array().ok_or_else(wrong)?;
            let ids = ids.iter().map(|id| id.as_str().ok_or_else(wrong)).collect::<MethodResult<Vec<_>>>()?;
            EmailFilter::InMailboxOtherThan(ids.into_iter().filter_map(ids::parse_mailbox).collect())
        }
        "before" => EmailFilter::Before(date()?),
        "after" => EmailFilter::After(date()?),
        "minSize" => EmailFilter::MinSize(size()?),
        "maxSize" => EmailFilter::Smaller(size()?),
        "allInThreadHaveKeyword" => keyword(KeywordScope::AllInThread)?,
        "someInThreadHaveKeyword" => keyword(KeywordScope::SomeInThread)?,
        "noneInThreadHaveKeyword" => not(keyword(KeywordScope::SomeInThread)?),
        "hasKeyword" => keyword(KeywordScope::Email)?,
        "notKeyword" => not(keyword(KeywordScope::Email)?),
        "hasAttachment" => match value.as_bool().ok_or_else(wrong)? {
            true => EmailFilter::HasAttachment,
            false => not(EmailFilter::HasAttachment),
        },
        "text" => words(text()?, Criterion::Text),
        "from" | "to" | "cc" | "bcc" | "subject" => {
            let field = name.to_owned();
            words(text()?, move |word| Criterion::Header(field.clone(), word))
        }
        "body" => words(text()?, Criterion::Body),
        "header" => EmailFilter::Text(header(value).ok_or_else(wrong)?),
        _ => return Err(MethodError::new(MethodErrorKind::UnsupportedFilter, format!("{name} is unknown"))),
    })
}

fn header(value: &Value) -> Option<Criterion> {
    let parts = value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    match *parts.as_slice() {
        [name] => Some(Criterion::Header(name.to_owned(), String::new())),
        [name, text] => Some(Criterion::Header(name.to_owned(), text.to_owned())),
        _ => None,
    }
}

/// All words of a text, in any order, and what stands in quotes as it is (RFC 8621 §4.4.1).
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let current = words.last_mut();
        match (quote, c) {
            (Some(open), c) if c == open => {
                quote = None;
                words.push(String::new());
            }
            (Some(_), '\\') if chars.peek().is_some_and(|next| matches!(next, '\\' | '"' | '\'')) => {
                current.into_iter().for_each(|word| word.extend(chars.next()));
            }
            (None, '"' | '\'') if current.as_ref().is_some_and(|word| word.is_empty()) => quote = Some(c),
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => current.into_iter().for_each(|word| word.push(c)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn words(text: &str, criterion: impl Fn(String) -> Criterion) -> EmailFilter {
    let all: Vec<Criterion> = split_words(text).into_iter().map(criterion).collect();
    match all.is_empty() {
        true => EmailFilter::And(Vec::new()),
        false => EmailFilter::Text(Criterion::And(all)),
    }
}

fn sort(comparator: &Comparator, known: &Keywords) -> MethodResult<EmailSort> {
    let keyword = |scope| -> MethodResult<EmailSortKey> {
        let name = comparator.more.get("keyword").and_then(Value::as_str);
        let name = name.ok_or_else(|| MethodError::argument("sort", "has no keyword"))?;
        Ok(EmailSortKey::Keyword(keywords::flag(known, name), scope))
    };
    let key = match comparator.property.as_str() {
        "receivedAt" => EmailSortKey::ReceivedAt,
        "sentAt" => EmailSortKey::SentAt,
        "size" => EmailSortKey::Size,
        "from" => EmailSortKey::From,
        "to" => EmailSortKey::To,
        "subject" => EmailSortKey::Subject,
        "hasKeyword" => keyword(KeywordScope::Email)?,
        "allInThreadHaveKeyword" => keyword(KeywordScope::AllInThread)?,
        "someInThreadHaveKeyword" => keyword(KeywordScope::SomeInThread)?,
        _ => return Err(MethodErrorKind::UnsupportedSort.into()),
    };
    Ok(EmailSort { key, descending: !comparator.is_ascending })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases() {
        for (text, expected) in [
            ("a  b", vec!["a", "b"]),
            ("\"a b\" c", vec!["a b", "c"]),
            ("'a \\' b'", vec!["a ' b"]),
            ("it's", vec!["it's"]),
            ("\"open end", vec!["open end"]),
            ("  ", vec![]),
        ] {
            assert_eq!(split_words(text), expected, "{text}");
        }
    }
}

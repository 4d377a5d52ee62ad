//! SearchSnippet/get (RFC 8621 §5): where the words of a search were found.

use hub::EmailId;
use hub_mime::fold;
use serde_json::{Map, Value, json};

use crate::blob::{Blob, HELD, Parts};
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::get::answer;
use crate::core::limits::MAX_OBJECTS_IN_GET;
use crate::core::query::{Filter, Selection};
use crate::ids::{self, BlobId};
use crate::mail::body::Body;
use crate::mail::query::split_words;

/// RFC 8621 §5: octets of a preview.
const PREVIEW: usize = 255;
/// Characters that are shown before the first word found.
const BEFORE: usize = 40;

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let ids =
        arguments.strings("emailIds")?.ok_or_else(|| MethodError::argument("emailIds", "is missing"))?;
    let selection = Selection::take(&mut arguments)?;
    arguments.end()?;
    if ids.len() > MAX_OBJECTS_IN_GET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    let mut words = Words::default();
    selection.filter.iter().for_each(|filter| words.add(filter));
    let wanted: Vec<EmailId> = ids.iter().filter_map(|id| ids::parse_email(id)).collect();
    let emails = context.account.emails();
    let found = emails.find(&wanted).await?;
    let wanted: Vec<EmailId> = wanted.into_iter().filter(|id| found.contains_key(id)).collect();
    let mut list = Vec::with_capacity(wanted.len());
    for page in wanted.chunks(64) {
        let messages = emails.messages(page).await?;
        let small: Vec<_> = messages.iter().flatten().filter(|message| message.size() <= HELD).collect();
        let starts: Vec<_> = small.iter().map(|message| (*message, u64::MAX)).collect();
        let mut bytes = context.account.messages().read_starts(&starts).await?.into_iter();
        for (id, message) in page.iter().zip(&messages) {
            let Some(message) = message else { continue };
            let blob = match message.size() <= HELD {
                true => Blob::Held(bytes.next().unwrap_or_default()),
                false => {
                    Blob::Message(context.account.messages().open_message(message).await?, message.size())
                }
            };
            list.push(snippet(*id, &Parts::of_kept(blob, message), &words).await?);
        }
    }
    let known: Vec<String> = wanted.iter().map(|id| ids::email(*id)).collect();
    let not_found: Vec<String> = ids.into_iter().filter(|id| !known.contains(id)).collect();
    Ok(answer([
        ("accountId", json!(context.account_id)),
        ("list", list.into()),
        ("notFound", if not_found.is_empty() { Value::Null } else { json!(not_found) }),
    ]))
}

/// What is looked for, folded.
#[derive(Default)]
struct Words {
    subject: Vec<String>,
    body: Vec<String>,
}

impl Words {
    /// What stands under NOT is not what was found.
    fn add(&mut self, filter: &Filter) {
        match filter {
            Filter::And(all) | Filter::Or(all) => all.iter().for_each(|inner| self.add(inner)),
            Filter::Not(_) => {}
            Filter::Condition(object) => {
                for (name, value) in object {
                    let words = || {
                        value
                            .as_str()
                            .map(split_words)
                            .unwrap_or_default()
                            .into_iter()
                            .map(|word| fold(&word))
                    };
                    if matches!(name.as_str(), "text" | "subject") {
                        self.subject.extend(words());
                    }
                    if matches!(name.as_str(), "text" | "body") {
                        self.body.extend(words());
                    }
                }
            }
        }
    }
}

async fn snippet(id: EmailId, message: &Parts, words: &Words) -> MethodResult<Value> {
    let header = match message.parts.first() {
        Some(top) => message.header(top).await?,
        None => bytes::Bytes::new(),
    };
    let subject = hub_mime::named_fields(&header, "Subject").next_back().map(hub_mime::text_form);
    let subject = subject.and_then(|subject| marked(&subject, &words.subject));
    let mut preview = None;
    if !words.body.is_empty() {
        let blob_id = BlobId::email(id);
        let body = Body::of(message, &blob_id).await?;
        for text in body.plain_texts().await? {
            preview = marked_around(&text, &words.body);
            if preview.is_some() {
                break;
            }
        }
    }
    Ok(json!({ "emailId": ids::email(id), "subject": subject, "preview": preview }))
}

/// The text as HTML with the words in `<mark>`; `None` if there is none of them.
fn marked(text: &str, words: &[String]) -> Option<String> {
    let spans = spans(text, words);
    if spans.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len() + spans.len() * 13);
    let mut at = 0;
    for (start, end) in spans {
        escape(&text[at..start], &mut out);
        out.push_str("<mark>");
        escape(&text[start..end], &mut out);
        out.push_str("</mark>");
        at = end;
    }
    escape(&text[at..], &mut out);
    Some(out)
}

/// A piece of the text around the first word, in no more than [`PREVIEW`] octets.
fn marked_around(text: &str, words: &[String]) -> Option<String> {
    let (first, _) = *spans(text, words).first()?;
    let mut start = text[..first].char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    if start > 0 {
        start += text[start..first].find(char::is_whitespace).map_or(0, |at| at + 1);
    }
    let piece: Vec<(usize, char)> = text[start..].char_indices().take(PREVIEW).collect();
    // Marks and escapes take room too: as much text as fits with them.
    for count in (1..=piece.len()).rev() {
        let end = piece.get(count).map_or(text.len(), |(at, _)| start + at);
        let end = end.min(start + piece[count - 1].0 + piece[count - 1].1.len_utf8());
        let short = text[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
        match marked(&short, words) {
            Some(out) if out.len() <= PREVIEW => return Some(out),
            Some(_) => {}
            None => return None,
        }
    }
    None
}

/// Where words begin and end, in order, not overlapping. Folding may change lengths: each character is
/// folded by itself.
fn spans(text: &str, words: &[String]) -> Vec<(usize, usize)> {
    let mut folded = String::with_capacity(text.len());
    // For each octet of the folded text, the character that it comes from.
    let mut origin: Vec<(usize, usize)> = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let piece = fold(c.encode_utf8(&mut [0; 4]));
        origin.extend(std::iter::repeat_n((at, at + c.len_utf8()), piece.len()));
        folded.push_str(&piece);
    }
    let mut found: Vec<(usize, usize)> = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        found.extend(
            folded.match_indices(word.as_str()).map(|(at, _)| (origin[at].0, origin[at + word.len() - 1].1)),
        );
    }
    found.sort_unstable();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for (start, end) in found {
        match apart.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    apart
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_marked() {
        let words = |words: &[&str]| words.iter().map(|word| fold(word)).collect::<Vec<_>>();
        assert_eq!(
            marked("The Foo & foo's", &words(&["foo"])).as_deref(),
            Some("The <mark>Foo</mark> &amp; <mark>foo</mark>'s")
        );
        assert_eq!(marked("abc", &words(&["ab", "bc"])).as_deref(), Some("<mark>abc</mark>"));
        assert_eq!(marked("abc", &words(&["x"])), None);
        assert_eq!(
            marked("STRASSE", &words(&["stra\u{df}e"])).is_some(),
            fold("STRASSE").contains(&fold("stra\u{df}e"))
        );
        let long = format!("{} needle {}", "hay ".repeat(100), "<>".repeat(200));
        let found = marked_around(&long, &words(&["needle"])).expect("found");
        assert!(found.len() <= PREVIEW && found.contains("<mark>needle</mark>"), "{found}");
    }

    proptest! {
        /// Without the marks it is the text.
        #[test]
        fn marks_change_nothing(text in "[a-c\u{c4}\u{130}\u{df} ]{0,30}", words in proptest::collection::vec("[a-c\u{e4}i]{1,3}", 0..4)) {
            let words: Vec<String> = words.iter().map(|word| fold(word)).collect();
            if let Some(out) = marked(&text, &words) {
                prop_assert_eq!(out.replace("<mark>", "").replace("</mark>", ""), text);
            }
        }
    }
}

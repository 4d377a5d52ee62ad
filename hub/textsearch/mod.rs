//! Full-text search behind SEARCH BODY and TEXT (RFC 9051 §6.4.4): the index proposes, the text
//! decides, and what is not indexed yet is looked at. The same for what files say (`documents`, `read`),
//! behind [`crate::files::Files::search`].

mod documents;
mod index;
mod needles;
mod read;
mod terms;
#[cfg(test)]
mod tests;
mod texts;

use hub_storage::{Candidates, Corpus};

pub(crate) use documents::{find_in, read_documents, terms_of_needle, texts_of};
pub(crate) use index::{TextIndex, keep_indexed};
pub(crate) use needles::Found;
use needles::Needles;
pub(crate) use read::{FileTexts, keep_read};
use texts::Place;

use crate::{Criterion, EmailId, Message, Messages, Result};

/// Keys that the index is asked about. People ask about a few; with hundreds the asking would take
/// longer than what it saves.
const MOST_ASKED: usize = 64;

/// The needles of a criterion, with what the index says about its keys.
pub(crate) struct TextQuery {
    needles: Vec<String>,
    /// Keys with the places of their questions; a message has to have all terms of one of them.
    asked: Vec<(Criterion, Vec<usize>)>,
    questions: Vec<Vec<u32>>,
    candidates: Candidates,
}

impl TextQuery {
    /// For a folded criterion, before the index has been asked.
    pub(crate) fn new(criterion: &Criterion) -> Self {
        let mut query = Self {
            needles: Vec::new(),
            asked: Vec::new(),
            questions: Vec::new(),
            candidates: Candidates::default(),
        };
        query.collect(criterion);
        query
    }

    fn collect(&mut self, criterion: &Criterion) {
        match criterion {
            Criterion::And(all) => all.iter().for_each(|part| self.collect(part)),
            Criterion::Not(inner) => self.collect(inner),
            Criterion::Or(a, b) => {
                self.collect(a);
                self.collect(b);
            }
            leaf => self.ask(leaf),
        }
    }

    /// Notes the needle and the questions of a key, if it is one that looks at text.
    fn ask(&mut self, leaf: &Criterion) {
        if self.asked.iter().any(|(known, _)| known == leaf) {
            return;
        }
        let in_body = |needle| terms::of_needle(needle, Place::Body);
        let in_header = |needle| terms::of_needle(needle, Place::Header);
        let questions = match leaf {
            Criterion::Body(needle) => vec![in_body(needle)],
            // Of a field both the name and the text stand in the header.
            Criterion::Header(name, needle) => vec![[in_header(name), in_header(needle)].concat()],
            Criterion::Text(needle) => vec![in_body(needle), in_header(needle)],
            _ => return,
        };
        if let Criterion::Body(needle) | Criterion::Text(needle) = leaf
            && !self.needles.contains(needle)
        {
            self.needles.push(needle.clone());
        }
        // A needle without terms may be anywhere.
        if self.asked.len() < MOST_ASKED && questions.iter().all(|question| !question.is_empty()) {
            let first = self.questions.len();
            self.questions.extend(questions);
            self.asked.push((leaf.clone(), (first..self.questions.len()).collect()));
        }
    }

    /// `Some(false)` if the index knows the message and that the key does not match it.
    pub(crate) fn by_index(&self, leaf: &Criterion, email: EmailId) -> Option<bool> {
        let email = email.0 as u64;
        let (_, questions) = self.asked.iter().find(|(asked, _)| asked == leaf)?;
        let may =
            |question: &usize| self.candidates.matching.get(*question).is_none_or(|s| s.contains(email));
        let excluded = self.candidates.indexed.contains(email) && !questions.iter().any(may);
        excluded.then_some(false)
    }

    fn place(&self, needle: &str) -> Option<usize> {
        self.needles.iter().position(|known| known == needle)
    }

    /// What the text says of a body or text key.
    pub(crate) fn by_text(&self, leaf: &Criterion, found: &Found) -> Option<bool> {
        let at = |list: &[bool], n: usize| list.get(n).copied().unwrap_or(false);
        match leaf {
            Criterion::Body(needle) => self.place(needle).map(|n| at(&found.in_body, n)),
            Criterion::Text(needle) => {
                self.place(needle).map(|n| at(&found.in_body, n) || at(&found.in_header, n))
            }
            _ => None,
        }
    }
}

impl Messages<'_> {
    /// Asks the index. Returns false if there was nothing to ask.
    pub(crate) async fn consult_index(&self, query: &mut TextQuery) -> Result<bool> {
        if query.questions.is_empty() {
            return Ok(false);
        }
        match self.storage().candidates(self.account.id, Corpus::Mail, &query.questions).await {
            Ok(candidates) => query.candidates = candidates,
            Err(hub_storage::Error::Damaged(damage)) => {
                tracing::warn!(account = self.account.id.0, %damage, "searching without index; it is made anew");
                self.storage().forget_terms(self.account.id, Corpus::Mail).await?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Looks for the query's needles in messages.
    pub(crate) async fn find_texts(&self, messages: &[&Message], query: &TextQuery) -> Result<Vec<Found>> {
        let needles = Needles::new(&query.needles);
        texts::read_texts(self.storage(), messages, move || needles.clone(), Needles::into_found).await
    }
}

//! Searching in names and texts. The index of texts proposes, the text decides, and a content that
//! nobody has looked at yet is looked at: what was written a moment ago is found.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use hub_mime::{contains_folded, fold};
use hub_storage::files::KnownText;
use hub_storage::{BlobId, Candidates, Corpus};

use crate::files::{FilePath, Files, Node, Walked};
use crate::textsearch::{find_in, read_documents, terms_of_needle, texts_of};
use crate::{Inner, Result};

/// Texts that are read at once; of contents that were not read before, fewer.
const TEXTS: usize = 64;
const AT_ONCE: usize = 8;
/// How long one search looks at contents that were not read before. After a large upload, reading all of
/// them takes a while in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a search has found.
#[derive(Clone, Debug)]
pub struct FoundFiles {
    pub files: Vec<Walked>,
    /// Nothing was left out.
    pub is_complete: bool,
}

/// Looks for texts in files.
pub struct TextFinder {
    files: Files,
    /// Folded.
    needles: Vec<String>,
    candidates: Candidates,
    /// Time that was taken by contents that were not read before.
    spent: Duration,
    is_complete: bool,
}

impl Files {
    /// What below a folder has this text in its name or in its content, without regard to case; at most
    /// `limit`. Texts of PDF, office files, HTML and plain text are known, of each some four megabytes.
    /// Errors as of [`Files::lookup`].
    pub async fn search(&self, folder: &FilePath, text: &str, limit: usize) -> Result<FoundFiles> {
        let needle = fold(text);
        let mut walk = self.walk(&self.lookup(folder).await?);
        let mut finder = self.find_texts(&[text]).await?;
        let mut files = Vec::new();
        while let Some(page) = walk.next().await? {
            let nodes: Vec<&Node> = page.iter().map(|walked| &walked.node).collect();
            let by_name: Vec<bool> = nodes.iter().map(|node| contains_folded(&node.name, &needle)).collect();
            let others =
                nodes.iter().zip(&by_name).filter(|(_, is_found)| !**is_found).map(|(node, _)| *node);
            let mut by_text = finder.look(&others.collect::<Vec<_>>()).await?.into_iter().flatten();
            let found = page.into_iter().zip(by_name);
            files.extend(
                found.filter(|(_, by_name)| *by_name || by_text.next() == Some(true)).map(|(file, _)| file),
            );
            if files.len() >= limit {
                let is_complete = finder.is_complete && files.len() == limit;
                files.truncate(limit);
                return Ok(FoundFiles { files, is_complete });
            }
        }
        Ok(FoundFiles { files, is_complete: finder.is_complete })
    }

    /// Begins to look for some texts.
    pub async fn find_texts(&self, texts: &[&str]) -> Result<TextFinder> {
        let needles: Vec<String> = texts.iter().map(|text| fold(text)).collect();
        let questions: Vec<Vec<u32>> = needles.iter().map(|needle| terms_of_needle(needle)).collect();
        let candidates = match self.storage().candidates(self.owner, Corpus::Files, &questions).await {
            Err(hub_storage::Error::Damaged(damage)) => {
                tracing::warn!(account = self.owner.0, %damage, "searching files without index; it is made anew");
                self.storage().forget_terms(self.owner, Corpus::Files).await?;
                Candidates::default()
            }
            other => other?,
        };
        let spent = Duration::ZERO;
        Ok(TextFinder { files: self.clone(), needles, candidates, spent, is_complete: true })
    }
}

impl TextFinder {
    /// Which of the texts each of these has in its content; folders have none.
    pub async fn look(&mut self, nodes: &[&Node]) -> Result<Vec<Vec<bool>>> {
        let sizes = nodes.iter().filter_map(|node| Some((node.blob?, node.size)));
        let sizes: HashMap<BlobId, u64> = sizes.collect();
        let blobs: Vec<BlobId> = sizes.keys().copied().collect();
        let known = self.storage().known_texts(self.files.owner, &blobs).await?;
        let mut found = self.verify(&known).await?;
        let is_known: HashSet<BlobId> = known.iter().map(|text| text.blob).collect();
        let unknown: Vec<(BlobId, u64)> =
            sizes.into_iter().filter(|(blob, _)| !is_known.contains(blob)).collect();
        for contents in unknown.chunks(AT_ONCE) {
            let answers = self.look_into(contents).await?;
            found.extend(contents.iter().map(|(blob, _)| *blob).zip(answers));
        }
        let nothing = vec![false; self.needles.len()];
        let of = |node: &&Node| node.blob.and_then(|blob| found.get(&blob)).unwrap_or(&nothing).clone();
        Ok(nodes.iter().map(of).collect())
    }

    /// False if there was more to look at than one search does.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Reads the texts that the index does not exclude.
    async fn verify(&self, known: &[KnownText]) -> Result<HashMap<BlobId, Vec<bool>>> {
        let ids: Vec<i64> = known.iter().filter(|text| self.may_match(text)).map(|text| text.id).collect();
        let mut found = HashMap::new();
        for ids in ids.chunks(TEXTS) {
            let texts = self.storage().texts(self.files.owner, ids).await?;
            let forms: Vec<_> = texts.into_iter().map(|(_, blob, form)| (blob, form)).collect();
            let blobs: Vec<BlobId> = forms.iter().map(|(blob, _)| *blob).collect();
            let texts = texts_of(self.hub(), forms).await?;
            found.extend(blobs.into_iter().zip(find_in(texts, self.needles.clone()).await?));
        }
        Ok(found)
    }

    fn may_match(&self, text: &KnownText) -> bool {
        let id = text.id as u64;
        let is_asked_for = || self.candidates.matching.iter().any(|matching| matching.contains(id));
        text.has_text && (!self.candidates.indexed.contains(id) || is_asked_for())
    }

    /// Reads contents that nobody has read yet.
    async fn look_into(&mut self, contents: &[(BlobId, u64)]) -> Result<Vec<Vec<bool>>> {
        if self.spent >= PATIENCE {
            self.is_complete = false;
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let read = async {
            let forms = read_documents(self.hub(), contents).await?;
            texts_of(self.hub(), contents.iter().map(|(blob, _)| *blob).zip(forms).collect()).await
        };
        let texts = read.await;
        self.spent += began.elapsed();
        match texts {
            Ok(texts) => find_in(texts, self.needles.clone()).await,
            Err(error) => {
                tracing::debug!(account = self.files.owner.0, %error, "a search leaves files out");
                self.is_complete = false;
                Ok(Vec::new())
            }
        }
    }

    fn hub(&self) -> &Inner {
        &self.files.hub.0
    }

    fn storage(&self) -> &hub_storage::Storage {
        self.files.storage()
    }
}

//! Files: a random course of changes against a model, on paths, contents and counters.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Place as Database, account};
use crate::files::{self, Content, CopyDepth, NewNode, NodeId, NodeRow, Place, Times};
use crate::{AccountId, BlobId, Result, Since, Storage, accounts};

const MOST_VERSIONS: usize = 2;

/// Contents by path; `None` is a folder.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// Whoever synchronises: what it believes, and up to when.
#[derive(Default)]
struct Mirror {
    tree: BTreeMap<String, Option<u64>>,
    since: Option<Since>,
}

/// Numbers that look random and are the same each time (Numerical Recipes' generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides as u64) as usize
    }
}

struct Course {
    storage: Storage,
    account: AccountId,
    dice: Dice,
    tree: Tree,
    /// What lies in the trash: where it was and what it is.
    trash: Vec<(NodeId, String, Tree)>,
}

fn keys(path: &str) -> Vec<String> {
    path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn is_within(path: &str, folder: &str) -> bool {
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Takes a path and all below it out of a tree.
fn cut(tree: &mut Tree, path: &str) -> Tree {
    let (gone, left) = std::mem::take(tree).into_iter().partition(|(other, _)| is_within(other, path));
    *tree = left;
    gone
}

/// Puts what was at `from` to `to`.
fn graft(tree: &mut Tree, branch: &Tree, from: &str, to: &str) {
    tree.extend(
        branch.iter().map(|(path, content)| (format!("{to}{}", &path[from.len()..]), content.clone())),
    );
}

fn new_node(is_folder: bool, content: Content) -> NewNode {
    let (content_type, checksum) = (String::new(), String::new());
    NewNode { is_folder, content, content_type, checksum, created_at: 1, modified_at: 2 }
}

async fn content(storage: &Storage, bytes: &[u8]) -> Content {
    if bytes.is_empty() {
        return Content::Empty;
    }
    let mut spool = storage.spool();
    spool.write(bytes).await.expect("written");
    Content::New(Arc::new(spool.finish().await.expect("staged")))
}

async fn find(storage: &Storage, account: AccountId, path: &str) -> Vec<NodeRow> {
    storage.file_path(account, NodeId::FILES, &keys(path)).await.expect("found")
}

/// A place for a path whose folder exists.
async fn place(storage: &Storage, account: AccountId, path: &str) -> Place {
    let chain = find(storage, account, parent(path)).await;
    let key = path.rsplit('/').next().unwrap_or_default().to_owned();
    Place { above: chain.iter().map(|node| node.id).collect(), name: key.clone(), key }
}

impl Course {
    async fn new(storage: &Storage, name: &str, seed: u64) -> Self {
        let (account, _) = account(storage, name, 0).await;
        Self { storage: storage.clone(), account, dice: Dice(seed), tree: Tree::new(), trash: Vec::new() }
    }

    /// A folder or file that is there.
    fn any(&mut self, is_folder: Option<bool>) -> Option<String> {
        let fits =
            |content: &Option<Vec<u8>>| is_folder.is_none_or(|is_folder| is_folder == content.is_none());
        let paths: Vec<&String> = self.tree.iter().filter(|(_, c)| fits(c)).map(|(path, _)| path).collect();
        let count = paths.len();
        (count > 0).then(|| paths[self.dice.roll(count)].clone())
    }

    /// A path in some folder; perhaps something is there.
    fn somewhere(&mut self) -> String {
        let folder = if self.dice.roll(4) == 0 { None } else { self.any(Some(true)) };
        let name = ["a", "b", "c", "d", "e\u{e9}", "f.txt"][self.dice.roll(6)];
        join(&folder.unwrap_or_default(), name)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 1, 20, 300][self.dice.roll(4)];
        vec![b'x' + self.dice.roll(3) as u8; length]
    }

    async fn step(&mut self) {
        match self.dice.roll(12) {
            0..=3 => self.write().await,
            4 | 5 => self.make_folder().await,
            6 => self.copy().await,
            7 | 8 => self.rename().await,
            9 => self.delete().await,
            10 => self.restore().await,
            _ => self.patch().await,
        }
    }

    async fn write(&mut self) {
        let (path, bytes) = (self.somewhere(), self.bytes());
        if matches!(self.tree.get(&path), Some(None)) {
            return;
        }
        let chain = find(&self.storage, self.account, &path).await;
        let new = new_node(false, content(&self.storage, &bytes).await);
        let (account, place) = (self.account, place(&self.storage, self.account, &path).await);
        let old = self.tree.contains_key(&path).then(|| chain.last().expect("there").clone());
        self.transact(move |tx| {
            Box::pin(async move {
                match old {
                    Some(old) => files::replace(tx, account, &place.above, &old, new, MOST_VERSIONS).await,
                    None => files::create(tx, account, &place, new).await,
                }
                .map(drop)
            })
        })
        .await;
        self.tree.insert(path, Some(bytes));
    }

    async fn make_folder(&mut self) {
        let path = self.somewhere();
        if self.tree.contains_key(&path) {
            return;
        }
        let (account, place) = (self.account, place(&self.storage, self.account, &path).await);
        self.transact(move |tx| {
            Box::pin(async move {
                files::create(tx, account, &place, new_node(true, Content::Empty)).await.map(drop)
            })
        })
        .await;
        self.tree.insert(path, None);
    }

    async fn copy(&mut self) {
        let (Some(from), to) = (self.any(None), self.somewhere()) else { return };
        if self.tree.contains_key(&to) || is_within(&to, &from) || self.tree.len() > 200 {
            return;
        }
        let node = find(&self.storage, self.account, &from).await.pop().expect("there");
        let (account, place) = (self.account, place(&self.storage, self.account, &to).await);
        let depth = if self.dice.roll(4) == 0 { CopyDepth::Zero } else { CopyDepth::Infinity };
        let copied = self
            .transact(move |tx| {
                Box::pin(async move { files::copy(tx, account, &node, depth, account, &place).await })
            })
            .await;
        assert_eq!(find(&self.storage, self.account, &to).await.pop().expect("there").id, copied.id);
        let branch: Tree = match depth {
            CopyDepth::Infinity => self
                .tree
                .iter()
                .filter(|(path, _)| is_within(path, &from))
                .map(|(p, c)| (p.clone(), c.clone()))
                .collect(),
            CopyDepth::Zero => [(from.clone(), self.tree[&from].clone())].into(),
        };
        graft(&mut self.tree, &branch, &from, &to);
    }

    /// What a file gives way to inherits its versions; a folder goes to the trash.
    async fn rename(&mut self) {
        let (Some(from), to) = (self.any(None), self.somewhere()) else { return };
        if is_within(&to, &from) || is_within(&from, &to) {
            return;
        }
        let is_file = self.tree[&from].is_some();
        match self.tree.get(&to) {
            Some(Some(_)) if is_file => {}
            Some(_) => self.throw_away(&to).await,
            None => {}
        }
        let old = self.tree.contains_key(&to);
        let chain = find(&self.storage, self.account, &from).await;
        let (node, above) = chain.split_last().expect("there");
        let (node, above): (NodeRow, Vec<NodeId>) =
            (node.clone(), above.iter().map(|node| node.id).collect());
        let victim = find(&self.storage, self.account, &to).await.pop().filter(|_| old);
        let (account, place) = (self.account, place(&self.storage, self.account, &to).await);
        self.transact(move |tx| {
            Box::pin(async move {
                if let Some(victim) = &victim {
                    files::remove(tx, account, victim, &place.above).await?;
                }
                let moved = files::move_to(tx, account, &node, &above, &place).await?;
                if let Some(victim) = &victim {
                    files::inherit(tx, account, victim, &moved, MOST_VERSIONS).await?;
                }
                Ok(())
            })
        })
        .await;
        let branch = cut(&mut self.tree, &from);
        graft(&mut self.tree, &branch, &from, &to);
    }

    async fn delete(&mut self) {
        let Some(path) = self.any(None) else { return };
        if self.dice.roll(3) > 0 {
            return self.throw_away(&path).await;
        }
        let (node, above) = self.taken(&path).await;
        let account = self.account;
        self.transact(move |tx| Box::pin(async move { files::remove(tx, account, &node, &above).await }))
            .await;
        cut(&mut self.tree, &path);
    }

    async fn taken(&self, path: &str) -> (NodeRow, Vec<NodeId>) {
        let mut chain = find(&self.storage, self.account, path).await;
        let node = chain.pop().expect("there");
        (node, chain.into_iter().map(|node| node.id).collect())
    }

    async fn throw_away(&mut self, path: &str) {
        let (node, above) = self.taken(path).await;
        let (account, id, from) = (self.account, node.id, path.to_owned());
        self.transact(move |tx| {
            Box::pin(async move { files::trash(tx, account, &node, &above, &from).await })
        })
        .await;
        let branch = cut(&mut self.tree, path);
        self.trash.push((id, path.to_owned(), branch));
    }

    async fn restore(&mut self) {
        if self.trash.is_empty() {
            return;
        }
        let place_in_trash = self.dice.roll(self.trash.len());
        let (id, from, branch) = self.trash.swap_remove(place_in_trash);
        let account = self.account;
        let is_free = !self.tree.contains_key(&from)
            && (parent(&from).is_empty() || matches!(self.tree.get(parent(&from)), Some(None)));
        let place = place(&self.storage, self.account, &from).await;
        self.transact(move |tx| {
            Box::pin(async move {
                let trashed = files::trashed(tx, account, id).await?;
                match is_free {
                    true => files::restore(tx, account, &trashed.node, &place).await.map(drop),
                    false => files::purge(tx, account, &trashed.node).await,
                }
            })
        })
        .await;
        if is_free {
            self.tree.extend(branch);
        }
    }

    async fn patch(&mut self) {
        let Some(path) = self.any(None) else { return };
        let (node, above) = self.taken(&path).await;
        let value = (self.dice.roll(3) > 0).then(|| "<x/>".repeat(self.dice.roll(5)));
        let name = ["one", "two"][self.dice.roll(2)].to_owned();
        let account = self.account;
        self.transact(move |tx| {
            Box::pin(async move {
                let set = vec![("urn:x".to_owned(), name, value)];
                files::patch(tx, account, &above, &node, set, Times::default()).await.map(drop)
            })
        })
        .await;
    }

    async fn transact<T, F>(&self, function: F) -> T
    where
        F: for<'t> FnOnce(&'t mut crate::Tx) -> crate::BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.storage.transact([self.account], function).await.expect("done")
    }

    /// Brings a mirror up to date in pages of `most` and compares it with the truth.
    async fn synchronise(&self, mirror: &mut Mirror, most: usize) {
        loop {
            let page = self.storage.file_changes(self.account, NodeId::FILES, &[], mirror.since, true, most);
            let Some(page) = page.await.expect("read") else {
                *mirror = Mirror::default();
                continue;
            };
            assert!(page.changes.len() <= most);
            for change in page.changes {
                mirror.apply(&change.path, change.node);
            }
            mirror.since = Some(page.state);
            if !page.has_more {
                break;
            }
        }
        let truth =
            self.tree.iter().map(|(path, content)| (path.clone(), content.as_ref().map(|c| c.len() as u64)));
        assert_eq!(mirror.tree, truth.collect());
    }
}

impl Mirror {
    fn apply(&mut self, path: &str, node: Option<NodeRow>) {
        match node {
            Some(node) if node.is_folder => drop(self.tree.insert(path.to_owned(), None)),
            node => {
                self.tree.retain(|other, _| !is_within(other, path));
                self.tree.extend(node.map(|node| (path.to_owned(), Some(node.size))));
            }
        }
    }
}

/// What a part of the tree adds up to.
#[derive(Default, Debug, PartialEq)]
struct Sum {
    size: u64,
    nodes: u64,
    tree: u64,
    properties: u64,
}

/// Reads a tree and checks the counters of every folder in it.
async fn sum(
    storage: &Storage,
    account: AccountId,
    node: &NodeRow,
    path: &str,
    found: &mut Tree,
    refs: &mut HashMap<BlobId, i64>,
) -> Sum {
    let mut sum = Sum { size: 0, nodes: 1, tree: node.changed, properties: node.properties };
    if let Some(blob) = node.blob {
        *refs.entry(blob).or_default() += 1;
    }
    for version in storage.file_versions(account, node.id).await.expect("read") {
        *refs.entry(version.blob.expect("versions have content")).or_default() += 1;
    }
    if !node.is_folder {
        return Sum { size: node.size, ..sum };
    }
    let mut last = String::new();
    for child in storage.file_children(account, node.id, "", 10_000).await.expect("read") {
        assert!(last.is_empty() || last < child.key, "by name");
        last = child.key.clone();
        let path = join(path, &child.name);
        let bytes = match child.blob {
            Some(blob) => storage.read_blob(blob, 0, usize::MAX).await.expect("read").to_vec(),
            None => Vec::new(),
        };
        found.insert(path.clone(), (!child.is_folder).then_some(bytes));
        let part = Box::pin(self::sum(storage, account, &child, &path, found, refs)).await;
        sum.size += part.size;
        sum.nodes += part.nodes;
        sum.tree = sum.tree.max(part.tree);
        sum.properties += part.properties;
    }
    assert_eq!((node.size, node.nodes), (sum.size, sum.nodes), "{path}");
    assert!(node.tree >= sum.tree, "{path}");
    sum
}

async fn top(storage: &Storage, account: AccountId, id: NodeId) -> NodeRow {
    storage.file_path(account, id, &[]).await.expect("read").pop().expect("every account has it")
}

/// The whole account must be what counting it gives; returns the references to contents.
async fn check(course: &Course) -> HashMap<BlobId, i64> {
    let (storage, account) = (&course.storage, course.account);
    let (mut bytes, mut refs) = (0, HashMap::new());
    for id in [NodeId::FILES, NodeId::TRASH, NodeId::UPLOADS, NodeId::REMOVED] {
        let mut found = Tree::new();
        let node = top(storage, account, id).await;
        let sum = sum(storage, account, &node, "", &mut found, &mut refs).await;
        bytes += sum.size + sum.properties;
        if id == NodeId::FILES {
            assert_eq!(found, course.tree);
        }
    }
    let versions = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM file_version WHERE account = $1";
    let mut reader = storage.reader().await.expect("reader");
    let versions = reader.first(versions, crate::db::values![account], |row| row.int(0)).await.expect("read");
    let row = storage.account(account).await.expect("read").expect("there");
    assert_eq!(row.bytes, bytes + versions.expect("a sum") as u64, "the quota is exact");
    refs
}

async fn references(storage: &Storage) -> HashMap<BlobId, i64> {
    let mut reader = storage.reader().await.expect("reader");
    let rows =
        reader.query("SELECT hash, refs FROM blob WHERE place <> '' OR place = ''", Vec::new(), |row| {
            Ok((row.blob_id(0)?, row.int(1)?))
        });
    rows.await.expect("read").into_iter().filter(|(_, refs)| *refs > 0).collect()
}

pub(super) async fn a_random_course_of_files_equals_its_model(place: Database) {
    let storage = place.open().await;
    for seed in 1..=3 {
        let mut course = Course::new(&storage, &format!("twin{seed}"), seed).await;
        let mut mirrors: Vec<Mirror> = (0..3).map(|_| Mirror::default()).collect();
        for step in 1..=240 {
            course.step().await;
            if course.dice.roll(10) == 0 {
                let which = course.dice.roll(mirrors.len());
                let most = [1, 3, 10_000][course.dice.roll(3)];
                course.synchronise(&mut mirrors[which], most).await;
            }
            if step % 80 == 0 {
                check(&course).await;
                while storage.reclaim_files().await.expect("removed") {}
                assert_eq!(check(&course).await, references(&storage).await, "no blob is kept for nothing");
            }
        }
        for mirror in &mut mirrors {
            course.synchronise(mirror, 2).await;
        }
        course.synchronise(&mut Mirror::default(), 5).await;
        let account = course.account;
        storage
            .transact([account], move |tx| Box::pin(accounts::remove_account(tx, account)))
            .await
            .expect("removed");
        assert!(references(&storage).await.is_empty(), "nothing is left");
    }
}
